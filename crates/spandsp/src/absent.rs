//! The lines where the library is missing: they have no values, so that starting is all that can be asked.

use std::convert::Infallible;

use crate::call::FaxCall;
use crate::call::Pacing;
use crate::call::StartError;
use crate::completion::Completion;
use crate::event::Event;
use crate::event::Packet;
use crate::event::Progress;
#[cfg(feature = "modem")]
use crate::serial::LineEvent;
#[cfg(feature = "modem")]
use crate::serial::Wish;

/// One end of a T.38 call.
#[derive(Debug)]
pub struct Terminal(Infallible);

/// One end of a call over audio.
#[derive(Debug)]
pub struct AudioFax(Infallible);

/// A modem whose telephone line is T.38.
#[cfg(feature = "modem")]
#[derive(Debug)]
pub struct ClassOneModem(Infallible);

impl Terminal {
    /// Not available.
    pub fn new(_call: &FaxCall, _pacing: Pacing) -> Result<Self, StartError> {
        Err(StartError::NotAvailable)
    }

    /// Lets so many samples of time pass and hands over the packets to be sent.
    pub fn advance(&mut self, _samples: u32, _send: impl FnMut(Packet<'_>)) {
        match self.0 {}
    }

    /// A packet of the far end, with its sequence number.
    pub fn receive(&mut self, _ifp: &[u8], _sequence: u16) {
        match self.0 {}
    }

    /// Ends the call at once.
    pub fn terminate(&mut self) {
        match self.0 {}
    }

    /// What happened since the last time, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        match self.0 {}
    }

    /// How far the call is.
    pub fn progress(&self) -> &Progress {
        match self.0 {}
    }

    /// How the call ended, once it has.
    pub fn completion(&self) -> Option<Completion> {
        match self.0 {}
    }

    /// Whether the engine has more to do.
    pub fn is_active(&self) -> bool {
        match self.0 {}
    }
}

impl AudioFax {
    /// Not available.
    pub fn new(_call: &FaxCall) -> Result<Self, StartError> {
        Err(StartError::NotAvailable)
    }

    /// Samples of the far end.
    pub fn receive(&mut self, _samples: &[i16]) {
        match self.0 {}
    }

    /// So many samples of the far end are lost.
    pub fn receive_lost(&mut self, _samples: u32) {
        match self.0 {}
    }

    /// Fills the samples to be sent next.
    pub fn transmit(&mut self, _samples: &mut [i16]) {
        match self.0 {}
    }

    /// Ends the call at once.
    pub fn terminate(&mut self) {
        match self.0 {}
    }

    /// What happened since the last time, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        match self.0 {}
    }

    /// How far the call is.
    pub fn progress(&self) -> &Progress {
        match self.0 {}
    }

    /// How the call ended, once it has.
    pub fn completion(&self) -> Option<Completion> {
        match self.0 {}
    }

    /// Whether the engine has more to do.
    pub fn is_active(&self) -> bool {
        match self.0 {}
    }
}

#[cfg(feature = "modem")]
impl ClassOneModem {
    /// Not available.
    pub fn new() -> Result<Self, StartError> {
        Err(StartError::NotAvailable)
    }

    /// Bytes of the software; how many the modem took.
    pub fn write(&mut self, _bytes: &[u8]) -> usize {
        match self.0 {}
    }

    /// Bytes for the software.
    pub fn read(&mut self) -> Vec<u8> {
        match self.0 {}
    }

    /// What the software wants of the line since the last time, in order.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        match self.0 {}
    }

    /// Something happens on the line.
    pub fn tell(&mut self, _event: LineEvent) {
        match self.0 {}
    }

    /// A packet of the far end, with its sequence number.
    pub fn receive(&mut self, _ifp: &[u8], _sequence: u16) {
        match self.0 {}
    }

    /// Lets so many samples of time pass and hands over the packets to be sent.
    pub fn advance(&mut self, _samples: u32, _send: impl FnMut(Packet<'_>)) {
        match self.0 {}
    }
}
