//! A service that plays recorded answers, and notes what it is asked.

use std::collections::VecDeque;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

/// A fax that was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    /// Path and query.
    pub(crate) target: String,
    /// Header lines, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Submission {
    /// A value of the query, as it stands there.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(of, _)| *of == key).map(|(_, value)| value)
    }
}

/// How one kind of question is answered: in this order, the last answer for ever. Names of recordings, and:
pub(crate) const LOST: &str = "(nothing: the connection ends)";
pub(crate) const HELD: &str = "(nothing, and the connection stays)";
pub(crate) const HUGE: &str = "(a body that never ends)";

#[derive(Default)]
struct Script {
    submit: VecDeque<&'static str>,
    ask: VecDeque<&'static str>,
    search: VecDeque<&'static str>,
    list: VecDeque<&'static str>,
    submissions: Vec<Submission>,
    asked: Vec<String>,
    held: Vec<TcpStream>,
}

/// The service.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            script: Arc::default(),
        };
        upstream.script.lock().unwrap().list.push_back("none");
        let serving = upstream.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        upstream
    }

    /// How submissions are answered from now on.
    pub(crate) fn submit(self, answers: &[&'static str]) -> Self {
        self.script.lock().unwrap().submit = answers.iter().copied().collect();
        self
    }

    /// How questions for a fax are answered from now on.
    pub(crate) fn ask(self, answers: &[&'static str]) -> Self {
        self.script.lock().unwrap().ask = answers.iter().copied().collect();
        self
    }

    /// How searches are answered from now on.
    pub(crate) fn search(self, answers: &[&'static str]) -> Self {
        self.script.lock().unwrap().search = answers.iter().copied().collect();
        self
    }

    /// How lists are answered from now on.
    pub(crate) fn list(self, answers: &[&'static str]) -> Self {
        self.script.lock().unwrap().list = answers.iter().copied().collect();
        self
    }

    pub(crate) fn submissions(&self) -> Vec<Submission> {
        self.script.lock().unwrap().submissions.clone()
    }

    /// Targets of all questions.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let mut words = head.split_whitespace();
        let (method, target) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let method = method.to_owned();
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let submission = Submission {
            target: target.clone(),
            head,
            body,
        };
        let answer = self.choose(&method, submission);
        self.play(answer, reader.into_inner());
    }

    fn choose(&self, method: &str, submission: Submission) -> &'static str {
        let mut script = self.script.lock().unwrap();
        let target = submission.target.clone();
        script.asked.push(format!("{method} {target}"));
        let path = target.split('?').next().unwrap();
        let answers = match (method, path) {
            ("POST", "/outbound/faxes") => {
                script.submissions.push(submission);
                &mut script.submit
            }
            ("GET", "/outbound/search") => &mut script.search,
            ("GET", "/outbound/faxes") => &mut script.list,
            ("GET", "/outbound/faxes/279415116") => &mut script.ask,
            other => panic!("nobody asks {other:?}"),
        };
        match answers.len() {
            0 => "not_found",
            1 => answers[0],
            _ => answers.pop_front().unwrap(),
        }
    }

    fn play(&self, answer: &'static str, mut stream: TcpStream) {
        // The gateway may be gone: then nobody reads.
        match answer {
            LOST => {}
            HELD => self.script.lock().unwrap().held.push(stream),
            HUGE => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/json\r\n\r\n[");
                while stream.write_all(&[b' '; 65_536]).is_ok() {}
            }
            recorded => {
                let _ = stream.write_all(&self.recorded(recorded));
            }
        }
    }

    fn recorded(&self, name: &str) -> Vec<u8> {
        let text = std::fs::read_to_string(format!("fixtures/interfax/{name}.http")).unwrap();
        let submissions = self.submissions();
        let reference = submissions.last().and_then(|last| last.query("reference"));
        let text = text
            .replace("{base}", &format!("http://{}", self.address))
            .replace("{reference}", reference.unwrap_or_default());
        let (head, body) = text.split_once("\n\n").unwrap();
        let head = head.replace('\n', "\r\n");
        format!("{head}\r\nConnection: close\r\n\r\n{body}").into_bytes()
    }
}
