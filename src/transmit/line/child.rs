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
use super::note::Pages;
use super::worker::SUBCOMMAND;
use crate::fax::CallProgress;

/// How long a worker may take to begin: the machine may be busy.
const BEGIN: Duration = Duration::from_secs(30);
/// How long a worker may be silent before it counts as hung; it says every 5 s that it lives.
const SILENT: Duration = Duration::from_secs(60);
/// How long a worker may take to leave.
const LEAVE: Duration = Duration::from_secs(5);
/// A worker ends a call that lasts too long; one that has not so long after that has been taken over.
const OVERTIME: Duration = Duration::from_secs(30);
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
    /// What it is to send; `None` receives.
    pages: Option<Pages>,
    /// How long its call may last.
    longest: Duration,
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
            pages: job.pages,
            longest: job.limits.longest,
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
        let over = tokio::time::sleep(self.longest.saturating_add(OVERTIME));
        tokio::pin!(over);
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
                () = &mut over => {
                    warn!("fax worker does not end its call");
                    break;
                }
            };
            notes += 1;
            let report = match note {
                Ok(Ok(Some(Note::Progress(progress)))) if self.may_say(&progress) => {
                    Report::Progress(progress)
                }
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

    /// Whether a worker knows this. What is said of the line, and pages that are not there, only one that has been taken over says.
    fn may_say(&self, progress: &CallProgress) -> bool {
        match progress {
            CallProgress::Dialling { .. } | CallProgress::Ringing | CallProgress::Answered => false,
            CallProgress::Page { confirmed, of } => match self.pages {
                Some(pages) => *of == pages.total && *confirmed <= pages.total,
                None => *of == 0,
            },
            CallProgress::Carried { .. }
            | CallProgress::Identified { .. }
            | CallProgress::Training { .. }
            | CallProgress::LastPageSent
            | CallProgress::Released => true,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transmit::line::CallLimits;
    use crate::transmit::line::Pacing;

    /// A worker that has been taken over: it claims what it cannot know, and never ends.
    const TAKEN_OVER: &str = r#"
read job
say() { echo "{\"at\":1,\"note\":$1}" >&0; }
say '{"ready":{"missing":[]}}'
say '{"progress":{"phase":"dialling","line":"x"}}'
say '{"progress":{"phase":"answered"}}'
say '{"progress":{"phase":"page","confirmed":9,"of":2}}'
say '{"progress":{"phase":"page","confirmed":9,"of":9}}'
say '{"progress":{"phase":"page","confirmed":2,"of":2}}'
read never
"#;

    fn job() -> Job {
        Job {
            about: String::new(),
            pages: Some(Pages { first: 0, total: 2 }),
            local_id: crate::fax::StationId::default(),
            sub_address: None,
            ecm: true,
            fastest: crate::fax::Modem::V17,
            limits: CallLimits {
                silence: Duration::ZERO,
                longest: Duration::ZERO,
            },
            pacing: Pacing::Line,
            random: (0, 0, 0),
        }
    }

    #[tokio::test]
    async fn a_worker_that_was_taken_over_is_not_believed_and_has_no_longer_a_call_than_others() {
        let calls = tempfile::tempdir().unwrap();
        let folder = Folder::of(calls.path(), "1-1").unwrap();
        folder.make(None).unwrap();
        // The shell takes the subcommand for the name of a script.
        std::fs::write(folder.path().join(SUBCOMMAND), TAKEN_OVER).unwrap();
        let (starter, shell) = (Starter::default(), Path::new("/bin/sh"));
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let process = Process::start(&starter, shell, &folder, socket, job(), true);
        let process = process.await.unwrap();
        let (_orders, to) = mpsc::unbounded_channel();
        let (from, mut reports) = mpsc::unbounded_channel();
        tokio::spawn(process.attend(folder, to, from));
        let page = CallProgress::Page {
            confirmed: 2,
            of: 2,
        };
        assert_eq!(reports.recv().await, Some(Report::Progress(page)));
        // From here on time passes only where nothing else can happen.
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        assert_eq!(reports.recv().await, Some(Report::Ended(Ended::default())));
        assert!(
            begun.elapsed() < SILENT,
            "it was waited for until it was silent"
        );
    }
}
