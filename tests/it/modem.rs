//! A fax modem on a pseudo terminal whose telephone line is T.38 over UDPTL on 127.0.0.1.
//!
//! Fax software that is not ours opens it as a class 1 modem, so that its T.30 meets ours.

pub(crate) mod station;
pub(crate) mod udptl;

use std::fs::File;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use spandsp::ClassOneModem;
use spandsp::LineEvent;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Wish;

use udptl::Datagrams;

/// The longest wait for something to do: the clock has to go on.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// Who answers a number: it gets the number and where the modem's packets come from, and says where to send them. `None` is
/// busy.
pub(crate) type Exchange = Box<dyn FnMut(&str, SocketAddr) -> Option<SocketAddr> + Send>;

/// A modem that is switched on; switched off when dropped.
pub(crate) struct Modem {
    device: PathBuf,
    off: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Held open, or the far side of the terminal would end with each program that closes it.
    _terminal: File,
}

impl Modem {
    /// Switches a modem on whose calls go to `exchange`.
    pub(crate) fn on(exchange: Exchange) -> Self {
        let (serial, terminal, device) = open();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let off = Arc::new(AtomicBool::new(false));
        let mut works = Works {
            modem: ClassOneModem::new().unwrap(),
            serial,
            socket,
            exchange,
            line: None,
            to_modem: Vec::new(),
            to_computer: Vec::new(),
            began: Instant::now(),
            samples: 0,
        };
        let switch = Arc::clone(&off);
        let thread = std::thread::spawn(move || {
            while !switch.load(Ordering::Relaxed) {
                works.turn();
            }
        });
        Self {
            device,
            off,
            thread: Some(thread),
            _terminal: terminal,
        }
    }

    /// What the software opens, such as `/dev/pts/7`.
    pub(crate) fn device(&self) -> &Path {
        &self.device
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        self.off.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Both sides of a pseudo terminal, raw, and its name. Everybody may open it: fax software has users of its own.
fn open() -> (File, File, PathBuf) {
    let serial = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&serial).unwrap();
    rustix::pty::unlockpt(&serial).unwrap();
    let name = rustix::pty::ptsname(&serial, Vec::new()).unwrap();
    let device = PathBuf::from(name.into_string().unwrap());
    let terminal = File::options().read(true).write(true).open(&device);
    let terminal = terminal.unwrap();
    let mut settings = rustix::termios::tcgetattr(&terminal).unwrap();
    settings.make_raw();
    rustix::termios::tcsetattr(&terminal, OptionalActions::Now, &settings).unwrap();
    std::fs::set_permissions(&device, Permissions::from_mode(0o666)).unwrap();
    rustix::io::ioctl_fionbio(&serial, true).unwrap();
    (File::from(serial), terminal, device)
}

/// What is inside a modem.
struct Works {
    modem: ClassOneModem,
    serial: File,
    socket: UdpSocket,
    exchange: Exchange,
    line: Option<Line>,
    to_modem: Vec<u8>,
    to_computer: Vec<u8>,
    began: Instant,
    samples: u64,
}

/// A call.
struct Line {
    far_end: SocketAddr,
    datagrams: Datagrams,
}

impl Works {
    /// What has come is taken first, then time passes, then what is ready goes out.
    fn turn(&mut self) {
        let mut ready = vec![PollFd::new(&self.socket, PollFlags::IN)];
        if self.to_modem.is_empty() {
            ready.push(PollFd::new(&self.serial, PollFlags::IN));
        }
        let _ = rustix::event::poll(&mut ready, Some(&TICK));
        self.hear_line();
        self.hear_computer();
        self.pass_time();
        self.fulfil();
        self.tell_computer();
    }

    fn hear_line(&mut self) {
        let mut datagram = [0; 2048];
        while let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            let Some(line) = &mut self.line else { continue };
            if from == line.far_end
                && let Some((ifp, sequence)) = line.datagrams.read(&datagram[..length])
            {
                self.modem.receive(ifp, sequence);
            }
        }
    }

    fn hear_computer(&mut self) {
        if self.to_modem.is_empty() {
            let mut bytes = [0; 1024];
            match self.serial.read(&mut bytes) {
                Ok(length) => self.to_modem.extend_from_slice(&bytes[..length]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        let taken = self.modem.write(&self.to_modem);
        self.to_modem.drain(..taken);
    }

    fn pass_time(&mut self) {
        let now = self.began.elapsed().as_micros() as u64 * u64::from(SAMPLES_PER_SECOND);
        let now = now / 1_000_000;
        let (line, socket) = (&mut self.line, &self.socket);
        self.modem.advance((now - self.samples) as u32, |packet| {
            if let Some(line) = line {
                let datagram = line.datagrams.write(packet.ifp);
                for _ in 0..packet.copies {
                    let _ = socket.send_to(&datagram, line.far_end);
                }
            }
        });
        self.samples = now;
    }

    /// What the software wants of the line.
    fn fulfil(&mut self) {
        for wish in self.modem.take_wishes() {
            match wish {
                Wish::Dial(number) => {
                    let own = self.socket.local_addr().unwrap();
                    let answered = (self.exchange)(&number, own);
                    self.connect(answered);
                    self.modem.tell(match answered {
                        Some(_) => LineEvent::Connected,
                        None => LineEvent::Busy,
                    });
                }
                // Nobody rings here.
                Wish::Answer => {}
                Wish::HangUp => self.connect(None),
            }
        }
    }

    fn connect(&mut self, far_end: Option<SocketAddr>) {
        self.line = far_end.map(|far_end| Line {
            far_end,
            datagrams: Datagrams::default(),
        });
    }

    fn tell_computer(&mut self) {
        self.to_computer.extend(self.modem.read());
        if let Ok(length) = self.serial.write(&self.to_computer) {
            self.to_computer.drain(..length);
        }
    }
}
