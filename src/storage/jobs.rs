//! Batches, jobs and attempts: records and the SQL of their legal moves.
//!
//! Every UPDATE names the state it leaves, and a claimed job also its fence, so that a late or repeated
//! result changes nothing.

mod claim;
mod history;
mod lines;
mod progress;
mod search;
mod settle;
mod share;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::fax::Destination;
use crate::fax::SubAddress;
use crate::status::Status;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

pub use claim::Claim;
pub use claim::Course;
pub use claim::Dialled;
pub use claim::claim;
pub use claim::dialled;
pub use claim::fence_restarted;
pub use claim::is_cancelled;
pub use claim::promote;
pub use claim::renew;
pub use claim::start_attempt;
pub use history::AttemptRow;
pub use history::JobRow;
pub use history::attempts;
pub use history::cancel;
pub use history::counts_by_state;
pub use history::expire_batches;
pub use history::job;
pub use history::jobs;
pub use history::jobs_of_batch;
pub use history::jobs_of_recipient;
pub use history::purge_history;
pub use lines::BatchLine;
pub use lines::Repeat;
pub use lines::Totals;
pub use lines::children;
pub use lines::line;
pub use lines::lines;
pub use lines::open_jobs;
pub use lines::repeats;
pub use progress::Live;
pub use progress::active;
pub use progress::note_progress;
pub use search::Found;
pub use search::NumberMatch;
pub use search::Period;
pub use search::Search;
pub use search::Standing;
pub use search::search;
pub use settle::Settlement;
pub use settle::forget_claim;
pub use settle::put_off;
pub use settle::redials;
pub use settle::settle;
pub use settle::take_back_dial;
pub use share::Share;
pub use share::WaitingJob;
pub use share::oldest_waiting;
pub use share::shares;
pub use state::Class;
pub use state::State;

/// A batch to be stored.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// Identifier.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// The identity of promise P4, without the destination.
    pub identity: [u8; 32],
    /// The door it came in by, such as `smtp`.
    pub door: &'static str,
    /// How the sender was proved.
    pub proof: &'static str,
    /// How far the sender was believed, in a word.
    pub tier: String,
    /// The results of verification (RFC 8601); empty if there were none.
    pub verification: String,
    /// The subject without options.
    pub reference: String,
    /// Message-ID of the submission; empty if it had none.
    pub message_id: String,
    /// Where results are mailed.
    pub reply_to: String,
    /// How documents become pages, as JSON.
    pub page_options: String,
    /// Packed documents; `None` when they are in the file `<id>-documents`.
    pub documents: Option<Vec<u8>>,
    /// How many pages are in the file `<id>-pages`, if they were made already.
    pub pages: Option<u32>,
    /// Whether any of it was stopped by the lock.
    pub stopped: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// A job to be stored.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Identifier.
    pub id: i64,
    /// Canonical destination, or the name of a list that is refused whole.
    pub destination: String,
    /// Whom it is for behind the number.
    pub sub_address: Option<SubAddress>,
    /// Name of the contact; empty if unknown.
    pub contact: String,
    /// Its class.
    pub class: Class,
    /// First state: pending, ready or, when it is decided already, failed.
    pub state: State,
    /// First status.
    pub status: Status,
    /// Why it failed at once.
    pub reason: Option<String>,
    /// When it may be sent.
    pub next_at: Timestamp,
    /// The [`crate::storage::recipients::RecipientRow`] that it goes to, if something was asked about it.
    pub recipient: Option<i64>,
}

/// A batch as stored.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Identifier.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// Door, proof.
    pub door: String,
    /// How the sender was proved.
    pub proof: String,
    /// How far the sender was believed, in a word.
    pub tier: String,
    /// The results of verification (RFC 8601); empty if there were none.
    pub verification: String,
    /// The subject without options.
    pub reference: String,
    /// Message-ID of the submission.
    pub message_id: String,
    /// Where results are mailed.
    pub reply_to: String,
    /// How documents become pages, as JSON.
    pub page_options: String,
    /// Packed small documents.
    pub documents: Option<Vec<u8>>,
    /// Whether documents and pages were removed by retention.
    pub expired: bool,
    /// Rendered pages, once rendered.
    pub pages: Option<u32>,
    /// Why the documents cannot become pages; final.
    pub render_error: Option<String>,
    /// Jobs in all.
    pub jobs: i64,
    /// Jobs settled.
    pub settled: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// The name of the file with a batch's documents.
pub fn documents_file(batch: i64) -> String {
    format!("{batch}-documents")
}

/// The name of the file with a batch's pages, without header lines.
pub fn pages_file(batch: i64) -> String {
    format!("{batch}-pages")
}

