//! A small name server on 127.0.0.1 that says what a story has published (RFC 1035).

use std::collections::HashMap;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;

/// What is published: names in lower case without the last dot.
#[derive(Clone, Default)]
pub(crate) struct Zone {
    texts: HashMap<String, Vec<String>>,
    addresses: HashMap<String, Vec<Ipv4Addr>>,
    failing: Vec<String>,
    silent: Vec<String>,
    truncated: Vec<String>,
}

impl Zone {
    /// Publishes a TXT record.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.texts
            .entry(name.to_owned())
            .or_default()
            .push(text.to_owned());
        self
    }

    /// Publishes an A record.
    pub(crate) fn address(mut self, name: &str, address: Ipv4Addr) -> Self {
        let addresses = self.addresses.entry(name.to_owned()).or_default();
        addresses.push(address);
        self
    }

    /// Makes every question about this name and those below it fail (SERVFAIL).
    pub(crate) fn failing(mut self, name: &str) -> Self {
        self.failing.push(name.to_owned());
        self
    }

    /// Leaves every question about this name and those below it without an answer.
    pub(crate) fn silent(mut self, name: &str) -> Self {
        self.silent.push(name.to_owned());
        self
    }

    /// Gives the whole answer about this name over TCP only.
    pub(crate) fn truncated(mut self, name: &str) -> Self {
        self.truncated.push(name.to_owned());
        self
    }

    /// Serves it until the process ends.
    pub(crate) fn serve(self) -> Server {
        let (socket, listener) = sockets();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, zone) = (Arc::clone(&asked), self.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = zone.converse(stream.unwrap(), &seen);
            }
        });
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let query = &buffer[..length];
                let Some(mut answer) = self.answer(query, &seen) else {
                    continue;
                };
                let (name, end) = question(query).unwrap();
                if self.truncated.contains(&name) {
                    answer.truncate(end + 4);
                    answer[2] |= 0x02;
                    answer[6..12].fill(0);
                }
                let _ = socket.send_to(&answer, from);
            }
        });
        Server { address, asked }
    }

    /// Answers questions over TCP, each after its length (RFC 1035 section 4.2.2).
    fn converse(&self, mut stream: TcpStream, seen: &Mutex<Vec<String>>) -> io::Result<()> {
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query)?;
            if let Some(answer) = self.answer(&query, seen) {
                let length = u16::try_from(answer.len()).unwrap();
                stream.write_all(&[&length.to_be_bytes()[..], &answer].concat())?;
            }
        }
    }

    fn answer(&self, query: &[u8], seen: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
        let (name, end) = question(query)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        seen.lock().unwrap().push(name.clone());
        let below = |domain: &String| name == *domain || name.ends_with(&format!(".{domain}"));
        if self.silent.iter().any(below) {
            return None;
        }
        let records: Vec<Vec<u8>> = match kind {
            1 => self.addresses.get(&name).map_or(Vec::new(), |all| {
                all.iter().map(|a| a.octets().to_vec()).collect()
            }),
            16 => self
                .texts
                .get(&name)
                .map_or(Vec::new(), |all| all.iter().map(|t| strings(t)).collect()),
            _ => Vec::new(),
        };
        let known = self.texts.contains_key(&name) || self.addresses.contains_key(&name);
        let code: u8 = match (self.failing.iter().any(below), known) {
            (true, _) => 2,
            (false, true) => 0,
            (false, false) => 3,
        };
        let count = if code == 0 { records.len() } else { 0 };
        let mut out = query[..2].to_vec();
        // A response, authoritative, recursion desired and available.
        out.extend_from_slice(&[0x85, 0x80 | code, 0, 1]);
        out.extend_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
        out.extend_from_slice(&[0, 0, 0, 0]);
        out.extend_from_slice(&query[12..end + 4]);
        for record in records.iter().take(count) {
            out.extend_from_slice(&[0xc0, 12]);
            out.extend_from_slice(&kind.to_be_bytes());
            out.extend_from_slice(&[0, 1, 0, 0, 1, 44]);
            out.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
            out.extend_from_slice(record);
        }
        Some(out)
    }
}

/// A zone that is served.
pub(crate) struct Server {
    /// Where.
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Every name that was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One port for UDP and for TCP.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()) {
            return (socket, listener);
        }
    }
}

/// The name that is asked for, and where its type stands.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join(".").to_lowercase(), at));
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += length;
    }
}

/// Character strings of at most 255 bytes.
fn strings(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in text.as_bytes().chunks(255) {
        out.push(u8::try_from(piece.len()).unwrap());
        out.extend_from_slice(piece);
    }
    out
}
