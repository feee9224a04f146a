//! One connection to the smarthost, every step of it under a time-out (RFC 5321 section 4.5.3.2).

use std::borrow::Cow;
use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::extension::Extension;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::header::one_line;
use super::super::header::quoted_local;
use crate::config::Smarthost;
use crate::smtp::Address;

const CONNECT: Duration = Duration::from_secs(30);
/// Greeting and EHLO, MAIL, RCPT, RSET.
const COMMAND: Duration = Duration::from_secs(5 * 60);
const DATA: Duration = Duration::from_secs(2 * 60);
/// The content and the reply to its end.
const CONTENT: Duration = Duration::from_secs(10 * 60);

/// An open connection, greeted.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server said no.
    Reply {
        /// The reply code.
        code: u16,
        /// The reply text.
        text: String,
    },
    /// The connection cannot be used any more: an error of the network, silence, or nonsense.
    Lost(String),
    /// The server lacks an extension that this mail needs.
    Incapable(&'static str),
}

impl Connection {
    /// Connects, waits for the greeting, and says EHLO.
    pub(super) async fn open(smarthost: &Smarthost, hello: &ClientId) -> Result<Self, Fault> {
        let connecting = TcpStream::connect((smarthost.host.as_str(), smarthost.port));
        let stream = match timeout(CONNECT, connecting).await {
            Ok(connected) => connected.map_err(|error| Fault::Lost(error.to_string()))?,
            Err(_) => return Err(silence("connect")),
        };
        // Without it Nagle's algorithm and the peer's delayed ACK cost 40 ms a mail.
        let undelayed = stream.set_nodelay(true);
        undelayed.map_err(|error| Fault::Lost(error.to_string()))?;
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello);
        let smtp = within(COMMAND, "greeting", greeting).await?;
        Ok(Self { smtp })
    }

    /// MAIL: the null reverse-path, and the extensions that the mail needs.
    pub(super) async fn begin(&mut self, recipient: &Address, message: &[u8]) -> Result<(), Fault> {
        let offers = |extension| self.smtp.server_info().supports_feature(extension);
        let mut command = "MAIL FROM:<>".to_owned();
        if !recipient.as_str().is_ascii() || !header_of(message).is_ascii() {
            if !offers(Extension::SmtpUtfEight) {
                return Err(Fault::Incapable("the smarthost does not offer SMTPUTF8"));
            }
            command += " SMTPUTF8";
        }
        if !message.is_ascii() {
            if !offers(Extension::EightBitMime) {
                return Err(Fault::Incapable("the smarthost does not offer 8BITMIME"));
            }
            command += " BODY=8BITMIME";
        }
        self.say("MAIL", COMMAND, &command).await
    }

    /// RCPT, DATA and the content.
    pub(super) async fn complete(
        &mut self,
        recipient: &Address,
        message: &[u8],
    ) -> Result<(), Fault> {
        self.name_recipient(recipient).await?;
        self.say("DATA", DATA, "DATA").await?;
        let content = lines(message);
        // lettre ends the content with CRLF.CRLF of its own.
        let content = content.strip_suffix(b"\r\n").unwrap_or(&content);
        within(CONTENT, "content", self.smtp.message(content))
            .await
            .map(drop)
    }

    /// RCPT with the address as its carrier issued it. `a..b.@docomo.ne.jp` breaks RFC 5321 section
    /// 4.1.2, and most servers take it; a strict one gets the quoted form, which names the same mailbox
    /// and is correct. It comes second because a few carriers know only the form they issued.
    async fn name_recipient(&mut self, recipient: &Address) -> Result<(), Fault> {
        let command = format!("RCPT TO:<{recipient}>");
        let issued = self.say("RCPT", COMMAND, &command).await;
        let quoted = format!("{}@{}", quoted_local(recipient), recipient.domain());
        match issued {
            Err(Fault::Reply { code, text })
                if quoted != recipient.as_str() && is_syntax(code, &text) =>
            {
                let command = format!("RCPT TO:<{quoted}>");
                self.say("RCPT", COMMAND, &command).await
            }
            issued => issued,
        }
    }

    /// RSET: forgets the transaction.
    pub(super) async fn reset(&mut self) -> Result<(), Fault> {
        self.say("RSET", COMMAND, "RSET").await
    }

    async fn say(&mut self, step: &str, limit: Duration, command: &str) -> Result<(), Fault> {
        let saying = self.smtp.command(format!("{command}\r\n"));
        within(limit, step, saying).await.map(drop)
    }
}

/// `step` within `limit`.
async fn within<T>(
    limit: Duration,
    step: &str,
    doing: impl Future<Output = Result<T, Error>>,
) -> Result<T, Fault> {
    match timeout(limit, doing).await {
        Ok(done) => done.map_err(|error| fault(&error)),
        Err(_) => Err(silence(step)),
    }
}

fn silence(step: &str) -> Fault {
    Fault::Lost(format!("no answer in time ({step})"))
}

fn fault(error: &Error) -> Fault {
    let source = error.source().map(ToString::to_string);
    let text = one_line(&source.unwrap_or_else(|| error.to_string()));
    match error.status() {
        Some(code) => Fault::Reply {
            code: code.into(),
            text,
        },
        None => Fault::Lost(text),
    }
}

/// Whether a reply to RCPT is about the form of the address, not about the mailbox.
fn is_syntax(code: u16, text: &str) -> bool {
    matches!(code, 500 | 501 | 553 | 555) || (code == 550 && text.starts_with("5.1.3"))
}

/// The header of `message`.
fn header_of(message: &[u8]) -> &[u8] {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    end.and_then(|end| message.get(..end)).unwrap_or(message)
}

/// `message` with every bare CR or LF made a CRLF: lettre stuffs dots after CRLF only, and `LF.LF`
/// ends a message for some servers.
fn lines(message: &[u8]) -> Cow<'_, [u8]> {
    let ends = message
        .iter()
        .filter(|b| matches!(b, b'\r' | b'\n'))
        .count();
    let pairs = message.windows(2).filter(|two| two == b"\r\n").count();
    if ends == 2 * pairs {
        return Cow::Borrowed(message);
    }
    let mut out = Vec::with_capacity(message.len() + ends);
    let mut after_cr = false;
    for b in message {
        match b {
            b'\n' if after_cr => {}
            b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
            b => out.push(*b),
        }
        after_cr = *b == b'\r';
    }
    Cow::Owned(out)
}
