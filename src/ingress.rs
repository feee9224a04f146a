//! The ESMTP door: takes mail, asks what it may take, and answers.
//!
//! The parts, from the wire inwards: `listener` (accept, limit), `connection` (time-outs, reads and
//! writes), `session` (the dialogue), `command` (a line), `message` (the message), `reply` (the answer);
//! beside them `verify` (how far the sender is believed).
//! Whatever depends on accounts, numbers or storage is asked through [`Door`].

mod command;
mod connection;
mod fuzz;
mod limits;
mod listener;
mod message;
mod metric;
mod reply;
mod sasl;
mod session;
mod tls;
mod verify;
mod wire;

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config;
use crate::fax::NumberError;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Identity;
use crate::smtp::Login;
use crate::smtp::ReceivedMessage;
use crate::smtp::ScramChallenge;
use crate::time::Clock;
use crate::time::Timestamp;

pub use connection::attend;
pub use connection::attend_tls;
pub use fuzz::fuzz_session;
pub use listener::GRACE;
pub use listener::Listeners;
pub use listener::bind;
pub use listener::serve;
pub use metric::describe_metrics;
pub use tls::Tls;
pub use tls::TlsError;
pub use verify::Verifier;

/// What stands behind the door.
pub trait Door: Send + Sync + 'static {
    /// Judges one recipient. Never depends on the account (promise P7).
    ///
    /// # Errors
    /// [`RecipientRefusal`] says why it is refused.
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal>;

    /// Whether the client at `peer` is a relay of ours: the limits of one address do not hold for it.
    fn is_relay(&self, _peer: IpAddr) -> bool {
        false
    }

    /// Takes the whole message over. What it returns is answered at once, so an acceptance means that
    /// everything is on stable storage (promise P1).
    ///
    /// It may be dropped before it returns, when the service stops: the client then has no answer and
    /// sends the same message again.
    fn message(&self, message: ReceivedMessage) -> impl Future<Output = Verdict> + Send;

    /// Whether anybody can log in by SCRAM. Postfix takes SCRAM wherever it is offered, and nothing else
    /// when that fails: it is not offered in vain.
    fn knows_scram(&self) -> bool {
        true
    }

    /// What a SCRAM client with this login ID is asked; says nothing of whether there is one. `None`:
    /// not now.
    fn challenge(&self, _login_id: &str) -> Option<ScramChallenge> {
        None
    }

    /// Judges a login. A door that knows no accounts refuses all.
    fn login(&self, _login: Login) -> impl Future<Output = LoginVerdict> + Send {
        std::future::ready(LoginVerdict::Refused {
            refusal: Refusal::NotAuthenticated,
            not_before: None,
        })
    }

    /// Whose client certificate (DER) this is. Says nothing of the lock.
    fn holder(&self, _certificate: &[u8]) -> Option<Identity> {
        None
    }

    /// Whether a client at `network`, its address or the part of it that counts as one, may begin a
    /// message now. Asking counts.
    fn may_begin(&self, _network: IpAddr) -> bool {
        true
    }

    /// Judges the reverse-path of a client that has logged in as `identity`.
    ///
    /// # Errors
    /// [`SenderRefusal`] says why it is refused.
    fn sender(
        &self,
        _identity: &Identity,
        _reverse_path: Option<&Address>,
    ) -> Result<(), SenderRefusal> {
        Ok(())
    }
}

impl<D: Door> Door for Arc<D> {
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal> {
        D::recipient(self, address)
    }

    fn is_relay(&self, peer: IpAddr) -> bool {
        D::is_relay(self, peer)
    }

    fn message(&self, message: ReceivedMessage) -> impl Future<Output = Verdict> + Send {
        D::message(self, message)
    }

    fn knows_scram(&self) -> bool {
        D::knows_scram(self)
    }

    fn challenge(&self, login_id: &str) -> Option<ScramChallenge> {
        D::challenge(self, login_id)
    }

    fn login(&self, login: Login) -> impl Future<Output = LoginVerdict> + Send {
        D::login(self, login)
    }

    fn holder(&self, certificate: &[u8]) -> Option<Identity> {
        D::holder(self, certificate)
    }

    fn may_begin(&self, network: IpAddr) -> bool {
        D::may_begin(self, network)
    }

    fn sender(
        &self,
        identity: &Identity,
        reverse_path: Option<&Address>,
    ) -> Result<(), SenderRefusal> {
        D::sender(self, identity, reverse_path)
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
    /// What follows `/T33S=` is no sub-address.
    SubAddress,
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

/// What is answered to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginVerdict {
    /// It is this account.
    Accepted {
        /// Who it is.
        identity: Identity,
        /// Proves to a SCRAM client who we are (`ServerSignature`, RFC 5802 section 3).
        signature: Option<[u8; 32]>,
    },
    /// It is not.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The answer is not sent before this, so that its timing says nothing.
        not_before: Option<Timestamp>,
    },
}

/// Why MAIL is refused to a client that has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderRefusal {
    /// The account is gone, or has other credentials than those that proved the login.
    Changed,
    /// The account is locked now: the login counts no longer.
    Locked,
    /// The address is not one of the account's.
    NotYours,
    /// It could not be judged.
    Storage,
}

/// What every session of the mail door shares.
pub struct Service<D> {
    /// Our host name, in the greeting.
    pub name: String,
    /// `[smtp]`
    pub limits: config::Smtp,
    /// Our certificate; without one there is no TLS and no login.
    pub tls: Option<Arc<Tls>>,
    /// Who judges.
    pub door: D,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// True once the service stops.
    pub shutdown: watch::Receiver<bool>,
}
