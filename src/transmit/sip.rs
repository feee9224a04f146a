//! Calls over SIP (RFC 3261): telephone lines of providers and exchanges, called trunks.
//!
//! Each call begins with sound and goes over to T.38 when one side asks for it; the fax itself is sent by a worker
//! process (`transmit::line`).
//!
//! * `endpoint`, `guard`: the sockets, and who is heard
//! * `trunk`, `register`: the trunks, whether they are in service, and their free lines
//! * `outgoing`, `incoming`: calls until they are answered
//! * `session`: an answered call, whoever made it
//! * `verdict`: what an answer that is no means

mod authorities;
mod challenge;
mod endpoint;
mod guard;
mod hook;
mod incoming;
mod left;
mod media;
mod number;
mod offer;
mod outgoing;
mod pace;
mod register;
pub mod sdp;
mod session;
mod switchboard;
mod trunk;
mod verdict;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::endpoint::Station;
use self::guard::Guard;
use self::incoming::Arrivals;
use self::media::MediaPorts;
use self::outgoing::Outgoing;
use self::outgoing::Placed;
use self::switchboard::Switchboard;
use self::trunk::NoLine;
use self::trunk::Trunk;
use self::trunk::TrunkLine;
use crate::config::Sip;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;
use crate::fax::Outcome;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Condition;
use crate::transmit::FaxTransport;
use crate::transmit::Inbound;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;
use crate::transmit::journal::Journal;
use crate::transmit::line::CallLimits;
use crate::transmit::line::Pacing;
use crate::transmit::line::Workers;

/// How often the DNS is asked who the trunks are.
const RESOLVE_EVERY: Duration = Duration::from_secs(60);
/// The start waits for the DNS so long.
const RESOLVE_FIRST: Duration = Duration::from_secs(5);

/// What the transport is made of.
pub struct SipSetup {
    /// `[transport.sip]`.
    pub config: Sip,
    /// Where the configuration was read from: other files are found from there.
    pub config_file: PathBuf,
    /// Whose national numbers are understood.
    pub country: CountryCode,
    /// Starts the processes that send and receive.
    pub workers: Workers,
    /// How fast pages go.
    pub pacing: Pacing,
    /// When a call that was answered is given up.
    pub limits: CallLimits,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Who takes faxes that come in.
    pub inbound: Arc<dyn Inbound>,
    /// Where calls that come in get their line.
    pub journal: Journal,
    /// Turns true when the gateway stops.
    pub stopping: watch::Receiver<bool>,
}

/// Calls over SIP trunks.
pub struct SipTransport {
    switchboard: Arc<Switchboard>,
    _tasks: JoinSet<()>,
}

impl SipTransport {
    /// Opens the sockets, begins to listen, and registers at the trunks that want it.
    ///
    /// # Errors
    /// What the system says of the sockets and of the files with passwords and certificates.
    pub async fn open(setup: SipSetup) -> io::Result<Self> {
        let authorities = authorities::read(&setup.config.trunks, &setup.config_file)?;
        let changed = Arc::new(Notify::new());
        let trunks = setup.config.trunks.iter().map(|trunk| {
            Trunk::new(trunk.clone(), &setup.config_file, Arc::clone(&changed)).map(Arc::new)
        });
        let trunks = trunks.collect::<io::Result<Vec<_>>>()?;
        resolve(&trunks, &setup.clock, RESOLVE_FIRST).await;
        let guard = Guard::new(trunks.clone(), Arc::clone(&setup.clock));
        let station = Station::open(&setup.config, guard, trunks.first(), authorities).await?;
        let switchboard = Arc::new(Switchboard {
            ports: MediaPorts::new(setup.config.media_ports),
            arrivals: Arrivals::new(setup.journal, setup.config.lines_in),
            config: setup.config,
            country: setup.country,
            clock: setup.clock,
            inbound: setup.inbound,
            stopping: setup.stopping,
            workers: setup.workers,
            pacing: setup.pacing,
            limits: setup.limits,
            trunks,
            station,
            changed,
        });
        incoming::take_over(&switchboard).await;
        let tasks = begin(&switchboard)?;
        Ok(Self {
            switchboard,
            _tasks: tasks,
        })
    }

    /// Where SIP reaches us, as our messages say it.
    pub fn address(&self) -> SocketAddr {
        self.switchboard.station.advertised
    }

    /// Returns once the faxes of all calls that came in are stored; to be asked when the gateway stops.
    pub async fn received(&self) {
        self.switchboard.arrivals.finished().await;
    }

    /// Every trunk by name, and why no call goes over it if none does.
    pub fn trunks(&self) -> Vec<(String, Result<(), String>)> {
        let now = self.switchboard.now();
        let trunks = self.switchboard.trunks.iter();
        trunks
            .map(|trunk| (trunk.config.name.clone(), trunk.condition(now)))
            .collect()
    }

    async fn free_line(&self) -> Line {
        loop {
            let changed = self.switchboard.changed.notified();
            tokio::pin!(changed);
            // From here on, not from the first look at it: a line may be freed while we look for one.
            changed.as_mut().enable();
            let stops = *self.switchboard.stopping.borrow();
            match self.find_line(&[]) {
                Ok(line) => return Line::held(line),
                // Then the call says that it could not be made, and why.
                Err(_) if stops => return Line::default(),
                Err(Wait::ForNothing) => return Line::default(),
                Err(Wait::Until(at)) => tokio::select! {
                    () = changed => {}
                    () = self.switchboard.clock.wait_until(at) => {}
                    () = self.switchboard.stopped() => {}
                },
                Err(Wait::ForALine) => tokio::select! {
                    () = changed => {}
                    () = self.switchboard.stopped() => {}
                },
            }
        }
    }

