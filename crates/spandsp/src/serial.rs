//! What a modem and the software that uses it say of the line.

#[cfg(spandsp_found)]
use std::ffi::c_int;

/// What the software on the serial side wants of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Call this number (ATD).
    Dial(String),
    /// Pick up (ATA).
    Answer,
    /// Hang up (ATH).
    HangUp,
}

/// What happens on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// Somebody calls: it rings once.
    Ringing,
    /// Our call was answered.
    Connected,
    /// We picked up, and the line is through.
    PickedUp,
    /// Our call found the line busy.
    Busy,
    /// Nobody answered our call.
    NoAnswer,
    /// The far end hung up.
    HungUp,
}

impl LineEvent {
    /// Its number in the library (`enum at_call_event_e`).
    #[cfg(spandsp_found)]
    pub(crate) fn code(self) -> c_int {
        match self {
            Self::Ringing => 1,
            Self::Connected => 2,
            Self::PickedUp => 3,
            Self::Busy => 4,
            Self::NoAnswer => 6,
            Self::HungUp => 7,
        }
    }
}
