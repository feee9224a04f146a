//! Durable jobs: an admitted submission is stored whole or not at all, and what is settled is told.

mod cancel;
pub mod report;
mod resend;
pub mod schedule;

use std::sync::Arc;
use std::time::Duration;

pub use cancel::Canceller;
pub use resend::By;
pub use resend::NotResent;
pub use resend::Resend;
pub use resend::Resent;
pub use resend::What;
pub use resend::resend;

use crate::admit::Admitted;
use crate::admit::AdmittedJob;
use crate::admit::Fate;
use crate::admit::Stopped;
use crate::fax::Document;
use crate::fax::FaxFile;
use crate::fax::PageOptions;
use crate::record::Log;
use crate::record::Subject;
use crate::smtp::ForwardPath;
use crate::smtp::TrustTier;
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
use crate::storage::recipients;
use crate::storage::recipients::RecipientRow;
use crate::time::Timestamp;

/// Jobs written in one transaction. More would make other senders wait (measured).
const JOBS_AT_ONCE: usize = 1_000;
/// The same mail within this time is the same batch (promise P4).
const SAME_MAIL: Duration = Duration::from_secs(24 * 3600);

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
    /// The recipients that admission was given, in that order.
    pub recipients: Vec<ForwardPath>,
    /// What goes into reports on them.
    pub reported: Reported,
    /// The door it came in by.
    pub door: &'static str,
    /// How far its sender was believed.
    pub tier: TrustTier,
    /// The results of verification (RFC 8601); empty if there were none.
    pub verification: String,
    /// The pages, if somebody has seen them before sending: these are sent, and nothing is rendered.
    pub pages: Option<FaxFile>,
}

/// What the reports on all recipients of a mail share (RFC 3464).
#[derive(Clone, Debug)]
pub struct Reported {
    /// Who gets them.
    pub to: String,
    /// ENVID.
    pub envelope_id: Option<String>,
    /// Whether pages go back with a failure (RET=FULL).
    pub return_pages: bool,
    /// The address in From.
    pub author: String,
    /// The Date of the mail.
    pub sent_at: Option<Timestamp>,
}

/// What the queue needs to know of the gateway.
#[derive(Clone, Debug)]
pub struct QueueRules {
    /// Host name in Message-IDs.
    pub host: String,
    /// Calls at a time for one account, unless it says otherwise.
    pub per_account: usize,
}

/// Stores a batch with one job for each destination; durable when this returns its identifier.
///
/// The same mail again adds only the destinations that its batch lacks, and returns that batch. What the
/// lock stopped is a batch of its own: settled and told at once, never taken for an earlier copy, and kept
/// without its documents.
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
    let (stopped, going) = admitted.part();
    let mut batch = 0;
    if let Some(stopped) = stopped {
        let writing = Writing::new(store, stopped.jobs().clone(), &order, rules, now)?;
        batch = writing.store_stopped(stopped).await?;
    }
    if let Some(going) = going {
        let mut writing = Writing::new(store, going, &order, rules, now)?;
        writing.ask(&order);
        let files = writing.keep_files(order).await;
        let stored = match files {
            Ok(()) => writing.clone().store_going().await,
            Err(error) => Err(error),
        };
        if !matches!(stored, Ok(kept) if kept == writing.batch.id) {
            // They belong to a batch that does not exist: the mail was known, or nothing was stored.
            for file in writing.files {
                let _ = store.blobs().remove(&file);
            }
        }
        batch = stored?;
    }
    Ok(batch)
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
    /// The recipients about which something was asked, at their place among all. None of what the lock
    /// stopped: that is told in its own way, and at most once an hour.
    asked: Vec<Option<RecipientRow>>,
    /// The files that were written for it.
    files: Vec<String>,
    not_before: Timestamp,
    max_calls: usize,
    host: String,
    now: Timestamp,
}

