//! How far a call is, for whoever looks from another process.

use crate::fax::Media;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs::Claim;

/// What is known of a call that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The latest phase, in a word such as `training`; empty: dialled.
    pub phase: &'static str,
    /// Pages confirmed, those of earlier calls included.
    pub confirmed: u32,
    /// The far end's identifier; empty while unknown.
    pub remote_id: String,
    /// The line; empty while unknown.
    pub line: String,
    /// How it travels, once that is known.
    pub media: Option<Media>,
    /// Bits a second; 0 before training.
    pub rate: u32,
    /// Whether errors are corrected.
    pub ecm: bool,
}

/// Notes how far the call of `claim` is. Nothing if it has ended, or the claim is not ours any more.
///
/// Confirmed pages are the job's from here on: a crash does not have them sent again.
///
/// # Errors
/// [`StorageError`].
pub fn note_progress(
    tx: &mut dyn Transaction,
    claim: &Claim,
    live: &Live,
) -> Result<bool, StorageError> {
    let moved = tx.execute(
        "UPDATE job SET pages_sent = CASE WHEN ?3 > pages_sent THEN ?3 ELSE pages_sent END
         WHERE id = ?1 AND fence = ?2 AND state = 4",
        &[claim.job.into(), claim.fence.into(), live.confirmed.into()],
    )?;
    if moved == 0 {
        return Ok(false);
    }
    tx.execute(
        "UPDATE attempt SET phase = ?3, pages_sent = CASE WHEN ?4 > pages_sent THEN ?4 ELSE pages_sent END,
             remote_id = ?5, line = ?6, media = ?7, rate = ?8, ecm = ?9
         WHERE job = ?1 AND n = ?2 AND ended_at IS NULL",
        &[
            claim.job.into(),
            claim.attempt.into(),
            live.phase.into(),
            live.confirmed.into(),
            (&live.remote_id).into(),
            (&live.line).into(),
            live.media.map(Media::as_str).into(),
            live.rate.into(),
            live.ecm.into(),
        ],
    )?;
    Ok(true)
}

/// The jobs that are being called, the oldest first, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn active(tx: &mut dyn Transaction, limit: usize) -> Result<Vec<i64>, StorageError> {
    let rows = tx.query(
        "SELECT id FROM job WHERE state IN (3, 4) AND lease_until > 0 ORDER BY id LIMIT ?1",
        &[limit.into()],
    )?;
    Ok(rows.iter().map(|row| row.integer(0)).collect())
}
