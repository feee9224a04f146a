//! Twenty seconds of `kill -9` at random moments while customers go on mailing: nothing that was
//! acknowledged is lost, nothing is dialled twice, every result is told once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Child;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::wait_for;

/// The budget of the story.
const LONG: Duration = Duration::from_secs(20);
/// One mail in this time at most, so that what is accepted can be sent soon after.
const PACE: Duration = Duration::from_millis(60);
const CLIENTS: u64 = 5;

/// What customers know of a mail in the end.
#[derive(Clone)]
struct Answered {
    /// Its own number in canonical form; no other mail of the story has it.
    token: String,
    kind: Kind,
    reply: String,
    tries: u32,
}

impl Answered {
    fn batch(&self) -> &str {
        self.reply.rsplit(' ').next().unwrap()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// To a number, proved by the address alone.
    Plain,
    /// To a number and a list of two.
    List,
    /// To a number, with the right password.
    Right,
    /// To a number, with a wrong password.
    Wrong,
}

struct Story {
    smtp: SocketAddr,
    begun: Instant,
    mails: AtomicU32,
    over: AtomicBool,
    ledger: Mutex<Vec<Answered>>,
}

#[test]
fn p1_p3_nothing_is_lost_or_dialled_twice_however_often_the_process_is_killed() {
    let seed = seed();
    println!("seed {seed} (FAXGATE_SEED repeats the moments)");
    let mut gateway = gateway();
    let fax = first_fax(&gateway);
    gateway.kill();
    let story = Story {
        smtp: gateway.smtp,
        begun: Instant::now(),
        mails: AtomicU32::new(0),
        over: AtomicBool::new(false),
        ledger: Mutex::default(),
    };
    let (last, kills, injected) = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let story = &story;
            scope.spawn(move || story.mail(&mut Random::new(seed ^ (client + 1))));
        }
        let injecting = scope.spawn(|| story.inject(&gateway, &fax));
        let kills = kill_again_and_again(&gateway, &mut Random::new(seed));
        let last = serve(&gateway);
        story.over.store(true, Ordering::Relaxed);
        (last, kills, injecting.join().unwrap())
    });
    let ledger = story.ledger.into_inner().unwrap();
    let retried = ledger.iter().filter(|mail| mail.tries > 1).count();
    println!(
        "{kills} kills; {} mails answered, {retried} of them tried again; {injected:?} faxes injected",
        ledger.len()
    );
    assert!(kills > 10 && ledger.len() > 50, "the story was too short");
    every_accepted_job_was_sent_once(&gateway, &ledger);
    every_batch_was_told_under_one_name(&gateway, &ledger);
    every_wrong_password_counted_once(&gateway, &ledger);
    every_received_fax_was_forwarded_under_one_name(&gateway, injected);
    assert!(!gateway.log_text().contains("panicked"));
    end(last);
    the_database_is_sound(&gateway);
}

fn seed() -> u64 {
    let given = std::env::var("FAXGATE_SEED").ok();
    given.map_or_else(
        || u64::from(getrandom::u32().unwrap()),
        |seed| seed.parse().unwrap(),
    )
}

fn gateway() -> Gateway {
    let guesser = Account::new("guesser").password("kaki8other");
    let accounts = [Account::suzuki(), Account::tanaka(), guesser];
    Gateway::start(Setup::new(&accounts).set("lock", "strikes", "100"))
}

/// The pages of a fax, for the far end to send.
fn first_fax(gateway: &Gateway) -> std::path::PathBuf {
    gateway.accepts(&Mail::plain("0390000000@fax.example"));
    let jobs = gateway.settled(1);
    let pages = gateway.path(&format!("calls/{}.tiff", jobs[0]["id"].as_str().unwrap()));
    let fax = gateway.path("fax.tiff");
    std::fs::copy(pages, &fax).unwrap();
    fax
}

fn kill_again_and_again(gateway: &Gateway, random: &mut Random) -> u32 {
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed() < LONG {
        let process = serve(gateway);
        std::thread::sleep(Duration::from_millis(20 + random.below(781)));
        end(process);
        kills += 1;
    }
    kills
}

/// A serving process; killed when dropped, so that a story that fails leaves none behind.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; `end` tells.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `faxgate serve` and does not wait for it.
fn serve(gateway: &Gateway) -> Process {
    let log = File::options().append(true).open(gateway.path("log"));
    let mut command = gateway.faxgate();
    command.arg("serve").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(log.unwrap());
    Process(command.spawn().unwrap())
}

