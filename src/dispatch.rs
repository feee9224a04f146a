//! The way of a claimed job to its settled status, on one screen.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use arc_swap::ArcSwap;

mod pages;

use crate::account::directory::Directory;
use crate::config::Config;
use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Destination;
use crate::fax::FaxNumber;
use crate::fax::Modem;
use crate::fax::Outcome;
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
use crate::storage::jobs::Dialled;
use crate::storage::jobs::Settlement;
use crate::storage::jobs::State;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::FaxTransport;
use crate::transmit::Resolution;
use crate::transmit::Watch;

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
        let batch = self.batch(claim).await?;
        let Destination::Number(number) = &claim.destination else {
            return self.simulate(claim).await;
        };
        let (fax, at) = match self.pages(claim, &batch).await? {
            Ok(stamped) => stamped,
            Err(reason) => {
                return self
                    .settle(claim, not_rendered(reason, self.clock.now()))
                    .await;
            }
        };
        match self.start(claim, at).await? {
            Start::Dial => {}
            Start::LeaseLost => return Err(Stop::LeaseLost),
            Start::Cancelled => return self.settle(claim, cancelled(self.clock.now())).await,
        }
        let line = self.transport.line(number).await;
        let call = self.call(claim, number, fax);
        let outcome = self.transport.send(&call, line, &Unwatched).await;
        self.settle_call(claim, outcome).await
    }

    /// The result simulator: that status at once; no call, no retry, no journal line.
    async fn simulate(&self, claim: &Claim) -> Result<(), Stop> {
        let code = match claim.destination {
            Destination::Simulator(code) => i32::try_from(code).unwrap_or(i32::MAX),
            Destination::Number(_) => return Ok(()),
        };
        let settlement = Settlement {
            state: if code == 0 {
                State::Done
            } else {
                State::Failed
            },
            status: Status(code),
            reason: None,
            next_at: self.clock.now(),
            report: None,
        };
        self.settle(claim, settlement).await
    }

    fn call(&self, claim: &Claim, number: &FaxNumber, fax: crate::fax::FaxFile) -> Call {
        let directory = self.accounts.load();
        let account = directory.by_id(&claim.account);
        Call {
            job: claim.job,
            attempt: claim.attempt,
            number: number.clone(),
            local_id: account
                .and_then(|a| a.station_id.clone())
                .unwrap_or_default(),
            calling_number: None,
            sub_address: None,
            fax,
            first_page: 0,
            ecm: true,
            fastest: Modem::default(),
            ring_timeout: self.config.destinations.ring_timeout,
        }
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
            if !jobs::start_attempt(tx, &claim, owner, now)? {
                return Ok(Start::LeaseLost);
            }
            let about = Subject::job(&claim.account, claim.batch, claim.job);
            Log::new(tx, store.ids(), now).dialled(about, claim.attempt, &claim.destination)?;
            Ok(Start::Dial)
        });
        Ok(started.await?)
    }

    /// Decides what follows from a call and writes it, its result mail included.
    async fn settle_call(&self, claim: &Claim, outcome: Outcome) -> Result<(), Stop> {
        let now = self.clock.now();
        let (destination, since) = (claim.destination.clone(), now.minus(DAY));
        let calls = self
            .store
            .read(move |tx| jobs::redials(tx, &destination, since))
            .await;
        // Not to know how often it was called is no reason to give it up.
        let calls = calls.unwrap_or(0);
        let settlement = schedule::settle(claim.attempt, outcome, calls, &self.config.retry, now);
        let status = settlement.status.0.to_string();
        metrics::counter!("faxgate_fax_attempts_total", "status" => status).increment(1);
        self.settle(claim, settlement).await
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<(), Stop> {
        let (store, claim) = (self.store.clone(), claim.clone());
        let account = self.accounts.load().by_id(&claim.account).cloned();
        let host = self.config.gateway.name.clone();
        let now = self.clock.now();
        // The call happened: what came of it is held in memory until it is on disk.
        loop {
            let (store, claim, settlement) = (store.clone(), claim.clone(), settlement.clone());
            let (account, host) = (account.clone(), host.clone());
            let last_try = schedule::last_try(claim.attempt, &self.config.retry, now);
            let written = self.store.write(move |tx| {
                let desk = Desk {
                    ids: store.ids(),
                    host: &host,
                    now,
                };
                write_settlement(tx, &desk, &claim, &settlement, last_try, account.as_deref())
            });
            match written.await {
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

    /// Resolves calls that were going on when their process ended (promise P3): with the transport if
    /// it can tell, as `outcome unknown` if it cannot.
    ///
    /// # Errors
    /// [`StorageError`]: what remains is resolved the next time.
    pub async fn resolve(&self, calls: Vec<Dialled>) -> Result<(), StorageError> {
        for Dialled { claim, started_at } in calls {
            let resolution = self.transport.resolve(claim.job, claim.attempt).await;
            let outcome = match resolution {
                Resolution::Ended(outcome) => outcome,
                // Asked again at the next sweep.
                Resolution::GoesOn => continue,
                Resolution::NeverDialled => {
                    let claim = claim.clone();
                    self.store
                        .write(move |tx| jobs::forget_claim(tx, &claim))
                        .await?;
                    continue;
                }
                Resolution::Unknown => Outcome::Failed(
                    Cause::Interrupted,
                    CallReport {
                        started: started_at,
                        ended: started_at,
                        ..CallReport::default()
                    },
                ),
            };
            if let Err(Stop::Trouble(error)) = self.settle_call(&claim, outcome).await {
                tracing::error!(
                    error,
                    job = claim.job,
                    "an interrupted call is not resolved yet"
                );
            }
        }
        Ok(())
    }

    async fn give_back(&self, claim: &Claim, error: String) {
        let again = self.clock.now().plus(AFTER_TROUBLE);
        let claim = claim.clone();
        let back = self
            .store
            .write(move |tx| jobs::put_off(tx, &claim, again, &error));
        if let Err(error) = back.await {
            tracing::error!(%error, "its lease will run out instead");
        }
    }
}

/// Nobody looks.
struct Unwatched;

impl Watch for Unwatched {
    fn note(&self, _progress: CallProgress) {}
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const AFTER_TROUBLE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_secs(1);

fn cancelled(now: Timestamp) -> Settlement {
    Settlement {
        state: State::Cancelled,
        status: Status::CANCELLED,
        reason: None,
        next_at: now,
        report: None,
    }
}

fn not_rendered(reason: String, now: Timestamp) -> Settlement {
    Settlement {
        state: State::Failed,
        status: Status::NOT_RENDERED,
        reason: Some(reason),
        next_at: now,
        report: None,
    }
}

fn write_settlement(
    tx: &mut dyn crate::storage::Transaction,
    desk: &Desk<'_>,
    claim: &Claim,
    settlement: &Settlement,
    last_try: Timestamp,
    account: Option<&crate::config::Account>,
) -> Result<(), StorageError> {
    let Some(last) = jobs::settle(tx, claim, settlement, desk.now)? else {
        return Ok(());
    };
    let about = Subject::job(&claim.account, claim.batch, claim.job);
    let mut log = Log::new(tx, desk.ids, desk.now);
    if let Some(report) = &settlement.report {
        log.attempted(about, claim.attempt, settlement.status, report.pages_sent)?;
    }
    if settlement.state.is_final() {
        log.settled(about, settlement.status, settlement.reason.as_deref())?;
    }
    if settlement.state == State::Sleeping {
        desk.delayed(tx, claim.job, settlement, last_try)?;
    }
    desk.recipient_if_settled(tx, claim.job)?;
    if last {
        desk.batch_if_settled(tx, claim.batch, account)?;
    }
    Ok(())
}
