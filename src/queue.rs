//! Durable jobs: an admitted submission is stored whole or not at all, and what is settled is told.

pub mod report;
mod resend;
pub mod schedule;

pub use resend::resend;

use crate::admit::Admitted;
use crate::admit::AdmittedJob;
use crate::admit::Fate;
use crate::config::Account;
use crate::fax::Document;
use crate::fax::PageOptions;
use crate::record::Log;
use crate::record::Subject;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::documents;
use crate::storage::jobs;
use crate::storage::jobs::Class;
use crate::storage::jobs::NewBatch;
use crate::storage::jobs::NewJob;
use crate::storage::jobs::State;
use crate::time::Timestamp;

/// Jobs written in one transaction. More would make other senders wait (measured).
const JOBS_AT_ONCE: usize = 1_000;
/// The same mail within this time is the same batch (promise P4).
const SAME_MAIL_MS: i64 = 24 * 3_600_000;

/// What of a submission is stored, besides its destinations.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is faxed.
    pub documents: Vec<Document>,
    /// How it becomes pages.
    pub options: PageOptions,
    /// When it may be sent.
    pub not_before: Timestamp,
    /// The subject without options.
    pub reference: String,
    /// Message-ID; empty if it had none.
    pub message_id: String,
    /// Keyless hash of the scrubbed content.
    pub content_hash: [u8; 32],
    /// Where results are mailed.
    pub reply_to: String,
    /// The door it came in by.
    pub door: &'static str,
}

/// What the queue needs to know of the gateway.
#[derive(Clone, Debug)]
pub struct QueueRules {
    /// Host name in Message-IDs.
    pub host: String,
    /// Calls at a time for one account, unless it says otherwise.
    pub per_account: usize,
}

/// Stores a batch with one job for each destination; durable when this returns. The same mail again
/// adds only the destinations that its batch lacks, and returns that batch.
///
/// # Errors
/// [`StorageError`]; then nothing was accepted.
pub async fn enqueue(
    store: &Store,
    admitted: Admitted,
    order: Order,
    rules: &QueueRules,
    now: Timestamp,
) -> Result<i64, StorageError> {
    let id = store.ids().next(now);
    let identity = identity(&admitted, &order);
    let packed = documents::pack(&order.documents)?;
    let small = packed.len() <= documents::LARGEST_IN_ROW;
    let batch = NewBatch {
        id,
        account: admitted.account().id.clone(),
        identity,
        door: order.door,
        proof: admitted.proof().as_str(),
        reference: order.reference.clone(),
        message_id: order.message_id.clone(),
        reply_to: order.reply_to.clone(),
        page_options: serde_json::to_string(&order.options)
            .map_err(|e| StorageError::Damaged(e.to_string()))?,
        documents: small.then(|| packed.clone()),
        stopped: admitted.is_stopped(),
        created_at: now,
    };
    if !small {
        let blobs = std::sync::Arc::clone(store.blobs());
        let put =
            tokio::task::spawn_blocking(move || blobs.put(&jobs::documents_file(id), &packed));
        put.await.map_err(|_| StorageError::Stopped)??;
    }
    let writing = Writing {
        store: store.clone(),
        admitted,
        batch,
        not_before: order.not_before,
        max_calls: rules.per_account,
        host: rules.host.clone(),
        now,
    };
    let stored = writing.run().await;
    if !small && !matches!(stored, Ok(kept) if kept == id) {
        // The file belongs to a batch that does not exist: the mail was known, or nothing was stored.
        let _ = store.blobs().remove(&jobs::documents_file(id));
    }
    stored
}

