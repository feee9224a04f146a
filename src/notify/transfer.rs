//! Content transfer encodings: octets become lines that any mail server carries (RFC 2045 section 6).

/// How the octets of a part travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// As they are.
    SevenBit,
    /// `=E3=81=82`: small where nearly everything is ASCII.
    QuotedPrintable,
    /// Four characters for three octets.
    Base64,
}

impl Transfer {
    /// The encoding that makes `text` smallest.
    ///
    /// `=_` excludes 7bit because our boundaries contain it, and neither of the others ever does: no
    /// text that somebody chose can end a part.
    pub(super) fn best_for(text: &[u8]) -> Self {
        let plain = |b: &u8| matches!(b, b' '..=b'~' | b'\r' | b'\n' | b'\t');
        let odd = text.iter().filter(|b| !plain(b)).count();
        let long = text.split(|b| *b == b'\n').any(|line| line.len() > 990);
        let boundary = text.windows(2).any(|pair| pair == b"=_");
        if odd == 0 && !long && !boundary {
            Self::SevenBit
        } else if odd < text.len() / 6 {
            Self::QuotedPrintable
        } else {
            Self::Base64
        }
    }

    /// The value of `Content-Transfer-Encoding`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// `bytes` encoded, ending in CRLF.
    pub(super) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        let mut out = match self {
            Self::SevenBit => bytes.to_vec(),
            Self::QuotedPrintable => quoted_printable(bytes).into_bytes(),
            Self::Base64 => base64_lines(bytes).into_bytes(),
        };
        if !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// Base64 without line breaks (RFC 4648 section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let octet = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for position in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * position) & 63) as usize];
            let padding = position > group.len();
            out.push(if padding { '=' } else { char::from(digit) });
        }
    }
    out
}

/// Base64 in lines of 76 characters.
fn base64_lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() / 57 * 78 + 80);
    for line in bytes.chunks(57) {
        out.push_str(&base64(line));
        out.push_str("\r\n");
    }
    out
}

/// RFC 2045 section 6.7; `text` has CRLF line ends, which stay line ends.
fn quoted_printable(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut lines = text.split(|b| *b == b'\n').peekable();
    while let Some(line) = lines.next() {
        let last = lines.peek().is_none();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        quoted_printable_line(line, &mut out);
        if !last {
            out.push_str("\r\n");
        }
    }
    out
}

fn quoted_printable_line(line: &[u8], out: &mut String) {
    let mut width = 0;
    for (i, b) in line.iter().enumerate() {
        let end = i + 1 == line.len();
        let plain = matches!(b, b'!'..=b'<' | b'>'..=b'~') || (matches!(b, b' ' | b'\t') && !end);
        let needed = if plain { 1 } else { 3 };
        if width + needed > 75 {
            out.push_str("=\r\n");
            width = 0;
        }
        width += needed;
        if plain {
            out.push(char::from(*b));
        } else {
            out.push_str(&format!("={b:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648_section_10() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn quoted_printable_breaks_long_lines_and_keeps_line_ends() {
        let text = format!("a=b \r\n{}\r\n", "é".repeat(40));
        let encoded = String::from_utf8(Transfer::QuotedPrintable.encode(text.as_bytes())).unwrap();
        assert!(encoded.starts_with("a=3Db=20\r\n=C3=A9"));
        assert!(encoded.split("\r\n").all(|line| line.len() <= 76));
        let decoded =
            mail_parser::decoders::quoted_printable::quoted_printable_decode(encoded.as_bytes());
        assert_eq!(decoded.unwrap(), text.as_bytes());
    }

    #[test]
    fn the_smallest_encoding_is_taken_and_never_shows_a_boundary() {
        assert_eq!(Transfer::best_for(b"plain\r\n"), Transfer::SevenBit);
        assert_eq!(Transfer::best_for(b"--=_x\r\n"), Transfer::QuotedPrintable);
        assert_eq!(Transfer::best_for(&[b'a'; 1200]), Transfer::QuotedPrintable);
        assert_eq!(Transfer::best_for("日本語".as_bytes()), Transfer::Base64);
    }
}
