//! AUTH (RFC 4954): asks for what a mechanism needs and keeps who was proved.

use zeroize::Zeroizing;

use super::Close;
use super::Event;
use super::Session;
use crate::ingress::Door;
use crate::ingress::LoginVerdict;
use crate::ingress::SenderRefusal;
use crate::ingress::reply;
use crate::ingress::sasl;
use crate::ingress::sasl::Mechanism;
use crate::ingress::sasl::Scram;
use crate::secret::Secret;
use crate::smtp::Address;
use crate::smtp::Identity;
use crate::smtp::LoginProof;

/// An exchange that waits for the client's next line.
pub(super) enum Exchange {
    /// EXTERNAL waits for its only message.
    External,
    /// LOGIN asked for the login ID.
    LoginName,
    /// LOGIN asked for the password of this login ID.
    LoginPassword(String),
    /// PLAIN waits for its only message.
    Plain,
    /// SCRAM waits for its first message.
    ScramFirst,
    /// SCRAM waits for the proof.
    ScramProof(Box<Scram>),
    /// SCRAM has proved both sides to each other; the client has yet to say so.
    ScramProved(Box<Identity>),
}

/// What a client says to prove who it is.
pub(in crate::ingress) struct Claim {
    /// Whom it says it is.
    pub(in crate::ingress) login_id: String,
    /// How it proves that.
    pub(in crate::ingress) proof: LoginProof,
}

