//! The media of one call: a child process that speaks T.30 over T.38 packets or over audio.
//!
//! Packets of strangers go through C code that had memory errors, so each call has a confined process of its own
//! (`faxgate fax-worker`): its crash is an outcome of its call and of nothing else. What happens it writes into the call's
//! folder before it goes out on the line, so that it is known after a crash of the gateway, too.
//!
//! * [`Workers`] starts them, and knows what a crash left
//! * [`Worker`] is one: it is told what carries the call ([`Carrier`]), and tells what happens ([`Report`])
//! * [`outcome`] - what a sender's end means

mod cause;
mod child;
mod engine;
mod folder;
mod g711;
mod note;
mod peer;
mod rtp;
mod sequence;
mod session;
mod teller;
mod tone;
pub(super) mod udptl;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::warn;

use crate::fax::CallProgress;
use crate::fax::FaxFile;
use crate::fax::Media;
use crate::fax::Modem;
use crate::fax::StationId;
use crate::fax::SubAddress;
use crate::time::Timestamp;
use crate::transmit::durable::blocking;

use child::Process;
use child::Starter;
use folder::Folder;
use note::Job;
use note::Order;
use note::Pages;

pub use cause::outcome;
pub use worker::SUBCOMMAND;
pub use worker::worker_main;

/// Starts fax workers and keeps their folders, `data_dir/calls/<name>/`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    exe: PathBuf,
    calls: PathBuf,
    allow_unconfined: bool,
    starter: Starter,
}

/// What a worker is to do.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The call's name and that of its folder: `<job>-<attempt>` for one that we make, `in-<id>` for one that comes in.
    pub name: String,
    /// What the transport wants to know of the call after a crash, in its own words, such as the number that was called.
    pub about: String,
    /// Send or receive.
    pub task: Task,
    /// Our identifier: TSI of a sender, CSI of a receiver.
    pub local_id: StationId,
    /// Whom it is for behind the number (SUB); a receiver has none.
    pub sub_address: Option<SubAddress>,
    /// Whether errors are corrected (ECM) if the far end can.
    pub ecm: bool,
    /// The fastest modem that is tried.
    pub fastest: Modem,
    /// When a call is given up.
    pub limits: CallLimits,
    /// How fast pages go.
    pub pacing: Pacing,
}

/// What a call is for: who calls sends, and who is called receives.
#[derive(Clone, Debug)]
pub enum Task {
    /// Send these pages.
    Send {
        /// All pages.
        fax: FaxFile,
        /// The first one to send, from 0: those before were confirmed in earlier calls.
        first_page: u32,
    },
    /// Receive pages.
    Receive,
}

/// When a worker gives a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLimits {
    /// After so long without a packet of the far end (and, over T.38, without one of ours: a receiver of a long page is silent).
    pub silence: Duration,
    /// After so long in all.
    pub longest: Duration,
}

impl Default for CallLimits {
    /// 30 s of silence, 90 minutes in all.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(30),
            longest: Duration::from_secs(90 * 60),
        }
    }
}

/// How fast pages go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pacing {
    /// At the speed of the modem: a far end may be a gateway to a telephone line.
    #[default]
    Line,
    /// As fast as the far end takes it: both ends are workers like this one. For tests.
    Unpaced,
}

/// What carries the media from here on; it may change in the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// Sound in RTP packets of 20 ms (RFC 3550, RFC 3551).
    Audio {
        /// Where the far end's session description wants them.
        remote: SocketAddr,
        /// How samples are coded.
        codec: Codec,
    },
    /// UDPTL datagrams (T.38 section 9).
    T38 {
        /// Where the far end's session description wants them.
        remote: SocketAddr,
        /// The longest datagram that it takes (`T38FaxMaxDatagram`), in bytes.
        max_datagram: u16,
        /// How many earlier packets each datagram repeats; 3 unless the far end takes no redundancy.
        redundancy: u8,
    },
}

