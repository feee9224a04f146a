//! A gateway as its users see it: the built binary as a process of its own, spoken to over SMTP, HTTP
//! and the command line, with a mail server behind it that keeps what it is given.
#![allow(
    clippy::disallowed_methods,
    reason = "outside of the gateway the time is the system's"
)]

mod account;
mod browser;
mod command;
mod http;
mod mail;
pub(crate) mod paper;
pub(crate) mod routes;
mod sink;
mod smtp;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::Signal;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::certificates::Made;

pub(crate) use account::Account;
pub(crate) use account::RIGHT;
pub(crate) use account::hash_of;
pub(crate) use browser::Browser;
pub(crate) use command::Output;
pub(crate) use command::run_with_input;
pub(crate) use mail::Mail;
pub(crate) use mail::base64;
pub(crate) use sink::Delivered;
pub(crate) use sink::Sink;
pub(crate) use smtp::Smtp;

/// Generous: a loaded machine is no failure.
const DEADLINE: Duration = Duration::from_secs(120);

/// Tries `condition` until it gives something; a story waits for events and never for a time.
///
/// Panics with `what` when nothing happens for very long.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The present time: outside of the gateway it is the system's.
#[allow(
    clippy::disallowed_methods,
    reason = "nobody outside can set the clock"
)]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A port below those that the system gives to clients, so that nobody takes it while a process is
/// started again.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(u64::from(std::process::id()) * 131 % u64::from(COUNT)).unwrap();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (own + step) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// How a gateway is configured.
pub(crate) struct Setup {
    accounts: String,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    files: Vec<(String, Vec<u8>)>,
    further: String,
    log: Option<String>,
}

impl Setup {
    /// A gateway with these accounts; ports, folders and the mail server behind it are set.
    pub(crate) fn new(accounts: &[Account]) -> Self {
        Self {
            accounts: text_of(accounts),
            sections: BTreeMap::new(),
            files: Vec::new(),
            further: String::new(),
            log: None,
        }
        .set("gateway", "name", "\"gw.example\"")
        .set("transport.loopback", "speed", "20000")
    }

    /// Sets a key of a section: `set("lock", "lasts", "\"3s\"")`.
    pub(crate) fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        let section = self.sections.entry(section.to_owned()).or_default();
        section.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Leaves a key out.
    pub(crate) fn without(mut self, section: &str, key: &str) -> Self {
        if let Some(keys) = self.sections.get_mut(section) {
            keys.remove(key);
        }
        self
    }

    /// Writes a file beside the configuration; its folder is made.
    pub(crate) fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.push((name.to_owned(), bytes.to_vec()));
        self
    }

    /// With this certificate, a port where TLS begins with the connection, and one for submission.
    pub(crate) fn tls(self, made: &Made) -> Self {
        let mut setup =
            self.set("tls", "certificate", "\"cert.pem\"")
                .set("tls", "key", "\"key.pem\"");
        for key in ["listen_submission", "listen_tls"] {
            setup = setup.set("smtp", key, &format!("[\"127.0.0.1:{}\"]", free_port()));
        }
        setup = setup.file("cert.pem", made.certificate.as_bytes());
        setup.file("key.pem", made.key.as_bytes())
    }

    fn listener(&self, section: &str, key: &str) -> Option<SocketAddr> {
        let list = self.sections.get(section)?.get(key)?;
        list.trim_matches(['[', ']', '"']).parse().ok()
    }

    /// Adds text behind all sections, such as tables that are lists.
    pub(crate) fn further(mut self, text: &str) -> Self {
        self.further.push_str(text);
        self
    }

    /// What `RUST_LOG` is; unset otherwise.
    pub(crate) fn log(mut self, filter: &str) -> Self {
        self.log = Some(filter.to_owned());
        self
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, keys) in &self.sections {
            text.push_str(&format!("[{name}]\n"));
            for (key, value) in keys {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text + &self.further
    }
}

fn text_of(accounts: &[Account]) -> String {
    accounts.iter().map(Account::text).collect()
}

/// A running gateway and the folder it lives in; killed when dropped.
pub(crate) struct Gateway {
    /// Where mail is taken.
    pub(crate) smtp: SocketAddr,
    /// Where TLS begins with the connection.
    pub(crate) smtp_tls: Option<SocketAddr>,
    /// Where programs log in.
    pub(crate) submission: Option<SocketAddr>,
    /// Where operators are answered.
    pub(crate) monitor: SocketAddr,
    /// Where browsers are answered.
    pub(crate) web: Option<SocketAddr>,
    /// The mail server behind it.
    pub(crate) sink: Sink,
    dir: TempDir,
    log: Option<String>,
    process: Option<Child>,
}

impl Gateway {
    /// Starts a gateway with these accounts and everything else at its default.
    pub(crate) fn with(accounts: &[Account]) -> Self {
        Self::start(Setup::new(accounts))
    }

