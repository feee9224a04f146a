//! What came of a claim: the end of its call, or that there was none.

use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Destination;
use crate::fax::Media;
use crate::fax::StepDown;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs::Claim;
use crate::storage::jobs::State;
use crate::storage::jobs::activate_lane;
use crate::storage::jobs::claim::free_slot;
use crate::time::Timestamp;

/// What became of a claimed job.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// Sleeping, or a final state.
    pub state: State,
    /// How the call ended, as the published status; the job's own if it is settled by it.
    pub status: Status,
    /// What the status alone does not say.
    pub reason: Option<String>,
    /// When the next attempt may be, for a sleeping job.
    pub next_at: Timestamp,
    /// Why the call did not deliver all pages; `None` if it did, or there was none.
    pub cause: Option<Cause>,
    /// What the transport reported; `None` if there was no call.
    pub report: Option<CallReport>,
    /// How carefully the next call is made.
    pub step: StepDown,
    /// Whether the next call sends half the lines.
    pub coarse: bool,
}

impl Settlement {
    /// The end of a job with `status`, without a call or after it.
    pub fn end(state: State, status: Status, now: Timestamp) -> Self {
        Self {
            state,
            status,
            reason: None,
            next_at: now,
            cause: None,
            report: None,
            step: StepDown::default(),
            coarse: false,
        }
    }
}

/// Writes a settlement. `None`: the claim was not ours any more and nothing changed. `Some(true)`: it
/// was the last open job of its batch.
///
/// # Errors
/// [`StorageError`].
pub fn settle(
    tx: &mut dyn Transaction,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<Option<bool>, StorageError> {
    let is_final = settlement.state.is_final();
    let report = settlement.report.clone().unwrap_or_default();
    let duration =
        i64::try_from(report.ended.since(report.started).as_millis()).unwrap_or(i64::MAX);
    let moved = tx.first(
        "UPDATE job SET
             state = CASE WHEN cancel = 1 AND ?3 = 5 THEN 14 ELSE ?3 END,
             status = CASE WHEN cancel = 1 AND ?3 = 5 THEN ?11 WHEN ?3 = 5 THEN ?15 ELSE ?4 END,
             attempts = attempts - CASE WHEN state = 3 THEN 1 ELSE 0 END,
             reason = ?5, next_at = ?6, owner = NULL, lease_until = NULL,
             pages_sent = CASE WHEN ?7 > pages_sent THEN ?7 ELSE pages_sent END,
             remote_id = CASE WHEN ?8 = '' THEN remote_id ELSE ?8 END, duration_ms = duration_ms + ?9,
             settled_at = CASE WHEN ?10 = 1 OR cancel = 1 THEN ?12 END,
             step_down = ?13, coarse = ?14, waiting_since = NULL
         WHERE id = ?1 AND fence = ?2 AND state IN (3, 4) RETURNING state",
        &[
            claim.job.into(),
            claim.fence.into(),
            settlement.state.number().into(),
            settlement.status.into(),
            settlement.reason.clone().into(),
            settlement.next_at.into(),
            report.pages_sent.into(),
            report.remote_id.as_str().into(),
            duration.into(),
            is_final.into(),
            Status::CANCELLED.into(),
            now.into(),
            settlement.step.number().into(),
            settlement.coarse.into(),
            Status::SENDING.into(),
        ],
    )?;
    let Some(moved) = moved else {
        return Ok(None);
    };
    end_attempt(tx, claim, settlement, &report, now)?;
    free_slot(tx, &claim.destination.canonical(), claim.job)?;
    let state = State::from_number(moved.integer(0))?;
    if !state.is_final() {
        return Ok(Some(false));
    }
    settle_one(tx, claim.batch, state == State::Done).map(Some)
}

/// Writes what the call was like. Pages that were confirmed while it went on stay so, whatever is known of its end.
fn end_attempt(
    tx: &mut dyn Transaction,
    claim: &Claim,
    settlement: &Settlement,
    report: &CallReport,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE attempt SET ended_at = ?3, status = ?4, phase = '', cause = ?7,
             pages_sent = CASE WHEN ?5 > pages_sent THEN ?5 ELSE pages_sent END,
             remote_id = CASE WHEN ?6 = '' THEN remote_id ELSE ?6 END,
             line = CASE WHEN ?8 = '' THEN line ELSE ?8 END,
             media = COALESCE(?9, media), rate = CASE WHEN ?10 = 0 THEN rate ELSE ?10 END,
             ecm = ?11, sip = ?12, t30 = ?13, detail = ?14
         WHERE job = ?1 AND n = ?2",
        &[
            claim.job.into(),
            claim.attempt.into(),
            now.into(),
            settlement.status.into(),
            report.pages_sent.into(),
            report.remote_id.as_str().into(),
            settlement.cause.map(Cause::as_str).into(),
            (&report.line).into(),
            report.media.map(Media::as_str).into(),
            report.rate.into(),
            report.ecm.into(),
            report.sip.map(u32::from).into(),
            report.t30.map(i64::from).into(),
            (&report.detail).into(),
        ],
    )?;
    Ok(())
}

