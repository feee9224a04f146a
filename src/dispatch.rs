//! The way of a claimed job to its settled status, on one screen.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use arc_swap::ArcSwap;

mod call;
mod metric;
mod pages;
mod progress;
mod resolve;

use crate::account::directory::Directory;
use crate::config::Config;
use crate::fax::Destination;
use crate::queue::report::Desk;
use crate::queue::schedule;
use crate::record::Log;
use crate::record::Subject;
use crate::render::Renderer;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::Claim;
use crate::storage::jobs::Settlement;
use crate::storage::jobs::State;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::FaxTransport;

use call::Written;
use call::write_settlement;
pub use metric::describe_metrics;
pub use pages::PageCache;

/// Makes claimed jobs into calls.
pub struct Dispatcher {
    /// Durable state.
    pub store: Store,
    /// Configuration in force.
    pub config: Arc<Config>,
    /// Accounts in force.
    pub accounts: Arc<ArcSwap<Directory>>,
    /// Documents to pages.
    pub renderer: Renderer,
    /// Pages of the batches that are being sent.
    pub cache: PageCache,
    /// Makes the calls.
    pub transport: Arc<dyn FaxTransport>,
    /// The jobs that are being worked on.
    pub at_work: AtWork,
    /// This process's name on leases.
    pub owner: i64,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Woken when there are new mails.
    pub mail: Arc<tokio::sync::Notify>,
}

/// Why a job was not settled in this go.
enum Stop {
    /// The lease was lost: somebody else has the job.
    LeaseLost,
    /// Trouble of ours; the job is given back and tried again.
    Trouble(String),
}

/// Whether a job is dialled.
enum Start {
    Dial,
    LeaseLost,
    Cancelled,
    /// Its number was called so often that nobody redials it; this is how the job's last call ended.
    Enough(Status),
}

/// The jobs that tasks of this process are working on: only their leases are renewed, so that a claim
/// whose task is gone runs out and is resolved.
#[derive(Default)]
pub struct AtWork(Mutex<HashSet<i64>>);

impl AtWork {
    fn begin(&self, job: i64) -> Working<'_> {
        if let Ok(mut jobs) = self.0.lock() {
            jobs.insert(job);
        }
        Working { at: self, job }
    }

    /// Whether a task of this process is working on `job`.
    fn has(&self, job: i64) -> bool {
        self.0.lock().is_ok_and(|jobs| jobs.contains(&job))
    }

    /// The jobs at this moment.
    pub fn jobs(&self) -> Vec<i64> {
        let jobs = self.0.lock();
        jobs.map(|jobs| jobs.iter().copied().collect())
            .unwrap_or_default()
    }
}

/// A job being worked on; dropping it says that it no longer is.
struct Working<'a> {
    at: &'a AtWork,
    job: i64,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let Ok(mut jobs) = self.at.0.lock() {
            jobs.remove(&self.job);
        }
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Trouble(error.to_string())
    }
}

impl Dispatcher {
    /// Takes a claimed job to its next state. Never loses it: on trouble it goes back to the queue.
    pub async fn run(&self, claim: &Claim) {
        let _at_work = self.at_work.begin(claim.job);
        match self.journey(claim).await {
            Ok(()) | Err(Stop::LeaseLost) => {}
            Err(Stop::Trouble(error)) => {
                tracing::error!(%error, job = claim.job, "a job goes back to the queue");
                self.give_back(claim, error).await;
            }
        }
    }

    async fn journey(&self, claim: &Claim) -> Result<(), Stop> {
        if claim.course.cancelled {
            return self.cancelled(claim).await;
        }
        let batch = self.batch(claim).await?;
        let Destination::Number(number) = &claim.destination else {
            return self.simulate(claim).await;
        };
        let plain = match self.pages(&batch).await? {
            Ok(plain) => plain,
            Err(reason) => {
                let settlement = not_rendered(reason, self.clock.now());
                return self.settle(claim, Written::of(settlement)).await;
            }
        };
        // The header line says the time of the call, so the line comes first.
        let Some(line) = self.line(claim, number).await? else {
            return Ok(());
        };
        let at = self.clock.now();
        let fax = self.stamped(claim, &batch, plain, at).await?;
        match self.start(claim, at).await? {
            Start::Dial => self.dial(claim, number, fax, line).await,
            Start::LeaseLost => Err(Stop::LeaseLost),
            Start::Cancelled => self.cancelled(claim).await,
            Start::Enough(status) => {
                let settlement = Settlement {
                    reason: Some(schedule::CALLED_ENOUGH.to_owned()),
                    ..Settlement::end(State::Failed, status, at)
                };
                self.settle(claim, Written::of(settlement)).await
            }
        }
    }