fn identity(admitted: &Admitted, order: &Order) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for piece in [
        admitted.account().id.as_bytes(),
        order.message_id.as_bytes(),
        &order.content_hash,
    ] {
        hasher.update(&u64::try_from(piece.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(piece);
    }
    *hasher.finalize().as_bytes()
}

#[derive(Clone)]
struct Writing {
    store: Store,
    admitted: Admitted,
    batch: NewBatch,
    not_before: Timestamp,
    max_calls: usize,
    host: String,
    now: Timestamp,
}

impl Writing {
    async fn run(self) -> Result<i64, StorageError> {
        let jobs = self.new_jobs();
        if jobs.len() <= JOBS_AT_ONCE {
            let (store, this) = (self.store.clone(), self);
            return store.write(move |tx| this.write_small(tx, &jobs)).await;
        }
        self.run_large(jobs).await
    }

    /// A small batch is one transaction.
    fn write_small(&self, tx: &mut dyn Transaction, jobs: &[NewJob]) -> Result<i64, StorageError> {
        let known = self.known(tx)?;
        let batch = known.unwrap_or(self.batch.id);
        if known.is_none() {
            jobs::insert_batch(tx, &self.batch, true)?;
        }
        let added = jobs::insert_jobs(tx, batch, &self.batch.account, jobs, self.now)?;
        if added > 0 {
            self.finish(tx, batch, added)?;
        }
        Ok(batch)
    }

    /// A large one is written in pieces that others fit between, and becomes visible with the last.
    async fn run_large(self, mut jobs: Vec<NewJob>) -> Result<i64, StorageError> {
        for job in &mut jobs {
            if !job.state.is_final() {
                job.state = State::Staged;
            }
        }
        let this = self.clone();
        let known = self.store.write(move |tx| {
            let known = this.known(tx)?;
            if known.is_none() {
                jobs::insert_batch(tx, &this.batch, false)?;
            }
            Ok(known)
        });
        let batch = known.await?.unwrap_or(self.batch.id);
        let mut added = 0;
        for piece in jobs.chunks(JOBS_AT_ONCE) {
            let (piece, account, now) = (piece.to_vec(), self.batch.account.clone(), self.now);
            added += self
                .store
                .write(move |tx| jobs::insert_jobs(tx, batch, &account, &piece, now))
                .await?;
        }
        let this = self.clone();
        self.store
            .write(move |tx| {
                jobs::publish(tx, batch)?;
                this.finish(tx, batch, added)
            })
            .await?;
        Ok(batch)
    }

    fn known(&self, tx: &mut dyn Transaction) -> Result<Option<i64>, StorageError> {
        let since = Timestamp::from_ms(self.now.as_ms().saturating_sub(SAME_MAIL_MS));
        match self.batch.stopped {
            // What the lock stopped is never a duplicate (promise P4).
            true => Ok(None),
            false => jobs::find_batch(tx, &self.batch.identity, since),
        }
    }

    fn finish(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        added: usize,
    ) -> Result<(), StorageError> {
        let account = self.admitted.account();
        let max_calls = Some(account.max_calls.unwrap_or(self.max_calls));
        let due = self.not_before <= self.now;
        for class in [Class::Single, Class::List] {
            let of_class = |job: &AdmittedJob| class_of(job) == class && job.fate == Fate::Send;
            if !self.admitted.jobs().iter().any(of_class) {
                continue;
            }
            match due {
                true => jobs::activate_lane(tx, &account.id, class.number(), max_calls)?,
                false => jobs::prepare_lane(tx, &account.id, class.number(), max_calls)?,
            }
        }
        let ids = self.store.ids();
        Log::new(tx, ids, self.now).submitted(
            Subject::batch(&account.id, batch),
            self.admitted.address(),
            self.batch.door,
            self.batch.proof,
            added,
        )?;
        self.tell_if_settled(tx, batch, account)
    }

    /// Some batches are settled before anything was dialled: stopped, denied, unknown lists.
    fn tell_if_settled(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        account: &Account,
    ) -> Result<(), StorageError> {
        let mut must_tell = false;
        for list in self.admitted.stopped_lists() {
            must_tell |= jobs::may_tell_of_list(tx, &account.id, list, self.now)?;
        }
        let stopped = self.admitted.stopped_lists().next().is_some();
        let telling = match (stopped, must_tell) {
            (false, _) => report::Telling::AsTheAccountSays,
            (true, true) => report::Telling::InAnyCase,
            (true, false) => report::Telling::ToldLately,
        };
        let desk = report::Desk {
            ids: self.store.ids(),
            host: &self.host,
            now: self.now,
        };
        desk.batch_if_settled(tx, batch, Some(account), telling)
    }

    fn new_jobs(&self) -> Vec<NewJob> {
        let ids = self.store.ids();
        let new = |job: &AdmittedJob| {
            let (state, status, reason) = match &job.fate {
                Fate::Send if self.not_before > self.now => (State::Pending, Status::READY, None),
                Fate::Send => (State::Ready, Status::ACCEPTED, None),
                Fate::Ends(status, reason) => (State::Failed, *status, Some((*reason).to_owned())),
            };
            NewJob {
                id: ids.next(self.now),
                destination: job.destination.clone(),
                contact: job.contact.clone(),
                class: class_of(job),
                state,
                status,
                reason,
                next_at: self.not_before,
            }
        };
        self.admitted.jobs().iter().map(new).collect()
    }
}

fn class_of(job: &AdmittedJob) -> Class {
    match job.from_list {
        true => Class::List,
        false => Class::Single,
    }
}
