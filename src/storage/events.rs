//! The event log as stored; `record` writes it, one function for each event.

use crate::storage::Ids;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRow {
    /// Identifier.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What, in one word.
    pub kind: String,
    /// The account's id.
    pub account: String,
    /// The batch it concerns.
    pub batch: Option<i64>,
    /// The job it concerns.
    pub job: Option<i64>,
    /// The received fax it concerns.
    pub received: Option<i64>,
    /// The whole reverse-path of a refused mail; nothing else keeps it.
    pub sender: Option<String>,
    /// The rest, as JSON. Never a secret, never content.
    pub detail: String,
}

/// Whose events are asked for.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// An account's own: locks, unlocks. Refused mails have their own listing.
    Account,
    /// A job's, its batch's included.
    Job {
        /// The job.
        job: i64,
        /// Its batch.
        batch: i64,
    },
    /// A received fax's.
    Received(i64),
}

/// Writes an event.
///
/// # Errors
/// [`StorageError`].
pub fn add(tx: &mut dyn Transaction, event: &EventRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO event(id, at, kind, account, batch, job, received, sender, detail)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &[
            event.id.into(),
            event.at.into(),
            (&event.kind).into(),
            (&event.account).into(),
            event.batch.into(),
            event.job.into(),
            event.received.into(),
            event.sender.clone().into(),
            (&event.detail).into(),
        ],
    )?;
    Ok(())
}

/// The events about something, at most 1,000: an account's newest first, others oldest first.
///
/// # Errors
/// [`StorageError`].
pub fn list(
    tx: &mut dyn Transaction,
    account: &str,
    about: About,
) -> Result<Vec<EventRow>, StorageError> {
    let select = format!("SELECT {COLUMNS} FROM event WHERE");
    let rows = match about {
        About::Account => tx.query(
            &format!(
                "{select} account = ?1 AND batch IS NULL AND job IS NULL AND received IS NULL
                 AND kind <> 'refused' ORDER BY id DESC LIMIT 1000"
            ),
            &[account.into()],
        )?,
        About::Job { job, batch } => tx.query(
            &format!("{select} (job = ?1 OR (batch = ?2 AND job IS NULL)) ORDER BY id LIMIT 1000"),
            &[job.into(), batch.into()],
        )?,
        About::Received(id) => tx.query(
            &format!("{select} received = ?1 ORDER BY id LIMIT 1000"),
            &[id.into()],
        )?,
    };
    Ok(rows.iter().map(|row| event_row(row, 0)).collect())
}

/// The newest refused mails first: of an account, of a reverse-path (in any case), or all; older than the
/// event `before` if given.
///
/// # Errors
/// [`StorageError`].
pub fn refused(
    tx: &mut dyn Transaction,
    account: Option<&str>,
    sender: Option<&str>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM event WHERE kind = 'refused' AND (?1 IS NULL OR account = ?1)
             AND (?2 IS NULL OR sender = ?2) AND id < ?3 ORDER BY id DESC LIMIT ?4"
        ),
        &[
            account.into(),
            sender.map(str::to_lowercase).into(),
            before.unwrap_or(i64::MAX).into(),
            limit.into(),
        ],
    )?;
    Ok(rows.iter().map(|row| event_row(row, 0)).collect())
}

/// How many mails were refused since `since`.
///
/// # Errors
/// [`StorageError`].
pub fn refused_since(tx: &mut dyn Transaction, since: Timestamp) -> Result<i64, StorageError> {
    // Identifiers rise with time, and refused mails have an index by them.
    let row = tx.first(
        "SELECT COUNT(*) FROM event WHERE kind = 'refused' AND id >= ?1",
        &[Ids::earliest(since).into()],
    )?;
    Ok(row.map_or(0, |row| row.integer(0)))
}

/// The newest strikes and locks of an account first, not before `since`, at most `limit`: which door, from where.
///
/// # Errors
/// [`StorageError`].
pub fn strikes(
    tx: &mut dyn Transaction,
    account: &str,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM event WHERE account = ?1 AND id >= ?2 AND kind IN ('struck', 'locked')
             ORDER BY id DESC LIMIT ?3"
        ),
        &[
            account.into(),
            Ids::earliest(since).into(),
            limit.into(),
        ],
    )?;
    Ok(rows.iter().map(|row| event_row(row, 0)).collect())
}

/// Removes up to 2,000 refused mails beyond the newest `keep`: strangers must not fill the disk.
/// Returns how many went.
///
/// # Errors
/// [`StorageError`].
pub fn trim_refused(tx: &mut dyn Transaction, keep: usize) -> Result<usize, StorageError> {
    tx.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE kind = 'refused'
             ORDER BY id DESC LIMIT 2000 OFFSET ?1)",
        &[keep.into()],
    )
}

pub(super) const COLUMNS: &str = "id, at, kind, account, batch, job, received, sender, detail";

/// The event whose columns begin at `first`.
pub(super) fn event_row(row: &Row, first: usize) -> EventRow {
    EventRow {
        id: row.integer(first),
        at: Timestamp::from_ms(row.integer(first + 1)),
        kind: row.text(first + 2).to_owned(),
        account: row.text(first + 3).to_owned(),
        batch: row.optional_integer(first + 4),
        job: row.optional_integer(first + 5),
        received: row.optional_integer(first + 6),
        sender: row.optional_text(first + 7),
        detail: row.text(first + 8).to_owned(),
    }
}
