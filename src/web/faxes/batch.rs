//! `/batches/<id>`: a submission to several numbers: its totals, its faxes, all of them or some.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use serde::Deserialize;

use crate::queue::What;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::jobs;
use crate::storage::jobs::BatchLine;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::Standing;
use crate::storage::jobs::Totals;
use crate::web::Site;
use crate::web::faxes::action;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::form::Post;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::sent;
use crate::web::sent::Row;
use crate::web::visitor::Visitor;

/// Faxes on one page.
const PAGE: usize = 100;

/// What the URL says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    /// `sent`, `failed` or `in-progress`.
    #[serde(default)]
    status: String,
    /// Behind this fax.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "batch.html")]
struct BatchPage {
    f: Frame,
    w: &'static Words,
    id: i64,
    reference: String,
    at: Moment,
    totals: Totals,
    status: String,
    rows: Vec<Row>,
    /// Whether this is not the first page.
    later: bool,
    /// The last one, if there are more behind it.
    further: Option<i64>,
    /// The last event that the page knows of.
    after: i64,
    csrf: String,
    /// Names the forms: the same form is the same order.
    form: String,
    /// Whether its documents are still there.
    kept: bool,
}

impl Part {
    fn standing(&self) -> Option<Standing> {
        match self.status.as_str() {
            "sent" => Some(Standing::Sent),
            "failed" => Some(Standing::Failed),
            "in-progress" => Some(Standing::InProgress),
            _ => None,
        }
    }
}

/// What a page is made of.
struct Read {
    line: BatchLine,
    jobs: Vec<JobRow>,
    kept: bool,
    newest: i64,
}

/// The submission `id`, if it is one of `account`.
fn own(
    tx: &mut dyn Transaction,
    account: &str,
    id: &str,
) -> Result<Option<BatchLine>, StorageError> {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(jobs::line(tx, id)?.filter(|line| line.account == account))
}

/// Where the visitor's own submission `id` is shown: as its only fax, if it has no other.
pub(in crate::web) async fn address_of(
    site: &Site,
    visitor: &Visitor,
    id: String,
) -> Option<String> {
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| own(tx, &account, &id));
    let line = found.await.ok().flatten()?;
    Some(match line.only {
        Some(job) => format!("/sent/{}", job.id),
        None => format!("/batches/{}", line.id),
    })
}

/// `GET /batches/<id>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(part): Query<Part>,
) -> Response {
    let account = visitor.account.id.clone();
    let (standing, after) = (part.standing(), part.after.trim().parse().unwrap_or(0));
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let read = site.store().read(move |tx| {
        let _turn = turn;
        let newest = events::newest(tx)?;
        let Some(line) = own(tx, &account, &id)? else {
            return Ok(None);
        };
        Ok(Some(Read {
            jobs: jobs::children(tx, line.id, standing, after, PAGE + 1)?,
            kept: jobs::batch(tx, line.id)?.is_some_and(|batch| !batch.expired),
            line,
            newest,
        }))
    });
    let read = match visitor.found(&site, Tab::Sent, read.await) {
        Ok(read) => read,
        Err(trouble) => return *trouble,
    };
    page::answer(StatusCode::OK, &batch_page(&site, &visitor, part, read))
}

fn batch_page(site: &Site, visitor: &Visitor, part: Part, read: Read) -> BatchPage {
    let f = visitor.frame(site, Tab::Sent);
    let Read {
        line,
        mut jobs,
        kept,
        newest,
    } = read;
    let more = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    let further = jobs.last().map(|job| job.id).filter(|_| more);
    let rows = jobs.into_iter().map(|job| Row {
        batch: None,
        reference: job.reason.clone().unwrap_or_default(),
        ..sent::of_job(site, job, f.language)
    });
    BatchPage {
        w: words::of(f.language),
        id: line.id,
        reference: line.reference,
        at: site.moment(line.created_at),
        totals: line.totals,
        rows: rows.collect(),
        later: !part.after.is_empty(),
        status: match part.standing() {
            Some(_) => part.status,
            None => String::new(),
        },
        further,
        after: newest,
        csrf: site.sessions.csrf(&visitor.cookie),
        form: site.store().ids().next(site.now()).to_string(),
        kept,
        f,
    }
}

/// The visitor's own submission `id`.
async fn found(site: &Site, visitor: &Visitor, id: String) -> Result<BatchLine, Box<Response>> {
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| own(tx, &account, &id));
    visitor.found(site, Tab::Sent, found.await)
}

/// `POST /batches/<id>/resend`: those that were not sent, or all with `what=all`.
pub(super) async fn resend(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, fields }: Post,
) -> Response {
    let line = match found(&site, &visitor, id).await {
        Ok(line) => line,
        Err(trouble) => return *trouble,
    };
    let what = match fields.text("what").as_str() {
        "all" => What::All(line.id),
        _ => What::Failed(line.id),
    };
    match action::ordered(&site, &visitor, what, fields.text("form")).await {
        Ok(resent) => Redirect::to(&format!("/batches/{}", resent.batch)).into_response(),
        Err(not) => {
            let w = words::of(visitor.frame(&site, Tab::Sent).language);
            not.answer(&site, &visitor, w, format!("/batches/{}", line.id))
        }
    }
}

/// `POST /batches/<id>/cancel`: all that are not settled.
pub(super) async fn cancel(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, .. }: Post,
) -> Response {
    let line = match found(&site, &visitor, id).await {
        Ok(line) => line,
        Err(trouble) => return *trouble,
    };
    let (canceller, batch) = (action::canceller(&site, &visitor), line.id);
    // In a task of its own: a browser that hangs up must not leave it half done.
    let cancelled = tokio::spawn(async move { canceller.batch(batch).await });
    let cancelled = cancelled.await.unwrap_or(Err(StorageError::Stopped));
    let path = format!("/batches/{batch}");
    match visitor.found(&site, Tab::Sent, cancelled.map(Some)) {
        Ok(0) => {
            let w = words::of(visitor.frame(&site, Tab::Sent).language);
            let said = (w.too_late_title, w.too_late);
            action::not_done(&site, &visitor, Tab::Sent, StatusCode::CONFLICT, said, path)
        }
        Ok(_) => {
            site.mail.notify_one();
            Redirect::to(&path).into_response()
        }
        Err(trouble) => *trouble,
    }
}
