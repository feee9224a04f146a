//! `/sent/<id>`: one fax, what became of it, and its pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::config::Language;
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

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    f: Frame,
    number: Number,
    told: Told,
    contact: String,
    reference: String,
    reason: Option<String>,
    accepted: Moment,
    completed: Option<Moment>,
    next_call: Option<Moment>,
    pages_sent: u32,
    remote_id: String,
    seconds: i64,
    reply_to: String,
    attempts: Vec<Attempt>,
    timeline: Vec<Line>,
    /// `None` before there are any.
    pictures: Option<Pictures>,
    /// Retention has removed them.
    gone: bool,
}

struct Attempt {
    n: i64,
    began: Moment,
    /// `None` while the call goes on.
    told: Option<Told>,
    pages: i64,
    remote_id: String,
}

/// All that is stored about a job.
struct Found {
    job: JobRow,
    batch: BatchRow,
    attempts: Vec<AttemptRow>,
    events: Vec<EventRow>,
}

/// The job `id`, if it is one of `account`.
fn own_job(
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

fn all_about(
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
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| all_about(tx, &account, &id));
    match visitor.found(&site, Tab::Sent, found.await) {
        Ok(found) => {
            let f = visitor.frame(&site, Tab::Sent);
            page::answer(StatusCode::OK, &job_page(&site, f, found))
        }
        Err(trouble) => *trouble,
    }
}

fn job_page(site: &Site, f: Frame, found: Found) -> JobPage {
    let Found {
        job,
        batch,
        attempts,
        events,
    } = found;
    let (language, t) = (f.language, f.t);
    let open = !job.status.is_final();
    let pages = batch.pages.filter(|_| !batch.expired);
    let attempts = attempts.into_iter();
    JobPage {
        number: Number::of(&job.destination),
        told: Told::of(job.status, language),
        contact: job.contact,
        reference: job.reference,
        reason: job.reason,
        accepted: site.moment(job.created_at),
        completed: job.settled_at.map(|at| site.moment(at)),
        next_call: (open && job.next_at > site.now()).then(|| site.moment(job.next_at)),
        pages_sent: job.pages_sent,
        remote_id: job.remote_id,
        seconds: job.duration_ms / 1000,
        reply_to: batch.reply_to,
        attempts: attempts.map(|call| attempt(site, call, language)).collect(),
        timeline: shown::timeline(site, &events, t, language),
        pictures: pages.map(|pages| Pictures::of(pages, format!("/sent/{}/pages", job.id))),
        gone: batch.expired,
        f,
    }
}

fn attempt(site: &Site, attempt: AttemptRow, language: Language) -> Attempt {
    Attempt {
        n: attempt.n,
        began: site.moment(attempt.started_at),
        told: attempt.status.map(|status| Told::of(status, language)),
        pages: attempt.pages_sent,
        remote_id: attempt.remote_id,
    }
}

/// `GET /sent/<id>/pages/<n>.png`
pub(super) async fn picture(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path((id, page)): Path<(String, String)>,
) -> Response {
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| own_job(tx, &account, &id));
    let (_, batch) = match visitor.found(&site, Tab::Sent, found.await) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let pages = batch.pages.filter(|_| !batch.expired).unwrap_or_default();
    let drawn = picture::draw(&site, jobs::pages_file(batch.id), pages, &page).await;
    drawn.unwrap_or_else(|| visitor.trouble(&site, Tab::Sent, Trouble::NotFound))
}
