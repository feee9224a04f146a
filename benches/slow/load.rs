//! Load for `benches/slow/run`: slow connections, failed logins, relays that log in, login storms.
//!
//! Each command prints one line of figures. All times are in milliseconds and seen by the client.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a client for measuring: whatever goes wrong ends it"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::pki_types::pem::PemObject;

const USAGE: &str = "certificate FOLDER | slow SERVER COUNT MAILS | refusals FOLDER SERVER COUNT \
                     | relay FOLDER SERVER MAILS SENDER [PASSWORD] | storm FOLDER SERVER TLS_SERVER SECONDS RATE";

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["certificate", folder] => certificate(Path::new(folder)),
        ["slow", server, count, mails] => {
            slow(address(server), number(count), number(mails)).await;
        }
        ["refusals", folder, server, count] => {
            refusals(&connector(folder), address(server), number(count)).await;
        }
        ["relay", folder, server, mails, sender, ref password @ ..] => {
            let relay = Relay {
                connector: connector(folder),
                server: address(server),
                sender: sender.to_owned(),
                password: password.first().map(|password| (*password).to_owned()),
            };
            relay.run(number(mails)).await;
        }
        ["storm", folder, server, tls, seconds, rate] => {
            let storm = Storm {
                connector: connector(folder),
                tls: address(tls),
                rate: number(rate),
            };
            storm.run(address(server), number(seconds)).await;
        }
        _ => panic!("{USAGE}"),
    }
}

