//! A SIP endpoint of ours whose faxes are kept for the story, and a telephone that speaks SIP to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use faxgate::config::NumberFormat;
use faxgate::config::PortRange;
use faxgate::config::Sip;
use faxgate::config::SipUri;
use faxgate::config::Trunk;
use faxgate::fax::CountryCode;
use faxgate::fax::FaxNumber;
use faxgate::time::SystemClock;
use faxgate::transmit::Inbound;
use faxgate::transmit::InboundFax;
use faxgate::transmit::Later;
use faxgate::transmit::journal::Journal;
use faxgate::transmit::line::CallLimits;
use faxgate::transmit::line::Pacing;
use faxgate::transmit::line::Workers;
use faxgate::transmit::sip::SipSetup;
use faxgate::transmit::sip::SipTransport;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::gateway::free_port;
use crate::gateway::wait_for;

/// The number that is received here.
pub(crate) const NUMBER: &str = "+81345670001";

/// A SIP endpoint of ours; its only trunk is at 127.0.0.1.
pub(crate) struct Station {
    /// Where it listens.
    pub(crate) at: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) stop: watch::Sender<bool>,
    runtime: Runtime,
    transport: Option<SipTransport>,
}

/// Who takes its faxes.
#[derive(Default)]
pub(crate) struct Inbox {
    /// What arrived.
    pub(crate) faxes: Mutex<Vec<InboundFax>>,
    /// Faxes that will not be taken before one is.
    pub(crate) fails: Mutex<u32>,
}

impl Inbound for Inbox {
    fn serves(&self, number: &FaxNumber) -> bool {
        number.canonical() == "0081345670001"
    }

    fn arrive(&self, fax: InboundFax) -> Later<'_, bool> {
        let mut fails = self.fails.lock().unwrap();
        let taken = *fails == 0;
        *fails = fails.saturating_sub(1);
        if taken {
            self.faxes.lock().unwrap().push(fax);
        }
        Box::pin(std::future::ready(taken))
    }
}

