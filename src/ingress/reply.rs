//! What the door says: code, enhanced status code (RFC 3463), text. The SMTP voice of every refusal.

use std::borrow::Cow;

use crate::ingress::RecipientRefusal;
use crate::ingress::SenderRefusal;
use crate::ingress::command::Mistake;
use crate::ingress::message::Flaw;
use crate::ingress::sasl;
use crate::refusal::Malformed;
use crate::refusal::Refusal;

/// One reply, written as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    code: u16,
    enhanced: &'static str,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply whose text never changes. `enhanced` is empty where RFC 2034 section 4 wants none.
    const fn fixed(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self {
            code,
            enhanced,
            text: Cow::Borrowed(text),
        }
    }

    /// A reply that repeats something the client or the operator wrote: printable ASCII comes through.
    fn quoting(code: u16, enhanced: &'static str, text: &str) -> Self {
        let printable = |c: char| match c {
            ' '..='~' => c,
            _ => '?',
        };
        Self {
            code,
            enhanced,
            text: Cow::Owned(text.chars().take(MOST_TEXT).map(printable).collect()),
        }
    }

    /// The reply code of RFC 5321 section 4.2.
    pub(super) fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code; empty where there is none.
    pub(super) fn status(&self) -> &'static str {
        self.enhanced
    }

    /// Appends the line to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let gap = if self.enhanced.is_empty() { "" } else { " " };
        let (code, enhanced, text) = (self.code, self.enhanced, &self.text);
        out.extend_from_slice(format!("{code} {enhanced}{gap}{text}\r\n").as_bytes());
    }
}

pub(super) const OK: Reply = Reply::fixed(250, "2.0.0", "Ok");
pub(super) const SENDER_OK: Reply = Reply::fixed(250, "2.1.0", "Sender ok");
pub(super) const RECIPIENT_OK: Reply = Reply::fixed(250, "2.1.5", "Recipient ok");
pub(super) const GO_AHEAD: Reply = Reply::fixed(354, "", "End data with <CR><LF>.<CR><LF>");
pub(super) const NO_VERIFY: Reply = Reply::fixed(252, "2.5.0", "Send some mail, it will be tried");
pub(super) const NO_EXPAND: Reply = Reply::fixed(502, "5.5.1", "Lists are not shown");
pub(super) const HELP: Reply = Reply::fixed(
    214,
    "2.0.0",
    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT; see RFC 5321",
);
pub(super) const NOT_OFFERED: Reply = Reply::fixed(502, "5.5.1", "Command not implemented");
pub(super) const HELLO_FIRST: Reply = Reply::fixed(503, "5.5.1", "EHLO or HELO first");
pub(super) const MAIL_FIRST: Reply = Reply::fixed(503, "5.5.1", "MAIL first");
pub(super) const RCPT_FIRST: Reply = Reply::fixed(503, "5.5.1", "RCPT first");
pub(super) const NESTED_MAIL: Reply = Reply::fixed(503, "5.5.1", "A sender is given already");
pub(super) const NO_LOGIN_NOW: Reply = Reply::fixed(503, "5.5.1", "No login at this point");
pub(super) const TLS_FIRST: Reply = Reply::fixed(530, "5.7.0", "Must issue STARTTLS first");
pub(super) const TLS_READY: Reply = Reply::fixed(220, "2.0.0", "Ready to start TLS");
pub(super) const TLS_ALREADY: Reply = Reply::fixed(503, "5.5.1", "TLS is in use already");
pub(super) const TLS_EARLY: Reply = Reply::fixed(554, "5.5.0", "Sent more before TLS began");
pub(super) const UNKNOWN_MECHANISM: Reply = Reply::fixed(504, "5.5.4", "Mechanism not offered");
pub(super) const LOGGED_IN: Reply = Reply::fixed(235, "2.7.0", "Authentication succeeded");
pub(super) const LOGIN_CANCELLED: Reply = Reply::fixed(501, "5.0.0", "Authentication cancelled");
pub(super) const LOGIN_UNREADABLE: Reply = Reply::fixed(501, "5.5.2", "Response not understood");
pub(super) const LOGIN_LATER: Reply =
    Reply::fixed(454, "4.7.0", "Temporary authentication failure");
pub(super) const LOGIN_OVER: Reply =
    Reply::fixed(421, "4.7.0", "The login has ended, log in again");
