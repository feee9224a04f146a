//! Recipients for which a client said what to report (RFC 3461, NOTIFY). Others have no row: what their
//! account wants holds.

use crate::smtp::Notify;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A recipient and what the client asked about it. A list is one recipient with a job for each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRow {
    /// Identifier.
    pub id: i64,
    /// The batch that has its jobs.
    pub batch: i64,
    /// Its address as the client wrote it.
    pub address: String,
    /// What is reported.
    pub notify: Notify,
    /// ORCPT as reports write it, such as `rfc822; sales@customer.example`.
    pub original: Option<String>,
    /// ENVID, printable ASCII.
    pub envelope_id: Option<String>,
    /// Whether the pages go back with a failure (RET=FULL).
    pub return_pages: bool,
    /// Who gets the reports.
    pub report_to: String,
    /// The author in From.
    pub author: String,
    /// The Date of the mail.
    pub sent_at: Option<Timestamp>,
}

const COLUMNS: &str = "recipient.id, recipient.batch, recipient.address, recipient.notify, recipient.original,
    recipient.envelope_id, recipient.return_pages, recipient.report_to, recipient.author, recipient.sent_at
    FROM recipient";

/// Stores a recipient as one of `batch`.
///
/// # Errors
/// [`StorageError`].
pub fn insert(
    tx: &mut dyn Transaction,
    batch: i64,
    recipient: &RecipientRow,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO recipient(id, batch, address, notify, original, envelope_id, return_pages, report_to, author,
             sent_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        &[
            recipient.id.into(),
            batch.into(),
            (&recipient.address).into(),
            recipient.notify.number().into(),
            recipient.original.clone().into(),
            recipient.envelope_id.clone().into(),
            recipient.return_pages.into(),
            (&recipient.report_to).into(),
            (&recipient.author).into(),
            recipient.sent_at.into(),
        ],
    )?;
    Ok(())
}

/// Removes the recipients of `batch` that no job goes to: the same mail came again, or the same number
/// was asked for twice.
///
/// # Errors
/// [`StorageError`].
pub fn forget_unused(tx: &mut dyn Transaction, batch: i64) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM recipient WHERE batch = ?1 AND id NOT IN (SELECT recipient FROM job WHERE batch = ?1 AND recipient IS NOT NULL)",
        &[batch.into()],
    )?;
    Ok(())
}

/// The recipient `id`.
///
/// # Errors
/// [`StorageError`].
pub fn one(tx: &mut dyn Transaction, id: i64) -> Result<Option<RecipientRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE id = ?1");
    let row = tx.first(&sql, &[id.into()])?;
    Ok(row.map(|row| recipient_row(&row)))
}

/// The recipient that a job goes to; `None` if nothing was asked about it.
///
/// # Errors
/// [`StorageError`].
pub fn of_job(tx: &mut dyn Transaction, job: i64) -> Result<Option<RecipientRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE id = (SELECT recipient FROM job WHERE job.id = ?1)");
    let row = tx.first(&sql, &[job.into()])?;
    Ok(row.map(|row| recipient_row(&row)))
}

/// The recipients of a batch.
///
/// # Errors
/// [`StorageError`].
pub fn of_batch(tx: &mut dyn Transaction, batch: i64) -> Result<Vec<RecipientRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE batch = ?1 ORDER BY id");
    let rows = tx.query(&sql, &[batch.into()])?;
    Ok(rows.iter().map(recipient_row).collect())
}

/// How many jobs of a recipient were sent and how many were not; `None` while one of them is open.
///
/// # Errors
/// [`StorageError`].
pub fn outcome(
    tx: &mut dyn Transaction,
    recipient: i64,
) -> Result<Option<(i64, i64)>, StorageError> {
    let open = tx.first(
        "SELECT 1 FROM job WHERE recipient = ?1 AND settled_at IS NULL LIMIT 1",
        &[recipient.into()],
    )?;
    if open.is_some() {
        return Ok(None);
    }
    let row = tx.first(
        "SELECT COALESCE(SUM(CASE WHEN status = 0 THEN 1 ELSE 0 END), 0), COUNT(*) FROM job WHERE recipient = ?1",
        &[recipient.into()],
    )?;
    Ok(row.map(|row| (row.integer(0), row.integer(1) - row.integer(0))))
}

fn recipient_row(row: &Row) -> RecipientRow {
    RecipientRow {
        id: row.integer(0),
        batch: row.integer(1),
        address: row.text(2).to_owned(),
        notify: Notify::from_number(row.integer(3)),
        original: row.optional_text(4),
        envelope_id: row.optional_text(5),
        return_pages: row.integer(6) != 0,
        report_to: row.text(7).to_owned(),
        author: row.text(8).to_owned(),
        sent_at: row.optional_integer(9).map(Timestamp::from_ms),
    }
}