    /// Writes the configuration, starts `faxgate serve` and waits until mail is taken.
    pub(crate) fn start(setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sink = Sink::start();
        let (smtp, monitor) = (free_port(), free_port());
        let quoted = |path: PathBuf| format!("{:?}", path.to_str().unwrap());
        let log = setup.log.clone();
        let setup = setup
            .set("gateway", "data_dir", &quoted(dir.path().join("var")))
            .set("smtp", "listen", &format!("[\"127.0.0.1:{smtp}\"]"))
            .set("monitor", "listen", &format!("\"127.0.0.1:{monitor}\""))
            .set("mail", "smarthost", &format!("\"smtp://{}\"", sink.address))
            .set(
                "transport.loopback",
                "directory",
                &quoted(dir.path().join("calls")),
            );
        std::fs::write(dir.path().join("faxgate.toml"), setup.text()).unwrap();
        std::fs::write(dir.path().join("accounts.toml"), &setup.accounts).unwrap();
        for (name, bytes) in &setup.files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let mut gateway = Self {
            smtp_tls: setup.listener("smtp", "listen_tls"),
            submission: setup.listener("smtp", "listen_submission"),
            smtp: SocketAddr::from(([127, 0, 0, 1], smtp)),
            monitor: SocketAddr::from(([127, 0, 0, 1], monitor)),
            web: setup.listener("web", "listen"),
            sink,
            dir,
            log,
            process: None,
        };
        gateway.serve();
        gateway
    }

    /// Starts `faxgate serve` in the same folder, on the same ports, and waits until mail is taken.
    pub(crate) fn serve(&mut self) {
        self.serve_under(&[]);
    }

    /// The same, started by a program that becomes it: `sh -c 'ulimit …; exec "$@"' sh`, `strace -D …`.
    pub(crate) fn serve_under(&mut self, starter: &[&str]) {
        assert!(self.process.is_none(), "it serves already");
        let known = self.log_lines().len();
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let mut served = self.faxgate();
        served.arg("serve");
        if let [program, arguments @ ..] = starter {
            let mut started = Command::new(program);
            started.args(arguments).arg(served.get_program());
            started.args(served.get_args()).current_dir(self.folder());
            for (name, value) in served.get_envs() {
                value.map(|value| started.env(name, value));
            }
            served = started;
        }
        let child = served
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        let mut child = child.unwrap();
        let ready = wait_for("the gateway to take mail", || {
            let new = self.log_lines().split_off(known);
            let said = |what: &str| new.iter().any(|line| line["message"] == what);
            if said("mail is taken") && said("operators are answered") {
                return Some(true);
            }
            child.try_wait().unwrap().map(|_| false)
        });
        assert!(ready, "the gateway did not start:\n{}", self.log_text());
        self.process = Some(child);
    }

    /// Ends the process as a crash does, between any two instructions.
    pub(crate) fn kill(&mut self) {
        let mut child = self.process.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends the process by a signal that it does not handle; how it ended.
    pub(crate) fn end_by(&mut self, signal: Signal) -> std::process::ExitStatus {
        let mut child = self.process.take().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        // Rust's runtime lets the first SIGSEGV pass: it looks for an overflow of the stack, and none is there.
        wait_for("the process to end", || {
            let _ = rustix::process::kill_process(id, signal);
            child.try_wait().unwrap()
        })
    }

    /// Ends the process in good order; its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.process.take().unwrap().wait().unwrap().code()
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Asks for the accounts to be read again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.as_ref().unwrap().id()).unwrap();
        rustix::process::kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// A file or folder of this gateway: `var` (its state), `calls` (loopback), `accounts.toml`, `log`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder of everything.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Replaces the accounts by a rename, as careful editors do.
    pub(crate) fn write_accounts(&self, accounts: &[Account]) {
        self.write_accounts_text(&text_of(accounts));
    }

    /// The same with any text.
    pub(crate) fn write_accounts_text(&self, text: &str) {
        let new = self.path("accounts.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path("accounts.toml")).unwrap();
    }

    /// Memory of its own that the process holds.
    pub(crate) fn memory_kib(&self) -> u64 {
        let id = self.process.as_ref().unwrap().id();
        let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse().unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The lines of the log that are whole.
    pub(crate) fn log_lines(&self) -> Vec<Json> {
        let text = self.log_text();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The events of a kind in the log, each with its account and detail.
    pub(crate) fn events(&self, kind: &str) -> Vec<Json> {
        let mut lines = self.log_lines();
        lines.retain(|line| line["event"] == kind);
        lines
    }

    /// How often changed accounts came into force.
    pub(crate) fn events_of_reload(&self) -> usize {
        let lines = self.log_lines();
        let reloaded = |line: &&Json| line["message"] == "accounts are in force";
        lines.iter().filter(reloaded).count()
    }

    /// The journal of the loopback line: a call in each line.
    pub(crate) fn calls(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.path("calls/calls.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Moves what waits for its time (mails to be tried again, sleeping jobs) to now: the state on disk
    /// is that of a later hour.
    pub(crate) fn let_waiting_end(&self) {
        self.change_state(
            "UPDATE outbox SET next_at = 0 WHERE state = 0; UPDATE job SET next_at = 0 WHERE state = 5;",
        );
    }

    /// Makes the state on disk that of another time.
    pub(crate) fn change_state(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.path("var/faxgate.sqlite3")).unwrap();
        database.busy_timeout(DEADLINE).unwrap();
        database.execute_batch(sql).unwrap();
    }

    /// `faxgate --config FILE`, to be given a subcommand.
    pub(crate) fn faxgate(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faxgate"));
        command.env_remove("RUST_LOG").current_dir(self.dir.path());
        if let Some(filter) = &self.log {
            command.env("RUST_LOG", filter);
        }
        command.arg("--config").arg(self.path("faxgate.toml"));
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.take() {
            // It may have ended by itself; then the story has failed already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let text = self.log_text();
            let tail: Vec<&str> = text.lines().rev().take(40).collect();
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}
