//! A call of two T.38 terminals in this process, under a clock of samples: nothing here waits.

use std::io;
use std::path::Path;
use std::time::Duration;

use spandsp::Completion;
use spandsp::Direction;
use spandsp::Event;
use spandsp::FaxCall;
use spandsp::Pacing;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Signal;
use spandsp::StartError;
use spandsp::Task;
use spandsp::Terminal;

use super::folder::Scratch;
use super::lane::Arrival;
use super::lane::Lane;
use super::recording::ANSWERED;
use super::recording::Arrived;
use super::recording::Ending;
use super::recording::Recording;
use super::recording::usual;
use crate::config::Phase;
use crate::config::Script;
use crate::fax::CallProgress;
use crate::fax::Cause;
use crate::fax::Media;
use crate::fax::Modem;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::transmit::Call;
use crate::transmit::line;
use crate::transmit::line::Ended;
use crate::transmit::line::EndedBy;

/// Samples of a step: 20 ms.
const STEP: u32 = SAMPLES_PER_SECOND / 50;
/// A line on which nothing gets through for so long is released. T.30 gives up after 60 s itself (T0) before the first
/// page, but would send a long page to its end.
const SILENCE: u64 = 90 * SAMPLES_PER_SECOND as u64;
/// What the far end is given to hear the last message of ours.
const AFTER_THE_END: u64 = 5 * SAMPLES_PER_SECOND as u64;
/// Bytes of the first page that get through before a cut in it.
const IN_THE_PAGE: usize = 400;

/// Plays the call; its files are in `scratch`.
///
/// # Errors
/// The files of the call cannot be written or read.
pub(super) fn record(call: &Call, script: Script, scratch: &Scratch) -> io::Result<Recording> {
    std::fs::write(scratch.sent(), &call.fax.tiff)?;
    let mut session = match Session::start(call, script, scratch) {
        Ok(session) => session,
        Err(error) => return Ok(faulty(call, &error)),
    };
    session.run();
    session.end(&scratch.arrived())
}

/// A call that is going on.
struct Session<'a> {
    call: &'a Call,
    script: Script,
    near: Terminal,
    /// Where somebody else answers there is none.
    far: Option<Terminal>,
    there: Lane,
    back: Lane,
    samples: u64,
    /// When a packet got through for the last time.
    heard: u64,
    /// Bytes that got through since the training was good.
    of_page: Option<usize>,
    recording: Recording,
    /// Whom we reached, as it says (CSI).
    remote_id: StationId,
    /// Who calls, as the far end was told (TSI).
    caller: StationId,
    /// Whether the far end began to say who it is.
    identifies: bool,
    /// Whether we gave up because nothing got through any more.
    silent: bool,
}

impl<'a> Session<'a> {
    fn start(call: &'a Call, script: Script, scratch: &Scratch) -> Result<Self, StartError> {
        let near = FaxCall {
            task: Task::Transmit {
                file: scratch.sent(),
                first_page: call.first_page,
            },
            local_id: call.local_id.as_str().to_owned(),
            sub_address: call.sub_address.as_ref().map(|sub| sub.as_str().to_owned()),
            ecm: call.ecm,
            fastest: match call.fastest {
                Modem::V17 => spandsp::Modem::V17,
                Modem::V29 => spandsp::Modem::V29,
                Modem::V27ter => spandsp::Modem::V27ter,
            },
        };
        let far = FaxCall {
            task: Task::Receive {
                file: scratch.arrived(),
            },
            local_id: super::far_end(call).as_str().to_owned(),
            sub_address: None,
            ecm: true,
            fastest: spandsp::Modem::V17,
        };
        let pacing = match script == Script::Good {
            true => Pacing::Unpaced,
            false => Pacing::Line,
        };
        let loss = match script {
            Script::Loss(percent) => percent,
            Script::Good
            | Script::Busy
            | Script::NoAnswer
            | Script::Voice
            | Script::FailAfterPage(_)
            | Script::Slow
            | Script::Cut(_) => 0,
        };
        let seed = call.job.unsigned_abs().rotate_left(16) ^ u64::from(call.attempt);
        let mut recording = Recording::dialling();
        let far = match script == Script::Voice {
            true => None,
            false => Some(Terminal::new(&far, pacing)?),
        };
        recording.answered(far.as_ref().map(|_| Media::T38));
        Ok(Self {
            call,
            script,
            near: Terminal::new(&near, pacing)?,
            far,
            there: Lane::new(loss, seed),
            back: Lane::new(loss, !seed),
            samples: 0,
            heard: 0,
            of_page: None,
            recording,
            remote_id: StationId::default(),
            caller: StationId::default(),
            identifies: false,
            silent: false,
        })
    }

