//! The child process of one call: `faxgate fax-worker`.
//!
//! Its standard input is a socket to the gateway, for lines both ways, and its standard output the socket of the media. It wakes by
//! the clock and not for each packet, takes what has come before it lets time pass, and writes what happened before it sends what
//! follows from that.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;

use super::note;
use super::note::Job;
use super::note::Line;
use super::note::Note;
use super::note::Order;
use super::session::Session;
use crate::confine;
use crate::confine::Allowance;
use crate::confine::Confinement;
use crate::fax::CallProgress;
use crate::time::Clock;
use crate::time::SystemClock;

/// The hidden subcommand that makes the program a worker.
pub const SUBCOMMAND: &str = "fax-worker";

/// Address space: the engine keeps a page uncompressed, and one bit a row is enough to make it long.
const MEMORY: u64 = 1 << 30;
/// The longest file that is received; at 14,400 bit/s this takes ten hours.
const FILE_SIZE: u64 = 64 << 20;
/// A call needs a thousandth of a core; twenty times that, and what beginning costs.
const CPU_SHARE: u64 = 50;
const CPU_BASE: u64 = 30;
/// The gateway is told so often that the worker lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Datagrams taken at one go: a flood must not keep time from passing.
const MOST_AT_ONCE: u32 = 1000;
/// Octets of the longest datagram that is taken.
const LONGEST: usize = 2048;
/// Octets of the longest order.
const LONGEST_ORDER: usize = 64 * 1024;
/// What the socket may hold while the worker is kept from running.
const SOCKET_BUFFER: usize = 1 << 20;

/// Carries one call and ends. `main` calls it before anything else when the first argument is [`SUBCOMMAND`]: no thread may run
/// yet and no file may be open. The working directory is the call's folder.
pub fn worker_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // The gateway is gone or talks nonsense: there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let gateway = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let media = UdpSocket::from(io::stdout().as_fd().try_clone_to_owned()?);
    media.set_nonblocking(true)?;
    let is_v6 = media.local_addr()?.is_ipv6();
    // The default holds a few seconds; whatever the system gives is good.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&media, SOCKET_BUFFER);
    let mut gateway = Gateway::new(gateway);
    let job = gateway.begin()?;
    gateway.stream.set_nonblocking(true)?;
    let mut record = Record::open()?;
    // The confinement forbids to change it.
    gateway.stream.set_nonblocking(true)?;
    let confinement = shut_in(&job);
    record.keep(&began(&job))?;
    gateway.tell(&Note::Ready {
        missing: confinement.missing,
    });
    let session = run(
        job,
        &mut gateway,
        &mut record,
        &Media {
            socket: media,
            is_v6,
        },
    );
    let ended = session.finish();
    record.keep(&ended)?;
    gateway.tell(&ended);
    Ok(())
}

fn shut_in(job: &Job) -> Confinement {
    confine::confine(&Allowance {
        memory: MEMORY,
        cpu_seconds: CPU_BASE + job.limits.longest.as_secs() / CPU_SHARE,
        file_size: FILE_SIZE,
        folder: Some(Path::new(".")),
        sockets: true,
    })
}

fn began(job: &Job) -> Note {
    Note::Began {
        about: job.about.clone(),
        first_page: job.pages.map(|pages| pages.first),
    }
}

/// The socket of the media.
struct Media {
    socket: UdpSocket,
    /// One of IPv6 reaches IPv4 by mapped addresses.
    is_v6: bool,
}

/// Carries the call until it is over.
fn run(job: Job, gateway: &mut Gateway, record: &mut Record, media: &Media) -> Session {
    let start = Instant::now();
    let mut session = Session::new(job);
    let mut beat = Duration::ZERO;
    while !session.is_over() {
        let has_orders = wait(&session, gateway, &media.socket, start.elapsed());
        let now = start.elapsed();
        let mut hang_up = false;
        let orders = if has_orders {
            gateway.orders()
        } else {
            Vec::new()
        };
        for order in orders {
            match order {
                Order::Carry(carrier) => session.carry(carrier, now),
                Order::HangUp => hang_up = true,
                Order::Begin(_) => {}
            }
        }
        drain(&mut session, &media.socket, now);
        let datagrams = session.advance(now);
        if hang_up || gateway.is_gone {
            session.hang_up();
        }
        for note in session.take_notes() {
            // A full disk must not end the call.
            let _ = record.keep(&note);
            gateway.tell(&note);
        }
        send(&session, media, &datagrams);
        if now >= beat + HEARTBEAT {
            beat = now;
            gateway.tell(&Note::Alive);
        }
    }
    session
}