    async fn cancelled(&self, claim: &Claim) -> Result<(), Stop> {
        let now = self.clock.now();
        let settlement = Settlement::end(State::Cancelled, Status::CANCELLED, now);
        self.settle(claim, Written::of(settlement)).await
    }

    /// The result simulator: that status at once; no call, no retry, no journal line.
    async fn simulate(&self, claim: &Claim) -> Result<(), Stop> {
        let code = match claim.destination {
            Destination::Simulator(code) => i32::try_from(code).unwrap_or(i32::MAX),
            Destination::Number(_) => return Ok(()),
        };
        let state = match code {
            0 => State::Done,
            _ => State::Failed,
        };
        let settlement = Settlement::end(state, Status(code), self.clock.now());
        self.settle(claim, Written::of(settlement)).await
    }

    async fn batch(&self, claim: &Claim) -> Result<BatchRow, Stop> {
        let id = claim.batch;
        let batch = self.store.read(move |tx| jobs::batch(tx, id)).await?;
        batch.ok_or_else(|| Stop::Trouble(format!("batch {id} is missing")))
    }

    /// Records the dial before it happens (promise P3), under the time that its header line says: the pages can be
    /// shown later as they were sent.
    async fn start(&self, claim: &Claim, now: Timestamp) -> Result<Start, Stop> {
        let (store, claim) = (self.store.clone(), claim.clone());
        let owner = self.owner;
        let started = self.store.write(move |tx| {
            if jobs::is_cancelled(tx, &claim)? {
                return Ok(Start::Cancelled);
            }
            if let Some(status) = call::enough(tx, &claim, now)? {
                return Ok(Start::Enough(status));
            }
            if !jobs::start_attempt(tx, &claim, owner, now)? {
                return Ok(Start::LeaseLost);
            }
            // A job that waits for a line tries again and again: it is told of once, and when the call is really made.
            if claim.course.waiting_since.is_none() {
                let about = Subject::job(&claim.account, claim.batch, claim.job);
                Log::new(tx, store.ids(), now).dialled(about, claim.attempt, &claim.destination)?;
            }
            Ok(Start::Dial)
        });
        Ok(started.await?)
    }

    async fn settle(&self, claim: &Claim, written: Written) -> Result<(), Stop> {
        let (store, claim) = (self.store.clone(), claim.clone());
        let account = self.accounts.load().by_id(&claim.account).cloned();
        let host = self.config.gateway.name.clone();
        let now = self.clock.now();
        let written = Arc::new(written);
        // The call happened: what came of it is held in memory until it is on disk.
        loop {
            let (store, claim, written) = (store.clone(), claim.clone(), Arc::clone(&written));
            let (account, host) = (account.clone(), host.clone());
            let stored = self.store.write(move |tx| {
                let desk = Desk {
                    ids: store.ids(),
                    host: &host,
                    now,
                };
                write_settlement(tx, &desk, &claim, &written, account.as_deref())
            });
            match stored.await {
                Ok(()) => break,
                Err(StorageError::Stopped) => return Err(StorageError::Stopped.into()),
                Err(error) => {
                    tracing::error!(%error, "an outcome could not be stored yet");
                    self.clock.wait_until(self.clock.now().plus(STEP)).await;
                }
            }
        }
        self.mail.notify_one();
        Ok(())
    }

    async fn give_back(&self, claim: &Claim, error: String) {
        let again = self.clock.now().plus(AFTER_TROUBLE);
        let claim = claim.clone();
        let back = self
            .store
            .write(move |tx| jobs::put_off(tx, &claim, again, &error, claim.course.waiting_since));
        if let Err(error) = back.await {
            tracing::error!(%error, "its lease will run out instead");
        }
    }
}

const AFTER_TROUBLE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_secs(1);

fn not_rendered(reason: String, now: Timestamp) -> Settlement {
    Settlement {
        reason: Some(reason),
        ..Settlement::end(State::Failed, Status::NOT_RENDERED, now)
    }
}

#[cfg(test)]
mod tests;
