//! Sender addresses that wait for their owners to confirm them.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// An address that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRow {
    /// The address, in lower case.
    pub address: String,
    /// Keyed hash of its code.
    pub code: [u8; 32],
    /// Wrong codes so far.
    pub tries: i64,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

/// The addresses of `account` that were asked for after `since`, the oldest first.
///
/// # Errors
/// [`StorageError`].
pub fn pending(
    tx: &mut dyn Transaction,
    account: &str,
    since: Timestamp,
) -> Result<Vec<PendingRow>, StorageError> {
    let rows = tx.query(
        "SELECT address, code, tries, asked_at FROM sender_pending
         WHERE account = ?1 AND asked_at > ?2 ORDER BY asked_at, address",
        &[account.into(), since.into()],
    )?;
    rows.iter().map(row_of).collect()
}

/// Notes that `account` asks for an address, under a new code; addresses that nobody confirmed are forgotten.
///
/// # Errors
/// [`StorageError`].
pub fn ask(
    tx: &mut dyn Transaction,
    account: &str,
    address: &str,
    code: &[u8; 32],
    now: Timestamp,
    since: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM sender_pending WHERE asked_at <= ?1",
        &[since.into()],
    )?;
    note(tx, account, now, since)?;
    tx.execute(
        "INSERT INTO sender_pending(account, address, code, tries, asked_at) VALUES(?1, ?2, ?3, 0, ?4)
         ON CONFLICT(account, address) DO UPDATE SET code = ?3, tries = 0, asked_at = ?4",
        &[
            account.into(),
            address.into(),
            code.as_slice().into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// Notes that a mail goes out for `account` to somebody who need not have asked for it; those before `since` are
/// forgotten.
///
/// # Errors
/// [`StorageError`].
pub fn note(
    tx: &mut dyn Transaction,
    account: &str,
    now: Timestamp,
    since: Timestamp,
) -> Result<(), StorageError> {
    tx.execute("DELETE FROM sender_asked WHERE at <= ?1", &[since.into()])?;
    tx.execute(
        "INSERT INTO sender_asked(account, at) VALUES(?1, ?2)",
        &[account.into(), now.into()],
    )?;
    Ok(())
}

/// How often `account` has asked after `since`.
///
/// # Errors
/// [`StorageError`].
pub fn asked(
    tx: &mut dyn Transaction,
    account: &str,
    since: Timestamp,
) -> Result<i64, StorageError> {
    let row = tx.first(
        "SELECT COUNT(*) FROM sender_asked WHERE account = ?1 AND at > ?2",
        &[account.into(), since.into()],
    )?;
    Ok(row.map(|row| row.integer(0)).unwrap_or_default())
}

/// Counts a wrong code.
///
/// # Errors
/// [`StorageError`].
pub fn tried(tx: &mut dyn Transaction, account: &str, address: &str) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE sender_pending SET tries = tries + 1 WHERE account = ?1 AND address = ?2",
        &[account.into(), address.into()],
    )?;
    Ok(())
}

/// Forgets an address that waits.
///
/// # Errors
/// [`StorageError`].
pub fn forget(tx: &mut dyn Transaction, account: &str, address: &str) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM sender_pending WHERE account = ?1 AND address = ?2",
        &[account.into(), address.into()],
    )?;
    Ok(())
}

fn row_of(row: &Row) -> Result<PendingRow, StorageError> {
    let code = row
        .optional_bytes(1)
        .and_then(|bytes| bytes.try_into().ok());
    Ok(PendingRow {
        address: row.text(0).to_owned(),
        code: code.ok_or_else(|| StorageError::Damaged("sender_pending.code".to_owned()))?,
        tries: row.integer(2),
        asked_at: Timestamp::from_ms(row.integer(3)),
    })
}
