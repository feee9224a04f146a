//! MAIL and RCPT: what a message may be, from whom and to whom.

use super::Close;
use super::Event;
use super::Session;
use super::Transaction;
use crate::ingress::Door;
use crate::ingress::SenderRefusal;
use crate::ingress::command::Mail;
use crate::ingress::command::Mistake;
use crate::ingress::reply;
use crate::smtp::ForwardPath;
use crate::smtp::network;

impl<D: Door> Session<'_, D> {
    pub(super) fn mail(&mut self, mail: Mail) -> Option<Event> {
        if !self.greeted {
            return self.mistake(&reply::HELLO_FIRST);
        }
        match &self.transaction {
            Some(transaction) if transaction.broken => return self.mistake(&reply::CHUNKS_BROKEN),
            Some(_) => return self.mistake(&reply::NESTED_MAIL),
            None => {}
        }
        if mail.says_author && self.secured.is_none() {
            // Not offered before there is TLS, like AUTH itself.
            return self.mistake(&reply::mistake(Mistake::UnknownParameter));
        }
        let most = self.service.limits.max_message;
        if mail.size.is_some_and(|size| size > most as u64) {
            // RFC 1870 section 6.1. Not a mistake: the client did right to ask.
            self.say(&reply::TOO_BIG);
            return None;
        }
        let identity = self.speaks_for();
        let reverse_path = mail.reverse_path.as_ref();
        if let Some(refusal) = self.sender_refusal(identity.as_ref(), reverse_path) {
            let reply = reply::sender(&refusal);
            if refusal == SenderRefusal::Changed {
                self.say(&reply);
                return Some(Event::Close(Close::Broken));
            }
            return self.mistake(&reply);
        }
        // Behind a relay are many senders, each of which has a limit of its account.
        let door = &self.service.door;
        if !door.is_relay(self.peer) && !door.may_begin(network(self.peer)) {
            tracing::info!(peer = %self.peer, "too many messages");
            self.say(&reply::TOO_MANY_MESSAGES);
            return None;
        }
        self.transaction = Some(Box::new(Transaction {
            identity,
            reverse_path: mail.reverse_path,
            recipients: Vec::new(),
            returned: mail.returned,
            envelope_id: mail.envelope_id,
            tried: false,
            size: mail.size,
            pieces: None,
            broken: false,
        }));
        self.say(&reply::SENDER_OK);
        None
    }

    pub(super) fn rcpt(&mut self, to: ForwardPath) -> Option<Event> {
        let Some(transaction) = self.transaction.as_mut() else {
            return self.mistake(&reply::MAIL_FIRST);
        };
        if transaction.broken {
            return self.mistake(&reply::CHUNKS_BROKEN);
        }
        if transaction.pieces.is_some() {
            return self.mistake(&reply::CHUNK_ONLY);
        }
        transaction.tried = true;
        if transaction.recipients.len() >= self.service.limits.max_recipients {
            // RFC 5321 section 4.5.3.1.10: those accepted so far stay.
            self.say(&reply::TOO_MANY_RECIPIENTS);
            return None;
        }
        match self.service.door.recipient(&to.address) {
            Ok(()) => {
                transaction.recipients.push(to);
                self.say(&reply::RECIPIENT_OK);
            }
            Err(refusal) => {
                let recipient = to.address.shortened();
                tracing::info!(peer = %self.peer, recipient, reason = ?refusal, "recipient refused");
                self.say(&reply::recipient(&refusal));
            }
        }
        None
    }
}
