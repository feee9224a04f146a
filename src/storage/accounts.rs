//! What storage knows of accounts: their strikes, and which mails were counted. The rest is TOML.

use crate::lock::Locks;
use crate::lock::Reach;
use crate::lock::Strikes;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// The strikes of an account that lock everything.
///
/// # Errors
/// [`StorageError`].
pub fn strikes(tx: &mut dyn Transaction, account: &str) -> Result<Strikes, StorageError> {
    Ok(locks(tx, account)?.everything)
}

/// Both counters of an account.
///
/// # Errors
/// [`StorageError`].
pub fn locks(tx: &mut dyn Transaction, account: &str) -> Result<Locks, StorageError> {
    let rows = tx.query(
        "SELECT count, first_at, locked_until, reach FROM strikes WHERE account = ?1",
        &[account.into()],
    )?;
    let of = |reach: Reach| {
        let row = rows.iter().find(|row| row.integer(3) == reach.number());
        row.map(strikes_of).unwrap_or_default()
    };
    Ok(Locks {
        everything: of(Reach::Everything),
        unproven: of(Reach::Unproven),
    })
}

/// The strikes that lock everything, of all accounts that have any.
///
/// # Errors
/// [`StorageError`].
pub fn all_strikes(tx: &mut dyn Transaction) -> Result<Vec<(String, Strikes)>, StorageError> {
    let rows = tx.query(
        "SELECT count, first_at, locked_until, account FROM strikes WHERE reach = 0",
        &[],
    )?;
    let named = |row: &Row| (row.text(3).to_owned(), strikes_of(row));
    Ok(rows.iter().map(named).collect())
}

/// The locks that stand at `now`, those that last longest first, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn locked(
    tx: &mut dyn Transaction,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(String, Reach, Strikes)>, StorageError> {
    let rows = tx.query(
        "SELECT count, first_at, locked_until, account, reach FROM strikes
         WHERE locked_until IS NOT NULL AND locked_until > ?1 ORDER BY locked_until DESC, account LIMIT ?2",
        &[now.into(), limit.into()],
    )?;
    let named = |row: &Row| {
        let is_whole = row.integer(4) == Reach::Everything.number();
        let reach = if is_whole {
            Reach::Everything
        } else {
            Reach::Unproven
        };
        (row.text(3).to_owned(), reach, strikes_of(row))
    };
    Ok(rows.iter().map(named).collect())
}

/// How many locks stand at `now`.
///
/// # Errors
/// [`StorageError`].
pub fn count_locked(tx: &mut dyn Transaction, now: Timestamp) -> Result<i64, StorageError> {
    let row = tx.first(
        "SELECT COUNT(*) FROM strikes WHERE locked_until IS NOT NULL AND locked_until > ?1",
        &[now.into()],
    )?;
    Ok(row.map_or(0, |row| row.integer(0)))
}

/// Keeps one counter of an account.
///
/// # Errors
/// [`StorageError`].
pub fn set_strikes(
    tx: &mut dyn Transaction,
    account: &str,
    reach: Reach,
    strikes: &Strikes,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO strikes(account, reach, count, first_at, locked_until) VALUES(?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(account, reach) DO UPDATE SET count = ?3, first_at = ?4, locked_until = ?5",
        &[
            account.into(),
            reach.number().into(),
            strikes.count.into(),
            strikes.first_at.into(),
            strikes.locked_until.into(),
        ],
    )?;
    Ok(())
}

/// Forgets one counter of an account, and with it its lock.
///
/// # Errors
/// [`StorageError`].
pub fn clear_strikes(
    tx: &mut dyn Transaction,
    account: &str,
    reach: Reach,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM strikes WHERE account = ?1 AND reach = ?2",
        &[account.into(), reach.number().into()],
    )?;
    Ok(())
}

/// Whether the mail with this identity was counted after `since`.
///
/// # Errors
/// [`StorageError`].
pub fn is_counted(
    tx: &mut dyn Transaction,
    identity: &[u8; 32],
    since: Timestamp,
) -> Result<bool, StorageError> {
    let row = tx.first(
        "SELECT 1 FROM strike_identity WHERE identity = ?1 AND at > ?2",
        &[identity.as_slice().into(), since.into()],
    )?;
    Ok(row.is_some())
}

/// Notes that the mail with this identity has been counted; older identities are forgotten.
///
/// # Errors
/// [`StorageError`].
pub fn count_identity(
    tx: &mut dyn Transaction,
    identity: &[u8; 32],
    account: &str,
    now: Timestamp,
    since: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM strike_identity WHERE at <= ?1",
        &[since.into()],
    )?;
    tx.execute(
        "INSERT INTO strike_identity(identity, account, at) VALUES(?1, ?2, ?3)
         ON CONFLICT(identity) DO UPDATE SET at = ?3",
        &[identity.as_slice().into(), account.into(), now.into()],
    )?;
    Ok(())
}

/// In the place of what a stored password replaces: nothing, which no hash has.
const ENDED: [u8; 32] = [0; 32];

/// A password that is kept here in the place of the one in the accounts file.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// SHA-256 of the hash in the accounts file that it replaces: when the administrator writes another one
    /// there, that one is in force.
    pub replaces: [u8; 32],
    /// Argon2id in PHC form.
    pub hash: String,
    /// Counts up with every change of the hash.
    pub version: i64,
    /// Counts up with every change of the password itself.
    pub epoch: i64,
    /// Whether it must be replaced before anything else is done with it (rows I1, W3).
    pub initial: bool,
    /// When it was stored.
    pub changed_at: Timestamp,
}

