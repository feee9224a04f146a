//! SIP messages as text (RFC 3261).

/// A request or a response.
pub(super) struct Message {
    /// The first line.
    pub(super) start: String,
    headers: Vec<(String, String)>,
    /// What follows the header.
    pub(super) body: String,
}

impl Message {
    /// `None` if it is not whole yet.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(octets).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some(Self {
            start,
            headers: headers.collect(),
            body: body.to_owned(),
        })
    }

    /// The method, or `SIP/2.0` of a response.
    pub(super) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// A header field; empty without it.
    pub(super) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(own, _)| own == name);
        found.next().map_or("", |(_, value)| value)
    }

    /// `To` with our tag.
    pub(super) fn to(&self) -> String {
        match self.header("to") {
            tagged if tagged.contains(";tag=") => tagged.to_owned(),
            new => format!("{new};tag=far"),
        }
    }

    /// The response to this request.
    pub(super) fn response(&self, status: &str, further: &str, body: &str) -> String {
        let copied = ["via", "from", "call-id", "cseq"].map(|name| {
            let all = self.headers.iter().filter(|(own, _)| own == name);
            all.map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect::<String>()
        });
        format!(
            "SIP/2.0 {status}\r\n{}To: {}\r\n{further}Content-Length: {}\r\n\r\n{body}",
            copied.concat(),
            self.to(),
            body.len()
        )
    }
}