/// Waits for an order, or until it is time. Whether there is an order, or nobody to give one any more.
fn wait(session: &Session, gateway: &Gateway, media: &UdpSocket, now: Duration) -> bool {
    let time = session.wait(now);
    let time = Timespec {
        // At most a second.
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(0),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let mut awaited = [
        PollFd::new(&gateway.stream, PollFlags::IN),
        PollFd::new(media, PollFlags::IN),
    ];
    let count = if session.is_unpaced() { 2 } else { 1 };
    if let Some(awaited) = awaited.get_mut(..count) {
        // Interrupted is as good as over.
        let _ = rustix::event::poll(awaited, Some(&time));
    }
    awaited
        .first()
        .is_some_and(|gateway| !gateway.revents().is_empty())
}

/// Takes what has come.
fn drain(session: &mut Session, media: &UdpSocket, now: Duration) {
    let mut datagram = [0; LONGEST];
    for _ in 0..MOST_AT_ONCE {
        match media.recv_from(&mut datagram) {
            Ok((length, from)) => {
                if let Some(datagram) = datagram.get(..length) {
                    session.receive(datagram, from, now);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // An earlier datagram of ours was not wanted: the next one may be.
            Err(_) => {}
        }
    }
}

/// Sends; what the network does not take is lost, as on the way.
fn send(session: &Session, media: &Media, datagrams: &[Vec<u8>]) {
    let remote = match session.remote() {
        Some(SocketAddr::V4(v4)) if media.is_v6 => {
            SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
        }
        Some(remote) => remote,
        None => return,
    };
    for datagram in datagrams {
        let _ = media.socket.send_to(datagram, remote);
    }
}

/// The gateway's end of the lines.
struct Gateway {
    stream: UnixStream,
    buffer: Vec<u8>,
    is_gone: bool,
}

impl Gateway {
    fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            is_gone: false,
        }
    }

    /// Waits for the first order.
    fn begin(&mut self) -> io::Result<Job> {
        loop {
            match self.orders().into_iter().next() {
                Some(Order::Begin(job)) => return Ok(*job),
                Some(Order::Carry(_) | Order::HangUp) => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                None if self.is_gone => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        }
    }

    /// The orders that have come.
    fn orders(&mut self) -> Vec<Order> {
        let mut octets = [0; 4096];
        match self.stream.read(&mut octets) {
            Ok(0) => self.is_gone = true,
            Ok(length) => self
                .buffer
                .extend_from_slice(octets.get(..length).unwrap_or(&[])),
            Err(error) => {
                let later = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
                self.is_gone |= !later.contains(&error.kind());
            }
        }
        let mut orders = Vec::new();
        while let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            orders.extend(serde_json::from_slice::<Order>(&line));
        }
        self.is_gone |= self.buffer.len() > LONGEST_ORDER;
        orders
    }

    /// Tells it; what it does not take is in the folder.
    fn tell(&mut self, note: &Note) {
        let _ = self.stream.write_all(&note::line(&stamped(note)));
    }
}

/// The file of notes.
struct Record(File);

impl Record {
    fn open() -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        options.open(note::PROGRESS).map(Self)
    }

    /// Writes a note. What decides between sent and not sent is on the disk before the line hears of it.
    fn keep(&mut self, note: &Note) -> io::Result<()> {
        self.0.write_all(&note::line(&stamped(note)))?;
        match note {
            Note::Progress(CallProgress::LastPageSent) | Note::Confirmed | Note::Ended { .. } => {
                self.0.sync_data()
            }
            Note::Progress(_)
            | Note::Ready { .. }
            | Note::Alive
            | Note::Began { .. }
            | Note::FaxHeard
            | Note::SubAddress(_)
            | Note::LastPageRefused => Ok(()),
        }
    }
}

fn stamped(note: &Note) -> Line {
    Line {
        at: SystemClock.now().as_ms(),
        note: note.clone(),
    }
}
