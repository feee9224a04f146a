//! `/received`: faxes that arrived, those that are held by a lock, and their pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::receive;
use crate::receive::Forwarding;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::events::EventRow;
use crate::storage::received;
use crate::storage::received::ReceivedRow;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::faxes::words as faxes;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::picture;
use crate::web::picture::Pictures;
use crate::web::shown;
use crate::web::shown::Line;
use crate::web::shown::Number;
use crate::web::visitor::Visitor;
use crate::web::words::Words;

/// Faxes on one page.
const PAGE: usize = 50;

/// What the URL says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Paging {
    /// Older than this fax.
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "received.html")]
struct ReceivedPage {
    f: Frame,
    w: &'static faxes::Words,
    rows: Vec<Fax>,
    /// The last one, if there are more behind it.
    older: Option<i64>,
    /// Whether this is not the first page.
    later: bool,
    /// The account's numbers, for the page without faxes.
    numbers: Vec<Number>,
}

#[derive(Template)]
#[template(path = "fax.html")]
struct FaxPage {
    f: Frame,
    w: &'static faxes::Words,
    csrf: String,
    fax: Fax,
    forward_to: Vec<String>,
    timeline: Vec<Line>,
    /// `None` once retention has removed them.
    pictures: Option<Pictures>,
}

struct Fax {
    id: i64,
    at: Moment,
    sender: String,
    number: Number,
    pages: u32,
    /// Whether there may have been more of them.
    partial: bool,
    state: &'static str,
    class: &'static str,
    /// When it is released, if it is held.
    until: Option<Moment>,
    error: Option<String>,
    read: bool,
}

type Row = (ReceivedRow, Forwarding);

/// `GET /received`
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(paging): Query<Paging>,
) -> Response {
    let (account, now) = (visitor.account.id.clone(), site.now());
    let before = paging.before.trim().parse().ok();
    let found = site.store().read(move |tx| {
        let rows = received::of_account(tx, &account, before, PAGE + 1)?;
        let with_state = |row: ReceivedRow| {
            let state = receive::forwarding(tx, &row, now)?;
            Ok((row, state))
        };
        rows.into_iter().map(with_state).collect()
    });
    let found: Result<Vec<Row>, StorageError> = found.await;
    let mut rows = match visitor.found(&site, Tab::Received, found.map(Some)) {
        Ok(rows) => rows,
        Err(trouble) => return *trouble,
    };
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let f = visitor.frame(&site, Tab::Received);
    let numbers = visitor.account.numbers.iter();
    let page = ReceivedPage {
        older: rows.last().map(|(row, _)| row.id).filter(|_| more),
        later: before.is_some(),
        rows: rows.into_iter().map(|row| fax(&site, row, f.t)).collect(),
        numbers: numbers.map(|n| Number::of(&n.canonical())).collect(),
        w: faxes::of(f.language),
        f,
    };
    page::answer(StatusCode::OK, &page)
}

fn fax(site: &Site, (row, forwarding): Row, t: &Words) -> Fax {
    let mut fax = Fax {
        id: row.id,
        at: site.moment(row.received_at),
        sender: row.remote_id,
        number: Number::of(&row.number),
        pages: row.pages,
        partial: row.partial,
        state: t.kept,
        class: "open",
        until: None,
        error: None,
        read: row.read_at.is_some(),
    };
    match forwarding {
        Forwarding::Nowhere => {}
        Forwarding::Held(until) => {
            fax.state = t.held;
            fax.until = Some(site.end_of_lock(until, t));
        }
        Forwarding::Waiting => fax.state = t.waiting,
        Forwarding::Done => (fax.state, fax.class) = (t.forwarded, "sent"),
        Forwarding::Failed(error) => {
            (fax.state, fax.class) = (t.not_forwarded, "failed");
            fax.error = error;
        }
    }
    fax
}

/// The received fax `id`, if it is one of `account`.
pub(super) fn own_fax(
    tx: &mut dyn Transaction,
    account: &str,
    id: &str,
) -> Result<Option<ReceivedRow>, StorageError> {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(received::one(tx, id)?.filter(|row| row.account == account))
}

fn all_about(
    tx: &mut dyn Transaction,
    account: &str,
    id: &str,
    now: Timestamp,
) -> Result<Option<(Row, Vec<EventRow>)>, StorageError> {
    let Some(row) = own_fax(tx, account, id)? else {
        return Ok(None);
    };
    let events = events::list(tx, account, About::Received(row.id))?;
    let forwarding = receive::forwarding(tx, &row, now)?;
    Ok(Some(((row, forwarding), events)))
}

/// `GET /received/<id>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let (account, now) = (visitor.account.id.clone(), site.now());
    let found = site
        .store()
        .read(move |tx| all_about(tx, &account, &id, now));
    let (row, events) = match visitor.found(&site, Tab::Received, found.await) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(&site, Tab::Received);
    let (id, pages) = (row.0.id, row.0.pages);
    let kept = !row.0.expired;
    let forward_to = visitor.account.forward_to.iter();
    let page = FaxPage {
        fax: fax(&site, row, f.t),
        forward_to: forward_to
            .map(|address| address.as_str().to_owned())
            .collect(),
        timeline: shown::timeline(&site, &events, f.t, f.language),
        pictures: kept.then(|| Pictures::of(pages, format!("/received/{id}/pages"))),
        w: faxes::of(f.language),
        csrf: site.sessions.csrf(&visitor.cookie),
        f,
    };
    page::answer(StatusCode::OK, &page)
}

/// `GET /received/<id>/pages/<n>.png`
pub(super) async fn picture(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path((id, page)): Path<(String, String)>,
) -> Response {
    let row = match kept(&site, &visitor, id).await {
        Ok(row) => row,
        Err(trouble) => return *trouble,
    };
    let drawn = picture::draw(&site, received::pages_file(row.id), row.pages, &page).await;
    drawn.unwrap_or_else(|| visitor.trouble(&site, Tab::Received, Trouble::NotFound))
}

/// `GET /received/<id>/fax.pdf`
pub(super) async fn pdf(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let row = match kept(&site, &visitor, id).await {
        Ok(row) => row,
        Err(trouble) => return *trouble,
    };
    let written = picture::pdf(&site, received::pages_file(row.id), row.pages, row.id).await;
    written.unwrap_or_else(|| visitor.trouble(&site, Tab::Received, Trouble::NotFound))
}

/// The visitor's own fax `id` whose pages are still there.
pub(super) async fn kept(
    site: &Site,
    visitor: &Visitor,
    id: String,
) -> Result<ReceivedRow, Box<Response>> {
    let account = visitor.account.id.clone();
    let found = site.store().read(move |tx| own_fax(tx, &account, &id));
    let found = found.await.map(|row| row.filter(|row| !row.expired));
    visitor.found(site, Tab::Received, found)
}
