//! Another service that sends for us over the REST protocol of InterFAX: the service itself, or another gateway.
//!
//! A fax is handed over under a reference of ours (`<job>-<attempt>`). If the answer is lost, or this process dies, the service
//! is asked for that reference before anything else happens: no fax is handed over twice.

mod answer;
mod causes;
mod client;
mod kept;
mod pace;
mod pages;
mod service;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::Interfax;
use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::FaxNumber;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::secret::Secret;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Condition;
use crate::transmit::FaxTransport;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;

use answer::Record;
use client::Client;
use kept::Kept;
use kept::Shelf;
use pace::Pace;
use service::Asked;
use service::Handed;
use service::Service;

/// Calls that another service makes.
pub struct InterfaxTransport(Arc<Inner>);

struct Inner {
    service: Service,
    lines: Arc<Semaphore>,
    shelf: Shelf,
    clock: Arc<dyn Clock>,
    /// Calls of an earlier process: what became of them, or nothing yet.
    followed: Mutex<HashMap<(i64, u32), Option<Resolution>>>,
}

/// What came of looking for a fax whose answer was lost.
enum Search {
    Found(u64),
    Nowhere,
    CannotTell,
}

/// A fax that is held there for want of credit is given up by the service itself after a day.
const GIVE_UP: Duration = Duration::from_secs(26 * 3600);
/// So often in a row the service has to say that it does not know a fax: one that it has just taken may not be listed yet.
const LOOKS: u32 = 3;
/// How often it is asked how it is, where nobody has anything else to ask.
const PROBE: Duration = Duration::from_secs(60);

impl InterfaxTransport {
    /// The service of `config`, with what is kept of faxes in a folder of `data_dir`.
    ///
    /// # Errors
    /// What the system says; for `https`, also that it trusts no certificate authority.
    pub fn open(
        config: &Interfax,
        password: &Secret,
        data_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner {
            service: Service {
                client: Client::new(&config.url, &config.user, password)?,
                pace: Pace::new(config.poll),
            },
            lines: Arc::new(Semaphore::new(config.lines)),
            shelf: Shelf::open(&data_dir.join("interfax"))?,
            clock,
            followed: Mutex::default(),
        })))
    }

    /// Looks after the service's condition for as long as it is awaited.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + use<> {
        let inner = Arc::clone(&self.0);
        async move {
            loop {
                inner.service.probe(inner.clock.as_ref()).await;
                let now = inner.clock.now();
                let soon = inner.service.pace.next(now);
                let next = match inner.service.pace.condition() {
                    Condition::Well => now.plus(PROBE).max(soon),
                    Condition::Impaired(_) | Condition::Down(_) => soon,
                };
                inner.clock.wait_until(next).await;
            }
        }
    }
}

impl FaxTransport for InterfaxTransport {
    fn line<'a>(&'a self, _number: &'a FaxNumber) -> Later<'a, Line> {
        let lines = Arc::clone(&self.0.lines);
        // It is never closed.
        Box::pin(async move {
            lines
                .acquire_owned()
                .await
                .map_or_else(|_| Line::default(), Line::held)
        })
    }

    fn send<'a>(&'a self, call: &'a Call, line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome> {
        Box::pin(async move {
            let outcome = self.0.call(call, watch).await;
            watch.note(CallProgress::Released);
            drop(line);
            outcome
        })
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.0.look_up(job, attempt))
    }

    fn settled<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, ()> {
        Box::pin(self.0.shelf.forget(job, attempt))
    }

    fn condition(&self) -> Condition {
        match self.0.service.pace.condition() {
            Condition::Down(why) => {
                Condition::Down(format!("{}: {why}", self.0.service.client.host()))
            }
            other @ (Condition::Well | Condition::Impaired(_)) => other,
        }
    }
}

