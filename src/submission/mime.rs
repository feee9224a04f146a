//! The parts of a message (RFC 2046), counted while they are found.
//!
//! Structure is read here in one place instead of by a parser behind a separate check of its limits, so
//! that both can never see different messages. What belongs to no part (preamble, epilogue, the content of
//! a multipart without its boundary) is not kept.

use zeroize::Zeroizing;

use super::header;
use super::header::Header;
use super::parameter::Structured;
use super::text;
use super::transfer::Transfer;
use crate::config;
use crate::refusal::Malformed;

/// Deepest nesting whatever the configuration says: each level is a call on the stack.
const DEEPEST: usize = 100;
/// Most characters of a file name.
const MAX_NAME: usize = 200;

/// An entity of the message.
pub(super) enum Node {
    /// Several entities.
    Multipart {
        /// `mixed`, `alternative`, ...
        subtype: String,
        /// In order.
        children: Vec<Node>,
    },
    /// A message shown within the message.
    Forwarded(Box<Node>),
    /// A message attached as a file: its name, and nothing of its content.
    Attached(Option<String>),
    /// Content.
    Leaf(Leaf),
}

/// Content of one part, its transfer encoding undone.
pub(super) struct Leaf {
    /// Media type in lower case.
    pub(super) media_type: String,
    /// Declared charset.
    pub(super) charset: Option<String>,
    /// Declared to be flowed (RFC 3676), and then whether with `delsp=yes`.
    pub(super) flowed: Option<bool>,
    /// Whether Content-Disposition says attachment.
    pub(super) attached: bool,
    /// File name, free of control characters and folders.
    pub(super) name: Option<String>,
    /// Content-ID without its brackets.
    pub(super) content_id: Option<String>,
    /// The bytes; wiped when dropped, since they may hold a password.
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Leaf {
    /// Whether this is text that a mail program shows as the mail.
    pub(super) fn is_body(&self) -> bool {
        !self.attached && matches!(self.media_type.as_str(), "text/plain" | "text/html")
    }
}

/// Reads the body that follows `header`.
///
/// # Errors
/// [`Malformed`] names the limit that the message passes.
pub(super) fn read(
    header: &Header<'_>,
    body: &[u8],
    limits: &config::Smtp,
) -> Result<Node, Malformed> {
    let mut reader = Reader {
        limits,
        parts: 0,
        copies: body.len().saturating_mul(2),
    };
    reader.entity(header, body, 1, "text/plain")
}

/// The type of an entity; `default` if it says none that can be understood (RFC 2045 section 5.2).
pub(super) fn content_type(header: &Header<'_>, default: &str) -> Structured {
    let declared = header.first("content-type").unwrap_or_default();
    let mut parsed = Structured::parse(&declared);
    let subtype = parsed.value.split_once('/');
    if subtype.is_none_or(|(kind, subtype)| kind.is_empty() || subtype.is_empty()) {
        parsed.value = default.to_owned();
    }
    parsed
}

struct Reader<'a> {
    limits: &'a config::Smtp,
    parts: usize,
    /// Bytes that encoded messages within messages may still take.
    copies: usize,
}

