//! An SMTP client that sends what it is told and reads replies.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use super::Mail;

/// A session.
pub(crate) struct Smtp(BufReader<TcpStream>);

impl Smtp {
    /// Connects and reads the greeting.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        let mut session = Self(BufReader::new(stream));
        let greeting = session.reply();
        assert!(greeting.starts_with("220 "), "{greeting}");
        session
    }

    /// Connects and says EHLO.
    pub(crate) fn hello(address: SocketAddr) -> Self {
        let mut session = Self::connect(address);
        let reply = session.say("EHLO client.example");
        assert!(reply.starts_with("250"), "{reply}");
        session
    }

    /// Sends a line and reads the reply.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// Sends bytes as they are. That the peer has closed shows when its reply is read.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// The next reply; of one with several lines all of them. Empty once the peer has closed.
    pub(crate) fn reply(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap_or(0) == 0 {
                return all;
            }
            let last = line.as_bytes().get(3) != Some(&b'-');
            all.push_str(&line);
            if last {
                return all.trim_end().to_owned();
            }
        }
    }

    /// Mails it; the reply to the end of the message, or the first refusal.
    pub(crate) fn mail(&mut self, mail: &Mail) -> String {
        match self.envelope(mail) {
            Ok(()) => {}
            Err(reply) => return reply,
        }
        self.message(&mail.message())
    }

    /// Sends the envelope up to the reply to DATA.
    pub(crate) fn envelope(&mut self, mail: &Mail) -> Result<(), String> {
        let mut commands = vec![format!("MAIL FROM:<{}>", mail.sender)];
        commands.extend(mail.recipients.iter().map(|to| format!("RCPT TO:<{to}>")));
        commands.push("DATA".to_owned());
        for command in commands {
            let reply = self.say(&command);
            if !reply.starts_with(['2', '3']) {
                return Err(reply);
            }
        }
        Ok(())
    }

    /// Sends a message after DATA, dots doubled (RFC 5321 section 4.5.2); the reply to its end.
    pub(crate) fn message(&mut self, message: &[u8]) -> String {
        let mut wire = Vec::new();
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        if !wire.ends_with(b"\r\n") {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        self.write(&wire);
        self.reply()
    }
}
