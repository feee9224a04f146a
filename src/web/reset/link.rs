//! `/reset/<token>`: the page behind the link of a mail. Looking at it uses nothing up; saving does.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::account::credential::Credentials;
use crate::account::credential::Passwords;
use crate::account::credential::Renewed;
use crate::account::policy;
use crate::account::policy::PolicyBreach;
use crate::account::reset;
use crate::account::reset::link;
use crate::account::reset::link::Change;
use crate::account::reset::link::Found;
use crate::account::reset::link::Link;
use crate::account::reset::link::Saved;
use crate::account::session::Cookie;
use crate::config::AfterReset;
use crate::config::Language;
use crate::config::Reset;
use crate::secret::Secret;
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
use crate::web::reset::words;
use crate::web::reset::words::Words;

#[derive(Template)]
#[template(path = "reset_link.html")]
struct LinkPage {
    f: Frame,
    r: &'static Words,
    csrf: String,
    asks_login_id: bool,
    asks_email: bool,
    login_id: String,
    email: String,
    rules: Vec<String>,
    wrong: Wrong,
}

/// What is wrong with what was typed.
#[derive(Default)]
struct Wrong {
    /// It is not the account's login ID, or not its address.
    owner: bool,
    /// The two passwords differ.
    differs: bool,
    /// Why the policy refuses the new password.
    reasons: Vec<String>,
}

impl Wrong {
    fn any(&self) -> bool {
        self.owner || self.password()
    }

    fn password(&self) -> bool {
        self.differs || !self.reasons.is_empty()
    }
}

#[derive(Template)]
#[template(path = "reset_over.html")]
struct OverPage {
    f: Frame,
    r: &'static Words,
}

/// `GET /reset/<token>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let link = match find(&site, &headers, Secret::new(token), site.now()) {
        Ok(link) => link,
        Err(response) => return *response,
    };
    let Some(cookie) = super::form_cookie(&site, &headers) else {
        return error::page(&site, &headers, Trouble::Unavailable);
    };
    let page = page_of(&site, &headers, &link, &cookie);
    let mut response = page::answer(StatusCode::OK, &page);
    login::give(&mut response, Jar::Form.set(&cookie, site.is_secure()));
    response
}

/// The link that `token` is, or the page about why there is none.
fn find(
    site: &Site,
    headers: &HeaderMap,
    token: Secret,
    now: Timestamp,
) -> Result<Box<Link>, Box<Response>> {
    let directory = site.accounts.load_full();
    let key = &site.authenticator.key;
    let found = site
        .store()
        .read_here(|tx| link::find(tx, key, &directory, &token, now));
    open(site, headers, found)
}

fn open(
    site: &Site,
    headers: &HeaderMap,
    found: Result<Found, StorageError>,
) -> Result<Box<Link>, Box<Response>> {
    let f = || Frame::stranger(site, headers);
    let response = match found {
        Ok(Found::Open(link)) => return Ok(link),
        Ok(Found::Locked(until)) => super::locked(site, f(), until),
        Ok(Found::Over) => {
            let f = f();
            let r = words::of(f.language);
            page::answer(StatusCode::GONE, &OverPage { f, r })
        }
        Err(error) => {
            tracing::error!(%error, "a reset could not be looked up");
            error::page(site, headers, Trouble::Unavailable)
        }
    };
    Err(Box::new(response))
}

fn page_of(site: &Site, headers: &HeaderMap, link: &Link, cookie: &Cookie) -> LinkPage {
    let f = Frame::stranger(site, headers);
    let asked: &Reset = &link.account.profile.reset;
    let rules = policy::rules(reset::policy(&link.account, site.now()));
    LinkPage {
        r: words::of(f.language),
        csrf: site.sessions.csrf(cookie),
        asks_login_id: asked.asks_login_id,
        asks_email: asked.asks_email,
        login_id: String::new(),
        email: String::new(),
        rules: rules.iter().map(|rule| rule.told(f.language)).collect(),
        wrong: Wrong::default(),
        f,
    }
}