fn end(mut process: Process) {
    process.0.kill().unwrap();
    let status = process.0.wait().unwrap();
    assert_eq!(status.code(), None, "it ended by itself: {status}");
}

impl Story {
    /// A customer: writes a mail, sends it until it is answered for good, writes the next one.
    fn mail(&self, random: &mut Random) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.mails.fetch_add(1, Ordering::Relaxed);
            let due = self.begun + PACE * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let token = format!("03{:08}", 10_000_000 + number);
            let kind = match random.below(10) {
                0..5 => Kind::Plain,
                5..7 => Kind::List,
                7..9 => Kind::Right,
                _ => Kind::Wrong,
            };
            let (reply, tries) = self.until_answered(&write(kind, &token));
            self.ledger.lock().unwrap().push(Answered {
                token: format!("0081{}", &token[1..]),
                kind,
                reply,
                tries,
            });
        }
    }

    fn until_answered(&self, mail: &Mail) -> (String, u32) {
        let begun = Instant::now();
        for tries in 1.. {
            match attempt(self.smtp, mail) {
                Ok(reply) if reply.starts_with("250 ") || reply.starts_with("550 ") => {
                    return (reply, tries);
                }
                // Killed meanwhile, not there yet, or 4xx: the same mail again.
                Ok(_) | Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
            assert!(begun.elapsed() < LONG * 6, "nobody answers");
        }
        unreachable!()
    }

    /// The far end: sends faxes; how many were durable, and how many were tried.
    fn inject(&self, gateway: &Gateway, fax: &std::path::Path) -> (usize, usize) {
        let (mut taken, mut tried) = (0, 0);
        while !self.over.load(Ordering::Relaxed) {
            let arguments = ["received", "inject", "--to", "+81345670001"];
            let output = gateway.faxgate().args(arguments).arg(fax).output().unwrap();
            tried += 1;
            taken += usize::from(output.status.success());
            std::thread::sleep(PACE * 10);
        }
        (taken, tried)
    }
}

fn write(kind: Kind, token: &str) -> Mail {
    let recipient = format!("{token}@fax.example");
    match kind {
        Kind::Plain => Mail::plain(&recipient),
        Kind::List => Mail::plain(&recipient).and_to("branches@list.fax.example"),
        Kind::Right => Mail::right(&recipient),
        Kind::Wrong => Mail::new(
            "guesser@customer.example",
            &recipient,
            "password: kaki8guess\r\n\r\nPlease see to it.\r\n",
        ),
    }
}

/// One transaction; an error when the peer is not there or goes away before its reply.
fn attempt(address: SocketAddr, mail: &Mail) -> std::io::Result<String> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut session = BufReader::new(stream);
    reply(&mut session)?;
    let mut commands = vec!["EHLO client.example".to_owned()];
    commands.push(format!("MAIL FROM:<{}>", mail.sender));
    commands.extend(mail.recipients.iter().map(|to| format!("RCPT TO:<{to}>")));
    commands.push("DATA".to_owned());
    for command in commands {
        session
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())?;
        let reply = reply(&mut session)?;
        if !reply.starts_with(['2', '3']) {
            return Ok(reply);
        }
    }
    let message = [mail.message().as_slice(), b"\r\n.\r\n"].concat();
    session.get_mut().write_all(&message)?;
    reply(&mut session)
}

fn reply(session: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    loop {
        let mut line = String::new();
        session.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line.trim_end().to_owned());
        }
    }
}

fn accepted(ledger: &[Answered]) -> impl Iterator<Item = &Answered> {
    ledger.iter().filter(|mail| mail.kind != Kind::Wrong)
}

