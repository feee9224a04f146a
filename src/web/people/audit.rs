//! `/people/<id>/audit`: what was done to a user, and what the user did.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::account::directory::Directory;
use crate::account::rights::Deed;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::storage::events::Whose;
use crate::web::Site;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::people::Case;
use crate::web::people::is_allowed;
use crate::web::people::words;
use crate::web::people::words::Words;
use crate::web::visitor::Visitor;

/// Acts on one page.
const PAGE: usize = 50;

/// Which part, as it stands in the URL.
#[derive(Deserialize)]
pub(super) struct Part {
    /// Older than this event.
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "people_audit.html")]
struct AuditPage {
    f: Frame,
    w: &'static Words,
    path: String,
    login_id: String,
    rows: Vec<Row>,
    is_newest: bool,
    /// The last one, if there are more behind it.
    older: Option<i64>,
}

struct Row {
    at: Moment,
    what: String,
    about: String,
    by: String,
    detail: String,
    peer: String,
}

/// `GET /people/<id>/audit`
pub(super) async fn show(
    Shared(site): Shared<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Part { before }): Query<Part>,
) -> Response {
    let case = match Case::of(&site, &visitor, &id, Deed::ReadAudit) {
        Ok(case) => case,
        Err(trouble) => return *trouble,
    };
    let (id, before) = (case.subject.id.clone(), before.trim().parse().ok());
    let found = site
        .store()
        .read(move |tx| events::audit(tx, Whose::Account(&id), before, PAGE + 1));
    let found = visitor.found(&site, case.tab(&visitor), found.await.map(Some));
    let mut events = match found {
        Ok(events) => events,
        Err(trouble) => return *trouble,
    };
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    let f = visitor.frame(&site, case.tab(&visitor));
    let (w, directory) = (words::of(f.language), site.accounts.load());
    let own = |id: &str| is_visible(&visitor, &directory, id);
    let visible = events.iter().filter(|event| own(&event.account));
    let page = AuditPage {
        rows: visible.map(|event| row(&site, event, &own, w)).collect(),
        older: events.last().map(|event| event.id).filter(|_| more),
        is_newest: before.is_none(),
        login_id: case.subject.login_id.clone(),
        path: case.path,
        w,
        f,
    };
    page::answer(StatusCode::OK, &page)
}

/// Whether the account `id` may be named to the visitor.
fn is_visible(visitor: &Visitor, directory: &Directory, id: &str) -> bool {
    let account = directory.by_id(id);
    account.is_some_and(|account| is_allowed(visitor, Deed::See, account))
}

fn row(site: &Site, event: &EventRow, is_visible: &impl Fn(&str) -> bool, w: &Words) -> Row {
    let by = event.actor.clone().unwrap_or_default();
    // Where an operator or the help desk sits is no affair of a company.
    let told = by.is_empty() || is_visible(&by);
    Row {
        at: site.moment(event.at),
        what: words::act(&event.kind, &fact(event, "what"), w).to_owned(),
        about: event.account.clone(),
        detail: detail(event, w),
        peer: match told {
            true => fact(event, "peer"),
            false => String::new(),
        },
        by,
    }
}

/// What else an act tells people: why, which fields, through which door.
fn detail(event: &EventRow, w: &Words) -> String {
    let what = fact(event, "what");
    if matches!(what.as_str(), "data-changed" | "settings-changed") {
        return words::fields(&fact(event, "detail"), w);
    }
    let why = ["detail", "reason"].map(|name| fact(event, name));
    let why = why.into_iter().find(|fact| !fact.is_empty());
    why.unwrap_or_else(|| words::door(&fact(event, "door"), w).to_owned())
}

/// A text of an event's detail; empty if it has none of this name.
pub(super) fn fact(event: &EventRow, name: &str) -> String {
    let json = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    let text = json.get(name).and_then(Json::as_str);
    text.unwrap_or_default().to_owned()
}