    /// Until our end is done, and the far end too if it can hear us.
    fn run(&mut self) {
        let mut ended = None;
        loop {
            self.step();
            if self.samples - self.heard > SILENCE {
                self.silent = true;
                self.near.terminate();
                self.take_events();
            }
            let near_goes_on = self.near.is_active() && self.near.completion().is_none();
            if near_goes_on {
                continue;
            }
            let ended = *ended.get_or_insert(self.samples);
            let listens = self.far.as_ref().is_some_and(Terminal::is_active);
            let cut = self.there.cut || !listens;
            if cut || self.samples - ended > AFTER_THE_END {
                break;
            }
        }
    }

    fn step(&mut self) {
        let (mut to_far, mut to_near): (Vec<Arrival>, Vec<Arrival>) = (Vec::new(), Vec::new());
        let (there, back) = (&mut self.there, &mut self.back);
        self.near.advance(STEP, |packet| {
            there.carry(packet.ifp, packet.copies, &mut to_far)
        });
        if let Some(far) = &mut self.far {
            far.advance(STEP, |packet| {
                back.carry(packet.ifp, packet.copies, &mut to_near)
            });
            for (ifp, sequence) in &to_far {
                far.receive(ifp, *sequence);
            }
            if !(to_far.is_empty() && to_near.is_empty()) {
                self.heard = self.samples;
            }
        }
        for (ifp, sequence) in &to_near {
            self.near.receive(ifp, *sequence);
        }
        self.samples += u64::from(STEP);
        if let Some(bytes) = &mut self.of_page {
            *bytes += to_far.iter().map(|(ifp, _)| ifp.len()).sum::<usize>();
        }
        let at_far = self.take_events();
        if self.is_cut(&at_far, !to_near.is_empty()) {
            self.there.cut = true;
            self.back.cut = true;
        }
    }

    /// Notes what happened at our end; what the far end was told is in the answer.
    fn take_events(&mut self) -> Vec<Signal> {
        for event in self.near.take_events() {
            self.note(&event);
        }
        let far = self.far.as_mut().map(Terminal::take_events);
        let mut told = Vec::new();
        for event in far.unwrap_or_default() {
            match event {
                Event::Signal(Direction::Received, signal) => told.push(signal),
                Event::Negotiated {
                    remote_id: Some(id),
                    ..
                } => self.caller = StationId::from_far_end(id.as_bytes()),
                Event::Signal(Direction::Sent, _)
                | Event::Negotiated { .. }
                | Event::Training { .. }
                | Event::Page(_)
                | Event::Ended(_) => {}
            }
        }
        told
    }

    fn note(&mut self, event: &Event) {
        let progress = match event {
            Event::Negotiated {
                remote_id: Some(id),
                ..
            } => {
                let remote_id = StationId::from_far_end(id.as_bytes());
                if remote_id == self.remote_id {
                    return;
                }
                self.remote_id = remote_id.clone();
                CallProgress::Identified { remote_id }
            }
            Event::Training { rate, ecm } => CallProgress::Training {
                rate: *rate,
                ecm: *ecm,
            },
            Event::Page(progress) => CallProgress::Page {
                confirmed: self.call.first_page + progress.pages,
                of: self.call.fax.pages,
            },
            Event::Signal(Direction::Sent, Signal::Eop | Signal::PpsEop) => {
                CallProgress::LastPageSent
            }
            Event::Signal(Direction::Received, Signal::Cfr) => {
                self.of_page.get_or_insert(0);
                return;
            }
            Event::Signal(Direction::Received, Signal::Csi) => {
                self.identifies = true;
                return;
            }
            Event::Signal(..) | Event::Negotiated { .. } | Event::Ended(_) => return,
        };
        let repeated = matches!(self.recording.steps.last(), Some((_, last)) if *last == progress);
        if !repeated {
            let time = self.time(&progress);
            self.recording.at(time, progress);
        }
    }

