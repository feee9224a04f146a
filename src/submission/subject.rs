//! The subject: a reference, and options at its end.

use std::time::Duration;

use super::text;
use crate::fax::Resolution;
use crate::time::Timestamp;
use crate::time::Zone;

/// Most characters of the reference.
pub(super) const MAX_REFERENCE: usize = 60;
/// How far ahead a fax may be put off.
const FARTHEST: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Font sizes, in points, that make a readable fax.
const FONT_SIZES: std::ops::RangeInclusive<u8> = 4..=72;

/// What the options in a subject ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectOptions {
    /// `/b`, `/bn`, `/bb`: what of the mail is faxed; `None` is the account's default.
    pub body: Option<BodyChoice>,
    /// `/h {…}`: the header line's text.
    pub header: Option<String>,
    /// `/hn`: no header line.
    pub no_header: bool,
    /// `/d`: not before this time; `None` is at once.
    pub send_at: Option<Timestamp>,
    /// `/rs`, `/rf`
    pub resolution: Option<Resolution>,
    /// `/fontsize`, in points.
    pub font_size: Option<u8>,
    /// `/fonttype`
    pub font_type: Option<String>,
    /// `/ib`: colours and images behind an HTML document stay.
    pub keep_background: bool,
}

/// What of a mail with attachments is faxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyChoice {
    /// `/b`: the body and then the attachments.
    WithAttachments,
    /// `/bn`: the attachments only.
    AttachmentsOnly,
    /// `/bb`: the body only.
    BodyOnly,
}

/// Reference and options in the decoded `subject`.
///
/// The options begin with the first word that looks like one, a slash and ASCII letters, and reach to the
/// end. What is in there and is no option is refused, not guessed: a customer who writes `/retry 3` must
/// not be faxed without it.
///
/// # Errors
/// The option that nobody understands.
pub(super) fn parse(
    subject: &str,
    zone: &Zone,
    now: Timestamp,
) -> Result<(String, SubjectOptions), String> {
    let subject = text::one_line(subject, usize::MAX);
    let reference = |text: &str| text::one_line(text, MAX_REFERENCE);
    let (before, run) = subject.split_at(first_option(&subject));
    match options(run, zone, now) {
        Ok(options) => Ok((reference(before), options)),
        Err(word) => Err(reference(&word)),
    }
}

/// Where the first word stands that looks like an option; the end if there is none.
fn first_option(subject: &str) -> usize {
    let mut at = 0;
    for word in subject.split_inclusive(char::is_whitespace) {
        if looks_like_option(word.trim_end()) {
            return at;
        }
        at += word.len();
    }
    subject.len()
}

fn looks_like_option(word: &str) -> bool {
    let name = word.strip_prefix('/').unwrap_or_default();
    // A path has more slashes; a date or a number no letter first.
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('/')
}

/// Reads `run` to its end; the word that is no option if there is one.
fn options(run: &str, zone: &Zone, now: Timestamp) -> Result<SubjectOptions, String> {
    let mut options = SubjectOptions::default();
    let mut rest = run;
    while !rest.is_empty() {
        let (name, after) = option_name(rest);
        match option(name, after, &mut options, zone, now) {
            Some(after) => rest = after,
            None => return Err(name.to_owned()),
        }
    }
    Ok(options)
}

/// The first word, which ends before a brace, and what follows the blanks behind it.
fn option_name(text: &str) -> (&str, &str) {
    let ends = |c: char| c.is_whitespace() || c == '{';
    let end = text.find(ends).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match name.is_empty() {
        true => word(text),
        false => (name, rest.trim_start()),
    }
}

