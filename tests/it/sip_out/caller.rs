//! A SIP endpoint of ours that makes calls, and sipp as the far end.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use faxgate::config::NumberFormat;
use faxgate::config::PortRange;
use faxgate::config::Sip;
use faxgate::config::SipUri;
use faxgate::config::Trunk;
use faxgate::fax::CallProgress;
use faxgate::fax::CountryCode;
use faxgate::fax::FaxFile;
use faxgate::fax::FaxNumber;
use faxgate::fax::Modem;
use faxgate::fax::Outcome;
use faxgate::fax::StationId;
use faxgate::time::SystemClock;
use faxgate::transmit::Call;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Inbound;
use faxgate::transmit::InboundFax;
use faxgate::transmit::Later;
use faxgate::transmit::Resolution;
use faxgate::transmit::Watch;
use faxgate::transmit::journal::Journal;
use faxgate::transmit::line::CallLimits;
use faxgate::transmit::line::Pacing;
use faxgate::transmit::line::Workers;
use faxgate::transmit::sip::SipSetup;
use faxgate::transmit::sip::SipTransport;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::gateway::free_port;
use crate::gateway::paper;
use crate::gateway::wait_for;

/// Longer than any call here takes.
const LONG: Duration = Duration::from_secs(120);

/// Who makes calls.
pub(crate) struct Caller {
    pub(crate) transport: Arc<SipTransport>,
    pub(crate) runtime: Runtime,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) folder: TempDir,
}

/// What happens in a call, as it is told.
#[derive(Default)]
pub(crate) struct Notes(pub(crate) Mutex<Vec<CallProgress>>);

/// sipp with one scenario, on a port of its own.
pub(crate) struct Far {
    pub(crate) port: u16,
    child: Child,
    folder: TempDir,
}

struct Nobody;

impl Caller {
    /// An endpoint of ours with these trunks; the password is `password`.
    pub(crate) fn new(trunks: Vec<Trunk>, t38: bool, password: &str) -> Self {
        Self::with(trunks, t38, password, |_| {})
    }

    /// The same with something else in its setup.
    pub(crate) fn with(
        trunks: Vec<Trunk>,
        t38: bool,
        password: &str,
        change: impl FnOnce(&mut SipSetup),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), password).unwrap();
        let calls = folder.path().join("calls");
        std::fs::create_dir_all(&calls).unwrap();
        let config = Sip {
            listen: SocketAddr::from(([127, 0, 0, 1], free_port())),
            media_address: None,
            media_ports: PortRange {
                first: 44_000,
                last: 45_999,
            },
            lines_in: 0,
            t38,
            trunks,
        };
        let (stop, stopping) = watch::channel(false);
        let mut setup = SipSetup {
            config,
            config_file: folder.path().join("faxgate.toml"),
            country: CountryCode::JAPAN,
            workers: Workers::new(env!("CARGO_BIN_EXE_faxgate").into(), calls, true),
            pacing: Pacing::Unpaced,
            limits: CallLimits::default(),
            clock: Arc::new(SystemClock),
            inbound: Arc::new(Nobody),
            journal: Journal::open(&folder.path().join("calls.jsonl")).unwrap(),
            stopping,
        };
        change(&mut setup);
        let runtime = Runtime::new().unwrap();
        let transport = runtime.block_on(SipTransport::open(setup)).unwrap();
        Self {
            transport: Arc::new(transport),
            runtime,
            stop,
            folder,
        }
    }

    /// Calls over a line as `dispatch` does.
    pub(crate) fn call(&self, call: &Call) -> (Outcome, Vec<CallProgress>) {
        let notes = Notes::default();
        let outcome = self.runtime.block_on(async {
            let made = async {
                let line = self.transport.line(&call.number).await;
                self.transport.send(call, line, &notes).await
            };
            tokio::time::timeout(LONG, made).await.unwrap()
        });
        (outcome, notes.0.into_inner().unwrap())
    }

    /// What is known of a call after a crash.
    pub(crate) fn resolve(&self, job: i64, attempt: u32) -> Resolution {
        self.runtime.block_on(self.transport.resolve(job, attempt))
    }

    /// Why no call goes over this trunk.
    pub(crate) fn trouble(&self, name: &str) -> Option<String> {
        let trunks = self.transport.trunks();
        let trunk = trunks.into_iter().find(|(trunk, _)| trunk == name);
        trunk.unwrap().1.err()
    }
}

/// A call of one page to 03-1234-5678.
pub(crate) fn one_page(job: i64) -> Call {
    Call {
        job,
        attempt: 1,
        number: FaxNumber::parse("0312345678", &CountryCode::JAPAN).unwrap(),
        calling_number: None,
        local_id: StationId::parse("+81 3 9999 0000").unwrap(),
        sub_address: None,
        fax: FaxFile {
            tiff: paper::tiff(1),
            pages: 1,
        },
        first_page: 0,
        ecm: true,
        fastest: Modem::V17,
        ring_timeout: Duration::from_secs(60),
    }
}

/// A trunk whose proxy is at this port of this machine.
pub(crate) fn trunk(name: &str, port: u16) -> Trunk {
    Trunk {
        name: name.to_owned(),
        proxy: SipUri::parse(&format!("sip:127.0.0.1:{port}")).unwrap(),
        domain: None,
        user: Some("fax".to_owned()),
        password_file: None,
        ca_file: None,
        register: false,
        lines: 10,
        calls_per_second: 100,
        number_format: NumberFormat::E164,
    }
}

impl Watch for Notes {
    fn note(&self, progress: CallProgress) {
        self.0.lock().unwrap().push(progress);
    }
}

impl Inbound for Nobody {
    fn serves(&self, _: &FaxNumber) -> bool {
        false
    }

    fn arrive(&self, _: InboundFax) -> Later<'_, bool> {
        Box::pin(std::future::ready(false))
    }
}

impl Far {
    /// Begins a scenario, and waits until it listens.
    pub(crate) fn plays(scenario: &str, keys: &[(&str, &str)]) -> Self {
        Self::plays_over("u1", scenario, keys)
    }

    /// The same over this transport of sipp.
    pub(crate) fn plays_over(wire: &str, scenario: &str, keys: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sipp");
        let mut text = std::fs::read_to_string(file.join(scenario)).unwrap();
        for (key, value) in keys {
            text = text.replace(&format!("{{{key}}}"), value);
        }
        std::fs::write(folder.path().join(scenario), text).unwrap();
        let port = free_port();
        let mut command = Command::new("sipp");
        command
            .arg("-sf")
            .arg(scenario)
            .args(["-m", "1", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .args([
                "-t",
                wire,
                "-nostdin",
                "-timeout",
                "100s",
                "-timeout_error",
                "-trace_err",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(folder.path());
        let child = command.spawn().unwrap();
        wait_for("sipp to listen", || {
            let taken = match wire {
                "u1" => UdpSocket::bind(("127.0.0.1", port)).is_err(),
                _ => std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
            };
            taken.then_some(())
        });
        Self {
            port,
            child,
            folder,
        }
    }

    /// Waits for its end: everything went as the scenario says.
    pub(crate) fn ends_content(mut self) {
        let status = wait_for("sipp to end", || self.child.try_wait().unwrap());
        let logs = std::fs::read_dir(self.folder.path()).unwrap();
        let logs = logs.map(|entry| entry.unwrap().path());
        let errors: Vec<_> = logs
            .filter(|log| log.extension().is_some_and(|end| end == "log"))
            .map(|log| std::fs::read_to_string(log).unwrap())
            .collect();
        assert!(status.success(), "{errors:?}");
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // It has usually ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
