//! Who is dialled next, and what came of it.

use crate::fax::Destination;
use crate::fax::StepDown;
use crate::fax::SubAddress;
use crate::status::Status;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs::Class;
use crate::storage::jobs::State;
use crate::storage::jobs::activate_lane;
use crate::storage::jobs::destination_of;
use crate::storage::jobs::settle::forget_claim;
use crate::time::Timestamp;

/// Lanes looked at in one claim; a busy destination parks its jobs, so a few are enough.
const MOST_LOOKS: usize = 64;

/// The lane that goes next. A lease is always positive; saying so leads to the index of active jobs,
/// without which every job the account ever had would be counted.
pub(super) const NEXT_LANE: &str = "SELECT account, class, vtime FROM lane
    WHERE active = 1 AND (SELECT COUNT(*) FROM job
        WHERE job.account = lane.account AND state IN (3, 4) AND lease_until > 0) < max_calls
    ORDER BY vtime, class LIMIT 1";

/// A job that this process may dial while its lease holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The job.
    pub job: i64,
    /// Its batch.
    pub batch: i64,
    /// The account's id.
    pub account: String,
    /// Where to.
    pub destination: Destination,
    /// Which attempt this will be, from 1.
    pub attempt: u32,
    /// Guards every later write: a newer claim has another one.
    pub fence: i64,
    /// How its calls go on from those before.
    pub course: Course,
}

/// What the next call of a job takes over from those before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Whom it is for behind the number.
    pub sub_address: Option<SubAddress>,
    /// Pages that the far end confirmed in earlier calls: the next one sends those behind.
    pub confirmed: u32,
    /// How carefully it is made.
    pub step: StepDown,
    /// Whether its pages have half the lines, because the far end could not take them all.
    pub coarse: bool,
    /// Since when no line has been in service for it.
    pub waiting_since: Option<Timestamp>,
    /// Whether it was cancelled while somebody had it: it is not called any more.
    pub cancelled: bool,
}

const COURSE: &str = "sub_address, pages_sent, step_down, coarse, waiting_since, cancel";

/// The course in a row, from the column `at` on.
fn course(row: &Row, at: usize) -> Result<Course, StorageError> {
    let damaged = |what: &str| StorageError::Damaged(format!("{what} of a job"));
    let sub_address = match row.text(at) {
        "" => None,
        text => Some(SubAddress::parse(text).ok_or_else(|| damaged("the sub-address"))?),
    };
    let step = StepDown::from_number(row.integer(at + 2));
    Ok(Course {
        sub_address,
        confirmed: u32::try_from(row.integer(at + 1)).unwrap_or_default(),
        step: step.ok_or_else(|| damaged("the step"))?,
        coarse: row.integer(at + 3) != 0,
        waiting_since: row.optional_integer(at + 4).map(Timestamp::from_ms),
        cancelled: row.integer(at + 5) != 0,
    })
}

/// The next job in fair order, leased to `owner` until `lease_until`.
///
/// # Errors
/// [`StorageError`].
pub fn claim(
    tx: &mut dyn Transaction,
    owner: i64,
    lease_until: Timestamp,
) -> Result<Option<Claim>, StorageError> {
    for _ in 0..MOST_LOOKS {
        let Some(lane) = tx.first(NEXT_LANE, &[])? else {
            return Ok(None);
        };
        let (account, class) = (lane.text(0).to_owned(), lane.integer(1));
        let vtime = lane.integer(2);
        let Some(job) = tx.first(
            &format!(
                "SELECT id, batch, destination, attempts, fence, {COURSE} FROM job
                 WHERE account = ?1 AND class = ?2 AND state = 1 ORDER BY id LIMIT 1"
            ),
            &[(&account).into(), class.into()],
        )?
        else {
            tx.execute(
                "UPDATE lane SET active = 0 WHERE account = ?1 AND class = ?2",
                &[(&account).into(), class.into()],
            )?;
            continue;
        };
        let (id, destination) = (job.integer(0), job.text(2).to_owned());
        if !take_slot(tx, &account, class, &destination, id)? {
            continue;
        }
        tx.execute(
            "UPDATE job SET state = 3, status = ?4, owner = ?2, lease_until = ?3, fence = fence + 1,
                 attempts = attempts + 1
             WHERE id = ?1",
            &[id.into(), owner.into(), lease_until.into(), Status::SENDING.into()],
        )?;
        tx.execute(
            "UPDATE lane SET vtime = vtime + ?3 WHERE account = ?1 AND class = ?2",
            &[(&account).into(), class.into(), Class::step(class).into()],
        )?;
        tx.execute(
            "UPDATE fair_share SET vtime = ?1 WHERE vtime < ?1",
            &[vtime.into()],
        )?;
        return Ok(Some(Claim {
            job: id,
            batch: job.integer(1),
            account,
            destination: destination_of(&destination)?,
            attempt: u32::try_from(job.integer(3) + 1).unwrap_or(u32::MAX),
            fence: job.integer(4) + 1,
            course: course(&job, 5)?,
        }));
    }
    Ok(None)
}