pub(super) const LOGIN_FAILED: Reply = Reply::fixed(535, "5.7.8", "Authentication failed");
pub(super) const CHUNK_ONLY: Reply = Reply::fixed(503, "5.5.1", "BDAT is in use");
pub(super) const CHUNKS_BROKEN: Reply =
    Reply::fixed(503, "5.5.1", "A chunk was refused; RSET first");
pub(super) const CHUNK_UNREADABLE: Reply = Reply::fixed(501, "5.5.4", "No chunk can be read");
pub(super) const NO_RECIPIENTS: Reply = Reply::fixed(554, "5.5.1", "No valid recipients");
pub(super) const TOO_MANY_RECIPIENTS: Reply = Reply::fixed(452, "4.5.3", "Too many recipients");
pub(super) const TOO_BIG: Reply = Reply::fixed(552, "5.3.4", "Message is larger than SIZE allows");
pub(super) const TOO_LONG: Reply = Reply::fixed(500, "5.5.2", "Line too long");
pub(super) const TOO_MANY_ERRORS: Reply = Reply::fixed(421, "4.7.0", "Too many errors");
pub(super) const TOO_MANY_COMMANDS: Reply = Reply::fixed(421, "4.7.0", "Too many commands");
pub(super) const EARLY: Reply = Reply::fixed(554, "5.5.0", "Message sent before its 354");
pub(super) const IDLE: Reply = Reply::fixed(421, "4.4.2", "No command in time");
pub(super) const SLOW: Reply = Reply::fixed(421, "4.4.2", "No end of message in time");
pub(super) const STOPPING: Reply = Reply::fixed(421, "4.3.2", "Service stops, try again soon");
pub(super) const TOO_MANY_MESSAGES: Reply = Reply::fixed(
    450,
    "4.7.1",
    "Too many messages from your address, try later",
);
pub(super) const FULL: Reply = Reply::fixed(421, "4.3.2", "Too many connections, try later");
pub(super) const FULL_FOR_ADDRESS: Reply =
    Reply::fixed(421, "4.7.0", "Too many connections from your address");

/// The greeting of a host called `name`.
pub(super) fn greeting(name: &str) -> Reply {
    Reply::quoting(220, "", &format!("{name} ESMTP"))
}

/// The answer to HELO.
pub(super) fn hello(name: &str) -> Reply {
    Reply::quoting(250, "", name)
}

/// The answer to QUIT.
pub(super) fn goodbye(name: &str) -> Reply {
    Reply::quoting(221, "2.0.0", &format!("{name} closes"))
}

/// What EHLO says besides our name.
pub(super) struct Extensions {
    /// Largest message (RFC 1870).
    pub(super) max_message: usize,
    /// Most recipients of a message (RFC 9422).
    pub(super) max_recipients: usize,
    /// Whether TLS can begin here (RFC 3207).
    pub(super) starttls: bool,
    /// The mechanisms of the logins that are taken here (RFC 4954).
    pub(super) auth: Option<&'static str>,
    /// Whether the client's certificate is one to log in with (EXTERNAL, RFC 4422 appendix A).
    pub(super) external: bool,
}

/// Appends the answer to EHLO: our name and exactly the extensions we keep.
pub(super) fn write_extensions(name: &str, extensions: &Extensions, out: &mut Vec<u8>) {
    let name = hello(name).text;
    let (size, most) = (extensions.max_message, extensions.max_recipients);
    let starttls = if extensions.starttls {
        "250-STARTTLS\r\n"
    } else {
        ""
    };
    let auth = match extensions.auth {
        Some(mechanisms) if extensions.external => {
            format!("250-AUTH {mechanisms} EXTERNAL\r\n")
        }
        Some(mechanisms) => format!("250-AUTH {mechanisms}\r\n"),
        None => String::new(),
    };
    let keywords = format!(
        "250-{name}\r\n250-SIZE {size}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n\
         250-CHUNKING\r\n250-DSN\r\n250-LIMITS RCPTMAX={most}\r\n{starttls}{auth}\
         250 ENHANCEDSTATUSCODES\r\n"
    );
    out.extend_from_slice(keywords.as_bytes());
}

