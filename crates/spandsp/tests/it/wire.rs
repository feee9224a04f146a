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
    datagrams: u32,
}

impl End {
    fn new(call: &FaxCall, pacing: Pacing) -> Self {
        Self {
            terminal: Terminal::new(call, pacing).unwrap(),
            events: Vec::new(),
            sequence: 0,
            datagrams: 0,
        }
    }

    /// A step of time at this end; what gets through is in the answer.
    fn step(&mut self, line: &Line) -> Vec<(Vec<u8>, u16)> {
        let mut through = Vec::new();
        let (sequence, datagrams) = (&mut self.sequence, &mut self.datagrams);
        self.terminal.advance(STEP, |packet| {
            for _ in 0..packet.copies.max(line.copies) {
                *datagrams += 1;
                if line.drop_every == 0 || !datagrams.is_multiple_of(line.drop_every) {
                    through.push((packet.ifp.to_vec(), *sequence));
                }
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
    /// Every so-many-th datagram is lost; 0 for none.
    pub(crate) drop_every: u32,
    /// Each packet is sent at least so often.
    pub(crate) copies: u32,
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
            let to_receiver = self.sender.step(&self.line);
            let to_sender = self.receiver.step(&self.line);
            self.receiver.hear(to_receiver);
            self.sender.hear(to_sender);
            self.samples += STEP;
            assert!(self.samples < LIMIT, "{:?}", self.sender.events);
        }
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