/// One call at a time to a destination: if one is going on, all ready jobs of this lane to it are
/// parked in one statement, so that a thousand of them cost one look.
fn take_slot(
    tx: &mut dyn Transaction,
    account: &str,
    class: i64,
    destination: &str,
    job: i64,
) -> Result<bool, StorageError> {
    let taken = tx.execute(
        "INSERT INTO destination_slot(destination, job) VALUES(?1, ?2) ON CONFLICT(destination) DO NOTHING",
        &[destination.into(), job.into()],
    )?;
    if taken == 0 {
        tx.execute(
            "UPDATE job SET state = 2 WHERE account = ?1 AND class = ?2 AND destination = ?3 AND state = 1",
            &[account.into(), class.into(), destination.into()],
        )?;
    }
    Ok(taken > 0)
}

pub(super) fn free_slot(
    tx: &mut dyn Transaction,
    destination: &str,
    job: i64,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM destination_slot WHERE destination = ?1 AND job = ?2",
        &[destination.into(), job.into()],
    )?;
    let next = tx.first(
        "UPDATE job SET state = 1 WHERE id = (SELECT id FROM job WHERE destination = ?1 AND state = 2
             ORDER BY class, id LIMIT 1)
         RETURNING account, class",
        &[destination.into()],
    )?;
    match next {
        Some(row) => activate_lane(tx, row.text(0), row.integer(1), None),
        None => Ok(()),
    }
}

/// Whether somebody cancelled this job after it was claimed.
///
/// # Errors
/// [`StorageError`].
pub fn is_cancelled(tx: &mut dyn Transaction, claim: &Claim) -> Result<bool, StorageError> {
    let row = tx.first(
        "SELECT 1 FROM job WHERE id = ?1 AND fence = ?2 AND cancel = 1",
        &[claim.job.into(), claim.fence.into()],
    )?;
    Ok(row.is_some())
}

/// Records the dial before it happens (promise P3). `false`: the lease is lost or the job cancelled, do
/// not dial.
///
/// # Errors
/// [`StorageError`]; then do not dial either.
pub fn start_attempt(
    tx: &mut dyn Transaction,
    claim: &Claim,
    owner: i64,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let moved = tx.execute(
        // Why it waited before is no news any more.
        "UPDATE job SET state = 4, reason = NULL WHERE id = ?1 AND state = 3 AND fence = ?2 AND owner = ?3 AND lease_until > ?4
             AND cancel = 0",
        &[claim.job.into(), claim.fence.into(), owner.into(), now.into()],
    )?;
    if moved == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO attempt(job, n, fence, destination, started_at, first_page, pages_sent)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT(job, n) DO UPDATE SET fence = ?3, started_at = ?5, first_page = ?6, pages_sent = ?6",
        &[
            claim.job.into(),
            claim.attempt.into(),
            claim.fence.into(),
            claim.destination.canonical().into(),
            now.into(),
            claim.course.confirmed.into(),
        ],
    )?;
    Ok(true)
}

/// Prolongs the leases of jobs that `owner` is really working on. A claim that nobody works on runs out.
///
/// # Errors
/// [`StorageError`].
pub fn renew(
    tx: &mut dyn Transaction,
    owner: i64,
    at_work: &[i64],
    lease_until: Timestamp,
) -> Result<(), StorageError> {
    for job in at_work {
        tx.execute(
            "UPDATE job SET lease_until = ?3 WHERE id = ?1 AND owner = ?2 AND state IN (3, 4)",
            &[(*job).into(), owner.into(), lease_until.into()],
        )?;
    }
    Ok(())
}

