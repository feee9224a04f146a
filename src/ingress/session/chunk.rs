//! BDAT (RFC 3030): a message in pieces whose length is said before.

use super::Event;
use super::Session;
use super::Transaction;
use crate::ingress::Door;
use crate::ingress::command::ChunkSize;
use crate::ingress::message::Pieces;
use crate::ingress::reply;
use crate::ingress::reply::Reply;

/// A chunk that is arriving.
pub(super) struct Chunk {
    /// Bytes that are still to come.
    left: u64,
    /// Its size.
    size: u64,
    /// Whether the message ends with it.
    last: bool,
    /// What is answered instead of taking it, and whether the client made a mistake.
    refused: Option<(Reply, bool)>,
}

impl<D: Door> Session<'_, D> {
    /// The command. Whatever is wrong, the chunk behind it is read first: its bytes are no commands.
    pub(super) fn bdat(&mut self, chunk: ChunkSize) -> Option<Event> {
        let limit = self.service.limits.max_message;
        let begun = |t: &Transaction| t.broken || t.pieces.is_some();
        if !self.transaction.as_deref().is_some_and(begun) {
            self.tally.contents += 1;
        }
        let refused = match &mut self.transaction {
            None => Some((reply::MAIL_FIRST, true)),
            Some(transaction) if transaction.broken => Some((reply::CHUNKS_BROKEN, false)),
            Some(transaction) if transaction.recipients.is_empty() && transaction.tried => {
                Some((reply::NO_RECIPIENTS, false))
            }
            Some(transaction) if transaction.recipients.is_empty() => {
                Some((reply::RCPT_FIRST, true))
            }
            Some(transaction) => {
                let pieces = transaction.pieces.get_or_insert_with(|| Pieces::new(limit));
                pieces.expect(chunk.size);
                None
            }
        };
        self.chunk = Some(Chunk {
            left: chunk.size,
            size: chunk.size,
            last: chunk.last,
            refused,
        });
        match chunk.size {
            0 => self.chunk_content(&mut &[][..]),
            _ => None,
        }
    }

    /// Takes from `bytes` what belongs to the chunk.
    pub(super) fn chunk_content(&mut self, bytes: &mut &[u8]) -> Option<Event> {
        let mut chunk = self.chunk.take()?;
        let taken = usize::try_from(chunk.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (content, rest) = bytes.split_at_checked(taken)?;
        *bytes = rest;
        chunk.left -= content.len() as u64;
        let transaction = self
            .transaction
            .as_mut()
            .filter(|_| chunk.refused.is_none());
        if let Some(pieces) = transaction.and_then(|transaction| transaction.pieces.as_mut()) {
            pieces.add(content);
        }
        if chunk.left > 0 {
            self.chunk = Some(chunk);
            return None;
        }
        match chunk.refused {
            Some((reply, is_mistake)) => {
                self.chunk_refused(chunk.last);
                if is_mistake {
                    return self.mistake(&reply);
                }
                self.say(&reply);
                None
            }
            None if chunk.last => self.last_chunk(),
            None => {
                self.chunk_taken(chunk.size);
                None
            }
        }
    }

    /// A message that lacks a chunk must never become one: the transaction is of no use any more, unless
    /// it ends here. It stays until the client has understood that.
    fn chunk_refused(&mut self, last: bool) {
        match &mut self.transaction {
            Some(transaction) if !last => transaction.broken = true,
            Some(transaction) if transaction.broken => {}
            _ => self.transaction = None,
        }
    }

    /// A chunk that is not the last is answered too (RFC 3030 section 2).
    fn chunk_taken(&mut self, size: u64) {
        let transaction = self.transaction.as_mut();
        let flaw = transaction.and_then(|transaction| {
            let flaw = transaction.pieces.as_ref().and_then(Pieces::flaw);
            transaction.broken = flaw.is_some();
            flaw
        });
        match flaw {
            None => self.say(&reply::chunk(size)),
            Some(flaw) => self.refuse_message(flaw),
        }
    }

    fn last_chunk(&mut self) -> Option<Event> {
        let mut transaction = self.transaction.take()?;
        self.tally.messages += 1;
        let pieces = transaction.pieces.take()?;
        self.end_of_message(*transaction, pieces.finish())
    }
}