/// `POST /reset/<token>`: 303 when the new password is saved, 422 with the form when something is wrong with it,
/// which uses nothing up.
pub(super) async fn change(
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let now = site.now();
    // Whoever sends the form of a link that is over learns that first: nothing can be done by it any more.
    let link = match find(&site, &headers, Secret::new(token), now) {
        Ok(link) => link,
        Err(response) => return *response,
    };
    let Some(cookie) = super::own_form(&site, &headers, &fields) else {
        return error::page(&site, &headers, Trouble::Form);
    };
    let (login_id, email) = (fields.text("login_id"), fields.text("email"));
    let password = fields.secret("password");
    let language = Frame::stranger(&site, &headers).language;
    let typed = (&fields, language);
    let wrong = match wrong(&site, &link, (&login_id, &email), typed, now).await {
        Ok(wrong) => wrong,
        Err(error) => return unavailable(&site, &headers, &error),
    };
    if wrong.any() {
        let page = LinkPage {
            login_id,
            email,
            wrong,
            ..page_of(&site, &headers, &link, &cookie)
        };
        return page::answer(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let hash = match renewed(&site, &link, &password).await {
        Renewed::Hash(hash) => hash,
        Renewed::Used => {
            let mut page = page_of(&site, &headers, &link, &cookie);
            page.wrong.reasons = vec![page.r.issued.to_owned()];
            let page = LinkPage {
                login_id,
                email,
                ..page
            };
            return page::answer(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Renewed::Failed => return error::page(&site, &headers, Trouble::Unavailable),
    };
    match changed(&site, &link, hash, client, now).await {
        Ok(Saved::Done(passwords)) => {
            super::count("changed");
            site.mail.notify_one();
            arrive(&site, (&link, &passwords), client, now).await
        }
        Ok(Saved::Not(found)) => match open(&site, &headers, Ok(found)) {
            // The lock ended in this very moment.
            Ok(_) => Redirect::to("/reset").into_response(),
            Err(response) => *response,
        },
        Err(error) => unavailable(&site, &headers, &error),
    }
}

/// What is wrong. Whoever is not the owner learns nothing about the password, and is counted.
async fn wrong(
    site: &Site,
    link: &Link,
    (login_id, email): (&str, &str),
    (fields, language): (&Fields, Language),
    now: Timestamp,
) -> Result<Wrong, StorageError> {
    if !link.is_answered(login_id, email) {
        let counted = link.clone();
        site.store()
            .write(move |tx| link::tried(tx, &counted))
            .await?;
        return Ok(Wrong {
            owner: true,
            ..Wrong::default()
        });
    }
    let (first, second) = (fields.secret("password"), fields.secret("password_again"));
    let account = &link.account;
    let rule = reset::policy(account, now);
    let breaches = policy::check(rule, Some(&account.login_id), first.expose());
    let told = |breach: &PolicyBreach| breach.told(language);
    Ok(Wrong {
        owner: false,
        differs: first.expose() != second.expose(),
        reasons: breaches.iter().map(told).collect(),
    })
}

/// The new password's hash, unless it is the one that was issued at the start (row I9). Whether it is the one in
/// force is not looked at: behind a link nobody may guess at that.
async fn renewed(site: &Site, link: &Link, password: &Secret) -> Renewed {
    let account = &link.account;
    let kind = account.profile.doors(site.now()).web;
    let issued = account.hash(kind).filter(|_| account.password_initial);
    let issued = issued.into_iter().map(str::to_owned).collect();
    match site.authenticator.credentials.turn(account).await {
        Some(turn) => Credentials::renew(turn, issued, password).await,
        None => Renewed::Failed,
    }
}

/// Puts the new password in the place of the old one.
async fn changed(
    site: &Arc<Site>,
    link: &Link,
    hash: String,
    client: Client,
    now: Timestamp,
) -> Result<Saved, StorageError> {
    let (store, key, link) = (
        site.store().clone(),
        site.authenticator.key.clone(),
        link.clone(),
    );
    let (host, peer) = (site.config.gateway.name.clone(), client.address.to_string());
    let changed = site.store().write(move |tx| {
        let change = Change {
            hash: &hash,
            peer: &peer,
            host: &host,
            now,
        };
        link::change(tx, store.ids(), &key, &link, &change)
    });
    changed.await
}

/// Where one is after the change.
async fn arrive(
    site: &Site,
    (link, passwords): (&Link, &Passwords),
    client: Client,
    now: Timestamp,
) -> Response {
    let account = &link.account;
    match account.profile.reset.after {
        AfterReset::Login => Redirect::to("/login?reset=done").into_response(),
        AfterReset::LoggedIn => {
            let opened = site
                .sessions
                .open(account, passwords, client.address.to_string(), now);
            match opened.await {
                Ok(session) => login::let_in(site, &session),
                Err(error) => {
                    // The password is changed all the same.
                    tracing::error!(%error, "no session could be opened");
                    Redirect::to("/login?reset=done").into_response()
                }
            }
        }
    }
}

fn unavailable(site: &Site, headers: &HeaderMap, error: &StorageError) -> Response {
    tracing::error!(%error, "a reset could not use the storage");
    error::page(site, headers, Trouble::Unavailable)
}
