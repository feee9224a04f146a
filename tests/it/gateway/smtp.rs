//! An SMTP client that sends what it is told and reads replies.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::ClientConnection;
use tokio_rustls::rustls::StreamOwned;

use super::Mail;
use super::base64;
use crate::certificates;
use crate::certificates::Made;

fn stream_to(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(120));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// What a session is spoken over.
trait Wire: Read + Write + Send {}

impl<W: Read + Write + Send> Wire for W {}

/// A session.
pub(crate) struct Smtp(BufReader<Box<dyn Wire>>);

impl Smtp {
    /// Connects and reads the greeting.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::greeted(Box::new(stream_to(address)))
    }

    /// Connects, begins TLS with a server that has `made`, and reads the greeting.
    pub(crate) fn connect_tls(address: SocketAddr, made: &Made) -> Self {
        Self::connect_tls_as(address, made.client())
    }

    /// The same as a client of this kind.
    pub(crate) fn connect_tls_as(address: SocketAddr, client: Arc<ClientConfig>) -> Self {
        let client = ClientConnection::new(client, certificates::name()).unwrap();
        Self::greeted(Box::new(StreamOwned::new(client, stream_to(address))))
    }

    /// Connects, begins TLS with STARTTLS, and says EHLO again.
    pub(crate) fn starttls(address: SocketAddr, made: &Made) -> Self {
        Self::starttls_as(address, made.client())
    }

    /// The same as a client of this kind.
    pub(crate) fn starttls_as(address: SocketAddr, client: Arc<ClientConfig>) -> Self {
        let mut stream = stream_to(address);
        let mut session = Self(BufReader::new(Box::new(stream.try_clone().unwrap())));
        let greeting = session.reply();
        assert!(greeting.starts_with("220 "), "{greeting}");
        let reply = session.say("EHLO client.example");
        assert!(reply.contains("\n250-STARTTLS\r"), "{reply}");
        let reply = session.say("STARTTLS");
        assert_eq!(reply, "220 2.0.0 Ready to start TLS");
        let mut client = ClientConnection::new(client, certificates::name()).unwrap();
        client.complete_io(&mut stream).unwrap();
        let mut session = Self(BufReader::new(Box::new(StreamOwned::new(client, stream))));
        let reply = session.say("EHLO client.example");
        assert!(reply.starts_with("250"), "{reply}");
        session
    }

    /// The same, logged in by PLAIN; the reply to the login.
    pub(crate) fn log_in(&mut self, login_id: &str, password: &str) -> String {
        let message = base64(format!("\0{login_id}\0{password}").as_bytes());
        self.say(&format!("AUTH PLAIN {message}"))
    }

    fn greeted(wire: Box<dyn Wire>) -> Self {
        let mut session = Self(BufReader::new(wire));
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
        let _ = self.0.get_mut().flush();
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
