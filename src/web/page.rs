//! What all pages share: the frame around them, and how a template becomes an answer.

use askama::Template;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::config::Account;
use crate::config::Language;
use crate::config::Role;
use crate::lock;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::assets;
use crate::web::assets::Addresses;
use crate::web::error::Told;
use crate::web::language;
use crate::web::words;
use crate::web::words::Words;

/// A page of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    /// `/send`
    Send,
    /// `/sent`
    Sent,
    /// `/received`
    Received,
    /// `/lists`
    Lists,
    /// `/settings`
    Settings,
    /// `/people`
    People,
    /// `/admin`
    Admin,
}

impl Tab {
    /// The pages of the menu for somebody of this role, in their order.
    fn all_for(role: Role) -> Vec<Self> {
        let own = [
            Self::Send,
            Self::Sent,
            Self::Received,
            Self::Lists,
            Self::Settings,
        ];
        let further = match role {
            Role::Customer => &[][..],
            Role::CompanyAdmin => &[Self::People],
            Role::HelpDesk | Role::Operator => &[Self::People, Self::Admin],
        };
        own.into_iter().chain(further.iter().copied()).collect()
    }

    fn path(self, role: Role) -> &'static str {
        match self {
            // The first of these pages that the help desk may look at.
            Self::Admin if role == Role::HelpDesk => "/admin/locks",
            Self::Send => "/send",
            Self::Sent => "/sent",
            Self::Received => "/received",
            Self::Lists => "/lists",
            Self::Settings => "/settings",
            Self::People => "/people",
            Self::Admin => "/admin",
        }
    }

    fn name(self, t: &Words) -> &'static str {
        match self {
            Self::Send => t.send,
            Self::Sent => t.sent,
            Self::Received => t.received,
            Self::Lists => t.lists,
            Self::Settings => t.settings,
            Self::People => t.people,
            Self::Admin => t.admin,
        }
    }
}

/// A link of the menu.
pub(super) struct Link {
    /// Where it leads.
    pub(super) path: &'static str,
    /// What it is called.
    pub(super) name: &'static str,
    /// Whether one is there.
    pub(super) here: bool,
}

/// What stands around every page.
pub(super) struct Frame {
    /// Where style and scripts are.
    pub(super) assets: &'static Addresses,
    /// The words of its language.
    pub(super) t: &'static Words,
    /// The language.
    pub(super) language: Language,
    /// Who has logged in.
    pub(super) person: Option<Person>,
    /// The name of the zone that times are shown in.
    pub(super) zone: String,
}

/// Who has logged in, for the menu.
pub(super) struct Person {
    /// The login ID.
    pub(super) login_id: String,
    /// What the form of the log-out button carries.
    pub(super) csrf: String,
    /// The end of the account's lock, if one stands.
    pub(super) locked_until: Option<String>,
    /// That a password is old, if one is (row I2).
    pub(super) reminder: Option<Reminder>,
    /// The menu.
    pub(super) menu: Vec<Link>,
}

/// That a password is old.
pub(super) struct Reminder {
    /// For how long it has been in use.
    pub(super) text: String,
    /// What the link to the page is called where it is changed.
    pub(super) link: &'static str,
}

impl Person {
    /// The menu for somebody of this role who is at `tab`.
    pub(super) fn menu(role: Role, tab: Tab, t: &'static Words) -> Vec<Link> {
        let tabs = Tab::all_for(role).into_iter();
        let link = |linked: Tab| Link {
            path: linked.path(role),
            name: linked.name(t),
            here: linked == tab,
        };
        tabs.map(link).collect()
    }
}

impl Frame {
    /// For somebody who has not logged in.
    pub(super) fn stranger(site: &Site, headers: &HeaderMap) -> Self {
        Self::of(site, headers, None)
    }

    /// In the language of the browser, or of `account`.
    pub(super) fn of(site: &Site, headers: &HeaderMap, account: Option<&Account>) -> Self {
        let gateway = &site.config.gateway;
        let language = language::choose(headers, account, gateway.language);
        Self {
            assets: &assets::ADDRESSES,
            t: words::of(language),
            language,
            person: None,
            zone: site.zone().to_string(),
        }
    }
}

/// A point in time as a page shows it, and as programs read it.
pub(super) struct Moment {
    /// `2026-11-22 18:30:00` in the zone of who asks.
    pub(super) shown: String,
    /// RFC 3339.
    pub(super) exact: String,
}

impl Site {
    /// The end of a lock for a page, also of one that time does not end.
    pub(super) fn end_of_lock(&self, until: Timestamp, t: &Words) -> Moment {
        let mut moment = self.moment(until);
        if !lock::ends_by_time(until) {
            moment.shown = t.until_unlocked.to_owned();
        }
        moment
    }

    /// `at` for a page.
    pub(super) fn moment(&self, at: Timestamp) -> Moment {
        Moment {
            shown: at.local(&self.zone()),
            exact: at.rfc3339(),
        }
    }
}

/// The answer that `template` makes.
pub(super) fn answer(status: StatusCode, template: &impl Template) -> Response {
    let mut response = match template.render() {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (status, kind, text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    response.extensions_mut().insert(Told);
    response
}
