//! A message, written octet by octet: header fields, parts, boundaries (RFC 5322, RFC 2045, RFC 2046).
//!
//! All our mails are written here and none by lettre's builder: it has no ISO-2022-JP, its addresses
//! refuse those that Japanese carriers issue, and one way for every format is easier to trust than two.

use super::Attachment;
use super::Header;
use super::Mail;
use super::header;
use super::header::Charset;
use super::transfer::Transfer;

/// What an automatic mail says of itself (RFC 3834 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auto {
    /// Nobody's mail caused it.
    Generated,
    /// It answers a mail.
    Replied,
}

/// A message before it is written.
pub(super) struct Letter {
    /// The subject, any text.
    pub(super) subject: String,
    /// Charset of the subject.
    pub(super) charset: Charset,
    /// What it says of itself.
    pub(super) auto: Auto,
    /// The body.
    pub(super) body: Part,
}

/// A part of a message.
pub(super) enum Part {
    /// Something to read or to open.
    Leaf {
        /// `Content-Type` with its parameters; ours, never a sender's.
        content_type: String,
        /// `Content-Disposition: attachment` with this file name.
        file_name: Option<String>,
        /// How the octets travel.
        transfer: Transfer,
        /// The content; text has CRLF line ends.
        bytes: Vec<u8>,
    },
    /// `multipart/<subtype>`.
    Multi {
        /// `alternative` or `mixed`; parameters may follow.
        subtype: &'static str,
        /// The parts in order.
        parts: Vec<Part>,
    },
}

impl Part {
    /// Text of `media_type` to be read.
    pub(super) fn text(media_type: &str, text: &str, charset: Charset) -> Self {
        let bytes = charset.encode(&with_crlf(text));
        let transfer = match charset {
            // Seven bits by nature. No double-byte character of ours has `=_` next to a hyphen.
            Charset::Jis if !bytes.windows(4).any(|four| four == b"--=_") => Transfer::SevenBit,
            Charset::Jis => Transfer::Base64,
            Charset::Utf8 => Transfer::best_for(&bytes),
        };
        Self::Leaf {
            content_type: format!("{media_type}; charset={}", charset.as_str()),
            file_name: None,
            transfer,
            bytes,
        }
    }

    /// A file.
    pub(super) fn file(file: Attachment) -> Self {
        Self::Leaf {
            content_type: file.media_type.to_owned(),
            file_name: Some(file.name),
            transfer: Transfer::Base64,
            bytes: file.bytes,
        }
    }

    /// This part, followed by `files` if there are any.
    pub(super) fn and_files(self, files: Vec<Attachment>) -> Self {
        if files.is_empty() {
            return self;
        }
        let mut parts = vec![self];
        parts.extend(files.into_iter().map(Self::file));
        Self::Multi {
            subtype: "mixed",
            parts,
        }
    }

    /// Whether `boundary` is anywhere in what travels as it is.
    fn holds(&self, boundary: &[u8]) -> bool {
        match self {
            Self::Leaf {
                transfer: Transfer::SevenBit,
                bytes,
                ..
            } => memchr::memmem::find(bytes, boundary).is_some(),
            Self::Leaf { .. } => false,
            Self::Multi { parts, .. } => parts.iter().any(|part| part.holds(boundary)),
        }
    }

    /// Writes the part with its fields; `boundary` is that of its parts.
    pub(super) fn write(&self, boundary: &str, out: &mut Vec<u8>) {
        match self {
            Self::Leaf {
                content_type,
                file_name,
                transfer,
                bytes,
            } => {
                let mut fields = format!("Content-Type: {content_type}");
                if let Some(name) = file_name {
                    fields += &header::file_name("name", name);
                    fields += "\r\nContent-Disposition: attachment";
                    fields += &header::file_name("filename", name);
                }
                fields += "\r\nContent-Transfer-Encoding: ";
                fields += transfer.as_str();
                fields += "\r\n\r\n";
                out.extend_from_slice(fields.as_bytes());
                out.extend_from_slice(&transfer.encode(bytes));
            }
            Self::Multi { subtype, parts } => {
                let fields = format!(
                    "Content-Type: multipart/{subtype};\r\n boundary=\"{boundary}\"\r\n\r\n"
                );
                out.extend_from_slice(fields.as_bytes());
                for (i, part) in parts.iter().enumerate() {
                    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    part.write(&format!("{boundary}.{i}"), out);
                }
                out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            }
        }
    }
}

