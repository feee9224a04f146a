//! `/admin/refused`: mails that were refused, what verification found out, and what helps.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::Language;
use crate::smtp::Address;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::reasons;
use crate::web::admin::reasons::Finding;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Mails on one page.
const PAGE: usize = 50;

/// The filters, as they stand in the URL.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filters {
    /// The whole reverse-path.
    #[serde(default)]
    sender: String,
    /// An account's id.
    #[serde(default)]
    account: String,
    /// Older than this event.
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "admin_refused.html")]
struct RefusedPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    is_operator: bool,
    q: Filters,
    /// The sender that is looked for is no address.
    bad: bool,
    mails: Vec<Mail>,
    /// The last one, if there are more behind it.
    older: Option<i64>,
}

struct Mail {
    at: Moment,
    /// `None`: the null reverse-path.
    sender: Option<String>,
    account: String,
    peer: String,
    tier: String,
    reason: String,
    findings: Vec<Finding>,
    advice: Vec<String>,
}

impl Filters {
    /// The reverse-path that is looked for; `None` if it is no address.
    fn sender(&self) -> Option<Option<String>> {
        let bare = self.sender.trim();
        let bare = bare.trim_start_matches('<').trim_end_matches('>');
        match bare {
            "" => Some(None),
            bare => Address::parse(bare).map(|address| Some(address.key())),
        }
    }

    fn any(&self) -> bool {
        !(self.sender.trim().is_empty() && self.account.trim().is_empty())
    }
}

/// `GET /admin/refused`
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    let room = match Room::enter(&site, &visitor, Place::Refused) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let Room {
        f,
        w,
        menu,
        is_operator,
    } = room;
    let mut page = RefusedPage {
        f,
        w,
        menu,
        is_operator,
        q,
        bad: false,
        mails: Vec::new(),
        older: None,
    };
    let Some(sender) = page.q.sender() else {
        page.bad = true;
        return page::answer(StatusCode::BAD_REQUEST, &page);
    };
    let account = page.q.account.trim().to_owned();
    let before = page.q.before.trim().parse().ok();
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let found = site.store().read(move |tx| {
        let _turn = turn;
        let account = Some(account.as_str()).filter(|account| !account.is_empty());
        events::refused(tx, account, sender.as_deref(), before, PAGE + 1)
    });
    let mut found = match visitor.found(&site, Tab::Admin, found.await.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    page.older = found.last().map(|event| event.id).filter(|_| more);
    let language = page.f.language;
    let mails = found.into_iter();
    page.mails = mails.map(|event| mail(&site, event, w, language)).collect();
    page::answer(StatusCode::OK, &page)
}

fn mail(site: &Site, event: EventRow, w: &Words, language: Language) -> Mail {
    let detail = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    let text = |name: &str| detail.get(name).and_then(Json::as_str).unwrap_or_default();
    let findings = reasons::findings(text("results"));
    Mail {
        at: site.moment(event.at),
        sender: event.sender.filter(|sender| !sender.is_empty()),
        account: event.account,
        peer: text("peer").to_owned(),
        tier: w.tier(text("tier")).to_owned(),
        reason: reasons::reason(text("reason"), language).to_owned(),
        advice: reasons::advice(text("reason"), &findings, text("peer"), language),
        findings,
    }
}
