//! `/settings`: the facts of an account, to read. Hashes and keys are none of them.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::account::session::Open;
use crate::config::Account;
use crate::config::SenderPattern;
use crate::config::When;
use crate::web::Site;
use crate::web::form::Post;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::password;
use crate::web::password::uses;
use crate::web::password::uses::Use;
use crate::web::shown::Number;
use crate::web::visitor::Visitor;
use crate::web::words::Words;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    f: Frame,
    account: Arc<Account>,
    email: String,
    senders: Vec<String>,
    numbers: Vec<Number>,
    forward_to: Vec<String>,
    station_id: String,
    result_mail: &'static str,
    result_to: Vec<String>,
    lists: Vec<(String, usize)>,
    uses: Vec<Use>,
    change_password: &'static str,
    csrf: String,
    sessions: Vec<Session>,
}

/// An open session.
struct Session {
    is_own: bool,
    peer: String,
    opened: Moment,
    seen: Moment,
}

/// `GET /settings`
pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let f = visitor.frame(&site, Tab::Settings);
    let account = Arc::clone(&visitor.account);
    let texts = |addresses: &[crate::smtp::Address]| -> Vec<String> {
        let addresses = addresses.iter();
        addresses
            .map(|address| address.as_str().to_owned())
            .collect()
    };
    let sessions = site.sessions.list(&account, &visitor.cookie, site.now());
    let sessions = match visitor.found(&site, Tab::Settings, sessions.map(Some)) {
        Ok(sessions) => sessions,
        Err(trouble) => return *trouble,
    };
    let session = |open: Open| Session {
        is_own: open.is_own,
        peer: open.peer,
        opened: site.moment(open.opened_at),
        seen: site.moment(open.seen_at),
    };
    let numbers = account.numbers.iter();
    let station_id = account.station_id.as_ref();
    let lists = account.lists.iter();
    let page = SettingsPage {
        email: texts(account.email.as_slice()).concat(),
        senders: account.senders.iter().map(sender).collect(),
        numbers: numbers
            .map(|number| Number::of(&number.canonical()))
            .collect(),
        forward_to: texts(&account.forward_to),
        station_id: station_id
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        result_mail: when(account.result_mail.when, f.t),
        result_to: texts(&account.result_mail.to),
        lists: lists
            .map(|list| (list.name.clone(), list.members.len()))
            .collect(),
        uses: uses::all(&account, f.t, site.now()),
        change_password: password::link(f.language),
        csrf: site.sessions.csrf(&visitor.cookie),
        sessions: sessions.into_iter().map(session).collect(),
        account,
        f,
    };
    page::answer(StatusCode::OK, &page)
}

/// `POST /settings/sessions`: ends all sessions but the one that asks.
pub(super) async fn end_others(
    State(site): State<Arc<Site>>,
    Post { visitor, .. }: Post,
) -> Response {
    let (account, cookie) = (&visitor.account, &visitor.cookie);
    let ended = site.sessions.end_others(account, cookie, site.now()).await;
    match visitor.found(&site, Tab::Settings, ended.map(Some)) {
        Ok(()) => Redirect::to("/settings").into_response(),
        Err(trouble) => *trouble,
    }
}

fn sender(pattern: &SenderPattern) -> String {
    match pattern {
        SenderPattern::Exact(address) => address.as_str().to_owned(),
        SenderPattern::Domain(domain) => format!("*@{domain}"),
    }
}

fn when(when: When, t: &Words) -> &'static str {
    match when {
        When::Always => t.always,
        When::Failure => t.on_failure,
        When::Success => t.on_success,
        When::Never => t.never,
    }
}
