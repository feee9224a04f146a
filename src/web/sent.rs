//! `/sent`: the history of an account, newest first, with filters in the URL.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::config::Language;
use crate::fax::Destination;
use crate::status::Status;
use crate::storage::jobs;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::NumberMatch;
use crate::storage::jobs::Search;
use crate::storage::jobs::Standing;
use crate::web::Site;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::shown::Number;
use crate::web::shown::Told;
use crate::web::visitor::Visitor;

/// Faxes on one page.
const PAGE: usize = 50;

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
    /// Older than this job.
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "sent.html")]
struct SentPage {
    f: Frame,
    q: Filters,
    rows: Vec<Row>,
    /// The filters cannot be understood.
    bad: bool,
    /// The last one, if there are more behind it.
    older: Option<i64>,
    domain: String,
}

struct Row {
    id: i64,
    at: Moment,
    number: Number,
    contact: String,
    reference: String,
    told: Told,
    pages: u32,
}

impl Filters {
    /// What is looked for; `None` if that cannot be understood.
    fn search(&self, site: &Site) -> Option<Search> {
        let gateway = &site.config.gateway;
        let day = |text: &str| match text.trim() {
            "" => Some(None),
            text => gateway.time_zone.day(text).map(Some),
        };
        Some(Search {
            standing: standing(self.status.trim())?,
            number: number(self.number.trim(), site)?,
            from: day(&self.from)?.map(|(begin, _)| begin),
            until: day(&self.to)?.map(|(_, end)| end),
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
    let domain = site.config.gateway.domains.first().cloned();
    let mut page = SentPage {
        f,
        q,
        rows: Vec::new(),
        bad: false,
        older: None,
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
        jobs::search(tx, &account, &search, before, PAGE + 1)
    });
    let found = visitor.found(&site, Tab::Sent, found.await.map(Some));
    let mut jobs = match found {
        Ok(jobs) => jobs,
        Err(trouble) => return *trouble,
    };
    let more = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    page.older = jobs.last().map(|job| job.id).filter(|_| more);
    page.rows = jobs
        .into_iter()
        .map(|job| row(&site, job, page.f.language))
        .collect();
    page::answer(StatusCode::OK, &page)
}

fn row(site: &Site, job: JobRow, language: Language) -> Row {
    Row {
        id: job.id,
        at: site.moment(job.created_at),
        number: Number::of(&job.destination),
        contact: job.contact,
        reference: job.reference,
        told: Told::of(job.status, language),
        pages: job.pages_sent,
    }
}
