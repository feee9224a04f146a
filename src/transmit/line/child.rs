//! The gateway's side of a worker: starting it, listening to it, and finding out how it ended.

use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc as threads;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use super::Ended;
use super::Report;
use super::folder::Folder;
use super::note;
use super::note::Job;
use super::note::Line;
use super::note::Note;
use super::note::Order;
use super::worker::SUBCOMMAND;

/// How long a worker may take to begin: the machine may be busy.
const BEGIN: Duration = Duration::from_secs(30);
/// How long a worker may be silent before it counts as hung; it says every 5 s that it lives.
const SILENT: Duration = Duration::from_secs(60);
/// How long a worker may take to leave.
const LEAVE: Duration = Duration::from_secs(5);
/// Octets of the longest note.
const LONGEST: usize = 64 * 1024;
/// Notes that a call may have; a worker with more has been taken over.
const MOST_NOTES: u32 = 100_000;

type Work = Box<dyn FnOnce() + Send>;

/// The thread that starts children.
///
/// A child dies with the thread that started it (PR_SET_PDEATHSIG of prctl(2)), and threads of the runtime come and go.
#[derive(Debug, Default)]
pub(super) struct Starter(Mutex<Option<threads::Sender<Work>>>);

impl Starter {
    fn hand(&self, work: Work) -> io::Result<()> {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.is_none() {
            let (to, from) = threads::channel::<Work>();
            let thread = std::thread::Builder::new().name("fax-workers".into());
            thread.spawn(move || from.into_iter().for_each(|work| work()))?;
            *sender = Some(to);
        }
        let sent = sender.as_ref().is_some_and(|to| to.send(work).is_ok());
        sent.then_some(()).ok_or(io::ErrorKind::BrokenPipe.into())
    }

    async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let runtime = tokio::runtime::Handle::current();
        let (tell, told) = oneshot::channel();
        self.hand(Box::new(move || {
            let _inside = runtime.enter();
            // Nobody waits any more: dropping the child kills it.
            let _ = tell.send(command.spawn());
        }))?;
        told.await.map_err(io::Error::other)?
    }
}

/// A child and the lines to it. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Process {
    /// Starts a worker in its folder and lets it shut itself in.
    pub(super) async fn start(
        starter: &Starter,
        exe: &Path,
        folder: &Folder,
        socket: UdpSocket,
        job: Job,
        allow_unconfined: bool,
    ) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(exe);
        command
            .arg(SUBCOMMAND)
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(socket)))
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut process = Self {
            child: starter.spawn(command).await?,
            stream: UnixStream::from_std(ours)?,
            buffer: Vec::new(),
        };
        let missing = timeout(BEGIN, process.introduce(job)).await??;
        if !missing.is_empty() {
            warn!(?missing, "fax worker is not fully confined");
            if !allow_unconfined {
                return Err(io::Error::other("the fax worker could not be confined"));
            }
        }
        Ok(process)
    }

    /// Its process, until it has ended.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    async fn introduce(&mut self, job: Job) -> io::Result<Vec<String>> {
        self.order(&Order::Begin(Box::new(job))).await?;
        match self.note().await? {
            Some(Note::Ready { missing }) => Ok(missing),
            Some(_) | None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn order(&mut self, order: &Order) -> io::Result<()> {
        self.stream.write_all(&note::line(order)).await
    }

    /// The next note; `None` when it has left. It may be given up and asked again.
    async fn note(&mut self) -> io::Result<Option<Note>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line: Line = serde_json::from_slice(&line)?;
                return Ok(Some(line.note));
            }
            if self.buffer.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Passes orders and reports on until the call is over. Ends early, and kills it, when nobody gives orders any more.
    pub(super) async fn attend(
        mut self,
        folder: Folder,
        mut orders: mpsc::UnboundedReceiver<Order>,
        reports: mpsc::UnboundedSender<Report>,
    ) {
        let mut notes = 0;
        loop {
            let note = tokio::select! {
                order = orders.recv() => match order {
                    // A worker that is gone is noticed by its silence.
                    Some(order) => {
                        let _ = timeout(LEAVE, self.order(&order)).await;
                        continue;
                    }
                    None => return,
                },
                note = timeout(SILENT, self.note()) => note,
            };
            notes += 1;
            let report = match note {
                Ok(Ok(Some(Note::Progress(progress)))) => Report::Progress(progress),
                Ok(Ok(Some(Note::FaxHeard))) => Report::FaxHeard,
                Ok(Ok(Some(Note::Ended { .. }) | None)) => break,
                Ok(Ok(Some(_))) if notes < MOST_NOTES => continue,
                Ok(Ok(Some(_)) | Err(_)) | Err(_) => {
                    warn!("fax worker hangs or talks nonsense");
                    break;
                }
            };
            if notes >= MOST_NOTES || reports.send(report).is_err() {
                break;
            }
        }
        self.leave().await;
        let read = tokio::task::spawn_blocking(move || folder.read()).await;
        let ended = match read {
            Ok(Ok(Some(left))) => left.ended,
            Ok(Ok(None)) => Ended::default(),
            Ok(Err(error)) => unreadable(&error),
            Err(error) => unreadable(&io::Error::other(error)),
        };
        let _ = reports.send(Report::Ended(ended));
    }

    /// Waits for its end, for a while.
    async fn leave(&mut self) {
        if timeout(LEAVE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

fn unreadable(error: &io::Error) -> Ended {
    warn!(%error, "the notes of a fax worker cannot be read");
    // What is not known may have arrived.
    Ended {
        last_page_sent: true,
        ..Ended::default()
    }
}