impl Inner {
    async fn call(&self, call: &Call, watch: &dyn Watch) -> Outcome {
        let mut kept = Kept {
            job: call.job,
            attempt: call.attempt,
            first_page: call.first_page,
            pages: call.fax.pages,
            started_ms: self.clock.now().as_ms(),
            id: None,
        };
        if let Err(error) = self.shelf.keep(&kept).await {
            tracing::error!(%error, job = call.job, "no fax is handed over that cannot be noted first");
            let why = format!("the fax could not be noted before it was handed over: {error}");
            return Outcome::NotCalled { why };
        }
        let line = self.service.client.host().to_owned();
        watch.note(CallProgress::Dialling { line });
        let reference = kept.reference();
        let clock = self.clock.as_ref();
        let id = match self.service.hand_over(call, &reference, clock).await {
            Handed::Over(Some(id)) => id,
            Handed::NotReached(why) => return Outcome::NotCalled { why },
            Handed::Refused(cause, why) => return Outcome::Failed(cause, self.report(&kept, why)),
            Handed::Over(None) => match self.find(&kept).await {
                Search::Found(id) => id,
                // It said that it has the fax.
                Search::Nowhere | Search::CannotTell => return self.lost(&kept),
            },
            Handed::Perhaps(why) => match self.find(&kept).await {
                Search::Found(id) => id,
                Search::Nowhere => return Outcome::Retry(Cause::Network, self.report(&kept, why)),
                Search::CannotTell => return self.lost(&kept),
            },
        };
        kept.id = Some(id);
        if let Err(error) = self.shelf.keep(&kept).await {
            // It would be found by its reference.
            tracing::warn!(%error, job = call.job, "the number of a fax could not be kept");
        }
        self.follow(&kept, id, watch).await
    }

    /// Asks for a fax by its reference until the service has said whether it knows it.
    async fn find(&self, kept: &Kept) -> Search {
        let clock = self.clock.as_ref();
        let mut nowhere = 0;
        while self.wait(kept).await {
            match self.service.search(&kept.reference(), clock).await {
                Asked::Is(record) => return Search::Found(record.id),
                Asked::Nowhere => nowhere += 1,
                Asked::NoAnswer(why) => {
                    tracing::debug!(job = kept.job, why, "a fax could not be looked for");
                }
            }
            if nowhere == LOOKS {
                return Search::Nowhere;
            }
        }
        Search::CannotTell
    }

    /// Asks for a fax until it has ended.
    async fn follow(&self, kept: &Kept, id: u64, watch: &dyn Watch) -> Outcome {
        let mut told = Record::default();
        let mut nowhere = 0;
        while self.wait(kept).await {
            match self.service.ask(id, self.clock.as_ref()).await {
                Asked::Is(record) => {
                    nowhere = 0;
                    tell(watch, kept, &told, &record);
                    if record.status >= 0 {
                        return self.ended(kept, &record);
                    }
                    told = record;
                }
                Asked::Nowhere => nowhere += 1,
                Asked::NoAnswer(why) => {
                    tracing::debug!(job = kept.job, why, "a fax could not be asked for");
                }
            }
            if nowhere == LOOKS {
                tracing::error!(
                    job = kept.job,
                    id,
                    "the service has forgotten a fax that it had taken"
                );
                break;
            }
        }
        self.lost(kept)
    }

    /// Waits until the service may be asked again; `false` once it is too late for this fax.
    async fn wait(&self, kept: &Kept) -> bool {
        let now = self.clock.now();
        self.clock.wait_until(self.service.pace.next(now)).await;
        now < Timestamp::from_ms(kept.started_ms).plus(GIVE_UP)
    }