/// The batch with this identity, accepted after `since`, its documents still kept and not stopped by
/// the lock.
///
/// # Errors
/// [`StorageError::InProgress`] if it is being written at this moment: whether it will be accepted is
/// not known yet.
pub fn find_batch(
    tx: &mut dyn Transaction,
    identity: &[u8; 32],
    since: Timestamp,
) -> Result<Option<i64>, StorageError> {
    let row = tx.first(
        "SELECT id, published FROM batch
         WHERE identity = ?1 AND created_at > ?2 AND stopped = 0 AND expired = 0
         ORDER BY created_at LIMIT 1",
        &[identity.as_slice().into(), since.into()],
    )?;
    match row {
        Some(row) if row.integer(1) == 0 => Err(StorageError::InProgress),
        row => Ok(row.map(|row| row.integer(0))),
    }
}

/// Stores a batch without jobs. Unpublished, it is invisible until [`publish`].
///
/// # Errors
/// [`StorageError`].
pub fn insert_batch(
    tx: &mut dyn Transaction,
    batch: &NewBatch,
    published: bool,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO batch(id, account, identity, door, proof, reference, message_id, reply_to, page_options,
             documents, stopped, published, jobs, settled, created_at, tier, verification, pages)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, ?13, ?14, ?15, ?16)",
        &[
            batch.id.into(),
            (&batch.account).into(),
            batch.identity.as_slice().into(),
            batch.door.into(),
            batch.proof.into(),
            (&batch.reference).into(),
            (&batch.message_id).into(),
            (&batch.reply_to).into(),
            (&batch.page_options).into(),
            batch.documents.clone().into(),
            batch.stopped.into(),
            published.into(),
            batch.created_at.into(),
            (&batch.tier).into(),
            (&batch.verification).into(),
            batch.pages.into(),
        ],
    )?;
    Ok(())
}

/// Adds jobs to a batch; a destination that it already has, with the same sub-address, is passed over. Returns how many were added.
///
/// # Errors
/// [`StorageError`].
pub fn insert_jobs(
    tx: &mut dyn Transaction,
    batch: i64,
    account: &str,
    jobs: &[NewJob],
    now: Timestamp,
) -> Result<usize, StorageError> {
    let mut added = 0;
    let mut settled = 0;
    for job in jobs {
        let is_final = job.state.is_final();
        let inserted = tx.execute(
            "INSERT INTO job(id, batch, account, class, destination, contact, state, status, reason, attempts,
                 next_at, fence, created_at, settled_at, recipient, sub_address)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, 0, ?11, ?12, ?13, ?14)
             ON CONFLICT(batch, destination, sub_address) DO NOTHING",
            &[
                job.id.into(),
                batch.into(),
                account.into(),
                job.class.number().into(),
                (&job.destination).into(),
                (&job.contact).into(),
                job.state.number().into(),
                job.status.into(),
                job.reason.clone().into(),
                job.next_at.into(),
                now.into(),
                is_final.then_some(now).into(),
                job.recipient.into(),
                job.sub_address.as_ref().map_or("", SubAddress::as_str).into(),
            ],
        )?;
        added += inserted;
        settled += if is_final { inserted } else { 0 };
    }
    tx.execute(
        "UPDATE batch SET jobs = jobs + ?2, settled = settled + ?3 WHERE id = ?1",
        &[batch.into(), added.into(), settled.into()],
    )?;
    Ok(added)
}

/// Makes a batch that was written in pieces visible; its staged jobs follow by [`promote`].
///
/// # Errors
/// [`StorageError`].
pub fn publish(tx: &mut dyn Transaction, batch: i64) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE batch SET published = 1 WHERE id = ?1",
        &[batch.into()],
    )?;
    Ok(())
}

/// Removes batches that were left half written, all or only `batch`: their senders were not told that
/// they are accepted. Returns them; their files are to be removed.
///
/// # Errors
/// [`StorageError`].
pub fn drop_unpublished(
    tx: &mut dyn Transaction,
    batch: Option<i64>,
) -> Result<Vec<i64>, StorageError> {
    let which = "(SELECT id FROM batch WHERE published = 0 AND id = COALESCE(?1, id))";
    let jobs = format!("(SELECT id FROM job WHERE batch IN {which})");
    let batch = [batch.into()];
    tx.execute(&format!("DELETE FROM attempt WHERE job IN {jobs}"), &batch)?;
    for table in ["job", "recipient"] {
        tx.execute(
            &format!("DELETE FROM {table} WHERE batch IN {which}"),
            &batch,
        )?;
    }
    let dropped = tx.query(
        &format!("DELETE FROM batch WHERE id IN {which} RETURNING id"),
        &batch,
    )?;
    Ok(dropped.iter().map(|row| row.integer(0)).collect())
}

