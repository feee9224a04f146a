//! The audit trail as stored: the events that tell who did what, in a chain of hashes (T28).
//!
//! Each row's hash is made over the hash of the row before and over everything that its event says, in the
//! transaction that writes the event; one writer at a time makes the order total. Whoever changes, removes or
//! adds an event behind our back leaves a chain that does not fit. Retention removes rows from the beginning
//! only and keeps the hash of the last one as the anchor.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::Value;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::time::Timestamp;

/// The kinds of events that are chained, as the schema's index has them too.
const KINDS: [&str; 5] = ["acted", "locked", "unlocked", "logged-in", "logged-out"];
/// Rows that are looked at in one step.
const STEP: usize = 2000;
/// Faults that are told at most.
const MOST_FAULTS: usize = 100;

/// A row of the chain and what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the chain, from 1.
    pub n: i64,
    /// Who did it: an account's id, `command`; empty for nobody in particular.
    pub actor: String,
    /// What was done, in one word.
    pub act: String,
    /// The event; `None` if somebody has removed it.
    pub event: Option<EventRow>,
    /// When.
    pub at: Timestamp,
    /// The account that was acted on.
    pub account: String,
}

/// Which rows are asked for; `None` is any.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The account that was acted on.
    pub account: Option<String>,
    /// Who acted.
    pub actor: Option<String>,
    /// What was done.
    pub act: Option<String>,
}

/// What is wrong with a row of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The event is not what was written, or the row before it is not.
    Changed,
    /// Rows before this one are gone.
    Gap,
    /// The event is gone.
    Missing,
    /// An event of the trail that is not in the chain: somebody added it.
    Outside,
}

impl Fault {
    /// The word for listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Gap => "gap",
            Self::Missing => "missing",
            Self::Outside => "outside",
        }
    }
}

/// A place at which the chain breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The place in the chain; `None` for an event outside of it.
    pub n: Option<i64>,
    /// The event's identifier.
    pub event: i64,
    /// When it says that it happened.
    pub at: Timestamp,
    /// What is wrong.
    pub fault: Fault,
}

/// What became of a look at the whole chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that were looked at.
    pub rows: usize,
    /// Up to which row retention has removed the beginning; 0: nothing was removed.
    pub removed: i64,
    /// The last row as `n:hash`: what a copy that is kept elsewhere is compared with. `None`: there is none yet.
    pub head: Option<String>,
    /// Where it breaks, at most a hundred places; empty if it is whole.
    pub broken: Vec<Broken>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Adds `event`, which is written in this transaction, to the chain if its kind belongs to the trail.
///
/// Its link is `n:hash`, for the log: a copy of it outside of the database shows whether the end was cut off.
///
/// # Errors
/// [`StorageError`].
pub fn chain(tx: &mut dyn Transaction, event: &EventRow) -> Result<Option<String>, StorageError> {
    if !KINDS.contains(&event.kind.as_str()) {
        return Ok(None);
    }
    let last = tx.first(
        "SELECT n, hash FROM (SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1)
         UNION ALL SELECT n, hash FROM audit_anchor ORDER BY n DESC LIMIT 1",
        &[],
    )?;
    let last = last.ok_or_else(|| StorageError::Damaged("audit_anchor".to_owned()))?;
    let n = last.integer(0).saturating_add(1);
    let hash = hash(&last.optional_bytes(1).unwrap_or_default(), n, event);
    let (actor, act) = told(event);
    tx.execute(
        "INSERT INTO audit(n, event, at, account, actor, act, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            n.into(),
            event.id.into(),
            event.at.into(),
            (&event.account).into(),
            actor.into(),
            act.into(),
            hash.as_slice().into(),
        ],
    )?;
    Ok(Some(link(n, &hash)))
}

/// The newest rows first, before the place `before` in the chain if given, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn list(
    tx: &mut dyn Transaction,
    asked: &Asked,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<AuditRow>, StorageError> {
    let mut sql = format!(
        "SELECT {} FROM audit LEFT JOIN event ON event.id = audit.event",
        columns()
    );
    let mut values: Vec<Value> = vec![before.unwrap_or(i64::MAX).into(), limit.into()];
    sql.push_str(" WHERE n < ?1");
    for (column, wanted) in [
        ("account", &asked.account),
        ("actor", &asked.actor),
        ("act", &asked.act),
    ] {
        if let Some(wanted) = wanted {
            values.push(wanted.into());
            // Writing to a text cannot fail.
            let _ = write!(sql, " AND audit.{column} = ?{}", values.len());
        }
    }
    sql.push_str(" ORDER BY n DESC LIMIT ?2");
    Ok(tx.query(&sql, &values)?.iter().map(audit_row).collect())
}

