//! Load for the accept benchmark: what smtp-source cannot send or cannot tell.
//!
//! One file without dependencies, compiled by `run` with plain rustc, and used for both servers alike.
//! `load mails` sends mails that all differ (Message-ID and body), one session per thread, and prints
//! the rate and the times from the end of DATA to its reply. `load idle` holds connections open after
//! EHLO and prints what each costs a process in resident memory.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Fallible<()> {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let options = Options::parse(words)?;
    match what.as_str() {
        "mails" => mails(options),
        "idle" => idle(&options),
        _ => Err("usage: load mails|idle --to-server HOST:PORT [--option value]...".into()),
    }
}

/// What was asked for; not every option means something to both commands.
#[derive(Clone)]
struct Options {
    server: String,
    sessions: usize,
    messages: usize,
    bytes: usize,
    from: String,
    /// A `#` becomes the number of the mail, in eight digits.
    to: String,
    subject: String,
    password: String,
    /// Between two mails of a session.
    pause: Duration,
    process: u32,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Fallible<Self> {
        let mut options = Self {
            server: "127.0.0.1:2525".into(),
            sessions: 1,
            messages: 1,
            bytes: 1024,
            from: "bench@customer.example".into(),
            to: "0312345678@fax.example".into(),
            subject: "bench".into(),
            password: String::new(),
            pause: Duration::ZERO,
            process: 0,
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--server" => options.server = value,
                "--sessions" => options.sessions = value.parse()?,
                "--messages" => options.messages = value.parse()?,
                "--bytes" => options.bytes = value.parse()?,
                "--from" => options.from = value,
                "--to" => options.to = value,
                "--subject" => options.subject = value,
                "--password" => options.password = value,
                "--pause-ms" => options.pause = Duration::from_millis(value.parse()?),
                "--process" => options.process = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

fn mails(options: Options) -> Fallible<()> {
    let options = Arc::new(options);
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let start = |_| {
        let (options, next) = (Arc::clone(&options), Arc::clone(&next));
        std::thread::spawn(move || send_all(&options, &next))
    };
    let threads: Vec<_> = (0..options.sessions).map(start).collect();
    let mut waits = Vec::new();
    for thread in threads {
        waits.extend(thread.join().map_err(|_| "a session failed")??);
    }
    let took = began.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |share: f64| {
        let place = (waits.len() as f64 * share) as usize;
        let wait = waits.get(place.min(waits.len().saturating_sub(1)));
        wait.map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
    };
    println!(
        "rate={:.1} seconds={took:.3} p50_ms={:.1} p99_ms={:.1} max_ms={:.1}",
        waits.len() as f64 / took,
        at(0.5),
        at(0.99),
        at(1.0),
    );
    Ok(())
}

/// Sends mails until all are taken; the times from the end of each to its reply.
fn send_all(options: &Options, next: &AtomicUsize) -> Fallible<Vec<Duration>> {
    let mut session = Session::open(&options.server)?;
    let mut waits = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.messages {
            session.say("QUIT\r\n", "221")?;
            return Ok(waits);
        }
        let to = options.to.replace('#', &format!("{number:08}"));
        session.say(&format!("MAIL FROM:<{}>\r\n", options.from), "250")?;
        session.say(&format!("RCPT TO:<{to}>\r\n"), "250")?;
        session.say("DATA\r\n", "354")?;
        let mail = mail(options, &to, number);
        let ended = Instant::now();
        session.say(&mail, "250")?;
        waits.push(ended.elapsed());
        if !options.pause.is_zero() {
            std::thread::sleep(options.pause);
        }
    }
}

fn mail(options: &Options, to: &str, number: usize) -> String {
    let Options { from, subject, .. } = options;
    let own = format!("{number}.{}.{from}", std::process::id());
    let mut mail = format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{own}>\r\n\
         Date: Thu, 01 Jan 2026 00:00:00 +0900\r\n\r\n"
    );
    if !options.password.is_empty() {
        mail.push_str(&format!("password: {}\r\n", options.password));
    }
    mail.push_str(&format!("mail {own}\r\n"));
    let header = mail.len();
    while mail.len() - header < options.bytes {
        mail.push_str("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
    }
    mail.push_str(".\r\n");
    mail
}

fn idle(options: &Options) -> Fallible<()> {
    let before = resident_kib(options.process)?;
    let open = |_| Session::open(&options.server);
    let sessions: Vec<Session> = (0..options.sessions).map(open).collect::<Fallible<_>>()?;
    // Nothing is going on: what the server allocates for these connections it has allocated.
    let after = resident_kib(options.process)?;
    let each = (after - before) as f64 / sessions.len() as f64;
    println!("before_kib={before} after_kib={after} each_kib={each:.2}");
    Ok(())
}

fn resident_kib(process: u32) -> Fallible<i64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    Ok(words.ok_or("no VmRSS")?.parse()?)
}

struct Session(BufReader<TcpStream>);

impl Session {
    /// Connects and says EHLO.
    fn open(server: &str) -> Fallible<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut session = Self(BufReader::with_capacity(512, stream));
        session.reply("220")?;
        session.say("EHLO bench.example\r\n", "250")?;
        Ok(session)
    }

    fn say(&mut self, text: &str, expected: &str) -> Fallible<()> {
        self.0.get_mut().write_all(text.as_bytes())?;
        self.reply(expected)
    }

    fn reply(&mut self, expected: &str) -> Fallible<()> {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            if !line.starts_with(expected) {
                return Err(format!("{line:?} instead of {expected}").into());
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(());
            }
        }
    }
}
