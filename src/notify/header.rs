//! Header fields: whatever is in a value, exactly one field comes out (RFC 5322, RFC 2047).

use super::jis;
use super::transfer::base64;
use crate::smtp::Address;

/// The charset of a mail's subject and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8.
    Utf8,
    /// ISO-2022-JP.
    Jis,
}

impl Charset {
    /// Its name in MIME.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Jis => "ISO-2022-JP",
        }
    }

    /// `text` in this charset.
    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Jis => jis::encode(text),
        }
    }
}

/// `text` on one line: no control character, no line or paragraph separator, nothing that turns the
/// direction of its neighbours. What separated words becomes one space.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\r' | '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' if out.ends_with(' ') => {}
            '\t' | '\r' | '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// The field `name` with free text, folded; encoded words where it is not plain ASCII.
pub(super) fn unstructured(name: &str, text: &str, charset: Charset) -> String {
    let text = one_line(text);
    let plain =
        text.is_ascii() && !text.contains("=?") && text.split(' ').all(|word| word.len() <= 60);
    let words = if plain {
        text.split(' ').map(str::to_owned).collect()
    } else {
        encoded_words(&text, charset)
    };
    folded(name, &words)
}

/// The field `name` with `words`, broken before the word that would pass column 76.
fn folded(name: &str, words: &[String]) -> String {
    let mut field = format!("{name}:");
    let mut width = field.len();
    for (i, word) in words.iter().enumerate() {
        if i > 0 && width + 1 + word.len() > 76 && !word.is_empty() {
            field.push_str("\r\n");
            width = 0;
        }
        field.push(' ');
        field.push_str(word);
        width += 1 + word.len();
    }
    field.push_str("\r\n");
    field
}

/// `text` as encoded words of at most 75 characters, none of which splits a character (RFC 2047
/// section 5); an ISO-2022-JP word begins and ends in ASCII (section 3 of RFC 1468).
fn encoded_words(text: &str, charset: Charset) -> Vec<String> {
    // 36 octets make 48 digits; with `=?ISO-2022-JP?B?`, `?=` and `Subject: ` that is 75 columns.
    const OCTETS: usize = 36;
    let text = match charset {
        Charset::Utf8 => text.to_owned(),
        Charset::Jis => jis::degraded(text),
    };
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        piece.push(c);
        if charset.encode(&piece).len() > OCTETS {
            piece.pop();
            words.push(encoded_word(&piece, charset));
            piece = c.to_string();
        }
    }
    words.push(encoded_word(&piece, charset));
    words
}

fn encoded_word(text: &str, charset: Charset) -> String {
    let digits = base64(&charset.encode(text));
    format!("=?{}?B?{digits}?=", charset.as_str())
}

/// The field `name` with addresses, one on each line.
pub(super) fn addresses(name: &str, list: &[Address]) -> String {
    let list: Vec<String> = list.iter().filter_map(mailbox).collect();
    if list.is_empty() {
        return format!("{name}: undisclosed-recipients:;\r\n");
    }
    format!("{name}: {}\r\n", list.join(",\r\n "))
}

/// `address` as RFC 5322 section 3.4.1 writes it; `None` for a domain that no header can hold.
///
/// A local part that is no dot-atom, such as the carriers' `a..b.`, is quoted. The quoted form names
/// the same mailbox.
pub(super) fn mailbox(address: &Address) -> Option<String> {
    let in_domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']' | ':');
    if !address.domain().chars().all(in_domain) {
        return None;
    }
    Some(format!("{}@{}", quoted_local(address), address.domain()))
}

