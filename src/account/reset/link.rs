//! The page behind the link of a reset mail: looking at it uses nothing up, for mail scanners follow every link
//! (rows I6, T3); a new password does.

use std::sync::Arc;

use crate::account::credential;
use crate::account::credential::Passwords;
use crate::account::directory::Directory;
use crate::account::lockout;
use crate::account::lockout::InstallationKey;
use crate::account::notice;
use crate::account::notice::Notice;
use crate::account::reset;
use crate::account::reset::secret;
use crate::config::Account;
use crate::lock::Reach;
use crate::record::Act;
use crate::record::Log;
use crate::secret::Secret;
use crate::smtp::TrustTier;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::resets;
use crate::storage::resets::ResetRow;
use crate::time::Timestamp;

/// Wrong answers that end a link: whoever has the mail but not its owner's ID and address must not go on guessing.
const MOST_TRIES: u32 = 5;

/// A link that can be used.
#[derive(Clone, Debug)]
pub struct Link {
    /// Whose password it changes.
    pub account: Arc<Account>,
    row: ResetRow,
}

/// What a token leads to.
#[derive(Clone, Debug)]
pub enum Found {
    /// The page that takes a new password.
    Open(Box<Link>),
    /// The account is locked until then, and its profile makes resets wait.
    Locked(Timestamp),
    /// Nothing: used up, ended, void, or never given out. Nobody may learn which.
    Over,
}

/// What came of saving a new password.
#[derive(Debug)]
pub enum Saved {
    /// It is in force, among these.
    Done(Passwords),
    /// It is not: the link was judged once more.
    Not(Found),
}

/// A new password.
pub struct Change<'a> {
    /// Its hash.
    pub hash: &'a str,
    /// The client's address.
    pub peer: &'a str,
    /// Host name of the Message-ID of the notice.
    pub host: &'a str,
    /// The present time.
    pub now: Timestamp,
}

impl Link {
    /// Whether this is what the page asks for: the account's login ID, and the address that the mail went to.
    /// What the profile does not ask for is not looked at.
    pub fn is_answered(&self, login_id: &str, email: &str) -> bool {
        let asked = &self.account.profile.reset;
        let own = self.account.login_id.to_lowercase();
        let id_fits = !asked.asks_login_id || login_id.trim().to_lowercase() == own;
        let typed = reset::key_of(email);
        let mailed = reset::key_of(&self.row.recipient);
        let email_fits = !asked.asks_email || (typed.is_some() && typed == mailed);
        id_fits && email_fits
    }
}

/// What the token in a link leads to now.
///
/// # Errors
/// [`StorageError`].
pub fn find(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    directory: &Directory,
    token: &Secret,
    now: Timestamp,
) -> Result<Found, StorageError> {
    if !secret::is_token(token.expose()) {
        return Ok(Found::Over);
    }
    let name = secret::name(key, "", false, token);
    let row = resets::named(tx, &name)?.filter(|row| !row.temporary);
    let Some(row) = row else {
        return Ok(Found::Over);
    };
    let Some(account) = directory.by_id(&row.account) else {
        return Ok(Found::Over);
    };
    judge(tx, key, account, row, now)
}

fn judge(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    account: &Arc<Account>,
    row: ResetRow,
    now: Timestamp,
) -> Result<Found, StorageError> {
    if !reset::is_open(tx, key, account, &row, now)? || row.tries >= MOST_TRIES {
        return Ok(Found::Over);
    }
    if let Some(until) = reset::locked_until(tx, account, now)? {
        return Ok(Found::Locked(until));
    }
    let account = Arc::clone(account);
    Ok(Found::Open(Box::new(Link { account, row })))
}

/// Counts a wrong answer to what the page asks.
///
/// # Errors
/// [`StorageError`].
pub fn tried(tx: &mut dyn Transaction, link: &Link) -> Result<(), StorageError> {
    resets::tried(tx, link.row.id)
}

/// Puts the new password in the place of the old one, ends all sessions, unlocks where the profile says so, and
/// tells the owner.
///
/// # Errors
/// [`StorageError`].
pub fn change(
    tx: &mut dyn Transaction,
    ids: &Ids,
    key: &InstallationKey,
    link: &Link,
    change: &Change<'_>,
) -> Result<Saved, StorageError> {
    let (account, now) = (&link.account, change.now);
    let Some(row) = resets::one(tx, link.row.id)? else {
        return Ok(Saved::Not(Found::Over));
    };
    match judge(tx, key, account, row, now)? {
        Found::Open(_) => {}
        found @ (Found::Locked(_) | Found::Over) => return Ok(Saved::Not(found)),
    }
    let kind = reset::kind(account, now);
    credential::change(tx, account, kind, change.hash, false, now)?;
    let binding = reset::binding(tx, key, account, kind)?;
    resets::used(tx, link.row.id, &binding)?;
    unlock(tx, ids, account, now)?;
    Log::new(tx, ids, now).acted(&Act {
        account: &account.id,
        by: &account.id,
        peer: change.peer,
        what: "password-reset",
        detail: "",
    })?;
    let own = account.email.as_ref().map(|email| email.as_str());
    let told = Notice {
        account: &account.id,
        to: own.unwrap_or(&link.row.recipient),
        what: "password-reset",
        by: "",
        peer: change.peer,
        detail: "",
        host: change.host,
    };
    notice::tell(tx, ids, &told, now)?;
    Passwords::read(tx, account).map(Saved::Done)
}

/// A reset ends the lock that it was allowed under (row T4). Strikes that have not locked are forgotten as after a
/// right password.
pub(super) fn unlock(
    tx: &mut dyn Transaction,
    ids: &Ids,
    account: &Account,
    now: Timestamp,
) -> Result<(), StorageError> {
    let locks = accounts::locks(tx, &account.id)?;
    let locked = locks.everything.is_locked(now) || locks.unproven.is_locked(now);
    match locked && account.profile.reset.while_locked {
        true => lockout::unlock(tx, ids, &account.id, "password reset", now).map(|_| ()),
        false => {
            let who = (TrustTier::Proven, Reach::Everything);
            lockout::forgive(tx, &account.id, who, now).map(|_| ())
        }
    }
}
