//! One line becomes one command, or the reason why it is none.

mod dsn;
mod parameter;
mod path;

use std::borrow::Cow;

use smtp_proto::Error;
use smtp_proto::Request;

use crate::secret::Secret;
use crate::smtp::Address;
use crate::smtp::ForwardPath;
use crate::smtp::Returned;

use parameter::announced;
use parameter::each;
use parameter::is_xtext;
use parameter::text_body;

/// A command of RFC 5321 as far as this door knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `AUTH`
    Auth(Auth),
    /// `BDAT`
    Chunk(ChunkSize),
    /// `DATA`
    Data,
    /// `EHLO`; who the client says it is means nothing and is not kept.
    Ehlo,
    /// `EXPN`
    Expn,
    /// `HELO`
    Helo,
    /// `HELP`
    Help,
    /// `MAIL FROM`
    Mail(Mail),
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
    /// `RCPT TO`
    Rcpt(ForwardPath),
    /// `RSET`
    Rset,
    /// `STARTTLS`
    StartTls,
    /// A command of an extension that is not offered.
    Unsupported,
    /// `BURL`, or a `BDAT` that cannot be read: what follows it may be no command.
    UnsupportedChunk,
    /// `VRFY`
    Vrfy,
}

/// What `MAIL` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mail {
    /// The reverse-path; `None` is the null reverse-path.
    pub(super) reverse_path: Option<Address>,
    /// Bytes the client announces (RFC 1870); saturates.
    pub(super) size: Option<u64>,
    /// Whether it names who handed the message in before (`AUTH=`, RFC 4954 section 5). Whom it names
    /// means nothing here and is not kept.
    pub(super) says_author: bool,
    /// How much goes back with a report (RFC 3461 section 4.3).
    pub(super) returned: Option<Returned>,
    /// The envelope identifier (RFC 3461 section 4.4).
    pub(super) envelope_id: Option<String>,
}

/// What `AUTH` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Auth {
    /// The name of the mechanism.
    pub(super) mechanism: String,
    /// The initial response, in base64.
    pub(super) initial: Option<Secret>,
}

/// What `BDAT` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkSize {
    /// Bytes that follow; saturates.
    pub(super) size: u64,
    /// Whether the message ends with them.
    pub(super) last: bool,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The argument is missing or unreadable.
    Argument,
    /// The line does not end in CRLF, or has control characters or bytes that are not UTF-8.
    Bytes,
    /// No such command.
    Command,
    /// A parameter has a value it cannot have.
    ParameterValue,
    /// The forward-path is no address.
    Recipient,
    /// The reverse-path is no address.
    Sender,
    /// A parameter of an extension that is not offered.
    UnknownParameter,
}

/// Reads `line`, which ends in LF; `host` is our own name.
///
/// # Errors
/// [`Mistake`] says what to answer.
pub(super) fn parse(line: &[u8], host: &str) -> Result<Command, Mistake> {
    match read(line, host) {
        Err(_) if is_like_chunk(line) => Ok(Command::UnsupportedChunk),
        read => read,
    }
}

/// Whether the client may mean a chunk, however badly it says so.
fn is_like_chunk(line: &[u8]) -> bool {
    let verb = line.trim_ascii_start().get(..4);
    verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"))
}

fn read(line: &[u8], host: &str) -> Result<Command, Mistake> {
    let text = text(line)?;
    let argument = |verb: &str| {
        let (head, rest) = text.split_at_checked(verb.len())?;
        let apart = rest.is_empty() || rest.starts_with(' ');
        (head.eq_ignore_ascii_case(verb) && apart).then_some(rest)
    };
    if let Some(rest) = argument("MAIL") {
        mail(rest, host)
    } else if let Some(rest) = argument("RCPT") {
        rcpt(rest, host)
    } else if let Some(rest) = argument("AUTH") {
        auth(rest)
    } else if let Some(rest) = argument("BDAT") {
        Ok(chunk(rest))
    } else if let Some(rest) = argument("STARTTLS") {
        // RFC 3207 section 4: without a parameter.
        match rest.trim().is_empty() {
            true => Ok(Command::StartTls),
            false => Err(Mistake::Argument),
        }
    } else {
        other(line)
    }
}

