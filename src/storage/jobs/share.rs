//! Whose jobs wait, and for how long: the operators' look at the queue.

use crate::status::Status;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs::State;
use crate::storage::jobs::status_of;
use crate::time::Timestamp;

/// What one account has in the queue, of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The account's id.
    pub account: String,
    /// Whether these are members of lists, which leave single sends the way.
    pub of_lists: bool,
    /// Jobs that wait, for whatever reason.
    pub waiting: i64,
    /// Calls that go on.
    pub active: i64,
    /// Calls that may go on at a time; 0: not known yet.
    pub most: i64,
    /// How far its lane is behind the one that went last, in thousandths of a call: a larger one has gone more often
    /// lately and waits for the others. `None`: it has no lane yet.
    pub behind: Option<i64>,
    /// When the oldest of them was accepted.
    pub oldest: Timestamp,
}

/// A job that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingJob {
    /// Identifier.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// The canonical number.
    pub destination: String,
    /// Where it is on its way.
    pub state: State,
    /// What the last call ended with, or that none was made.
    pub status: Status,
    /// Calls so far.
    pub attempts: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it goes on, at the earliest.
    pub next_at: Timestamp,
    /// What it waits for, if that is not its turn.
    pub reason: Option<String>,
    /// Whom it is for behind the number; empty: nobody in particular.
    pub sub_address: String,
}

/// The accounts with the most jobs in the queue, at most `limit` lanes.
///
/// # Errors
/// [`StorageError`].
pub fn shares(tx: &mut dyn Transaction, limit: usize) -> Result<Vec<Share>, StorageError> {
    let rows = tx.query(
        "SELECT open.account, open.class, waiting, calls, oldest, lane.max_calls,
             (lane.vtime - (SELECT vtime FROM fair_share)) / 1000
         FROM (SELECT account, class, MIN(created_at) AS oldest,
                 SUM(CASE WHEN state IN (3, 4) THEN 1 ELSE 0 END) AS calls,
                 SUM(CASE WHEN state IN (3, 4) THEN 0 ELSE 1 END) AS waiting
             FROM job WHERE state < 10 GROUP BY account, class ORDER BY COUNT(*) DESC LIMIT ?1) AS open
         LEFT JOIN lane ON lane.account = open.account AND lane.class = open.class
         ORDER BY waiting + calls DESC, open.account, open.class",
        &[limit.into()],
    )?;
    let share = |row: &Row| Share {
        account: row.text(0).to_owned(),
        of_lists: row.integer(1) != 0,
        waiting: row.integer(2),
        active: row.integer(3),
        oldest: Timestamp::from_ms(row.integer(4)),
        most: row.integer(5),
        behind: row.optional_integer(6),
    };
    Ok(rows.iter().map(share).collect())
}

/// The jobs that have waited longest, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn oldest_waiting(
    tx: &mut dyn Transaction,
    limit: usize,
) -> Result<Vec<WaitingJob>, StorageError> {
    let rows = tx.query(
        "SELECT id, account, destination, state,
             COALESCE((SELECT status FROM attempt WHERE job = job.id ORDER BY n DESC LIMIT 1), status),
             attempts, created_at, next_at, reason, sub_address
         FROM job WHERE state < 10 AND state NOT IN (3, 4) ORDER BY id LIMIT ?1",
        &[limit.into()],
    )?;
    let waiting = |row: &Row| {
        Ok(WaitingJob {
            id: row.integer(0),
            account: row.text(1).to_owned(),
            destination: row.text(2).to_owned(),
            state: State::from_number(row.integer(3))?,
            status: status_of(row.integer(4)),
            attempts: row.integer(5),
            created_at: Timestamp::from_ms(row.integer(6)),
            next_at: Timestamp::from_ms(row.integer(7)),
            reason: row.optional_text(8),
            sub_address: row.text(9).to_owned(),
        })
    };
    rows.iter().map(waiting).collect()
}