impl<D: Door> Session<'_, D> {
    /// The command itself; `initial` is what follows the mechanism (RFC 4954 section 4).
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&Secret>) -> Option<Event> {
        if self.secured.is_none() {
            return self.mistake(&reply::TLS_FIRST);
        }
        if !self.greeted {
            return self.mistake(&reply::HELLO_FIRST);
        }
        if self.identity.is_some() || self.transaction.is_some() {
            return self.mistake(&reply::NO_LOGIN_NOW);
        }
        self.exchange = match Mechanism::named(mechanism) {
            None => return self.mistake(&reply::UNKNOWN_MECHANISM),
            Some(Mechanism::External) if self.holder().is_none() => {
                return self.mistake(&reply::UNKNOWN_MECHANISM);
            }
            Some(Mechanism::External) => Some(Exchange::External),
            Some(Mechanism::Login) => Some(Exchange::LoginName),
            Some(Mechanism::Plain) => Some(Exchange::Plain),
            Some(Mechanism::ScramSha256) => Some(Exchange::ScramFirst),
        };
        if let Some(initial) = initial {
            return self.next(initial.expose());
        }
        match self.exchange {
            Some(Exchange::LoginName) => self.say(&reply::challenge("Username:")),
            _ => self.say(&reply::challenge("")),
        }
        None
    }

    /// A line of the client while an exchange is open.
    pub(super) fn response(&mut self, line: &[u8]) -> Option<Event> {
        self.tally.logins += 1;
        let content = line.strip_suffix(b"\r\n");
        let text = content.and_then(|content| std::str::from_utf8(content).ok());
        match text {
            Some("*") => {
                self.exchange = None;
                self.mistake(&reply::LOGIN_CANCELLED)
            }
            Some(text) => self.next(text),
            None => {
                self.exchange = None;
                self.mistake(&reply::LOGIN_UNREADABLE)
            }
        }
    }

    fn next(&mut self, line: &str) -> Option<Event> {
        let exchange = self.exchange.take()?;
        match sasl::decode(line).and_then(|message| self.step(exchange, message)) {
            Some(event) => event,
            None => self.mistake(&reply::LOGIN_UNREADABLE),
        }
    }

    /// One step of an exchange; `None` if the message is not what the mechanism asks for.
    fn step(&mut self, exchange: Exchange, message: Secret) -> Option<Option<Event>> {
        let (login_id, proof) = match exchange {
            Exchange::External => {
                let certificate = self.secured.as_ref()?.certificate.clone()?;
                let proof = LoginProof::Certificate(certificate.into_vec());
                (message.expose().to_owned(), proof)
            }
            Exchange::LoginName if message.expose().is_empty() => return None,
            Exchange::LoginName => {
                let login_id = message.expose().to_owned();
                self.exchange = Some(Exchange::LoginPassword(login_id));
                self.say(&reply::challenge("Password:"));
                return Some(None);
            }
            // As with PLAIN (RFC 4616 section 2): nobody guesses by leaving the password out.
            Exchange::LoginPassword(_) if message.expose().is_empty() => return None,
            Exchange::LoginPassword(login_id) => (login_id, LoginProof::Password(message)),
            Exchange::Plain => {
                let (login_id, password) = sasl::plain(&message)?;
                (login_id, LoginProof::Password(password))
            }
            Exchange::ScramFirst => {
                let mut scram = Box::new(Scram::begin(&message)?);
                let Some(challenge) = self.service.door.challenge(scram.login_id()) else {
                    self.say(&reply::LOGIN_LATER);
                    return Some(None);
                };
                self.say(&reply::challenge(scram.challenge(&challenge)));
                self.exchange = Some(Exchange::ScramProof(scram));
                return Some(None);
            }
            Exchange::ScramProof(scram) => {
                let (login_id, signed, proof) = scram.end(&message)?;
                (login_id, LoginProof::Scram { signed, proof })
            }
            Exchange::ScramProved(identity) if message.expose().is_empty() => {
                self.enter(*identity);
                return Some(None);
            }
            Exchange::ScramProved(_) => return None,
        };
        Some(Some(Event::Login(Box::new(Claim { login_id, proof }))))
    }

    /// Says what came of the claim that was handed over.
    pub(in crate::ingress) fn judged(&mut self, verdict: LoginVerdict) -> Option<Close> {
        match verdict {
            LoginVerdict::Accepted {
                identity,
                signature: None,
            } => self.enter(identity),
            LoginVerdict::Accepted {
                identity,
                signature: Some(signature),
            } => {
                // The last word of the mechanism is a challenge too; the client answers with nothing.
                let signature = format!("v={}", sasl::encode(&signature));
                self.exchange = Some(Exchange::ScramProved(Box::new(identity)));
                self.say(&reply::challenge(&signature));
            }
            LoginVerdict::Refused { refusal, .. } => {
                let closes = self.mistake(&reply::login_refusal(&refusal));
                return closes.map(|_| Close::Broken);
            }
        }
        None
    }

    /// Whose certificate the client has.
    pub(super) fn holder(&self) -> Option<Identity> {
        let certificate = self.secured.as_ref()?.certificate.as_ref()?;
        self.service.door.holder(certificate)
    }

    /// Whom the client speaks for: the account that has logged in, else the one whose certificate it
    /// has. A certificate needs no command: relays show theirs and never log in.
    pub(super) fn speaks_for(&self) -> Option<Identity> {
        match &self.identity {
            Some(identity) => Some(Identity::clone(identity)),
            None => self.holder(),
        }
    }

    /// A client that has logged in uses its account's addresses only; the lock is judged every time.
    pub(super) fn sender_refusal(
        &mut self,
        identity: Option<&Identity>,
        reverse_path: Option<&Address>,
    ) -> Option<SenderRefusal> {
        let identity = identity?;
        let refusal = self.service.door.sender(identity, reverse_path).err()?;
        let account = &identity.account;
        tracing::info!(peer = %self.peer, account, reason = ?refusal, "sender refused");
        if refusal == SenderRefusal::Locked {
            self.identity = None;
        }
        Some(refusal)
    }

    fn enter(&mut self, identity: Identity) {
        self.identity = Some(Box::new(identity));
        self.tally.idle_commands = 0;
        self.say(&reply::LOGGED_IN);
    }
}

/// A line that may hold a password: wiped when it is read.
pub(super) type Line = Zeroizing<Vec<u8>>;