fn every_accepted_job_was_sent_once(gateway: &Gateway, ledger: &[Answered]) {
    for mail in accepted(ledger) {
        assert!(mail.reply.starts_with("250 "), "{}", mail.reply);
    }
    let jobs = wait_for("all jobs to be settled", || {
        let jobs = gateway.json(&["job", "list", "--limit", "5000"]);
        let jobs = jobs.as_array().unwrap().clone();
        let waits = |job: &Json| !job["completed"].is_string();
        if jobs.iter().any(|job| job["state"] == "sleeping") {
            gateway.let_waiting_end();
        }
        (!jobs.iter().any(waits)).then_some(jobs)
    });
    let mut calls: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for call in gateway.calls() {
        let job = call["job"].as_str().unwrap().to_owned();
        calls.entry(job).or_default().push(call);
    }
    for job in &jobs {
        let calls = calls
            .remove(job["id"].as_str().unwrap())
            .unwrap_or_default();
        assert_eq!(calls.len(), 1, "{job:#} was called so often: {calls:?}");
        assert_eq!(job["state"], "done", "{job:#}");
        assert_eq!(calls[0]["number"], job["destination"]);
    }
    assert!(calls.is_empty(), "calls of nobody's job: {calls:?}");
    for mail in accepted(ledger) {
        let of_token = |job: &&Json| job["destination"] == mail.token.as_str();
        assert_eq!(jobs.iter().filter(of_token).count(), 1, "{}", mail.token);
        let of_batch = |job: &&Json| job["batch"] == mail.batch();
        let expected = if mail.kind == Kind::List { 3 } else { 1 };
        assert_eq!(jobs.iter().filter(of_batch).count(), expected);
    }
    for mail in ledger.iter().filter(|mail| mail.kind == Kind::Wrong) {
        assert!(mail.reply.starts_with("550 5.7.8 "), "{}", mail.reply);
        assert!(
            !jobs
                .iter()
                .any(|job| job["destination"] == mail.token.as_str())
        );
    }
    // A batch was acknowledged once, or it is one that the story's first fax made.
    let known: BTreeSet<&str> = accepted(ledger).map(Answered::batch).collect();
    let batches: BTreeSet<&str> = jobs.iter().map(|j| j["batch"].as_str().unwrap()).collect();
    assert_eq!(batches.len(), known.len() + 1);
}

/// The names of the mails to a recipient.
fn names(gateway: &Gateway, recipients: &[&str]) -> Vec<String> {
    let mails = recipients.iter().flat_map(|to| gateway.sink.mails_to(to));
    mails
        .map(|mail| mail.header("Message-ID").unwrap())
        .collect()
}

/// A mail may come twice, when the process is killed between its delivery and the note of it; then it
/// has the same Message-ID.
fn every_batch_was_told_under_one_name(gateway: &Gateway, ledger: &[Answered]) {
    let senders = ["suzuki@customer.example", "tanaka@customer.example"];
    let expected = accepted(ledger).count() + 1;
    let told = wait_for("all results to be mailed", || {
        let told: BTreeSet<String> = names(gateway, &senders).into_iter().collect();
        (told.len() >= expected).then_some(told)
    });
    assert_eq!(told.len(), expected);
    for mail in accepted(ledger) {
        let about = format!("<result.{}.", mail.batch());
        let of_batch = told.iter().filter(|name| name.starts_with(&about));
        assert_eq!(of_batch.count(), 1, "{about}");
    }
    let repeated = names(gateway, &senders).len() - told.len();
    println!("{expected} results told, {repeated} of them a second time");
}

fn every_wrong_password_counted_once(gateway: &Gateway, ledger: &[Answered]) {
    let wrong = ledger.iter().filter(|mail| mail.kind == Kind::Wrong);
    let wrong = i64::try_from(wrong.count()).unwrap();
    assert_eq!(gateway.strikes("guesser"), wrong);
    assert_eq!(gateway.strikes("tanaka"), 0);
}

fn every_received_fax_was_forwarded_under_one_name(gateway: &Gateway, injected: (usize, usize)) {
    let (taken, tried) = injected;
    let received = gateway.json(&["received", "list", "--limit", "5000"]);
    let received = received.as_array().unwrap().len();
    assert!((taken..=tried).contains(&received), "{received}");
    wait_for("all received faxes to be forwarded", || {
        let names = names(gateway, &["inbox@customer.example"]);
        let different: BTreeSet<String> = names.into_iter().collect();
        assert!(different.len() <= received);
        (different.len() == received).then_some(())
    });
}

fn the_database_is_sound(gateway: &Gateway) {
    let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
    let said: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(said, "ok");
    let broken = database.query_row("PRAGMA foreign_key_check", [], |_| Ok(()));
    assert!(matches!(broken, Err(rusqlite::Error::QueryReturnedNoRows)));
}

/// Moments and choices (xorshift64*): only that they differ matters.
struct Random(u64);

impl Random {
    /// Zero would stay zero.
    fn new(seed: u64) -> Self {
        Self(seed | 1 << 40)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}
