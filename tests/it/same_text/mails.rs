//! Mails with a password in them, made from a seed: the same seed with another password of the same
//! characters is the same mail, letter by letter, but for the password.

use encoding_rs::Encoding;

use crate::gateway::base64;

/// A small generator of the xorshift kind; a story is repeated from its seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Seeds that follow each other begin alike.
        random.below(2);
        random.below(2);
        random
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % end
    }

    pub(super) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }
}

/// A mail, and what is to become of it.
pub(super) struct Made {
    pub(super) raw: Vec<u8>,
    /// Texts that are not the password and that a page shows, or a refusal tells.
    pub(super) kept: Vec<String>,
    /// What was chosen, for people.
    pub(super) how: String,
    /// Whether bytes were changed afterwards: nobody knows what it says then.
    pub(super) damaged: bool,
    /// Whether the sender's own line is where it must be found.
    pub(super) must_be_found: bool,
}

/// Lines before anybody encodes them.
struct Lines {
    lines: Vec<String>,
    /// The one with the sender's password.
    own: Option<String>,
    charset: Charset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Utf8,
    Jis,
    ShiftJis,
    EucJp,
    Latin1,
    Latin9,
    Windows1252,
    Utf16,
    Gb18030,
}

const CHARSETS: [Charset; 9] = [
    Charset::Utf8,
    Charset::Jis,
    Charset::ShiftJis,
    Charset::EucJp,
    Charset::Latin1,
    Charset::Latin9,
    Charset::Windows1252,
    Charset::Utf16,
    Charset::Gb18030,
];

impl Charset {
    fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Jis => "iso-2022-jp",
            Self::ShiftJis => "Shift_JIS",
            Self::EucJp => "euc-jp",
            Self::Latin1 => "ISO-8859-1",
            Self::Latin9 => "iso-8859-15",
            Self::Windows1252 => "windows-1252",
            Self::Utf16 => "utf-16",
            Self::Gb18030 => "gb18030",
        }
    }

    fn is_japanese(self) -> bool {
        matches!(
            self,
            Self::Utf8 | Self::Jis | Self::ShiftJis | Self::EucJp | Self::Utf16
        )
    }

    /// Whether it has every character.
    fn is_wide(self) -> bool {
        matches!(self, Self::Utf8 | Self::Utf16 | Self::Gb18030)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Latin1 | Self::Latin9 | Self::Windows1252 => "Größe für Übung",
            Self::Gb18030 => "请查收附件合同",
            _ => "見積書をお送りします",
        }
    }

    fn bytes(self, text: &str) -> Vec<u8> {
        if self == Self::Utf16 {
            let units = text.encode_utf16().flat_map(u16::to_be_bytes);
            return [0xfe, 0xff].into_iter().chain(units).collect();
        }
        let encoding = Encoding::for_label(self.label().as_bytes()).unwrap();
        encoding.encode(text).0.into_owned()
    }
}

/// Makes the mail of `seed` with `secret` in it.
pub(super) fn made(seed: u64, secret: &str) -> Made {
    let mut maker = Maker {
        seed,
        stage: 0,
        in_file: false,
        random: Random::new(seed),
        secret,
        how: format!("seed {seed}:"),
        kept: Vec::new(),
        boundaries: 0,
        must_be_found: true,
    };
    let mut raw = maker.mail();
    let damaged = maker.random.one_in(4);
    if damaged {
        for _ in 0..=maker.random.below(4) {
            maker.damage(&mut raw);
        }
    }
    Made {
        raw,
        kept: maker.kept,
        how: maker.how,
        damaged,
        must_be_found: maker.must_be_found,
    }
}

struct Maker<'s> {
    seed: u64,
    stage: u64,
    in_file: bool,
    random: Random,
    secret: &'s str,
    how: String,
    kept: Vec<String>,
    boundaries: usize,
    must_be_found: bool,
}

