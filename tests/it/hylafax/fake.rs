//! A server that speaks HylaFAX's protocol and does at one command what the real one never does.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

/// What it does in the place of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Closes the connection; the command was not obeyed.
    Close,
    /// The same, but the command was obeyed.
    ObeyAndClose,
    /// Never answers and does nothing.
    Silence,
    /// Never answers, but the command was obeyed.
    ObeyInSilence,
    /// Says this.
    Say(String),
}

/// A job of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    pub(crate) parameters: BTreeMap<String, String>,
    /// What `JPARM STATE` says, one after another; the last stays.
    pub(crate) states: Vec<&'static str>,
    /// It was ended before it was dialled.
    undialled: bool,
}

#[derive(Default)]
struct Inner {
    fault: Option<(String, Fault)>,
    jobs: BTreeMap<u32, Job>,
    submitted: u32,
    stored: Vec<Vec<u8>>,
    states: Vec<&'static str>,
    code: String,
    received: String,
}

/// The server. Its threads end with the process.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Fake {
    /// A server that sends every job at once.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Inner {
            states: vec!["READY", "ACTIVE", "DONE"],
            code: "E000".to_owned(),
            ..Inner::default()
        };
        let fake = Self {
            address,
            inner: Arc::new(Mutex::new(inner)),
        };
        let served = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (fake, stream) = (served.clone(), stream.unwrap());
                // How a connection ends is the client's matter.
                std::thread::spawn(move || drop(Connection::new(fake, stream).serve()));
            }
        });
        fake
    }

    /// Once, at the first command that begins so.
    pub(crate) fn fault(&self, command: &str, fault: Fault) {
        self.inner.lock().unwrap().fault = Some((command.to_owned(), fault));
    }

    /// How jobs go from now on, and with which number they end.
    pub(crate) fn jobs_go(&self, states: &[&'static str], code: &str) {
        let mut inner = self.inner.lock().unwrap();
        inner.states = states.to_vec();
        inner.code = code.to_owned();
    }

    /// What `LIST recvq` says.
    pub(crate) fn receives(&self, list: &str) {
        self.inner.lock().unwrap().received = list.to_owned();
    }

    pub(crate) fn submitted(&self) -> u32 {
        self.inner.lock().unwrap().submitted
    }

    pub(crate) fn jobs(&self) -> BTreeMap<u32, Job> {
        self.inner.lock().unwrap().jobs.clone()
    }

    /// Takes all jobs away.
    pub(crate) fn lose_jobs(&self) {
        self.inner.lock().unwrap().jobs.clear();
    }

    pub(crate) fn stored(&self) -> Vec<Vec<u8>> {
        self.inner.lock().unwrap().stored.clone()
    }
}

struct Connection {
    fake: Fake,
    stream: TcpStream,
    data: Option<TcpListener>,
    made: Job,
    current: u32,
}

impl Connection {
    fn new(fake: Fake, stream: TcpStream) -> Self {
        Self {
            fake,
            stream,
            data: None,
            made: Job::default(),
            current: 0,
        }
    }

    fn serve(mut self) -> std::io::Result<()> {
        let lines = BufReader::new(self.stream.try_clone()?).lines();
        for line in std::iter::once(Ok(String::new())).chain(lines) {
            let line = line?;
            let fault = {
                let mut inner = self.fake.inner.lock().unwrap();
                match &inner.fault {
                    Some((at, _)) if line.starts_with(at) => inner.fault.take(),
                    Some(_) | None => None,
                }
            };
            let Some((_, fault)) = fault else {
                let answer = self.obey(&line)?;
                write!(self.stream, "{answer}\r\n")?;
                continue;
            };
            match fault {
                Fault::Close => return Ok(()),
                Fault::ObeyAndClose => return self.obey(&line).map(drop),
                Fault::Silence => {}
                Fault::ObeyInSilence => drop(self.obey(&line)?),
                Fault::Say(text) => write!(self.stream, "{text}")?,
            }
        }
        Ok(())
    }

