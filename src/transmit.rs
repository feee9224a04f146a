//! One call. A transport says what happened and never tries again by itself; `queue::schedule` decides.

mod durable;
pub mod exchange;
pub mod hylafax;
pub mod interfax;
pub mod journal;
pub mod line;
pub mod loopback;
pub mod sip;
pub mod spool;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::fax::CallProgress;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::fax::Modem;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::fax::SubAddress;

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
    /// The number that the far end is shown; `None` is the line's own.
    pub calling_number: Option<FaxNumber>,
    /// Our identifier (TSI).
    pub local_id: StationId,
    /// Whom it is for behind the number (SUB).
    pub sub_address: Option<SubAddress>,
    /// All pages, header lines stamped.
    pub fax: FaxFile,
    /// The first page to send, from 0: those before were confirmed in earlier calls.
    pub first_page: u32,
    /// Whether errors are corrected (ECM) if the far end can.
    pub ecm: bool,
    /// The fastest modem that is tried.
    pub fastest: Modem,
    /// How long the far end may ring.
    pub ring_timeout: Duration,
}

/// What a transport knows of a call after the process that made it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It ended, and this is how.
    Ended(Outcome),
    /// It goes on, elsewhere: ask again.
    GoesOn,
    /// The number was never dialled.
    NeverDialled,
    /// It cannot be known.
    Unknown,
}

/// Who wants to know how far a call is. What it is told must not keep the call waiting.
pub trait Watch: Send + Sync {
    /// This happened.
    fn note(&self, progress: CallProgress);
}

/// A line that one call may use: dropping it frees the line.
#[derive(Default)]
pub struct Line(Option<Box<dyn Any + Send + Sync>>);

impl Line {
    /// A line that is freed by dropping `held`.
    pub fn held(held: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(held)))
    }

    /// What is held, if it is a `T`; anything else is let go.
    pub fn into_held<T: Any + Send + Sync>(self) -> Option<T> {
        let held: Box<dyn Any> = self.0?;
        held.downcast().ok().map(|held| *held)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&self.0.is_some()).finish()
    }
}

/// Whether a transport can make calls, for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is amiss.
    #[default]
    Well,
    /// Calls are made, but something is amiss: one line without secrets.
    Impaired(String),
    /// No call can be made now, and why: one line without secrets.
    Down(String),
}

/// A way to make calls.
pub trait FaxTransport: Send + Sync + 'static {
    /// Waits until a line to `number` is free. A transport without a limit has one at once.
    fn line<'a>(&'a self, _number: &'a FaxNumber) -> Later<'a, Line> {
        Box::pin(std::future::ready(Line::default()))
    }

    /// Makes the call over a line that [`Self::line`] gave, and tells `watch` how far it is.
    fn send<'a>(&'a self, call: &'a Call, line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome>;

    /// What became of the call of `job` and `attempt`, asked after a crash.
    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution>;

    /// The call's end is known and kept elsewhere: what was kept here for [`Self::resolve`] may go. Comes again after a crash.
    fn settled<'a>(&'a self, _job: i64, _attempt: u32) -> Later<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// How it is now, without waiting for anybody.
    fn condition(&self) -> Condition {
        Condition::default()
    }
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
    /// The pages that arrived whole.
    pub fax: FaxFile,
    /// Whether they are all: the last one's end was confirmed (EOP was answered by MCF).
    pub complete: bool,
}

/// Who takes faxes from lines; `receive` implements it.
pub trait Inbound: Send + Sync + 'static {
    /// Whether faxes to this number are received here.
    fn serves(&self, number: &FaxNumber) -> bool;

    /// Takes a fax over; it is durable when this returns `true`.
    fn arrive(&self, fax: InboundFax) -> Later<'_, bool>;
}