/// The line without its end. Looked at before the grammar sees it, which replaces bad bytes silently.
fn text(line: &[u8]) -> Result<&str, Mistake> {
    // RFC 5321 section 2.3.8: LF alone ends no line.
    let content = line.strip_suffix(b"\r\n").ok_or(Mistake::Bytes)?;
    let text = std::str::from_utf8(content).map_err(|_| Mistake::Bytes)?;
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Mistake::Bytes);
    }
    Ok(text)
}

fn mail(rest: &str, host: &str) -> Result<Command, Mistake> {
    let (path, parameters) = path_of("FROM", rest)?;
    let reverse_path = match path.trim() {
        "" => None,
        path => Some(path::address(path, host).ok_or(Mistake::Sender)?),
    };
    let mut mail = Mail {
        reverse_path,
        size: None,
        says_author: false,
        returned: None,
        envelope_id: None,
    };
    for (name, value) in each(parameters) {
        match (name.as_str(), value) {
            ("SIZE", Some(digits)) => mail.size = Some(announced(digits)?),
            ("BODY", Some(body)) => text_body(body)?,
            ("AUTH", Some(author)) if is_xtext(author) => mail.says_author = true,
            ("RET", Some(how)) => dsn::once(&mut mail.returned, dsn::returned(how))?,
            ("ENVID", Some(id)) => dsn::once(&mut mail.envelope_id, dsn::envelope_id(id))?,
            // RFC 6531 section 3.4. UTF-8 is read in every address; the parameter changes nothing.
            ("SMTPUTF8", None) => {}
            ("AUTH" | "SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID", _) => {
                return Err(Mistake::ParameterValue);
            }
            _ => return Err(Mistake::UnknownParameter),
        }
    }
    Ok(Command::Mail(mail))
}

/// Read here and not by the grammar crate, which would leave copies of a password behind.
fn auth(rest: &str) -> Result<Command, Mistake> {
    let mut words = rest.split_ascii_whitespace();
    let mechanism = words.next().ok_or(Mistake::Argument)?.to_owned();
    let initial = words.next().map(|word| Secret::new(word.to_owned()));
    match words.next() {
        Some(_) => Err(Mistake::Argument),
        None => Ok(Command::Auth(Auth { mechanism, initial })),
    }
}

/// RFC 3030 section 2: `BDAT size [LAST]`.
fn chunk(rest: &str) -> Command {
    let mut words = rest.split_ascii_whitespace();
    let size = words.next().and_then(|digits| announced(digits).ok());
    let last = words.next().map(|word| word.eq_ignore_ascii_case("LAST"));
    match (size, last, words.next()) {
        (Some(size), None | Some(true), None) => Command::Chunk(ChunkSize {
            size,
            last: last.is_some(),
        }),
        _ => Command::UnsupportedChunk,
    }
}

fn rcpt(rest: &str, host: &str) -> Result<Command, Mistake> {
    let (path, parameters) = path_of("TO", rest)?;
    let mut to = ForwardPath::from(path::address(path, host).ok_or(Mistake::Recipient)?);
    for (name, value) in each(parameters) {
        match (name.as_str(), value) {
            ("NOTIFY", Some(events)) => dsn::once(&mut to.notify, dsn::notify(events))?,
            ("ORCPT", Some(first)) => dsn::once(&mut to.original, dsn::original(first))?,
            ("NOTIFY" | "ORCPT", None) => return Err(Mistake::ParameterValue),
            _ => return Err(Mistake::UnknownParameter),
        }
    }
    Ok(Command::Rcpt(to))
}

/// Path and parameters behind `keyword` and its colon; spaces around the colon are forgiven.
fn path_of<'a>(keyword: &str, rest: &'a str) -> Result<(&'a str, &'a str), Mistake> {
    let rest = rest.trim_start();
    let (head, rest) = rest
        .split_at_checked(keyword.len())
        .ok_or(Mistake::Argument)?;
    if !head.eq_ignore_ascii_case(keyword) {
        return Err(Mistake::Argument);
    }
    let rest = rest.trim_start().strip_prefix(':');
    rest.and_then(path::split).ok_or(Mistake::Argument)
}

/// Every command without a path, by the grammar crate.
fn other(line: &[u8]) -> Result<Command, Mistake> {
    match Request::parse(&mut line.iter()) {
        Ok(request) => Ok(known(&request)),
        Err(error) => Err(match error {
            Error::UnknownCommand | Error::NeedsMoreData { .. } => Mistake::Command,
            Error::InvalidSenderAddress => Mistake::Sender,
            Error::InvalidRecipientAddress => Mistake::Recipient,
            Error::UnsupportedParameter { .. } => Mistake::UnknownParameter,
            Error::SyntaxError { .. }
            | Error::InvalidParameter { .. }
            | Error::ResponseTooLong
            | Error::InvalidResponse { .. } => Mistake::Argument,
        }),
    }
}