/// The local part of `address`, quoted unless it is a dot-atom.
pub(super) fn quoted_local(address: &Address) -> String {
    let local = unquoted(address.local());
    let atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let atom = |part: &str| !part.is_empty() && part.chars().all(atext);
    if local.split('.').all(atom) {
        return local;
    }
    format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `local` without quotes and backslashes that only protect.
fn unquoted(local: &str) -> String {
    let inner = local.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
    let Some(inner) = inner else {
        return local.to_owned();
    };
    let mut out = String::new();
    let mut protected = false;
    for c in inner.chars() {
        if c == '\\' && !protected {
            protected = true;
            continue;
        }
        protected = false;
        out.push(c);
    }
    out
}

/// `<left@right>` if `text`, with or without its brackets, is a message identifier that a header can
/// hold (RFC 5322 section 3.6.4).
pub(super) fn message_id(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('<').unwrap_or(text);
    let text = text.strip_suffix('>').unwrap_or(text);
    let fits =
        |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '@' | '(' | ')' | '"' | '\\');
    let (left, right) = text.split_once('@')?;
    let whole = !left.is_empty() && !right.is_empty() && text.len() <= 500;
    (whole && left.chars().all(fits) && right.chars().all(fits)).then(|| format!("<{text}>"))
}

/// `; name=value` for a file name: quoted if ASCII, else RFC 2231 in UTF-8, split as its section 3 says.
pub(super) fn file_name(parameter: &str, name: &str) -> String {
    let name: String = one_line(name).replace(['/', '\\', '"'], "_");
    let name: String = name.chars().take(120).collect();
    if name.is_ascii() && name.len() <= 60 {
        return format!(";\r\n {parameter}=\"{name}\"");
    }
    let mut out = String::new();
    let mut piece = String::new();
    let mut pieces = Vec::new();
    for c in name.chars() {
        let mut buffer = [0; 4];
        for b in c.encode_utf8(&mut buffer).bytes() {
            match b {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' => {
                    piece.push(char::from(b));
                }
                b => piece.push_str(&format!("%{b:02X}")),
            }
        }
        if piece.len() > 44 {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.push(piece);
    for (i, piece) in pieces.iter().enumerate() {
        let charset = if i == 0 { "UTF-8''" } else { "" };
        out.push_str(&format!(";\r\n {parameter}*{i}*={charset}{piece}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn a_local_part_that_is_no_dot_atom_is_quoted() {
        for (text, expected) in [
            ("tanaka@customer.example", "tanaka@customer.example"),
            ("a..b.@docomo.ne.jp", "\"a..b.\"@docomo.ne.jp"),
            (".abc@ezweb.ne.jp", "\".abc\"@ezweb.ne.jp"),
            ("\"a b\"@c.example", "\"a b\"@c.example"),
            ("\"ab\"@c.example", "ab@c.example"),
            ("a(b@c.example", "\"a(b\"@c.example"),
            ("\"a\"b\"@c.example", "\"a\\\"b\"@c.example"),
        ] {
            assert_eq!(mailbox(&address(text)).unwrap(), expected);
        }
        assert_eq!(mailbox(&address("a@b(c")), None);
    }

    #[test]
    fn a_message_identifier_is_taken_only_if_a_header_can_hold_it() {
        assert_eq!(message_id("<a.b@c>").as_deref(), Some("<a.b@c>"));
        assert_eq!(message_id("a@b").as_deref(), Some("<a@b>"));
        for bad in [
            "",
            "<a>",
            "<a@b\r\nX: y>",
            "<a@b@c>",
            "<a b@c>",
            "<@b>",
            "<a@>",
        ] {
            assert_eq!(message_id(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn long_subjects_are_folded_within_76_columns() {
        let long = "word ".repeat(60);
        let japanese = "送信結果".repeat(30);
        for (text, charset) in [
            (&long, Charset::Utf8),
            (&japanese, Charset::Utf8),
            (&japanese, Charset::Jis),
        ] {
            let field = unstructured("Subject", text, charset);
            assert!(field.split("\r\n").all(|line| line.len() <= 76), "{field}");
            assert!(field.lines().skip(1).all(|line| line.starts_with(' ')));
        }
    }

    #[test]
    fn one_line_keeps_words_apart_and_drops_what_cannot_be_seen() {
        assert_eq!(one_line("a\r\nBcc: b"), "a Bcc: b");
        assert_eq!(one_line("\0a\u{2028}b\u{202e}c\u{7}\u{85}"), "a bc");
    }
}
