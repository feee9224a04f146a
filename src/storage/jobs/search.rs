//! Jobs of one account as a person looks for them.

use std::time::Duration;

use crate::status::Status;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::Value;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::history::COLUMNS;
use crate::storage::jobs::history::job_row;
use crate::time::Timestamp;

/// Jobs that a search for some digits looks at before it answers with what it has: all of a million would take
/// most of a second.
const LOOKED_AT: usize = 25_000;
/// How far identifiers may run ahead of the clock: they do after it was set back, as it is by time servers.
const AHEAD: Duration = Duration::from_secs(3600);

/// Which jobs are looked for; what is `None` restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// How they stand.
    pub standing: Option<Standing>,
    /// Where they go.
    pub number: Option<NumberMatch>,
    /// When they were accepted.
    pub period: Period,
}

/// A time in which something was accepted; what is `None` restricts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
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

/// A page of what was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The newest first.
    pub rows: Vec<JobRow>,
    /// Where the next page begins: older than this job. `None`: there is no more.
    pub next: Option<i64>,
}

impl Standing {
    /// The condition that an index of the history is made for, with literal numbers: only those lead to it.
    fn condition(self) -> String {
        match self {
            Self::Failed => " AND job.status > 0".to_owned(),
            Self::InProgress => " AND job.status < 0".to_owned(),
            Self::Sent => " AND job.status >= 0 AND job.status = 0".to_owned(),
            Self::With(Status(status)) => {
                let side = if status < 0 { "<" } else { ">=" };
                format!(" AND job.status {side} 0 AND job.status = {status}")
            }
        }
    }
}

impl Period {
    /// The identifiers in which everything lies, older than `before` if given: the first of them, and the one behind
    /// the last. One bound on each side, because an index is read from one only.
    pub(super) fn range(self, before: Option<i64>) -> (i64, i64) {
        // An identifier is never older than what it names.
        let first = self.from.map_or(0, Ids::earliest);
        let until = self.until.map(|until| Ids::earliest(until.plus(AHEAD)));
        let end = before.into_iter().chain(until).min();
        (first, end.unwrap_or(i64::MAX))
    }

    /// The further conditions on `table`.
    pub(super) fn condition(self, table: &str, values: &mut Vec<Value>) -> String {
        let mut sql = String::new();
        let bounds = [(">=", self.from), ("<", self.until)];
        for (comparison, at) in bounds {
            if let Some(at) = at {
                values.push(at.into());
                sql += &format!(" AND {table}.created_at {comparison} ?{}", values.len());
            }
        }
        sql
    }
}

/// The newest jobs of `account` first, older than `before` if given, at most `limit`. A search for digits may end
/// with fewer although there are more: then `next` says from where to go on.
///
/// # Errors
/// [`StorageError`].
pub fn search(
    tx: &mut dyn Transaction,
    account: &str,
    search: &Search,
    before: Option<i64>,
    limit: usize,
) -> Result<Found, StorageError> {
    let (first, end) = search.period.range(before);
    let mut values: Vec<Value> = vec![account.into(), first.into(), end.into()];
    // With two bounds an index without the number would look better than the one that has it.
    let least = match search.number {
        Some(NumberMatch::Exact(_)) => "+job.id",
        Some(NumberMatch::Containing(_)) | None => "job.id",
    };
    let mut sql = format!(" AND job.account = ?1 AND {least} >= ?2 AND job.id < ?3");
    sql += &search.period.condition("job", &mut values);
    sql += &search.standing.map(Standing::condition).unwrap_or_default();
    let mut floor = None;
    match &search.number {
        Some(NumberMatch::Exact(number)) => {
            values.push(number.into());
            sql += &format!(" AND job.destination = ?{}", values.len());
        }
        Some(NumberMatch::Containing(digits)) => {
            floor = last_looked_at(tx, &sql, &values)?;
            if let (Some(floor), Some(first)) = (floor, values.get_mut(1)) {
                *first = floor.into();
            }
            values.push(format!("%{digits}%").into());
            sql += &format!(" AND job.destination LIKE ?{}", values.len());
        }
        None => {}
    }
    values.push(limit.saturating_add(1).into());
    let sql = format!(
        "SELECT {COLUMNS} WHERE batch.published = 1{sql} ORDER BY job.id DESC LIMIT ?{}",
        values.len()
    );
    let rows = tx.query(&sql, &values)?;
    let mut rows = rows.iter().map(job_row).collect::<Result<Vec<_>, _>>()?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|job| job.id);
    Ok(Found {
        next: if more { last } else { floor },
        rows,
    })
}

/// The oldest job that this search looks at; `None` if it looks at all.
fn last_looked_at(
    tx: &mut dyn Transaction,
    conditions: &str,
    values: &[Value],
) -> Result<Option<i64>, StorageError> {
    let conditions = conditions.trim_start_matches(" AND ");
    let sql = format!(
        "SELECT job.id FROM job WHERE {conditions} ORDER BY job.id DESC LIMIT 1 OFFSET {}",
        LOOKED_AT - 1
    );
    Ok(tx.first(&sql, values)?.map(|row| row.integer(0)))
}