/// The words of acts that the chain has, in their order.
///
/// # Errors
/// [`StorageError`].
pub fn acts(tx: &mut dyn Transaction) -> Result<Vec<String>, StorageError> {
    // Goes from word to word in the index: there are few words and may be many rows.
    let rows = tx.query(
        "WITH RECURSIVE word(act) AS (SELECT MIN(act) FROM audit
             UNION ALL SELECT (SELECT MIN(act) FROM audit WHERE audit.act > word.act) FROM word WHERE act IS NOT NULL)
         SELECT act FROM word WHERE act IS NOT NULL",
        &[],
    )?;
    Ok(rows.iter().map(|row| row.text(0).to_owned()).collect())
}

/// Looks at the chain from its anchor, or from behind the newest `most` rows if given, to its end.
///
/// # Errors
/// [`StorageError`].
pub fn verify(tx: &mut dyn Transaction, most: Option<usize>) -> Result<Verdict, StorageError> {
    let mut walk = Walk::default();
    if let Some(most) = most {
        let start = tx.first(
            "SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1 OFFSET ?1",
            &[most.into()],
        )?;
        walk.last = start.map(|row| (row.integer(0), row.optional_bytes(1).unwrap_or_default()));
    }
    let sql = format!(
        "SELECT {}, audit.hash, anchor.n, anchor.hash FROM audit JOIN audit_anchor AS anchor
         LEFT JOIN event ON event.id = audit.event WHERE audit.n > ?1 ORDER BY audit.n LIMIT ?2",
        columns()
    );
    loop {
        let behind = walk.last.as_ref().map_or(0, |(n, _)| *n);
        let rows = tx.query(&sql, &[behind.into(), STEP.into()])?;
        for row in &rows {
            walk.step(row);
        }
        if rows.len() < STEP || walk.verdict.broken.len() >= MOST_FAULTS {
            break;
        }
    }
    outside(tx, &mut walk.verdict)?;
    let anchor = tx.first("SELECT n FROM audit_anchor", &[])?;
    walk.verdict.removed = anchor.map_or(0, |row| row.integer(0));
    walk.verdict.head = walk.last.map(|(n, hash)| link(n, &hash));
    walk.verdict.broken.truncate(MOST_FAULTS);
    Ok(walk.verdict)
}

/// Whether the chain has the row that `known`, a link `n:hash` that was kept elsewhere, tells of; `None` if
/// retention has removed it.
///
/// # Errors
/// [`StorageError`].
pub fn has(tx: &mut dyn Transaction, known: &str) -> Result<Option<bool>, StorageError> {
    let n = known
        .split_once(':')
        .and_then(|(n, _)| n.parse::<i64>().ok());
    let row = tx.first(
        "SELECT audit.hash, anchor.n, anchor.hash FROM audit_anchor AS anchor LEFT JOIN audit ON audit.n = ?1",
        &[n.into()],
    )?;
    let (Some(n), Some(row)) = (n, row) else {
        return Ok(Some(false));
    };
    let is = |column| {
        let hash = row.optional_bytes(column);
        hash.is_some_and(|hash| link(n, &hash) == known.to_lowercase())
    };
    Ok(match n.cmp(&row.integer(1)) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(is(2)),
        std::cmp::Ordering::Greater => Some(is(0)),
    })
}

/// Removes up to 2,000 rows from the beginning of the chain that are older than `before`, with their events;
/// the last one becomes the anchor. Returns how many went.
///
/// # Errors
/// [`StorageError`].
pub fn purge(tx: &mut dyn Transaction, before: Timestamp) -> Result<usize, StorageError> {
    let rows = tx.query(
        "SELECT n, hash, at FROM audit ORDER BY n LIMIT ?1",
        &[STEP.into()],
    )?;
    let is_old = |row: &&Row| row.integer(2) < before.as_ms();
    let Some(last) = rows.iter().take_while(is_old).last() else {
        return Ok(0);
    };
    let n = [last.integer(0).into()];
    tx.execute(
        "DELETE FROM event WHERE id IN (SELECT event FROM audit WHERE n <= ?1)",
        &n,
    )?;
    let removed = tx.execute("DELETE FROM audit WHERE n <= ?1", &n)?;
    tx.execute(
        "UPDATE audit_anchor SET n = ?1, hash = ?2",
        &[
            last.integer(0).into(),
            last.optional_bytes(1).unwrap_or_default().into(),
        ],
    )?;
    Ok(removed)
}

/// A walk along the chain.
#[derive(Default)]
struct Walk {
    verdict: Verdict,
    /// The row before, as it is stored: behind a fault the chain is looked at further.
    last: Option<(i64, Vec<u8>)>,
}