/// Sets the option `name`; returns what follows it and its value, `None` if it cannot be understood.
fn option<'t>(
    name: &str,
    after: &'t str,
    options: &mut SubjectOptions,
    zone: &Zone,
    now: Timestamp,
) -> Option<&'t str> {
    match name.to_ascii_lowercase().as_str() {
        "/b" => options.body = Some(BodyChoice::WithAttachments),
        "/bn" => options.body = Some(BodyChoice::AttachmentsOnly),
        "/bb" => options.body = Some(BodyChoice::BodyOnly),
        "/ib" => options.keep_background = true,
        "/hn" => options.no_header = true,
        "/rs" => options.resolution = Some(Resolution::Standard),
        "/rf" => options.resolution = Some(Resolution::Fine),
        "/h" => {
            let (header, rest) = braces(after)?;
            options.header = Some(header.to_owned());
            return Some(rest);
        }
        "/fonttype" => {
            let (font, rest) = font_name(after)?;
            options.font_type = Some(font.to_owned());
            return Some(rest);
        }
        "/fontsize" => {
            let (size, rest) = value(after)?;
            let size = size.parse().ok().filter(|size| FONT_SIZES.contains(size))?;
            options.font_size = Some(size);
            return Some(rest);
        }
        "/d" => {
            let (at, rest) = date(after, zone, now)?;
            options.send_at = (at > now).then_some(at);
            return Some(rest);
        }
        _ => return None,
    }
    Some(after)
}

/// The first word and what follows the blanks behind it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

/// The text between braces at the beginning, and what follows.
fn braces(text: &str) -> Option<(&str, &str)> {
    let (inner, rest) = text.strip_prefix('{')?.split_once('}')?;
    // `{From} {Page}` are placeholders: the header ends at the brace that closes the first one.
    let (inner, rest) = match inner.contains('{') {
        true => outer_braces(text)?,
        false => (inner, rest),
    };
    Some((inner.trim(), rest.trim_start()))
}

fn outer_braces(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(1..at)?, text.get(at + 1..)?));
        }
    }
    None
}

/// A value in braces or of one word.
fn value(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = match braces(text) {
        Some(found) => found,
        None => word(text),
    };
    (!value.is_empty() && !value.starts_with(['/', '{'])).then_some((value, rest))
}

/// A name in braces, or all words up to the next option: `MS Gothic` is one font.
fn font_name(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('{') {
        return braces(text);
    }
    let (name, rest) = text.split_at(first_option(text));
    let name = name.trim_end();
    (!name.is_empty()).then_some((name, rest))
}

/// `yyyy-mm-dd hh:mm` or `hh:mm`, at most 30 days ahead.
fn date<'t>(text: &'t str, zone: &Zone, now: Timestamp) -> Option<(Timestamp, &'t str)> {
    let (inside, after) = match braces(text) {
        Some((inside, after)) => (inside, Some(after)),
        None => (text, None),
    };
    let (first, rest) = word(inside);
    let (day, time, rest) = if first.contains('-') {
        let (time, rest) = word(rest);
        (Some(day(first)?), time, rest)
    } else {
        (None, first, rest)
    };
    let (hour, minute) = time.split_once(':')?;
    let at = zone.at(day, number(hour)?, number(minute)?, now)?;
    let ends = after.is_none() || rest.is_empty();
    let near = at.since(now) <= FARTHEST;
    (ends && near).then_some((at, after.unwrap_or(rest)))
}

fn day(text: &str) -> Option<(i16, i8, i8)> {
    let mut pieces = text.split('-');
    let day = (
        number(pieces.next()?)?,
        number(pieces.next()?)?,
        number(pieces.next()?)?,
    );
    pieces.next().is_none().then_some(day)
}

