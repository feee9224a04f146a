//! `/login` and `/logout`.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use serde::Deserialize;

use crate::account::session::Cookie;
use crate::authenticate::login::LoggedIn;
use crate::authenticate::person::TurnedAway;
use crate::lock;
use crate::secret::Secret;
use crate::smtp::Login;
use crate::smtp::LoginProof;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::cookie::Jar;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::proof;
use crate::web::reset;
use crate::web::visitor;

/// A longer login ID is nobody's.
const MOST_CHARACTERS: usize = 200;

/// What `POST /login` brings.
#[derive(Deserialize)]
pub(super) struct LoginForm {
    #[serde(default)]
    login_id: String,
    #[serde(default)]
    password: Typed,
    #[serde(default)]
    csrf: String,
}

/// A password as it was typed: wiped when dropped.
#[derive(Default, Deserialize)]
#[serde(from = "String")]
struct Typed(Option<Secret>);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(Some(Secret::new(text)))
    }
}

/// A form that is a button: `POST /logout`, `POST /settings/sessions`.
#[derive(Deserialize)]
pub(super) struct ButtonForm {
    /// Shows that we made it for this browser.
    #[serde(default)]
    pub(super) csrf: String,
}

/// What `GET /login` may be asked with.
#[derive(Deserialize)]
pub(super) struct Came {
    /// Set after a reset of the password.
    reset: Option<String>,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    f: Frame,
    csrf: String,
    login_id: String,
    /// Why the last login was refused: title and text.
    refused: Option<(&'static str, &'static str)>,
    r: &'static reset::words::Words,
    /// Whether a password has just been reset.
    is_reset: bool,
}

#[derive(Template)]
#[template(path = "locked.html")]
struct LockedPage {
    f: Frame,
    /// When it ends; `None`: not by time.
    until: Option<Moment>,
}

/// `GET /login`
pub(super) async fn form(
    State(site): State<Arc<Site>>,
    Query(came): Query<Came>,
    headers: HeaderMap,
) -> Response {
    if let Ok(Some(_)) = visitor::session(&site, &headers).await {
        return Redirect::to("/sent").into_response();
    }
    let known = Jar::Form.find(&headers, site.is_secure());
    let Some(cookie) = known.or_else(Cookie::random) else {
        return error::page(&site, &headers, Trouble::Unavailable);
    };
    let f = Frame::stranger(&site, &headers);
    let page = LoginPage {
        is_reset: came.reset.is_some(),
        ..login_page(&site, f, &cookie, String::new(), None)
    };
    let mut response = page::answer(StatusCode::OK, &page);
    give(&mut response, Jar::Form.set(&cookie, site.is_secure()));
    response
}

fn login_page(
    site: &Site,
    f: Frame,
    cookie: &Cookie,
    login_id: String,
    refused: Option<(&'static str, &'static str)>,
) -> LoginPage {
    LoginPage {
        r: reset::words::of(f.language),
        f,
        csrf: site.sessions.csrf(cookie),
        login_id,
        refused,
        is_reset: false,
    }
}

/// `POST /login`: 303 to the history, 401 with the form, 423 while locked.
pub(super) async fn log_in(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let now = site.now();
    // Whoever is logged in has a form of the session, and may log in as somebody else.
    let jars = [Jar::Form, Jar::Session].into_iter();
    let mut cookies = jars.filter_map(|jar| jar.find(&headers, site.is_secure()));
    let cookie = cookies.find(|cookie| site.sessions.is_csrf(cookie, &form.csrf));
    let Some(cookie) = cookie else {
        return error::page(&site, &headers, Trouble::Form);
    };
    let most = site.web.max_logins_per_minute;
    if !site.logins.take(client.network, most, now) {
        count("too-many");
        return error::page(&site, &headers, Trouble::TooMany);
    }
    let password = form
        .password
        .0
        .unwrap_or_else(|| Secret::new(String::new()));
    let login_id: String = form.login_id.trim().chars().take(MOST_CHARACTERS).collect();
    let Some(session) = random() else {
        return error::page(&site, &headers, Trouble::Unavailable);
    };
    let login = Login {
        login_id: login_id.clone(),
        proof: LoginProof::Password(password),
        session,
        peer: client.address,
        received_at: now,
    };
    match proof::judged(&site, login, now).await {
        Ok(LoggedIn {
            account, passwords, ..
        }) => {
            count("right");
            if let Some(before) = Jar::Session.find(&headers, site.is_secure()) {
                // It is replaced in the browser; that it ends by itself later is enough.
                let _ = site.sessions.end(&before, now).await;
            }
            let opened = site
                .sessions
                .open(&account, &passwords, client.address.to_string(), now)
                .await;
            opened.map_or_else(
                |error| {
                    tracing::error!(%error, "no session could be opened");
                    error::page(&site, &headers, Trouble::Unavailable)
                },
                |session| let_in(&site, &session),
            )
        }
        Err(turned_away) => {
            site.clock
                .wait_until(now.plus(site.config.smtp.refusal_floor))
                .await;
            refused(&site, &headers, &cookie, login_id, turned_away)
        }
    }
}

/// Into the account web, under this session.
pub(super) fn let_in(site: &Site, session: &Cookie) -> Response {
    let mut response = see_other("/sent");
    give(&mut response, Jar::Session.set(session, site.is_secure()));
    response
}

fn refused(
    site: &Site,
    headers: &HeaderMap,
    cookie: &Cookie,
    login_id: String,
    turned_away: TurnedAway,
) -> Response {
    let f = Frame::stranger(site, headers);
    let t = f.t;
    let (status, text) = match turned_away {
        TurnedAway::Locked(until) => {
            count("locked");
            return locked(site, f, until);
        }
        TurnedAway::Wrong => (StatusCode::UNAUTHORIZED, (t.wrong_title, t.wrong)),
        TurnedAway::Busy => (StatusCode::SERVICE_UNAVAILABLE, (t.busy_title, t.busy)),
        TurnedAway::Storage => return error::framed(f, Trouble::Unavailable),
    };
    count(if status == StatusCode::UNAUTHORIZED {
        "wrong"
    } else {
        "busy"
    });
    page::answer(status, &login_page(site, f, cookie, login_id, Some(text)))
}

/// The page about a lock that stands, in the frame `f`.
pub(super) fn locked(site: &Site, f: Frame, until: Timestamp) -> Response {
    let until = lock::ends_by_time(until).then(|| site.moment(until));
    page::answer(StatusCode::LOCKED, &LockedPage { f, until })
}

/// `POST /logout`
pub(super) async fn log_out(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Form(form): Form<ButtonForm>,
) -> Response {
    let Some(cookie) = Jar::Session.find(&headers, site.is_secure()) else {
        return see_other("/login");
    };
    if !site.sessions.is_csrf(&cookie, &form.csrf) {
        return error::page(&site, &headers, Trouble::Form);
    }
    if let Err(error) = site.sessions.end(&cookie, site.now()).await {
        tracing::error!(%error, "a session could not be ended");
        return error::page(&site, &headers, Trouble::Unavailable);
    }
    let mut response = see_other("/login");
    give(&mut response, Jar::Session.forget(site.is_secure()));
    response
}

fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// Gives the browser a cookie with `response`.
pub(super) fn give(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Names an attempt: the same password in another one is another strike.
pub(super) fn random() -> Option<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn count(result: &'static str) {
    metrics::counter!("faxgate_web_logins_total", "result" => result).increment(1);
}