    /// When something that happens now happens on a real line.
    fn time(&self, progress: &CallProgress) -> Duration {
        if self.script == Script::Good {
            // Unpaced, samples are no measure of time.
            return usual(self.call, progress);
        }
        let ms = self.samples * 1000 / u64::from(SAMPLES_PER_SECOND);
        ANSWERED + Duration::from_millis(ms)
    }

    /// Whether the line is cut from now on.
    fn is_cut(&self, at_far: &[Signal], far_was_heard: bool) -> bool {
        let phase = match self.script {
            Script::Cut(phase) => phase,
            Script::FailAfterPage(pages) => return self.near.progress().pages >= pages,
            Script::Good
            | Script::Busy
            | Script::NoAnswer
            | Script::Voice
            | Script::Slow
            | Script::Loss(_) => return false,
        };
        let ends_a_page = |signal: &Signal| {
            matches!(
                signal,
                Signal::Eom
                    | Signal::Mps
                    | Signal::Eop
                    | Signal::PpsEom
                    | Signal::PpsMps
                    | Signal::PpsEop
            )
        };
        match phase {
            Phase::SetUp => far_was_heard,
            Phase::Identification => self.identifies,
            Phase::Training => at_far.contains(&Signal::Dcs),
            Phase::Page => self.of_page.is_some_and(|bytes| bytes > IN_THE_PAGE),
            Phase::AfterPage => at_far.iter().any(ends_a_page),
            Phase::LastPage => at_far
                .iter()
                .any(|signal| matches!(signal, Signal::Eop | Signal::PpsEop)),
            Phase::Release => self.near.progress().confirmed,
        }
    }

    /// Hangs up on both sides; `file` is that of the far end.
    fn end(mut self, file: &Path) -> io::Result<Recording> {
        self.near.terminate();
        let progress = self.near.progress().clone();
        let completion = self.near.completion().unwrap_or(Completion::CallDropped);
        let time = self.time(&CallProgress::Released);
        let mut recording = self.recording;
        let ended = Ended {
            pages: progress.pages,
            confirmed: progress.confirmed,
            completion: Some(completion.code()),
            by: match self.silent {
                true => EndedBy::Silence,
                false => EndedBy::Fax,
            },
            remote_id: self.remote_id,
            rate: progress.rate,
            ecm: progress.ecm,
            media: recording.report.media,
            ..Ended::default()
        };
        let outcome = line::outcome(&ended, self.call.first_page, self.call.fax.pages);
        let (ending, report) = match outcome {
            Outcome::Sent(report) => (Ending::Sent, report),
            Outcome::Retry(cause, report) => (Ending::Retry(cause), report),
            Outcome::Failed(cause, report) => (Ending::Failed(cause), report),
            Outcome::NotCalled { .. } => (Ending::Failed(Cause::LocalFault), recording.report),
        };
        recording.report = report;
        recording.end(time, ending);
        if let Some(far) = self.far {
            recording.arrived = arrived(far, self.caller, file)?;
        }
        Ok(recording)
    }
}

/// What the far end has. Its file is whole once it is gone.
fn arrived(mut far: Terminal, caller: StationId, file: &Path) -> io::Result<Option<Arrived>> {
    far.terminate();
    let progress = far.progress().clone();
    drop(far);
    if progress.pages == 0 {
        return Ok(None);
    }
    Ok(Some(Arrived {
        tiff: std::fs::read(file)?,
        pages: progress.pages,
        complete: progress.confirmed,
        remote_id: caller,
    }))
}

fn faulty(call: &Call, error: &StartError) -> Recording {
    let mut recording = Recording::dialling();
    recording.report.pages_sent = call.first_page;
    recording.report.detail = error.to_string();
    recording.end(Duration::ZERO, Ending::Failed(Cause::LocalFault));
    recording
}
