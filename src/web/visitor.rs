//! Who asks: a person that has logged in, or nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::account::age;
use crate::account::credential::Passwords;
use crate::account::session::Cookie;
use crate::account::session::Found;
use crate::config::Account;
use crate::config::Language;
use crate::config::Role;
use crate::storage::StorageError;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::cookie::Jar;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::page::Frame;
use crate::web::page::Person;
use crate::web::page::Reminder;
use crate::web::page::Tab;
use crate::web::password;
use crate::web::zone;

/// A person that has logged in. Pages take this, so that none can be made for nobody.
pub(super) struct Visitor {
    /// Whose faxes are shown: no other's ever.
    pub(super) account: Arc<Account>,
    /// Names the session.
    pub(super) cookie: Cookie,
    /// The passwords of the account in force.
    pub(super) passwords: Passwords,
    /// When the password was last typed.
    proved_at: Timestamp,
    headers: HeaderMap,
}

/// How fresh the proof must be of who changes what others could misuse: senders, addresses, people.
const FRESH: Duration = Duration::from_secs(600);

impl Visitor {
    /// Lets nobody go on to a sensitive page at `path` who has not typed the password lately: the answer leads
    /// to `/confirm`, and from there back. A form may be sent for as long again as its page may be seen.
    pub(super) fn is_fresh(
        &self,
        site: &Site,
        path: &str,
        is_form: bool,
    ) -> Result<(), Box<Response>> {
        let limit = if is_form { FRESH * 3 } else { FRESH };
        if site.now().since(self.proved_at) < limit {
            return Ok(());
        }
        let confirm = format!("/confirm?to={}", encoded(path));
        Err(Box::new(Redirect::to(&confirm).into_response()))
    }

    /// Lets nobody on whose role is none of `roles`: there is no such page for others.
    pub(super) fn is_one_of(
        &self,
        site: &Site,
        tab: Tab,
        roles: &[Role],
    ) -> Result<(), Box<Response>> {
        match roles.contains(&self.account.role) {
            true => Ok(()),
            false => Err(Box::new(self.trouble(site, tab, Trouble::NotFound))),
        }
    }

    /// The frame around a page of the menu.
    pub(super) fn frame(&self, site: &Site, tab: Tab) -> Frame {
        let mut frame = Frame::of(site, &self.headers, Some(&self.account));
        let until = site.authenticator.locked_until(&self.account, site.now());
        let t = frame.t;
        frame.person = Some(Person {
            login_id: self.account.login_id.clone(),
            csrf: site.sessions.csrf(&self.cookie),
            locked_until: until
                .unwrap_or_default()
                .map(|at| site.end_of_lock(at, t).shown),
            reminder: self.reminder(site, frame.language),
            menu: match self.must_change(site.now()) {
                true => Vec::new(),
                false => Person::menu(self.account.role, tab, t),
            },
        });
        frame
    }

    /// Whether the password of this site must be replaced before anything else is done (row I1).
    pub(super) fn must_change(&self, now: Timestamp) -> bool {
        self.passwords
            .is_initial(self.account.profile.doors(now).web)
    }

    fn reminder(&self, site: &Site, language: Language) -> Option<Reminder> {
        let (account, now) = (&self.account, site.now());
        let old = site
            .store()
            .read_here(|tx| age::overdue(tx, account, &self.passwords, now));
        match old {
            Ok(old) => old.map(|old| password::reminder(old, language)),
            Err(error) => {
                tracing::warn!(%error, "the age of a password could not be read");
                None
            }
        }
    }

    /// The page about `trouble` in the place of one of the menu.
    pub(super) fn trouble(&self, site: &Site, tab: Tab, trouble: Trouble) -> Response {
        error::framed(self.frame(site, tab), trouble)
    }

    /// What is found, or the page about why not.
    pub(super) fn found<T>(
        &self,
        site: &Site,
        tab: Tab,
        found: Result<Option<T>, StorageError>,
    ) -> Result<T, Box<Response>> {
        match found {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Box::new(self.trouble(site, tab, Trouble::NotFound))),
            Err(error) => {
                tracing::error!(%error, "the account web could not read the storage");
                Err(Box::new(self.trouble(site, tab, Trouble::Unavailable)))
            }
        }
    }
}

/// What an initial password opens; logging out is open to everybody.
const OPEN: [&str; 2] = ["/password", "/password/check"];

/// `path` as the value of a query.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.bytes().map(one).collect()
}

/// The session that the browser's cookie names, if there is one.
pub(super) async fn session(
    site: &Site,
    headers: &HeaderMap,
) -> Result<Option<(Found, Cookie)>, StorageError> {
    looked_up(site, headers, true).await
}

async fn looked_up(
    site: &Site,
    headers: &HeaderMap,
    is_use: bool,
) -> Result<Option<(Found, Cookie)>, StorageError> {
    let Some(cookie) = Jar::Session.find(headers, site.is_secure()) else {
        return Ok(None);
    };
    let directory = site.accounts.load_full();
    let found = match is_use {
        true => site.sessions.find(&cookie, &directory, site.now()).await?,
        false => {
            let found = site.sessions.find_unused(&cookie, &directory, site.now());
            found.await?
        }
    };
    Ok(found.map(|found| (found, cookie)))
}

impl FromRequestParts<Arc<Site>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        // A page that polls asks for this, whether or not somebody sits before it.
        let is_use = !parts.uri.path().ends_with("/state");
        match looked_up(site, &parts.headers, is_use).await {
            Ok(Some((found, cookie))) => {
                zone::remember(found.account.time_zone.as_ref());
                let visitor = Self {
                    account: found.account,
                    cookie,
                    passwords: found.passwords,
                    proved_at: found.proved_at,
                    headers: parts.headers.clone(),
                };
                match visitor.must_change(site.now()) && !OPEN.contains(&parts.uri.path()) {
                    true => Err(Redirect::to("/password").into_response()),
                    false => Ok(visitor),
                }
            }
            Ok(None) => Err(Redirect::to("/login").into_response()),
            Err(error) => {
                tracing::error!(%error, "a session could not be looked up");
                Err(error::page(site, &parts.headers, Trouble::Unavailable))
            }
        }
    }
}
