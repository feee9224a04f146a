//! A received message becomes a [`Submission`], and no password stays in what is kept of it (rows C2, P5).
//!
//! One text has one reading: the body is decoded, made plain and cleaned once, and the password is looked
//! for in exactly that text, of which the scrubbed rest is all that is kept. HTML, alternatives that were
//! not chosen, containers nobody can read and everything outside the parts are thrown away, so whoever
//! renders a page sees what was searched and nothing else.

mod address;
mod body;
mod charset;
mod composed;
mod copies;
mod document;
mod header;
mod html;
mod identity;
mod mime;
mod parameter;
mod password;
mod subject;
mod text;
mod transfer;
mod word;

pub use address::Recipient;
pub use address::RecipientError;
pub use address::recipient;
pub use composed::Composition;
pub use composed::Upload;
pub use composed::compose;
pub use identity::draft_hash;
pub use identity::strike_material;
pub use subject::BodyChoice;
pub use subject::SubjectOptions;

use copies::Copies;
use header::Header;
use mail_parser::MessageParser;
use password::Finder;

use crate::config;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::refusal::Malformed;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::smtp::Address;
use crate::smtp::ReceivedMessage;
use crate::time::Timestamp;
use crate::time::Zone;

/// Most characters of a Message-ID (a line of RFC 5322 section 2.1.1).
const MAX_MESSAGE_ID: usize = 998;

/// What a sender asked for. Nothing in it is proved, and nothing in it but `password` is secret.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The reverse-path of the envelope.
    pub reverse_path: Address,
    /// The first mailbox in From; none if there are two From fields or no address.
    pub from: Option<Address>,
    /// The first mailbox in Reply-To.
    pub reply_to: Option<Address>,
    /// When it was written, by its own Date.
    pub date: Option<Timestamp>,
    /// The Message-ID as written, at most 998 characters.
    pub message_id: Option<String>,
    /// The subject without its options, at most 60 characters.
    pub reference: String,
    /// The options in the subject.
    pub options: SubjectOptions,
    /// What was found in the outermost body; in memory only.
    pub password: PasswordFound,
    /// The scrubbed text of the mail; `None` if nothing of it is left.
    pub body: Option<Document>,
    /// The attachments in order.
    pub attachments: Vec<Document>,
    /// Hash of the scrubbed content, the same for every transaction of one mail (promise P4).
    pub content_hash: [u8; 32],
    copies: Copies,
}

/// The password in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFound {
    /// There is none.
    None,
    /// There is one, perhaps repeated.
    One(Secret),
    /// There are several that differ: refused without a strike, since nobody can know which was meant.
    Contradicting,
}

/// The author: the address that [`parse`] will find in From; nothing else of the message is read.
pub fn author(raw: &[u8], limits: &config::Smtp) -> Option<Address> {
    let (header, _) = header::split(raw, limits.max_header).ok()?;
    mailbox(&header, "from")
}

/// What of the configuration decides how a message is read.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// How a password line looks.
    pub password: &'a config::Password,
    /// Limits of size and structure.
    pub limits: &'a config::Smtp,
    /// The zone of `/d` in the subject.
    pub zone: &'a Zone,
    /// The present.
    pub now: Timestamp,
}

/// Reads `message`.
///
/// # Errors
/// [`Refusal::AutomaticMail`] for mail that no person wrote, [`Refusal::Malformed`] for what cannot be read
/// or passes a limit, [`Refusal::UnknownOption`] for an option in the subject that nobody knows.
pub fn parse(message: &ReceivedMessage, rules: &Rules<'_>) -> Result<Submission, Refusal> {
    let Some(reverse_path) = message.envelope.reverse_path.clone() else {
        return Err(Refusal::AutomaticMail);
    };
    let split = header::split(&message.raw, rules.limits.max_header);
    let (header, raw_body) = split.map_err(Refusal::Malformed)?;
    if header.is_empty() {
        return Err(Refusal::Malformed(Malformed::NoHeader));
    }
    if is_automatic(&header) {
        return Err(Refusal::AutomaticMail);
    }
    let finder = Finder::new(rules.password);
    let root = mime::read(&header, raw_body, rules.limits).map_err(Refusal::Malformed)?;
    let content = body::content(root, &finder).map_err(Refusal::Malformed)?;
    let subject = word::text(&header.first("subject").unwrap_or_default());
    // Some people write the password into the subject. It proves nothing there and must not be kept.
    let subject = finder.scrub(&text::one_line(&subject, usize::MAX));
    let subject = content.copies.strike(&subject);
    let (reference, options) =
        subject::parse(&subject, rules.zone, rules.now).map_err(Refusal::UnknownOption)?;
    let message_id = message_id(&header).map(|id| content.copies.strike(&id).into_owned());
    Ok(Submission {
        reverse_path,
        from: mailbox(&header, "from"),
        reply_to: mailbox(&header, "reply-to"),
        date: date(&header),
        message_id,
        reference,
        options,
        password: agreed(content.passwords),
        content_hash: identity::content_hash(&subject, &content.text, &content.documents),
        body: text_document(content.text),
        attachments: content.documents,
        copies: content.copies,
    })
}

impl Submission {
    /// Whether `text`, which came beside the mail, is free of the mail's password.
    pub fn is_clean(&self, text: &str) -> bool {
        self.copies.strike(text) == text
    }

