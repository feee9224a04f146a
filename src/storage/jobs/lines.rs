//! Batches as people look at them: one line for each submission, its totals, its jobs.

use crate::fax::SubAddress;
use crate::status::Status;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::Value;
use crate::storage::jobs::Class;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::Period;
use crate::storage::jobs::Standing;
use crate::storage::jobs::history::COLUMNS;
use crate::storage::jobs::history::job_row;
use crate::time::Timestamp;

/// How many jobs of a batch stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All.
    pub jobs: i64,
    /// Settled and sent.
    pub sent: i64,
    /// Settled and not sent.
    pub failed: i64,
    /// Not settled.
    pub open: i64,
}

/// A submission in the history.
#[derive(Clone, Debug)]
pub struct BatchLine {
    /// The batch.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// The subject without options.
    pub reference: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Its totals.
    pub totals: Totals,
    /// Its job, if it has but one.
    pub only: Option<JobRow>,
}

/// A job's destination, to be sent to once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Canonical destination.
    pub destination: String,
    /// Whom it is for behind the number.
    pub sub_address: Option<SubAddress>,
    /// Name of the contact.
    pub contact: String,
    /// Its class.
    pub class: Class,
}

const LINE: &str =
    "SELECT batch.id, batch.account, batch.reference, batch.created_at, batch.jobs, batch.settled, batch.sent
     FROM batch WHERE batch.published = 1";

/// The newest submissions of `account` first, older than `before` if given, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn lines(
    tx: &mut dyn Transaction,
    account: &str,
    period: Period,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<BatchLine>, StorageError> {
    let (first, end) = period.range(before);
    let mut values: Vec<Value> = vec![account.into(), first.into(), end.into()];
    let period = period.condition("batch", &mut values);
    values.push(limit.into());
    let sql = format!(
        "{LINE} AND batch.account = ?1 AND batch.id >= ?2 AND batch.id < ?3{period} ORDER BY batch.id DESC LIMIT ?{}",
        values.len()
    );
    let rows = tx.query(&sql, &values)?;
    rows.iter().map(|row| with_job(tx, row)).collect()
}

/// The submission `id`.
///
/// # Errors
/// [`StorageError`].
pub fn line(tx: &mut dyn Transaction, id: i64) -> Result<Option<BatchLine>, StorageError> {
    let row = tx.first(&format!("{LINE} AND batch.id = ?1"), &[id.into()])?;
    row.map(|row| with_job(tx, &row)).transpose()
}

/// Jobs of a batch in the order in which they were asked for: after the job `after`, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn children(
    tx: &mut dyn Transaction,
    batch: i64,
    standing: Option<Standing>,
    after: i64,
    limit: usize,
) -> Result<Vec<JobRow>, StorageError> {
    let standing = match standing {
        Some(Standing::Failed) => " AND job.status > 0".to_owned(),
        Some(Standing::InProgress) => " AND job.status < 0".to_owned(),
        Some(Standing::Sent) => " AND job.status = 0".to_owned(),
        Some(Standing::With(status)) => format!(" AND job.status = {}", status.0),
        None => String::new(),
    };
    let sql = format!(
        "SELECT {COLUMNS} WHERE batch.published = 1 AND job.batch = ?1 AND job.id > ?2{standing}
         ORDER BY job.id LIMIT ?3"
    );
    let rows = tx.query(&sql, &[batch.into(), after.into(), limit.into()])?;
    rows.iter().map(job_row).collect()
}

/// Destinations of the settled jobs of a batch: of those that were not sent, or of all. Not of what the lock
/// stopped: of that no documents were kept.
///
/// # Errors
/// [`StorageError`].
pub fn repeats(
    tx: &mut dyn Transaction,
    batch: i64,
    also_sent: bool,
) -> Result<Vec<Repeat>, StorageError> {
    let from = if also_sent { 0 } else { 1 };
    let rows = tx.query(
        "SELECT destination, contact, class, sub_address FROM job WHERE batch = ?1 AND status >= ?2 AND status <> ?3 ORDER BY id",
        &[batch.into(), Value::Integer(from), Status::STOPPED_BY_LOCK.into()],
    )?;
    let repeat = |row: &Row| Repeat {
        destination: row.text(0).to_owned(),
        contact: row.text(1).to_owned(),
        class: Class::from_number(row.integer(2)),
        sub_address: SubAddress::parse(row.text(3)),
    };
    Ok(rows.iter().map(repeat).collect())
}

/// Jobs of a batch that can still be cancelled: those after `after`, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn open_jobs(
    tx: &mut dyn Transaction,
    batch: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<i64>, StorageError> {
    let rows = tx.query(
        "SELECT id FROM job WHERE batch = ?1 AND id > ?2 AND status < 0 ORDER BY id LIMIT ?3",
        &[batch.into(), after.into(), limit.into()],
    )?;
    Ok(rows.iter().map(|row| row.integer(0)).collect())
}

fn with_job(tx: &mut dyn Transaction, row: &Row) -> Result<BatchLine, StorageError> {
    let (id, jobs) = (row.integer(0), row.integer(4));
    let (settled, sent) = (row.integer(5), row.integer(6));
    let only = match jobs {
        1 => {
            let sql = format!("SELECT {COLUMNS} WHERE job.batch = ?1 LIMIT 1");
            let job = tx.first(&sql, &[id.into()])?;
            job.map(|job| job_row(&job)).transpose()?
        }
        _ => None,
    };
    Ok(BatchLine {
        id,
        account: row.text(1).to_owned(),
        reference: row.text(2).to_owned(),
        created_at: Timestamp::from_ms(row.integer(3)),
        totals: Totals {
            jobs,
            sent,
            failed: settled.saturating_sub(sent),
            open: jobs.saturating_sub(settled),
        },
        only,
    })
}
