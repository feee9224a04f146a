//! Bytes become text: declared charsets under all their names, and detection where a name is absent or wrong.
//!
//! A wrong charset is a wrong password, so this layer stands above the raw bytes of a part and trusts a
//! label only as far as the bytes agree with it.

use std::borrow::Cow;

use chardetng::EncodingDetector;
use chardetng::Iso2022JpDetection;
use chardetng::Utf8Detection;
use encoding_rs::EUC_JP;
use encoding_rs::Encoding;
use encoding_rs::ISO_2022_JP;
use encoding_rs::REPLACEMENT;
use encoding_rs::SHIFT_JIS;
use encoding_rs::UTF_8;
use encoding_rs::UTF_16BE;
use encoding_rs::UTF_16LE;
use encoding_rs::X_USER_DEFINED;

use crate::refusal::Malformed;

/// The text of `bytes`, declared to be in the charset `label`.
///
/// # Errors
/// [`Malformed::Charset`] for charsets that hide text from simple readers, such as UTF-7.
pub(super) fn text(bytes: &[u8], label: Option<&str>) -> Result<String, Malformed> {
    let declared = match label {
        Some(label) => named(label)?,
        None => None,
    };
    Ok(decoded(bytes, declared))
}

/// Other readings of `bytes` in Japanese charsets, where nothing speaks for the one that [`text`] chose: a
/// label for single bytes fits any bytes, and a short unlabelled text is a guess.
pub(super) fn other_readings(bytes: &[u8], label: Option<&str>) -> impl Iterator<Item = String> {
    let declared = label.and_then(|label| named(label).ok().flatten());
    let sure = declared.is_some_and(|found| !found.is_single_byte() && agrees(bytes, found));
    let doubtful = !sure && !bytes.is_ascii();
    [SHIFT_JIS, EUC_JP]
        .into_iter()
        .filter(move |other| doubtful && agrees(bytes, other))
        .map(move |other| other.decode(bytes).0.into_owned())
}

/// The text of `bytes` for which no charset is declared, or none that can be trusted.
pub(super) fn guessed(bytes: &[u8]) -> String {
    decoded(bytes, None)
}

fn decoded(bytes: &[u8], declared: Option<&'static Encoding>) -> String {
    let bytes = without_idle_escapes(bytes);
    fitting(&bytes, declared).decode(&bytes).0.into_owned()
}

/// `bytes` without ISO-2022-JP escape sequences that another one follows at once. Encoded words joined to
/// each other have them, some programs write them, and the decoder takes them for an attack.
fn without_idle_escapes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let idle = |at: usize| {
        let three = bytes.get(at..at + 3);
        let escape = three.is_some_and(|three| matches!(three, [0x1b, b'$' | b'(', _]));
        escape && bytes.get(at + 3) == Some(&0x1b)
    };
    let mut escapes = memchr::memchr_iter(0x1b, bytes).filter(|at| idle(*at));
    let Some(first) = escapes.next() else {
        return Cow::Borrowed(bytes);
    };
    let mut kept = bytes.get(..first).unwrap_or_default().to_vec();
    let mut from = first + 3;
    for at in escapes {
        kept.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        from = at + 3;
    }
    kept.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Cow::Owned(kept)
}

/// The encoding called `label`; `None` if nobody knows it or it promises nothing (US-ASCII).
fn named(label: &str) -> Result<Option<&'static Encoding>, Malformed> {
    let label = label
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
        .to_ascii_lowercase();
    let key = label.replace('_', "-");
    if key.contains("utf-7") || key.contains("utf7") {
        return Err(Malformed::Charset);
    }
    let found = japanese(&key).or_else(|| Encoding::for_label(label.as_bytes()));
    match found.or_else(|| Encoding::for_label(key.as_bytes())) {
        Some(found) if found == REPLACEMENT => Err(Malformed::Charset),
        Some(found) if found == X_USER_DEFINED || key.contains("ascii") => Ok(None),
        other => Ok(other),
    }
}