    /// The documents to fax, in order: the attachments, and the body where the subject or
    /// `body_with_attachments`, the default, asks for it or nothing else is there.
    ///
    /// # Errors
    /// [`Malformed::Empty`] if there is nothing to fax.
    pub fn documents(&self, body_with_attachments: bool) -> Result<Vec<Document>, Refusal> {
        let (body, attachments) = match self.options.body {
            _ if self.attachments.is_empty() => (true, false),
            Some(BodyChoice::BodyOnly) => (true, false),
            Some(BodyChoice::WithAttachments) => (true, true),
            Some(BodyChoice::AttachmentsOnly) => (false, true),
            None => (body_with_attachments, true),
        };
        let body = self.body.iter().filter(|_| body);
        let attachments = self.attachments.iter().filter(|_| attachments);
        let documents: Vec<Document> = body.chain(attachments).cloned().collect();
        if documents.is_empty() {
            return Err(Refusal::Malformed(Malformed::Empty));
        }
        Ok(documents)
    }
}

/// Reads `raw` as a message from somebody: for fuzzing and replayed corpora.
pub fn fuzz_submission(raw: &[u8]) {
    let limits = fuzz_limits();
    let password = config::Password {
        lines: vec!["password:".into(), "パスワード:".into(), "#passwd=".into()],
        search_lines: 20,
    };
    let message = ReceivedMessage {
        envelope: crate::smtp::Envelope {
            reverse_path: Address::parse("a@b.example"),
            ..crate::smtp::Envelope::default()
        },
        raw: zeroize::Zeroizing::new(raw.to_vec()),
        peer: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        received_at: Timestamp::default(),
        authenticated: None,
    };
    let rules = Rules {
        password: &password,
        limits: &limits,
        zone: &Zone::utc(),
        now: Timestamp::default(),
    };
    if let Ok(submission) = parse(&message, &rules) {
        drop(submission.documents(true));
    }
    strike_material(raw, &Secret::new(String::new()));
}

fn fuzz_limits() -> config::Smtp {
    config::Smtp {
        max_message: 1 << 20,
        max_header: 64 << 10,
        max_parts: 200,
        max_depth: 20,
        ..config::Smtp::default()
    }
}

/// Whether a program sent this by itself (RFC 3834 section 5), or it reports on another mail (RFC 6522).
fn is_automatic(header: &Header<'_>) -> bool {
    let submitted = header.first("auto-submitted").unwrap_or_default();
    let keyword = submitted.split(|b| matches!(b, b';' | b'(' | b' ' | b'\t'));
    let keyword = keyword.into_iter().next().unwrap_or_default();
    let person = keyword.is_empty() || keyword.eq_ignore_ascii_case(b"no");
    !person || mime::content_type(header, "text/plain").value == "multipart/report"
}

/// The first address in the field `name`. Two such fields name nobody (RFC 5322 section 3.6 allows one):
/// another reader might take the other.
fn mailbox(header: &Header<'_>, name: &str) -> Option<Address> {
    if header.count(name) != 1 {
        return None;
    }
    let value = header.first(name)?;
    let field = [b"From: ".as_slice(), &value, b"\r\n\r\n"].concat();
    let parsed = MessageParser::default().parse_headers(&field);
    let address = parsed.as_ref().and_then(|parsed| {
        let first = parsed.from()?.first()?;
        Address::parse(first.address()?)
    });
    address.or_else(|| quoted_mailbox(&value))
}

/// An address whose local part is in quotes, which the parser loses.
fn quoted_mailbox(value: &[u8]) -> Option<Address> {
    let text = String::from_utf8_lossy(value);
    let bracketed = text
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    let bare = bracketed.map_or(text.as_ref(), |(inner, _)| inner).trim();
    let quoted = bare.starts_with('"') && !bare.starts_with("\"\"");
    Address::parse(bare).filter(|_| quoted)
}

/// A Date that nobody can read is none; before 1970 nobody sent mail.
fn date(header: &Header<'_>) -> Option<Timestamp> {
    let field = [b"Date: ".as_slice(), &header.first("date")?, b"\r\n\r\n"].concat();
    let parsed = MessageParser::default().parse_headers(&field)?;
    let seconds = parsed.date()?.to_timestamp();
    let ms = seconds.checked_mul(1000).filter(|ms| *ms > 0)?;
    Some(Timestamp::from_ms(ms))
}

fn message_id(header: &Header<'_>) -> Option<String> {
    let id = String::from_utf8_lossy(&header.first("message-id")?).into_owned();
    Some(text::one_line(&id, MAX_MESSAGE_ID)).filter(|id| !id.is_empty())
}

fn agreed(passwords: Vec<Secret>) -> PasswordFound {
    let mut passwords = passwords.into_iter();
    match passwords.next() {
        None => PasswordFound::None,
        Some(first) if passwords.all(|other| other == first) => PasswordFound::One(first),
        Some(_) => PasswordFound::Contradicting,
    }
}

fn text_document(text: String) -> Option<Document> {
    (!text.is_empty()).then(|| Document {
        name: None,
        kind: DocumentKind::Text,
        media_type: "text/plain".into(),
        bytes: text.into_bytes(),
    })
}
