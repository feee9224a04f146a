//! What one end of a call is to do.

use std::path::PathBuf;

use thiserror::Error;

/// One end of a call.
#[derive(Clone, Debug)]
pub struct FaxCall {
    /// Send or receive.
    pub task: Task,
    /// Our identifier (TSI or CSI): at most 20 printable ASCII characters, may be empty.
    pub local_id: String,
    /// The sub-address to send (SUB): at most 20 printable ASCII characters. A receiver has none.
    pub sub_address: Option<String>,
    /// Whether errors are corrected (ECM) if the far end can.
    pub ecm: bool,
    /// The fastest modem that is tried.
    pub fastest: Modem,
}

/// What a call is for. The calling party sends and the called one receives: there is no polling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Send the pages of a file, as the calling party.
    Transmit {
        /// A TIFF-F file. It is opened when the far end is ready for it.
        file: PathBuf,
        /// The first page to send, from 0: what was confirmed in an earlier call is not sent again.
        first_page: u32,
    },
    /// Receive pages into a file, as the called party.
    Receive {
        /// The TIFF-F file to be written (MMR), from nothing if it exists. It is made by the first page and whole when the call
        /// has ended or its value is dropped.
        file: PathBuf,
    },
}

/// Modems for pages, each with the slower ones that it falls back to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modem {
    /// V.17: 14,400 to 7,200 bit/s.
    #[default]
    V17,
    /// V.29: 9,600 and 7,200 bit/s.
    V29,
    /// V.27ter: 4,800 and 2,400 bit/s.
    V27ter,
}

/// How fast a T.38 terminal sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pacing {
    /// At the speed of the modem that it stands for: a far end may be a gateway to a telephone line.
    #[default]
    Line,
    /// As fast as the far end takes it: both ends are terminals like this one.
    Unpaced,
}

/// Why a call could not start.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StartError {
    /// The library was not there at build time.
    #[error("the SpanDSP library was not there when this was built")]
    NotAvailable,
    /// An identifier or a sub-address is too long or not printable ASCII.
    #[error("an identifier has more than 20 characters or some that fax cannot send")]
    Identifier,
    /// The path of a file is longer than 255 bytes or holds a zero byte.
    #[error("the path of the fax file is too long")]
    Path,
    /// There is no such page number, or the library had no memory.
    #[error("the library refused the call")]
    Refused,
}
