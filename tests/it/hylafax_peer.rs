//! Debian's HylaFAX, a T.30 of its own, sends a page through a class 1 modem to our receiver.

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

use crate::gateway::free_port;
use crate::gateway::run_with_input;
use crate::gateway::wait_for;
use crate::modem::station;
use crate::modem::station::Station;

const CALLER: &str = "+81 3 9999 0001";

/// Makes a spool of its own, of what Debian installs, and runs the servers of HylaFAX in it.
const SERVERS: &str = r#"
spool=$folder/spool
cp -a /var/spool/hylafax "$spool"
rm -rf "$spool/etc" "$spool/FIFO" && cp -a /etc/hylafax "$spool/etc"
cp "$folder/modem" "$spool/etc/config.$modem"
mkdir "$folder/lock"
install -m 600 "$folder/hosts" "$spool/etc/hosts.hfaxd"
chown uucp:uucp "$spool" "$folder/lock" "$spool/etc/hosts.hfaxd"
# Locks name processes by numbers that mean something in one namespace only.
mount --bind "$folder/lock" "$(realpath /var/lock)"
faxq -q "$spool" -D &
hfaxd -d -q "$spool" -l 127.0.0.1 -i "$port" &
# A message to the queue's process, which may not listen yet: said until a call has begun.
until ls "$spool"/log/c0* >"$folder/begun" 2>&1; do
    faxmodem -q "$spool" -u 1 "${device#/dev/}" || true
    sleep 0.5
done
wait
"#;

/// HylaFAX with its modem; ends with everything that it started when dropped.
struct HylaFax {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl HylaFax {
    /// Starts it. It runs in a namespace of processes, so that none outlives the test.
    fn start(device: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its servers are the user uucp.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        std::fs::write(folder.path().join("modem"), settings()).unwrap();
        std::fs::write(
            folder.path().join("hosts"),
            "localhost:21::\n127.0.0.1:21::\n",
        )
        .unwrap();
        let port = free_port();
        let device = device.to_str().unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare"]);
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["sh", "-euc", SERVERS]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("folder", folder.path());
        command.env("port", port.to_string());
        command.env("device", device);
        // What its configuration is named after.
        let name = device.trim_start_matches("/dev/").replace('/', "_");
        command.env("modem", name);
        command.stdin(Stdio::null());
        command.stderr(output.try_clone().unwrap()).stdout(output);
        let process = command.spawn().unwrap();
        let hylafax = Self {
            folder,
            port,
            process,
        };
        wait_for("HylaFAX to listen", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        hylafax
    }

    /// Hands it a fax, to be tried once.
    fn send(&self, document: &Path) {
        let mut sendfax = Command::new("sendfax");
        sendfax.args(["-h", &format!("127.0.0.1:{}", self.port)]);
        // No cover page; fine; one call, one try.
        sendfax.args(["-n", "-m", "-T", "1", "-t", "1", "-f", "root@localhost"]);
        sendfax.args(["-d", "0312345678"]).arg(document);
        let output = run_with_input(sendfax, "");
        assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    }

    /// What it wrote of its first job, once that is done.
    fn done(&self) -> String {
        wait_for("HylaFAX to be done", || {
            std::fs::read_to_string(self.folder.path().join("spool/doneq/q1")).ok()
        })
    }

    fn logs(&self) -> String {
        let sessions = std::fs::read_dir(self.folder.path().join("spool/log"));
        let files = sessions.into_iter().flatten().flatten();
        let files = files.map(|file| file.path());
        let logs = files.chain([self.folder.path().join("output")]);
        let logs = logs.map(|path| std::fs::read(path).unwrap_or_default());
        logs.map(|log| String::from_utf8_lossy(&log).into_owned())
            .collect()
    }
}

impl Drop for HylaFax {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

/// The modem's configuration. Error correction in class 1 does not work with the modem's library; a line with the
/// sender's name would be drawn into the page.
fn settings() -> String {
    format!(
        "CountryCode: 81\nAreaCode: 3\nLongDistancePrefix: 0\nInternationalPrefix: 010\n\
         FAXNumber: +81.3.9999.0001\nLocalIdentifier: \"{CALLER}\"\nDialStringRules: etc/dialrules\n\
         SessionTracing: 0xFFF\nTagLineFormat: \"\"\n\
         ModemType: Class1\nModemRate: 115200\nModemFlowControl: xonxoff\nModemDialCmd: ATDT%s\n\
         ModemResetDelay: 100\nModemBaudDelay: 0\nModemDTRDropDelay: 0\nClass1ECMSupport: no\n"
    )
}

#[test]
fn a_page_of_hylafax_arrives_as_it_was_sent() {
    let station = Station::open();
    let hylafax = HylaFax::start(station.device());
    let document = hylafax.folder.path().join("page.tiff");
    let page = faxpage::write_tiff(&[station::sparse_page()]);
    std::fs::write(&document, page).unwrap();
    hylafax.send(&document);
    station::assert_arrived(&station.ended(), CALLER);
    let job = hylafax.done();
    for line in ["state:7", "npages:1", "statuscode:0"] {
        assert!(job.lines().any(|said| said == line), "{job}");
    }
    assert!(job.contains(&format!("csi:{}", station::OURS)), "{job}");
}
