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
    /// Who acted: an account's id, or `command`; `None` where nobody did.
    pub actor: Option<String>,
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
        "INSERT INTO event(id, at, kind, account, batch, job, received, sender, detail, actor)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
            event.actor.clone().into(),
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
    Ok(rows.iter().map(|row| event_row(row, 0)).collect())
}

/// The newest event; 0 if there is none.
///
/// # Errors
/// [`StorageError`].
pub fn newest(tx: &mut dyn Transaction) -> Result<i64, StorageError> {
    let row = tx.first("SELECT COALESCE(MAX(id), 0) FROM event", &[])?;
    Ok(row.map_or(0, |row| row.integer(0)))
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

/// Whose acts are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Everybody's.
    All,
    /// What was done to this account, and what it did.
    Account(&'a str),
}

/// Part of the audit trail, the newest first: acts, locks, unlocks and logins older than the event `before`.
///
/// # Errors
/// [`StorageError`].
pub fn audit(
    tx: &mut dyn Transaction,
    whose: Whose<'_>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<EventRow>, StorageError> {
    let before = before.unwrap_or(i64::MAX);
    let rows = match whose {
        Whose::All => tx.query(
            &format!(
                "SELECT {COLUMNS} FROM event WHERE {AUDITED} AND id < ?1 ORDER BY id DESC LIMIT ?2"
            ),
            &[before.into(), limit.into()],
        )?,
        // Two walks along two indexes, each of which ends at the limit.
        Whose::Account(account) => tx.query(
            &format!(
                "SELECT {COLUMNS} FROM event WHERE id IN (
                     SELECT id FROM (SELECT id FROM event WHERE account = ?1 AND {AUDITED} AND id < ?2
                         ORDER BY id DESC LIMIT ?3) AS about
                     UNION SELECT id FROM (SELECT id FROM event WHERE actor = ?1 AND id < ?2
                         ORDER BY id DESC LIMIT ?3) AS by_it)
                 ORDER BY id DESC LIMIT ?3"
            ),
            &[account.into(), before.into(), limit.into()],
        )?,
    };
    Ok(rows.iter().map(|row| event_row(row, 0)).collect())
}

/// The last logins of an account at the account web, the newest first.
///
/// # Errors
/// [`StorageError`].
pub fn logins(
    tx: &mut dyn Transaction,
    account: &str,
    limit: usize,
) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM event WHERE account = ?1 AND {AUDITED} AND kind = 'logged-in'
             ORDER BY id DESC LIMIT ?2"
        ),
        &[account.into(), limit.into()],
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

pub(super) const COLUMNS: &str =
    "id, at, kind, account, batch, job, received, sender, detail, actor";

/// The kinds of the audit trail, to the letter as its indexes have them.
const AUDITED: &str = "kind IN ('acted', 'locked', 'unlocked', 'logged-in')";

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
        actor: row.optional_text(first + 9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::scratch;

    fn event(id: i64, kind: &str, account: &str, actor: Option<&str>) -> EventRow {
        EventRow {
            id,
            kind: kind.to_owned(),
            account: account.to_owned(),
            actor: actor.map(str::to_owned),
            detail: "{}".to_owned(),
            ..EventRow::default()
        }
    }

    #[tokio::test]
    async fn the_audit_trail_of_an_account_is_what_was_done_to_it_and_by_it() {
        let (_dir, store) = scratch();
        let events = [
            event(1, "logged-in", "tanaka", None),
            event(2, "acted", "sato", Some("tanaka")),
            event(3, "acted", "tanaka", Some("tanaka")),
            event(4, "attempted", "tanaka", None),
            event(5, "locked", "sato", None),
            event(6, "unlocked", "tanaka", None),
            event(7, "acted", "tanaka", Some("sato")),
        ];
        let written = store.write(move |tx| events.iter().try_for_each(|event| add(tx, event)));
        written.await.unwrap();
        let ids = |whose, before, limit| {
            let found = store.read_here(|tx| audit(tx, whose, before, limit));
            let found = found.unwrap().into_iter().map(|event| event.id);
            found.collect::<Vec<_>>()
        };
        let tanaka = Whose::Account("tanaka");
        assert_eq!(ids(tanaka, None, 10), [7, 6, 3, 2, 1]);
        assert_eq!(ids(tanaka, None, 2), [7, 6]);
        assert_eq!(ids(tanaka, Some(6), 2), [3, 2]);
        assert_eq!(ids(tanaka, Some(2), 2), [1]);
        assert_eq!(ids(Whose::All, Some(7), 3), [6, 5, 3]);
        let logins = store.read_here(|tx| logins(tx, "tanaka", 5)).unwrap();
        assert_eq!(logins.len(), 1);
    }

    #[tokio::test]
    async fn the_audit_trail_is_read_along_its_indexes() {
        let (_dir, store) = scratch();
        let plan = |sql: &str| {
            let sql =
                format!("EXPLAIN QUERY PLAN SELECT id FROM event WHERE {sql} ORDER BY id DESC");
            let rows = store.read_here(|tx| tx.query(&sql, &[])).unwrap();
            rows.iter()
                .map(|row| row.text(3).to_owned())
                .collect::<String>()
        };
        for (sql, index) in [
            (AUDITED.to_owned(), "event_audit"),
            (
                format!("account = 'a' AND {AUDITED}"),
                "event_audit_account",
            ),
            ("actor = 'a'".to_owned(), "event_actor"),
        ] {
            let plan = plan(&sql);
            assert!(
                plan.contains(index) && !plan.contains("TEMP"),
                "{sql}: {plan}"
            );
        }
    }
}