/// Asks an exchange of AUTH for its next message (RFC 4954 section 4).
pub(super) fn challenge(text: &str) -> Reply {
    Reply {
        code: 334,
        enhanced: "",
        text: Cow::Owned(sasl::encode(text.as_bytes())),
    }
}

/// The answer to a chunk that is not the last.
pub(super) fn chunk(size: u64) -> Reply {
    Reply::quoting(250, "2.0.0", &format!("{size} bytes received"))
}

/// The answer to a login that is refused: what is wrong with it is nobody's business (promise P7).
pub(super) fn login_refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Busy | Refusal::Storage => LOGIN_LATER,
        Refusal::NotAuthenticated
        | Refusal::AutomaticMail
        | Refusal::Forged
        | Refusal::Malformed(_)
        | Refusal::NoSuchList
        | Refusal::Number(_)
        | Refusal::TooMany
        | Refusal::Undecided
        | Refusal::UnknownOption(_) => LOGIN_FAILED,
    }
}

/// The answer to a reverse-path that the account that logged in may not use.
pub(super) fn sender(refusal: &SenderRefusal) -> Reply {
    match refusal {
        SenderRefusal::Changed => LOGIN_OVER,
        SenderRefusal::Locked => LOGIN_FAILED,
        SenderRefusal::NotYours => {
            Reply::fixed(550, "5.7.1", "Not a sender address of this account")
        }
        SenderRefusal::Storage => Reply::fixed(451, "4.3.0", "Not checked, try again later"),
    }
}

/// The answer to a message that was taken over.
pub(super) fn queued(batch: &str) -> Reply {
    Reply::quoting(250, "2.0.0", &format!("Ok: queued as {batch}"))
}

/// The answer to a line that is no command.
pub(super) fn mistake(mistake: Mistake) -> Reply {
    match mistake {
        Mistake::Argument => Reply::fixed(501, "5.5.4", "Argument missing or unreadable"),
        Mistake::Bytes => Reply::fixed(500, "5.5.2", "A command is UTF-8 text that ends in CRLF"),
        Mistake::Command => Reply::fixed(500, "5.5.2", "Command not recognized"),
        Mistake::ParameterValue => Reply::fixed(501, "5.5.4", "Parameter value not possible"),
        Mistake::Recipient => Reply::fixed(501, "5.1.3", "A recipient is number@domain"),
        Mistake::Sender => Reply::fixed(501, "5.1.7", "Sender is no mail address"),
        Mistake::UnknownParameter => Reply::fixed(555, "5.5.4", "Parameter not implemented"),
    }
}

/// The answer to a message whose bytes break the rules.
pub(super) fn flaw(flaw: Flaw) -> Reply {
    match flaw {
        Flaw::BareLineEnd => Reply::fixed(550, "5.6.0", "Message has a CR or LF alone; use CRLF"),
        Flaw::Nul => Reply::fixed(550, "5.6.0", "Message has a NUL byte"),
        Flaw::TooBig => TOO_BIG,
    }
}

/// The answer to a recipient that is refused.
pub(super) fn recipient(refusal: &RecipientRefusal) -> Reply {
    match refusal {
        RecipientRefusal::ForeignDomain => {
            Reply::fixed(550, "5.7.1", "Not a domain of this gateway")
        }
        RecipientRefusal::Number(error) => Reply::quoting(550, "5.1.3", &error.to_string()),
        RecipientRefusal::ListName => Reply::fixed(550, "5.1.3", "No list can have this name"),
        RecipientRefusal::SubAddress => Reply::fixed(
            550,
            "5.1.3",
            "A sub-address (T33S) has 1 to 20 digits, # and *",
        ),
    }
}