impl Writing {
    fn new(
        store: &Store,
        admitted: Admitted,
        order: &Order,
        rules: &QueueRules,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let options = serde_json::to_string(&order.options);
        Ok(Self {
            batch: NewBatch {
                id: store.ids().next(now),
                account: admitted.account().id.clone(),
                identity: identity(&admitted, order),
                door: order.door,
                proof: admitted.proof().as_str(),
                tier: order.tier.as_str().to_owned(),
                verification: order.verification.clone(),
                reference: order.reference.clone(),
                message_id: order.message_id.clone(),
                reply_to: order.reply_to.clone(),
                page_options: options.map_err(|e| StorageError::Damaged(e.to_string()))?,
                documents: Some(documents::pack(&[])?),
                pages: None,
                stopped: false,
                created_at: now,
            },
            store: store.clone(),
            asked: Vec::new(),
            files: Vec::new(),
            max_calls: admitted.account().max_calls.unwrap_or(rules.per_account),
            admitted,
            not_before: order.not_before,
            host: rules.host.clone(),
            now,
        })
    }

    /// Notes what was asked about the recipients.
    fn ask(&mut self, order: &Order) {
        let row = |to: &ForwardPath| {
            Some(RecipientRow {
                id: self.store.ids().next(self.now),
                batch: self.batch.id,
                address: to.address.as_str().to_owned(),
                notify: to.notify?,
                original: to.original.as_ref().map(ToString::to_string),
                envelope_id: order.reported.envelope_id.clone(),
                return_pages: order.reported.return_pages,
                report_to: order.reported.to.clone(),
                author: order.reported.author.clone(),
                sent_at: order.reported.sent_at,
            })
        };
        self.asked = order.recipients.iter().map(row).collect();
    }

    /// Packs the documents into the row, or into a file if they are large; pages that are known are a file.
    async fn keep_files(&mut self, order: Order) -> Result<(), StorageError> {
        let packed = documents::pack(&order.documents)?;
        if packed.len() <= documents::LARGEST_IN_ROW {
            self.batch.documents = Some(packed);
        } else {
            self.batch.documents = None;
            self.keep_file(jobs::documents_file(self.batch.id), packed)
                .await?;
        }
        if let Some(fax) = order.pages {
            self.batch.pages = Some(fax.pages);
            self.keep_file(jobs::pages_file(self.batch.id), fax.tiff)
                .await?;
        }
        Ok(())
    }

    async fn keep_file(&mut self, file: String, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.files.push(file.clone());
        let blobs = Arc::clone(self.store.blobs());
        let put = tokio::task::spawn_blocking(move || blobs.put(&file, &bytes));
        put.await.map_err(|_| StorageError::Stopped)?
    }

    async fn store_stopped(mut self, stopped: Stopped) -> Result<i64, StorageError> {
        self.batch.stopped = true;
        let jobs = self.new_jobs();
        let store = self.store.clone();
        let body = move |tx: &mut dyn Transaction| {
            let (id, account) = (self.batch.id, self.admitted.account());
            jobs::insert_batch(tx, &self.batch, true)?;
            jobs::insert_jobs(tx, id, &account.id, &jobs, self.now)?;
            self.log(tx, id, jobs.len())?;
            self.desk().stopped(tx, id, account, stopped.lists())?;
            Ok(id)
        };
        store.write(body).await
    }

    async fn store_going(self) -> Result<i64, StorageError> {
        let jobs = self.new_jobs();
        if jobs.len() > JOBS_AT_ONCE {
            return self.store_large(jobs).await;
        }
        let store = self.store.clone();
        store.write(move |tx| self.write_small(tx, &jobs)).await
    }

    /// A small batch is one transaction.
    fn write_small(&self, tx: &mut dyn Transaction, jobs: &[NewJob]) -> Result<i64, StorageError> {
        let known = self.known(tx)?;
        let batch = known.unwrap_or(self.batch.id);
        if known.is_none() {
            jobs::insert_batch(tx, &self.batch, true)?;
        }
        self.insert_asked(tx, batch)?;
        let added = jobs::insert_jobs(tx, batch, &self.batch.account, jobs, self.now)?;
        self.finish(tx, batch, added)?;
        Ok(batch)
    }

