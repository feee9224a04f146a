//! `/people`: who there is, their data, their locks and resets, and what was done to them (rows T2, T5, T7, T8).
//!
//! * `list` - the search
//! * `one` - the page of one user; `/people/me` is one's own
//! * `edit` - user data and the e-mail address
//! * `access` - unlock, lock, reset
//! * `audit` - the audit trail
//! * `standing` - locked or not, as these pages show it
//!
//! Every handler asks [`crate::account::rights`] before anything else; what is not one's right is not there.

mod access;
mod audit;
mod edit;
mod list;
mod one;
mod standing;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;

use crate::account::people::Actor;
use crate::account::rights::Deed;
use crate::account::rights::Party;
use crate::account::rights::may;
use crate::config::Account;
use crate::config::Role;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::guard::Client;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Who has a list of people; everybody has the own page.
const LISTED_FOR: [Role; 3] = [Role::CompanyAdmin, Role::HelpDesk, Role::Operator];

/// The pages of this area.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/people", get(list::show))
        .route("/people/me", get(one::show_own).post(edit::save_own))
        .route("/people/me/email", post(edit::change_own_email))
        .route("/people/{id}", get(one::show).post(edit::save))
        .route("/people/{id}/email", post(edit::change_email))
        .route("/people/{id}/unlock", post(access::unlock))
        .route("/people/{id}/lock", post(access::lock))
        .route("/people/{id}/reset", post(access::start_reset))
        .route("/people/{id}/audit", get(audit::show))
}

/// Whose page it is.
struct Case {
    /// Who is on it.
    subject: Arc<Account>,
    /// Its address: `/people/me` or `/people/<id>`.
    path: String,
}

impl Case {
    /// The page of the visitor itself.
    fn own(visitor: &Visitor) -> Self {
        Self {
            subject: Arc::clone(&visitor.account),
            path: "/people/me".to_owned(),
        }
    }

    /// The page of the account `id`, if the visitor may do `deed` to it; else there is no such page.
    fn of(site: &Site, visitor: &Visitor, id: &str, deed: Deed) -> Result<Self, Box<Response>> {
        let directory = site.accounts.load();
        let subject = directory.by_id(id);
        let subject = subject.filter(|subject| is_allowed(visitor, deed, subject));
        let subject = subject.cloned();
        subject.map_or_else(
            || {
                Err(Box::new(visitor.trouble(
                    site,
                    Tab::People,
                    Trouble::NotFound,
                )))
            },
            |subject| {
                Ok(Self {
                    path: path_of(&subject.id),
                    subject,
                })
            },
        )
    }

    /// Back to the page, which says what was `done`.
    fn back(&self, done: &str) -> Response {
        Redirect::to(&format!("{}?done={done}", self.path)).into_response()
    }

    /// The tab it stands under.
    fn tab(&self, visitor: &Visitor) -> Tab {
        match LISTED_FOR.contains(&visitor.account.role) {
            true => Tab::People,
            false => Tab::Settings,
        }
    }
}

fn is_allowed(visitor: &Visitor, deed: Deed, subject: &Account) -> bool {
    may(Party::of(&visitor.account), deed, Party::of(subject))
}

/// The address of the page of the account `id`. An id may be any word; `me` is somebody else's address here.
fn path_of(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) && id != "me" {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    let encoded: String = id.bytes().map(one).collect();
    format!("/people/{encoded}")
}

/// The visitor, as somebody who acts.
fn actor(site: &Site, visitor: &Visitor, client: Client) -> Actor {
    Actor {
        id: visitor.account.id.clone(),
        login_id: visitor.account.login_id.clone(),
        peer: client.address.to_string(),
        host: site.authenticator.host.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_an_address_of_its_own() {
        for (id, path) in [
            ("tanaka", "/people/tanaka"),
            ("T.Tanaka-1", "/people/T.Tanaka-1"),
            ("a/b?c", "/people/a%2Fb%3Fc"),
            ("me", "/people/%6D%65"),
            ("田", "/people/%E7%94%B0"),
        ] {
            assert_eq!(path_of(id), path);
        }
    }
}
