//! The exchange: the one transport that dispatch knows. It finds the line that a number goes over, and keeps the journal of
//! all calls.
//!
//! A call is noted before it is made (`under_way`), and its end stands in `calls.jsonl` before anybody acts on it. So after a
//! crash the journal answers first, and what it does not know is asked of the transport that had the call.

mod under_way;

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::config::Transport;
use crate::config::TransportKind;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::FaxNumber;
use crate::fax::Outcome;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Condition;
use crate::transmit::FaxTransport;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;
use crate::transmit::journal::Journal;
use crate::transmit::journal::Placed;

use under_way::Begun;
use under_way::Noted;
use under_way::UnderWay;

/// The transports that are open, by kind.
pub type Kinds = BTreeMap<TransportKind, Arc<dyn FaxTransport>>;

/// All lines, as one transport. Cheap to clone.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    routes: Transport,
    kinds: Kinds,
    journal: Journal,
    under_way: UnderWay,
    /// Calls of an earlier process that go on: of these the journal, all of which would have to be read, has no line.
    going_on: Mutex<HashSet<(i64, u32)>>,
    clock: Arc<dyn Clock>,
}

/// A line that could not be written is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

impl Exchange {
    /// The lines of `kinds`, to which `routes` says which number goes where. Calls are journalled in `journal`, and noted in
    /// a folder of `data_dir` while they go on.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(
        routes: Transport,
        kinds: Kinds,
        data_dir: &Path,
        journal: Journal,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner {
            routes,
            kinds,
            journal,
            under_way: UnderWay::open(&data_dir.join("dialling"))?,
            going_on: Mutex::default(),
            clock,
        })))
    }

    /// How each kind is that numbers are sent over.
    pub fn conditions(&self) -> Vec<(TransportKind, Condition)> {
        let routed = self.0.routes.kinds();
        let open = self.0.kinds.iter();
        open.filter(|(kind, _)| routed.contains(kind))
            .map(|(kind, transport)| (*kind, transport.condition()))
            .collect()
    }

    async fn call(&self, call: &Call, line: Line, watch: &dyn Watch) -> Outcome {
        let Some((kind, transport)) = self.0.way(&call.number) else {
            return no_route(self.0.clock.now());
        };
        let begun = Begun {
            placed: Placed::of(call),
            transport: kind.as_str().to_owned(),
            started_ms: self.0.clock.now().as_ms(),
        };
        // A call that ends in a folder is that folder's journal line: nothing happens elsewhere that a power failure could hide.
        let synced = kind != TransportKind::Loopback;
        if let Err(error) = self.0.under_way.begin(&begun, synced).await {
            tracing::error!(%error, job = call.job, "no call is made that cannot be noted first");
            let why = format!("the call could not be noted before it was made: {error}");
            return Outcome::NotCalled { why };
        }
        let outcome = {
            let _in_use = InUse::begin(kind);
            transport.send(call, line, watch).await
        };
        let transport = kind.as_str();
        metrics::counter!("faxgate_calls_total", "transport" => transport, "result" => result(&outcome))
            .increment(1);
        self.keep(begun, outcome.clone()).await;
        outcome
    }

    /// Writes how a call ended. If that fails now it is done later, and until then the transport keeps what it knows: the
    /// outcome itself goes its way, for what storage has written no crash can lose either.
    async fn keep(&self, begun: Begun, outcome: Outcome) {
        match self.0.write(&begun, &outcome).await {
            Ok(()) => self.0.forget(&begun).await,
            Err(error) => {
                tracing::error!(%error, job = begun.placed.job, "a call could not be journalled yet");
                let inner = Arc::clone(&self.0);
                tokio::spawn(async move {
                    inner.write_at_last(&begun, &outcome).await;
                    inner.forget(&begun).await;
                });
            }
        }
    }

    async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        let noted = self.0.under_way.noted(job, attempt).await;
        let written = match self.0.goes_on(job, attempt) {
            true => Ok(None),
            false => self.0.journal.find(job, attempt).await,
        };
        let (written, noted) = match (written, noted) {
            (Ok(written), Ok(noted)) => (written, noted),
            (Err(error), _) | (_, Err(error)) => {
                // Asking again is safe; guessing could dial twice.
                tracing::error!(%error, job, "what became of a call cannot be read yet");
                return Resolution::GoesOn;
            }
        };
        match (written, noted) {
            (Some(outcome), noted) => {
                if let Noted::Begun(begun) = noted {
                    self.0.forget(&begun).await;
                }
                ended(outcome)
            }
            (None, Noted::Begun(begun)) => {
                let resolution = self.ask(begun).await;
                if resolution == Resolution::GoesOn {
                    self.0.going_on().insert((job, attempt));
                }
                resolution
            }
            (None, Noted::Unreadable) => {
                let resolution = self.0.ask_all(job, attempt).await;
                if resolution != Resolution::GoesOn {
                    self.0.under_way.end(job, attempt).await;
                }
                resolution
            }
            // Loopback's note may be lost with the power; its own journal is not.
            (None, Noted::Nothing) => match self.0.kinds.get(&TransportKind::Loopback) {
                Some(loopback) => loopback.resolve(job, attempt).await,
                None => Resolution::NeverDialled,
            },
        }
    }

    /// Asks the transport that had the call.
    async fn ask(&self, begun: Begun) -> Resolution {
        let Some(transport) = self.0.transport_of(&begun) else {
            let transport = &begun.transport;
            tracing::error!(job = begun.placed.job, %transport, "this transport had a call and is no longer configured");
            let lost = interrupted(&begun);
            self.keep(begun, lost).await;
            return Resolution::Unknown;
        };
        let (job, attempt) = (begun.placed.job, begun.placed.attempt);
        let resolution = transport.resolve(job, attempt).await;
        match &resolution {
            Resolution::GoesOn => {}
            Resolution::NeverDialled => self.0.forget(&begun).await,
            Resolution::Ended(outcome) => self.keep(begun, outcome.clone()).await,
            Resolution::Unknown => {
                let lost = interrupted(&begun);
                self.keep(begun, lost).await;
            }
        }
        resolution
    }
}

