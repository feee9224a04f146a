//! The dialogue itself: bytes in, replies and messages out. No sockets, no clock.

mod chunk;
mod envelope;
mod login;
mod secure;

use std::net::IpAddr;

use zeroize::Zeroizing;

use crate::ingress::Door;
use crate::ingress::Service;
use crate::ingress::command;
use crate::ingress::command::Command;
use crate::ingress::message;
use crate::ingress::message::Flaw;
use crate::ingress::message::Pieces;
use crate::ingress::message::Reader;
use crate::ingress::metric;
use crate::ingress::reply;
use crate::ingress::reply::Extensions;
use crate::ingress::reply::Reply;
use crate::ingress::sasl;
use crate::smtp::Address;
use crate::smtp::Envelope;
use crate::smtp::ForwardPath;
use crate::smtp::Identity;
use crate::smtp::Returned;

use chunk::Chunk;
use login::Exchange;
use login::Line;

pub(super) use login::Claim;
pub(super) use secure::Secured;

/// The state of one session (RFC 5321 section 3).
pub(super) struct Session<'s, D> {
    service: &'s Service<D>,
    peer: IpAddr,
    /// What the handshake showed, if TLS is in use.
    secured: Option<Box<Secured>>,
    /// Whether EHLO or HELO was said.
    greeted: bool,
    /// Who has logged in.
    identity: Option<Box<Identity>>,
    exchange: Option<Exchange>,
    transaction: Option<Box<Transaction>>,
    data: Option<Box<Reader>>,
    chunk: Option<Chunk>,
    /// The beginning of a command whose end has not arrived.
    line: Line,
    /// Replies that wait to be written.
    out: Vec<u8>,
    tally: Tally,
}

/// What was counted in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Commands, mistaken ones included.
    pub(super) commands: u64,
    /// Commands since the last message that was accepted.
    pub(super) idle_commands: u32,
    /// Mistaken commands.
    pub(super) mistakes: u32,
    /// Messages read to their end.
    pub(super) messages: u64,
    /// Lines that belonged to a login.
    pub(super) logins: u32,
    /// Replies that refuse for good (5xx).
    pub(super) refusals: u32,
    /// Contents that began, whether or not they were wanted.
    pub(super) contents: u32,
}

/// What the session asks of whoever drives it.
pub(super) enum Event {
    /// Close the connection, after the replies are written.
    Close(Close),
    /// Hand the claim over, then call [`Session::judged`].
    Login(Box<Claim>),
    /// Hand the message over, then call [`Session::answer`].
    Message(Box<Arrived>),
    /// Write the replies and read on.
    More,
    /// Write the replies, begin TLS, then call [`Session::secured`].
    StartTls,
}

/// Why a session closes by its own decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The client said QUIT.
    Quit,
    /// The client broke a rule or passed a limit; it may have sent more than was read.
    Broken,
}

/// A message whose end was seen.
pub(super) struct Arrived {
    /// The envelope.
    pub(super) envelope: Envelope,
    /// The content, dots unstuffed.
    pub(super) raw: Zeroizing<Vec<u8>>,
    /// Who has logged in.
    pub(super) identity: Option<Identity>,
}

/// A mail transaction (RFC 5321 section 3.3).
struct Transaction {
    /// Who has logged in.
    identity: Option<Identity>,
    reverse_path: Option<Address>,
    recipients: Vec<ForwardPath>,
    returned: Option<Returned>,
    envelope_id: Option<String>,
    /// Whether any RCPT was given, accepted or not.
    tried: bool,
    size: Option<u64>,
    /// What has come by BDAT.
    pieces: Option<Pieces>,
    /// Whether a chunk was refused: then only RSET, EHLO or HELO help (RFC 3030 section 2).
    broken: bool,
}

impl<'s, D: Door> Session<'s, D> {
    /// A session with `peer` that has its greeting ready; `secured` if TLS began with the connection.
    pub(super) fn new(
        service: &'s Service<D>,
        peer: IpAddr,
        secured: Option<Box<Secured>>,
    ) -> Self {
        let mut session = Self {
            service,
            peer,
            secured,
            greeted: false,
            identity: None,
            exchange: None,
            transaction: None,
            data: None,
            chunk: None,
            line: Line::default(),
            out: Vec::new(),
            tally: Tally::default(),
        };
        session.say(&reply::greeting(&service.name));
        session
    }

    /// Whether message bytes are expected.
    pub(super) fn in_data(&self) -> bool {
        self.data.is_some() || self.chunk.is_some()
    }

    /// The number of the content that is arriving, also between its chunks.
    pub(super) fn content_number(&self) -> Option<u32> {
        let transaction = self.transaction.as_ref();
        let chunked = transaction.is_some_and(|t| t.broken || t.pieces.is_some());
        (chunked || self.in_data()).then_some(self.tally.contents)
    }

