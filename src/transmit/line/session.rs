//! The media of one call as a worker sees them: carriers that change, a clock that is handed in, and when it is over.

use std::net::SocketAddr;
use std::time::Duration;

use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Task;

use super::Carrier;
use super::EndedBy;
use super::Pacing;
use super::engine::Engine;
use super::note::Job;
use super::note::Note;
use super::note::RECEIVED;
use super::note::SENT;
use super::peer::Peer;
use super::teller::Teller;
use crate::fax;
use crate::fax::CallProgress;
use crate::fax::Media;

/// What follows the end of T.30 is still answered for so long.
const DRAIN: Duration = Duration::from_millis(1500);
/// How often a T.38 terminal looks at its socket and its clock: seldom enough to cost nothing, often enough for no far end to notice.
const PACKETS: Duration = Duration::from_millis(50);
/// The same for audio: the time of one packet.
const SOUND: Duration = Duration::from_millis(20);
/// The same while nothing carries the call.
const NOTHING: Duration = Duration::from_secs(1);
/// The most time that passes at once, whatever the clock says.
const LEAP: Duration = Duration::from_secs(60);
/// Samples that pass at least when packets came to an unpaced end.
const UNPACED_STEP: u32 = 40;

/// One call.
#[derive(Debug)]
pub(super) struct Session {
    job: Job,
    engine: Option<Engine>,
    peer: Option<Peer>,
    teller: Teller,
    /// What has happened and is not told yet.
    notes: Vec<Note>,
    /// The clock up to which time has passed.
    now: Duration,
    /// When something was last heard; sent packets count over T.38.
    alive: Duration,
    /// Whether something came since time last passed.
    came: bool,
    /// Packets that engines before this one missed.
    lost: u64,
    over: Option<Over>,
}

/// How it is over, and when the worker may leave.
#[derive(Clone, Copy, Debug)]
struct Over {
    by: EndedBy,
    completion: Option<i32>,
    leave: Duration,
}

impl Session {
    /// A call that nothing carries yet. The clock begins at zero.
    pub(super) fn new(job: Job) -> Self {
        let teller = Teller::new(job.pages);
        Self {
            job,
            engine: None,
            peer: None,
            teller,
            notes: Vec::new(),
            now: Duration::ZERO,
            alive: Duration::ZERO,
            came: false,
            lost: 0,
            over: None,
        }
    }

    /// Something else carries the call from here on.
    pub(super) fn carry(&mut self, carrier: Carrier, now: Duration) {
        if self.over.is_some() {
            return;
        }
        let (remote, media) = match carrier {
            Carrier::Audio { remote, .. } => (remote, Media::G711),
            Carrier::T38 { remote, .. } => (remote, Media::T38),
        };
        let adapted = self
            .engine
            .as_mut()
            .is_some_and(|engine| engine.adapt(carrier));
        if adapted {
            self.peer.get_or_insert(Peer::new(remote)).adapt(remote);
            return;
        }
        // After the first page there is no way back to the beginning.
        let began = |engine: &Engine| engine.progress().pages > 0 || engine.completion().is_some();
        if self.engine.as_ref().is_some_and(began) {
            return;
        }
        // The engine before lets go of its file first.
        self.lost += self.engine.take().map_or(0, |engine| engine.lost());
        self.peer = Some(Peer::new(remote));
        self.notes
            .push(Note::Progress(CallProgress::Carried { media }));
        (self.now, self.alive) = (now, now);
        match Engine::new(&self.call(), self.job.pacing, carrier, self.job.random) {
            Ok(engine) => self.engine = Some(engine),
            Err(_) => self.end(EndedBy::Fault, now),
        }
    }

    /// What T.30 is to do.
    fn call(&self) -> FaxCall {
        FaxCall {
            task: match self.job.pages {
                Some(pages) => Task::Transmit {
                    file: SENT.into(),
                    first_page: pages.first,
                },
                None => Task::Receive {
                    file: RECEIVED.into(),
                },
            },
            local_id: self.job.local_id.as_str().to_owned(),
            sub_address: self
                .job
                .sub_address
                .as_ref()
                .map(|sub| sub.as_str().to_owned()),
            ecm: self.job.ecm,
            fastest: match self.job.fastest {
                fax::Modem::V17 => Modem::V17,
                fax::Modem::V29 => Modem::V29,
                fax::Modem::V27ter => Modem::V27ter,
            },
        }
    }

