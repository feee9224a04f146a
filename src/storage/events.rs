//! The event log as stored; `record` writes it, one function for each event.

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
    Ok(rows.iter().map(event_row).collect())
}

/// Events of jobs after the event `after`, of `account` or of all, the oldest first, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn after(
    tx: &mut dyn Transaction,
    account: Option<&str>,
    after: i64,
    limit: usize,
) -> Result<Vec<EventRow>, StorageError> {
    let of_jobs = "batch IS NOT NULL ORDER BY id LIMIT";
    let rows = match account {
        Some(account) => tx.query(
            &format!("SELECT {COLUMNS} FROM event WHERE account = ?1 AND id > ?2 AND {of_jobs} ?3"),
            &[account.into(), after.into(), limit.into()],
        )?,
        None => tx.query(
            &format!("SELECT {COLUMNS} FROM event WHERE id > ?1 AND {of_jobs} ?2"),
            &[after.into(), limit.into()],
        )?,
    };
    Ok(rows.iter().map(event_row).collect())
}

/// The newest event; 0 if there is none.
///
/// # Errors
/// [`StorageError`].
pub fn newest(tx: &mut dyn Transaction) -> Result<i64, StorageError> {
    let row = tx.first("SELECT COALESCE(MAX(id), 0) FROM event", &[])?;
    Ok(row.map_or(0, |row| row.integer(0)))
}

/// The newest refused mails first: of an account, of a reverse-path (in any case), or all.
///
/// # Errors
/// [`StorageError`].
pub fn refused(
    tx: &mut dyn Transaction,
    account: Option<&str>,
    sender: Option<&str>,
    limit: usize,
) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM event WHERE kind = 'refused' AND (?1 IS NULL OR account = ?1)
             AND (?2 IS NULL OR sender = ?2) ORDER BY id DESC LIMIT ?3"
        ),
        &[
            account.into(),
            sender.map(str::to_lowercase).into(),
            limit.into(),
        ],
    )?;
    Ok(rows.iter().map(event_row).collect())
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

const COLUMNS: &str = "id, at, kind, account, batch, job, received, sender, detail";

fn event_row(row: &Row) -> EventRow {
    EventRow {
        id: row.integer(0),
        at: Timestamp::from_ms(row.integer(1)),
        kind: row.text(2).to_owned(),
        account: row.text(3).to_owned(),
        batch: row.optional_integer(4),
        job: row.optional_integer(5),
        received: row.optional_integer(6),
        sender: row.optional_text(7),
        detail: row.text(8).to_owned(),
    }
}
