//! Jobs of one account as a person looks for them.

use crate::status::Status;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::Value;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::history::COLUMNS;
use crate::storage::jobs::history::job_row;
use crate::time::Timestamp;

/// Which jobs are looked for; what is `None` restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// How they stand.
    pub standing: Option<Standing>,
    /// Where they go.
    pub number: Option<NumberMatch>,
    /// Accepted at this time or later.
    pub from: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
}

/// How a job stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Settled and not sent.
    Failed,
    /// Not settled.
    InProgress,
    /// Sent.
    Sent,
    /// With this status.
    With(Status),
}

/// What of a canonical number is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberMatch {
    /// These digits stand somewhere in it.
    Containing(String),
    /// It is this one.
    Exact(String),
}

/// The newest jobs of `account` first, older than `before` if given, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn search(
    tx: &mut dyn Transaction,
    account: &str,
    search: &Search,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<JobRow>, StorageError> {
    let mut values: Vec<Value> = vec![account.into(), before.unwrap_or(i64::MAX).into()];
    let mut sql =
        format!("SELECT {COLUMNS} WHERE batch.published = 1 AND job.account = ?1 AND job.id < ?2");
    let mut restrict = |condition: &str, value: Value| {
        values.push(value);
        sql += &format!(" AND {condition} ?{}", values.len());
    };
    match search.standing {
        Some(Standing::Failed) => restrict("job.status >", Status::SENT.into()),
        Some(Standing::InProgress) => restrict("job.status <", Status::SENT.into()),
        Some(Standing::Sent) => restrict("job.status =", Status::SENT.into()),
        Some(Standing::With(status)) => restrict("job.status =", status.into()),
        None => {}
    }
    match &search.number {
        Some(NumberMatch::Exact(number)) => restrict("job.destination =", number.into()),
        Some(NumberMatch::Containing(digits)) => {
            restrict("job.destination LIKE", format!("%{digits}%").into());
        }
        None => {}
    }
    if let Some(from) = search.from {
        // An identifier is never older than its job: older ones are not even looked at.
        restrict("job.id >=", Ids::earliest(from).into());
        restrict("job.created_at >=", from.into());
    }
    if let Some(until) = search.until {
        restrict("job.created_at <", until.into());
    }
    values.push(limit.into());
    sql += &format!(" ORDER BY job.id DESC LIMIT ?{}", values.len());
    let rows = tx.query(&sql, &values)?;
    rows.iter().map(job_row).collect()
}