fn known(request: &Request<Cow<'_, str>>) -> Command {
    match request {
        Request::Data => Command::Data,
        Request::Ehlo { .. } => Command::Ehlo,
        Request::Expn { .. } => Command::Expn,
        Request::Helo { .. } => Command::Helo,
        Request::Help { .. } => Command::Help,
        Request::Noop { .. } => Command::Noop,
        Request::Quit => Command::Quit,
        Request::Rset => Command::Rset,
        Request::Vrfy { .. } => Command::Vrfy,
        Request::Bdat { .. } | Request::Burl { .. } => Command::UnsupportedChunk,
        Request::Auth { .. }
        | Request::Atrn { .. }
        | Request::Etrn { .. }
        | Request::Lhlo { .. }
        | Request::StartTls
        // Read above; the grammar reaches them only behind leading spaces.
        | Request::Mail { .. }
        | Request::Rcpt { .. } => Command::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Result<Command, Mistake> {
        parse(format!("{line}\r\n").as_bytes(), "gw.example")
    }

    fn sender(line: &str) -> Option<String> {
        match read(line) {
            Ok(Command::Mail(mail)) => mail.reverse_path.map(|address| address.to_string()),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn verbs_are_read_in_any_case() {
        for (line, command) in [
            ("EHLO my_pc.local", Command::Ehlo),
            ("ehlo [IPv6:::1]", Command::Ehlo),
            ("HELO a", Command::Helo),
            ("data", Command::Data),
            ("Rset", Command::Rset),
            ("NOOP", Command::Noop),
            ("NOOP whatever", Command::Noop),
            ("VRFY tanaka", Command::Vrfy),
            ("EXPN shops", Command::Expn),
            ("HELP", Command::Help),
            ("QUIT", Command::Quit),
            ("starttls", Command::StartTls),
            ("ETRN a.example", Command::Unsupported),
            ("BDAT", Command::UnsupportedChunk),
            ("BDAT -1", Command::UnsupportedChunk),
            ("BDAT 1 FIRST", Command::UnsupportedChunk),
            ("BDAT 1 LAST 2", Command::UnsupportedChunk),
        ] {
            assert_eq!(read(line), Ok(command), "{line}");
        }
        for (line, mistake) in [
            ("", Mistake::Command),
            ("FOO", Mistake::Command),
            ("GET / HTTP/1.1", Mistake::Command),
            ("MAILFROM:<a@b>", Mistake::Command),
            ("EHLO", Mistake::Argument),
            ("HELO", Mistake::Argument),
        ] {
            assert_eq!(read(line), Err(mistake), "{line}");
        }
    }

    #[test]
    fn mail_takes_a_path_with_or_without_brackets() {
        for line in [
            "MAIL FROM:<a@b.example>",
            "mail from: <a@b.example>",
            "MAIL FROM :<a@b.example>",
            "MAIL FROM:a@b.example",
            "MAIL FROM:<a@b.example> SIZE=5 BODY=8BITMIME SMTPUTF8",
        ] {
            assert_eq!(sender(line).as_deref(), Some("a@b.example"), "{line}");
        }
        assert_eq!(sender("MAIL FROM:<>"), None);
        assert_eq!(
            sender("MAIL FROM:<postmaster>").as_deref(),
            Some("postmaster@gw.example")
        );
        for (line, mistake) in [
            ("MAIL", Mistake::Argument),
            ("MAIL FROM", Mistake::Argument),
            ("MAIL FROM:", Mistake::Argument),
            ("MAIL TO:<a@b>", Mistake::Argument),
            ("MAIL FROM:<tanaka>", Mistake::Sender),
            ("MAIL FROM:<a@b>x", Mistake::Argument),
        ] {
            assert_eq!(read(line), Err(mistake), "{line}");
        }
    }

    #[test]
    fn parameters_that_are_not_offered_are_named_mistakes() {
        for (line, mistake) in [
            ("MAIL FROM:<a@b> FOO", Mistake::UnknownParameter),
            ("MAIL FROM:<a@b> RET", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> ENVID=a+0A", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> BODY=9BIT", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> AUTH", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> AUTH=", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> AUTH=a+4", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> AUTH=a=b", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> SIZE", Mistake::ParameterValue),
            ("MAIL FROM:<a@b> SIZE=-1", Mistake::ParameterValue),
            ("RCPT TO:<a@b> RET=HDRS", Mistake::UnknownParameter),
            ("RCPT TO:<a@b> NOTIFY", Mistake::ParameterValue),
            ("RCPT TO:<>", Mistake::Recipient),
        ] {
            assert_eq!(read(line), Err(mistake), "{line}");
        }
    }

    #[test]
    fn mail_may_name_who_handed_the_message_in_before() {
        for (line, says_author) in [
            ("MAIL FROM:<a@b>", false),
            ("MAIL FROM:<a@b> AUTH=<>", true),
            ("MAIL FROM:<a@b> SIZE=5 auth=e+3Dmc2@b.example", true),
        ] {
            let Ok(Command::Mail(mail)) = read(line) else {
                panic!("{line}")
            };
            assert_eq!(mail.says_author, says_author, "{line}");
        }
    }

    #[test]
    fn a_chunk_that_cannot_be_read_is_never_taken_for_another_mistake() {
        for line in [
            &b"BDAT 6\n"[..],
            b"bdat 6\0\r\n",
            b"BDAT\t6\r\n",
            b" BDAT 6\r\n",
            b"BDAT6\r\n",
            b"BDAT 6\xff LAST\r\n",
            b"BDAT +6\r\n",
        ] {
            let command = parse(line, "gw.example");
            assert_eq!(
                command,
                Ok(Command::UnsupportedChunk),
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn a_chunk_has_a_size_and_may_be_the_last() {
        for (line, size, last) in [
            ("BDAT 10", 10, false),
            ("bdat 0 last", 0, true),
            ("BDAT 99999999999999999999 LAST", u64::MAX, true),
        ] {
            assert_eq!(read(line), Ok(Command::Chunk(ChunkSize { size, last })));
        }
    }

    #[test]
    fn auth_has_a_mechanism_and_perhaps_a_first_response() {
        let auth = |mechanism: &str, initial: Option<&str>| {
            Ok(Command::Auth(Auth {
                mechanism: mechanism.into(),
                initial: initial.map(|text| Secret::new(text.into())),
            }))
        };
        assert_eq!(read("AUTH LOGIN"), auth("LOGIN", None));
        assert_eq!(read("auth plain AGEAYg=="), auth("plain", Some("AGEAYg==")));
        assert_eq!(read("AUTH PLAIN ="), auth("PLAIN", Some("=")));
        for line in ["AUTH", "AUTH ", "AUTH PLAIN a b"] {
            assert_eq!(read(line), Err(Mistake::Argument), "{line}");
        }
    }

    #[test]
    fn an_announced_size_too_large_for_a_number_is_still_large() {
        let Ok(Command::Mail(mail)) = read("MAIL FROM:<a@b> size=99999999999999999999") else {
            panic!("no MAIL")
        };
        assert_eq!(mail.size, Some(u64::MAX));
    }

    #[test]
    fn bytes_that_no_command_has_are_refused_before_the_grammar() {
        for line in [
            &b"NOOP\n"[..],
            b"NOOP\0\r\n",
            b"MAIL FROM:<a\r@b>\r\n",
            b"MAIL FROM:<a\xff@b>\r\n",
            b"NOOP \x1b\r\n",
        ] {
            assert_eq!(
                parse(line, "gw.example"),
                Err(Mistake::Bytes),
                "{}",
                line.escape_ascii()
            );
        }
    }

    proptest! {
        #[test]
        fn plain_paths_are_read_as_the_grammar_crate_reads_them(
            path in "[a-z0-9+=/-]{1,8}(\\.[a-z0-9]{1,4}){0,2}@[a-z0-9]{1,8}\\.example",
        ) {
            let line = format!("MAIL FROM:<{path}>\r\n");
            let theirs = match Request::parse(&mut line.as_bytes().iter()) {
                Ok(Request::Mail { from }) => from.address.into_owned(),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(sender(line.trim_end()), Some(theirs));
        }

        #[test]
        fn no_line_makes_the_parser_panic(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&[b"MAIL FROM:", line.as_slice(), b"\r\n"].concat(), "gw.example");
            let _ = parse(&[b"RCPT TO:", line.as_slice(), b"\r\n"].concat(), "gw.example");
            let _ = parse(&[line.as_slice(), b"\r\n"].concat(), "gw.example");
        }
    }
}
