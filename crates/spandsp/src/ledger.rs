//! What the callbacks put aside: packets, events, and whether the end was confirmed. Pure.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::ptr::null_mut;

use crate::completion::Completion;
use crate::event::Direction;
use crate::event::Event;
use crate::event::Progress;
use crate::event::Signal;
use crate::ffi;

/// Where the callbacks write, for the caller to read after each step.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The engine that it is of.
    pub(crate) engine: Option<NonNull<ffi::T30State>>,
    /// Packets to be sent, each with its copies.
    pub(crate) packets: VecDeque<(Vec<u8>, u32)>,
    /// What happened since it was last asked.
    pub(crate) events: Vec<Event>,
    /// Whether the last page's end was the latest command after a page.
    at_the_end: bool,
    /// Whether that was answered by MCF.
    pub(crate) confirmed: bool,
    /// Whether the far end said what it will send: the speed is known then.
    pub(crate) received_dcs: bool,
    /// How far the call was at the latest event.
    pub(crate) progress: Progress,
    /// How the call ended, once it has.
    pub(crate) completion: Option<Completion>,
}

impl Ledger {
    /// The engine for the library; null before it is configured, when nothing is heard of it.
    pub(crate) fn engine(&self) -> *mut ffi::T30State {
        self.engine.map_or(null_mut(), NonNull::as_ptr)
    }

    /// A T.30 frame went by: address, control, facsimile control field, and what follows.
    pub(crate) fn frame(&mut self, direction: Direction, frame: &[u8]) -> Option<Signal> {
        let field = *frame.get(2)?;
        let second = frame.get(3).copied().unwrap_or(0);
        // The lowest bit says which side got a DIS (T.30 section 5.3.6.1, the bit X).
        let signal = Signal::of(field & 0xfe, second)?;
        match signal {
            Signal::Eop | Signal::PpsEop => self.at_the_end = true,
            Signal::Eom
            | Signal::Mps
            | Signal::PpsNull
            | Signal::PpsEom
            | Signal::PpsMps
            | Signal::Rtn
            | Signal::Dcs => self.at_the_end = false,
            Signal::Mcf => self.confirmed |= self.at_the_end,
            Signal::Dis
            | Signal::Csi
            | Signal::Nsf
            | Signal::Tsi
            | Signal::Sub
            | Signal::Cfr
            | Signal::Ftt
            | Signal::Ppr
            | Signal::Rtp
            | Signal::Rnr
            | Signal::Rr
            | Signal::Ctc
            | Signal::Ctr
            | Signal::Eor
            | Signal::Err
            | Signal::Crp
            | Signal::Dcn => {}
        }
        self.received_dcs |= signal == Signal::Dcs && direction == Direction::Received;
        self.progress.confirmed = self.confirmed;
        self.events.push(Event::Signal(direction, signal));
        Some(signal)
    }

    /// A speed is going to be trained.
    pub(crate) fn train(&mut self, now: &Progress) {
        self.progress.rate = now.rate;
        self.progress.ecm = now.ecm;
        self.events.push(Event::Training {
            rate: now.rate,
            ecm: now.ecm,
        });
    }

    /// The engine is past a page, a part of one, or a page that has to come again: only a page more is an event.
    pub(crate) fn page(&mut self, now: Progress) {
        if now.pages > self.progress.pages {
            self.progress = Progress {
                confirmed: self.confirmed,
                ..now
            };
            self.events.push(Event::Page(self.progress.clone()));
        }
    }

    /// The call ended. Only the first end counts.
    pub(crate) fn end(&mut self, completion: Completion) {
        if self.completion.is_none() {
            self.completion = Some(completion);
            self.events.push(Event::Ended(completion));
        }
    }
}

/// An identifier of a stranger as text: trimmed, what is not printable ASCII replaced, `None` if nothing is left.
pub(crate) fn identifier(bytes: &[u8]) -> Option<String> {
    let text: String = bytes
        .iter()
        .take(MAX_IDENTIFIER)
        .map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '?',
        })
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Characters of an identifier (T.30 section 5.3.6.2.4).
pub(crate) const MAX_IDENTIFIER: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const EOP: [u8; 3] = [0xff, 0x13, 0x2f];
    const MPS: [u8; 3] = [0xff, 0x13, 0x4f];
    const PPS_EOP: [u8; 7] = [0xff, 0x13, 0xbf, 0x2f, 0, 0, 10];
    const PPS_NULL: [u8; 7] = [0xff, 0x13, 0xbf, 0, 0, 0, 255];
    const MCF: [u8; 3] = [0xff, 0x13, 0x8c];
    const PPR: [u8; 35] = {
        let mut ppr = [0; 35];
        ppr[2] = 0xbc;
        ppr
    };

    fn after(frames: &[&[u8]]) -> Ledger {
        let mut ledger = Ledger::default();
        for frame in frames {
            ledger.frame(Direction::Received, frame);
        }
        ledger
    }

    #[test]
    fn only_the_answer_to_the_last_page_confirms_the_call() {
        assert!(after(&[&EOP, &MCF]).confirmed);
        assert!(after(&[&PPS_EOP, &PPR, &PPS_EOP, &MCF]).confirmed);
        assert!(!after(&[&EOP]).confirmed);
        assert!(!after(&[&MPS, &MCF]).confirmed);
        assert!(!after(&[&PPS_NULL, &MCF]).confirmed);
        assert!(!after(&[&EOP, &[0xff, 0x13, 0x4c], &MCF]).confirmed);
    }

    #[test]
    fn frames_that_are_too_short_or_unknown_are_left_out() {
        assert!(
            after(&[&[], &[0xff], &[0xff, 0x13], &[0xff, 0x13, 0x06]])
                .events
                .is_empty()
        );
    }

    #[test]
    fn a_call_ends_once() {
        let mut ledger = Ledger::default();
        ledger.end(Completion::Ok);
        ledger.end(Completion::CallDropped);
        assert_eq!(ledger.completion, Some(Completion::Ok));
        assert_eq!(ledger.events, [Event::Ended(Completion::Ok)]);
    }

    #[test]
    fn hostile_identifiers_become_harmless_text() {
        assert_eq!(
            identifier(b"  +81 3 1234 5678 "),
            Some("+81 3 1234 5678".to_owned())
        );
        assert_eq!(identifier(b"\x1b[2J\xff"), Some("?[2J?".to_owned()));
        assert_eq!(identifier(b"    "), None);
        assert_eq!(identifier(&[b'7'; 40]).map(|id| id.len()), Some(20));
    }
}
