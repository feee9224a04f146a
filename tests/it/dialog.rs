//! Runs the scripted dialogues of `fixtures/dialog` against the mail door.
//!
//! One step a line; `#` begins a comment:
//!
//! * `set max_errors 3`: a limit other than the usual one; before anything is sent
//! * `-> text`: send the line; `-raw> "bytes"`: send exactly these (`\r \n \t \0 \\ \xNN`, `{x*9}` = nine x)
//! * `<- line`: the next reply line is this; `<~ start`: it begins so
//! * `wait 3s`: let this time pass; `took 250ms`: the last reply came this long after the last sending
//! * `from`, `to`, `asked`, `login`, `message "bytes"`: the next message that the door was given; every one must be named
//! * `set tls yes`: there is a certificate; `starttls`: the client begins TLS
//! * `close`: the client goes away; `closed`: the server has closed

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use faxgate::config::Network;
use faxgate::ingress;
use faxgate::ingress::Service;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::certificates;
use crate::certificates::Made;
use crate::recording_door::Recorder;
use crate::recording_door::TokioClock;
use crate::recording_door::limits;

#[test]
fn each_scripted_dialogue_goes_as_written() {
    let mut failures = Vec::new();
    for script in scripts() {
        let text = std::fs::read_to_string(&script).unwrap();
        if let Err(failure) = run(&text) {
            failures.push(format!("{}: {failure}", script.display()));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_dialogue_that_goes_otherwise_fails() {
    for wrong in [
        "<- 220 other",
        "<~ 220\n-> NOOP\n<~ 500",
        "<~ 220\nclosed",
        "<~ 220\n-> HELO a\n<~ 250\n-> MAIL FROM:<a@b>\n<~ 250\n-> RCPT TO:<1234567890@fax.example>\n\
         <~ 250\n-> DATA\n<~ 354\n-> .\n<~ 250\n-> QUIT\n<~ 221\nclosed",
        "no such step",
    ] {
        assert!(run(wrong).is_err(), "{wrong}");
    }
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dialog");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut scripts: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 25, "dialogues are missing");
    scripts
}

fn run(text: &str) -> Result<(), String> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(play(text))
}

async fn play(text: &str) -> Result<(), String> {
    let mut limits = limits();
    let mut dialogue = None;
    let tls = text.lines().any(|line| line == "set tls yes");
    for (at, line) in text.lines().enumerate() {
        let failed = |error: String| format!("line {}: `{line}`: {error}", at + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(setting) = line.strip_prefix("set ") {
            set(&mut limits, setting).map_err(failed)?;
            continue;
        }
        let dialogue = dialogue.get_or_insert_with(|| Dialogue::begin(limits.clone(), tls));
        dialogue.step(line).await.map_err(failed)?;
    }
    dialogue.map_or(Ok(()), |dialogue| dialogue.finish())
}

fn set(limits: &mut faxgate::config::Smtp, setting: &str) -> Result<(), String> {
    let (key, value) = setting.split_once(' ').ok_or("key and value")?;
    if key == "normalize_bare_lf" {
        let network = Network::parse(value).ok_or("a range of addresses")?;
        limits.normalize_bare_lf.push(network);
        return Ok(());
    }
    if key == "tls" {
        return Ok(());
    }
    let value: usize = value.parse().map_err(|_| "a number")?;
    match key {
        "max_message" => limits.max_message = value,
        "max_recipients" => limits.max_recipients = value,
        "tarpit" => limits.tarpit = Duration::from_secs(value as u64),
        "max_errors" => limits.max_errors = u32::try_from(value).map_err(|_| "too large")?,
        _ => return Err("no such limit".into()),
    }
    Ok(())
}

/// What a client speaks over: a connection, or TLS on it.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Dialogue {
    /// `None` once the client is gone.
    client: Option<BufReader<Box<dyn Stream>>>,
    door: Arc<Recorder>,
    server: JoinHandle<()>,
    sent_at: Instant,
    /// How long after the last sending the last reply was read.
    took: Duration,
    _stop: watch::Sender<bool>,
}

impl Dialogue {
    fn begin(limits: faxgate::config::Smtp, tls: bool) -> Self {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let (stop, shutdown) = watch::channel(false);
        let door = Arc::new(Recorder::default());
        let service = Service {
            name: "gw.example".into(),
            limits,
            tls: tls.then(|| Made::shared().server()),
            door: Arc::clone(&door),
            clock: Arc::new(TokioClock::default()),
            shutdown,
        };
        let peer = "192.0.2.1".parse().unwrap();
        Self {
            client: Some(BufReader::new(Box::new(client))),
            door,
            server: tokio::spawn(async move { ingress::attend(&service, server, peer).await }),
            sent_at: Instant::now(),
            took: Duration::ZERO,
            _stop: stop,
        }
    }

    async fn step(&mut self, line: &str) -> Result<(), String> {
        let (step, rest) = line.split_once(' ').unwrap_or((line, ""));
        match step {
            "->" => self.send(format!("{rest}\r\n").as_bytes()).await,
            "-raw>" => self.send(&unescape(rest)?).await,
            "<-" => {
                let reply = self.reply().await?;
                same(reply.as_str(), rest)
            }
            "<~" => {
                let reply = self.reply().await?;
                if reply.starts_with(rest) {
                    Ok(())
                } else {
                    Err(format!("got `{reply}`"))
                }
            }
            "starttls" => self.start_tls().await,
            "wait" => {
                tokio::time::sleep(duration(rest)?).await;
                Ok(())
            }
            "took" => {
                let least = duration(rest)?;
                let most = least + Duration::from_millis(2);
                let came = (least..=most).contains(&self.took);
                came.then_some(()).ok_or(format!("took {:?}", self.took))
            }
            "from" => same(self.door.expected(|m| m.from.clone())?.as_str(), rest),
            "asked" => same(self.door.expected(|m| m.asked.clone())?.as_str(), rest),
            "login" => {
                let login = self.door.expected(|m| m.login.clone())?;
                same(login.as_deref().unwrap_or("none"), rest)
            }
            "to" => same(self.door.expected(|m| m.to.join(" "))?.as_str(), rest),
            "message" => {
                let raw = self.door.expected(|m| m.raw.clone())?;
                self.door.forget_first();
                same(
                    &raw.escape_ascii().to_string(),
                    &unescape(rest)?.escape_ascii().to_string(),
                )
            }
            "close" => {
                self.client = None;
                (&mut self.server).await.map_err(|error| error.to_string())
            }
            "closed" => match self.reply().await {
                Ok(reply) => Err(format!("got `{reply}`")),
                Err(_) => Ok(()),
            },
            _ => Err("no such step".into()),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let client = self.client.as_mut().ok_or("the client is gone")?;
        let sent = async {
            client.get_mut().write_all(bytes).await?;
            client.get_mut().flush().await
        };
        sent.await.map_err(|error| error.to_string())?;
        self.sent_at = Instant::now();
        // No time passes: the server reads this as one packet before the next one is sent.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The client's handshake; fails if the server has sent anything before.
    async fn start_tls(&mut self) -> Result<(), String> {
        let client = self.client.take().ok_or("the client is gone")?;
        if !client.buffer().is_empty() {
            return Err("there are replies left".into());
        }
        let connecting = Made::shared()
            .connector()
            .connect(certificates::name(), client.into_inner());
        let tls = connecting.await.map_err(|error| error.to_string())?;
        self.client = Some(BufReader::new(Box::new(tls)));
        Ok(())
    }

    async fn reply(&mut self) -> Result<String, String> {
        let client = self.client.as_mut().ok_or("the client is gone")?;
        let mut line = String::new();
        let read = client.read_line(&mut line).await;
        read.map_err(|error| error.to_string())?;
        self.took = self.sent_at.elapsed();
        let line = line.strip_suffix("\r\n").ok_or("the server has closed")?;
        Ok(line.to_owned())
    }

    fn finish(self) -> Result<(), String> {
        match self.door.left() {
            0 => Ok(()),
            left => Err(format!("{left} messages that the script does not name")),
        }
    }
}

fn same(got: &str, expected: &str) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("got `{got}`"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let number = number.parse().map_err(|_| "a time has a number")?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        _ => Err("a time is in s or ms".into()),
    }
}

/// The bytes that a quoted text stands for.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let quoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let mut rest = quoted.ok_or("bytes stand in quotes")?;
    let mut bytes = Vec::new();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escape(rest, &mut bytes)?,
            '{' => {
                let (many, after) = rest.split_once('}').ok_or("no }")?;
                let (what, count) = many.split_once('*').ok_or("no *")?;
                let count = count.parse().map_err(|_| "no count")?;
                bytes.extend(what.repeat(count).into_bytes());
                rest = after;
            }
            c => bytes.extend(c.to_string().into_bytes()),
        }
    }
    Ok(bytes)
}

/// Reads what follows a backslash and returns what follows that.
fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let (kind, mut rest) = text.split_at_checked(1).ok_or("nothing behind \\")?;
    bytes.push(match kind {
        "r" => b'\r',
        "n" => b'\n',
        "t" => b'\t',
        "0" => 0,
        "\\" => b'\\',
        "x" => {
            let (hex, after) = rest.split_at_checked(2).ok_or("two digits follow \\x")?;
            rest = after;
            u8::from_str_radix(hex, 16).map_err(|error| error.to_string())?
        }
        other => return Err(format!("no such escape: {other}")),
    });
    Ok(rest)
}
