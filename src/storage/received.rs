//! Received faxes as stored.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A received fax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRow {
    /// Identifier.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// The number that was called, canonical.
    pub number: String,
    /// The transport's name of the call; a call is stored once.
    pub call: String,
    /// The caller's identifier (TSI).
    pub remote_id: String,
    /// Pages.
    pub pages: u32,
    /// Whether its call ended before the last page was confirmed: there may have been more.
    pub partial: bool,
    /// Whether its pages were removed by retention.
    pub expired: bool,
    /// When it arrived.
    pub received_at: Timestamp,
    /// When somebody marked it as read; `None` while nobody has.
    pub read_at: Option<Timestamp>,
}

/// The name of the file with a received fax's pages.
pub fn pages_file(id: i64) -> String {
    format!("{id}-received")
}

/// Stores a received fax. `Some`: its call is stored already under this identifier, and nothing changed.
///
/// # Errors
/// [`StorageError`].
pub fn insert(tx: &mut dyn Transaction, fax: &ReceivedRow) -> Result<Option<i64>, StorageError> {
    let known = tx.first(
        "SELECT id FROM received WHERE call = ?1",
        &[(&fax.call).into()],
    )?;
    if let Some(row) = known {
        return Ok(Some(row.integer(0)));
    }
    tx.execute(
        "INSERT INTO received(id, account, number, call, remote_id, pages, received_at, partial)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            fax.id.into(),
            (&fax.account).into(),
            (&fax.number).into(),
            (&fax.call).into(),
            (&fax.remote_id).into(),
            fax.pages.into(),
            fax.received_at.into(),
            i64::from(fax.partial).into(),
        ],
    )?;
    Ok(None)
}

/// The received fax `id`.
///
/// # Errors
/// [`StorageError`].
pub fn one(tx: &mut dyn Transaction, id: i64) -> Result<Option<ReceivedRow>, StorageError> {
    let row = tx.first(&format!("{SELECT} WHERE id = ?1"), &[id.into()])?;
    Ok(row.as_ref().map(received_row))
}

/// The newest first: of one account or all, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn list(
    tx: &mut dyn Transaction,
    account: Option<&str>,
    limit: usize,
) -> Result<Vec<ReceivedRow>, StorageError> {
    let sql = format!("{SELECT} WHERE ?1 IS NULL OR account = ?1 ORDER BY id DESC LIMIT ?2");
    let rows = tx.query(&sql, &[account.into(), limit.into()])?;
    Ok(rows.iter().map(received_row).collect())
}

/// The newest faxes of `account` first, older than `before` if given, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn of_account(
    tx: &mut dyn Transaction,
    account: &str,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<ReceivedRow>, StorageError> {
    let sql = format!("{SELECT} WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let before = before.unwrap_or(i64::MAX);
    let rows = tx.query(&sql, &[account.into(), before.into(), limit.into()])?;
    Ok(rows.iter().map(received_row).collect())
}

/// Marks a fax as read at this time, or as unread.
///
/// # Errors
/// [`StorageError`].
pub fn mark(
    tx: &mut dyn Transaction,
    id: i64,
    read_at: Option<Timestamp>,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE received SET read_at = ?2 WHERE id = ?1",
        &[id.into(), read_at.into()],
    )?;
    Ok(())
}

/// Marks up to 500 faxes from before `before`, none of which waits to be forwarded, as expired and
/// returns them; their files are to be removed.
///
/// # Errors
/// [`StorageError`].
pub fn expire(tx: &mut dyn Transaction, before: Timestamp) -> Result<Vec<i64>, StorageError> {
    let rows = tx.query(
        "UPDATE received SET expired = 1 WHERE id IN (SELECT id FROM received
             WHERE received_at < ?1 AND expired = 0 AND NOT EXISTS (SELECT 1 FROM outbox
                 WHERE kind = 'forward' AND subject_id = received.id AND state = 0) LIMIT 500)
         RETURNING id",
        &[before.into()],
    )?;
    Ok(rows.iter().map(|row| row.integer(0)).collect())
}

/// Removes expired faxes from before `before`. Returns them; their files are to be removed.
///
/// # Errors
/// [`StorageError`].
pub fn purge(tx: &mut dyn Transaction, before: Timestamp) -> Result<Vec<i64>, StorageError> {
    let rows = tx.query(
        "DELETE FROM received WHERE received_at < ?1 AND expired = 1 RETURNING id",
        &[before.into()],
    )?;
    Ok(rows.iter().map(|row| row.integer(0)).collect())
}

const SELECT: &str = "SELECT id, account, number, call, remote_id, pages, expired, received_at, read_at, partial FROM received";

fn received_row(row: &Row) -> ReceivedRow {
    ReceivedRow {
        id: row.integer(0),
        account: row.text(1).to_owned(),
        number: row.text(2).to_owned(),
        call: row.text(3).to_owned(),
        remote_id: row.text(4).to_owned(),
        pages: u32::try_from(row.integer(5)).unwrap_or_default(),
        partial: row.integer(9) != 0,
        expired: row.integer(6) != 0,
        received_at: Timestamp::from_ms(row.integer(7)),
        read_at: row.optional_integer(8).map(Timestamp::from_ms),
    }
}