impl Inner {
    fn way(&self, number: &FaxNumber) -> Option<(TransportKind, &Arc<dyn FaxTransport>)> {
        let kind = self.routes.route(number)?;
        self.kinds.get(&kind).map(|transport| (kind, transport))
    }

    fn transport_of(&self, begun: &Begun) -> Option<&Arc<dyn FaxTransport>> {
        let mut kinds = self.kinds.iter();
        let found = kinds.find(|(kind, _)| kind.as_str() == begun.transport);
        found.map(|(_, transport)| transport)
    }

    fn going_on(&self) -> MutexGuard<'_, HashSet<(i64, u32)>> {
        self.going_on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self, job: i64, attempt: u32) -> bool {
        self.going_on().contains(&(job, attempt))
    }

    async fn write(&self, begun: &Begun, outcome: &Outcome) -> io::Result<()> {
        let call = (begun.placed.job, begun.placed.attempt);
        self.going_on().remove(&call);
        let written = self
            .journal
            .ended(&begun.placed, &begun.transport, outcome)
            .await;
        if written.is_err() {
            metrics::counter!("faxgate_calls_not_journalled_total").increment(1);
        }
        written
    }

    async fn write_at_last(&self, begun: &Begun, outcome: &Outcome) {
        while let Err(error) = self.write(begun, outcome).await {
            tracing::debug!(%error, job = begun.placed.job, "a call can still not be journalled");
            self.clock.wait_until(self.clock.now().plus(AGAIN)).await;
        }
    }

    /// The end of the call stands in the journal: nobody else needs to remember it.
    async fn forget(&self, begun: &Begun) {
        let (job, attempt) = (begun.placed.job, begun.placed.attempt);
        self.going_on().remove(&(job, attempt));
        if let Some(transport) = self.transport_of(begun) {
            transport.settled(job, attempt).await;
        }
        self.under_way.end(job, attempt).await;
    }

    /// Asks everybody, where nobody knows any more who had the call: it was never made only if all say so.
    async fn ask_all(&self, job: i64, attempt: u32) -> Resolution {
        let mut all = Resolution::NeverDialled;
        for transport in self.kinds.values() {
            match (transport.resolve(job, attempt).await, &all) {
                (Resolution::Ended(outcome), _) => return Resolution::Ended(outcome),
                (Resolution::GoesOn, _) => all = Resolution::GoesOn,
                (Resolution::Unknown, Resolution::NeverDialled) => all = Resolution::Unknown,
                (Resolution::Unknown | Resolution::NeverDialled, _) => {}
            }
        }
        all
    }
}

impl FaxTransport for Exchange {
    fn line<'a>(&'a self, number: &'a FaxNumber) -> Later<'a, Line> {
        match self.0.way(number) {
            Some((_, transport)) => transport.line(number),
            None => Box::pin(std::future::ready(Line::default())),
        }
    }

    fn send<'a>(&'a self, call: &'a Call, line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome> {
        Box::pin(self.call(call, line, watch))
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.look_up(job, attempt))
    }
}

/// Gives every metric of calls its help text.
pub fn describe_metrics() {
    use metrics::Unit;
    metrics::describe_gauge!(
        "faxgate_lines_in_use",
        Unit::Count,
        "Calls that are going on, by transport."
    );
    metrics::describe_counter!(
        "faxgate_calls_total",
        Unit::Count,
        "Calls that ended, by transport and result."
    );
    metrics::describe_counter!(
        "faxgate_calls_in_total",
        Unit::Count,
        "Calls that came in over SIP, by result."
    );
    metrics::describe_counter!(
        "faxgate_calls_not_journalled_total",
        Unit::Count,
        "Failures to write a line of calls.jsonl; it is tried again."
    );
}

/// A call that is counted for as long as it goes on.
struct InUse(TransportKind);

impl InUse {
    fn begin(kind: TransportKind) -> Self {
        metrics::gauge!("faxgate_lines_in_use", "transport" => kind.as_str()).increment(1.0);
        Self(kind)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        metrics::gauge!("faxgate_lines_in_use", "transport" => self.0.as_str()).decrement(1.0);
    }
}

fn result(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Sent(_) => "sent",
        Outcome::Retry(..) => "retry",
        Outcome::Failed(..) => "failed",
        Outcome::NotCalled { .. } => "not-called",
    }
}

fn no_route(now: Timestamp) -> Outcome {
    let report = CallReport {
        started: now,
        ended: now,
        ..CallReport::default()
    };
    Outcome::Failed(Cause::NoRoute, report)
}

fn interrupted(begun: &Begun) -> Outcome {
    let started = Timestamp::from_ms(begun.started_ms);
    let report = CallReport {
        started,
        ended: started,
        ..CallReport::default()
    };
    Outcome::Failed(Cause::Interrupted, report)
}

/// What a line of the journal means to who asks: a call that was given up as unknown stays so.
fn ended(outcome: Outcome) -> Resolution {
    match outcome {
        Outcome::Failed(Cause::Interrupted, _) => Resolution::Unknown,
        Outcome::Sent(_) | Outcome::Retry(..) | Outcome::Failed(..) | Outcome::NotCalled { .. } => {
            Resolution::Ended(outcome)
        }
    }
}

#[cfg(test)]
mod tests;