impl Letter {
    /// The message under `header`.
    pub(super) fn write(&self, header: &Header) -> Mail {
        let mut fields = header::addresses("From", std::slice::from_ref(&header.from));
        fields += &header::addresses("To", &header.to);
        fields += &header::unstructured("Subject", &self.subject, self.charset);
        fields += &format!("Date: {}\r\n", header.date.rfc5322(&header.zone));
        if let Some(id) = header::message_id(&header.message_id) {
            fields += &format!("Message-ID: {id}\r\n");
        }
        if let Some(id) = header.in_reply_to.as_deref().and_then(header::message_id) {
            fields += &format!("In-Reply-To: {id}\r\nReferences: {id}\r\n");
        }
        fields += match self.auto {
            Auto::Generated => "Auto-Submitted: auto-generated\r\n",
            Auto::Replied => "Auto-Submitted: auto-replied\r\n",
        };
        fields += "MIME-Version: 1.0\r\n";
        let mut message = fields.into_bytes();
        let mut boundary = boundary(&header.message_id);
        // A part that must stay in seven bits, such as the fields of a report, may hold any text.
        while self.body.holds(boundary.as_bytes()) {
            boundary.push('x');
        }
        self.body.write(&boundary, &mut message);
        Mail {
            recipients: header.to.clone(),
            message,
        }
    }
}

/// A boundary made of `message_id`: the same mail is the same octets whenever it is written.
fn boundary(message_id: &str) -> String {
    let letters = message_id.chars().filter(char::is_ascii_alphanumeric);
    let letters: String = letters.take(40).collect();
    format!("=_{letters}")
}

/// `text` with CRLF line ends, whatever they were.
fn with_crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 40);
    for line in text.lines() {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Address;
    use crate::time::Timestamp;
    use crate::time::Zone;
    use mail_parser::MessageParser;
    use mail_parser::MimeHeaders;

    fn header() -> Header {
        Header {
            from: Address::parse("faxgate@fax.example").unwrap(),
            to: vec![
                Address::parse("a..b.@docomo.ne.jp").unwrap(),
                Address::parse("x@c.example").unwrap(),
            ],
            message_id: "1@fax.example".into(),
            date: Timestamp::from_ms(1_795_339_800_000),
            zone: Zone::utc(),
            in_reply_to: Some("<q@c.example>\r\nBcc: v@victim.example".into()),
        }
    }

    #[test]
    fn parts_and_files_come_back_as_they_were_put_in() {
        let file = Attachment {
            name: "見積\r\n書 \"第1版\".pdf".into(),
            media_type: "application/pdf",
            bytes: vec![0, 255, 10, 13, 46],
        };
        let letter = Letter {
            subject: "結果\r\nBcc: v@victim.example".into(),
            charset: Charset::Jis,
            auto: Auto::Replied,
            body: Part::text("text/plain", "一行目\n.\n", Charset::Jis).and_files(vec![file]),
        };
        let mail = letter.write(&header());
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        assert_eq!(parsed.subject(), Some("結果 Bcc: v@victim.example"));
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.to().unwrap().iter().count(), 2);
        assert_eq!(parsed.message_id(), Some("1@fax.example"));
        assert!(parsed.in_reply_to().as_text().is_none());
        // The last line end belongs to the boundary (RFC 2046 section 5.1.1).
        assert_eq!(parsed.body_text(0).unwrap(), "一行目\r\n.");
        let file = parsed.attachment(0).unwrap();
        assert_eq!(file.attachment_name(), Some("見積 書 _第1版_.pdf"));
        assert_eq!(file.contents(), [0, 255, 10, 13, 46]);
    }
}