impl Walk {
    fn step(&mut self, row: &Row) {
        let found = audit_row(row);
        let at_hash = OWN + events::COLUMNS.split(',').count();
        let at_anchor = at_hash + 1;
        let stored = row.optional_bytes(at_hash).unwrap_or_default();
        let anchor = row.optional_bytes(at_anchor + 1).unwrap_or_default();
        let follows = |n: i64| n.saturating_add(1) == found.n;
        let before = match &self.last {
            // Retention may have gone on meanwhile: then the anchor is the row before.
            _ if follows(row.integer(at_anchor)) => Some(anchor),
            Some((n, hash)) if follows(*n) => Some(hash.clone()),
            Some(_) | None => None,
        };
        let copies = |event: &EventRow| {
            let (actor, act) = told(event);
            let same = (&found.actor, &found.act, &found.account) == (&actor, &act, &event.account);
            same && found.at == event.at
        };
        let fault = match (&before, &found.event) {
            (None, _) => Some(Fault::Gap),
            (Some(_), None) => Some(Fault::Missing),
            (Some(before), Some(event)) => {
                let fits = hash(before, found.n, event).as_slice() == stored && copies(event);
                (!fits).then_some(Fault::Changed)
            }
        };
        self.verdict.rows += 1;
        self.verdict.broken.extend(fault.map(|fault| Broken {
            n: Some(found.n),
            event: row.integer(0),
            at: found.at,
            fault,
        }));
        self.last = Some((found.n, stored));
    }
}

/// Finds events of the trail that are not in the chain.
fn outside(tx: &mut dyn Transaction, verdict: &mut Verdict) -> Result<(), StorageError> {
    let kinds = KINDS.map(|kind| format!("'{kind}'")).join(", ");
    let sql = format!(
        "SELECT id, at FROM event WHERE kind IN ({kinds}) AND id > (SELECT since FROM audit_anchor)
         AND NOT EXISTS (SELECT 1 FROM audit WHERE audit.event = event.id) ORDER BY id LIMIT ?1"
    );
    let rows = tx.query(&sql, &[MOST_FAULTS.into()])?;
    verdict.broken.extend(rows.iter().map(|row| Broken {
        n: None,
        event: row.integer(0),
        at: Timestamp::from_ms(row.integer(1)),
        fault: Fault::Outside,
    }));
    Ok(())
}

/// Who did what, for the columns that are searched.
fn told(event: &EventRow) -> (String, String) {
    let detail = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    let text = |name: &str| detail.get(name).and_then(Json::as_str).map(str::to_owned);
    let own = event
        .kind
        .starts_with("logged-")
        .then(|| event.account.clone());
    let actor = text("by").or(own).unwrap_or_default();
    let act = Some("acted").filter(|kind| event.kind == *kind);
    let act = act.and_then(|_| text("what"));
    (actor, act.unwrap_or_else(|| event.kind.clone()))
}

/// Every field with its length, so that no two events are written alike.
fn hash(before: &[u8], n: i64, event: &EventRow) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let number = |number: Option<i64>| number.map_or_else(Vec::new, |n| n.to_be_bytes().to_vec());
    let fields = [
        before.to_vec(),
        number(Some(n)),
        number(Some(event.id)),
        number(Some(event.at.as_ms())),
        event.kind.clone().into_bytes(),
        event.account.clone().into_bytes(),
        number(event.batch),
        number(event.job),
        number(event.received),
        event.sender.clone().unwrap_or_default().into_bytes(),
        event.detail.clone().into_bytes(),
        event.actor.clone().unwrap_or_default().into_bytes(),
    ];
    for field in &fields {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        hasher.update(&length.to_be_bytes());
        hasher.update(field);
    }
    *hasher.finalize().as_bytes()
}

fn link(n: i64, hash: &[u8]) -> String {
    let mut link = format!("{n}:");
    for byte in hash {
        // Writing to a text cannot fail.
        let _ = write!(link, "{byte:02x}");
    }
    link
}

/// Columns of the trail's own that [`columns`] names before those of the event.
const OWN: usize = 6;

fn columns() -> String {
    let event = events::COLUMNS
        .split(", ")
        .map(|column| format!("event.{column}"));
    let event = event.collect::<Vec<_>>().join(", ");
    format!("audit.event, audit.n, audit.at, audit.account, audit.actor, audit.act, {event}")
}

fn audit_row(row: &Row) -> AuditRow {
    let is_there = row.optional_integer(OWN).is_some();
    AuditRow {
        n: row.integer(1),
        at: Timestamp::from_ms(row.integer(2)),
        account: row.text(3).to_owned(),
        actor: row.text(4).to_owned(),
        act: row.text(5).to_owned(),
        event: is_there.then(|| events::event_row(row, OWN)),
    }
}

#[cfg(test)]
mod tests;
