//! The way out: one message to one recipient over SMTP to the smarthost (RFC 5321).
//!
//! lettre speaks the protocol; the transaction is ours, step by step. Its own `send` would refuse
//! addresses that carriers issue, and its time-out covers nothing but the connect.

mod connection;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use lettre::transport::smtp::extension::ClientId;
use thiserror::Error;
use tokio::time::Instant;

use self::connection::Connection;
use self::connection::Fault;
use crate::config::Smarthost;
use crate::smtp::Address;

/// Connections kept for the next mail.
const POOL: usize = 4;

/// After this long without a mail a connection is not used again: servers close idle ones, and a peer
/// that vanished would cost a whole time-out.
const IDLE: Duration = Duration::from_secs(60);

/// Hands mails over to the smarthost.
pub struct Courier {
    smarthost: Smarthost,
    hello: ClientId,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// Why a mail was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// It may go better later: no connection, silence, or a 4xx reply.
    #[error("not handed over yet: {text}")]
    Temporary {
        /// The reply code, if there was a reply.
        code: Option<u16>,
        /// The reply's text, or what happened, without control characters.
        text: String,
    },
    /// The server will not take it: a 5xx reply, or something it cannot carry.
    #[error("refused: {text}")]
    Permanent {
        /// The reply code, if there was a reply.
        code: Option<u16>,
        /// The reply's text, or what is missing, without control characters.
        text: String,
    },
}

impl Courier {
    /// A courier to `smarthost` that calls itself `hello`. Connects only when there is a mail.
    pub fn new(smarthost: &Smarthost, hello: &str) -> Self {
        let hello = hello.chars().filter(char::is_ascii_graphic).collect();
        Self {
            smarthost: smarthost.clone(),
            hello: ClientId::Domain(hello),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Hands `message` over for `recipient`, with a null reverse-path, in a transaction of its own: one
    /// bad recipient spoils nobody else's mail, and each has an exact result.
    ///
    /// # Errors
    /// [`DeliveryError`] says whether to try again. When the connection broke after the message had
    /// been sent the server may have it; the next attempt carries the same Message-ID.
    pub async fn deliver(&self, recipient: &Address, message: &[u8]) -> Result<(), DeliveryError> {
        while let Some(mut connection) = self.take_idle() {
            let begun = connection.begin(recipient, message).await;
            // A connection that was kept may have died meanwhile, which says nothing about the mail.
            if !matches!(begun, Err(Fault::Lost(_) | Fault::Reply { code: 421, .. })) {
                return self.finish(connection, begun, recipient, message).await;
            }
        }
        let connecting = Connection::open(&self.smarthost, &self.hello).await;
        let mut connection = connecting.map_err(not_let_in)?;
        let begun = connection.begin(recipient, message).await;
        self.finish(connection, begun, recipient, message).await
    }

    /// The rest of a transaction after MAIL. The connection is kept if it is fit for another one.
    async fn finish(
        &self,
        mut connection: Connection,
        begun: Result<(), Fault>,
        recipient: &Address,
        message: &[u8],
    ) -> Result<(), DeliveryError> {
        let result = match begun {
            Ok(()) => connection.complete(recipient, message).await,
            Err(fault) => Err(fault),
        };
        let fit = match &result {
            Ok(()) => true,
            Err(Fault::Lost(_) | Fault::Reply { code: 421, .. }) => false,
            Err(Fault::Reply { .. } | Fault::Incapable(_)) => connection.reset().await.is_ok(),
        };
        if fit {
            self.keep(connection);
        }
        result.map_err(DeliveryError::from)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < POOL {
            idle.push((connection, Instant::now()));
        }
    }
}

impl From<Fault> for DeliveryError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Reply { code, text } if code >= 500 => Self::Permanent {
                code: Some(code),
                text,
            },
            Fault::Reply { code, text } => Self::Temporary {
                code: Some(code),
                text,
            },
            Fault::Lost(text) => Self::Temporary { code: None, text },
            Fault::Incapable(text) => Self::Permanent {
                code: None,
                text: text.to_owned(),
            },
        }
    }
}

/// A server that does not let us in has not judged the mail: temporary, even if it says 554.
fn not_let_in(fault: Fault) -> DeliveryError {
    let (code, text) = match fault {
        Fault::Reply { code, text } => (Some(code), text),
        Fault::Lost(text) => (None, text),
        Fault::Incapable(text) => (None, text.to_owned()),
    };
    DeliveryError::Temporary { code, text }
}

#[cfg(test)]
mod tests;
