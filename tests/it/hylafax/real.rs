//! Debian's HylaFAX without a modem: its jobs wait until somebody ends them.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

use crate::gateway::free_port;
use crate::gateway::wait_for;

/// `crypt(3)` of `secret`, as it stands in `hosts.hfaxd`.
const HASH: &str = "abNANd1rDfiNc";

/// Makes a spool of its own, of what Debian installs.
const SPOOL: &str = r#"
spool=$folder/spool
mkdir "$spool"
(cd "$spool" && mkdir archive bin client config dev docq doneq info log pollq recvq sendq status tmp)
cp -a /etc/hylafax "$spool/etc"
echo 'DialStringRules: etc/dialrules' >"$spool/etc/config"
install -m 600 "$folder/hosts" "$spool/etc/hosts.hfaxd"
mkfifo -m 600 "$spool/FIFO"
chown -R uucp:uucp "$spool"
"#;

/// Runs the servers; `$scheduler` is `faxq`, or nothing at all.
const SERVERS: &str = r#"
spool=$folder/spool
[ -z "$scheduler" ] || faxq -q "$spool" -D &
hfaxd -d -q "$spool" -l 127.0.0.1 -i "$port" &
wait
"#;

/// HylaFAX; ends with everything that it started when dropped.
pub(crate) struct HylaFax {
    folder: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl HylaFax {
    /// Both of its servers.
    pub(crate) fn start() -> Self {
        let mut hylafax = Self::prepared();
        hylafax.run("faxq");
        hylafax
    }

    /// A spool; nothing runs yet.
    pub(crate) fn prepared() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its servers are the user uucp.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let hosts = format!("^faxgate@:21:{HASH}:{HASH}\n^operator@:21::{HASH}\n");
        std::fs::write(folder.path().join("hosts"), hosts).unwrap();
        let hylafax = Self {
            folder,
            port: free_port(),
            process: None,
        };
        let status = hylafax.shell(SPOOL).status().unwrap();
        assert!(status.success(), "no spool");
        hylafax
    }

    /// Starts it, on the same port each time, with this program as the scheduler.
    pub(crate) fn run(&mut self, scheduler: &str) {
        assert!(self.process.is_none(), "it runs already");
        // A namespace of processes: none outlives the test.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare"]);
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        let shell = self.shell(SERVERS);
        command.arg(shell.get_program()).args(shell.get_args());
        command.envs(
            shell
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command.env("scheduler", scheduler).stdin(Stdio::null());
        let output = File::create(self.folder.path().join("output")).unwrap();
        command.stderr(output.try_clone().unwrap()).stdout(output);
        self.process = Some(command.spawn().unwrap());
        wait_for("HylaFAX to listen", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
        if !scheduler.is_empty() {
            self.wait_for_scheduler();
        }
    }

    /// A message to the scheduler is taken once it listens.
    fn wait_for_scheduler(&self) {
        let fifo = self.path("FIFO");
        wait_for("the scheduler to listen", || {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
            rustix::fs::open(&fifo, flags, rustix::fs::Mode::empty()).ok()
        });
    }

    /// Ends it between any two instructions.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        wait_for("HylaFAX to be gone", || {
            TcpStream::connect(("127.0.0.1", self.port))
                .is_err()
                .then_some(())
        });
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-euc", script]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("folder", self.folder.path());
        command.env("port", self.port.to_string());
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("spool").join(name)
    }

    /// What it wrote of the jobs in a queue.
    pub(crate) fn jobs(&self, queue: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(queue)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_job = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with('q');
        let texts = paths
            .filter(is_job)
            .filter_map(|path| std::fs::read_to_string(path).ok());
        texts.collect()
    }

    /// The number of the job that waits with this note.
    pub(crate) fn waiting(&self, note: &str) -> String {
        wait_for("the job to wait", || {
            let jobs = self.jobs("sendq");
            let noted = format!("jobtag:{note}");
            let job = jobs
                .iter()
                .find(|job| job.lines().any(|line| line == noted))?;
            // 5 is ready, 6 active: the scheduler has it.
            job.lines()
                .find(|line| ["state:5", "state:6"].contains(line))?;
            job.lines()
                .find_map(|line| line.strip_prefix("jobid:").map(str::to_owned))
        })
    }

    /// Somebody at the server says this.
    pub(crate) fn operator(&self, command: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut stream = stream;
        let mut last = lines.next().unwrap().unwrap();
        for command in ["USER operator", "ADMIN secret", command] {
            write!(stream, "{command}\r\n").unwrap();
            last = lines.next().unwrap().unwrap();
        }
        last
    }

    /// Puts a file into the queue of received faxes, as its owner does.
    pub(crate) fn receive(&self, name: &str, tiff: &[u8]) -> PathBuf {
        let path = self.path("recvq").join(name);
        let hidden = self.path("recvq/.new");
        std::fs::write(&hidden, tiff).unwrap();
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600)).unwrap();
        give_to_uucp(&hidden);
        std::fs::rename(&hidden, &path).unwrap();
        path
    }
}

fn give_to_uucp(path: &Path) {
    let status = Command::new("chown").arg("uucp:uucp").arg(path).status();
    assert!(status.unwrap().success());
}

impl Drop for HylaFax {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let output = std::fs::read_to_string(self.folder.path().join("output"));
            eprintln!("{}", output.unwrap_or_default());
        }
    }
}
