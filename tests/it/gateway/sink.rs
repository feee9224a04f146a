//! The mail server behind the gateway: keeps what it is given, refuses or is away when told to.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;

use mail_parser::MessageParser;
use mail_parser::MimeHeaders;

use super::free_port;
use super::now;
use super::wait_for;

/// A mail that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    /// The reverse-path as it was given, without brackets.
    pub(crate) from: String,
    /// The recipients.
    pub(crate) to: Vec<String>,
    /// Header and body.
    pub(crate) message: Vec<u8>,
    /// When it was taken.
    pub(crate) at: jiff::Timestamp,
}

impl Delivered {
    /// The message as text; what is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }

    /// A header field as it was written, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        head.replace("\r\n\t", " ").split("\r\n").find_map(|line| {
            let (field, value) = line.split_once(':')?;
            let same = field.eq_ignore_ascii_case(name);
            same.then(|| value.trim().to_owned())
        })
    }

    /// The subject, decoded.
    pub(crate) fn subject(&self) -> String {
        let parsed = MessageParser::default().parse(&self.message).unwrap();
        parsed.subject().unwrap_or_default().to_owned()
    }

    /// The first text that is not HTML, decoded.
    pub(crate) fn body(&self) -> String {
        let parsed = MessageParser::default().parse(&self.message).unwrap();
        let mut texts = parsed.parts.iter().filter(|part| !part.is_text_html());
        let text = texts.find_map(|part| part.text_contents());
        text.unwrap_or_default().to_owned()
    }

    /// The HTML, decoded; empty if there is none.
    pub(crate) fn html(&self) -> String {
        let parsed = MessageParser::default().parse(&self.message).unwrap();
        let part = parsed.parts.iter().find(|part| part.is_text_html());
        part.and_then(|part| part.text_contents())
            .unwrap_or_default()
            .to_owned()
    }

    /// Name, media type and content of what is attached.
    pub(crate) fn attachments(&self) -> Vec<(String, String, Vec<u8>)> {
        let parsed = MessageParser::default().parse(&self.message).unwrap();
        let attachments = parsed.attachments().map(|part| {
            let kind = part.content_type().unwrap();
            let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default());
            let name = part.attachment_name().unwrap_or_default().to_owned();
            (name, kind, part.contents().to_vec())
        });
        attachments.collect()
    }
}

#[derive(Default)]
struct Shared {
    taken: Vec<Delivered>,
    /// The reply instead of 250 to the end of a message.
    refusal: Option<String>,
    /// Larger messages are refused.
    most: Option<usize>,
    /// How many messages were refused.
    refused: usize,
    away: bool,
}

/// The server.
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    listening: Option<JoinHandle<()>>,
}

impl Sink {
    /// Listens on a port of its own.
    pub(crate) fn start() -> Self {
        let mut sink = Self {
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            shared: Arc::default(),
            listening: None,
        };
        sink.come_back();
        sink
    }

    /// Stops listening: connections are refused.
    pub(crate) fn go_away(&mut self) {
        self.shared.lock().unwrap().away = true;
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
    }

    /// Listens again on the same port.
    pub(crate) fn come_back(&mut self) {
        self.shared.lock().unwrap().away = false;
        let listener = TcpListener::bind(self.address).unwrap();
        let shared = Arc::clone(&self.shared);
        self.listening = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().away {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else {
                    continue;
                };
                // A peer that hangs up ends its session and nothing else.
                std::thread::spawn(move || drop(attend(stream, &shared)));
            }
        }));
    }

    /// Answers every message so, such as `451 4.3.0 Try later`; `None`: takes it.
    pub(crate) fn answer(&self, reply: Option<&str>) {
        self.shared.lock().unwrap().refusal = reply.map(str::to_owned);
    }

    /// Takes no message of more than so many bytes.
    pub(crate) fn take_at_most(&self, bytes: usize) {
        self.shared.lock().unwrap().most = Some(bytes);
    }

    /// How many messages were refused.
    pub(crate) fn refused(&self) -> usize {
        self.shared.lock().unwrap().refused
    }

    /// Everything taken so far.
    pub(crate) fn mails(&self) -> Vec<Delivered> {
        self.shared.lock().unwrap().taken.clone()
    }

    /// What was taken for this recipient.
    pub(crate) fn mails_to(&self, recipient: &str) -> Vec<Delivered> {
        let mut mails = self.mails();
        mails.retain(|mail| mail.to.iter().any(|to| to == recipient));
        mails
    }

    /// Waits until there are `count` mails for this recipient.
    pub(crate) fn wait_for(&self, recipient: &str, count: usize) -> Vec<Delivered> {
        wait_for(&format!("{count} mails to {recipient}"), || {
            let mails = self.mails_to(recipient);
            (mails.len() >= count).then_some(mails)
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.listening.is_some() {
            self.go_away();
        }
    }
}

fn attend(stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let (mut from, mut to) = (String::new(), Vec::new());
    writer.write_all(b"220 sink.example ESMTP\r\n")?;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let command = line.to_ascii_uppercase();
        let reply = if command.starts_with("EHLO") {
            "250-sink.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES".to_owned()
        } else if command.starts_with("MAIL FROM:") {
            from = path_of(&line);
            to.clear();
            "250 2.1.0 Ok".to_owned()
        } else if command.starts_with("RCPT TO:") {
            to.push(path_of(&line));
            "250 2.1.5 Ok".to_owned()
        } else if command == "DATA" {
            writer.write_all(b"354 Go on\r\n")?;
            let message = read_message(&mut reader)?;
            keep(shared, &from, &to, message)
        } else if command == "QUIT" {
            return writer.write_all(b"221 2.0.0 Bye\r\n");
        } else {
            "250 2.0.0 Ok".to_owned()
        };
        writer.write_all(format!("{reply}\r\n").as_bytes())?;
    }
}

fn keep(shared: &Mutex<Shared>, from: &str, to: &[String], message: Vec<u8>) -> String {
    let mut shared = shared.lock().unwrap();
    let too_large = shared.most.is_some_and(|most| message.len() > most);
    let too_large = too_large.then(|| "552 5.3.4 Too large".to_owned());
    if let Some(refusal) = shared.refusal.clone().or(too_large) {
        shared.refused += 1;
        return refusal;
    }
    shared.taken.push(Delivered {
        from: from.to_owned(),
        to: to.to_vec(),
        message,
        at: now(),
    });
    "250 2.0.0 Kept".to_owned()
}

fn read_message(reader: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(message);
        }
        let begin = usize::from(line.starts_with(b"."));
        message.extend_from_slice(&line[begin..]);
    }
}

fn path_of(line: &str) -> String {
    let begin = line.find('<').map_or(0, |at| at + 1);
    let end = line.rfind('>').unwrap_or(line.len());
    line[begin..end].to_owned()
}
