//! `/admin`: how the gateway is, and what goes on.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::storage::accounts;
use crate::storage::events;
use crate::storage::jobs;
use crate::storage::outbox;
use crate::storage::shadows;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// The last hour, in which refused mails are counted.
const LATELY: std::time::Duration = std::time::Duration::from_secs(3600);

#[derive(Template)]
#[template(path = "admin_overview.html")]
struct OverviewPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    troubles: Vec<Remark>,
    warnings: Vec<Remark>,
    accounts: usize,
    now: Now,
}

/// Something about a part of the gateway.
struct Remark {
    /// The part, as `/readyz` names it.
    part: &'static str,
    /// What it means.
    words: &'static str,
    /// What the part itself says.
    text: String,
}

/// What goes on.
struct Now {
    jobs: i64,
    mails: i64,
    held: i64,
    locks: i64,
    shadows: i64,
    refused: i64,
}

/// `GET /admin`
pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let room = match Room::enter(&site, &visitor, Place::Overview) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let now = site.now();
    let found = site.store().read(move |tx| {
        let (mails, held) = outbox::waiting(tx, now)?;
        let jobs = jobs::counts_by_state(tx)?;
        Ok(Now {
            jobs: jobs.iter().map(|(_, count)| count).sum(),
            mails,
            held,
            locks: accounts::count_locked(tx, now)?,
            shadows: shadows::count_locked(tx, now)?,
            refused: events::refused_since(tx, now.minus(LATELY))?,
        })
    });
    let now = match visitor.found(&site, Tab::Admin, found.await.map(Some)) {
        Ok(now) => now,
        Err(trouble) => return *trouble,
    };
    let Room { f, w, menu, .. } = room;
    let remarks = |all: std::collections::BTreeMap<&'static str, String>| {
        let remark = |(part, text)| Remark {
            part,
            words: meaning(part, w),
            text,
        };
        all.into_iter().map(remark).collect()
    };
    let condition = &site.operations.condition;
    let page = OverviewPage {
        troubles: remarks(condition.troubles()),
        warnings: remarks(condition.warnings()),
        accounts: site.accounts.load().len(),
        now,
        f,
        w,
        menu,
    };
    page::answer(StatusCode::OK, &page)
}

/// What is the matter with a part, in words; a new part has none until they are written here.
fn meaning(part: &str, w: &Words) -> &'static str {
    match part {
        "accounts" => w.part_accounts,
        "render" => w.part_render,
        "storage" => w.part_storage,
        "tls" => w.part_tls,
        "web" => w.part_web,
        _ => "",
    }
}
