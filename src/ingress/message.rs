//! The bytes after DATA: finds their end, undoes dot stuffing, refuses what RFC 5321 forbids.
//!
//! Servers that disagree about where a message ends let a sender smuggle a second one past the first
//! (CVE-2023-51764 and its relatives). Here only CRLF.CRLF ends a message, and a message with a CR or
//! LF of its own is refused as a whole, so that nobody behind us can read it differently.

use memchr::memchr3;
use zeroize::Zeroizing;

/// Collects one message. Content may hold a password: every copy is wiped.
pub(super) struct Reader {
    place: Place,
    raw: Zeroizing<Vec<u8>>,
    most: usize,
    /// Whether a LF alone is put right instead of refused.
    lenient: bool,
    flaw: Option<Flaw>,
}

/// Why a message is refused whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// CR without LF, or LF without CR (RFC 5321 section 2.3.8).
    BareLineEnd,
    /// NUL (RFC 5322 section 2.2 leaves it out of every text).
    Nul,
    /// More bytes than allowed.
    TooBig,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// First of its line; the beginning of the message counts as one (RFC 5321 section 4.1.1.4).
    LineStart,
    /// Anywhere else.
    Within,
    /// After a CR.
    Cr,
    /// After a dot that began the line.
    Dot,
    /// After a CR that followed such a dot.
    DotCr,
}

impl Reader {
    /// A reader of at most `most` bytes; `expected` is the size the client announced, if it did. A
    /// `lenient` one makes CRLF of every LF alone, which ends neither a message nor begins its end.
    pub(super) fn new(most: usize, expected: Option<u64>, lenient: bool) -> Self {
        let expected = expected.and_then(|size| usize::try_from(size).ok());
        let first = expected.map_or(FIRST, |size| size.saturating_add(SLACK));
        Self {
            place: Place::LineStart,
            raw: Zeroizing::new(Vec::with_capacity(first.min(most).min(FIRST_MOST))),
            most,
            lenient,
            flaw: None,
        }
    }

    /// Takes `bytes`. How many of them belong to the message once its end is among them; the rest are
    /// commands.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        // Bytes from `kept` to `at` are content that waits to be copied.
        let (mut kept, mut at) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            match (self.place, byte) {
                (Place::Dot, b'\r') => {
                    self.place = Place::DotCr;
                    kept = at + 1;
                }
                (Place::DotCr, b'\n') => return Some(at + 1),
                (Place::DotCr, _) => {
                    self.refuse(Flaw::BareLineEnd);
                    self.place = Place::Within;
                    continue;
                }
                (Place::Cr, b'\n') => self.place = Place::LineStart,
                (Place::Cr, b'\r') => self.refuse(Flaw::BareLineEnd),
                (Place::Cr, _) => {
                    self.refuse(Flaw::BareLineEnd);
                    self.place = Place::Within;
                    continue;
                }
                (Place::LineStart, b'.') => {
                    self.keep(bytes.get(kept..at));
                    self.place = Place::Dot;
                    kept = at + 1;
                }
                (Place::LineStart | Place::Dot | Place::Within, _) => {
                    let from = at;
                    at = self.within(bytes, from);
                    let ended = at.checked_sub(1).filter(|end| *end >= from);
                    let bare = ended.filter(|end| bytes.get(*end) == Some(&b'\n'));
                    if let Some(end) = bare.filter(|_| self.lenient) {
                        self.keep(bytes.get(kept..end));
                        self.keep(Some(b"\r\n"));
                        kept = at;
                    }
                    continue;
                }
            }
            at += 1;
        }
        self.keep(bytes.get(kept..));
        None
    }

    /// The message, dots unstuffed, or why it is refused.
    pub(super) fn finish(self) -> Result<Zeroizing<Vec<u8>>, Flaw> {
        match self.flaw {
            Some(flaw) => Err(flaw),
            None => Ok(self.raw),
        }
    }

    /// Goes on to the next byte that matters after `from` and returns the position behind it.
    fn within(&mut self, bytes: &[u8], from: usize) -> usize {
        self.place = Place::Within;
        let rest = bytes.get(from..).unwrap_or_default();
        let Some(found) = memchr3(b'\r', b'\n', 0, rest) else {
            return bytes.len();
        };
        match rest.get(found) {
            Some(b'\r') => self.place = Place::Cr,
            Some(b'\n') if self.lenient => {}
            Some(b'\n') => self.refuse(Flaw::BareLineEnd),
            _ => self.refuse(Flaw::Nul),
        }
        from + found + 1
    }

    fn keep(&mut self, run: Option<&[u8]>) {
        let run = run.unwrap_or_default();
        if self.flaw.is_some() {
            return;
        }
        if self.raw.len().saturating_add(run.len()) > self.most {
            self.refuse(Flaw::TooBig);
        } else {
            append(&mut self.raw, run);
        }
    }

    /// The first flaw is the one that is told; from then on nothing is kept. A size gives way to any other:
    /// when it is noticed depends on how the bytes were cut.
    fn refuse(&mut self, flaw: Flaw) {
        if matches!(self.flaw, None | Some(Flaw::TooBig)) {
            self.flaw = Some(flaw);
            self.raw = Zeroizing::new(Vec::new());
        }
    }
}