/// A number of digits only: no sign.
fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 18:30 in Tokyo.
    const NOW: Timestamp = Timestamp::from_ms(1_795_339_800_000);

    fn read(subject: &str) -> Result<(String, SubjectOptions), String> {
        parse(subject, &Zone::named("Asia/Tokyo").unwrap(), NOW)
    }

    fn ok(subject: &str) -> (String, SubjectOptions) {
        read(subject).unwrap_or_else(|option| panic!("{subject}: {option}"))
    }

    #[test]
    fn options_stand_at_the_end_several_in_a_row() {
        let (reference, options) = ok("Invoice 12 /b /rs /h {ACME {From} p. {Page}} /fontsize 14");
        assert_eq!(reference, "Invoice 12");
        assert_eq!(
            options,
            SubjectOptions {
                body: Some(BodyChoice::WithAttachments),
                resolution: Some(Resolution::Standard),
                header: Some("ACME {From} p. {Page}".into()),
                font_size: Some(14),
                ..SubjectOptions::default()
            }
        );
        let (reference, options) = ok("/BN /RF /HN /IB /fonttype {MS Gothic} /fontsize {9}");
        assert_eq!(reference, "");
        assert_eq!(options.body, Some(BodyChoice::AttachmentsOnly));
        assert_eq!(options.resolution, Some(Resolution::Fine));
        assert!(options.no_header && options.keep_background);
        assert_eq!(options.font_type.as_deref(), Some("MS Gothic"));
        assert_eq!(options.font_size, Some(9));
        assert_eq!(ok("見積書　/bb").1.body, Some(BodyChoice::BodyOnly));
    }

    #[test]
    fn a_date_puts_the_fax_off() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        for (option, expected) in [
            ("/d 2026-12-01 00:45", Some("2026-12-01 00:45")),
            ("/d 19:05", Some("2026-11-22 19:05")),
            ("/d {2026-12-01 9:00}", Some("2026-12-01 09:00")),
            ("/d 18:00", None),
            ("/d 2002-12-31 00:45", None),
            ("/d 2026-12-22 18:30", Some("2026-12-22 18:30")),
        ] {
            let at = ok(&format!("x {option} /b")).1.send_at;
            assert_eq!(
                at.map(|at| at.local_minute(&tokyo)).as_deref(),
                expected,
                "{option}"
            );
        }
        for option in [
            "/d",
            "/d tomorrow",
            "/d 2026-13-01 00:00",
            "/d 2026-12-22 18:31",
            "/d 25:00",
            "/d +1:00",
            "/d 2026-12-01",
        ] {
            assert_eq!(read(&format!("x {option}")), Err("/d".into()), "{option}");
        }
    }

    #[test]
    fn an_unknown_option_is_refused_not_guessed() {
        for (subject, option) in [
            ("Invoice /x", "/x"),
            ("Invoice /urgent /b", "/urgent"),
            ("Invoice /b /urgent", "/urgent"),
            ("Invoice /rs,", "/rs,"),
            ("/h no braces", "/h"),
            ("x /fontsize 900", "/fontsize"),
            ("x /fontsize", "/fontsize"),
            ("Invoice /retry 3", "/retry"),
            ("Invoice /rs trailing words", "trailing"),
            ("read /b first", "first"),
        ] {
            assert_eq!(read(subject), Err(option.into()), "{subject}");
        }
    }

    #[test]
    fn a_subject_full_of_options_before_a_word_is_read_in_linear_time() {
        let subject = format!("{} x", " /b".repeat(20_000));
        // Not compared by assert_eq: it would print the subject.
        assert!(read(&subject) == Err("x".into()));
    }

    #[test]
    fn slashes_in_the_reference_are_no_options() {
        for subject in [
            "invoice 12/2026",
            "see http://x/y",
            "and / or",
            "n/a",
            "report /2026 final",
            "see /etc/hosts first",
            "見積／b",
            "ends with /",
        ] {
            assert_eq!(
                ok(subject),
                (subject.into(), SubjectOptions::default()),
                "{subject}"
            );
        }
        assert_eq!(ok("report /2026 final /b").0, "report /2026 final");
        assert_eq!(ok(&"あ".repeat(70)).0.chars().count(), 60);
        assert_eq!(ok("a\r\nBcc: x\0").0, "a Bcc: x");
    }
}