    /// A large one is written in pieces that others fit between, and becomes visible with the last.
    async fn store_large(self, mut jobs: Vec<NewJob>) -> Result<i64, StorageError> {
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
            this.insert_asked(tx, known.unwrap_or(this.batch.id))?;
            Ok(known)
        });
        let known = known.await?;
        let batch = known.unwrap_or(self.batch.id);
        let written = self.write_pieces(batch, jobs).await;
        if written.is_err() && known.is_none() {
            // If this fails too, the next start drops it.
            let _ = self
                .store
                .write(move |tx| jobs::drop_unpublished(tx, Some(batch)))
                .await;
        }
        written.map(|()| batch)
    }

    async fn write_pieces(&self, batch: i64, jobs: Vec<NewJob>) -> Result<(), StorageError> {
        let mut added = 0;
        for piece in jobs.chunks(JOBS_AT_ONCE) {
            let (piece, account, now) = (piece.to_vec(), self.batch.account.clone(), self.now);
            let written = self
                .store
                .write(move |tx| jobs::insert_jobs(tx, batch, &account, &piece, now));
            added += written.await?;
        }
        let this = self.clone();
        let published = self.store.write(move |tx| {
            jobs::publish(tx, batch)?;
            this.finish(tx, batch, added)
        });
        published.await
    }

    fn known(&self, tx: &mut dyn Transaction) -> Result<Option<i64>, StorageError> {
        let since = self.now.minus(SAME_MAIL);
        jobs::find_batch(tx, &self.batch.identity, since)
    }

    fn insert_asked(&self, tx: &mut dyn Transaction, batch: i64) -> Result<(), StorageError> {
        let mut asked = self.asked.iter().flatten();
        asked.try_for_each(|recipient| recipients::insert(tx, batch, recipient))
    }

    fn finish(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        added: usize,
    ) -> Result<(), StorageError> {
        for recipient in self.asked.iter().flatten() {
            recipients::forget_unused(tx, recipient.id)?;
        }
        if added == 0 {
            return Ok(());
        }
        let account = self.admitted.account();
        let due = self.not_before <= self.now;
        for class in [Class::Single, Class::List] {
            let goes = |job: &AdmittedJob| class_of(job) == class && job.fate == Fate::Send;
            if !self.admitted.jobs().iter().any(goes) {
                continue;
            }
            let number = class.number();
            match due {
                true => jobs::activate_lane(tx, &account.id, number, Some(self.max_calls))?,
                false => jobs::prepare_lane(tx, &account.id, number, self.max_calls)?,
            }
        }
        self.log(tx, batch, added)?;
        // Some are settled before anything was dialled: denied numbers, unknown lists.
        for recipient in self.asked.iter().flatten() {
            self.desk().if_settled(tx, recipient.id)?;
        }
        self.desk().batch_if_settled(tx, batch, Some(account))
    }

    fn log(&self, tx: &mut dyn Transaction, batch: i64, jobs: usize) -> Result<(), StorageError> {
        let about = Subject::batch(&self.admitted.account().id, batch);
        let mut log = Log::new(tx, self.store.ids(), self.now);
        let (door, proof) = (self.batch.door, self.batch.proof);
        log.submitted(about, self.admitted.address(), door, proof, jobs)?;
        let pages = self.batch.pages.filter(|_| batch == self.batch.id);
        pages.map_or(Ok(()), |pages| log.rendered(about, pages))
    }

    fn desk(&self) -> report::Desk<'_> {
        report::Desk {
            ids: self.store.ids(),
            host: &self.host,
            now: self.now,
        }
    }

    fn new_jobs(&self) -> Vec<NewJob> {
        let ids = self.store.ids();
        let asked_of = |job: &AdmittedJob| {
            let asked = self.asked.get(job.recipient)?.as_ref();
            asked.map(|recipient| recipient.id)
        };
        let new = |job: &AdmittedJob| {
            let (state, status, reason) = match &job.fate {
                Fate::Send if self.not_before > self.now => (State::Pending, Status::READY, None),
                Fate::Send => (State::Ready, Status::ACCEPTED, None),
                Fate::Ends(status, reason) => (State::Failed, *status, Some((*reason).to_owned())),
            };
            NewJob {
                id: ids.next(self.now),
                destination: job.destination.clone(),
                sub_address: job.sub_address.clone(),
                contact: job.contact.clone(),
                class: class_of(job),
                state,
                status,
                reason,
                next_at: self.not_before,
                recipient: asked_of(job),
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