/// Lets what is due go on: pending and sleeping jobs whose time has come, staged jobs of published
/// batches, parked jobs whose destination is free. Returns whether anything moved.
///
/// # Errors
/// [`StorageError`].
pub fn promote(tx: &mut dyn Transaction, now: Timestamp) -> Result<bool, StorageError> {
    const AT_ONCE: i64 = 2_000;
    let due = tx.query(
        "UPDATE job SET state = 1, status = CASE WHEN attempts = 0 THEN ?3 ELSE status END
         WHERE id IN (SELECT id FROM job WHERE state IN (0, 5) AND next_at <= ?1 ORDER BY next_at LIMIT ?2)
         RETURNING account, class",
        &[now.into(), AT_ONCE.into(), Status::READY.into()],
    )?;
    let staged = tx.query(
        "UPDATE job SET state = CASE WHEN next_at > ?1 THEN 0 ELSE 1 END
         WHERE id IN (SELECT job.id FROM job JOIN batch ON batch.id = job.batch
             WHERE job.state = 6 AND batch.published = 1 LIMIT ?2)
         RETURNING account, class",
        &[now.into(), AT_ONCE.into()],
    )?;
    let freed = tx.query(
        // One for each destination: the others would only be parked again.
        "UPDATE job SET state = 1 WHERE id IN (SELECT MIN(id) FROM job AS parked WHERE state = 2
             AND NOT EXISTS (SELECT 1 FROM destination_slot s WHERE s.destination = parked.destination)
             AND NOT EXISTS (SELECT 1 FROM job r WHERE r.destination = parked.destination AND r.state = 1)
             GROUP BY destination LIMIT ?1)
         RETURNING account, class",
        &[AT_ONCE.into()],
    )?;
    let moved = due.iter().chain(&staged).chain(&freed);
    let mut lanes: Vec<_> = moved.map(|row| (row.text(0), row.integer(1))).collect();
    lanes.sort_unstable();
    lanes.dedup();
    for (account, class) in &lanes {
        activate_lane(tx, account, *class, None)?;
    }
    Ok(!lanes.is_empty())
}

/// A call that was going on when the process that made it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialled {
    /// The claim as it was.
    pub claim: Claim,
    /// When it was dialled.
    pub started_at: Timestamp,
}

/// Claims that nobody holds any more, at `now`, go back; calls among them are returned, to be resolved.
///
/// # Errors
/// [`StorageError`].
pub fn dialled(tx: &mut dyn Transaction, now: Timestamp) -> Result<Vec<Dialled>, StorageError> {
    let rows = tx.query(
        &format!(
            "SELECT job.id, job.batch, job.account, job.destination, job.attempts, job.fence, job.state,
                 COALESCE((SELECT started_at FROM attempt WHERE job = job.id AND n = job.attempts), 0), {COURSE}
             FROM job WHERE state IN (3, 4) AND lease_until <= ?1"
        ),
        &[now.into()],
    )?;
    let mut calls = Vec::new();
    for row in rows {
        let claim = Claim {
            job: row.integer(0),
            batch: row.integer(1),
            account: row.text(2).to_owned(),
            destination: destination_of(row.text(3))?,
            attempt: u32::try_from(row.integer(4)).unwrap_or(u32::MAX),
            fence: row.integer(5),
            course: course(&row, 8)?,
        };
        match State::from_number(row.integer(6))? == State::Dialling {
            true => calls.push(Dialled {
                claim,
                started_at: Timestamp::from_ms(row.integer(7)),
            }),
            false => forget_claim(tx, &claim)?,
        }
    }
    Ok(calls)
}

/// Ends every lease: called once at start, when no other process can be serving this state.
///
/// # Errors
/// [`StorageError`].
pub fn fence_restarted(tx: &mut dyn Transaction, now: Timestamp) -> Result<usize, StorageError> {
    tx.execute(
        "UPDATE job SET lease_until = ?1 WHERE state IN (3, 4)",
        &[now.into()],
    )
}
