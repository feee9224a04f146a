//! Content transfer encodings (RFC 2045 section 6), read leniently: what is damaged is passed over.

/// How the bytes of a part are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// As they are.
    Identity,
    /// RFC 2045 section 6.8.
    Base64,
    /// RFC 2045 section 6.7.
    QuotedPrintable,
    /// Some other way: what stands there cannot be searched for a password and is not kept.
    Unreadable,
}

impl Transfer {
    /// The encoding that a Content-Transfer-Encoding field names; names of no known encoding that
    /// mail programs write for "none" count as none.
    pub(super) fn named(value: Option<&[u8]>) -> Self {
        let Some(value) = value else {
            return Self::Identity;
        };
        let word = value
            .split(|b| matches!(b, b';' | b'(' | b' ' | b'\t'))
            .next();
        let word = String::from_utf8_lossy(word.unwrap_or_default()).to_ascii_lowercase();
        match word.trim_matches(['"', '\'']) {
            "base64" | "base-64" => Self::Base64,
            "quoted-printable" | "quotedprintable" => Self::QuotedPrintable,
            "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" | "none" | "utf-8" => {
                Self::Identity
            }
            _ => Self::Unreadable,
        }
    }

    /// The bytes that `written` stands for.
    pub(super) fn decode(self, written: &[u8]) -> Vec<u8> {
        match self {
            Self::Identity => written.to_vec(),
            Self::Base64 => base64(written),
            Self::QuotedPrintable => quoted_printable(written),
            Self::Unreadable => Vec::new(),
        }
    }
}

/// Base64; foreign characters are ignored, as RFC 2045 section 6.8 asks. After padding the rest is read on
/// only if it is base64 too: mailing lists append a footer in clear.
pub(super) fn base64(written: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(written.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u8);
    let mut may_go_on = None;
    for (at, b) in written.iter().enumerate() {
        if *b == b'=' {
            flush(&mut bytes, bits, count);
            count = 0;
            let rest = written.get(at..).unwrap_or_default();
            if !*may_go_on.get_or_insert_with(|| rest.iter().all(|b| is_base64(*b))) {
                return bytes;
            }
        } else if let Some(value) = sextet(*b) {
            bits = bits << 6 | u32::from(value);
            count += 1;
            if count == 4 {
                bytes.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
                count = 0;
            }
        }
    }
    flush(&mut bytes, bits, count);
    bytes
}

fn flush(bytes: &mut Vec<u8>, bits: u32, count: u8) {
    let aligned = (bits << (6 * (4 - u32::from(count)))).to_be_bytes();
    let whole = usize::from(count).saturating_sub(1);
    bytes.extend(aligned.iter().skip(1).take(whole));
}

fn is_base64(b: u8) -> bool {
    sextet(b).is_some() || matches!(b, b'=' | b'\r' | b'\n')
}

fn sextet(b: u8) -> Option<u8> {
    match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Quoted-printable; an `=` that begins no escape stays as it is, blanks at the end of a line go.
fn quoted_printable(written: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(written.len());
    for line in written.split_inclusive(|b| *b == b'\n') {
        let text = line.trim_ascii_end();
        let ending = match line.ends_with(b"\n") {
            true => b"\r\n".as_slice(),
            false => b"".as_slice(),
        };
        match text.strip_suffix(b"=") {
            Some(soft) => unescape(soft, b'=', &mut bytes),
            None => {
                unescape(text, b'=', &mut bytes);
                bytes.extend_from_slice(ending);
            }
        }
    }
    bytes
}

/// Appends `text` with each `mark` and two hexadecimal digits turned into the byte they stand for.
pub(super) fn unescape(text: &[u8], mark: u8, bytes: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(b) = text.get(at) {
        let escaped = match text.get(at + 1..at + 3) {
            Some([high, low]) if *b == mark => hex(*high).zip(hex(*low)),
            Some(_) | None => None,
        };
        match escaped {
            Some((high, low)) => bytes.push(high << 4 | low),
            None => bytes.push(*b),
        }
        at += if escaped.is_some() { 3 } else { 1 };
    }
}

fn hex(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_with_garbage_reads_as_what_it_was() {
        assert_eq!(base64(b"cGFz\r\nc3dv*!cmQ6IHg="), b"password: x");
        assert_eq!(base64(b"cGFzc3dvcmQ6IHg"), b"password: x");
        assert_eq!(base64(b"YQ==YQ==\r\n"), b"aa");
        assert_eq!(base64(b"YQ==\r\n-- \r\nlist footer"), b"a");
        assert_eq!(base64(b"====Y"), b"");
    }

    #[test]
    fn quoted_printable_joins_soft_lines_and_keeps_what_is_no_escape() {
        let decoded = Transfer::QuotedPrintable.decode(b"pass=\r\nword=3A a=ZZ=  \r\nb \t\r\nc=");
        assert_eq!(decoded, b"password: a=ZZb\r\nc");
    }

    #[test]
    fn an_encoding_nobody_knows_is_not_read() {
        assert_eq!(Transfer::named(Some(b"\"BASE64\" (x)")), Transfer::Base64);
        assert_eq!(Transfer::named(Some(b"x-uuencode")), Transfer::Unreadable);
        assert_eq!(Transfer::Unreadable.decode(b"secret"), b"");
    }
}
