//! Values with parameters: Content-Type and Content-Disposition (RFC 2045 section 5, RFC 2183, RFC 2231).

use super::charset;
use super::transfer;
use super::word;

/// A value such as `text/plain; charset=utf-8`.
#[derive(Debug, Default)]
pub(super) struct Structured {
    /// What stands before the parameters, in lower case.
    pub(super) value: String,
    parameters: Vec<Parameter>,
}

/// One parameter, or one segment of it (RFC 2231 section 3).
#[derive(Debug)]
struct Parameter {
    name: String,
    segment: Option<u32>,
    extended: bool,
    bytes: Vec<u8>,
}

impl Structured {
    /// Reads an unfolded value. Never fails: what cannot be understood is not there.
    pub(super) fn parse(value: &[u8]) -> Self {
        let mut pieces = pieces(value).into_iter();
        let first = pieces.next().unwrap_or_default();
        // `text/plain charset=x`, the semicolon forgotten, is common enough to be understood.
        let blank = first.iter().position(|b| matches!(b, b' ' | b'\t'));
        let (value, forgotten) = first.split_at(blank.unwrap_or(first.len()));
        let mut parameters: Vec<Parameter> = pieces.filter_map(|piece| parameter(&piece)).collect();
        parameters.extend(parameter(forgotten));
        Self {
            value: String::from_utf8_lossy(value).to_ascii_lowercase(),
            parameters,
        }
    }

    /// The parameter `name` as text: extended, in segments, as encoded words or raw.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.extended(name)
            .or_else(|| self.segments(name))
            .or_else(|| self.raw(name).map(word::text))
    }

    /// The parameter `name` as the bytes between its quotes.
    fn raw(&self, name: &str) -> Option<&[u8]> {
        let plain = |p: &&Parameter| p.name == name && p.segment.is_none() && !p.extended;
        self.parameters
            .iter()
            .find(plain)
            .map(|p| p.bytes.as_slice())
    }

    /// The parameter `name` as bytes, also from segments; empty if there is none.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let raw = self.raw(name).map(<[u8]>::to_vec);
        raw.or_else(|| self.text(name).map(String::into_bytes))
            .unwrap_or_default()
    }

    /// `name*=charset'language'percent-encoded`
    fn extended(&self, name: &str) -> Option<String> {
        let whole = |p: &&Parameter| p.name == name && p.segment.is_none() && p.extended;
        let found = self.parameters.iter().find(whole)?;
        let (label, rest) = charset_of(&found.bytes);
        let mut bytes = Vec::new();
        transfer::unescape(rest, b'%', &mut bytes);
        Some(decoded(&bytes, label.as_deref()))
    }

    /// `name*0*=…; name*1=…`: joined before decoding, because programs cut characters and escape
    /// sequences between segments.
    fn segments(&self, name: &str) -> Option<String> {
        let mut found: Vec<(u32, &Parameter)> = self
            .parameters
            .iter()
            .filter(|p| p.name == name)
            .filter_map(|p| p.segment.map(|n| (n, p)))
            .collect();
        found.sort_by_key(|(n, _)| *n);
        found.dedup_by_key(|(n, _)| *n);
        let mut bytes = Vec::new();
        let mut label = None;
        for (at, (n, segment)) in found.iter().enumerate() {
            if usize::try_from(*n) != Ok(at) {
                break;
            }
            let mut rest = segment.bytes.as_slice();
            if at == 0 && segment.extended {
                (label, rest) = charset_of(rest);
            }
            if segment.extended {
                transfer::unescape(rest, b'%', &mut bytes);
            } else {
                bytes.extend_from_slice(rest);
            }
        }
        let extended = found.iter().any(|(_, segment)| segment.extended);
        match (found.is_empty(), extended) {
            (true, _) => None,
            (false, true) => Some(decoded(&bytes, label.as_deref())),
            (false, false) => Some(word::text(&bytes)),
        }
    }
}

fn decoded(bytes: &[u8], label: Option<&str>) -> String {
    charset::text(bytes, label).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

/// The charset before the first of two apostrophes, and what follows the second.
fn charset_of(bytes: &[u8]) -> (Option<String>, &[u8]) {
    let mut pieces = bytes.splitn(3, |b| *b == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(label), Some(_), Some(rest)) => {
            let label = String::from_utf8_lossy(label).into_owned();
            (Some(label).filter(|label| !label.is_empty()), rest)
        }
        _ => (None, bytes),
    }
}

