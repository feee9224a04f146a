//! A temporary password at the login (row W3).
//!
//! Until it is used the old one stays in force, so that nobody can shut an owner out by asking; from then on it is
//! the password, an initial one, until it is replaced or ends.

use subtle::ConstantTimeEq;

use crate::account::credential;
use crate::account::lockout::InstallationKey;
use crate::account::reset;
use crate::account::reset::link;
use crate::account::reset::secret;
use crate::config::Account;
use crate::record::Act;
use crate::record::Log;
use crate::secret::Secret;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::resets;
use crate::storage::resets::ResetRow;
use crate::time::Timestamp;

/// What is to be done before a password is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is a temporary one that was mailed: it becomes the password.
    Take(i64),
    /// The password is a temporary one that has ended: nothing is the password.
    End(i64),
}

/// What is due before `password` is checked at the login of `account`; `None`: nothing.
///
/// # Errors
/// [`StorageError`].
pub fn due(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    account: &Account,
    password: &Secret,
    now: Timestamp,
) -> Result<Option<Due>, StorageError> {
    let kind = reset::kind(account, now);
    let binding = reset::binding(tx, key, account, kind)?;
    let rows = resets::temporary(tx, &account.id, &binding)?;
    if rows.is_empty() || reset::locked_until(tx, account, now)?.is_some() {
        return Ok(None);
    }
    // One that was mailed goes before the end of the one that it replaces: else that end would void it.
    let taken = rows
        .iter()
        .find(|row| row.used == 0 && is_it(key, account, row, password, now));
    let ended = || rows.iter().find(|row| row.used > 0 && now >= row.ends_at);
    let found = match taken {
        Some(row) => Some(Due::Take(row.id)),
        None => ended().map(|row| Due::End(row.id)),
    };
    Ok(found)
}

fn is_it(
    key: &InstallationKey,
    account: &Account,
    row: &ResetRow,
    password: &Secret,
    now: Timestamp,
) -> bool {
    let own = secret::of(key, account, row);
    let same: bool = own
        .expose()
        .as_bytes()
        .ct_eq(password.expose().as_bytes())
        .into();
    same && now < row.ends_at && row.kind == reset::kind(account, now).as_str()
}

/// Makes what is due true, if it still is: `hash` is that of the temporary password, or of one that nobody knows.
/// Whether it was done.
///
/// # Errors
/// [`StorageError`].
pub fn settle(
    tx: &mut dyn Transaction,
    ids: &Ids,
    key: &InstallationKey,
    (account, peer): (&Account, &str),
    (due, hash): (&Due, &str),
    now: Timestamp,
) -> Result<bool, StorageError> {
    let (id, what, takes) = match due {
        Due::Take(id) => (*id, "temporary-password-used", true),
        Due::End(id) => (*id, "temporary-password-ended", false),
    };
    let kind = reset::kind(account, now);
    let binding = reset::binding(tx, key, account, kind)?;
    let row = resets::one(tx, id)?;
    let holds = |row: &ResetRow| {
        row.binding == binding && (row.used == 0) == takes && (now < row.ends_at) == takes
    };
    if !row.as_ref().is_some_and(holds) {
        return Ok(false);
    }
    credential::change(tx, account, kind, hash, true, now)?;
    let after = reset::binding(tx, key, account, kind)?;
    if takes {
        resets::used(tx, id, &after)?;
        resets::forget_replaced(tx, &account.id, &after)?;
        link::unlock(tx, ids, account, now)?;
    } else {
        // Nothing is the password now; what was mailed to replace it still may.
        resets::rebind(tx, &account.id, &binding, &after)?;
    }
    Log::new(tx, ids, now).acted(&Act {
        account: &account.id,
        by: &account.id,
        peer,
        what,
        detail: "",
    })?;
    Ok(true)
}