/// Names of Japanese charsets that mail programs write and the encoding standard does not list.
fn japanese(key: &str) -> Option<&'static Encoding> {
    match key {
        "cp932" | "cp-932" | "windows-932" | "x-ms-cp932" | "ms932" | "x-sjis" | "sjis"
        | "sjis-win" | "shift-jis" | "shiftjis" | "x-shift-jis" | "windows-31j" | "mskanji"
        | "ms-kanji" | "csshiftjis" | "cswindows31j" => Some(SHIFT_JIS),
        "cp51932" | "eucjp" | "eucjp-ms" | "eucjp-win" | "euc-jp-ms" | "x-euc-jp" | "x-euc"
        | "ujis" => Some(EUC_JP),
        "cp50220"
        | "cp50221"
        | "cp50222"
        | "iso-2022-jp-ms"
        | "iso-2022-jp-1"
        | "iso-2022-jp-2"
        | "iso-2022-jp-3"
        | "iso-2022-jp-2004"
        | "iso2022jp"
        | "iso-2022jp"
        | "x-windows-iso2022jp"
        | "x-windows-50220"
        | "x-windows-50221"
        | "jis"
        | "junet" => Some(ISO_2022_JP),
        _ => None,
    }
}

/// The declared encoding if the bytes agree with it, otherwise the one they look like.
fn fitting(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = wide(bytes, declared.is_some_and(is_wide)) {
        return encoding;
    }
    // Plain ASCII without escape sequences reads the same in every charset that is left.
    if bytes.is_ascii() && memchr::memchr(0x1b, bytes).is_none() {
        return UTF_8;
    }
    // Text that is valid UTF-8 with characters of three bytes or more is nothing else by chance.
    let long = bytes.iter().any(|byte| *byte >= 0xe0);
    if long && std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    match declared {
        Some(declared) if agrees(bytes, declared) => declared,
        Some(_) | None => detected(bytes, declared),
    }
}

fn is_wide(encoding: &'static Encoding) -> bool {
    encoding == UTF_16BE || encoding == UTF_16LE
}

/// Whether nothing in `bytes` contradicts `encoding`.
fn agrees(bytes: &[u8], encoding: &'static Encoding) -> bool {
    // An escape sequence in another charset would pass as two control characters and hide kanji.
    let escapes = encoding != ISO_2022_JP && bytes.windows(2).any(|pair| pair == b"\x1b$");
    !is_wide(encoding)
        && !escapes
        && encoding
            .decode_without_bom_handling_and_without_replacement(bytes)
            .is_some()
}

fn detected(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let guess = detector.guess(Some(b"jp"), Utf8Detection::Allow);
    let escaped = bytes.contains(&0x1b).then_some(ISO_2022_JP);
    let candidates = [escaped, Some(UTF_8), Some(guess), declared];
    let mut candidates = candidates.into_iter().flatten();
    let fallback = escaped.or(declared.filter(|encoding| !is_wide(encoding)));
    candidates
        .find(|encoding| agrees(bytes, encoding))
        .or(fallback)
        .unwrap_or(guess)
}