    /// What was counted.
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// The replies to write; taking them forgets them.
    pub(super) fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Adds `reply` to what is written.
    pub(super) fn say(&mut self, reply: &Reply) {
        if reply.code() >= 500 {
            self.tally.refusals += 1;
        }
        reply.write(&mut self.out);
    }

    /// Takes from `bytes` what it needs until it asks for something.
    pub(super) fn receive(&mut self, bytes: &mut &[u8]) -> Event {
        while !bytes.is_empty() {
            let event = match self.data.take() {
                Some(reader) => self.content(reader, bytes),
                None if self.chunk.is_some() => self.chunk_content(bytes),
                None => self.command(bytes),
            };
            if let Some(event) = event {
                return event;
            }
        }
        Event::More
    }

    /// Says what came of the message that was handed over.
    pub(super) fn answer(&mut self, reply: &Reply) {
        let result = match reply.code() {
            200..=299 => "accepted",
            400..=499 => "deferred",
            _ => "refused",
        };
        if result == "accepted" {
            self.tally.idle_commands = 0;
        }
        metrics::counter!(metric::MESSAGES, "result" => result).increment(1);
        self.say(reply);
    }

    fn content(&mut self, mut reader: Box<Reader>, bytes: &mut &[u8]) -> Option<Event> {
        let Some(used) = reader.feed(bytes) else {
            *bytes = &[];
            self.data = Some(reader);
            return None;
        };
        *bytes = bytes.get(used..).unwrap_or_default();
        self.tally.messages += 1;
        let transaction = self.transaction.take()?;
        self.end_of_message(*transaction, reader.finish())
    }

    /// What DATA and BDAT both end with: the message, or why it is refused.
    fn end_of_message(
        &mut self,
        transaction: Transaction,
        content: Result<Zeroizing<Vec<u8>>, Flaw>,
    ) -> Option<Event> {
        match content {
            Ok(raw) => Some(Event::Message(Box::new(Arrived {
                envelope: Envelope {
                    reverse_path: transaction.reverse_path,
                    recipients: transaction.recipients,
                    returned: transaction.returned,
                    envelope_id: transaction.envelope_id,
                },
                raw,
                identity: transaction.identity,
            }))),
            Err(flaw) => {
                self.refuse_message(flaw);
                None
            }
        }
    }

    fn refuse_message(&mut self, flaw: Flaw) {
        tracing::info!(peer = %self.peer, reason = ?flaw, "message refused");
        self.answer(&reply::flaw(flaw));
    }

