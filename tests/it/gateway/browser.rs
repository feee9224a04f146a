//! A browser without scripts: pages, forms, cookies.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

use super::Gateway;
use super::Setup;
use super::free_port;

/// What the gateway answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) code: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The content.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    fn parse(all: &[u8]) -> Self {
        let end = all.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&all[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let code = lines.next().unwrap().split(' ').nth(1).unwrap();
        let fields = lines.map(|line| line.split_once(": ").unwrap());
        let mut answer = Self {
            code: code.parse().unwrap(),
            headers: fields
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            bytes: all[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.bytes = whole(&answer.bytes);
        }
        answer
    }

    /// The content as text.
    pub(crate) fn body(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// The first field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let found = fields.find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The hidden field of its first form.
    pub(crate) fn csrf(&self) -> String {
        let body = self.body();
        let (_, rest) = body.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }
}

/// A browser with its cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    /// Its cookies by name.
    pub(crate) cookies: BTreeMap<String, String>,
    /// Further fields of every request.
    pub(crate) further: Vec<(String, String)>,
}

impl Setup {
    /// With an account web on a free port.
    pub(crate) fn web(self) -> Self {
        let listen = format!("[\"127.0.0.1:{}\"]", free_port());
        self.set("web", "listen", &listen)
            .set("web", "max_logins_per_minute", "0")
            .set("web", "max_resets_per_minute", "0")
            .set("web", "max_requests_per_minute", "0")
    }
}

impl Gateway {
    /// A browser that has never been here; it asks for English.
    pub(crate) fn browser(&self) -> Browser {
        Browser::at(self.web.unwrap())
    }

    /// One that has logged in.
    pub(crate) fn logged_in(&self, login_id: &str, password: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.log_in(login_id, password);
        assert_eq!(answer.code, 303, "{}", answer.body());
        assert_eq!(answer.header("location"), Some("/sent"));
        browser
    }
}

