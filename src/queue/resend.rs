//! The documents of settled jobs go to their destinations once more.

use std::sync::Arc;
use std::time::Duration;

use crate::admit;
use crate::config::Destinations;
use crate::fax::Destination;
use crate::fax::SubAddress;
use crate::lock::Locks;
use crate::lock::Use;
use crate::queue::JOBS_AT_ONCE;
use crate::record::Log;
use crate::record::Subject;
use crate::smtp::TrustTier;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::Class;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::NewBatch;
use crate::storage::jobs::NewJob;
use crate::storage::jobs::Repeat;
use crate::storage::jobs::State;
use crate::time::Timestamp;

/// Why nothing was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotResent {
    /// The destination rules refuse it: an order to repeat goes no further than a mail.
    Denied,
    /// The account is locked, and a person asked (section 6 of the requirements).
    Locked,
    /// The documents are no longer kept, or never were: the lock stopped it.
    NoDocuments,
    /// No job of the batch is as it was asked for.
    NothingLeft,
}

/// What is sent again.
#[derive(Clone, Debug)]
pub enum What {
    /// All settled jobs of this batch.
    All(i64),
    /// The settled jobs of this batch that were not sent.
    Failed(i64),
    /// One settled job, to its own number or another one.
    Job(Box<JobRow>, Option<Destination>),
}

/// Who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// An operator: no lock stops it.
    Operator,
    /// A person who has logged in at the account web. The text names the form: the same form again within a day is
    /// the same order. Empty: each is one of its own.
    Person(String),
}

/// An order to send again.
#[derive(Clone, Debug)]
pub struct Resend {
    /// What.
    pub what: What,
    /// Who wants it.
    pub by: By,
    /// Where faxes may go.
    pub rules: Destinations,
    /// Where results go, if no longer to where those of the old submission went.
    pub reply_to: Option<String>,
    /// Calls at a time of the account.
    pub max_calls: usize,
    /// The present time.
    pub now: Timestamp,
}

/// What was made of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resent {
    /// The new batch.
    pub batch: i64,
    /// Its first job.
    pub job: i64,
}

/// The same form within this time is the same order.
const SAME_FORM: Duration = Duration::from_secs(24 * 3600);

/// Sends documents again, as a batch of its own.
///
/// # Errors
/// [`StorageError`]; then nothing was stored.
pub async fn resend(
    store: &Store,
    order: Resend,
) -> Result<Result<Resent, NotResent>, StorageError> {
    let asked = order.clone();
    let read = store.read(move |tx| asked.kept(tx)).await?;
    let (old, repeats) = match read {
        Ok(kept) => kept,
        Err(not) => return Ok(Err(not)),
    };
    let of = old.id;
    let batch = order.again(old, store.ids().next(order.now));
    let jobs = order.jobs(store, repeats);
    if jobs.is_empty() {
        return Ok(Err(NotResent::NothingLeft));
    }
    if jobs.iter().all(|job| job.state.is_final()) {
        return Ok(Err(NotResent::Denied));
    }
    let has_file = batch.documents.is_none();
    let file = jobs::documents_file(batch.id);
    if has_file {
        let (blobs, file) = (Arc::clone(store.blobs()), file.clone());
        let copy = tokio::task::spawn_blocking(move || {
            let documents = blobs.get(&jobs::documents_file(of))?;
            blobs.put(&file, &documents)
        });
        copy.await.map_err(|_| StorageError::Stopped)??;
    }
    let writing = Writing {
        store: store.clone(),
        order,
        batch,
        jobs,
        of,
    };
    let id = writing.batch.id;
    let written = writing.store().await;
    if has_file && !matches!(&written, Ok(Ok(resent)) if resent.batch == id) {
        // The order was known, or stopped, or not stored: this copy belongs to nobody.
        let _ = store.blobs().remove(&file);
    }
    written
}

impl Resend {
    fn batch(&self) -> i64 {
        match &self.what {
            What::All(batch) | What::Failed(batch) => *batch,
            What::Job(job, _) => job.batch,
        }
    }

