//! `/admin/audit`: who did what in the whole gateway, and whether that is as it was written (T28).

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::storage::audit;
use crate::storage::audit::Asked;
use crate::storage::audit::AuditRow;
use crate::storage::audit::Broken;
use crate::storage::audit::Fault;
use crate::storage::audit::Verdict;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Acts on one page.
const PAGE: usize = 50;
/// Rows of the chain that every view of the page looks at.
const LOOKED_AT: usize = 2000;

/// The filters, as they stand in the URL.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    account: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    act: String,
    /// Older than this row.
    #[serde(default)]
    before: String,
    /// `all`: the whole chain is looked at.
    #[serde(default)]
    check: String,
}

#[derive(Template)]
#[template(path = "admin_audit.html")]
struct AuditPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    q: Filters,
    /// Every act that there is: its word, and in words.
    acts: Vec<(String, String)>,
    rows: Vec<Row>,
    /// The last one, if there are more behind it.
    older: Option<i64>,
    verdict: Verdict,
    /// Whether all rows were looked at.
    whole: bool,
    broken: Vec<Fracture>,
}

struct Row {
    n: i64,
    at: Moment,
    act: String,
    account: String,
    actor: String,
    peer: String,
    detail: String,
    /// The event is gone.
    missing: bool,
}

struct Fracture {
    /// `None`: an event outside of the chain.
    n: Option<i64>,
    event: i64,
    at: Moment,
    words: &'static str,
}

impl Filters {
    /// What is looked for.
    pub(super) fn asked(&self) -> Asked {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Asked {
            account: some(&self.account),
            actor: some(&self.actor),
            act: some(&self.act),
        }
    }

    /// Rows older than which are asked for.
    pub(super) fn before(&self) -> Option<i64> {
        self.before.trim().parse().ok()
    }

    fn any(&self) -> bool {
        let all = [&self.account, &self.actor, &self.act];
        all.into_iter().any(|text| !text.trim().is_empty())
    }

    fn is_act(&self, act: &str) -> bool {
        self.act.trim() == act
    }
}

/// `GET /admin/audit`
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    let Room { f, w, menu, .. } = match Room::enter(&site, &visitor, Place::Audit) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let (asked, before) = (q.asked(), q.before());
    let most = (q.check != "all").then_some(LOOKED_AT);
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let found = site.store().read(move |tx| {
        let _turn = turn;
        let rows = audit::list(tx, &asked, before, PAGE + 1)?;
        Ok((rows, audit::acts(tx)?, audit::verify(tx, most)?))
    });
    let found = visitor.found(&site, Tab::Admin, found.await.map(Some));
    let (mut rows, acts, verdict) = match found {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let acts = acts.into_iter();
    let broken = verdict.broken.iter();
    let page = AuditPage {
        acts: acts
            .map(|act| (w.act(&act, false).to_owned(), act))
            .map(|(words, act)| (act, words))
            .collect(),
        older: rows.last().map(|row| row.n).filter(|_| more),
        rows: rows.into_iter().map(|found| row(&site, found, w)).collect(),
        broken: broken.map(|at| fracture(&site, at, w)).collect(),
        whole: verdict.rows < LOOKED_AT || most.is_none(),
        verdict,
        f,
        w,
        menu,
        q,
    };
    page::answer(StatusCode::OK, &page)
}

fn row(site: &Site, row: AuditRow, w: &Words) -> Row {
    let told = row
        .event
        .as_ref()
        .map(|event| (event.kind == "acted", &event.detail));
    let (is_act, detail) = told.map_or((true, None), |(is_act, detail)| {
        (is_act, serde_json::from_str::<Json>(detail).ok())
    });
    let text = |name: &str| {
        let value = detail.as_ref().and_then(|detail| detail.get(name));
        value.and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let door = text("door");
    let door = w.door(&door);
    let said = [
        text("detail"),
        text("reason"),
        door.to_owned(),
        text("until"),
    ];
    let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
    Row {
        n: row.n,
        at: site.moment(row.at),
        act: w.act(&row.act, is_act).to_owned(),
        account: row.account,
        actor: row.actor,
        peer: text("peer"),
        detail: said.join(" · "),
        missing: row.event.is_none(),
    }
}

fn fracture(site: &Site, broken: &Broken, w: &Words) -> Fracture {
    Fracture {
        n: broken.n,
        event: broken.event,
        at: site.moment(broken.at),
        words: match broken.fault {
            Fault::Changed => w.fault_changed,
            Fault::Gap => w.fault_gap,
            Fault::Missing => w.fault_missing,
            Fault::Outside => w.fault_outside,
        },
    }
}
