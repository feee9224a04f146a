//! `/sent`: the history of an account, newest first, with filters in the URL.
//!
//! A submission to several numbers is one line with its totals. Who looks for a number or a status looks for faxes,
//! and sees each of them.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::config::Language;
use crate::fax::Destination;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::jobs;
use crate::storage::jobs::BatchLine;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::NumberMatch;
use crate::storage::jobs::Period;
use crate::storage::jobs::Search;
use crate::storage::jobs::Standing;
use crate::storage::jobs::Totals;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::shown::Number;
use crate::web::shown::Told;
use crate::web::visitor::Visitor;

/// Lines on one page.
const PAGE: usize = 50;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The filters, as they stand in the URL.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filters {
    /// `sent`, `failed`, `in-progress` or a published number.
    #[serde(default)]
    status: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    /// Older than this line.
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "sent.html")]
struct SentPage {
    f: Frame,
    w: &'static Words,
    q: Filters,
    rows: Vec<Row>,
    /// The filters cannot be understood.
    bad: bool,
    /// Where the next page begins, if there is one.
    older: Option<i64>,
    /// How far a search went that has not looked at all.
    looked_to: Option<Moment>,
    quick: Vec<Quick>,
    /// The last event that the page knows of, for following what comes after it.
    after: i64,
    domain: String,
}

/// A line of the history.
pub(super) struct Row {
    /// Where it leads.
    pub(super) path: String,
    /// `job-<id>` or `batch-<id>`: its name among events.
    pub(super) name: String,
    /// When it was accepted.
    pub(super) at: Moment,
    /// Where it goes; `None` for a submission to several numbers.
    pub(super) number: Option<Number>,
    /// Name of the contact.
    pub(super) contact: String,
    /// The subject.
    pub(super) reference: String,
    /// How it stands.
    pub(super) told: Option<Told>,
    /// How its faxes stand, if it is a submission.
    pub(super) totals: Totals,
    /// Pages that were sent.
    pub(super) pages: u32,
    /// Whether it may still change.
    pub(super) open: bool,
    /// The submission that it belongs to with others.
    pub(super) batch: Option<i64>,
}

/// A link to a period.
struct Quick {
    name: &'static str,
    from: String,
    to: String,
    here: bool,
}

/// What a page shows.
struct Lines {
    rows: Vec<Line>,
    next: Option<i64>,
    /// When the job was accepted from which a search goes on that has not looked at all.
    looked_to: Option<Timestamp>,
    newest_event: i64,
}

enum Line {
    Job(Box<JobRow>),
    Batch(Box<BatchLine>),
}

impl Filters {
    /// What is looked for; `None` if that cannot be understood.
    pub(super) fn search(&self, site: &Site) -> Option<Search> {
        let zone = site.zone();
        let day = |text: &str| match text.trim() {
            "" => Some(None),
            text => zone.day(text).map(Some),
        };
        Some(Search {
            standing: standing(self.status.trim())?,
            number: number(self.number.trim(), site)?,
            period: Period {
                from: day(&self.from)?.map(|(begin, _)| begin),
                until: day(&self.to)?.map(|(_, end)| end),
            },
        })
    }

    fn before(&self) -> Option<i64> {
        self.before.trim().parse().ok()
    }

    /// Whether anything is looked for.
    fn any(&self) -> bool {
        let all = [&self.status, &self.number, &self.from, &self.to];
        all.into_iter().any(|text| !text.trim().is_empty())
    }

    fn is_status(&self, word: &str) -> bool {
        self.status.trim() == word
    }

    /// Links to the periods that people ask for most, in the days of who asks.
    fn quick(&self, site: &Site, w: &Words) -> Vec<Quick> {
        let now = site.now();
        let day = |at: Timestamp| -> String {
            let text = at.local_minute(&site.zone());
            text.chars().take(10).collect()
        };
        let today = day(now);
        let first: String = today.chars().take(8).chain("01".chars()).collect();
        let all = [
            (w.today, today.clone(), today.clone()),
            (w.week, day(now.minus(DAY * 6)), today.clone()),
            (w.month, day(now.minus(DAY * 29)), today.clone()),
            (w.this_month, first, today),
            (w.always, String::new(), String::new()),
        ];
        let link = |(name, from, to)| Quick {
            here: self.from == from && self.to == to,
            name,
            from,
            to,
        };
        all.map(link).into()
    }
}

impl SentPage {
    /// Whether anything on the page may still change.
    fn follows(&self) -> bool {
        self.rows.iter().any(|row| row.open)
    }

    /// The filters without the page, for a URL within HTML.
    fn query(&self) -> askama::filters::Safe<String> {
        let filters = [
            ("status", &self.q.status),
            ("number", &self.q.number),
            ("from", &self.q.from),
            ("to", &self.q.to),
        ];
        let pairs = filters.map(|(name, value)| format!("{name}={}", encoded(value)));
        askama::filters::Safe(pairs.join("&amp;"))
    }
}