    async fn look_up(self: &Arc<Self>, job: i64, attempt: u32) -> Resolution {
        let name = (job, attempt);
        if let Some(known) = self.known(name) {
            return known;
        }
        let kept = match self.shelf.kept(job, attempt).await {
            Ok(Some(kept)) => kept,
            Ok(None) => return Resolution::NeverDialled,
            Err(error) => {
                tracing::warn!(%error, job, "what was kept of a fax cannot be read; it is asked for by its reference");
                Kept {
                    job,
                    attempt,
                    first_page: 0,
                    pages: 0,
                    started_ms: self.clock.now().as_ms(),
                    id: None,
                }
            }
        };
        // Whoever asks must not wait for a network.
        self.followed().insert(name, None);
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let resolution = inner.catch_up(&kept).await;
            inner.followed().insert(name, Some(resolution));
        });
        Resolution::GoesOn
    }

    /// What a task knows of a call of an earlier process; nothing if none has been asked to find out.
    fn known(&self, name: (i64, u32)) -> Option<Resolution> {
        let mut followed = self.followed();
        match followed.get(&name) {
            Some(Some(_)) => followed.remove(&name).flatten(),
            Some(None) => Some(Resolution::GoesOn),
            None => None,
        }
    }

    /// What became of a fax of an earlier process.
    async fn catch_up(&self, kept: &Kept) -> Resolution {
        let id = match kept.id {
            Some(id) => id,
            None => match self.find(kept).await {
                Search::Found(id) => id,
                Search::Nowhere => return Resolution::NeverDialled,
                Search::CannotTell => return Resolution::Unknown,
            },
        };
        match self.follow(kept, id, &Unwatched).await {
            Outcome::Failed(Cause::Interrupted, _) => Resolution::Unknown,
            outcome @ (Outcome::Sent(_)
            | Outcome::Retry(..)
            | Outcome::Failed(..)
            | Outcome::NotCalled { .. }) => Resolution::Ended(outcome),
        }
    }

    fn ended(&self, kept: &Kept, record: &Record) -> Outcome {
        let detail = format!("fax {} there ended with {}", record.id, record.status);
        let report = CallReport {
            pages_sent: confirmed(kept, record),
            remote_id: record.remote_id.clone(),
            ..self.report(kept, detail)
        };
        causes::outcome(record.status, report)
    }

    /// Nobody can know what became of it.
    fn lost(&self, kept: &Kept) -> Outcome {
        let detail = "the service does not say what became of it".to_owned();
        Outcome::Failed(Cause::Interrupted, self.report(kept, detail))
    }

    fn report(&self, kept: &Kept, detail: String) -> CallReport {
        CallReport {
            pages_sent: kept.first_page,
            started: Timestamp::from_ms(kept.started_ms),
            ended: self.clock.now(),
            line: self.service.client.host().to_owned(),
            detail,
            ..CallReport::default()
        }
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<(i64, u32), Option<Resolution>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody looks.
struct Unwatched;

impl Watch for Unwatched {
    fn note(&self, _progress: CallProgress) {}
}

/// Pages that the far end has by now. A service may count more than there are, and that a fax was sent says all.
fn confirmed(kept: &Kept, record: &Record) -> u32 {
    let pages = kept.first_page.saturating_add(record.pages);
    match (kept.pages, record.status) {
        // What was kept could not be read.
        (0, _) => pages,
        (all, 0) => all,
        (all, _) => pages.min(all),
    }
}

/// Tells what is new in `record` since `told`.
fn tell(watch: &dyn Watch, kept: &Kept, told: &Record, record: &Record) {
    if record.remote_id != told.remote_id && record.remote_id != StationId::default() {
        watch.note(CallProgress::Answered);
        watch.note(CallProgress::Identified {
            remote_id: record.remote_id.clone(),
        });
    }
    if record.pages > told.pages {
        let confirmed = kept.first_page.saturating_add(record.pages);
        watch.note(CallProgress::Page {
            confirmed: confirmed.min(kept.pages),
            of: kept.pages,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_cannot_confirm_more_pages_than_there_are() {
        let kept = |pages| Kept {
            job: 7,
            attempt: 1,
            first_page: 1,
            pages,
            started_ms: 0,
            id: None,
        };
        let record = |status, pages| Record {
            status,
            pages,
            ..Record::default()
        };
        for (pages, status, said, expected) in [
            (3, 0, u32::MAX, 3),
            (3, 0, 0, 3),
            (3, 3_223, 1, 2),
            (3, 3_223, 9, 3),
            (3, -3, u32::MAX, 3),
            (0, 0, 4, 5),
        ] {
            let found = confirmed(&kept(pages), &record(status, said));
            assert_eq!(found, expected, "{pages} {status} {said}");
        }
    }
}