/// Collects a message that comes in chunks (RFC 3030). Their length says where it ends, so that no byte
/// of it can end it early; its lines must be lines all the same.
pub(super) struct Pieces {
    raw: Zeroizing<Vec<u8>>,
    most: usize,
    /// Whether the last byte was a CR.
    after_cr: bool,
    flaw: Option<Flaw>,
}

impl Pieces {
    /// At most `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            raw: Zeroizing::new(Vec::new()),
            most,
            after_cr: false,
            flaw: None,
        }
    }

    /// A chunk of so many bytes follows.
    pub(super) fn expect(&mut self, size: u64) {
        let room = self.most.saturating_sub(self.raw.len());
        if usize::try_from(size).map_or(true, |size| size > room) {
            self.refuse(Flaw::TooBig);
        }
    }

    /// Takes `bytes` of a chunk.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.flaw.is_some() {
            return;
        }
        self.look_at(bytes);
        if self.flaw.is_none() {
            append(&mut self.raw, bytes);
        }
    }

    /// Why the message is refused, as far as it is known.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// The message, or why it is refused.
    pub(super) fn finish(mut self) -> Result<Zeroizing<Vec<u8>>, Flaw> {
        if self.after_cr {
            self.refuse(Flaw::BareLineEnd);
        }
        match self.flaw {
            Some(flaw) => Err(flaw),
            None => Ok(self.raw),
        }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            match rest.strip_prefix(b"\n") {
                Some(after) => rest = after,
                None => return self.refuse(Flaw::BareLineEnd),
            }
        }
        while let Some(at) = memchr3(b'\r', b'\n', 0, rest) {
            match (rest.get(at), rest.get(at + 1)) {
                (Some(b'\r'), Some(b'\n')) => rest = rest.get(at + 2..).unwrap_or_default(),
                (Some(b'\r'), None) => {
                    self.after_cr = true;
                    return;
                }
                (Some(0), _) => return self.refuse(Flaw::Nul),
                _ => return self.refuse(Flaw::BareLineEnd),
            }
        }
    }

    fn refuse(&mut self, flaw: Flaw) {
        if self.flaw.is_none() {
            self.flaw = Some(flaw);
            self.raw = Zeroizing::new(Vec::new());
        }
    }
}

/// Bytes reserved for a message of unknown size.
const FIRST: usize = 8 * 1024;
/// Most bytes reserved on the client's word alone.
const FIRST_MOST: usize = 256 * 1024;
/// Bytes reserved beyond the size announced, which leaves out what relays add.
const SLACK: usize = 512;

