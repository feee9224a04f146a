//! `/sent/<id>`: one fax, what became of it, what can be done with it, and its pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::config::Language;
use crate::fax::Destination;
use crate::fax::PageOptions;
use crate::render::HeaderLine;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::events::EventRow;
use crate::storage::jobs;
use crate::storage::jobs::AttemptRow;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::JobRow;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::faxes::batch;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::picture;
use crate::web::picture::Pictures;
use crate::web::shown;
use crate::web::shown::Line;
use crate::web::shown::Number;
use crate::web::shown::Told;
use crate::web::visitor::Visitor;
use crate::web::words::Words as Pages;

/// The page of a fax.
#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    f: Frame,
    w: &'static Words,
    s: Standing,
    /// The submission that it belongs to with others, and how many they are.
    batch: Option<(i64, i64)>,
    /// `None` before there are any.
    pictures: Option<Pictures>,
    /// Retention has removed them.
    gone: bool,
}

/// What of the page changes while the fax goes on.
pub(super) struct Standing {
    /// The fax.
    pub(super) id: i64,
    /// Where it goes.
    pub(super) number: Number,
    /// How it stands.
    pub(super) told: Told,
    /// Name of the contact.
    pub(super) contact: String,
    /// The subject.
    pub(super) reference: String,
    /// What the status does not say.
    pub(super) reason: Option<String>,
    /// When it was accepted.
    pub(super) accepted: Moment,
    /// When it was settled.
    pub(super) completed: Option<Moment>,
    /// When it is called next.
    pub(super) next_call: Option<Moment>,
    /// Pages that the far end confirmed.
    pub(super) pages_sent: u32,
    /// Pages that it has, once they are known.
    pub(super) pages: Option<u32>,
    /// The far end's identifier.
    pub(super) remote_id: String,
    /// Seconds on the line.
    pub(super) seconds: i64,
    /// Where its result goes.
    pub(super) reply_to: String,
    /// Its calls.
    pub(super) attempts: Vec<Attempt>,
    /// All that happened.
    pub(super) timeline: Vec<Line>,
    /// Whether it is not settled.
    pub(super) open: bool,
    /// The forms' token.
    pub(super) csrf: String,
    /// Names the form for sending again: the same form is the same order.
    pub(super) form: String,
    /// What is in the field of the number, and what is wrong with it.
    pub(super) typed: String,
    /// What is wrong with it.
    pub(super) wrong: Option<&'static str>,
    /// Whether its documents can be sent again.
    pub(super) kept: bool,
}

/// A call.
pub(super) struct Attempt {
    /// Which one, from 1.
    pub(super) n: i64,
    /// When it began.
    pub(super) began: Moment,
    /// `None` while the call goes on.
    pub(super) told: Option<Told>,
    /// Pages that the far end confirmed.
    pub(super) pages: i64,
    /// Pages that earlier calls had confirmed.
    pub(super) first_page: i64,
    /// The far end's identifier.
    pub(super) remote_id: String,
    /// The line, how the fax travelled, and how fast.
    pub(super) how: String,
    /// How far it is, while it goes on.
    pub(super) live: String,
    /// How long it took; `None` while it goes on.
    pub(super) seconds: Option<u64>,
}

/// All that is stored about a job.
pub(super) struct Found {
    /// The job.
    pub(super) job: JobRow,
    /// Its batch.
    pub(super) batch: BatchRow,
    /// Its calls.
    pub(super) attempts: Vec<AttemptRow>,
    /// All that happened.
    pub(super) events: Vec<EventRow>,
}

/// The job `id`, if it is one of `account`.
pub(super) fn own_job(
    tx: &mut dyn Transaction,
    account: &str,
    id: &str,
) -> Result<Option<(JobRow, BatchRow)>, StorageError> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let job = jobs::job(tx, id)?.filter(|job| job.account == account);
    let Some(job) = job else { return Ok(None) };
    let batch = jobs::batch(tx, job.batch)?;
    Ok(batch.map(|batch| (job, batch)))
}

/// All about the job `id`, if it is one of `account`.
pub(super) fn all_about(
    tx: &mut dyn Transaction,
    account: &str,
    id: &str,
) -> Result<Option<Found>, StorageError> {
    let Some((job, batch)) = own_job(tx, account, id)? else {
        return Ok(None);
    };
    let about = About::Job {
        job: job.id,
        batch: job.batch,
    };
    Ok(Some(Found {
        attempts: jobs::attempts(tx, job.id)?,
        events: events::list(tx, account, about)?,
        job,
        batch,
    }))
}

/// `GET /sent/<id>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let trouble = match found(&site, &visitor, id.clone()).await {
        Ok(found) => return answer(&site, &visitor, found, None),
        Err(trouble) => trouble,
    };
    // The id in the reply to a mail is that of its submission.
    match batch::address_of(&site, &visitor, id).await {
        Some(address) => Redirect::to(&address).into_response(),
        None => *trouble,
    }
}

/// All about the visitor's own job `id`.
pub(super) async fn found(
    site: &Site,
    visitor: &Visitor,
    id: String,
) -> Result<Found, Box<Response>> {
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| all_about(tx, &account, &id));
    visitor.found(site, Tab::Sent, found.await)
}