/// A code of samples (RFC 3551 section 4.5.14), with the payload type that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Mu law, of North America and Japan.
    Pcmu {
        /// 0, unless a session description says otherwise.
        payload_type: u8,
    },
    /// A law, of the rest of the world.
    Pcma {
        /// 8, unless a session description says otherwise.
        payload_type: u8,
    },
}

/// What a worker tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The call is so far. Pages of earlier calls are counted.
    Progress(CallProgress),
    /// The far end is a fax machine: its tone or its first message was heard in the audio. It comes once; who offers T.38 does it now.
    FaxHeard,
    /// The call is over, and nothing follows.
    Ended(Ended),
}

/// How the media of a call ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// Pages of this call: confirmed ones of a sender, whole ones of a receiver.
    pub pages: u32,
    /// Whether the last page was confirmed (EOP was answered by MCF): then all pages arrived, whatever followed.
    pub confirmed: bool,
    /// Whether the end of the last page was sent: if it is not confirmed, only the far end knows whether all pages arrived.
    pub last_page_sent: bool,
    /// The completion code of the T.30 engine; `None` if it came to no end.
    pub completion: Option<i32>,
    /// What made it end.
    pub by: EndedBy,
    /// The far end's identifier (CSI of a receiver, TSI of a sender); empty if it gave none.
    pub remote_id: StationId,
    /// The sub-address that a sender gave (SUB).
    pub sub_address: Option<SubAddress>,
    /// Speed of the latest page in bits a second; 0 if it came to none.
    pub rate: u32,
    /// Whether errors were corrected.
    pub ecm: bool,
    /// What carried the call last.
    pub media: Option<Media>,
    /// Packets of the far end that were lost for good.
    pub packets_lost: u64,
    /// When the worker began.
    pub started: Timestamp,
    /// When it ended, or wrote its last line.
    pub ended: Timestamp,
    /// The pages that a receiver has whole; `None` without one, and for a sender.
    pub fax: Option<FaxFile>,
}

/// What made a call's media end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// T.30 came to its end (phase E).
    Fax,
    /// [`Worker::hang_up`].
    HangUp,
    /// Nothing came from the far end for [`CallLimits::silence`].
    Silence,
    /// It lasted [`CallLimits::longest`].
    Length,
    /// The engine could not begin: a fault of ours.
    Fault,
    /// The worker died, hung and was killed, or the gateway went down.
    #[default]
    Crash,
}

/// What a crash left of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// The call's name.
    pub name: String,
    /// What the assignment said under this name.
    pub about: String,
    /// How far it came.
    pub ended: Ended,
}