impl Maker<'_> {
    fn note(&mut self, what: &str) {
        self.how.push(' ');
        self.how.push_str(what);
    }

    fn mail(&mut self) -> Vec<u8> {
        let mut head = self.head();
        let (fields, body) = self.whole();
        head.push_str(&fields);
        head.push_str("\r\n");
        [head.into_bytes(), body].concat()
    }

    /// The fields of the message, in some of which people and programs leave passwords.
    fn head(&mut self) -> String {
        let secret = self.secret;
        let mut head = String::from("From: tanaka@customer.example\r\nMIME-Version: 1.0\r\n");
        let encoded = base64(format!("password: {secret}").as_bytes()).replace("\r\n", "");
        let subjects = [
            "offer".to_owned(),
            format!("password: {secret}"),
            format!("offer {secret} /b"),
            format!("offer /h {{{secret}}} /b"),
            format!("offer /h {{password: {secret}}}"),
            format!("=?utf-8?B?{encoded}?="),
            format!("Re: > password: {secret} /fonttype {{{secret}}}"),
        ];
        head.push_str(&format!("Subject: {}\r\n", self.random.of(&subjects)));
        let others = [
            format!("Message-ID: <{secret}@customer.example>\r\n"),
            format!("Received: from {secret} by a.example for <{secret}@b.example>; today\r\n"),
            format!("X-Note: password: {secret}\r\n"),
            format!("Comments: x\r\n password: {secret}\r\n"),
            format!("Reply-To: \"{secret}\" <tanaka@customer.example>\r\n"),
            "Message-ID: <1@customer.example>\r\n".to_owned(),
        ];
        for field in others {
            if self.random.one_in(4) {
                head.push_str(&field);
            }
        }
        head
    }

    /// Content fields and body of the message.
    fn whole(&mut self) -> (String, Vec<u8>) {
        match self.random.below(8) {
            0..=2 => self.text(true, true),
            3 => self.html(true, true),
            4 => self.alternative(true),
            5 => self.mixed(),
            6 => self.forwarding(),
            _ => {
                let inner = self.alternative(true);
                let more = self.attachment();
                self.multipart("mixed", vec![inner, more])
            }
        }
    }

    fn mixed(&mut self) -> (String, Vec<u8>) {
        let first = match self.random.one_in(3) {
            true => self.html(true, true),
            false => self.text(true, true),
        };
        let mut parts = vec![first];
        for _ in 0..=self.random.below(3) {
            parts.push(match self.random.below(3) {
                0 => self.text(false, true),
                _ => self.attachment(),
            });
        }
        self.multipart("mixed", parts)
    }

    fn alternative(&mut self, own: bool) -> (String, Vec<u8>) {
        let plain = self.text(own, true);
        let (mut parts, html) = (vec![plain], self.html(own, false));
        // Plain text is taken wherever it stands.
        parts.insert(self.random.below(2), html);
        self.multipart("alternative", parts)
    }

    fn forwarding(&mut self) -> (String, Vec<u8>) {
        let own = self.text(true, true);
        let secret = self.secret;
        let (fields, body) = match self.random.below(3) {
            0 => self.alternative(false),
            1 => self.html(false, true),
            _ => self.text(false, true),
        };
        let mut inner = format!("From: a@b.example\r\nSubject: password: {secret}\r\n{fields}\r\n")
            .into_bytes();
        inner.extend(body);
        let (field, inner) = match self.random.one_in(3) {
            true => (
                "Content-Transfer-Encoding: base64\r\n",
                base64(&inner).into_bytes(),
            ),
            false => ("", inner),
        };
        self.note("message/rfc822");
        let part = (format!("Content-Type: message/rfc822\r\n{field}"), inner);
        self.multipart("mixed", vec![own, part])
    }

    fn multipart(&mut self, kind: &str, parts: Vec<(String, Vec<u8>)>) -> (String, Vec<u8>) {
        self.boundaries += 1;
        self.note(kind);
        let boundary = format!("=_b{}_", self.boundaries);
        let mut body = Vec::new();
        if self.random.one_in(4) {
            body.extend(format!("password: {}\r\n", self.secret).bytes());
        }
        for (fields, content) in parts {
            body.extend(format!("--{boundary}\r\n{fields}\r\n").bytes());
            body.extend(content);
            body.extend(b"\r\n");
        }
        if !self.random.one_in(8) {
            body.extend(format!("--{boundary}--\r\n").bytes());
            if self.random.one_in(4) {
                body.extend(format!("password: {}\r\n", self.secret).bytes());
            }
        }
        let fields = format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n");
        (fields, body)
    }

    /// Text that is attached as a file, or something nobody can draw.
    fn attachment(&mut self) -> (String, Vec<u8>) {
        let secret = self.secret;
        let names = [
            "a.txt".to_owned(),
            format!("{secret}.txt"),
            format!("password: {secret}.txt"),
            format!("> password: {secret}.csv"),
        ];
        let name = self.random.of(&names).clone();
        let disposition = match self.random.below(3) {
            0 => format!("Content-Disposition: attachment; filename=\"{name}\"\r\n"),
            1 => format!(
                "Content-Disposition: attachment; filename*0=\"{}\";\r\n filename*1=\"{}\"\r\n",
                &name[..5],
                &name[5..]
            ),
            _ => format!("Content-Disposition: inline; filename=\"{name}\"\r\n"),
        };
        if self.random.one_in(5) {
            self.note("octets");
            let kind = self.random.of(&[
                "application/octet-stream",
                "application/ms-tnef",
                "message/x",
            ]);
            let kind = format!("Content-Type: {kind}; name=\"{secret}.dat\"\r\n");
            return (kind, format!("password: {secret}").into_bytes());
        }
        self.note("file");
        self.in_file = true;
        let lines = self.lines(false);
        self.in_file = false;
        let kind = self.random.of(&["text/csv", "text/plain; format=fixed"]);
        let kind = *kind;
        // Text that is not marked as a file belongs to the mail.
        self.encoded(kind, &lines, &disposition)
    }

    /// Plain text; with the sender's own line if `own`, shown on a page if `shown`.
    fn text(&mut self, own: bool, shown: bool) -> (String, Vec<u8>) {
        let mut lines = self.lines(own);
        if !shown {
            self.kept
                .truncate(self.kept.len() - lines.lines.len().min(self.kept.len()));
        }
        if !self.random.one_in(4) {
            return self.encoded("text/plain", &lines, "");
        }
        // RFC 3676: lines of a paragraph end with a space, which is part of it or not.
        let delete = self.random.one_in(2);
        self.note(if delete { "flowed, delsp" } else { "flowed" });
        let mut flowed = Vec::new();
        for line in &lines.lines {
            let marks = line.len() - line.trim_start_matches('>').len();
            let (quote, content) = line.split_at(marks);
            let content: Vec<char> = content.trim_end().chars().collect();
            let mut rest = content.as_slice();
            let mut written = String::from(quote);
            if marks == 0 && matches!(rest.first(), Some(' ')) {
                written.push(' ');
            }
            while rest.len() > 4 && self.random.one_in(3) {
                let at = 1 + self.random.below(rest.len() - 2);
                // Without delsp a line may be broken after a space only.
                let at = match delete {
                    true => at,
                    false => match rest.iter().position(|c| *c == ' ') {
                        Some(space) if space + 1 < rest.len() => space + 1,
                        Some(_) | None => break,
                    },
                };
                let (piece, after) = rest.split_at(at);
                written.extend(piece);
                if delete {
                    written.push(' ');
                }
                flowed.push(written);
                written = String::from(quote);
                if marks == 0
                    && (matches!(after.first(), Some(' ' | '>'))
                        || after.starts_with(&['F', 'r', 'o', 'm']))
                {
                    written.push(' ');
                }
                if marks > 0 {
                    written.push(' ');
                }
                rest = after;
            }
            written.extend(rest);
            flowed.push(written);
        }
        lines.lines = flowed;
        let kind = match delete {
            true => "text/plain; format=flowed; delsp=yes",
            false => "text/plain; format=flowed",
        };
        self.encoded(kind, &lines, "")
    }

    /// What is written: lines that stay, the sender's own line, and copies of it.
    fn lines(&mut self, own: bool) -> Lines {
        let charset = *self.random.of(&CHARSETS);
        self.note(charset.label());
        let mut lines = Vec::new();
        let mut own_line = None;
        let mut number = self.kept.len();
        let mut keep = |maker: &mut Self, lines: &mut Vec<String>| {
            number += 1;
            let line = format!("Stays {number} {} here", charset.words());
            maker.kept.push(line.clone());
            lines.push(line);
        };
        for _ in 0..self.random.below(6) {
            keep(self, &mut lines);
        }
        if own {
            let line = self.own_line(charset);
            lines.push(line.clone());
            own_line = Some(line);
        }
        keep(self, &mut lines);
        for _ in 0..self.random.below(5) {
            let copies = self.copy(charset);
            lines.extend(copies);
            keep(self, &mut lines);
        }
        Lines {
            lines,
            own: own_line,
            charset,
        }
    }

    fn own_line(&mut self, charset: Charset) -> String {
        let mut prefix = self.prefix(charset);
        if charset.is_wide() && self.random.one_in(4) {
            prefix = self.with_unseen(&prefix);
        }
        let before = *self.random.of(&["", "", " ", "\t"]);
        let between = *self.random.of(&["", " ", "  ", "\t"]);
        let after = *self.random.of(&["", " ", "   "]);
        format!("{before}{prefix}{between}{}{after}", self.secret)
    }

    fn prefix(&mut self, charset: Charset) -> String {
        let latin = [
            "password:",
            "Password:",
            "PASSWORD :",
            "#passwd=",
            "FaxPassword: ",
        ];
        let wide = [
            "パスワード:",
            "パスワード：",
            "ｐａｓｓｗｏｒｄ：",
            "　パスワード　：",
            "＃ｐａｓｓｗｄ＝",
        ];
        match charset.is_japanese() && self.random.one_in(2) {
            true => (*self.random.of(&wide)).to_owned(),
            false => (*self.random.of(&latin)).to_owned(),
        }
    }

    /// The text with characters in it that no page shows.
    fn with_unseen(&mut self, text: &str) -> String {
        const UNSEEN: [char; 12] = [
            '\u{ad}',
            '\u{200b}',
            '\u{200c}',
            '\u{200e}',
            '\u{2060}',
            '\u{feff}',
            '\u{206a}',
            '\u{fe0f}',
            '\u{e0100}',
            '\u{3164}',
            '\u{34f}',
            '\u{202a}',
        ];
        let mut written = String::new();
        for c in text.chars() {
            written.push(c);
            if self.random.one_in(3) {
                written.push(*self.random.of(&UNSEEN));
            }
        }
        written
    }

    /// A copy that a mail program, an old mail or a person left.
    fn copy(&mut self, charset: Charset) -> Vec<String> {
        let secret = self.secret;
        let prefix = self.prefix(charset);
        // A line of an old mail may hold a password of long ago; in a file it is the customer's text.
        let old = old(secret);
        let quoted = if self.random.one_in(2) && !self.in_file {
            &old
        } else {
            secret
        };
        let broken = 1 + self.random.below(secret.len() - 1);
        let (head, tail) = secret.split_at(broken);
        match self.random.below(12) {
            0 => vec![format!("> {prefix} {quoted}")],
            1 => vec![format!(">> {prefix}{quoted}  ")],
            2 => vec![format!("Sato> {prefix}{quoted}")],
            3 => vec![format!("* {prefix} {quoted}")],
            4 => vec![
                "----- Original Message -----".to_owned(),
                format!("{prefix} {secret}"),
            ],
            5 => vec![format!("> {prefix} {head}"), format!("> {tail}")],
            6 => vec![format!("As I said, {secret} is mine.")],
            7 => vec![format!("It is {}!", secret.to_uppercase())],
            8 if charset.is_japanese() => vec![format!("{}です", wide(secret))],
            9 if charset.is_wide() => vec![format!("> {prefix}{}", self.with_unseen(secret))],
            10 if charset.is_wide() => vec![format!("So {}.", self.with_unseen(secret))],
            _ => vec![format!("({secret})")],
        }
    }

    fn html(&mut self, own: bool, shown: bool) -> (String, Vec<u8>) {
        let before = self.kept.len();
        let lines = self.lines(own);
        if !shown {
            self.kept.truncate(before);
        }
        self.note("html");
        let secret = escaped(self.secret);
        let mut page = String::from("<html><head><title>password: ");
        page.push_str(&format!(
            "{secret}</title><style>/* {secret} */</style></head><body>"
        ));
        if self.random.one_in(3) {
            page.push_str(&format!(
                "<!-- password: {secret} --><script>var a = '{secret}';</script>"
            ));
        }
        if self.random.one_in(3) {
            page.push_str(&format!(
                "<div style=\"display:none\">password: {secret}</div>"
            ));
        }
        for line in &lines.lines {
            let (open, close) = *self.random.of(&[
                ("<p>", "</p>"),
                ("<div>", "</div>"),
                ("", "<br>\r\n"),
                ("<ul><li>", "</ul>"),
                ("<table><tr><td>", "</td></tr></table>"),
                ("<blockquote><div>", "</div></blockquote>"),
                ("<pre>", "</pre>"),
            ]);
            // A quoted line is nobody's own.
            let own_line = own && lines.own.as_ref() == Some(line);
            let counts = !line.starts_with("Stays") && !line.starts_with('>');
            let marked = self.marked_up(line, counts);
            let own_line = own_line && open.starts_with("<blockquote>");
            let (open, close) = if own_line {
                ("<p>", "</p>")
            } else {
                (open, close)
            };
            page.push_str(&format!("{open}{marked}{close}"));
        }
        page.push_str("</body></html>");
        let lines = Lines {
            lines: vec![page],
            own: None,
            charset: lines.charset,
        };
        self.encoded("text/html", &lines, "")
    }

    /// The line in HTML: characters as entities, tags, comments and attributes within words.
    fn marked_up(&mut self, line: &str, counts: bool) -> String {
        let secret = escaped(self.secret);
        let mut html = String::new();
        for c in line.chars() {
            match self.random.below(12) {
                0 => html.push_str(&format!("&#{};", u32::from(c))),
                1 => html.push_str(&format!("&#x{:X};", u32::from(c))),
                2 => html.push_str(&format!(
                    "<b title=\"password: {secret}\">{}</b>",
                    escaped(&c.to_string())
                )),
                3 => html.push_str(&format!("<!-- {secret} -->{}", escaped(&c.to_string()))),
                4 => html.push_str(&format!(
                    "{}<img alt='{secret}' src=\"x>y\">",
                    escaped(&c.to_string())
                )),
                // In a line that counts as the sender's own it would be a part of the password.
                5 if !counts => html.push_str(&format!("{}&shy;<wbr>", escaped(&c.to_string()))),
                _ => html.push_str(&escaped(&c.to_string())),
            }
        }
        html
    }

    /// Content fields and content of a part.
    fn encoded(&mut self, kind: &str, lines: &Lines, more: &str) -> (String, Vec<u8>) {
        let charset = lines.charset;
        let end = match kind.starts_with("text/plain") && more.is_empty() {
            _ if kind.contains("flowed") => "\r\n",
            true if self.random.one_in(6) => *self.random.of(&["\n", "\r", "\r\n\r\n"]),
            _ => "\r\n",
        };
        let mut text = lines.lines.join(end);
        text.push_str(end);
        let bytes = charset.bytes(&text);
        // UTF-16 has line feeds of two bytes; NUL and lone line ends are no mail.
        let transfer = match charset == Charset::Utf16 || end.len() == 1 {
            true => 0,
            false => self.random.below(4),
        };
        let (transfer, written) = match transfer {
            0 => ("base64", base64(&bytes).into_bytes()),
            1 => ("Quoted-Printable", self.quoted_printable(&bytes)),
            2 => ("8bit", bytes),
            _ => ("7bit", bytes),
        };
        self.note(transfer);
        // Encoding draws as many numbers as it has bytes, which may be more for one password.
        self.stage += 1;
        self.random = Random::new(self.seed ^ (self.stage << 40));
        let label = match self.random.below(12) {
            // In truth it is something else: refused, since such text could not be searched.
            0 if self.random.one_in(3) => {
                self.must_be_found = false;
                "; charset=UTF-7".to_owned()
            }
            1 if charset.is_japanese() => String::new(),
            2 if charset.is_japanese() => "; charset=us-ascii".to_owned(),
            _ => format!("; charset=\"{}\"", charset.label()),
        };
        let fields = format!(
            "Content-Type: {kind}{label}\r\nContent-Transfer-Encoding: {transfer}\r\n{more}"
        );
        (fields, written)
    }

    /// RFC 2045 section 6.7, with soft line breaks anywhere.
    fn quoted_printable(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for (n, b) in bytes.iter().enumerate() {
            let breaks = matches!(b, b'\r' | b'\n');
            let line_ends = matches!(bytes.get(n + 1), None | Some(b'\r' | b'\n'));
            let must = !(b' '..=b'~').contains(b) || *b == b'=' || line_ends;
            // As many are drawn for every byte: two passwords leave the same mail behind them.
            let (escapes, soft) = (self.random.one_in(5), self.random.one_in(9));
            let soft_break = *self.random.of(&[b"=\r\n".as_slice(), b"= \r\n"]);
            match (must || escapes) && !breaks {
                true => text.extend(format!("={b:02X}").bytes()),
                false => text.push(*b),
            }
            if soft && !breaks && !line_ends {
                text.extend(soft_break);
            }
        }
        text
    }

    /// What transport, gateways and bad programs do to a mail.
    fn damage(&mut self, raw: &mut Vec<u8>) {
        let at = self.random.below(raw.len());
        const MORE: [&[u8]; 10] = [
            b"\x1b$B",
            b"\0",
            b"=\r\n",
            b"\r\n",
            b"\r\n\r\n",
            b"<",
            b"-->",
            b"\xff\xfe",
            b" ",
            b"\xe3\x80",
        ];
        let more = *self.random.of(&MORE);
        match self.random.below(6) {
            0 => raw[at] ^= 1 << self.random.below(8),
            1 => drop(raw.remove(at)),
            2 => drop(raw.splice(at..at, more.iter().copied())),
            3 => raw.truncate(at.max(80)),
            4 => {
                let to = at + self.random.below(200).min(raw.len() - at);
                let copied = raw[at..to].to_vec();
                let place = self.random.below(raw.len());
                raw.splice(place..place, copied);
            }
            _ => {
                let text = String::from_utf8_lossy(raw).into_owned();
                let (from, to) = *self.random.of(&[
                    ("base64", "7bit"),
                    ("Quoted-Printable", "8bit"),
                    ("text/html", "text/plain"),
                    ("text/plain", "text/html"),
                    ("multipart/mixed", "multipart/alternative"),
                    ("multipart/alternative", "multipart/related"),
                    ("attachment", "inline"),
                    ("utf-8", "utf-16"),
                    ("Content-Type", "Content-Typo"),
                    ("\r\n", "\n"),
                ]);
                *raw = text.replace(from, to).into_bytes();
            }
        }
    }
}

/// The password before this one.
pub(super) fn old(secret: &str) -> String {
    secret.chars().rev().collect()
}

/// In the letters that Japanese keyboards also have.
fn wide(text: &str) -> String {
    let one = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap();
    text.chars().map(one).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
