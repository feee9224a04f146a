//! One call. A transport says what happened and never tries again by itself; `queue::schedule` decides.

pub mod loopback;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::fax::Outcome;
use crate::fax::StationId;

/// A future that a transport hands out.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// The job; with the attempt it names the call for ever.
    pub job: i64,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Where to.
    pub number: FaxNumber,
    /// Our identifier (TSI).
    pub local_id: StationId,
    /// The pages, header lines stamped.
    pub fax: FaxFile,
    /// How long the far end may ring.
    pub ring_timeout: Duration,
}

/// What a transport knows of a call after the process that made it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It ended, and this is how.
    Ended(Outcome),
    /// The number was never dialled.
    NeverDialled,
    /// It cannot be known.
    Unknown,
}

/// A way to make calls.
pub trait FaxTransport: Send + Sync + 'static {
    /// Makes the call.
    fn send<'a>(&'a self, call: &'a Call) -> Later<'a, Outcome>;

    /// What became of the call of `job` and `attempt`, asked after a crash.
    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution>;
}

/// A fax from a line.
#[derive(Clone, Debug)]
pub struct InboundFax {
    /// The transport's name of the call; the same call handed over twice is one fax.
    pub call: String,
    /// The number that was called.
    pub number: FaxNumber,
    /// The caller's identifier (TSI).
    pub remote_id: StationId,
    /// The pages.
    pub fax: FaxFile,
}

/// Who takes faxes from lines; `receive` implements it.
pub trait Inbound: Send + Sync + 'static {
    /// Whether faxes to this number are received here.
    fn serves(&self, number: &FaxNumber) -> bool;

    /// Takes a fax over; it is durable when this returns `true`.
    fn arrive(&self, fax: InboundFax) -> Later<'_, bool>;
}