impl Station {
    /// An endpoint with this many lines, with or without T.38.
    pub(crate) fn open(lines_in: usize, t38: bool) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), lines_in, t38)
    }

    /// The same with what an earlier one left in its folder.
    pub(crate) fn open_in(folder: TempDir, lines_in: usize, t38: bool) -> Self {
        Self::open_for(folder, Arc::default(), lines_in, t38)
    }

    /// The same at the speed of a line: no page is over as sound before T.38 is agreed on.
    pub(crate) fn paced(lines_in: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::open_at(Pacing::Line, folder, Arc::default(), lines_in, true)
    }

    /// The same for somebody who takes the faxes.
    pub(crate) fn open_for(folder: TempDir, inbox: Arc<Inbox>, lines_in: usize, t38: bool) -> Self {
        Self::open_at(Pacing::Unpaced, folder, inbox, lines_in, t38)
    }

    fn open_at(
        pacing: Pacing,
        folder: TempDir,
        inbox: Arc<Inbox>,
        lines_in: usize,
        t38: bool,
    ) -> Self {
        let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = Sip {
            listen: at,
            media_address: None,
            media_ports: PortRange {
                first: 42_000,
                last: 43_999,
            },
            lines_in,
            t38,
            trunks: vec![Trunk {
                name: "provider".to_owned(),
                proxy: SipUri::parse("sip:127.0.0.1:5999").unwrap(),
                domain: None,
                user: None,
                password_file: None,
                ca_file: None,
                register: false,
                lines: 100,
                calls_per_second: 100,
                number_format: NumberFormat::E164,
            }],
        };
        // What goes wrong shows where a story fails.
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
        let _ = log.with_test_writer().try_init();
        let (stop, stopping) = watch::channel(false);
        let calls = folder.path().join("calls");
        std::fs::create_dir_all(&calls).unwrap();
        let exe = env!("CARGO_BIN_EXE_faxgate").into();
        let setup = SipSetup {
            config,
            config_file: folder.path().join("faxgate.toml"),
            country: CountryCode::JAPAN,
            workers: Workers::new(exe, calls, true),
            pacing,
            limits: CallLimits::default(),
            clock: Arc::new(SystemClock),
            inbound: Arc::clone(&inbox) as Arc<dyn Inbound>,
            journal: Journal::open(&folder.path().join("calls.jsonl")).unwrap(),
            stopping,
        };
        let runtime = Runtime::new().unwrap();
        let transport = runtime.block_on(SipTransport::open(setup)).unwrap();
        Self {
            at,
            folder,
            inbox,
            stop,
            runtime,
            transport: Some(transport),
        }
    }

    /// The lines of the journal.
    pub(crate) fn journal(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.folder.path().join("calls.jsonl")).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits until so many calls are journalled; the lines.
    pub(crate) fn journalled(&self, count: usize) -> Vec<Json> {
        wait_for(&format!("{count} journalled calls"), || {
            let lines = self.journal();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Waits until nothing is left of any call.
    pub(crate) fn tidy(&self) {
        wait_for("the folders of calls to go", || {
            let left = std::fs::read_dir(self.folder.path().join("calls")).unwrap();
            (left.count() == 0).then_some(())
        });
    }

    /// Waits until the faxes of all calls are stored.
    pub(crate) fn received(&self) {
        let transport = self.transport.as_ref().unwrap();
        self.runtime.block_on(transport.received());
    }

    /// Ends as a crash does; what is left.
    pub(crate) fn crash(mut self) -> TempDir {
        self.transport.take();
        self.runtime.shutdown_background();
        self.folder
    }

    /// Runs a scenario of sipp as the caller; it must end as it wants.
    pub(crate) fn sipp(&self, scenario: &str, from: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sipp");
        let port = free_port().to_string();
        let output = Command::new("sipp")
            .arg("-sf")
            .arg(file.join(scenario))
            .args(["-m", "1", "-i", from, "-mi", from, "-p", &port, "-nostdin"])
            .args(["-timeout", "60s", "-timeout_error", "-trace_err"])
            .arg(self.at.to_string())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let errors = std::fs::read_dir(self.folder.path()).unwrap();
        let errors = errors.filter_map(|entry| {
            let path = entry.unwrap().path();
            let is_errors = path.to_str().unwrap().ends_with("_errors.log");
            is_errors.then(|| std::fs::read_to_string(path).unwrap())
        });
        let errors: Vec<_> = errors.collect();
        assert!(
            output.status.success(),
            "{scenario}: {errors:?}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// A telephone that says what it is told.
pub(crate) struct Phone {
    socket: UdpSocket,
    station: SocketAddr,
    calls: u32,
}

/// A call that a telephone makes.
pub(crate) struct Dialled {
    id: String,
    to: String,
    uri: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Phone {
    /// A telephone at this address.
    pub(crate) fn at(address: &str, station: &Station) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        Self {
            socket,
            station: station.at,
            calls: 0,
        }
    }

    /// Begins a call with this description.
    pub(crate) fn dial(&mut self, number: &str, kind: &str, body: &[u8]) -> Dialled {
        let dialled = self.prepare(number);
        self.socket
            .send_to(&self.invite(&dialled, kind, body), self.station)
            .unwrap();
        dialled
    }

    /// A call to come, its name never used before.
    pub(crate) fn prepare(&mut self, number: &str) -> Dialled {
        self.calls += 1;
        let port = self.socket.local_addr().unwrap().port();
        let uri = format!("sip:{number}@{}", self.station);
        Dialled {
            id: format!("{port}-{}", self.calls),
            to: format!("<{uri}>"),
            uri,
        }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.station).unwrap();
    }

    /// The first request of a call.
    pub(crate) fn invite(&self, dialled: &Dialled, kind: &str, body: &[u8]) -> Vec<u8> {
        let mut text = self.request("INVITE", "INVITE", 1, dialled);
        if !kind.is_empty() {
            text += &format!("Content-Type: {kind}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n", body.len());
        [text.as_bytes(), body].concat()
    }

    /// A request without a body, up to its last header field.
    pub(crate) fn request(
        &self,
        method: &str,
        branch: &str,
        seq: u32,
        dialled: &Dialled,
    ) -> String {
        let own = self.socket.local_addr().unwrap();
        let Dialled { id, to, uri } = dialled;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{branch}-{id};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:caller@{own}>;tag=f{id}\r\nTo: {to}\r\nCall-ID: {id}@{own}\r\nCSeq: {seq} {method}\r\n\
             Contact: <sip:caller@{own}>\r\n"
        )
    }

    fn say(&self, method: &str, branch: &str, seq: u32, dialled: &Dialled) {
        let text = self.request(method, branch, seq, dialled);
        self.send(format!("{text}Content-Length: 0\r\n\r\n").as_bytes());
    }

    /// The final answer to the INVITE of this call. A refusal is acknowledged.
    pub(crate) fn answer(&self, dialled: &mut Dialled, invite: &[u8]) -> Answer {
        let answer = wait_for("a final answer", || {
            let answer = self.hear();
            if answer.is_none() {
                self.send(invite);
            }
            answer.filter(|answer| {
                let is_ours = answer.headers["call-id"].starts_with(&dialled.id);
                is_ours && answer.code >= 200 && answer.headers["cseq"].ends_with("INVITE")
            })
        });
        dialled.to.clone_from(&answer.headers["to"]);
        match answer.code {
            200 => self.say("ACK", "ACK", 1, dialled),
            _ => self.say("ACK", "INVITE", 1, dialled),
        }
        answer
    }

    /// Calls off what has not been answered.
    pub(crate) fn cancel(&self, dialled: &Dialled) {
        self.say("CANCEL", "INVITE", 1, dialled);
    }

    /// Hangs up.
    pub(crate) fn hang_up(&self, dialled: &Dialled) {
        wait_for("the answer to BYE", || {
            self.say("BYE", "BYE", 2, dialled);
            let answer = self.hear()?;
            (answer.code >= 200 && answer.headers["cseq"].ends_with("BYE")).then_some(())
        });
    }

    /// A call with this description up to its final answer; it is hung up on.
    pub(crate) fn call(&mut self, number: &str, kind: &str, body: &[u8]) -> Answer {
        let mut dialled = self.prepare(number);
        let invite = self.invite(&dialled, kind, body);
        self.send(&invite);
        let answer = self.answer(&mut dialled, &invite);
        if answer.code == 200 {
            self.hang_up(&dialled);
        }
        answer
    }

    /// The next response; `None` if none comes for a while, or it is a request.
    pub(crate) fn hear(&self) -> Option<Answer> {
        let mut bytes = [0; 65_536];
        let length = self.socket.recv(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (status, fields) = head.split_once("\r\n")?;
        let code = status.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
        let fields = fields.lines().filter_map(|line| line.split_once(':'));
        let headers =
            fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some(Answer {
            code,
            headers: headers.collect(),
            body: body.to_owned(),
        })
    }
}
