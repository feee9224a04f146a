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
    /// The rest, as JSON. Never a secret, never content.
    pub detail: String,
}

/// Whose events are asked for.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// An account's own: locks, unlocks.
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
        "INSERT INTO event(id, at, kind, account, batch, job, received, detail)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            event.id.into(),
            event.at.into(),
            (&event.kind).into(),
            (&event.account).into(),
            event.batch.into(),
            event.job.into(),
            event.received.into(),
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
    let select = "SELECT id, at, kind, account, batch, job, received, detail FROM event WHERE";
    let rows = match about {
        About::Account => tx.query(
            &format!(
                "{select} account = ?1 AND batch IS NULL AND job IS NULL AND received IS NULL
                 ORDER BY id DESC LIMIT 1000"
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

fn event_row(row: &Row) -> EventRow {
    EventRow {
        id: row.integer(0),
        at: Timestamp::from_ms(row.integer(1)),
        kind: row.text(2).to_owned(),
        account: row.text(3).to_owned(),
        batch: row.optional_integer(4),
        job: row.optional_integer(5),
        received: row.optional_integer(6),
        detail: row.text(7).to_owned(),
    }
}