impl Workers {
    /// Workers are `exe fax-worker`, and `exe` is this very program; `calls` is `data_dir/calls`.
    ///
    /// With `allow_unconfined` a worker may run although this kernel cannot confine it fully.
    pub fn new(exe: PathBuf, calls: PathBuf, allow_unconfined: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                exe,
                calls,
                allow_unconfined,
                starter: Starter::default(),
            }),
        }
    }

    /// Makes the call's folder and starts its worker, which waits for [`Worker::carry`]. It owns the socket: one for RTP and
    /// UDPTL both, bound to the address of our session description. What comes before the first carrier is thrown away.
    ///
    /// # Errors
    /// There is such a folder already, the program does not start, or it is not confined.
    pub async fn start(&self, assignment: Assignment, socket: UdpSocket) -> io::Result<Worker> {
        let folder = Folder::of(&self.shared.calls, &assignment.name)?;
        let (job, fax) = assignment.job()?;
        let made = folder.clone();
        blocking(move || made.make(fax.as_ref())).await?;
        let started = Process::start(
            &self.shared.starter,
            &self.shared.exe,
            &folder,
            socket,
            job,
            self.shared.allow_unconfined,
        );
        let process = match started.await {
            Ok(process) => process,
            Err(error) => {
                self.forget(&assignment.name).await;
                return Err(error);
            }
        };
        let (orders, to) = mpsc::unbounded_channel();
        let (from, reports) = mpsc::unbounded_channel();
        let id = process.id();
        let task = tokio::spawn(process.attend(folder, to, from));
        Ok(Worker {
            orders,
            reports,
            id,
            task: task.abort_handle(),
            _workers: self.clone(),
        })
    }

    /// What a crash left of the call of this name; `None` if its media never began.
    ///
    /// # Errors
    /// What the system says.
    pub async fn look_up(&self, name: &str) -> io::Result<Option<Left>> {
        let folder = Folder::of(&self.shared.calls, name)?;
        blocking(move || folder.read()).await
    }

    /// The calls that came in (`in-…`) and that a crash left, with their pages. To be asked before any is started.
    ///
    /// # Errors
    /// What the system says.
    pub async fn left_in(&self) -> io::Result<Vec<Left>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let mut left = Vec::new();
            for folder in Folder::incoming(&shared.calls)? {
                // One that cannot be read keeps nobody from the others.
                match folder.read() {
                    Ok(Some(call)) => left.push(call),
                    // Its worker never began: nothing came.
                    Ok(None) => folder.remove()?,
                    Err(error) => {
                        warn!(%error, ?folder, "what a crash left of a call cannot be read")
                    }
                }
            }
            Ok(left)
        })
        .await
    }

    /// Removes the call's folder: its outcome is journalled, or its fax is stored.
    pub async fn forget(&self, name: &str) {
        let folder = Folder::of(&self.shared.calls, name);
        let removed = blocking(move || folder?.remove()).await;
        if let Err(error) = removed {
            warn!(%error, call = name, "the folder of a call cannot be removed");
        }
    }
}

impl Assignment {
    /// What the worker is told, and the pages that go into its folder.
    fn job(&self) -> io::Result<(Job, Option<FaxFile>)> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let [a, b, c, d, e, f, g, h, i, j] = random;
        let (pages, fax) = match &self.task {
            Task::Send { fax, first_page } => {
                let pages = Pages {
                    first: *first_page,
                    total: fax.pages,
                };
                (Some(pages), Some(fax.clone()))
            }
            Task::Receive => (None, None),
        };
        let job = Job {
            about: self.about.clone(),
            pages,
            local_id: self.local_id.clone(),
            sub_address: self.sub_address.clone(),
            ecm: self.ecm,
            fastest: self.fastest,
            limits: self.limits,
            pacing: self.pacing,
            random: (
                u32::from_be_bytes([a, b, c, d]),
                u16::from_be_bytes([e, f]),
                u32::from_be_bytes([g, h, i, j]),
            ),
        };
        Ok((job, fax))
    }
}

/// A call's worker. Dropping it kills the process; its folder stays until [`Workers::forget`].
#[derive(Debug)]
pub struct Worker {
    orders: mpsc::UnboundedSender<Order>,
    reports: mpsc::UnboundedReceiver<Report>,
    id: Option<u32>,
    task: AbortHandle,
    /// The thread that started the process has to live as long.
    _workers: Workers,
}

impl Worker {
    /// The number of its process, for those who watch it.
    pub fn process(&self) -> Option<u32> {
        self.id
    }

    /// Tells it what carries the call from here on.
    ///
    /// If nothing was transferred yet, T.30 starts anew on another carrier; after the first page a change of the kind of carrier
    /// is ignored, so that any re-INVITE may be passed on as it comes.
    ///
    /// # Errors
    /// It is gone; [`Self::next`] says how it ended.
    pub async fn carry(&mut self, carrier: Carrier) -> io::Result<()> {
        let sent = self.orders.send(Order::Carry(carrier));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// The far end hung up, or we do: what has arrived is taken, then it ends. [`Report::Ended`] follows.
    pub async fn hang_up(&mut self) {
        // One that is gone has ended.
        let _ = self.orders.send(Order::HangUp);
    }

    /// What happens next; `None` after [`Report::Ended`]. It may be given up and asked again (as in `select!`).
    pub async fn next(&mut self) -> Option<Report> {
        self.reports.recv().await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // With its task goes the child, which dies of that.
        self.task.abort();
    }
}
