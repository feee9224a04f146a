//! `/settings`: the facts of an account; those that its owner may change have pages of their own. Hashes and keys
//! are none of them.
//!
//! * `change` - how a change is stored, told of and marked
//! * `forms`, `senders` - the pages

mod change;
mod forms;
mod senders;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;

use crate::account::session::Open;
use crate::config::Account;
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
use change::Mark;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    f: Frame,
    t: &'static words::Words,
    account: Arc<Account>,
    email: String,
    senders: Vec<String>,
    numbers: Vec<Number>,
    forward_to: Vec<String>,
    forward_format: &'static str,
    station_id: String,
    time_zone: String,
    language: &'static str,
    result_mail: &'static str,
    result_format: &'static str,
    result_to: Vec<String>,
    lists: Vec<(String, usize)>,
    uses: Vec<Use>,
    change_password: &'static str,
    just_changed: Option<&'static str>,
    csrf: String,
    sessions: Vec<Session>,
    marks: Vec<Mark>,
}

impl SettingsPage {
    /// That the value under `key` was changed here, if it was.
    fn mark(&self, key: &str) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.key == key)
    }
}

/// An open session.
struct Session {
    is_own: bool,
    peer: String,
    opened: Moment,
    seen: Moment,
}

/// The pages of settings.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/sessions", post(end_others))
        .route("/settings/undo", post(change::undo))
        .route(
            "/settings/forwarding",
            get(forms::forwarding).post(forms::set_forwarding),
        )
        .route(
            "/settings/results",
            get(forms::results).post(forms::set_results),
        )
        .route(
            "/settings/general",
            get(forms::general).post(forms::set_general),
        )
        .route("/settings/senders", get(senders::show).post(senders::ask))
        .route("/settings/senders/confirm", post(senders::confirm))
        .route("/settings/senders/withdraw", post(senders::withdraw))
        .route("/settings/senders/remove", post(senders::remove))
}

/// `GET /settings`
async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let f = visitor.frame(&site, Tab::Settings);
    let t = words::of(f.language);
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
        senders: account.senders.iter().map(change::sender).collect(),
        numbers: numbers
            .map(|number| Number::of(&number.canonical()))
            .collect(),
        forward_to: texts(&account.forward_to),
        forward_format: change::forward_format(account.forward_format, t),
        time_zone: site.zone().to_string(),
        language: change::chosen_language(account.language, t),
        result_format: change::result_format(account.result_mail.format, t),
        marks: change::marks(&site, &visitor, t, f.t),
        station_id: station_id
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        result_mail: change::when(account.result_mail.when, f.t),
        result_to: texts(&account.result_mail.to),
        lists: lists
            .map(|list| (list.name.clone(), list.members.len()))
            .collect(),
        uses: uses::all(&account, f.t, site.now()),
        change_password: password::link(f.language),
        just_changed: password::just_changed(&visitor, site.now(), f.language),
        csrf: site.sessions.csrf(&visitor.cookie),
        sessions: sessions.into_iter().map(session).collect(),
        account,
        f,
        t,
    };
    page::answer(StatusCode::OK, &page)
}

/// `POST /settings/sessions`: ends all sessions but the one that asks.
async fn end_others(State(site): State<Arc<Site>>, Post { visitor, .. }: Post) -> Response {
    let (account, cookie) = (&visitor.account, &visitor.cookie);
    let ended = site.sessions.end_others(account, cookie, site.now()).await;
    match visitor.found(&site, Tab::Settings, ended.map(Some)) {
        Ok(()) => Redirect::to("/settings").into_response(),
        Err(trouble) => *trouble,
    }
}