impl Reader<'_> {
    fn part(&mut self, raw: &[u8], depth: usize, default: &str) -> Result<Node, Malformed> {
        let (header, body) = header::split(raw, self.limits.max_header)?;
        self.entity(&header, body, depth, default)
    }

    fn entity(
        &mut self,
        header: &Header<'_>,
        body: &[u8],
        depth: usize,
        default: &str,
    ) -> Result<Node, Malformed> {
        self.count(1)?;
        if depth > self.limits.max_depth.min(DEEPEST) {
            return Err(Malformed::TooDeep);
        }
        let kind = content_type(header, default);
        let transfer = Transfer::named(header.first("content-transfer-encoding").as_deref());
        if let Some(subtype) = kind.value.strip_prefix("multipart/") {
            return self.multipart(subtype, &kind.bytes("boundary"), body, depth);
        }
        let nested = matches!(kind.value.as_str(), "message/rfc822" | "message/global");
        if nested && transfer != Transfer::Unreadable {
            return self.message(header, &kind, transfer, body, depth);
        }
        Ok(Node::Leaf(leaf(header, &kind, transfer, body)))
    }

    fn message(
        &mut self,
        header: &Header<'_>,
        kind: &Structured,
        transfer: Transfer,
        body: &[u8],
        depth: usize,
    ) -> Result<Node, Malformed> {
        let disposition = disposition(header);
        if disposition.value == "attachment" {
            return Ok(Node::Attached(file_name(&disposition, kind)));
        }
        let content = if transfer == Transfer::Identity {
            self.part(body, depth + 1, "text/plain")?
        } else {
            // RFC 2046 section 5.2.1 allows no encoding here. Each level of it is another copy.
            let decoded = Zeroizing::new(transfer.decode(body));
            self.copies = self
                .copies
                .checked_sub(decoded.len())
                .ok_or(Malformed::TooDeep)?;
            self.part(&decoded, depth + 1, "text/plain")?
        };
        Ok(Node::Forwarded(Box::new(content)))
    }

    fn multipart(
        &mut self,
        subtype: &str,
        boundary: &[u8],
        body: &[u8],
        depth: usize,
    ) -> Result<Node, Malformed> {
        let raws = match boundary {
            [] => Vec::new(),
            boundary => self.split(body, boundary)?,
        };
        let default = match subtype {
            "digest" => "message/rfc822",
            _ => "text/plain",
        };
        let mut children = Vec::with_capacity(raws.len());
        for raw in raws {
            children.push(self.part(raw, depth + 1, default)?);
        }
        Ok(Node::Multipart {
            subtype: subtype.to_owned(),
            children,
        })
    }

    /// What stands between the delimiter lines (RFC 2046 section 5.1.1).
    fn split<'b>(&self, body: &'b [u8], boundary: &[u8]) -> Result<Vec<&'b [u8]>, Malformed> {
        let delimiter = [b"--", boundary].concat();
        let mut parts = Vec::new();
        let mut begin = None;
        let mut add = |begin: Option<usize>, end: usize| {
            if let Some(part) = begin.and_then(|begin| body.get(begin..end)) {
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            parts.len()
        };
        for at in memchr::memmem::find_iter(body, &delimiter) {
            if at > 0 && body.get(at - 1) != Some(&b'\n') {
                continue;
            }
            let Some((line, next)) = header::line_at(body, at) else {
                break;
            };
            let tail = line.get(delimiter.len()..).unwrap_or_default();
            let closes = tail.starts_with(b"--") && tail.get(2..).is_some_and(is_blank);
            if !closes && !is_blank(tail) {
                continue;
            }
            if self.parts + add(begin, at) > self.limits.max_parts {
                return Err(Malformed::TooManyParts);
            }
            begin = Some(next);
            if closes {
                return Ok(parts);
            }
        }
        add(begin, body.len());
        Ok(parts)
    }

    fn count(&mut self, parts: usize) -> Result<(), Malformed> {
        self.parts += parts;
        match self.parts > self.limits.max_parts {
            true => Err(Malformed::TooManyParts),
            false => Ok(()),
        }
    }
}

fn leaf(header: &Header<'_>, kind: &Structured, transfer: Transfer, body: &[u8]) -> Leaf {
    let disposition = disposition(header);
    let says = |name: &str, value: &str| {
        let found = kind.text(name);
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    let id = header.first("content-id").map(|id| {
        let id = String::from_utf8_lossy(&id).into_owned();
        id.trim_matches(['<', '>', ' ']).to_owned()
    });
    // What cannot be decoded is no text to anybody, and it is not kept.
    let media_type = match transfer {
        Transfer::Unreadable => "application/octet-stream".to_owned(),
        Transfer::Identity | Transfer::Base64 | Transfer::QuotedPrintable => kind.value.clone(),
    };
    Leaf {
        media_type,
        charset: kind.text("charset"),
        flowed: says("format", "flowed").then(|| says("delsp", "yes")),
        attached: disposition.value == "attachment",
        name: file_name(&disposition, kind),
        content_id: id.filter(|id| !id.is_empty()),
        bytes: Zeroizing::new(transfer.decode(body)),
    }
}

fn disposition(header: &Header<'_>) -> Structured {
    let value = header.first("content-disposition").unwrap_or_default();
    Structured::parse(&value)
}

/// The file name, from either field; the last component if somebody wrote a path.
fn file_name(disposition: &Structured, kind: &Structured) -> Option<String> {
    let name = disposition.text("filename").or_else(|| kind.text("name"))?;
    plain_name(&name)
}

/// `name` without folders and control characters, if anything is left of it.
pub(super) fn plain_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let line = text::one_line(last, MAX_NAME);
    Some(line).filter(|line| !line.is_empty() && line != "." && line != "..")
}

fn is_blank(text: &[u8]) -> bool {
    text.trim_ascii().is_empty()
}
