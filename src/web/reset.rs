//! `/reset`: the way back in for whoever forgot the password.
//!
//! The answer is the same for everybody, and comes after the same time, unless the account's profile says that
//! mismatches are told (row I5): nobody finds accounts by asking here.

mod link;
pub(super) mod words;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::account::reset;
use crate::account::reset::Asker;
use crate::account::reset::NotStarted;
use crate::account::reset::Request;
use crate::account::reset::Started;
use crate::account::session::Cookie;
use crate::lock::ends_by_time;
use crate::storage::StorageError;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::cookie::Jar;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::form::Fields;
use crate::web::guard::Client;
use crate::web::login;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use words::Words;

/// A longer login ID or address is nobody's.
const MOST_CHARACTERS: usize = 320;

/// The routes of this area.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/reset", get(form).post(ask))
        .route("/reset/{token}", get(link::show).post(link::change))
}

/// What `GET /reset` may be asked with.
#[derive(Deserialize)]
struct Asked {
    /// Set once somebody has asked for a reset.
    asked: Option<String>,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage {
    f: Frame,
    r: &'static Words,
    csrf: String,
    login_id: String,
    email: String,
    /// Whether some accounts need no address.
    alone: bool,
    missing_login_id: bool,
    missing_email: bool,
    /// Why no mail was sent, where that is told.
    refused: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "reset_asked.html")]
struct AskedPage {
    f: Frame,
    r: &'static Words,
}

#[derive(Template)]
#[template(path = "reset_locked.html")]
struct LockedPage {
    f: Frame,
    r: &'static Words,
    /// When the lock ends; `None`: not by time.
    until: Option<Moment>,
}

/// What somebody has typed.
struct Typed {
    login_id: String,
    email: String,
}

async fn form(
    State(site): State<Arc<Site>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let f = Frame::stranger(&site, &headers);
    if asked.asked.is_some() {
        let r = words::of(f.language);
        return page::answer(StatusCode::OK, &AskedPage { f, r });
    }
    let Some(cookie) = form_cookie(&site, &headers) else {
        return error::page(&site, &headers, Trouble::Unavailable);
    };
    let typed = Typed {
        login_id: String::new(),
        email: String::new(),
    };
    let page = page_of(&site, f, &cookie, typed);
    let mut response = page::answer(StatusCode::OK, &page);
    login::give(&mut response, Jar::Form.set(&cookie, site.is_secure()));
    response
}

fn page_of(site: &Site, f: Frame, cookie: &Cookie, typed: Typed) -> ResetPage {
    ResetPage {
        r: words::of(f.language),
        f,
        csrf: site.sessions.csrf(cookie),
        login_id: typed.login_id,
        email: typed.email,
        alone: site.accounts.load().resets_by_login_id(),
        missing_login_id: false,
        missing_email: false,
        refused: None,
    }
}

async fn ask(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let now = site.now();
    let Some(cookie) = own_form(&site, &headers, &fields) else {
        return error::page(&site, &headers, Trouble::Form);
    };
    let most = site.web.max_resets_per_minute;
    if !site.resets.take(client.network, most, now) {
        count("too-many");
        return error::page(&site, &headers, Trouble::TooMany);
    }
    let typed = |name| fields.text(name).chars().take(MOST_CHARACTERS).collect();
    let typed = Typed {
        login_id: typed("login_id"),
        email: typed("email"),
    };
    let mut page = page_of(&site, Frame::stranger(&site, &headers), &cookie, typed);
    page.missing_login_id = page.login_id.is_empty();
    page.missing_email = page.email.is_empty() && !page.alone;
    if page.missing_login_id || page.missing_email {
        return page::answer(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let told = is_told(&site, &page.login_id);
    let (login_id, email) = (page.login_id.clone(), page.email.clone());
    let starting = tokio::spawn(start(Arc::clone(&site), login_id, email, client, now));
    // What is not told must not show in the time that the answer takes either: nobody waits for it.
    let started = match told {
        true => Some(starting.await.unwrap_or(Err(StorageError::Stopped))),
        false => None,
    };
    site.clock
        .wait_until(now.plus(site.config.smtp.refusal_floor))
        .await;
    match started {
        None | Some(Ok(Started::Mailed(_))) => Redirect::to("/reset?asked=1").into_response(),
        Some(Ok(Started::Not(why))) => refused(&site, page, why),
        Some(Err(_)) => error::page(&site, &headers, Trouble::Unavailable),
    }
}

/// Whether whoever asks for this login ID is told what comes of it.
fn is_told(site: &Site, login_id: &str) -> bool {
    let directory = site.accounts.load();
    directory.by_login_id(login_id).map_or_else(
        || directory.discloses_strangers(),
        |account| account.profile.reset.disclose_mismatch,
    )
}

/// Starts the reset, if it may be; what comes of it is logged here, without who.
async fn start(
    site: Arc<Site>,
    login_id: String,
    email: String,
    client: Client,
    now: Timestamp,
) -> Result<Started, StorageError> {
    let directory = site.accounts.load_full();
    let account = directory.by_login_id(&login_id).cloned();
    let (Some(account), Some(nonce)) = (account, reset::nonce()) else {
        count("refused");
        return Ok(Started::Not(NotStarted::NoMatch));
    };
    let (store, key) = (site.store().clone(), site.authenticator.key.clone());
    let (host, peer) = (site.config.gateway.name.clone(), client.address.to_string());
    let started = site.store().write(move |tx| {
        let request = Request {
            account: &account,
            asker: Asker::Stranger(&email),
            peer: &peer,
            key: &key,
            nonce,
            host: &host,
            now,
        };
        reset::start(tx, store.ids(), &request)
    });
    let started = started.await;
    match &started {
        Ok(Started::Mailed(_)) => {
            count("mailed");
            site.mail.notify_one();
        }
        Ok(Started::Not(_)) => count("refused"),
        Err(error) => tracing::error!(%error, "a reset could not be started"),
    }
    started
}

fn refused(site: &Site, mut page: ResetPage, why: NotStarted) -> Response {
    let text = match why {
        NotStarted::Locked(until) => return locked(site, page.f, until),
        NotStarted::NoAddress | NotStarted::NoMatch | NotStarted::NoPassword => page.r.no_match,
        NotStarted::OnPaper => page.r.on_paper,
        NotStarted::TooMany => page.r.too_many,
    };
    page.refused = Some(text);
    page::answer(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn locked(site: &Site, f: Frame, until: Timestamp) -> Response {
    let r = words::of(f.language);
    let until = ends_by_time(until).then(|| site.moment(until));
    page::answer(StatusCode::LOCKED, &LockedPage { f, r, until })
}

/// The cookie that binds a form to this browser: the one that it has, or a new one.
fn form_cookie(site: &Site, headers: &HeaderMap) -> Option<Cookie> {
    let known = Jar::Form.find(headers, site.is_secure());
    known.or_else(Cookie::random)
}

/// The cookie of a form that was made for this browser.
fn own_form(site: &Site, headers: &HeaderMap, fields: &Fields) -> Option<Cookie> {
    let cookie = Jar::Form.find(headers, site.is_secure())?;
    let own = site.sessions.is_csrf(&cookie, &fields.text("csrf"));
    own.then_some(cookie)
}

fn count(result: &'static str) {
    metrics::counter!("faxgate_web_resets_total", "result" => result).increment(1);
}
