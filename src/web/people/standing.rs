//! How an account stands: locked or not, with an initial password or not, when it last logged in.

use crate::account::credential::Passwords;
use crate::config::Account;
use crate::lock::Locks;
use crate::lock::ends_by_time;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::events;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::page::Moment;
use crate::web::people::words::Words;

/// What storage knows of it.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    locks: Locks,
    is_initial: bool,
    last_login: Option<Timestamp>,
}

/// How that is shown.
pub(super) struct State {
    /// Whether anything is locked.
    pub(super) is_locked: bool,
    /// `sent` (well), `failed` (locked) or `open`: a class of the style sheet.
    pub(super) class: &'static str,
    /// In words.
    pub(super) text: &'static str,
    /// The end of the lock, if it has one.
    pub(super) until: Option<Moment>,
    /// Whether the initial password stands.
    pub(super) is_initial: bool,
    /// The last login.
    pub(super) last_login: Option<Moment>,
}

impl Standing {
    /// How `account` stands at `now`.
    pub(super) fn read(
        tx: &mut dyn Transaction,
        account: &Account,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let kind = account.profile.doors(now).web;
        let logins = events::logins(tx, &account.id, 1)?;
        Ok(Self {
            locks: accounts::locks(tx, &account.id)?,
            is_initial: Passwords::read(tx, account)?.is_initial(kind),
            last_login: logins.first().map(|event| event.at),
        })
    }

    /// That, as a page shows it at `now`.
    pub(super) fn shown(&self, site: &Site, w: &Words, now: Timestamp) -> State {
        let locked =
            |strikes: crate::lock::Strikes| strikes.locked_until.filter(|_| strikes.is_locked(now));
        let whole = locked(self.locks.everything);
        let until = whole.or_else(|| locked(self.locks.unproven));
        let ends = until.is_none_or(ends_by_time);
        let text = match (until, whole) {
            (None, _) if self.is_initial => w.initial,
            (None, _) => w.ok,
            (Some(_), _) if !ends => w.locked,
            (Some(_), Some(_)) => w.locked_until,
            (Some(_), None) => w.lists_locked_until,
        };
        State {
            is_locked: until.is_some(),
            class: match (until, self.is_initial) {
                (Some(_), _) => "failed",
                (None, true) => "open",
                (None, false) => "sent",
            },
            text,
            until: until.filter(|_| ends).map(|at| site.moment(at)),
            is_initial: self.is_initial,
            last_login: self.last_login.map(|at| site.moment(at)),
        }
    }
}
