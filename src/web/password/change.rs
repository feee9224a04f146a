//! `POST /password`: a password is replaced by its owner.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use super::Wrong;
use super::answer;
use super::chosen;
use super::reasons;
use super::words;
use super::words::Words;
use crate::account::credential::Credentials;
use crate::account::credential::Passwords;
use crate::account::credential::Renewed;
use crate::account::replacement;
use crate::account::replacement::Replacement;
use crate::authenticate::login::LoggedIn;
use crate::config::CredentialKind;
use crate::secret::Secret;
use crate::storage::StorageError;
use crate::web::Site;
use crate::web::cookie::Jar;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::login;
use crate::web::page::Tab;
use crate::web::proof;
use crate::web::proof::Unproved;
use crate::web::visitor::Visitor;

/// `POST /password`: what is wrong with the new one first, which costs nothing; then the present one, which counts
/// like a login; only who has proved that learns whether both are the same.
pub(super) async fn change(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    let language = visitor.frame(&site, Tab::Settings).language;
    let p = words::of(language);
    let Some(kind) = chosen(&visitor, &fields.text("kind"), site.now()) else {
        return visitor.trouble(&site, Tab::Settings, Trouble::NotFound);
    };
    let password = fields.secret("password");
    let differs = password != fields.secret("password_again");
    let is_missing = fields.secret("current").expose().is_empty();
    let wrong = Wrong {
        password: reasons(&visitor, kind, password.expose(), language),
        again: differs.then_some(p.differ),
        // Nothing was typed, so nothing is guessed.
        current: is_missing.then_some(p.wrong_current),
    };
    let unfit = |wrong, status| answer(&site, &visitor, (kind, wrong), status);
    if wrong.is_anything() {
        return unfit(wrong, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let proved = match proof::again(&site, &visitor, client, fields.secret("current")).await {
        Ok(proved) => proved,
        Err(Unproved::Answered(answer)) => return *answer,
        Err(Unproved::Wrong) => {
            let wrong = Wrong {
                current: Some(p.wrong_current),
                ..Wrong::default()
            };
            return unfit(wrong, StatusCode::UNAUTHORIZED);
        }
    };
    match renewed(&site, &proved, kind, &password).await {
        Renewed::Hash(hash) => saved(&site, &visitor, client, (kind, hash, proved), p).await,
        Renewed::Used => {
            let wrong = Wrong {
                password: vec![p.same.to_owned()],
                ..Wrong::default()
            };
            unfit(wrong, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Renewed::Failed => visitor.trouble(&site, Tab::Settings, Trouble::Unavailable),
    }
}

/// The new password's hash, unless it is in use, or was issued at the start (row I9).
async fn renewed(
    site: &Site,
    proved: &LoggedIn,
    kind: CredentialKind,
    password: &Secret,
) -> Renewed {
    let account = &proved.account;
    let current = proved.passwords.of(kind);
    let current = current.map(|current| current.hash.clone());
    let issued = account.hash(kind).filter(|_| account.password_initial);
    let used = current.into_iter().chain(issued.map(str::to_owned));
    match site.authenticator.credentials.turn(account).await {
        Some(turn) => Credentials::renew(turn, used.collect(), password).await,
        None => Renewed::Failed,
    }
}

/// Stores it, and opens a new session for this browser: all others have ended.
async fn saved(
    site: &Site,
    visitor: &Visitor,
    client: Client,
    (kind, hash, proved): (CredentialKind, String, LoggedIn),
    p: &'static Words,
) -> Response {
    let (now, peer) = (site.now(), client.address.to_string());
    let account = Arc::clone(&proved.account);
    let stored = stored(site, (kind, hash, proved), peer.clone()).await;
    let passwords = match visitor.found(site, Tab::Settings, stored.map(Some)) {
        Ok(Some(passwords)) => passwords,
        Ok(None) => {
            let f = visitor.frame(site, Tab::Settings);
            return error::said(f, StatusCode::CONFLICT, (p.title, p.meanwhile));
        }
        Err(trouble) => return *trouble,
    };
    site.mail.notify_one();
    let opened = site.sessions.open(&account, &passwords, peer, now).await;
    match opened {
        Ok(cookie) => {
            let mut response = Redirect::to("/settings").into_response();
            login::give(&mut response, Jar::Session.set(&cookie, site.is_secure()));
            response
        }
        Err(error) => {
            // It is changed; the browser has to log in with the new one.
            tracing::error!(%error, "no session could be opened after a change");
            Redirect::to("/login").into_response()
        }
    }
}

async fn stored(
    site: &Site,
    (kind, hash, proved): (CredentialKind, String, LoggedIn),
    peer: String,
) -> Result<Option<Passwords>, StorageError> {
    let (ids, now) = (site.store().clone(), site.now());
    let host = site.config.gateway.name.clone();
    let stored = site.store().write(move |tx| {
        let new = Replacement {
            account: &proved.account,
            kind,
            hash: &hash,
            proved: &proved.passwords,
            peer: &peer,
            host: &host,
        };
        replacement::by_owner(tx, ids.ids(), &new, now)
    });
    stored.await
}