fn parameter(piece: &[u8]) -> Option<Parameter> {
    let equals = memchr::memchr(b'=', piece)?;
    let key = String::from_utf8_lossy(piece.get(..equals)?)
        .trim()
        .to_ascii_lowercase();
    let bytes = unquoted(piece.get(equals + 1..)?.trim_ascii());
    let mut pieces = key.split('*');
    let name = pieces.next().filter(|name| !name.is_empty())?.to_owned();
    let second = pieces.next();
    let segment = second.and_then(|n| n.parse().ok());
    let extended = second == Some("") || (segment.is_some() && pieces.next() == Some(""));
    Some(Parameter {
        name,
        segment,
        extended,
        bytes,
    })
}

/// What stands between semicolons that are outside quotes.
fn pieces(value: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = vec![Vec::new()];
    let mut quoted = false;
    for token in tokens(value) {
        match token {
            [b';'] if !quoted => pieces.push(Vec::new()),
            _ => {
                quoted ^= token == b"\"";
                if let Some(last) = pieces.last_mut() {
                    last.extend_from_slice(token);
                }
            }
        }
    }
    pieces.iter().map(|p| p.trim_ascii().to_vec()).collect()
}

fn unquoted(text: &[u8]) -> Vec<u8> {
    if !text.starts_with(b"\"") {
        return text.to_vec();
    }
    let mut bytes = Vec::new();
    for token in tokens(text).into_iter().skip(1) {
        match token {
            b"\"" => break,
            [b'\\', escaped] => bytes.push(*escaped),
            _ => bytes.extend_from_slice(token),
        }
    }
    bytes
}

/// `text` cut into bytes, escape pairs and multi-byte characters. Raw Shift_JIS has backslashes as second
/// bytes (表 is 95 5C) and raw ISO-2022-JP has any ASCII character between its escape sequences: those
/// bytes quote and separate nothing.
fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let eight_bit = std::str::from_utf8(text).is_err();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest {
            [0x1b, b'$', ..] => memchr::memmem::find(rest, b"\x1b(").unwrap_or(rest.len()),
            [0x81..=0x9f | 0xe0..=0xfc, _, ..] if eight_bit => 2,
            [b'\\', _, ..] => 2,
            _ => 1,
        };
        tokens.push(rest.get(..length).unwrap_or(rest));
        at += length;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_in(value: &[u8]) -> Option<String> {
        Structured::parse(value).text("filename")
    }

    #[test]
    fn types_and_parameters_are_read_as_people_write_them() {
        let parsed = Structured::parse(b"Text/Plain; CHARSET=\"utf-8\" ; format=flowed;x");
        assert_eq!(parsed.value, "text/plain");
        assert_eq!(parsed.text("charset").as_deref(), Some("utf-8"));
        assert_eq!(parsed.text("format").as_deref(), Some("flowed"));
        let forgotten = Structured::parse(b"text/plain charset=cp932");
        assert_eq!(forgotten.text("charset").as_deref(), Some("cp932"));
        let quoted = Structured::parse(b"a/b; boundary=\"x;y\\\"z\"; c=d");
        assert_eq!(quoted.raw("boundary"), Some(b"x;y\"z".as_slice()));
        assert_eq!(quoted.raw("c"), Some(b"d".as_slice()));
    }

    #[test]
    fn file_names_come_in_many_ways() {
        for (value, expected) in [
            (b"attachment; filename=a.pdf".as_slice(), "a.pdf"),
            (b"attachment; filename=\"a b.pdf\"", "a b.pdf"),
            (
                b"attachment; filename*=utf-8''%E8%A6%8B%E7%A9%8D.pdf; filename=x",
                "見積.pdf",
            ),
            (
                b"attachment; filename=\"=?utf-8?B?6KaL56mN?=.pdf\"",
                "見積.pdf",
            ),
            (
                b"attachment; filename*0=\"ab\"; filename*1=\"cd.pdf\"",
                "abcd.pdf",
            ),
            (
                b"attachment; filename*1=\"cd.pdf\"; filename*0=\"ab\"",
                "abcd.pdf",
            ),
            // 表 is 95 5C: its second byte is a backslash.
            (
                b"attachment; filename=\"\x95\x5c\x8e\x86\x82\xcc\x8c\x8f.pdf\"; x=1",
                "表紙の件.pdf",
            ),
        ] {
            assert_eq!(name_in(value).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_split_iso_2022_jp_name_is_joined_before_it_is_decoded() {
        let value =
            b"attachment; filename*0*=iso-2022-jp''%1B%24B8%2B%40Q; filename*1*=%3Dq%1B%28B.pdf";
        assert_eq!(name_in(value).as_deref(), Some("見積書.pdf"));
    }

    #[test]
    fn two_hundred_thousand_segments_are_read_in_linear_time() {
        let segments: String = (0..200_000).map(|n| format!("; filename*{n}=a")).collect();
        let name = name_in(format!("attachment{segments}").as_bytes()).unwrap();
        assert_eq!(name.len(), 200_000);
    }
}
