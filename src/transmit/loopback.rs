//! The loopback transport: calls end in a folder. The embedded default, and what demonstrations use.
//!
//! Both ends of a call are real: two T.38 terminals in this process do all of T.30, and what the far end received is what is
//! kept and handed on. They do it at once; the time of a line then passes on the clock, a hundred times faster, with all that
//! happens told at its time. How calls to some numbers go can be set (`[transport.loopback] numbers`).
//!
//! A call is made when its line stands in `calls.jsonl`: the line is written and synced last, so that a
//! crash leaves either a call with a known end or no call at all.

mod folder;
mod lane;
mod plain;
mod recording;
mod session;

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;

use self::folder::Folder;
use self::recording::Arrived;
use self::recording::Ending;
use self::recording::Recording;
use crate::config::Loopback;
use crate::config::Script;
use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::FaxFile;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::FaxTransport;
use crate::transmit::Inbound;
use crate::transmit::InboundFax;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;
use crate::transmit::durable::blocking;
use crate::transmit::journal::Journal;

/// Calls into a folder.
pub struct LoopbackTransport {
    folder: Folder,
    config: Loopback,
    engine: Engine,
    inbound: Arc<dyn Inbound>,
    clock: Arc<dyn Clock>,
    journal: Journal,
    /// Sessions are work for a processor: as many at a time as there are.
    turns: Arc<Semaphore>,
}

/// What plays a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    /// Two T.38 terminals.
    T30,
    /// Nobody: the pages are copied.
    Plain,
}

impl LoopbackTransport {
    /// Opens the folder and its journal; a line that a crash cut off is removed. Without the library of T.30 pages are only
    /// copied, and what installs it is logged.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(
        config: &Loopback,
        inbound: Arc<dyn Inbound>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let engine = match spandsp::is_available() {
            true => Engine::T30,
            false => {
                tracing::warn!(install = spandsp::INSTALL, "no T.30: pages are only copied");
                Engine::Plain
            }
        };
        let folder = Folder::open(&config.directory)?;
        let journal = Journal::open(&folder.journal())?;
        let processors = std::thread::available_parallelism();
        Ok(Self {
            folder,
            config: config.clone(),
            engine,
            inbound,
            clock,
            journal,
            turns: Arc::new(Semaphore::new(processors.map_or(1, usize::from))),
        })
    }

    async fn call(&self, call: &Call, watch: &dyn Watch) -> Outcome {
        let started = self.clock.now();
        let line = self.engine.line().to_owned();
        watch.note(CallProgress::Dialling { line: line.clone() });
        let mut recording = match self.record(call).await {
            Ok(recording) => recording,
            Err(error) => {
                tracing::error!(%error, job = call.job, "loopback could not play a call");
                return self.trouble(call, started);
            }
        };
        for (time, progress) in recording.steps.drain(..) {
            self.pass(started, time).await;
            watch.note(progress);
        }
        self.pass(started, recording.lasts).await;
        match self.hand_over(call, recording.arrived.take()).await {
            Ok(true) => {}
            // What the far end confirmed it has: such a call was none.
            Ok(false) => return self.trouble(call, started),
            Err(error) => {
                tracing::error!(%error, job = call.job, "loopback could not write the pages");
                return self.trouble(call, started);
            }
        }
        recording.report.started = started;
        recording.report.ended = self.clock.now();
        recording.report.line = line;
        let outcome = recording.outcome();
        match self.journal.made(call, "loopback", &outcome).await {
            Ok(()) => outcome,
            Err(error) => {
                tracing::error!(%error, job = call.job, "loopback could not write its journal");
                self.trouble(call, started)
            }
        }
    }

    /// What the call will come to; found out off the runtime.
    async fn record(&self, call: &Call) -> io::Result<Recording> {
        let script = self.config.script(&call.number, call.attempt);
        match script {
            Script::Busy => return Ok(Recording::unanswered(call, Cause::Busy)),
            Script::NoAnswer => return Ok(Recording::unanswered(call, Cause::NoAnswer)),
            Script::Good
            | Script::Voice
            | Script::FailAfterPage(_)
            | Script::Slow
            | Script::Loss(_)
            | Script::Cut(_) => {}
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(io::Error::other)?;
        let (call, engine, folder) = (call.clone(), self.engine, self.folder.clone());
        blocking(move || {
            let _turn = turn;
            match engine {
                Engine::T30 => session::record(&call, script, &folder.scratch(&call)?),
                Engine::Plain => plain::record(&call, script),
            }
        })
        .await
    }

    /// Waits until so much time of a line has passed.
    async fn pass(&self, started: Timestamp, time: std::time::Duration) {
        let until = started.plus(time / self.config.speed.max(1));
        if until > self.clock.now() {
            self.clock.wait_until(until).await;
        }
    }

    /// Keeps what arrived and hands it to whoever has the number; whether it is where it belongs.
    async fn hand_over(&self, call: &Call, arrived: Option<Arrived>) -> io::Result<bool> {
        let Some(arrived) = arrived else {
            return Ok(true);
        };
        let (folder, kept) = (self.folder.clone(), call.clone());
        let arrived = blocking(move || {
            folder.keep(&kept, &arrived.tiff)?;
            Ok(arrived)
        })
        .await?;
        if !self.inbound.serves(&call.number) {
            return Ok(true);
        }
        Ok(self.inbound.arrive(inbound_fax(call, arrived)).await)
    }

    /// The end of a call that came to nothing because of us; it is in no journal.
    fn trouble(&self, call: &Call, started: Timestamp) -> Outcome {
        let report = CallReport {
            pages_sent: call.first_page,
            started,
            ended: self.clock.now(),
            line: self.engine.line().to_owned(),
            ..CallReport::default()
        };
        Outcome::Retry(Cause::Network, report)
    }

    async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        match self.journal.find(job, attempt).await {
            Ok(Some(outcome)) => Resolution::Ended(outcome),
            Ok(None) => Resolution::NeverDialled,
            Err(error) => {
                tracing::error!(%error, job, "loopback could not read its journal");
                Resolution::Unknown
            }
        }
    }
}

impl Engine {
    /// The name of the line.
    fn line(self) -> &'static str {
        match self {
            Self::T30 => "loopback",
            Self::Plain => "plain loopback",
        }
    }
}

impl Recording {
    fn outcome(self) -> Outcome {
        match self.ending {
            Ending::Sent => Outcome::Sent(self.report),
            Ending::Retry(cause) => Outcome::Retry(cause, self.report),
            Ending::Failed(cause) => Outcome::Failed(cause, self.report),
        }
    }
}

impl FaxTransport for LoopbackTransport {
    fn send<'a>(&'a self, call: &'a Call, _line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome> {
        Box::pin(self.call(call, watch))
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.look_up(job, attempt))
    }
}

/// Whom a call to this number reaches, as it says (CSI).
fn far_end(call: &Call) -> StationId {
    StationId::parse(&format!("+{}", call.number.digits())).unwrap_or_default()
}

fn inbound_fax(call: &Call, arrived: Arrived) -> InboundFax {
    InboundFax {
        call: format!("loopback:{}:{}", call.job, call.attempt),
        number: call.number.clone(),
        remote_id: arrived.remote_id,
        fax: FaxFile {
            tiff: arrived.tiff,
            pages: arrived.pages,
        },
        complete: arrived.complete,
    }
}