    /// The batch whose documents are still there, and where they are to go.
    fn kept(
        &self,
        tx: &mut dyn Transaction,
    ) -> Result<Result<(BatchRow, Vec<Repeat>), NotResent>, StorageError> {
        let kept = jobs::batch(tx, self.batch())?.filter(|old| !old.expired);
        let Some(old) = kept else {
            return Ok(Err(NotResent::NoDocuments));
        };
        let repeats = match &self.what {
            What::All(batch) => jobs::repeats(tx, *batch, true)?,
            What::Failed(batch) => jobs::repeats(tx, *batch, false)?,
            What::Job(job, _) if job.status == Status::STOPPED_BY_LOCK => {
                return Ok(Err(NotResent::NoDocuments));
            }
            What::Job(job, other) => vec![Repeat {
                destination: other
                    .as_ref()
                    .map_or_else(|| job.destination.clone(), Destination::canonical),
                // Both belong to the number.
                sub_address: match other {
                    Some(_) => None,
                    None => SubAddress::parse(&job.sub_address),
                },
                contact: match other {
                    Some(_) => String::new(),
                    None => job.contact.clone(),
                },
                class: Class::Single,
            }],
        };
        Ok(Ok((old, repeats)))
    }

    fn again(&self, old: BatchRow, id: i64) -> NewBatch {
        let (door, proof) = match self.by {
            By::Operator => ("command", "operator"),
            By::Person(_) => ("web", "session"),
        };
        NewBatch {
            identity: self.identity(&old.account, id),
            id,
            account: old.account,
            door,
            proof,
            tier: old.tier,
            verification: old.verification,
            reference: old.reference,
            message_id: old.message_id,
            reply_to: self.reply_to.clone().unwrap_or(old.reply_to),
            page_options: old.page_options,
            documents: old.documents,
            pages: None,
            stopped: false,
            created_at: self.now,
        }
    }

