//! `/admin`: what operators see of the whole gateway. For the role operator; the help desk reads locks and
//! refused mails; for everybody else there are no such pages.
//!
//! * `overview` - health and what goes on
//! * `accounts`, `one`, `configuration` - what is in force, and where it comes from
//! * `locks`, `refused`, `queue` - who is locked, what was refused and why, what waits
//! * `audit`, `export` - who did what, whether that is as it was written, and to take away

mod accounts;
mod audit;
mod configuration;
mod export;
mod locks;
mod one;
mod overview;
mod queue;
mod reasons;
mod refused;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;

use crate::config::Role;
use crate::web::Site;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;
use words::Words;

/// How the gateway is, as its own door for operators says: the parts and one line about each.
pub trait Condition: Send + Sync {
    /// Parts that do not work.
    fn troubles(&self) -> BTreeMap<&'static str, String>;

    /// What the operator should know of parts that work.
    fn warnings(&self) -> BTreeMap<&'static str, String>;
}

/// What the operators' pages need beside the rest.
pub struct Operations {
    /// Where the configuration was read from.
    pub config_file: PathBuf,
    /// How the gateway is.
    pub condition: Arc<dyn Condition>,
}

/// The pages.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/accounts", get(accounts::list))
        .route("/admin/accounts/{id}", get(one::show))
        .route("/admin/configuration", get(configuration::show))
        .route("/admin/locks", get(locks::list))
        .route("/admin/refused", get(refused::list))
        .route("/admin/queue", get(queue::show))
        .route("/admin/audit", get(audit::list))
        .route("/admin/audit.csv", get(export::csv))
        .route("/admin/audit.jsonl", get(export::jsonl))
}

/// One of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Overview,
    Accounts,
    Configuration,
    Locks,
    Refused,
    Queue,
    Audit,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::Overview,
        Self::Locks,
        Self::Refused,
        Self::Queue,
        Self::Accounts,
        Self::Configuration,
        Self::Audit,
    ];

    /// Who may look at it.
    fn roles(self) -> &'static [Role] {
        match self {
            Self::Locks | Self::Refused => &[Role::Operator, Role::HelpDesk],
            Self::Overview | Self::Accounts | Self::Configuration | Self::Queue | Self::Audit => {
                &[Role::Operator]
            }
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/admin",
            Self::Accounts => "/admin/accounts",
            Self::Configuration => "/admin/configuration",
            Self::Locks => "/admin/locks",
            Self::Refused => "/admin/refused",
            Self::Queue => "/admin/queue",
            Self::Audit => "/admin/audit",
        }
    }

    fn name(self, w: &Words) -> &'static str {
        match self {
            Self::Overview => w.overview,
            Self::Accounts => w.accounts,
            Self::Configuration => w.configuration,
            Self::Locks => w.locks,
            Self::Refused => w.refused,
            Self::Queue => w.queue,
            Self::Audit => w.audit,
        }
    }
}

/// What all of these pages have around them.
struct Room {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    /// Whether links to what only operators see are shown.
    is_operator: bool,
}

impl Room {
    /// The room of the page at `place`; there is none for roles that may not look at it.
    fn enter(site: &Site, visitor: &Visitor, place: Place) -> Result<Self, Box<Response>> {
        visitor.is_one_of(site, Tab::Admin, place.roles())?;
        let role = visitor.account.role;
        let f = visitor.frame(site, Tab::Admin);
        let w = words::of(f.language);
        let open = Place::ALL.into_iter();
        let open = open.filter(|place| place.roles().contains(&role));
        let link = |linked: Place| Link {
            path: linked.path(),
            name: linked.name(w),
            here: linked == place,
        };
        Ok(Self {
            f,
            w,
            menu: open.map(link).collect(),
            is_operator: role == Role::Operator,
        })
    }
}