    /// A datagram came.
    pub(super) fn receive(&mut self, datagram: &[u8], from: SocketAddr, now: Duration) {
        let (Some(engine), Some(peer)) = (&mut self.engine, &mut self.peer) else {
            return;
        };
        if peer.may_be(from) && engine.receive(datagram) {
            peer.hear(from);
            self.alive = now;
            self.came = true;
        }
    }

    /// Lets time pass; the datagrams to be sent come out after [`Self::take_notes`] is written down.
    pub(super) fn advance(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let came = std::mem::take(&mut self.came);
        if let Some(engine) = &mut self.engine {
            let mut samples = samples(now.min(self.now + LEAP)) - samples(self.now.min(now));
            if came && self.job.pacing == Pacing::Unpaced {
                samples = samples.max(UNPACED_STEP);
            }
            engine.advance(samples, &mut out);
            if matches!(engine, Engine::Packets(_)) && !out.is_empty() {
                self.alive = now;
            }
        }
        self.now = now;
        self.tell();
        self.watch(now);
        out
    }

    fn tell(&mut self) {
        if let Some(engine) = &mut self.engine {
            let events = engine.take_events();
            let told = self
                .teller
                .tell(events, engine.heard_tone(), engine.progress());
            self.notes.extend(told);
        }
    }

    /// Ends the call when T.30 has ended, or time is up.
    fn watch(&mut self, now: Duration) {
        if self.over.is_some() {
            return;
        }
        let completion = self.engine.as_ref().and_then(Engine::completion);
        if let Some(completion) = completion {
            self.over = Some(Over {
                by: EndedBy::Fax,
                completion: Some(completion.code()),
                leave: now + DRAIN,
            });
        } else if now >= self.job.limits.longest {
            self.end(EndedBy::Length, now);
        } else if self.engine.is_some() && now >= self.alive + self.job.limits.silence {
            self.end(EndedBy::Silence, now);
        }
    }

    /// The far end is gone, or not wanted any more.
    pub(super) fn hang_up(&mut self) {
        self.end(EndedBy::HangUp, self.now);
    }

    /// Ends T.30 where it is. If it has ended already, that is how it ended.
    fn end(&mut self, by: EndedBy, now: Duration) {
        if let Some(over) = &mut self.over {
            over.leave = now;
            return;
        }
        if let Some(engine) = &mut self.engine {
            engine.terminate();
        }
        self.tell();
        let completion = self.engine.as_ref().and_then(Engine::completion);
        self.over = Some(Over {
            by,
            completion: completion.map(|completion| completion.code()),
            leave: now,
        });
    }

    /// What happened since the last time.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Where datagrams go.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.peer.as_ref().and_then(Peer::address)
    }

    /// Whether the next datagram is worth waking up for.
    pub(super) fn is_unpaced(&self) -> bool {
        self.job.pacing == Pacing::Unpaced && self.engine.is_some()
    }

    /// How long nothing needs to happen, unless there is an order.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let tick = match (&self.engine, self.job.pacing) {
            (None, _) => NOTHING,
            (Some(Engine::Packets(_)), Pacing::Line) => PACKETS,
            (Some(Engine::Sound(_)), Pacing::Line) | (Some(_), Pacing::Unpaced) => SOUND,
        };
        (self.now + tick).saturating_sub(now)
    }

    /// Whether the worker may leave.
    pub(super) fn is_over(&self) -> bool {
        let idle = || !self.engine.as_ref().is_some_and(Engine::is_active);
        self.over
            .is_some_and(|over| self.now >= over.leave || idle())
    }

    /// Closes the files; the last note.
    pub(super) fn finish(self) -> Note {
        let lost = self.engine.as_ref().map_or(0, Engine::lost);
        Note::Ended {
            by: self.over.map_or(EndedBy::Fault, |over| over.by),
            completion: self.over.and_then(|over| over.completion),
            packets_lost: self.lost + lost,
        }
    }
}

/// Samples up to this time. Differences of them add up, whatever the steps.
fn samples(time: Duration) -> u32 {
    let samples = time.as_micros() * u128::from(SAMPLES_PER_SECOND) / 1_000_000;
    // Two days, longer than any call may last.
    u32::try_from(samples).unwrap_or(u32::MAX)
}