/// The page, or again after a number that cannot be called, with why.
pub(super) fn answer(
    site: &Site,
    visitor: &Visitor,
    found: Found,
    wrong: Option<(String, &'static str)>,
) -> Response {
    let f = visitor.frame(site, Tab::Sent);
    let pages = found.batch.pages.filter(|_| !found.batch.expired);
    let (id, gone) = (found.job.id, found.batch.expired);
    let batch = Some((found.job.batch, found.job.batch_jobs)).filter(|(_, jobs)| *jobs > 1);
    let mut s = standing(site, &f, found);
    let status = match &wrong {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    if let Some((typed, why)) = wrong {
        (s.typed, s.wrong) = (typed, Some(why));
    }
    let page = JobPage {
        w: words::of(f.language),
        s,
        batch,
        pictures: pages.map(|pages| Pictures::of(pages, format!("/sent/{id}/pages"))),
        gone,
        f,
    };
    page::answer(status, &page)
}

/// What of `found` is shown, in the language of `f`.
pub(super) fn standing(site: &Site, f: &Frame, found: Found) -> Standing {
    let Found {
        job,
        batch,
        attempts,
        events,
    } = found;
    let language = f.language;
    let open = !job.status.is_final();
    let plain = Number::of(&job.destination);
    let number = Number::behind(&job.destination, &job.sub_address);
    let attempts = attempts.into_iter();
    let is_number = Destination::from_canonical(&job.destination).is_some();
    Standing {
        id: job.id,
        told: Told::of(job.status, language),
        contact: job.contact,
        reference: job.reference,
        reason: job.reason,
        accepted: site.moment(job.created_at),
        completed: job.settled_at.map(|at| site.moment(at)),
        next_call: (open && job.next_at > site.now()).then(|| site.moment(job.next_at)),
        pages_sent: job.pages_sent,
        pages: batch.pages,
        remote_id: job.remote_id,
        seconds: job.duration_ms / 1000,
        reply_to: batch.reply_to,
        attempts: attempts
            .map(|call| attempt(site, call, f.t, language))
            .collect(),
        timeline: shown::timeline(site, &events, f.t, language),
        open,
        csrf: f
            .person
            .as_ref()
            .map(|person| person.csrf.clone())
            .unwrap_or_default(),
        form: site.store().ids().next(site.now()).to_string(),
        typed: match plain.e164.is_empty() {
            true => String::new(),
            false => plain.national,
        },
        wrong: None,
        kept: is_number && !batch.expired && job.status != crate::status::Status::STOPPED_BY_LOCK,
        number,
    }
}

/// Line, media, speed: what is known of them.
fn how(attempt: &AttemptRow) -> String {
    let line = Some(attempt.line.clone()).filter(|line| !line.is_empty());
    let media = attempt
        .media
        .and_then(|media| shown::carried(media.as_str()));
    let rate = Some(attempt.rate).filter(|rate| *rate > 0);
    let rate = rate.map(|rate| format!("{rate} bit/s"));
    let ecm = attempt.ecm.then(|| "ECM".to_owned());
    let known: Vec<_> = [line, media, rate, ecm].into_iter().flatten().collect();
    known.join(" · ")
}

/// How far a call is.
fn live(attempt: &AttemptRow, t: &Pages) -> String {
    match attempt.phase.as_str() {
        "" | "dialling" => t.on_the_line.to_owned(),
        phase => shown::what(phase, t).to_owned(),
    }
}

fn attempt(site: &Site, attempt: AttemptRow, t: &Pages, language: Language) -> Attempt {
    let (how, live) = (how(&attempt), live(&attempt, t));
    Attempt {
        n: attempt.n,
        began: site.moment(attempt.started_at),
        told: attempt.status.map(|status| Told::of(status, language)),
        live,
        first_page: attempt.first_page,
        pages: attempt.pages_sent,
        remote_id: attempt.remote_id,
        how,
        seconds: attempt
            .ended_at
            .map(|at| at.since(attempt.started_at).as_secs()),
    }
}

/// The header line that the recipient got with the last call, or would get now. `None`: it gets none.
pub(super) fn header(
    site: &Site,
    job: &JobRow,
    batch: &BatchRow,
    attempts: &[AttemptRow],
) -> Option<HeaderLine> {
    let options: PageOptions = serde_json::from_str(&batch.page_options).ok()?;
    let destination = Destination::from_canonical(&job.destination)?;
    let directory = site.accounts.load_full();
    let account = directory.by_id(&job.account).map(Arc::as_ref);
    let at = attempts.last().map(|call| call.started_at);
    HeaderLine::of(
        &options,
        &site.config,
        (&job.account, account),
        &destination,
        at.unwrap_or_else(|| site.now()),
    )
}

/// `GET /sent/<id>/pages/<n>.png`
pub(super) async fn picture(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path((id, page)): Path<(String, String)>,
) -> Response {
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| {
        let Some((job, batch)) = own_job(tx, &account, &id)? else {
            return Ok(None);
        };
        let attempts = jobs::attempts(tx, job.id)?;
        Ok(Some((job, batch, attempts)))
    });
    let (job, batch, attempts) = match visitor.found(&site, Tab::Sent, found.await) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let header = header(&site, &job, &batch, &attempts);
    let pages = batch.pages.filter(|_| !batch.expired).unwrap_or_default();
    let drawn =
        picture::draw_stamped(&site, jobs::pages_file(batch.id), pages, &page, header).await;
    drawn.unwrap_or_else(|| visitor.trouble(&site, Tab::Sent, Trouble::NotFound))
}