impl Browser {
    /// A browser for the site at `address`; it asks for English.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            address,
            cookies: BTreeMap::new(),
            further: vec![("Accept-Language".to_owned(), "en".to_owned())],
        }
    }

    /// Fetches a page.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    /// Sends a form.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        self.ask("POST", path, Some(&fields.join("&")))
    }

    /// Sends a form with one CSV file.
    pub(crate) fn upload(&mut self, path: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
        self.send_files(path, fields, &[("file", "list.csv", "text/csv", file)])
    }

    /// Sends a form with files: field, name, type and content of each.
    pub(crate) fn send_files(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &str, &str, &[u8])],
    ) -> Answer {
        const BOUNDARY: &str = "----faxgate7MA4YWxkTrZu0gW";
        let mut form = Vec::new();
        for (name, value) in fields {
            let head = format!("Content-Disposition: form-data; name=\"{name}\"");
            form.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n").bytes());
        }
        for (field, name, kind, bytes) in files {
            // As browsers escape names (HTML, multipart form data).
            let name = name
                .replace('"', "%22")
                .replace('\r', "%0D")
                .replace('\n', "%0A");
            let head = format!(
                "Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: {kind}"
            );
            form.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").bytes());
            form.extend_from_slice(bytes);
            form.extend(b"\r\n");
        }
        form.extend(format!("--{BOUNDARY}--\r\n").bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let stream = self.begin_with("POST", path, Some((&kind, &form)), form.len());
        self.end(stream)
    }

    /// Begins to send a form with files, and does not go on as long as the connection is held.
    pub(crate) fn begin_files(&self, path: &str, csrf: &str) -> TcpStream {
        let head = "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n";
        let mut form = format!("{head}{csrf}\r\n--b\r\n").into_bytes();
        let begun = form.len();
        form.resize(100_000, b'x');
        let kind = "multipart/form-data; boundary=b";
        let mut stream = self.begin_with("POST", path, Some((kind, &form)), begun);
        stream.flush().unwrap();
        stream
    }

    /// Fetches the login form and sends it.
    pub(crate) fn log_in(&mut self, login_id: &str, password: &str) -> Answer {
        let csrf = self.get("/login").csrf();
        let fields = [
            ("login_id", login_id),
            ("password", password),
            ("csrf", &csrf),
        ];
        self.post("/login", &fields)
    }

    /// Any request.
    pub(crate) fn ask(&mut self, method: &str, path: &str, form: Option<&str>) -> Answer {
        let stream = self.begin(method, path, form);
        self.end(stream)
    }

    fn end(&mut self, mut stream: TcpStream) -> Answer {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let answer = Answer::parse(&all);
        self.keep(&answer);
        answer
    }

    /// Sends the login form and hangs up before the answer.
    pub(crate) fn log_in_and_hang_up(&mut self, login_id: &str, password: &str) {
        let csrf = self.get("/login").csrf();
        let form = format!("login_id={login_id}&password={password}&csrf={csrf}");
        drop(self.begin("POST", "/login", Some(&form)));
    }

    /// Follows events; the answer has begun when this returns.
    pub(crate) fn follow(&self, path: &str) -> Events {
        let stream = self.begin("GET", path, None);
        stream.set_read_timeout(Some(super::DEADLINE)).unwrap();
        let mut events = Events {
            stream,
            text: String::new(),
        };
        events.until("\r\n\r\n");
        events
    }

    /// Sends a form with its token.
    pub(crate) fn act(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.get("/sent").csrf();
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        self.post(path, &fields)
    }

    /// Sends a request and does not wait for its answer.
    fn begin(&self, method: &str, path: &str, form: Option<&str>) -> TcpStream {
        let kind = "application/x-www-form-urlencoded";
        let form = form.map(|form| (kind, form.as_bytes()));
        self.begin_with(method, path, form, usize::MAX)
    }

    /// Sends the first bytes of a form, at most `most`.
    fn begin_with(
        &self,
        method: &str,
        path: &str,
        form: Option<(&str, &[u8])>,
        most: usize,
    ) -> TcpStream {
        let mut head = self.head(method, path);
        if let Some((kind, form)) = form {
            let length = form.len();
            head += &format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        }
        head += "Connection: close\r\n\r\n";
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let form = form.map_or(&[][..], |(_, form)| form);
        // Whoever sends too much is answered before the end.
        let _ = stream.write_all(&form[..form.len().min(most)]);
        stream
    }

    /// The first line and the fields that every request has.
    fn head(&self, method: &str, path: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !self.further.iter().any(|(name, _)| name == "Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in &self.further {
            head += &format!("{name}: {value}\r\n");
        }
        let cookies = self.cookies.iter();
        let cookies: Vec<String> = cookies.map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            head += &format!("Cookie: {}\r\n", cookies.join("; "));
        }
        head
    }

    fn keep(&mut self, answer: &Answer) {
        let lines = answer.headers.iter();
        for (_, line) in lines.filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

/// The content of an answer that came in chunks (RFC 9112 section 7.1); its last one must be there.
fn whole(mut chunks: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = chunks.windows(2).position(|at| at == b"\r\n").unwrap();
        let length = std::str::from_utf8(&chunks[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend(&chunks[end + 2..end + 2 + length]);
        chunks = &chunks[end + 2 + length + 2..];
    }
}

/// Events as they come.
pub(crate) struct Events {
    stream: TcpStream,
    /// All that came so far, chunk sizes included.
    pub(crate) text: String,
}

impl Events {
    /// Waits until `text` has come; all that has.
    pub(crate) fn until(&mut self, text: &str) -> &str {
        while !self.text.contains(text) {
            assert!(self.more(), "it ended without {text}: {}", self.text);
        }
        &self.text
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> &str {
        while self.more() {}
        &self.text
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece).unwrap();
        self.text
            .push_str(&String::from_utf8_lossy(&piece[..count]));
        count > 0
    }
}

/// As forms encode it (application/x-www-form-urlencoded).
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let one = |byte: u8| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