/// All stored passwords of an account, with their kinds.
///
/// # Errors
/// [`StorageError`].
pub fn credentials(
    tx: &mut dyn Transaction,
    account: &str,
) -> Result<Vec<(String, StoredCredential)>, StorageError> {
    let rows = tx.query(
        "SELECT replaces, hash, version, epoch, initial, changed_at, kind FROM credential WHERE account = ?1",
        &[account.into()],
    )?;
    let stored = |row: &Row| {
        let replaces = row
            .optional_bytes(0)
            .and_then(|bytes| bytes.try_into().ok());
        let stored = StoredCredential {
            replaces: replaces
                .ok_or_else(|| StorageError::Damaged("credential.replaces".to_owned()))?,
            hash: row.text(1).to_owned(),
            version: row.integer(2),
            epoch: row.integer(3),
            initial: row.integer(4) != 0,
            changed_at: Timestamp::from_ms(row.integer(5)),
        };
        Ok((row.text(6).to_owned(), stored))
    };
    rows.iter().map(stored).collect()
}

/// Of every stored password that may be in force: the account, its kind, and the SHA-256 of the hash that it replaces.
///
/// # Errors
/// [`StorageError`].
pub fn all_replaced(
    tx: &mut dyn Transaction,
) -> Result<Vec<(String, String, [u8; 32])>, StorageError> {
    let rows = tx.query(
        "SELECT account, kind, replaces FROM credential WHERE replaces <> ?1",
        &[ENDED.as_slice().into()],
    )?;
    let named = |row: &Row| {
        let replaces = row
            .optional_bytes(2)
            .and_then(|bytes| bytes.try_into().ok());
        let replaces =
            replaces.ok_or_else(|| StorageError::Damaged("credential.replaces".to_owned()))?;
        Ok((row.text(0).to_owned(), row.text(1).to_owned(), replaces))
    };
    rows.iter().map(named).collect()
}

/// What the stored password of this kind replaced is gone: it is out of force for good. Its row stays, so that its
/// counters never begin anew.
///
/// # Errors
/// [`StorageError`].
pub fn end_credential(
    tx: &mut dyn Transaction,
    account: &str,
    kind: &str,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE credential SET replaces = ?3 WHERE account = ?1 AND kind = ?2",
        &[account.into(), kind.into(), ENDED.as_slice().into()],
    )?;
    Ok(())
}

/// Stores another password of this kind in the place of the one before.
///
/// # Errors
/// [`StorageError`].
pub fn change_credential(
    tx: &mut dyn Transaction,
    account: &str,
    kind: &str,
    replaces: &[u8; 32],
    (hash, initial): (&str, bool),
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO credential(account, kind, version, epoch, initial, replaces, hash, changed_at)
         VALUES(?1, ?2, 1, 1, ?6, ?3, ?4, ?5)
         ON CONFLICT(account, kind) DO UPDATE
         SET version = credential.version + 1, epoch = credential.epoch + 1, initial = ?6, replaces = ?3,
             hash = ?4, changed_at = ?5",
        &[
            account.into(),
            kind.into(),
            replaces.as_slice().into(),
            hash.into(),
            now.into(),
            initial.into(),
        ],
    )?;
    Ok(())
}

/// Stores another hash of the same password of this kind; never in the place of one that replaces another hash of
/// the accounts file, which may be newer than what is known here. Whether it was stored.
///
/// # Errors
/// [`StorageError`].
pub fn set_credential(
    tx: &mut dyn Transaction,
    account: &str,
    kind: &str,
    replaces: &[u8; 32],
    hash: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = tx.execute(
        "INSERT INTO credential(account, kind, version, replaces, hash, changed_at) VALUES(?1, ?2, 1, ?3, ?4, ?5)
         ON CONFLICT(account, kind) DO UPDATE SET version = credential.version + 1, hash = ?4
         WHERE credential.replaces = ?3",
        &[
            account.into(),
            kind.into(),
            replaces.as_slice().into(),
            hash.into(),
            now.into(),
        ],
    )?;
    Ok(changed > 0)
}

/// Stores a password of this kind exactly as another kind has it.
///
/// # Errors
/// [`StorageError`].
pub fn copy_credential(
    tx: &mut dyn Transaction,
    account: &str,
    kind: &str,
    copy: &StoredCredential,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO credential(account, kind, version, epoch, initial, replaces, hash, changed_at)
         VALUES(?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT(account, kind) DO UPDATE
         SET version = credential.version + 1, epoch = ?3, initial = ?4, replaces = ?5, hash = ?6, changed_at = ?7",
        &[
            account.into(),
            kind.into(),
            copy.epoch.into(),
            copy.initial.into(),
            copy.replaces.as_slice().into(),
            (&copy.hash).into(),
            copy.changed_at.into(),
        ],
    )?;
    Ok(())
}

fn strikes_of(row: &Row) -> Strikes {
    Strikes {
        count: u32::try_from(row.integer(0)).unwrap_or(u32::MAX),
        first_at: Timestamp::from_ms(row.integer(1)),
        locked_until: row.optional_integer(2).map(Timestamp::from_ms),
    }
}