/// Lets an account's jobs of `class` take part in the fair share, at most `max_calls` at a time.
///
/// A lane that was idle joins at the present virtual time: it can neither save up turns nor lose them.
///
/// # Errors
/// [`StorageError`].
pub fn activate_lane(
    tx: &mut dyn Transaction,
    account: &str,
    class: i64,
    max_calls: Option<usize>,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO lane(account, class, vtime, active, max_calls)
         VALUES(?1, ?2, (SELECT vtime FROM fair_share), 1, COALESCE(?3, 1))
         ON CONFLICT(account, class) DO UPDATE SET
             vtime = CASE WHEN lane.active = 1 OR lane.vtime > excluded.vtime
                          THEN lane.vtime ELSE excluded.vtime END,
             active = 1,
             max_calls = COALESCE(?3, lane.max_calls)",
        &[account.into(), class.into(), max_calls.into()],
    )?;
    Ok(())
}

/// Notes how many calls at a time a lane may have whose jobs all wait for their time.
///
/// [`promote`] activates it when they are due. Activated before, it would at once be found empty and put
/// to sleep: two writes for every mail.
///
/// # Errors
/// [`StorageError`].
pub fn prepare_lane(
    tx: &mut dyn Transaction,
    account: &str,
    class: i64,
    max_calls: usize,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO lane(account, class, vtime, active, max_calls) VALUES(?1, ?2, 0, 0, ?3)
         ON CONFLICT(account, class) DO UPDATE SET max_calls = ?3 WHERE lane.max_calls <> ?3",
        &[account.into(), class.into(), max_calls.into()],
    )?;
    Ok(())
}

/// The batch `id`.
///
/// # Errors
/// [`StorageError`].
pub fn batch(tx: &mut dyn Transaction, id: i64) -> Result<Option<BatchRow>, StorageError> {
    let row = tx.first(
        "SELECT id, account, door, proof, reference, message_id, reply_to, page_options, documents, expired,
             pages, render_error, jobs, settled, created_at, tier, verification
         FROM batch WHERE id = ?1",
        &[id.into()],
    )?;
    Ok(row.map(|row| batch_row(&row)))
}

/// Notes that the pages of a batch are in its file.
///
/// # Errors
/// [`StorageError`].
pub fn set_pages(tx: &mut dyn Transaction, batch: i64, pages: u32) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE batch SET pages = ?2 WHERE id = ?1",
        &[batch.into(), pages.into()],
    )?;
    Ok(())
}

/// How many jobs of a batch the account's result mail tells of, and how many of those were not sent.
///
/// # Errors
/// [`StorageError`].
pub fn told_by_result(tx: &mut dyn Transaction, batch: i64) -> Result<(i64, i64), StorageError> {
    let row = tx.first(
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN status <> 0 THEN 1 ELSE 0 END), 0)
         FROM job WHERE batch = ?1 AND recipient IS NULL",
        &[batch.into()],
    )?;
    Ok(row.map_or((0, 0), |row| (row.integer(0), row.integer(1))))
}

/// Notes that the documents of a batch can never become pages, and why.
///
/// # Errors
/// [`StorageError`].
pub fn set_render_error(
    tx: &mut dyn Transaction,
    batch: i64,
    reason: &str,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE batch SET render_error = ?2 WHERE id = ?1",
        &[batch.into(), reason.into()],
    )?;
    Ok(())
}

/// Whether a 6002 mail about this list may go out now; if so, none may for the next hour.
///
/// # Errors
/// [`StorageError`].
pub fn may_tell_of_list(
    tx: &mut dyn Transaction,
    account: &str,
    list: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let hour_ago = now.minus(Duration::from_secs(3600));
    let told = tx.execute(
        "INSERT INTO list_notice(account, list, at) VALUES(?1, ?2, ?3)
         ON CONFLICT(account, list) DO UPDATE SET at = ?3 WHERE list_notice.at <= ?4",
        &[account.into(), list.into(), now.into(), hour_ago.into()],
    )?;
    Ok(told > 0)
}

fn batch_row(row: &Row) -> BatchRow {
    BatchRow {
        id: row.integer(0),
        account: row.text(1).to_owned(),
        door: row.text(2).to_owned(),
        proof: row.text(3).to_owned(),
        reference: row.text(4).to_owned(),
        message_id: row.text(5).to_owned(),
        reply_to: row.text(6).to_owned(),
        page_options: row.text(7).to_owned(),
        documents: row.optional_bytes(8),
        expired: row.integer(9) != 0,
        pages: row
            .optional_integer(10)
            .and_then(|pages| u32::try_from(pages).ok()),
        render_error: row.optional_text(11),
        jobs: row.integer(12),
        settled: row.integer(13),
        created_at: Timestamp::from_ms(row.integer(14)),
        tier: row.text(15).to_owned(),
        verification: row.text(16).to_owned(),
    }
}

fn status_of(value: i64) -> Status {
    Status(i32::try_from(value).unwrap_or(i32::MAX))
}

fn destination_of(text: &str) -> Result<Destination, StorageError> {
    Destination::from_canonical(text)
        .ok_or_else(|| StorageError::Damaged("a destination that is no number".into()))
}