/// The answer to a message that is refused; `incident` finds the log lines about it.
pub(super) fn refusal(refusal: &Refusal, incident: &str) -> Reply {
    match refusal {
        Refusal::AutomaticMail => Reply::fixed(550, "5.7.1", "Automatic mail is not faxed"),
        Refusal::Busy => Reply::fixed(451, "4.3.2", "Busy, try again soon"),
        // RFC 7372 section 3.3: multiple authentication checks failed.
        Refusal::Forged => Reply::fixed(
            550,
            "5.7.26",
            "Not accepted: the sender's domain does not confirm this message (SPF, DKIM, DMARC)",
        ),
        Refusal::Malformed(malformed) => unreadable(*malformed),
        Refusal::NoSuchList => Reply::fixed(550, "5.1.1", "No such list"),
        Refusal::Number(error) => Reply::quoting(550, "5.1.3", &error.to_string()),
        // Promise P7: one text for all the ways in which a sender is not proved.
        Refusal::NotAuthenticated => Reply::fixed(
            550,
            "5.7.8",
            "Not accepted: check the sender address, the password line and the account",
        ),
        Refusal::Storage => {
            let text = format!("Not stored, try again later (incident {incident})");
            Reply::quoting(451, "4.3.0", &text)
        }
        Refusal::TooMany => Reply::fixed(450, "4.7.1", "Too many messages, try later"),
        Refusal::Undecided => {
            Reply::fixed(451, "4.4.3", "The sender's DNS gave no answer, try later")
        }
        Refusal::UnknownOption(option) => {
            let option: String = option.chars().take(MOST_OPTION).collect();
            Reply::quoting(
                550,
                "5.5.4",
                &format!("Subject option not understood: {option}"),
            )
        }
    }
}

/// A mail that passes a limit of size is 552, as if it were too large; one that is badly made is 554.
fn unreadable(malformed: Malformed) -> Reply {
    match malformed {
        Malformed::Empty => Reply::fixed(550, "5.6.0", "Nothing to send"),
        Malformed::HeaderTooLong => Reply::fixed(552, "5.3.4", "Header too long"),
        Malformed::NoHeader => Reply::fixed(554, "5.6.0", "No mail header"),
        Malformed::TooManyParts => Reply::fixed(552, "5.3.4", "Too many MIME parts"),
        Malformed::TooDeep => Reply::fixed(554, "5.6.0", "MIME parts nested too deeply"),
        Malformed::Charset => Reply::fixed(554, "5.6.0", "Charset not accepted (UTF-7)"),
    }
}

/// Longest text of a reply: RFC 5321 section 4.5.3.1.5 ends the line at 512 bytes.
const MOST_TEXT: usize = 480;
/// Longest option that is repeated to the client.
const MOST_OPTION: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::NumberError;

    fn line(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn refused(refused: &Refusal) -> String {
        line(&refusal(refused, "1a2b"))
    }

    #[test]
    fn each_refusal_has_its_code() {
        for (fact, start) in [
            (Refusal::AutomaticMail, "550 5.7.1 "),
            (Refusal::Busy, "451 4.3.2 "),
            (Refusal::Forged, "550 5.7.26 "),
            (Refusal::Undecided, "451 4.4.3 "),
            (
                Refusal::Malformed(Malformed::Empty),
                "550 5.6.0 Nothing to send",
            ),
            (Refusal::Malformed(Malformed::HeaderTooLong), "552 5.3.4 "),
            (Refusal::Malformed(Malformed::NoHeader), "554 5.6.0 "),
            (Refusal::Malformed(Malformed::TooManyParts), "552 5.3.4 "),
            (Refusal::Malformed(Malformed::TooDeep), "554 5.6.0 "),
            (Refusal::Malformed(Malformed::Charset), "554 5.6.0 "),
            (Refusal::NoSuchList, "550 5.1.1 "),
            (Refusal::Number(NumberError::TooLong), "550 5.1.3 "),
            (Refusal::NotAuthenticated, "550 5.7.8 "),
            (Refusal::TooMany, "450 4.7.1 "),
            (
                Refusal::UnknownOption("/zz".into()),
                "550 5.5.4 Subject option not understood: /zz\r\n",
            ),
        ] {
            assert!(refused(&fact).starts_with(start), "{fact:?}");
        }
    }

    #[test]
    fn trouble_with_storage_shows_an_incident_and_nothing_else() {
        assert_eq!(
            refused(&Refusal::Storage),
            "451 4.3.0 Not stored, try again later (incident 1a2b)\r\n"
        );
    }

    #[test]
    fn a_subject_cannot_write_a_reply_line_of_its_own() {
        let option = Refusal::UnknownOption(format!("/a\r\n250 ok\u{7}件{}", "x".repeat(900)));
        let text = refused(&option);
        assert!(text.starts_with("550 5.5.4 Subject option not understood: /a??250 ok??xxx"));
        assert_eq!(text.matches('\n').count(), 1);
        assert!(text.len() <= 512 && text.is_ascii());
    }
}
