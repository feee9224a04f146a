//! Passwords that are in use for long: their owners are reminded, once in each period of their profile (row I2).

use std::time::Duration;

use crate::account::credential::Passwords;
use crate::account::notice;
use crate::account::notice::Notice;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::ages;
use crate::storage::ages::Age;
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A password that is to be changed, because it is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Its kind.
    pub kind: CredentialKind,
    /// Whole days for which it has been in use.
    pub days: u64,
}

/// The oldest password of `account` that is to be changed.
///
/// # Errors
/// [`StorageError`].
pub fn overdue(
    tx: &mut dyn Transaction,
    account: &Account,
    passwords: &Passwords,
    now: Timestamp,
) -> Result<Option<Overdue>, StorageError> {
    let found = found(tx, account, passwords, now)?.into_iter();
    let old = found.filter_map(|found| found.overdue);
    Ok(old.max_by_key(|old| old.days))
}

/// Whether [`remind`] has anything to write for `account`.
///
/// # Errors
/// [`StorageError`].
pub fn is_due(
    tx: &mut dyn Transaction,
    account: &Account,
    now: Timestamp,
) -> Result<bool, StorageError> {
    if account.profile.reminder.is_none() {
        return Ok(false);
    }
    let passwords = Passwords::read(tx, account)?;
    let found = found(tx, account, &passwords, now)?;
    Ok(found.iter().any(|found| found.is_new || found.tells))
}

/// Notes passwords of `account` that are new here, and writes the mail about those that are old.
///
/// # Errors
/// [`StorageError`].
pub fn remind(
    tx: &mut dyn Transaction,
    ids: &Ids,
    account: &Account,
    host: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let passwords = Passwords::read(tx, account)?;
    for found in found(tx, account, &passwords, now)? {
        let mut age = found.age;
        if let (true, Some(old)) = (found.tells, found.overdue) {
            tell(tx, ids, account, (old, host), now)?;
            age.reminded_at = now;
        }
        if found.is_new || found.tells {
            ages::set(tx, &account.id, found.kind.as_str(), &age)?;
        }
    }
    Ok(())
}

/// A password and what is to be done about its age.
struct Found {
    kind: CredentialKind,
    age: Age,
    /// It was not known before.
    is_new: bool,
    /// Its owner is to be told.
    tells: bool,
    overdue: Option<Overdue>,
}

fn found(
    tx: &mut dyn Transaction,
    account: &Account,
    passwords: &Passwords,
    now: Timestamp,
) -> Result<Vec<Found>, StorageError> {
    let Some(after) = account.profile.reminder else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for kind in account.changeable(now) {
        let Some(current) = passwords.of(kind) else {
            continue;
        };
        let known = ages::one(tx, &account.id, kind.as_str())?;
        let known = known.filter(|known| known.version == current.version);
        let age = known.unwrap_or(Age {
            version: current.version,
            since: current.changed_at.unwrap_or(now),
            reminded_at: Timestamp::default(),
        });
        let used = now.since(age.since);
        let is_old = used >= after;
        all.push(Found {
            kind,
            age,
            is_new: known.is_none(),
            tells: is_old && now.since(age.reminded_at) >= after,
            overdue: is_old.then(|| Overdue {
                kind,
                days: used.as_secs() / DAY.as_secs(),
            }),
        });
    }
    Ok(all)
}

fn tell(
    tx: &mut dyn Transaction,
    ids: &Ids,
    account: &Account,
    (old, host): (Overdue, &str),
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(email) = &account.email else {
        return Ok(());
    };
    let notice = Notice {
        account: &account.id,
        to: email.as_str(),
        what: "password-old",
        by: "",
        peer: "",
        detail: &old.days.to_string(),
        host,
    };
    notice::tell(tx, ids, &notice, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::credential;
    use crate::secret::Secret;
    use crate::storage::Store;
    use crate::storage::outbox;
    use crate::storage::tests::scratch;

    const BEGIN: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    fn account(profile: &str) -> Account {
        let hash = credential::hash(&Secret::new("kaki8sample".into())).unwrap();
        let text = format!(
            "[[account]]\nid = \"tanaka\"\nsenders = [\"t@x.example\"]\nprofile = \"{profile}\"\n\
             password = \"{hash}\"\n"
        );
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("faxgate.toml"), "[gateway]\n").unwrap();
        std::fs::write(dir.path().join("accounts.toml"), text).unwrap();
        let loaded = crate::config::load(&dir.path().join("faxgate.toml")).unwrap();
        Account::clone(&loaded.accounts.accounts.accounts[0])
    }

    fn day(days: u32) -> Timestamp {
        BEGIN.plus(DAY * days)
    }

    /// One round; the mails that it wrote.
    async fn round(store: &Store, account: &Account, now: Timestamp) -> usize {
        let (this, ids) = (account.clone(), store.clone());
        let written = store.write(move |tx| {
            if is_due(tx, &this, now)? {
                remind(tx, ids.ids(), &this, "gw.example", now)?;
            }
            outbox::claim(tx, now, now.plus(DAY * 9999), 100)
        });
        written.await.unwrap().len()
    }

    fn banner(store: &Store, account: &Account, now: Timestamp) -> Option<u64> {
        let read = store.read_here(|tx| {
            let passwords = Passwords::read(tx, account)?;
            overdue(tx, account, &passwords, now)
        });
        read.unwrap().map(|old| old.days)
    }

    #[tokio::test]
    async fn i2_a_password_of_the_accounts_file_is_as_old_as_it_is_known_and_told_of_once_a_period()
    {
        let ((_dir, store), account) = (scratch(), account("interfax"));
        for (days, mails, shown) in [
            (0, 0, None),
            (89, 0, None),
            (90, 1, Some(90)),
            (91, 0, Some(91)),
            (179, 0, Some(179)),
            (180, 1, Some(180)),
        ] {
            assert_eq!(round(&store, &account, day(days)).await, mails, "{days}");
            assert_eq!(banner(&store, &account, day(days)), shown, "{days}");
        }
    }

    #[tokio::test]
    async fn i2_a_change_begins_a_new_period() {
        let ((_dir, store), account) = (scratch(), account("interfax"));
        round(&store, &account, day(0)).await;
        let (this, kind) = (account.clone(), CredentialKind::Password);
        let change =
            store.write(move |tx| credential::change(tx, &this, kind, "x", false, day(80)));
        change.await.unwrap();
        for (days, mails) in [(90, 0), (169, 0), (170, 1)] {
            assert_eq!(round(&store, &account, day(days)).await, mails, "{days}");
        }
    }

    #[tokio::test]
    async fn a_profile_without_a_reminder_reminds_nobody() {
        let ((_dir, store), account) = (scratch(), account("standard"));
        for days in [0, 5000] {
            assert_eq!(round(&store, &account, day(days)).await, 0);
            assert_eq!(banner(&store, &account, day(days)), None);
        }
    }
}