/// UTF-16 without a byte order mark: the upper half of Latin letters and line ends is a zero byte, and
/// always the same half. Without a label that must be so for a quarter of the characters.
fn wide(bytes: &[u8], declared: bool) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(4_096))?;
    let zeros = |from: usize| {
        let half = head.iter().skip(from).step_by(2);
        half.filter(|b| **b == 0).count()
    };
    let (upper_first, upper_second) = (zeros(0), zeros(1));
    let (most, least) = (upper_first.max(upper_second), upper_first.min(upper_second));
    let enough = if declared {
        most > 0
    } else {
        head.len() >= 4 && least * 4 <= most && most * 8 >= head.len()
    };
    let encoding = if upper_first > upper_second {
        UTF_16BE
    } else {
        UTF_16LE
    };
    (enough && most > least).then_some(encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "パスワード：abc1234\r\n見積書をお送りします。①㈱髙﨑\r\n";

    fn bytes_in(encoding: &'static Encoding, text: &str) -> Vec<u8> {
        let (bytes, _, errors) = encoding.encode(text);
        assert!(!errors, "{text} cannot be written in {}", encoding.name());
        bytes.into_owned()
    }

    fn wide_bytes(text: &str, big: bool) -> Vec<u8> {
        let unit = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn a_charset_is_known_under_every_name_mail_programs_write() {
        let groups: [(&'static Encoding, &[&str]); 4] = [
            (
                SHIFT_JIS,
                &[
                    "Shift_JIS",
                    "shift-jis",
                    "sjis",
                    "x-sjis",
                    "windows-31j",
                    "ms932",
                    "MS_Kanji",
                    "csShiftJIS",
                    "cp932",
                    "Windows-932",
                    "\"cp932\"",
                ],
            ),
            (
                EUC_JP,
                &[
                    "EUC-JP",
                    "euc_jp",
                    "x-euc-jp",
                    "eucjp",
                    "eucJP-ms",
                    "eucjp-win",
                    "cp51932",
                    "ujis",
                ],
            ),
            (
                ISO_2022_JP,
                &[
                    "ISO-2022-JP",
                    "csISO2022JP",
                    "cp50220",
                    "cp50221",
                    "cp50222",
                    "iso-2022-jp-ms",
                    "iso-2022-jp-1",
                    "iso-2022-jp-2",
                    "iso-2022-jp-3",
                    "x-windows-iso2022jp",
                    "jis",
                ],
            ),
            (UTF_8, &["utf-8", "UTF8", "utf_8", "unicode-1-1-utf-8"]),
        ];
        for (encoding, labels) in groups {
            for label in labels {
                assert_eq!(named(label), Ok(Some(encoding)), "{label}");
                let words = if encoding == ISO_2022_JP {
                    "パスワード：a"
                } else {
                    WORDS
                };
                let bytes = bytes_in(encoding, words);
                assert_eq!(text(&bytes, Some(label)).as_deref(), Ok(words), "{label}");
            }
        }
    }

    #[test]
    fn a_wrong_or_missing_label_is_overruled_by_the_bytes() {
        for label in [
            None,
            Some("us-ascii"),
            Some("iso-2022-jp"),
            Some("utf-8"),
            Some("x-unknown"),
            Some("utf-16"),
        ] {
            for encoding in [UTF_8, SHIFT_JIS, EUC_JP, ISO_2022_JP] {
                let words = "パスワード：abc1234\r\n見積書をお送りします。\r\n";
                let bytes = bytes_in(encoding, words);
                assert_eq!(
                    text(&bytes, label).as_deref(),
                    Ok(words),
                    "{} as {label:?}",
                    encoding.name()
                );
            }
        }
        let bytes = "パスワード：a".as_bytes();
        for label in ["shift_jis", "euc-jp", "iso-8859-1", "windows-1252"] {
            assert_eq!(
                text(bytes, Some(label)).as_deref(),
                Ok("パスワード：a"),
                "{label}"
            );
        }
        let jis = bytes_in(ISO_2022_JP, "パスワード：a");
        assert_eq!(
            text(&jis, Some("iso-8859-1")).as_deref(),
            Ok("パスワード：a")
        );
    }

    #[test]
    fn wide_text_is_read_with_and_without_mark_and_label() {
        for big in [true, false] {
            let bytes = wide_bytes("password: abc1234\r\n", big);
            assert_eq!(text(&bytes, None).as_deref(), Ok("password: abc1234\r\n"));
            let bytes = wide_bytes("パスワード：abc\r\n", big);
            assert_eq!(
                text(&bytes, Some("utf-16")).as_deref(),
                Ok("パスワード：abc\r\n")
            );
            let marked = wide_bytes("\u{feff}パスワード", big);
            assert_eq!(guessed(&marked), "パスワード");
        }
        assert_eq!(guessed(b"pass\0word: x"), "pass\0word: x");
    }

    #[test]
    fn escape_sequences_that_change_nothing_do_no_harm() {
        let jis = b"\x1b(B\x1b$B8+@Q\x1b(B\x1b$B=q\x1b(B\x1b(Bpassword: x";
        assert_eq!(
            text(jis, Some("iso-2022-jp")).as_deref(),
            Ok("見積書password: x")
        );
        assert_eq!(guessed(jis), "見積書password: x");
    }

    #[test]
    fn a_latin_letter_stays_what_its_label_says() {
        assert_eq!(
            text(b"Gr\xfc\xdfe", Some("iso-8859-1")).as_deref(),
            Ok("Grüße")
        );
        assert_eq!(text("Grüße".as_bytes(), None).as_deref(), Ok("Grüße"));
    }

    #[test]
    fn charsets_that_hide_text_are_refused() {
        for label in [
            "utf-7",
            "UTF7",
            "unicode-1-1-utf-7",
            "hz-gb-2312",
            "iso-2022-kr",
        ] {
            assert_eq!(text(b"x", Some(label)), Err(Malformed::Charset), "{label}");
        }
    }
}
