//! The ESMTP door: takes mail, asks what it may take, and answers.
//!
//! The parts, from the wire inwards: `listener` (accept, limit), `connection` (time-outs, reads and
//! writes), `session` (the dialogue), `command` (a line), `message` (the message), `reply` (the answer).
//! Whatever depends on accounts, numbers or storage is asked through [`Door`].

mod command;
mod connection;
mod fuzz;
mod limits;
mod listener;
mod message;
mod metric;
mod reply;
mod session;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config;
use crate::fax::NumberError;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::ReceivedMessage;
use crate::time::Clock;
use crate::time::Timestamp;

pub use connection::attend;
pub use fuzz::fuzz_session;
pub use listener::GRACE;
pub use listener::bind;
pub use listener::serve;
pub use metric::describe_metrics;

/// What stands behind the door.
pub trait Door: Send + Sync + 'static {
    /// Judges one recipient. Never depends on the account (promise P7).
    ///
    /// # Errors
    /// [`RecipientRefusal`] says why it is refused.
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal>;

    /// Takes the whole message over. What it returns is answered at once, so an acceptance means that
    /// everything is on stable storage (promise P1).
    ///
    /// It may be dropped before it returns, when the service stops: the client then has no answer and
    /// sends the same message again.
    fn message(&self, message: ReceivedMessage) -> impl Future<Output = Verdict> + Send;
}

impl<D: Door> Door for Arc<D> {
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal> {
        D::recipient(self, address)
    }

    fn message(&self, message: ReceivedMessage) -> impl Future<Output = Verdict> + Send {
        D::message(self, message)
    }
}

/// Why a recipient is refused at RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientRefusal {
    /// The domain is not ours.
    ForeignDomain,
    /// No list can have this name.
    ListName,
    /// The number cannot be understood.
    Number(NumberError),
}

/// What is answered at the end of DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message is ours now.
    Accepted {
        /// The batch it became.
        batch: String,
    },
    /// It is not.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The answer is not sent before this, so that its timing says nothing.
        not_before: Option<Timestamp>,
    },
}

/// What every session of the mail door shares.
pub struct Service<D> {
    /// Our host name, in the greeting.
    pub name: String,
    /// `[smtp]`
    pub limits: config::Smtp,
    /// Who judges.
    pub door: D,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// True once the service stops.
    pub shutdown: watch::Receiver<bool>,
}
