//! Text in header fields: encoded words (RFC 2047) and the raw bytes that some programs write instead.

use super::charset;
use super::transfer;

/// A decoded stretch of a value: encoded words of one charset belong together even where a character
/// was cut between them.
enum Run {
    Raw(Vec<u8>),
    Encoded(String, Vec<u8>),
}

/// The text of an unfolded header value. A word in a charset we refuse stays as it is written.
pub(super) fn text(value: &[u8]) -> String {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    while let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((label, bytes, length)) = encoded_word(rest) {
            add_word(&mut runs, label, bytes);
            at += length;
            continue;
        }
        // Up to the next possible beginning of an encoded word.
        let next = memchr::memmem::find(rest.get(1..).unwrap_or_default(), b"=?");
        let length = next.map_or(rest.len(), |next| next + 1);
        add_raw(&mut runs, rest.get(..length).unwrap_or_default());
        at += length;
    }
    runs.into_iter().map(decoded).collect()
}

fn decoded(run: Run) -> String {
    match run {
        Run::Raw(bytes) => charset::guessed(&bytes),
        Run::Encoded(label, bytes) => {
            charset::text(&bytes, Some(&label)).unwrap_or_else(|_| format!("=?{label}?"))
        }
    }
}

fn add_raw(runs: &mut Vec<Run>, bytes: &[u8]) {
    match runs.last_mut() {
        Some(Run::Raw(last)) => last.extend_from_slice(bytes),
        Some(Run::Encoded(..)) | None => runs.push(Run::Raw(bytes.to_vec())),
    }
}

/// White space between two encoded words is not shown (RFC 2047 section 6.2).
fn add_word(runs: &mut Vec<Run>, label: String, bytes: Vec<u8>) {
    let between = matches!(runs.as_slice(), [.., Run::Encoded(..), Run::Raw(blank)] if blank.trim_ascii().is_empty());
    if between {
        runs.pop();
    }
    match runs.last_mut() {
        Some(Run::Encoded(same, last)) if same.eq_ignore_ascii_case(&label) => last.extend(bytes),
        Some(Run::Encoded(..) | Run::Raw(_)) | None => runs.push(Run::Encoded(label, bytes)),
    }
}

/// The encoded word at the beginning of `text`: its charset, its bytes and its length.
fn encoded_word(text: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let inner = text.strip_prefix(b"=?")?;
    let label_end = memchr::memchr(b'?', inner)?;
    let label = inner.get(..label_end)?;
    let (kind, rest) = inner.get(label_end + 1..)?.split_first()?;
    let written = rest.strip_prefix(b"?")?;
    let end = memchr::memmem::find(written, b"?=")?;
    let written = written.get(..end)?;
    if label.is_empty() || !label.iter().all(u8::is_ascii_graphic) || written.contains(&b'?') {
        return None;
    }
    let bytes = match kind.to_ascii_uppercase() {
        b'B' => transfer::base64(written),
        b'Q' => q_encoding(written),
        _ => return None,
    };
    // A language may follow the charset (RFC 2231 section 5).
    let charset = label.split(|b| *b == b'*').next().unwrap_or_default();
    let charset = String::from_utf8_lossy(charset).into_owned();
    Some((charset, bytes, 2 + label_end + 3 + end + 2))
}

/// RFC 2047 section 4.2.
fn q_encoding(written: &[u8]) -> Vec<u8> {
    let blank = |b: &u8| if *b == b'_' { b' ' } else { *b };
    let spaced: Vec<u8> = written.iter().map(blank).collect();
    let mut bytes = Vec::with_capacity(spaced.len());
    transfer::unescape(&spaced, b'=', &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_become_text_and_the_blanks_between_them_go() {
        for (value, expected) in [
            ("plain", "plain"),
            ("=?utf-8?B?6KaL56mN?= =?utf-8?q?=E6=9B=B8?= 12", "見積書 12"),
            ("a =?iso-8859-1*de?Q?gr=FC=DFe_b?= c", "a grüße b c"),
            ("=?ISO-2022-JP?B?GyRCOCtAUSEhPXEbKEI=?= /b", "見積　書 /b"),
            ("=?cp932?B?jKmQz4+R?=", "見積書"),
            ("=?x?Q?a", "=?x?Q?a"),
            ("=?utf-8?Z?a?=", "=?utf-8?Z?a?="),
            ("a=?=?b", "a=?=?b"),
        ] {
            assert_eq!(text(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn a_character_cut_between_two_words_is_whole_again() {
        // U+898B is E8 A6 8B: the first word ends after E8 A6.
        assert_eq!(text(b"=?utf-8?B?6KY=?= =?UTF-8?B?iw==?="), "見");
    }

    #[test]
    fn raw_bytes_of_an_old_program_are_read_in_the_charset_they_look_like() {
        assert_eq!(
            text(b"\x8c\xa9\x90\xcf\x8f\x91\x82\xcc\x8c\x8f"),
            "見積書の件"
        );
        assert_eq!(text(b"\x1b$B8+@Q\x1b(B 1"), "見積 1");
        assert_eq!(text("見積書".as_bytes()), "見積書");
    }
}
