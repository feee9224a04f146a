//! Jobs as people look at them, and their end by cancelling or by age.

use crate::fax::Cause;
use crate::fax::Media;
use crate::status::Status;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::audit;
use crate::storage::jobs::Class;
use crate::storage::jobs::State;
use crate::storage::jobs::settle::settle_one;
use crate::storage::jobs::status_of;
use crate::time::Timestamp;

/// A job as stored.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Identifier.
    pub id: i64,
    /// Its batch.
    pub batch: i64,
    /// The account's id.
    pub account: String,
    /// Canonical destination, or the name of a list that was refused whole.
    pub destination: String,
    /// Whom it is for behind the number; empty: nobody in particular.
    pub sub_address: String,
    /// Name of the contact.
    pub contact: String,
    /// Where it is on its way.
    pub state: State,
    /// The published status.
    pub status: Status,
    /// What the status alone does not say.
    pub reason: Option<String>,
    /// Calls so far.
    pub attempts: i64,
    /// When it is due.
    pub next_at: Timestamp,
    /// Pages that the far end confirmed.
    pub pages_sent: u32,
    /// The far end's identifier.
    pub remote_id: String,
    /// Time on the line, milliseconds.
    pub duration_ms: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// The subject of its submission without options.
    pub reference: String,
    /// The recipient that it goes to, if something was asked about that.
    pub recipient: Option<i64>,
    /// Its class.
    pub class: Class,
    /// Jobs of its batch, itself included.
    pub batch_jobs: i64,
}

/// One call.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// Which one, from 1.
    pub n: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What came of it.
    pub status: Option<Status>,
    /// Pages that the far end has confirmed, those of earlier calls included.
    pub pages_sent: i64,
    /// The far end's identifier.
    pub remote_id: String,
    /// Pages that earlier calls had confirmed: those before are not sent in this one.
    pub first_page: i64,
    /// How far it is, in a word, while it goes on.
    pub phase: String,
    /// Why it did not deliver all pages; `None` if it did, or has not ended.
    pub cause: Option<Cause>,
    /// The line it went over; empty if it has no name.
    pub line: String,
    /// How the fax travelled.
    pub media: Option<Media>,
    /// Bits a second; 0 if unknown.
    pub rate: i64,
    /// Whether errors were corrected.
    pub ecm: bool,
    /// The last status code of SIP.
    pub sip: Option<i64>,
    /// The completion code of the T.30 engine.
    pub t30: Option<i64>,
    /// What else an operator wants to know.
    pub detail: String,
}

pub(super) const COLUMNS: &str = "job.id, job.batch, job.account, job.destination, job.contact, job.state, job.status,
    job.reason, job.attempts, job.next_at, job.pages_sent, job.remote_id, job.duration_ms, job.created_at,
    job.settled_at, batch.reference, job.recipient, job.class, batch.jobs, job.sub_address FROM job JOIN batch ON batch.id = job.batch";

/// The job `id`.
///
/// # Errors
/// [`StorageError`].
pub fn job(tx: &mut dyn Transaction, id: i64) -> Result<Option<JobRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE job.id = ?1 AND batch.published = 1");
    tx.first(&sql, &[id.into()])?
        .map(|row| job_row(&row))
        .transpose()
}

/// The newest jobs first: of one account or all, older than `before` if given, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn jobs(
    tx: &mut dyn Transaction,
    account: Option<&str>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<JobRow>, StorageError> {
    let before = before.unwrap_or(i64::MAX);
    let rows = match account {
        Some(account) => {
            let sql = format!(
                "SELECT {COLUMNS} WHERE batch.published = 1 AND job.account = ?1 AND job.id < ?2
                 ORDER BY job.id DESC LIMIT ?3"
            );
            tx.query(&sql, &[account.into(), before.into(), limit.into()])?
        }
        None => {
            let sql = format!(
                "SELECT {COLUMNS} WHERE batch.published = 1 AND job.id < ?1 ORDER BY job.id DESC LIMIT ?2"
            );
            tx.query(&sql, &[before.into(), limit.into()])?
        }
    };
    rows.iter().map(job_row).collect()
}

/// All jobs of a batch, in the order in which they were asked for.
///
/// # Errors
/// [`StorageError`].
pub fn jobs_of_batch(tx: &mut dyn Transaction, batch: i64) -> Result<Vec<JobRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE job.batch = ?1 ORDER BY job.id");
    let rows = tx.query(&sql, &[batch.into()])?;
    rows.iter().map(job_row).collect()
}

/// All jobs of a recipient, in the order in which they were asked for.
///
/// # Errors
/// [`StorageError`].
pub fn jobs_of_recipient(
    tx: &mut dyn Transaction,
    recipient: i64,
) -> Result<Vec<JobRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE job.recipient = ?1 ORDER BY job.id");
    let rows = tx.query(&sql, &[recipient.into()])?;
    rows.iter().map(job_row).collect()
}

/// The calls of a job.
///
/// # Errors
/// [`StorageError`].
pub fn attempts(tx: &mut dyn Transaction, job: i64) -> Result<Vec<AttemptRow>, StorageError> {
    let rows = tx.query(
        "SELECT n, started_at, ended_at, status, pages_sent, remote_id, first_page, phase, cause, line, media, rate,
             ecm, sip, t30, detail
         FROM attempt WHERE job = ?1 ORDER BY n",
        &[job.into()],
    )?;
    let attempt = |row: &Row| AttemptRow {
        n: row.integer(0),
        started_at: Timestamp::from_ms(row.integer(1)),
        ended_at: row.optional_integer(2).map(Timestamp::from_ms),
        status: row.optional_integer(3).map(status_of),
        pages_sent: row.integer(4),
        remote_id: row.text(5).to_owned(),
        first_page: row.integer(6),
        phase: row.text(7).to_owned(),
        cause: Cause::from_word(row.text(8)),
        line: row.text(9).to_owned(),
        media: Media::from_word(row.text(10)),
        rate: row.integer(11),
        ecm: row.integer(12) != 0,
        sip: row.optional_integer(13),
        t30: row.optional_integer(14),
        detail: row.text(15).to_owned(),
    };
    Ok(rows.iter().map(attempt).collect())
}