/// Where those come from whose address does not matter.
const HERE: [u8; 4] = [127, 0, 0, 1];

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["gw.example".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

fn connector(folder: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let own = CertificateDer::from_pem_file(Path::new(folder).join("cert.pem"));
    roots.add(own.unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let client = builder.with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(client))
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<W: AsyncRead + AsyncWrite + Unpin + Send> Wire for W {}

/// A session past EHLO.
struct Session(BufReader<Box<dyn Wire>>);

impl Session {
    /// In clear, from an address of its own.
    async fn clear(server: SocketAddr, from: [u8; 4]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let stream = socket.connect(server).await.unwrap();
        Self::begin(stream).await
    }

    /// TLS from the first byte.
    async fn tls(server: SocketAddr, connector: &TlsConnector, from: [u8; 4]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let stream = socket.connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("gw.example").unwrap();
        Self::begin(connector.connect(name, stream).await.unwrap()).await
    }

    async fn begin(wire: impl Wire + 'static) -> Self {
        let mut session = Self(BufReader::with_capacity(512, Box::new(wire)));
        session.expect("220").await;
        session.say("EHLO bench.example\r\n", "250").await;
        session
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
        self.0.get_mut().flush().await.unwrap();
    }

    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn expect(&mut self, code: &str) {
        let reply = self.reply().await;
        assert!(reply.starts_with(code), "{reply:?} instead of {code}");
    }

    async fn say(&mut self, text: &str, code: &str) {
        self.write(text.as_bytes()).await;
        self.expect(code).await;
    }

    async fn log_in(&mut self, login_id: &str, password: &str) -> String {
        let message = STANDARD.encode(format!("\0{login_id}\0{password}"));
        self.write(format!("AUTH PLAIN {message}\r\n").as_bytes())
            .await;
        self.reply().await
    }

    /// One mail of this size; from its first command to its last reply.
    async fn mail(&mut self, sender: &str, password: Option<&str>, bytes: usize) -> Duration {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let envelope =
            format!("MAIL FROM:<{sender}>\r\nRCPT TO:<0312345678@fax.example>\r\nDATA\r\n");
        self.write(envelope.as_bytes()).await;
        for code in ["250", "250", "354"] {
            self.expect(code).await;
        }
        let line = password.map_or(String::new(), |password| {
            format!("password: {password}\r\n")
        });
        let later = std::env::var("BENCH_SUBJECT").unwrap_or_default();
        let process = std::process::id();
        let mut text = format!(
            "From: <{sender}>\r\nSubject: bench {later}\r\nMessage-ID: <{id}.{process}@bench.example>\r\n\r\n\
             {line}mail {id}\r\n"
        );
        while text.len() < bytes {
            text.push_str("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
        }
        text.push_str(".\r\n");
        self.say(&text, "250").await;
        began.elapsed()
    }
}

fn milliseconds(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let place = (times.len() as f64 * share) as usize;
    times[place.min(times.len() - 1)].as_secs_f64() * 1e3
}

fn figures(name: &str, times: &mut [Duration]) -> String {
    let at = |times: &mut [Duration], share| milliseconds(times, share);
    format!(
        "{name}_p50_ms={:.1} {name}_p99_ms={:.1} {name}_max_ms={:.1}",
        at(times, 0.5),
        at(times, 0.99),
        at(times, 1.0)
    )
}

/// Holds `count` connections that send a byte of a command every few seconds, 190 from an address, and
/// meanwhile delivers mails of 100 KB, each over a connection of its own.
async fn slow(server: SocketAddr, count: usize, mails: usize) {
    let began = Instant::now();
    let mut held = Vec::new();
    for each in 0..count {
        let (high, low) = (each / 190 / 250, each / 190 % 250);
        let from = [
            127,
            1,
            u8::try_from(high).unwrap(),
            u8::try_from(low + 1).unwrap(),
        ];
        held.push(Session::clear(server, from).await);
    }
    let opened = began.elapsed();
    let trickle = tokio::spawn(async move {
        // Some stand in the middle of a message, the others in the middle of a command.
        for (at, session) in held.iter_mut().enumerate() {
            if at.is_multiple_of(2) {
                let envelope = "MAIL FROM:<bench@customer.example>\r\nRCPT TO:<0312345678@fax.example>\r\nDATA\r\n";
                session.write(envelope.as_bytes()).await;
            }
        }
        loop {
            for session in &mut held {
                session.write(b"N").await;
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut times = Vec::new();
    for _ in 0..mails {
        let began = Instant::now();
        let mut session = Session::clear(server, HERE).await;
        session.mail("bench@customer.example", None, 102_400).await;
        times.push(began.elapsed());
    }
    assert!(!trickle.is_finished(), "a slow connection was closed");
    trickle.abort();
    let figures = figures("mail", &mut times);
    println!(
        "connections={count} opened_s={:.1} mails={mails} {figures}",
        opened.as_secs_f64()
    );
}

/// Fails `count` logins each of accounts that exist, that are locked and that nobody has, side by side.
async fn refusals(connector: &TlsConnector, server: SocketAddr, count: usize) {
    const SESSIONS: usize = 4;
    let mut tasks = JoinSet::new();
    for kind in ["existing", "locked", "unknown"] {
        for first in 0..SESSIONS {
            let connector = connector.clone();
            tasks.spawn(async move {
                let mut times = Vec::new();
                let mut session = Session::tls(server, &connector, HERE).await;
                for each in (first..count).step_by(SESSIONS) {
                    // A session ends at its twentieth mistake.
                    if times.len() % 15 == 14 {
                        session = Session::tls(server, &connector, HERE).await;
                    }
                    let began = Instant::now();
                    let reply = session.log_in(&format!("{kind}{each}"), "kaki8wrong").await;
                    assert!(reply.starts_with("535"), "{kind}{each}: {reply}");
                    times.push(began.elapsed());
                }
                (kind, times)
            });
        }
    }
    let mut all: HashMap<&str, Vec<Duration>> = HashMap::new();
    while let Some(done) = tasks.join_next().await {
        let (kind, times) = done.unwrap();
        all.entry(kind).or_default().extend(times);
    }
    let mut medians = Vec::new();
    for kind in ["existing", "locked", "unknown"] {
        let times = all.get_mut(kind).unwrap();
        let median = milliseconds(times, 0.5);
        println!(
            "{kind} n={} median_ms={median:.2} p99_ms={:.2}",
            times.len(),
            milliseconds(times, 0.99)
        );
        medians.push(median);
    }
    medians.sort_by(f64::total_cmp);
    println!("difference_ms={:.2}", medians[2] - medians[0]);
}

/// A mail server that sends many mails in each session, under TLS, with a login or without.
#[derive(Clone)]
struct Relay {
    connector: TlsConnector,
    server: SocketAddr,
    sender: String,
    password: Option<String>,
}

impl Relay {
    async fn run(self, mails: usize) {
        const SESSIONS: usize = 10;
        const MAILS_OF_A_SESSION: usize = 20;
        let left = Arc::new(AtomicUsize::new(mails / MAILS_OF_A_SESSION));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..SESSIONS {
            let (relay, left) = (self.clone(), Arc::clone(&left));
            tasks.spawn(async move {
                let take = |left: usize| left.checked_sub(1);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
                {
                    relay.session(MAILS_OF_A_SESSION).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let sent = mails / MAILS_OF_A_SESSION * MAILS_OF_A_SESSION;
        println!("rate={:.1}", sent as f64 / began.elapsed().as_secs_f64());
    }

    async fn session(&self, mails: usize) {
        let mut session = Session::tls(self.server, &self.connector, HERE).await;
        if let Some(password) = &self.password {
            let login_id = self.sender.split('@').next().unwrap();
            let reply = session.log_in(login_id, password).await;
            assert!(reply.starts_with("235"), "{reply}");
        }
        for _ in 0..mails {
            session.mail(&self.sender, None, 1_024).await;
        }
        session.say("QUIT\r\n", "221").await;
    }
}

/// Wrong logins at a rate, half of them for accounts that exist, while others send mail.
struct Storm {
    connector: TlsConnector,
    tls: SocketAddr,
    rate: usize,
}

impl Storm {
    async fn run(self, server: SocketAddr, seconds: usize) {
        let until = Instant::now() + Duration::from_secs(seconds as u64);
        let counts: Arc<[AtomicUsize; 3]> = Arc::default();
        let storming = tokio::spawn(storm(self, until, Arc::clone(&counts)));
        let plain = tokio::spawn(deliver(server, until, "bench@customer.example", None));
        let secret = deliver(
            server,
            until,
            "secret@customer.example",
            Some("bench7kaki8"),
        );
        let mut secret = secret.await;
        let mut plain = plain.await.unwrap();
        storming.await.unwrap();
        let [tried, refused, busy] = [0, 1, 2].map(|at: usize| counts[at].load(Ordering::Relaxed));
        println!(
            "logins={tried} refused={refused} busy={busy} mails={} {} {}",
            plain.len() + secret.len(),
            figures("address", &mut plain),
            figures("password", &mut secret)
        );
    }
}

async fn storm(storm: Storm, until: Instant, counts: Arc<[AtomicUsize; 3]>) {
    let mut beat =
        tokio::time::interval(Duration::from_secs(1) / u32::try_from(storm.rate.max(1)).unwrap());
    let mut tasks = JoinSet::new();
    while storm.rate > 0 && Instant::now() < until {
        beat.tick().await;
        let tried = counts[0].fetch_add(1, Ordering::Relaxed);
        let (connector, tls, counts) = (storm.connector.clone(), storm.tls, Arc::clone(&counts));
        tasks.spawn(async move {
            // Nobody's storm comes from one address: that would stop at its limit of connections.
            let from = [127, 2, 0, u8::try_from(tried % 100 + 1).unwrap()];
            let who = if tried.is_multiple_of(2) {
                "existing"
            } else {
                "unknown"
            };
            let mut session = Session::tls(tls, &connector, from).await;
            let reply = session
                .log_in(&format!("{who}{}", tried / 2 % 1_000), "kaki8wrong")
                .await;
            let place = if reply.starts_with("535") { 1 } else { 2 };
            assert!(place == 1 || reply.starts_with("454"), "{reply}");
            counts[place].fetch_add(1, Ordering::Relaxed);
        });
        while tasks.try_join_next().is_some_and(|done| done.is_ok()) {}
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// One mail after the other, 20 a second at most, each over a connection of its own.
async fn deliver(
    server: SocketAddr,
    until: Instant,
    sender: &str,
    password: Option<&str>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let mut session = Session::clear(server, HERE).await;
        session.mail(sender, password, 10_240).await;
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    times
}
