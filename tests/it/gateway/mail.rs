//! Mails that customers write.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use super::Gateway;
use super::Smtp;

/// A mail with its envelope. Cloned it is the same mail again, Message-ID included.
#[derive(Clone)]
pub(crate) struct Mail {
    /// The reverse-path; empty for the null one.
    pub(crate) sender: String,
    /// The recipients of the envelope.
    pub(crate) recipients: Vec<String>,
    headers: Vec<(String, String)>,
    body: String,
    attachments: Vec<(String, String, Vec<u8>)>,
}

impl Mail {
    /// A plain text mail with a Message-ID that no other mail of the run has.
    pub(crate) fn new(sender: &str, recipient: &str, body: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mail = Self {
            sender: sender.to_owned(),
            recipients: vec![recipient.to_owned()],
            headers: Vec::new(),
            body: body.to_owned(),
            attachments: Vec::new(),
        };
        mail.header("From", sender)
            .header(
                "Message-ID",
                &format!("<{count}.{}@customer.example>", std::process::id()),
            )
            .header("Subject", "offer")
            .header("Date", "Thu, 05 Mar 2026 10:00:00 +0900")
            .header("To", recipient)
    }

    /// Of `tanaka`, with the right password.
    pub(crate) fn right(recipient: &str) -> Self {
        Self::password(recipient, super::RIGHT)
    }

    /// Of `tanaka`, with a wrong password.
    pub(crate) fn wrong(recipient: &str) -> Self {
        Self::password(recipient, "kaki8wrong")
    }

    /// Of `tanaka`, with this password.
    pub(crate) fn password(recipient: &str, password: &str) -> Self {
        let body = format!("password: {password}\r\n\r\nPlease see to it.\r\n");
        Self::new("tanaka@customer.example", recipient, &body)
    }

    /// Of `suzuki`, who needs none.
    pub(crate) fn plain(recipient: &str) -> Self {
        Self::new(
            "suzuki@customer.example",
            recipient,
            "Please see to it.\r\n",
        )
    }

    /// Sets a header field; `Subject`, `From` and the like are replaced.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a header field out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Sets the subject.
    pub(crate) fn subject(self, subject: &str) -> Self {
        self.header("Subject", subject)
    }

    /// Sets the reverse-path and leaves From as it is.
    pub(crate) fn reverse_path(mut self, sender: &str) -> Self {
        self.sender = sender.to_owned();
        self
    }

    /// Adds a recipient of the envelope.
    pub(crate) fn and_to(mut self, recipient: &str) -> Self {
        self.recipients.push(recipient.to_owned());
        self
    }

    /// The same mail for these recipients: what a relay makes of a mail when it splits them.
    pub(crate) fn only_to(mut self, recipients: &[&str]) -> Self {
        self.recipients = recipients.iter().map(|r| (*r).to_owned()).collect();
        self
    }

    /// Adds a document.
    pub(crate) fn attach(mut self, name: &str, media_type: &str, bytes: &[u8]) -> Self {
        let attachment = (name.to_owned(), media_type.to_owned(), bytes.to_vec());
        self.attachments.push(attachment);
        self
    }

    /// Header and body, lines ending in CRLF.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut text = String::new();
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("MIME-Version: 1.0\r\n");
        let body = format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}",
            self.body
        );
        if self.attachments.is_empty() {
            return (text + &body).into_bytes();
        }
        text.push_str("Content-Type: multipart/mixed; boundary=\"between\"\r\n\r\n");
        text.push_str(&format!("--between\r\n{body}\r\n"));
        for (name, media_type, bytes) in &self.attachments {
            text.push_str(&format!(
                "--between\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n",
                base64(bytes)
            ));
        }
        text.push_str("--between--\r\n");
        text.into_bytes()
    }
}

/// RFC 2045 section 6.8, 76 characters in a line.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (at, three) in bytes.chunks(3).enumerate() {
        if at > 0 && at % 19 == 0 {
            out.push_str("\r\n");
        }
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap();
            out.push(if place > three.len() {
                '='
            } else {
                char::from(ALPHABET[index])
            });
        }
    }
    out
}

impl Gateway {
    /// Mails it in a session of its own; the reply to the end of the message, or to the command that
    /// was refused.
    pub(crate) fn mail(&self, mail: &Mail) -> String {
        Smtp::hello(self.smtp).mail(mail)
    }

    /// The same; it must be taken.
    pub(crate) fn accepts(&self, mail: &Mail) {
        let reply = self.mail(mail);
        assert!(reply.starts_with("250 2.0.0 Ok: queued as "), "{reply}");
    }

    /// The same; it must be refused as everybody is who is not proved to be a sender.
    pub(crate) fn refuses(&self, mail: &Mail) {
        let reply = self.mail(mail);
        assert!(reply.starts_with("550 5.7.8 "), "{reply}");
    }

    /// Three wrong passwords of `tanaka`.
    pub(crate) fn lock_by_mail(&self) {
        for _ in 0..3 {
            self.refuses(&Mail::wrong("0312345678@fax.example"));
        }
        assert!(self.is_locked("tanaka"));
    }
}
