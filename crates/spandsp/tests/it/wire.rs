//! Two terminals and the line between them.

use spandsp::Completion;
use spandsp::Event;
use spandsp::FaxCall;
use spandsp::Pacing;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Terminal;

/// Time passes in steps of 20 ms.
const STEP: u32 = SAMPLES_PER_SECOND / 50;

/// No call of these tests lasts longer: 20 minutes.
const LIMIT: u32 = SAMPLES_PER_SECOND * 1200;

/// One end: a terminal, what it said, and the number of its next packet.
pub(crate) struct End {
    pub(crate) terminal: Terminal,
    pub(crate) events: Vec<Event>,
    sequence: u16,
}

impl End {
    fn new(call: &FaxCall, pacing: Pacing) -> Self {
        Self {
            terminal: Terminal::new(call, pacing).unwrap(),
            events: Vec::new(),
            sequence: 0,
        }
    }

    /// A step of time at this end; what gets through is in the answer.
    fn step(&mut self, line: &mut Line) -> Vec<(Vec<u8>, u16)> {
        let mut through = Vec::new();
        let sequence = &mut self.sequence;
        self.terminal.advance(STEP, |packet| {
            for _ in 0..packet.copies.max(line.copies) {
                through.extend(line.carry(packet.ifp).map(|ifp| (ifp, *sequence)));
            }
            *sequence = sequence.wrapping_add(1);
        });
        self.events.extend(self.terminal.take_events());
        through
    }

    fn hear(&mut self, packets: Vec<(Vec<u8>, u16)>) {
        for (ifp, sequence) in packets {
            self.terminal.receive(&ifp, sequence);
        }
    }
}

/// What the line does to packets.
#[derive(Default)]
pub(crate) struct Line {
    /// Each packet is sent at least so often.
    pub(crate) copies: u32,
    /// Of a thousand datagrams so many are lost.
    pub(crate) lost: u32,
    /// Of a thousand datagrams so many have a byte that is wrong.
    pub(crate) damaged: u32,
    /// What a fast modem sends comes as noise; the short packets of messages at 300 bit/s do not.
    pub(crate) noisy: bool,
    /// Nothing gets through any more.
    pub(crate) cut: bool,
    /// Where the dice are: the same start gives the same call.
    pub(crate) dice: u32,
}

impl Line {
    /// A datagram as it arrives, if it does.
    fn carry(&mut self, ifp: &[u8]) -> Option<Vec<u8>> {
        if self.cut || self.throw(1000) < self.lost {
            return None;
        }
        let mut arrives = ifp.to_vec();
        if self.noisy && ifp.len() > 16 {
            arrives[8..].fill(0xff);
        }
        if self.throw(1000) < self.damaged {
            let at = self.throw(arrives.len() as u32) as usize;
            match self.throw(4) {
                0 => arrives.truncate(at),
                1 => arrives.extend_from_slice(&ifp[at..]),
                _ => arrives[at] = self.throw(256) as u8,
            }
        }
        Some(arrives)
    }

    fn throw(&mut self, sides: u32) -> u32 {
        self.dice = self
            .dice
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.dice >> 8) % sides
    }
}

/// A call of two terminals.
pub(crate) struct Wire {
    pub(crate) sender: End,
    pub(crate) receiver: End,
    pub(crate) line: Line,
    pub(crate) samples: u32,
}

impl Wire {
    pub(crate) fn new(sender: &FaxCall, receiver: &FaxCall, pacing: Pacing, line: Line) -> Self {
        Self {
            sender: End::new(sender, pacing),
            receiver: End::new(receiver, pacing),
            line,
            samples: 0,
        }
    }

    /// Time passes until this is so. Fails when the longest call is over.
    pub(crate) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            self.step();
            assert!(self.samples < LIMIT, "{:?}", self.sender.events);
        }
    }

    /// So many seconds pass.
    pub(crate) fn pass(&mut self, seconds: u32) {
        self.pass_samples(seconds * SAMPLES_PER_SECOND);
    }

    /// So many samples pass.
    pub(crate) fn pass_samples(&mut self, samples: u32) {
        let until = self.samples + samples;
        while self.samples < until {
            self.step();
        }
    }

    fn step(&mut self) {
        let to_receiver = self.sender.step(&mut self.line);
        let to_sender = self.receiver.step(&mut self.line);
        self.receiver.hear(to_receiver);
        self.sender.hear(to_sender);
        self.samples += STEP;
    }

    /// To the end of both; how the sender and the receiver saw it.
    pub(crate) fn run(&mut self) -> (Completion, Completion) {
        self.run_until(|wire| {
            !wire.sender.terminal.is_active() && !wire.receiver.terminal.is_active()
        });
        (
            self.sender.terminal.completion().unwrap(),
            self.receiver.terminal.completion().unwrap(),
        )
    }
}
