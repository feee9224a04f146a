//! A settled job's documents go to its destination once more.

use std::sync::Arc;

use crate::admit;
use crate::config::Destinations;
use crate::fax::Destination;
use crate::record::Log;
use crate::record::Subject;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::Class;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::NewBatch;
use crate::storage::jobs::NewJob;
use crate::storage::jobs::State;
use crate::time::Timestamp;

/// Why a job was not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotResent {
    /// The destination rules refuse it: an operator's command goes no further than a mail.
    Denied,
    /// The documents are no longer kept, or never were: the lock stopped it.
    NoDocuments,
}

/// Sends the documents of a settled job to its destination again, as a batch of its own.
///
/// # Errors
/// [`StorageError`]; then nothing was stored.
pub async fn resend(
    store: &Store,
    job: &JobRow,
    rules: &Destinations,
    max_calls: usize,
    now: Timestamp,
) -> Result<Result<i64, NotResent>, StorageError> {
    let of = job.batch;
    let kept = store.read(move |tx| jobs::batch(tx, of)).await?;
    let kept = kept.filter(|old| !old.expired && job.status != Status::STOPPED_BY_LOCK);
    let Some(old) = kept else {
        return Ok(Err(NotResent::NoDocuments));
    };
    let destination = Destination::from_canonical(&job.destination);
    if !destination.is_some_and(|destination| admit::is_allowed(&destination, rules)) {
        return Ok(Err(NotResent::Denied));
    }
    let batch = again(old, store.ids().next(now), now);
    if batch.documents.is_none() {
        let (blobs, id) = (Arc::clone(store.blobs()), batch.id);
        let copy = tokio::task::spawn_blocking(move || {
            let documents = blobs.get(&jobs::documents_file(of))?;
            blobs.put(&jobs::documents_file(id), &documents)
        });
        copy.await.map_err(|_| StorageError::Stopped)??;
    }
    let job = NewJob {
        id: store.ids().next(now),
        destination: job.destination.clone(),
        contact: job.contact.clone(),
        class: Class::Single,
        state: State::Ready,
        status: Status::ACCEPTED,
        reason: None,
        next_at: now,
        // An operator's order: what the mail asked was answered.
        recipient: None,
    };
    let (writer, id) = (store.clone(), job.id);
    let written = store.write(move |tx| {
        jobs::insert_batch(tx, &batch, true)?;
        jobs::insert_jobs(
            tx,
            batch.id,
            &batch.account,
            std::slice::from_ref(&job),
            now,
        )?;
        jobs::activate_lane(tx, &batch.account, Class::Single.number(), Some(max_calls))?;
        let about = Subject::batch(&batch.account, batch.id);
        Log::new(tx, writer.ids(), now).resent(about, of)
    });
    written.await?;
    Ok(Ok(id))
}

fn again(old: BatchRow, id: i64, now: Timestamp) -> NewBatch {
    NewBatch {
        id,
        account: old.account,
        // Nothing that arrives can be the same mail as a resend.
        identity: *blake3::hash(&id.to_le_bytes()).as_bytes(),
        door: "command",
        proof: "operator",
        tier: old.tier,
        verification: old.verification,
        reference: old.reference,
        message_id: old.message_id,
        reply_to: old.reply_to,
        page_options: old.page_options,
        documents: old.documents,
        pages: None,
        stopped: false,
        created_at: now,
    }
}
