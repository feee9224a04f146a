//! The control connection: commands, replies and data connections, as in FTP (RFC 959 sections 4 and 5.4).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A longer line is no reply.
const LONGEST_LINE: usize = 2048;
/// Nor is one of more lines.
const MOST_LINES: usize = 256;
/// How much of a reply is kept for logs and reports.
const SHOWN: usize = 160;
/// A whole transfer may take this many times as long as a reply.
const TRANSFER: u32 = 10;

/// What went wrong between us and the server.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    /// There is no connection, or it ended.
    #[error("the connection to the server failed: {0}")]
    Lost(#[from] io::Error),
    /// The answer did not come in time.
    #[error("the server did not answer in time")]
    Late,
    /// What came is no answer of this protocol.
    #[error("what the server said is no reply")]
    Garbled,
    /// It says no.
    #[error("the server said: {0}")]
    Refused(Reply),
}

/// What the server said to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The three digits.
    pub(super) code: u16,
    /// The text of the last line.
    pub(super) text: String,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.chars().filter(|c| !c.is_control());
        write!(f, "{} ", self.code)?;
        f.write_str(&text.take(SHOWN).collect::<String>())
    }
}

/// A control connection. After any trouble but a refusal it is of no more use: the next reply could be that of an earlier command.
#[derive(Debug)]
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    peer: SocketAddr,
    patience: Duration,
}

impl Wire {
    /// Connects to `server` (host and port) and waits for its greeting. No step takes longer than `patience`.
    pub(super) async fn connect(server: &str, patience: Duration) -> Result<Self, Trouble> {
        let stream = within(patience, TcpStream::connect(server)).await?;
        // The server acknowledges late: with Nagle's algorithm each command would wait for 40 ms.
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        let mut wire = Self {
            stream: BufReader::new(stream),
            peer,
            patience,
        };
        wire.reply().await?.of_class(2)?;
        Ok(wire)
    }

    /// The reply to `command`, whatever it is.
    pub(super) async fn say(&mut self, command: &str) -> Result<Reply, Trouble> {
        if command.chars().any(char::is_control) {
            // It would be two commands.
            return Err(Trouble::Garbled);
        }
        let line = zeroize::Zeroizing::new(format!("{command}\r\n"));
        within(self.patience, self.stream.write_all(line.as_bytes())).await?;
        self.reply().await
    }

    /// The reply to `command`, if that is done (2xx).
    pub(super) async fn order(&mut self, command: &str) -> Result<Reply, Trouble> {
        self.say(command).await?.of_class(2)
    }

    /// Sends `bytes` as what `command` stores; the first reply, which names the file.
    pub(super) async fn upload(&mut self, command: &str, bytes: &[u8]) -> Result<Reply, Trouble> {
        let mut data = self.data_connection().await?;
        let begun = self.say(command).await?.of_class(1)?;
        let sent = async {
            data.write_all(bytes).await?;
            data.shutdown().await
        };
        within(self.patience * TRANSFER, sent).await?;
        drop(data);
        self.reply().await?.of_class(2)?;
        Ok(begun)
    }