/// Appends `more`. A vector that grows by itself leaves its old bytes behind in freed memory; here the
/// old buffer is wiped when it is replaced.
pub(super) fn append(kept: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let needed = kept.len().saturating_add(more.len());
    if needed > kept.capacity() {
        let room = needed.max(kept.capacity().saturating_mul(2));
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(kept);
        *kept = larger;
    }
    kept.extend_from_slice(more);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Outcome = Option<(Result<Vec<u8>, Flaw>, usize)>;

    /// What comes of `bytes` fed in pieces of `size`, and how many were used.
    fn read(bytes: &[u8], size: usize) -> Outcome {
        let mut reader = Reader::new(1_000, None, false);
        let mut before = 0;
        for piece in bytes.chunks(size) {
            if let Some(used) = reader.feed(piece) {
                let outcome = reader.finish().map(|raw| raw.to_vec());
                return Some((outcome, before + used));
            }
            before += piece.len();
        }
        None
    }

    fn message(bytes: &[u8]) -> Result<Vec<u8>, Flaw> {
        let (outcome, used) = read(bytes, bytes.len()).expect("an end");
        assert_eq!(used, bytes.len());
        outcome
    }

    #[test]
    fn only_a_dot_alone_on_its_line_ends_a_message() {
        assert_eq!(message(b"a\r\n.\r\n").unwrap(), b"a\r\n");
        assert_eq!(message(b".\r\n").unwrap(), b"");
        assert_eq!(message(b"\r\n.\r\n").unwrap(), b"\r\n");
        for open in [
            &b"a\n.\n"[..],
            b"a\n.\r\n",
            b"a\r\n.\n",
            b"a\r.\r",
            b"a\r.\r\n",
            b"a\r\n\0.\r\n",
            b"a\r\n.\0\r\n",
            b"a\r\n.\r\r\n",
            b"a\r\n. \r\n",
        ] {
            assert_eq!(read(open, open.len()), None, "{}", open.escape_ascii());
        }
    }

    #[test]
    fn a_line_end_that_is_not_crlf_refuses_the_whole_message() {
        for bare in [
            &b"a\n.\n\r\n.\r\n"[..],
            b"a\r\n.\nb\r\n.\r\n",
            b"a\rb\r\n.\r\n",
            b"a\r\r\n.\r\n",
            b"\n.\r\n\r\n.\r\n",
            b".\rb\r\n.\r\n",
            b".\r\r\n.\r\n",
        ] {
            assert_eq!(
                message(bare),
                Err(Flaw::BareLineEnd),
                "{}",
                bare.escape_ascii()
            );
        }
        assert_eq!(message(b"a\0b\r\n.\r\n"), Err(Flaw::Nul));
        assert_eq!(message(b"\0.\r\n\r\n.\r\n"), Err(Flaw::Nul));
    }

    #[test]
    fn one_dot_is_taken_from_a_line_that_begins_with_one() {
        assert_eq!(message(b"..\r\n.\r\n").unwrap(), b".\r\n");
        assert_eq!(message(b".a\r\n...\r\n.\r\n").unwrap(), b"a\r\n..\r\n");
        assert_eq!(message(b"a.b\r\n.\r\n").unwrap(), b"a.b\r\n");
    }

    #[test]
    fn what_follows_the_end_is_not_part_of_the_message() {
        let (outcome, used) = read(b"a\r\n.\r\nQUIT\r\n", 100).unwrap();
        assert_eq!((outcome.unwrap().as_slice(), used), (&b"a\r\n"[..], 6));
    }

    #[test]
    fn a_message_above_the_limit_is_read_to_its_end_and_not_kept() {
        let fits = [&[b'a'; 998][..], b"\r\n.\r\n"].concat();
        assert_eq!(message(&fits).unwrap().len(), 1_000);
        let large = [&[b'a'; 999][..], b"\r\n.\r\n"].concat();
        assert_eq!(message(&large), Err(Flaw::TooBig));
        assert_eq!(read(&large, 7).unwrap().0, Err(Flaw::TooBig));
    }

    #[test]
    fn how_a_message_is_cut_does_not_decide_what_is_wrong_with_it() {
        let bad = [&[b'a'; 1_500][..], b"\rb\r\n.\r\n"].concat();
        for size in [1, 7, 1_400, bad.len()] {
            let (outcome, _) = read(&bad, size).unwrap();
            assert_eq!(outcome, Err(Flaw::BareLineEnd), "{size}");
        }
    }

    #[test]
    fn an_announced_size_reserves_a_bounded_amount() {
        assert_eq!(
            Reader::new(1 << 30, Some(u64::MAX), false).raw.capacity(),
            FIRST_MOST
        );
        assert_eq!(Reader::new(100, Some(5_000), false).raw.capacity(), 100);
    }

    proptest! {
        #[test]
        fn pieces_never_change_the_outcome(
            bytes in "[a.\r\n\0]{0,40}\r\n\\.\r\n",
            size in 1_usize..7,
        ) {
            let bytes = bytes.as_bytes();
            prop_assert_eq!(read(bytes, size), read(bytes, bytes.len()));
        }

        #[test]
        fn stuffed_lines_arrive_as_they_were(
            lines in prop::collection::vec("[.a]{0,4}", 0..6),
            size in 1_usize..9,
        ) {
            let sent: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let stuffed: String = lines
                .iter()
                .map(|line| if line.starts_with('.') { format!(".{line}\r\n") } else { format!("{line}\r\n") })
                .collect();
            let (outcome, _) = read(format!("{stuffed}.\r\n").as_bytes(), size).unwrap();
            prop_assert_eq!(outcome.unwrap(), sent.into_bytes());
        }
    }
}