/// As URLs encode it: nothing is left that HTML would read as its own.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let one = |byte: u8| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.trim().bytes().map(one).collect()
}

fn standing(text: &str) -> Option<Option<Standing>> {
    Some(Some(match text {
        "" => return Some(None),
        "sent" => Standing::Sent,
        "failed" => Standing::Failed,
        "in-progress" => Standing::InProgress,
        text => Standing::With(Status(text.parse().ok()?)),
    }))
}

/// A whole number as a person types it, or some digits of one.
fn number(text: &str, site: &Site) -> Option<Option<NumberMatch>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_typed = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')' | '.');
    if let Ok(destination) = Destination::parse(text, &site.config.gateway.country)
        && (digits.len() >= 10 || text.starts_with('+'))
    {
        return Some(Some(NumberMatch::Exact(destination.canonical())));
    }
    // Of a national number the zero at its beginning is not kept.
    let digits = digits.trim_start_matches('0');
    let some = !digits.is_empty() && text.chars().all(is_typed);
    some.then(|| Some(NumberMatch::Containing(digits.to_owned())))
}

/// `GET /sent`
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    let f = visitor.frame(&site, Tab::Sent);
    let w = words::of(f.language);
    let domain = site.config.gateway.domains.first().cloned();
    let mut page = SentPage {
        quick: q.quick(&site, w),
        f,
        w,
        q,
        rows: Vec::new(),
        bad: false,
        older: None,
        looked_to: None,
        after: 0,
        domain: domain.unwrap_or_default(),
    };
    let Some(search) = page.q.search(&site) else {
        page.bad = true;
        return page::answer(StatusCode::BAD_REQUEST, &page);
    };
    let (account, before) = (visitor.account.id.clone(), page.q.before());
    // Held by the search itself: it goes on when the browser hangs up.
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let found = site.store().read(move |tx| {
        let _turn = turn;
        lines(tx, &account, &search, before)
    });
    let found = visitor.found(&site, Tab::Sent, found.await.map(Some));
    let lines = match found {
        Ok(lines) => lines,
        Err(trouble) => return *trouble,
    };
    page.older = lines.next;
    page.looked_to = lines.looked_to.map(|at| site.moment(at));
    page.after = lines.newest_event;
    let language = page.f.language;
    page.rows = lines
        .rows
        .into_iter()
        .map(|line| row(&site, line, language))
        .collect();
    page::answer(StatusCode::OK, &page)
}

fn lines(
    tx: &mut dyn Transaction,
    account: &str,
    search: &Search,
    before: Option<i64>,
) -> Result<Lines, StorageError> {
    let newest_event = events::newest(tx)?;
    if search.standing.is_none() && search.number.is_none() {
        let mut rows = jobs::lines(tx, account, search.period, before, PAGE + 1)?;
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        return Ok(Lines {
            next: rows.last().map(|line| line.id).filter(|_| more),
            rows: rows
                .into_iter()
                .map(|line| Line::Batch(Box::new(line)))
                .collect(),
            looked_to: None,
            newest_event,
        });
    }
    let found = jobs::search(tx, account, search, before, PAGE)?;
    let part = found.next.filter(|_| found.rows.len() < PAGE);
    let looked_to = match part {
        Some(id) => jobs::job(tx, id)?.map(|job| job.created_at),
        None => None,
    };
    let rows = found.rows.into_iter();
    Ok(Lines {
        rows: rows.map(|job| Line::Job(Box::new(job))).collect(),
        next: found.next,
        looked_to,
        newest_event,
    })
}

fn row(site: &Site, line: Line, language: Language) -> Row {
    match line {
        Line::Job(job) => of_job(site, *job, language),
        Line::Batch(line) => of_batch(site, *line, language),
    }
}

/// The line of a fax.
pub(super) fn of_job(site: &Site, job: JobRow, language: Language) -> Row {
    Row {
        path: format!("/sent/{}", job.id),
        name: format!("job-{}", job.id),
        at: site.moment(job.created_at),
        number: Some(Number::behind(&job.destination, &job.sub_address)),
        contact: job.contact,
        reference: job.reference,
        told: Some(Told::of(job.status, language)),
        totals: Totals::default(),
        pages: job.pages_sent,
        open: !job.status.is_final(),
        batch: Some(job.batch).filter(|_| job.batch_jobs > 1),
    }
}

/// The line of a submission: that of its fax if it has but one.
pub(super) fn of_batch(site: &Site, line: BatchLine, language: Language) -> Row {
    if let Some(job) = line.only {
        return of_job(site, job, language);
    }
    Row {
        path: format!("/batches/{}", line.id),
        name: format!("batch-{}", line.id),
        at: site.moment(line.created_at),
        number: None,
        contact: String::new(),
        reference: line.reference,
        told: None,
        totals: line.totals,
        pages: 0,
        open: line.totals.open > 0,
        batch: None,
    }
}