    fn command(&mut self, bytes: &mut &[u8]) -> Option<Event> {
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let (head, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
        if self.line.len() + head.len() > LONGEST_LINE {
            self.say(&reply::TOO_LONG);
            return Some(Event::Close(Close::Broken));
        }
        *bytes = rest;
        if end.is_none() || !self.line.is_empty() {
            message::append(&mut self.line, head);
        }
        end?;
        self.tally.commands += 1;
        self.tally.idle_commands += 1;
        if self.tally.idle_commands > MOST_COMMANDS {
            self.say(&reply::TOO_MANY_COMMANDS);
            return Some(Event::Close(Close::Broken));
        }
        let kept = std::mem::take(&mut self.line);
        let line = if kept.is_empty() { head } else { &kept };
        if self.exchange.is_some() {
            return self.response(line);
        }
        match command::parse(line, &self.service.name) {
            Ok(command) => self.execute(command, !rest.is_empty()),
            Err(mistake) => self.mistake(&reply::mistake(mistake)),
        }
    }

    /// `followed`: whether more bytes arrived before this command could be answered.
    fn execute(&mut self, command: Command, followed: bool) -> Option<Event> {
        match command {
            Command::Auth(auth) => {
                self.tally.logins += 1;
                return self.auth(&auth.mechanism, auth.initial.as_ref());
            }
            Command::Chunk(chunk) => return self.bdat(chunk),
            Command::Data => return self.data(followed),
            Command::Ehlo => {
                self.hello();
                let extensions = self.extensions();
                reply::write_extensions(&self.service.name, &extensions, &mut self.out);
            }
            Command::Helo => {
                self.hello();
                self.say(&reply::hello(&self.service.name));
            }
            Command::Expn => self.say(&reply::NO_EXPAND),
            Command::Help => self.say(&reply::HELP),
            Command::Mail(mail) => return self.mail(mail),
            Command::Noop => self.say(&reply::OK),
            Command::Quit => {
                self.say(&reply::goodbye(&self.service.name));
                return Some(Event::Close(Close::Quit));
            }
            Command::Rcpt(to) => return self.rcpt(to),
            Command::Rset => {
                self.transaction = None;
                self.say(&reply::OK);
            }
            Command::StartTls => return self.start_tls(followed),
            Command::Unsupported => return self.mistake(&reply::NOT_OFFERED),
            Command::UnsupportedChunk => {
                // Where its chunk ends nobody knows.
                self.say(&reply::CHUNK_UNREADABLE);
                return Some(Event::Close(Close::Broken));
            }
            Command::Vrfy => self.say(&reply::NO_VERIFY),
        }
        None
    }

    /// RFC 5321 section 4.1.4: EHLO and HELO end a transaction like RSET.
    fn hello(&mut self) {
        self.greeted = true;
        self.transaction = None;
    }

    fn extensions(&self) -> Extensions {
        let limits = &self.service.limits;
        Extensions {
            max_message: limits.max_message,
            max_recipients: limits.max_recipients,
            starttls: self.service.tls.is_some() && self.secured.is_none(),
            auth: self
                .secured
                .is_some()
                .then(|| sasl::offered(self.service.door.knows_scram())),
            external: self.holder().is_some(),
        }
    }

    fn data(&mut self, followed: bool) -> Option<Event> {
        let Some(transaction) = &self.transaction else {
            return self.no_content(followed, |s| s.mistake(&reply::MAIL_FIRST));
        };
        if transaction.broken {
            return self.no_content(followed, |s| s.mistake(&reply::CHUNKS_BROKEN));
        }
        if transaction.pieces.is_some() {
            // RFC 3030 section 2: DATA and BDAT do not go together.
            return self.no_content(followed, |s| s.mistake(&reply::CHUNK_ONLY));
        }
        if transaction.recipients.is_empty() && transaction.tried {
            // A client that pipelines asks before it knows: no mistake.
            return self.no_content(followed, |s| {
                s.say(&reply::NO_RECIPIENTS);
                None
            });
        }
        if transaction.recipients.is_empty() {
            return self.no_content(followed, |s| s.mistake(&reply::RCPT_FIRST));
        }
        let most = self.service.limits.max_message;
        let lenient = &self.service.limits.normalize_bare_lf;
        let lenient = lenient.iter().any(|network| network.contains(self.peer));
        self.data = Some(Box::new(Reader::new(most, transaction.size, lenient)));
        self.tally.contents += 1;
        self.say(&reply::GO_AHEAD);
        None
    }

    /// Refuses to read a message. What a client sent without waiting for the answer (RFC 2920
    /// section 3.1 forbids it) may be that message: it must never be taken for commands.
    fn no_content(
        &mut self,
        followed: bool,
        refuse: impl FnOnce(&mut Self) -> Option<Event>,
    ) -> Option<Event> {
        let event = refuse(self);
        if event.is_none() && followed {
            self.say(&reply::EARLY);
            return Some(Event::Close(Close::Broken));
        }
        event
    }

    fn mistake(&mut self, reply: &Reply) -> Option<Event> {
        self.say(reply);
        self.tally.mistakes += 1;
        if self.tally.mistakes < self.service.limits.max_errors {
            return None;
        }
        self.say(&reply::TOO_MANY_ERRORS);
        Some(Event::Close(Close::Broken))
    }
}

/// Longest command line, CRLF included. RFC 5321 section 4.5.3.1.4 asks for 512 bytes.
const LONGEST_LINE: usize = 4096;
/// Most commands from one accepted message to the next: room for thousands of refused recipients.
const MOST_COMMANDS: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::fuzz;

    const ONE_MESSAGE: &[u8] =
        b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<1@fax.example>\r\nDATA\r\na\r\n.\r\n";

    fn peer() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    /// Says NOOP so many times; whether the session closes at the last one.
    fn noop(session: &mut Session<'_, fuzz::OpenDoor>, times: u32) -> bool {
        let events: Vec<Event> = (0..times)
            .map(|_| session.receive(&mut &b"NOOP\r\n"[..]))
            .collect();
        let closed: Vec<bool> = events
            .iter()
            .map(|event| matches!(event, Event::Close(Close::Broken)))
            .collect();
        let (last, before) = closed.split_last().unwrap();
        assert!(!before.contains(&true));
        *last
    }

    #[test]
    fn commands_without_a_message_come_to_an_end() {
        let service = fuzz::service();
        let mut session = Session::new(&service, peer(), None);
        assert!(!noop(&mut session, MOST_COMMANDS));
        assert!(noop(&mut session, 1));
        let replies = session.take_replies();
        assert!(replies.ends_with(b"421 4.7.0 Too many commands\r\n"));
    }

    #[test]
    fn an_accepted_message_gives_room_for_more_commands() {
        let service = fuzz::service();
        let mut session = Session::new(&service, peer(), None);
        assert!(!noop(&mut session, MOST_COMMANDS - 4));
        let event = session.receive(&mut &ONE_MESSAGE[..]);
        assert!(matches!(event, Event::Message(_)));
        session.answer(&reply::queued("1"));
        assert!(!noop(&mut session, MOST_COMMANDS));
    }
}