/// Cancels a job: at once if it is waiting; instead of its next call if it is being prepared or dialled.
/// `None`: there is nothing to cancel. `Some(true)`: it was the last open job of its batch.
///
/// # Errors
/// [`StorageError`].
pub fn cancel(
    tx: &mut dyn Transaction,
    id: i64,
    now: Timestamp,
) -> Result<Option<bool>, StorageError> {
    let waiting = tx.first(
        "UPDATE job SET state = 14, status = ?2, settled_at = ?3, reason = NULL
         WHERE id = ?1 AND state IN (0, 1, 2, 5, 6)
         RETURNING batch",
        &[id.into(), Status::CANCELLED.into(), now.into()],
    )?;
    if let Some(row) = waiting {
        return settle_one(tx, row.integer(0), false).map(Some);
    }
    let active = tx.execute(
        "UPDATE job SET cancel = 1 WHERE id = ?1 AND state IN (3, 4)",
        &[id.into()],
    )?;
    Ok((active > 0).then_some(false))
}

/// How many jobs are in each state, for the metrics.
///
/// # Errors
/// [`StorageError`].
pub fn counts_by_state(tx: &mut dyn Transaction) -> Result<Vec<(State, i64)>, StorageError> {
    let rows = tx.query(
        "SELECT state, COUNT(*) FROM job WHERE state < 10 GROUP BY state",
        &[],
    )?;
    rows.iter()
        .map(|row| Ok((State::from_number(row.integer(0))?, row.integer(1))))
        .collect()
}

/// Marks up to 500 batches that were settled before `before` as expired and returns them; their files are to
/// be removed.
///
/// # Errors
/// [`StorageError`].
pub fn expire_batches(
    tx: &mut dyn Transaction,
    before: Timestamp,
) -> Result<Vec<i64>, StorageError> {
    let rows = tx.query(
        "UPDATE batch SET expired = 1, documents = NULL WHERE id IN (SELECT id FROM batch
             WHERE created_at < ?1 AND expired = 0 AND settled >= jobs AND published = 1
                 AND NOT EXISTS (SELECT 1 FROM job WHERE job.batch = batch.id AND settled_at >= ?1)
             LIMIT 500)
         RETURNING id",
        &[before.into()],
    )?;
    Ok(rows.iter().map(|row| row.integer(0)).collect())
}

/// Removes up to 500 expired batches from before `before` with their jobs, and up to 2,000 events and
/// mails as old. Returns the batches, whose files are to be removed, and how many other rows went.
///
/// # Errors
/// [`StorageError`].
pub fn purge_history(
    tx: &mut dyn Transaction,
    before: Timestamp,
) -> Result<(Vec<i64>, usize), StorageError> {
    let rows = tx.query(
        "SELECT id FROM batch WHERE created_at < ?1 AND expired = 1 AND settled >= jobs LIMIT 500",
        &[before.into()],
    )?;
    let batches: Vec<_> = rows.iter().map(|row| row.integer(0)).collect();
    for batch in &batches {
        let batch = [(*batch).into()];
        tx.execute(
            "DELETE FROM attempt WHERE job IN (SELECT id FROM job WHERE batch = ?1)",
            &batch,
        )?;
        tx.execute("DELETE FROM event WHERE batch = ?1", &batch)?;
        tx.execute("DELETE FROM job WHERE batch = ?1", &batch)?;
        tx.execute("DELETE FROM recipient WHERE batch = ?1", &batch)?;
        tx.execute("DELETE FROM batch WHERE id = ?1", &batch)?;
    }
    let old_events = tx.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ?1
             AND NOT EXISTS (SELECT 1 FROM audit WHERE audit.event = event.id) LIMIT 2000)",
        &[before.into()],
    )?;
    // Those of the audit trail go from its beginning only, or its chain would break.
    let old_events = old_events + audit::purge(tx, before)?;
    let old_mails = tx.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < ?1 AND state <> 0 LIMIT 2000)",
        &[before.into()],
    )?;
    Ok((batches, old_events + old_mails))
}

pub(super) fn job_row(row: &Row) -> Result<JobRow, StorageError> {
    Ok(JobRow {
        id: row.integer(0),
        batch: row.integer(1),
        account: row.text(2).to_owned(),
        destination: row.text(3).to_owned(),
        contact: row.text(4).to_owned(),
        state: State::from_number(row.integer(5))?,
        status: status_of(row.integer(6)),
        reason: row.optional_text(7),
        attempts: row.integer(8),
        next_at: Timestamp::from_ms(row.integer(9)),
        pages_sent: u32::try_from(row.integer(10)).unwrap_or_default(),
        remote_id: row.text(11).to_owned(),
        duration_ms: row.integer(12),
        created_at: Timestamp::from_ms(row.integer(13)),
        settled_at: row.optional_integer(14).map(Timestamp::from_ms),
        reference: row.text(15).to_owned(),
        recipient: row.optional_integer(16),
        class: Class::from_number(row.integer(17)),
        batch_jobs: row.integer(18),
        sub_address: row.text(19).to_owned(),
    })
}
