//! T.30 fax over T.38 packets or over audio: safe types over the system's SpanDSP library.
//!
//! Time is what the caller says it is: a call goes on by [`Terminal::advance`] or by the samples of an [`AudioFax`], at 8,000
//! in a second, and nothing here sleeps or reads a clock. What happened is read as [`Event`]s after each step. The C code
//! calls back only into functions that put bytes aside, so that no code of the caller ever runs, or panics, inside it.
//!
//! * [`FaxCall`] - what one end of a call is to do
//! * [`Terminal`] - that end on a T.38 line, [`AudioFax`] - on a line of samples
//! * [`Event`], [`Progress`] - what happens, and how far it is
//! * [`Completion`] - how it ended
//! * `ClassOneModem` (feature `modem`) - a fax modem for software of others, for tests
//!
//! Where the library was not there at build time, everything is here too, and starting answers [`StartError::NotAvailable`].
//! The library has had memory errors in its history: packets of strangers belong in a process of their own.

#![deny(clippy::undocumented_unsafe_blocks)]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod call;
pub mod completion;
pub mod event;

// Linked by this.
#[cfg(feature = "vendored")]
use spandsp_sys as _;

#[cfg(not(spandsp_found))]
mod absent;
#[cfg(spandsp_found)]
#[allow(unsafe_code, reason = "fax over audio is C code")]
mod audio;
#[cfg(spandsp_found)]
#[allow(unsafe_code, reason = "the T.30 engine is C code")]
mod engine;
#[cfg(spandsp_found)]
#[allow(unsafe_code, reason = "the declarations of C code")]
mod ffi;
#[cfg(spandsp_found)]
#[allow(unsafe_code, reason = "C code calls back")]
mod handlers;
#[cfg(spandsp_found)]
mod ledger;
#[cfg(all(spandsp_found, feature = "modem"))]
#[allow(unsafe_code, reason = "the modem is C code")]
mod modem;
#[cfg(feature = "modem")]
mod serial;
#[cfg(spandsp_found)]
#[allow(unsafe_code, reason = "the T.38 terminal is C code")]
mod terminal;

#[cfg(not(spandsp_found))]
pub use absent::AudioFax;
#[cfg(all(not(spandsp_found), feature = "modem"))]
pub use absent::ClassOneModem;
#[cfg(not(spandsp_found))]
pub use absent::Terminal;
#[cfg(spandsp_found)]
pub use audio::AudioFax;
pub use call::FaxCall;
pub use call::Modem;
pub use call::Pacing;
pub use call::StartError;
pub use call::Task;
pub use completion::Completion;
pub use event::Direction;
pub use event::Event;
pub use event::Packet;
pub use event::Progress;
pub use event::Signal;
#[cfg(all(spandsp_found, feature = "modem"))]
pub use modem::ClassOneModem;
#[cfg(feature = "modem")]
pub use serial::LineEvent;
#[cfg(feature = "modem")]
pub use serial::Wish;
#[cfg(spandsp_found)]
pub use terminal::Terminal;

/// Samples in a second: the unit of every duration here.
pub const SAMPLES_PER_SECOND: u32 = 8000;

/// The line that installs the library on Debian and its kin; the gateway has to be built again afterwards.
pub const INSTALL: &str = "apt-get install libspandsp-dev";

/// Whether the library was there when this was built.
pub fn is_available() -> bool {
    cfg!(spandsp_found)
}