/// Counts one more settled job of a batch, sent or not; whether it was the last.
pub(super) fn settle_one(
    tx: &mut dyn Transaction,
    batch: i64,
    sent: bool,
) -> Result<bool, StorageError> {
    let row = tx.first(
        "UPDATE batch SET settled = settled + 1, sent = sent + ?2 WHERE id = ?1
         RETURNING CASE WHEN settled >= jobs THEN 1 ELSE 0 END",
        &[batch.into(), sent.into()],
    )?;
    Ok(row.is_some_and(|row| row.integer(0) != 0))
}

/// Gives a claim back that was not dialled; the attempt does not count.
///
/// # Errors
/// [`StorageError`].
pub fn forget_claim(tx: &mut dyn Transaction, claim: &Claim) -> Result<(), StorageError> {
    let moved = tx.first(
        "UPDATE job SET state = 1, owner = NULL, lease_until = NULL, fence = fence + 1, attempts = attempts - 1
         WHERE id = ?1 AND fence = ?2 AND state IN (3, 4) RETURNING account, class",
        &[claim.job.into(), claim.fence.into()],
    )?;
    if let Some(row) = moved {
        tx.execute(
            "DELETE FROM attempt WHERE job = ?1 AND n = ?2 AND ended_at IS NULL",
            &[claim.job.into(), claim.attempt.into()],
        )?;
        free_slot(tx, &claim.destination.canonical(), claim.job)?;
        activate_lane(tx, row.text(0), row.integer(1), None)?;
    }
    Ok(())
}

/// Takes back that a claimed job was dialled: it was not, and the attempt will not count.
///
/// # Errors
/// [`StorageError`].
pub fn take_back_dial(tx: &mut dyn Transaction, claim: &Claim) -> Result<(), StorageError> {
    let moved = tx.execute(
        "UPDATE job SET state = 3 WHERE id = ?1 AND fence = ?2 AND state = 4",
        &[claim.job.into(), claim.fence.into()],
    )?;
    if moved > 0 {
        tx.execute(
            "DELETE FROM attempt WHERE job = ?1 AND n = ?2 AND ended_at IS NULL",
            &[claim.job.into(), claim.attempt.into()],
        )?;
    }
    Ok(())
}

/// Puts a claim off that was not dialled: it sleeps until `again`, and the attempt does not count.
///
/// `trouble` is shown to whoever asks why it waits; `waiting_since` is set while no line is in service for it.
/// Returns whether anything was changed.
///
/// # Errors
/// [`StorageError`].
pub fn put_off(
    tx: &mut dyn Transaction,
    claim: &Claim,
    again: Timestamp,
    trouble: &str,
    waiting_since: Option<Timestamp>,
) -> Result<bool, StorageError> {
    let moved = tx.execute(
        "UPDATE job SET state = 5, next_at = CASE WHEN cancel = 1 THEN 0 ELSE ?3 END, reason = ?4, status = ?5,
             waiting_since = ?6, owner = NULL, lease_until = NULL, fence = fence + 1, attempts = attempts - 1
         WHERE id = ?1 AND fence = ?2 AND state = 3",
        &[
            claim.job.into(),
            claim.fence.into(),
            again.into(),
            trouble.into(),
            Status::READY.into(),
            waiting_since.into(),
        ],
    )?;
    if moved > 0 {
        free_slot(tx, &claim.destination.canonical(), claim.job)?;
    }
    Ok(moved > 0)
}

/// Automatic redials to `destination` since `since` and since its last success.
///
/// # Errors
/// [`StorageError`].
pub fn redials(
    tx: &mut dyn Transaction,
    destination: &Destination,
    since: Timestamp,
) -> Result<u32, StorageError> {
    let success = tx.first(
        "SELECT COALESCE(MAX(started_at), 0) FROM attempt WHERE destination = ?1 AND status = 0",
        &[destination.canonical().into()],
    )?;
    let success = Timestamp::from_ms(success.map_or(0, |row| row.integer(0)));
    let row = tx.first(
        "SELECT COUNT(*) FROM attempt WHERE destination = ?1 AND started_at > ?2",
        &[destination.canonical().into(), since.max(success).into()],
    )?;
    Ok(row.map_or(0, |row| u32::try_from(row.integer(0)).unwrap_or(u32::MAX)))
}