    /// A line of the first trunk that has one.
    fn find_line(&self, tried: &[String]) -> Result<TrunkLine, Wait> {
        let now = self.switchboard.now();
        let mut wait = Wait::ForNothing;
        for trunk in &self.switchboard.trunks {
            if tried.contains(&trunk.config.name) {
                continue;
            }
            wait = match (trunk.try_line(now), wait) {
                (Ok(line), _) => return Ok(line),
                (Err(NoLine::TooSoon(at)), Wait::Until(before)) => Wait::Until(at.min(before)),
                (Err(NoLine::TooSoon(at)), Wait::ForNothing | Wait::ForALine) => Wait::Until(at),
                (Err(NoLine::Busy), Wait::ForNothing) => Wait::ForALine,
                (Err(NoLine::Busy | NoLine::Down(_)), wait) => wait,
            };
        }
        Err(wait)
    }

    /// Over one trunk after the other, until one carries it.
    async fn call(&self, call: &Call, line: Line, watch: &dyn Watch) -> Outcome {
        let (mut tried, mut troubles) = (Vec::new(), Vec::new());
        let mut line = line
            .into_held::<TrunkLine>()
            .or_else(|| self.find_line(&tried).ok());
        while let Some(held) = line {
            if *self.switchboard.stopping.borrow() {
                troubles.push("the gateway stops".to_owned());
                break;
            }
            let outgoing = Outgoing {
                switchboard: &self.switchboard,
                trunk: &held.trunk,
                call,
                watch,
            };
            let name = held.trunk.config.name.clone();
            match outgoing.place().await {
                Placed::Over(outcome) => return outcome,
                Placed::Elsewhere(why) => {
                    tracing::info!(
                        trunk = name,
                        why,
                        job = call.job,
                        "a trunk did not carry a call"
                    );
                    troubles.push(format!("{name}: {why}"));
                }
            }
            tried.push(name);
            line = self.find_line(&tried).ok();
        }
        if troubles.is_empty() {
            troubles.push(self.why_no_line());
        }
        Outcome::NotCalled {
            why: troubles.join("; "),
        }
    }

    fn why_no_line(&self) -> String {
        let trunks = self.trunks();
        let down = trunks
            .iter()
            .filter_map(|(name, condition)| Some(format!("{name}: {}", condition.as_ref().err()?)));
        match down.collect::<Vec<_>>() {
            none if none.is_empty() => "all lines are taken".to_owned(),
            down => down.join("; "),
        }
    }

    async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        let name = outgoing::name(job, attempt);
        match self.switchboard.workers.look_up(&name).await {
            Ok(Some(left)) => left::resolution(&left),
            Ok(None) => Resolution::NeverDialled,
            Err(error) => {
                tracing::error!(%error, job, "what a crash left of a call cannot be read");
                Resolution::Unknown
            }
        }
    }
}

/// What to wait for when there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For a line to be freed.
    ForALine,
    /// No trunk is in service.
    ForNothing,
    /// The next call may begin then.
    Until(Timestamp),
}

impl FaxTransport for SipTransport {
    fn line<'a>(&'a self, _number: &'a FaxNumber) -> Later<'a, Line> {
        Box::pin(self.free_line())
    }

    fn send<'a>(&'a self, call: &'a Call, line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome> {
        Box::pin(self.call(call, line, watch))
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.look_up(job, attempt))
    }

    fn settled<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, ()> {
        Box::pin(async move {
            let name = outgoing::name(job, attempt);
            self.switchboard.workers.forget(&name).await;
        })
    }

    fn condition(&self) -> Condition {
        let trunks = self.trunks();
        let down = trunks.iter().filter(|(_, condition)| condition.is_err());
        match down.count() {
            0 => Condition::Well,
            all if all == trunks.len() => Condition::Down(self.why_no_line()),
            _ => Condition::Impaired(self.why_no_line()),
        }
    }
}

impl Drop for SipTransport {
    fn drop(&mut self) {
        self.switchboard.station.close();
    }
}

/// All that goes on besides calls.
fn begin(switchboard: &Arc<Switchboard>) -> io::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    let requests = switchboard.station.requests()?;
    tasks.spawn(endpoint::attend(Arc::clone(switchboard), requests));
    let serving = Arc::clone(switchboard);
    tasks.spawn(async move { serving.station.serve().await });
    for trunk in &switchboard.trunks {
        if trunk.config.register {
            tasks.spawn(register::keep(Arc::clone(switchboard), Arc::clone(trunk)));
        }
    }
    let (trunks, clock) = (switchboard.trunks.clone(), Arc::clone(&switchboard.clock));
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(RESOLVE_EVERY).await;
            resolve(&trunks, &clock, RESOLVE_EVERY).await;
        }
    });
    Ok(tasks)
}

/// Asks the DNS who the trunks are.
async fn resolve(trunks: &[Arc<Trunk>], clock: &Arc<dyn Clock>, limit: Duration) {
    let mut asked = JoinSet::new();
    for trunk in trunks {
        let (trunk, clock) = (Arc::clone(trunk), Arc::clone(clock));
        asked.spawn(async move { trunk.resolve(clock.as_ref()).await });
    }
    let all = async { while asked.join_next().await.is_some() {} };
    // Those that are not known by then are asked for again.
    let _ = tokio::time::timeout(limit, all).await;
}
