//! A mail server in namespaces of its own: it sees users, spool and sockets that nobody else has, and ends with its story.

use std::fs::File;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

use crate::certificates::Made;
use crate::gateway::free_port;
use crate::gateway::wait_for;

/// How a program differs from the others.
pub(crate) struct Program {
    /// Its log, below the server's folder.
    pub(crate) log: &'static str,
    /// What the log says each time when a mail has to wait for the login's sake.
    pub(crate) deferral: &'static str,
    /// Where the password stands, below the server's folder, and what stands around it.
    pub(crate) secret: (&'static str, &'static str),
    /// A command that makes it try again what waits, run where it runs; `$folder` is its folder.
    pub(crate) retry: &'static str,
}

/// A running mail server; killed with everything it started when dropped.
pub(crate) struct Server {
    /// Where it takes mail.
    pub(crate) smtp: SocketAddr,
    program: Program,
    folder: TempDir,
    process: Child,
}

/// A server that is being set up.
pub(crate) struct Place {
    /// Where it is to take mail.
    pub(crate) smtp: SocketAddr,
    folder: TempDir,
}

/// Where `./test --deps` unpacks programs: `foreign` in the target folder.
pub(crate) fn foreign(path: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_faxgate"));
    let folders = built.ancestors().map(|folder| folder.join("foreign"));
    let folder = folders.into_iter().find(|folder| folder.is_dir());
    let found = folder.map(|folder| folder.join(path));
    let found = found.filter(|path| path.exists());
    found.unwrap_or_else(|| panic!("{path} is not unpacked; ./test --deps does it"))
}

impl Place {
    /// A folder that other users may enter, with the gateway's certificate in it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let place = Self {
            smtp: SocketAddr::from(([127, 0, 0, 1], free_port())),
            folder,
        };
        place.file("cert.pem", &Made::shared().certificate);
        place
    }

    /// A path below the folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file below the folder.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Adds users that the program insists on, each with a group of its own, to what it sees as the
    /// system's users.
    pub(crate) fn users(&self, names: &[&str]) {
        for file in ["passwd", "group"] {
            let mut text = std::fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            for (number, name) in names.iter().enumerate() {
                let known = text
                    .lines()
                    .any(|line| line.starts_with(&format!("{name}:")));
                let id = FIRST_ID + number;
                match (known, file) {
                    (true, _) => {}
                    (false, "group") => text.push_str(&format!("{name}:x:{id}:\n")),
                    (false, _) => {
                        text.push_str(&format!("{name}:x:{id}:{id}::/:/usr/sbin/nologin\n"));
                    }
                }
            }
            self.file(file, &text);
        }
    }

    /// Runs `script` by a shell in namespaces of its own; it ends with the server in the foreground.
    ///
    /// The shell stays the first process there, so that all others end with it. It ends with us: a
    /// server cannot be it, because a change of its user undoes that (prctl(2), `PR_SET_PDEATHSIG`).
    pub(crate) fn start(self, program: Program, script: &str) -> Server {
        let output = File::create(self.folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare"]);
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        // More than one command, or the shell becomes the last.
        command.args(["sh", "-euc", &format!("{script}\nexit $?")]);
        command.env("folder", self.folder.path()).env("PATH", PATH);
        command
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap());
        let process = command.stdout(output).spawn();
        let process = process.unwrap_or_else(|error| panic!("setpriv: {error}"));
        let mut server = Server {
            smtp: self.smtp,
            program,
            folder: self.folder,
            process,
        };
        wait_for("the mail server to listen", || {
            if let Some(status) = server.process.try_wait().unwrap() {
                panic!("{status}: {}{}", server.output(), needs());
            }
            TcpStream::connect(server.smtp).ok()
        });
        server
    }
}

impl Server {
    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join(self.program.log)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output")).unwrap()
    }

    /// What it says if a mail has to wait.
    pub(crate) fn failure(&self) -> Option<String> {
        let log = self.log();
        log.contains(self.program.deferral).then_some(log)
    }

    /// Waits until mails had to wait so many times.
    pub(crate) fn wait_for_deferral(&self, times: usize) {
        let what = format!("{:?} {times} times in its log", self.program.deferral);
        wait_for(&what, || {
            let said = self.log().matches(self.program.deferral).count();
            (said >= times).then_some(())
        });
    }

    /// Writes another password where it looks for it.
    pub(crate) fn correct(&self, password: &str) {
        let (name, around) = self.program.secret;
        let path = self.folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let wrong = around.replace('*', super::WRONG);
        assert!(text.contains(&wrong), "{text}");
        let text = text.replace(&wrong, &around.replace('*', password));
        std::fs::write(path, text).unwrap();
    }

    /// Has it try what waits.
    pub(crate) fn retry(&self) {
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = std::fs::read_to_string(children).unwrap();
        let inside = children.split_whitespace().next().unwrap();
        let mut command = Command::new("nsenter");
        command.args(["--target", inside, "--mount", "--pid"]);
        command.args(["sh", "-euc", self.program.retry]);
        command.env("folder", self.folder.path()).env("PATH", PATH);
        let output = crate::gateway::run_with_input(command, "");
        assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.output(), self.log());
        }
    }
}

fn needs() -> &'static str {
    "\nA mail server has users of its own, and a view of the file system in which they exist: this story must \
     run as root with CAP_SYS_ADMIN (unshare, mount)."
}

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Ids that Debian gives to nobody by itself.
const FIRST_ID: usize = 64_901;