    /// The answer to a command; an empty one is the beginning.
    fn obey(&mut self, line: &str) -> std::io::Result<String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match verb {
            "" => "220 ready".to_owned(),
            "USER" => "331 Password required".to_owned(),
            "PASS" | "ADMIN" => "230 in".to_owned(),
            "PASV" => self.listen()?,
            "STOT" => self.store()?,
            "LIST" => self.list(rest)?,
            "RETR" | "MDTM" | "DELE" => "550 no".to_owned(),
            "JNEW" => {
                self.made = Job::default();
                let known = self.fake.inner.lock().unwrap().jobs.len();
                self.current = 100 + u32::try_from(known).unwrap();
                format!(
                    "200 New job created: jobid: {0} groupid: {0}.",
                    self.current
                )
            }
            "JSUBM" => self.submit(),
            "JOB" => {
                self.current = rest.parse().unwrap_or(0);
                let there = self.fake.jobs().contains_key(&self.current);
                let answer = if there {
                    "200 Current job"
                } else {
                    "500 no such job"
                };
                answer.to_owned()
            }
            "JKILL" | "JDELE" => {
                let mut inner = self.fake.inner.lock().unwrap();
                let job = rest.parse().unwrap_or(0);
                match inner.jobs.get_mut(&job) {
                    Some(job) if verb == "JKILL" => {
                        job.undialled = job.states == ["SUSPENDED"];
                        job.states = vec!["FAILED"];
                        inner.code = "E345".to_owned();
                    }
                    Some(_) => drop(inner.jobs.remove(&job)),
                    None => return Ok("500 no such job".to_owned()),
                }
                "200 done".to_owned()
            }
            "JPARM" => self.parameter(rest),
            _ => "200 fine".to_owned(),
        })
    }

    fn listen(&mut self) -> std::io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port().to_be_bytes();
        self.data = Some(listener);
        // An address that is not ours: a client must not believe it.
        Ok(format!(
            "227 Entering passive mode (192,0,2,1,{},{})",
            port[0], port[1]
        ))
    }

    fn accepted(&mut self) -> std::io::Result<TcpStream> {
        let listener = self.data.take().expect("PASV came first");
        Ok(listener.accept()?.0)
    }

    fn store(&mut self) -> std::io::Result<String> {
        write!(
            self.stream,
            "150 FILE: /tmp/doc1.ps (Opening new data connection).\r\n"
        )?;
        let mut bytes = Vec::new();
        self.accepted()?.read_to_end(&mut bytes)?;
        self.fake.inner.lock().unwrap().stored.push(bytes);
        Ok("226 Transfer complete (FILE: /tmp/doc1.ps).".to_owned())
    }

    fn list(&mut self, queue: &str) -> std::io::Result<String> {
        write!(self.stream, "150 Opening new data connection.\r\n")?;
        let text = self.listed(queue);
        self.accepted()?.write_all(text.as_bytes())?;
        Ok("226 Transfer complete.".to_owned())
    }

    fn listed(&self, queue: &str) -> String {
        let inner = self.fake.inner.lock().unwrap();
        if queue == "recvq" {
            return inner.received.clone();
        }
        let mut text = "1 W somebody's\r\n\r\n\u{fffd}\r\n".to_owned();
        for (id, job) in &inner.jobs {
            let over = |state: &&str| matches!(*state, "DONE" | "FAILED");
            let state = job.states.first().copied().unwrap_or("READY");
            let here = over(&state) == (queue == "doneq");
            let letter = match state {
                "SUSPENDED" => "T",
                "ACTIVE" => "R",
                "DONE" => "D",
                "FAILED" => "F",
                _ => "W",
            };
            let note = job.parameters["JOBINFO"].trim_matches('"');
            if here {
                text.push_str(&format!("{id} {letter} {note}\r\n"));
            }
        }
        text
    }

    fn submit(&mut self) -> String {
        let mut inner = self.fake.inner.lock().unwrap();
        let mut job = self.made.clone();
        job.states = inner.states.clone();
        inner.submitted += 1;
        inner.jobs.insert(self.current, job);
        format!("200 Job {} submitted.", self.current)
    }

    fn parameter(&mut self, rest: &str) -> String {
        if let Some((name, value)) = rest.split_once(' ') {
            self.made
                .parameters
                .insert(name.to_owned(), value.to_owned());
            return format!("213-{name}\r\n213 {name} set to {value}.");
        }
        let mut inner = self.fake.inner.lock().unwrap();
        let code = inner.code.clone();
        let Some(job) = inner.jobs.get_mut(&self.current) else {
            return "500 no such job".to_owned();
        };
        let done = job.states.first() == Some(&"DONE");
        match rest {
            "STATE" if job.states.len() > 1 => format!("213 {}", job.states.remove(0)),
            "STATE" => format!("213 {}", job.states[0]),
            "ERRORCODE" => format!("213 {code}"),
            "STATUS" => "213 In words".to_owned(),
            "NPAGES" => format!("213 {}", if done { 3 } else { 1 }),
            "TOTDIALS" => format!("213 {}", u32::from(!job.undialled)),
            "JOBINFO" => format!("213 {}", job.parameters["JOBINFO"].trim_matches('"')),
            _ => "500 what?".to_owned(),
        }
    }
}