    /// What `command` (LIST, RETR) sends, if it is not more than `limit` bytes.
    pub(super) async fn download(
        &mut self,
        command: &str,
        limit: usize,
    ) -> Result<Vec<u8>, Trouble> {
        let data = self.data_connection().await?;
        let begun = self.say(command).await?;
        if begun.code / 100 != 2 {
            begun.of_class(1)?;
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let read = data.take(most);
        tokio::pin!(read);
        within(self.patience * TRANSFER, read.read_to_end(&mut bytes)).await?;
        if bytes.len() > limit {
            return Err(Trouble::Garbled);
        }
        self.reply().await?.of_class(2)?;
        Ok(bytes)
    }

    /// A connection to the port that the server names. Its host is the one that we are connected to: an address in a reply
    /// could be anybody's.
    async fn data_connection(&mut self) -> Result<TcpStream, Trouble> {
        let port = match self.peer {
            SocketAddr::V4(_) => passive_port(&self.order("PASV").await?.text),
            SocketAddr::V6(_) => extended_port(&self.order("EPSV").await?.text),
        };
        let address = SocketAddr::new(self.peer.ip(), port.ok_or(Trouble::Garbled)?);
        within(self.patience, TcpStream::connect(address)).await
    }

    /// The next reply; all lines of it within the patience, so that a server cannot hold us drop by drop.
    async fn reply(&mut self) -> Result<Reply, Trouble> {
        let patience = self.patience;
        let read = async {
            let first = self.line().await?;
            let (code, more, text) = parts(&first).ok_or(Trouble::Garbled)?;
            if !more {
                return Ok(Reply { code, text });
            }
            for _ in 0..MOST_LINES {
                let line = self.line().await?;
                if let Some((last, false, text)) = parts(&line)
                    && last == code
                {
                    return Ok(Reply { code, text });
                }
            }
            Err(Trouble::Garbled)
        };
        timeout(patience, read).await.map_err(|_| Trouble::Late)?
    }

    async fn line(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut line = Vec::new();
        loop {
            let buffered = self.stream.fill_buf().await?;
            if buffered.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let end = memchr::memchr(b'\n', buffered);
            let taken = end.map_or(buffered.len(), |at| at + 1);
            line.extend(buffered.iter().take(taken));
            self.stream.consume(taken);
            if line.len() > LONGEST_LINE {
                return Err(Trouble::Garbled);
            }
            if end.is_some() {
                return Ok(line);
            }
        }
    }
}

impl Reply {
    fn of_class(self, class: u16) -> Result<Self, Trouble> {
        match self.code / 100 == class {
            true => Ok(self),
            false => Err(Trouble::Refused(self)),
        }
    }
}

/// The code, whether further lines follow, and the text (RFC 959 section 4.2).
fn parts(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let text = |rest: &[u8]| String::from_utf8_lossy(rest).trim().to_owned();
    match rest.split_first() {
        Some((b'-', rest)) => Some((code, true, text(rest))),
        Some((b' ' | b'\r' | b'\n', rest)) => Some((code, false, text(rest))),
        Some(_) | None => None,
    }
}

/// The port in `Entering passive mode (127,0,0,1,236,201)`.
fn passive_port(text: &str) -> Option<u16> {
    let inside = text.split_once('(')?.1.split_once(')')?.0;
    let numbers: Vec<u8> = inside
        .split(',')
        .map(|n| n.trim().parse().ok())
        .collect::<Option<_>>()?;
    match numbers.as_slice() {
        [_, _, _, _, high, low] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// The port in `Entering Extended Passive Mode (|||60617|)` (RFC 2428 section 3).
fn extended_port(text: &str) -> Option<u16> {
    let inside = text.split_once("(|||")?.1.split_once("|)")?.0;
    inside.parse().ok()
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, Trouble> {
    let done = timeout(patience, work).await.map_err(|_| Trouble::Late)?;
    Ok(done?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_reply_has_a_code_and_a_text() {
        assert_eq!(
            parts(b"220 vm server ready.\r\n"),
            Some((220, false, "vm server ready.".to_owned()))
        );
        assert_eq!(
            parts(b"213-first\r\n"),
            Some((213, true, "first".to_owned()))
        );
        assert_eq!(parts(b"213\r\n"), Some((213, false, String::new())));
        for bad in [&b"22"[..], b"abc def", b"2200 x", b"", b"\xff\xff\xff x"] {
            assert_eq!(parts(bad), None);
        }
    }

    #[test]
    fn ports_are_read_from_the_two_forms() {
        let passive = passive_port("Entering passive mode (127,0,0,1,236,201)");
        assert_eq!(passive, Some(236 * 256 + 201));
        for bad in [
            "(1,2,3)",
            "(1,2,3,4,5,256)",
            "1,2,3,4,5,6",
            "(1,2,3,4,5,6,7)",
            ")(",
        ] {
            assert_eq!(passive_port(bad), None, "{bad}");
        }
        let extended = extended_port("Entering Extended Passive Mode (|||60617|)");
        assert_eq!(extended, Some(60617));
        assert_eq!(extended_port("(|||70000|)"), None);
    }

    #[test]
    fn a_refusal_shows_no_control_characters_and_not_too_much() {
        let reply = Reply {
            code: 550,
            text: format!("a\u{1b}[31m{}", "x".repeat(1000)),
        };
        let shown = reply.to_string();
        assert!(shown.starts_with("550 a[31mx"));
        assert!(shown.len() < 200);
    }
}