    /// Nothing that arrives can be the same mail as a resend; only its own form can be sent twice.
    fn identity(&self, account: &str, id: i64) -> [u8; 32] {
        let form = match &self.by {
            By::Person(form) if !form.is_empty() => form,
            By::Person(_) | By::Operator => return *blake3::hash(&id.to_le_bytes()).as_bytes(),
        };
        let what = match &self.what {
            What::All(batch) => format!("all {batch}"),
            What::Failed(batch) => format!("failed {batch}"),
            What::Job(job, other) => {
                let to = other.as_ref().map(Destination::canonical);
                format!("job {} {}", job.id, to.unwrap_or_default())
            }
        };
        let mut hasher = blake3::Hasher::new();
        for piece in ["resend", account, &what, form] {
            hasher.update(&u64::try_from(piece.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(piece.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    fn jobs(&self, store: &Store, repeats: Vec<Repeat>) -> Vec<NewJob> {
        let new = |repeat: Repeat| {
            // A list that was refused whole is no number.
            let destination = Destination::from_canonical(&repeat.destination)?;
            let allowed = admit::is_allowed(&destination, &self.rules);
            let (state, status, reason) = match allowed {
                true => (State::Ready, Status::ACCEPTED, None),
                false => (
                    State::Failed,
                    Status::DESTINATION_DENIED,
                    Some("destination not allowed".to_owned()),
                ),
            };
            Some(NewJob {
                id: store.ids().next(self.now),
                destination: repeat.destination,
                sub_address: repeat.sub_address,
                contact: repeat.contact,
                class: repeat.class,
                state,
                status,
                reason,
                next_at: self.now,
                // What the mail asked about its recipients was answered.
                recipient: None,
            })
        };
        repeats.into_iter().filter_map(new).collect()
    }

    /// Whether a lock stops it, as it stops every door that logs in, and lists at all doors.
    fn is_stopped(&self, locks: &Locks, jobs: &[NewJob]) -> bool {
        if self.by == By::Operator {
            return false;
        }
        let lists = jobs.iter().any(|job| job.class == Class::List);
        let everything = Use::LogIn.stops_while_locked() && locks.stop(TrustTier::Proven, self.now);
        let to_lists = Use::SendToList.stops_while_locked() && locks.stop_lists(self.now);
        everything || (lists && to_lists)
    }
}

#[derive(Clone)]
struct Writing {
    store: Store,
    order: Resend,
    batch: NewBatch,
    jobs: Vec<NewJob>,
    /// Whose documents these are.
    of: i64,
}

/// What one transaction said: an end, or to go on.
type Said = Result<Option<Resent>, NotResent>;

impl Writing {
    async fn store(self) -> Result<Result<Resent, NotResent>, StorageError> {
        let resent = Resent {
            batch: self.batch.id,
            job: self.jobs.first().map_or(0, |job| job.id),
        };
        let is_small = self.jobs.len() <= JOBS_AT_ONCE;
        let this = self.clone();
        let begun = self.store.write(move |tx| {
            let said = this.begin(tx, is_small)?;
            if is_small && said == Ok(None) {
                this.add(tx, &this.jobs)?;
                this.finish(tx)?;
            }
            Ok(said)
        });
        match begun.await? {
            Err(not) => return Ok(Err(not)),
            Ok(Some(known)) => return Ok(Ok(known)),
            Ok(None) if is_small => return Ok(Ok(resent)),
            Ok(None) => {}
        }
        let batch = resent.batch;
        let written = self.store_pieces().await;
        if !matches!(written, Ok(true)) {
            let drop = self.store.clone();
            drop.write(move |tx| jobs::drop_unpublished(tx, Some(batch)))
                .await?;
        }
        Ok(match written? {
            true => Ok(resent),
            false => Err(NotResent::Locked),
        })
    }

    /// Many jobs are written in pieces that others fit between, and become visible with the last. `false`: the
    /// account was locked meanwhile.
    async fn store_pieces(&self) -> Result<bool, StorageError> {
        for piece in self.jobs.chunks(JOBS_AT_ONCE) {
            let mut piece = piece.to_vec();
            for job in piece.iter_mut().filter(|job| !job.state.is_final()) {
                job.state = State::Staged;
            }
            let this = self.clone();
            self.store.write(move |tx| this.add(tx, &piece)).await?;
        }
        let this = self.clone();
        let published = self.store.write(move |tx| {
            if this.is_stopped(tx)? {
                return Ok(false);
            }
            jobs::publish(tx, this.batch.id)?;
            this.finish(tx)?;
            Ok(true)
        });
        published.await
    }

    fn is_stopped(&self, tx: &mut dyn Transaction) -> Result<bool, StorageError> {
        let locks = accounts::locks(tx, &self.batch.account)?;
        Ok(self.order.is_stopped(&locks, &self.jobs))
    }

    fn begin(&self, tx: &mut dyn Transaction, published: bool) -> Result<Said, StorageError> {
        if self.is_stopped(tx)? {
            return Ok(Err(NotResent::Locked));
        }
        let since = self.order.now.minus(SAME_FORM);
        if let Some(known) = jobs::find_batch(tx, &self.batch.identity, since)? {
            let first = jobs::children(tx, known, None, 0, 1)?;
            let job = first.first().map_or(0, |job| job.id);
            return Ok(Ok(Some(Resent { batch: known, job })));
        }
        jobs::insert_batch(tx, &self.batch, published)?;
        Ok(Ok(None))
    }

    fn add(&self, tx: &mut dyn Transaction, jobs: &[NewJob]) -> Result<(), StorageError> {
        let (batch, now) = (&self.batch, self.order.now);
        jobs::insert_jobs(tx, batch.id, &batch.account, jobs, now).map(|_| ())
    }

    fn finish(&self, tx: &mut dyn Transaction) -> Result<(), StorageError> {
        let (batch, now) = (&self.batch, self.order.now);
        for class in [Class::Single, Class::List] {
            let goes = |job: &NewJob| job.class == class && !job.state.is_final();
            if self.jobs.iter().any(goes) {
                let most = Some(self.order.max_calls);
                jobs::activate_lane(tx, &batch.account, class.number(), most)?;
            }
        }
        let about = Subject::batch(&batch.account, batch.id);
        Log::new(tx, self.store.ids(), now).resent(about, self.of)
    }
}
