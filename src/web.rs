//! The account web: customers log in and see their faxes. Works without scripts, of which htmx is the
//! only one; nothing comes from another host.
//!
//! * `listener` - connections, their limits, a stop in good order
//! * `guard` - what holds for every request: limits by address, headers, foreign sites
//! * `login`, `visitor` - who it is; `reset` - the way back in
//! * `password` - changing passwords, and typing one again; `proof` - judging one that is typed
//! * `send` - a fax is composed, seen and sent
//! * `sent`, `job`, `received` - histories and single faxes; `faxes` - what can be done with them, and following them live
//! * `lists`, `settings` - what customers change themselves
//! * `people` - users, their data, locks and resets; `admin` - the operators' pages
//! * `page`, `form`, `error`, `words`, `shown`, `zone`, `assets` - what all of them share

mod admin;
mod assets;
mod cookie;
mod error;
mod faxes;
mod form;
mod guard;
mod job;
mod language;
mod listener;
mod lists;
mod login;
mod page;
mod password;
mod people;
mod picture;
mod proof;
mod received;
mod reset;
mod send;
mod sent;
mod settings;
mod shown;
mod visitor;
mod words;
mod zone;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::Notify;
use tokio::sync::Semaphore;

use crate::account::directory::Directory;
use crate::account::in_force::InForce;
use crate::account::session::Sessions;
use crate::admit::rate::Rate;
use crate::authenticate::Authenticator;
use crate::config;
use crate::config::Config;
use crate::storage::Store;
use crate::time::Clock;
use crate::time::Timestamp;

pub use admin::Condition;
pub use admin::Operations;
pub use listener::bind;
pub use listener::serve;
pub use send::Sending;

/// The largest form: a login has three short fields.
const MOST_BYTES: usize = 64 * 1024;
/// Pictures of pages that are drawn at a time: one takes some 10 ms and 12 MB.
const DRAWN_AT_A_TIME: usize = 2;
/// Searches of the history that run at a time: one may look at every fax of an account.
const SEARCHED_AT_A_TIME: usize = 4;

/// What the account web is made of.
pub struct Site {
    /// The configuration.
    config: Arc<Config>,
    /// `[web]`
    web: config::Web,
    /// Accounts in force.
    accounts: Arc<ArcSwap<Directory>>,
    /// What keeps them true to the files and to what is changed here.
    in_force: Arc<InForce>,
    /// The one lock.
    authenticator: Arc<Authenticator>,
    /// Who has logged in.
    sessions: Sessions,
    /// Where `now` comes from.
    clock: Arc<dyn Clock>,
    /// Woken when there may be new mails: a login that locks writes a notice.
    mail: Arc<Notify>,
    requests: Rate<IpAddr>,
    logins: Rate<IpAddr>,
    /// Passwords that somebody who has logged in types again: nobody is kept from logging in by them.
    proofs: Rate<IpAddr>,
    /// What sending needs.
    send: send::Desk,
    resets: Rate<IpAddr>,
    drawing: Arc<Semaphore>,
    searching: Arc<Semaphore>,
    faxes: faxes::Faxes,
    operations: Operations,
}

impl Site {
    /// The site that `web` describes.
    pub fn new(
        config: Arc<Config>,
        web: config::Web,
        in_force: Arc<InForce>,
        authenticator: Arc<Authenticator>,
        clock: Arc<dyn Clock>,
        mail: Arc<Notify>,
        (sending, operations): (Sending, Operations),
    ) -> Self {
        let sessions = Sessions {
            store: authenticator.store.clone(),
            key: authenticator.key.clone(),
            idle: web.session_idle,
            lasts: web.session_lasts,
        };
        let faxes = faxes::Faxes::new(&sessions.store);
        Self {
            config,
            web,
            accounts: Arc::clone(in_force.directory()),
            in_force,
            authenticator,
            sessions,
            clock,
            mail,
            requests: Rate::default(),
            logins: Rate::default(),
            proofs: Rate::default(),
            send: send::Desk::new(sending),
            resets: Rate::default(),
            drawing: Arc::new(Semaphore::new(DRAWN_AT_A_TIME)),
            searching: Arc::new(Semaphore::new(SEARCHED_AT_A_TIME)),
            faxes,
            operations,
        }
    }

    fn store(&self) -> &Store {
        &self.authenticator.store
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn is_secure(&self) -> bool {
        self.web.base_url.is_secure()
    }
}

/// Gives the metrics of this door their help text.
pub fn describe_metrics() {
    metrics::describe_counter!(
        "faxgate_web_logins_total",
        metrics::Unit::Count,
        "Logins at the account web, by result."
    );
    metrics::describe_counter!(
        "faxgate_web_resets_total",
        metrics::Unit::Count,
        "Resets of forgotten passwords, asked for and done, by result."
    );
}

/// The longest a request may take, its body and its answer included.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for a form with files, which may come over a slow line and is then turned into pages.
const PATIENCE_WITH_FILES: Duration = Duration::from_secs(800);

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/sent") }))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/sent", get(sent::list))
        .route("/sent/{id}", get(job::show))
        .route("/sent/{id}/pages/{page}", get(job::picture))
        .route("/received", get(received::list))
        .route("/received/{id}", get(received::show))
        .route("/received/{id}/fax.pdf", get(received::pdf))
        .route("/received/{id}/pages/{page}", get(received::picture))
        .merge(faxes::routes())
        .merge(settings::routes())
        .merge(lists::routes())
        .merge(send::routes())
        .merge(password::routes())
        .merge(admin::routes())
        .merge(people::routes())
        .merge(reset::routes())
        .fallback(error::not_found)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn(zone::scope))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&site),
            guard::limit,
        ))
        .route("/assets/{name}", get(assets::serve))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&site),
            guard::headers,
        ))
        .with_state(site)
}
