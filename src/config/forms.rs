//! The forms of single values: durations, sizes, ranges, words; read and written.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::section::kind_of;
use crate::smtp::Address;
use crate::time::Timestamp;

/// Why a value is refused, and what would be right.
pub(super) struct Bad {
    /// What is wrong with it.
    pub(super) problem: String,
    /// The accepted form.
    pub(super) accepted: String,
}

impl Bad {
    /// A refusal.
    pub(super) fn new(problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            accepted: accepted.into(),
        }
    }

    fn kind(value: &DeValue<'_>, wanted: &str, accepted: &str) -> Self {
        Self::new(
            format!("this is {}, not {wanted}", kind_of(value)),
            accepted,
        )
    }
}

const DAY: u64 = 24 * 60 * 60;

/// Units of durations in milliseconds, the largest first.
const TIME_UNITS: [(&str, u64); 5] = [
    ("d", DAY * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Units of sizes in bytes, the largest first. `MB` is decimal, as in "20 MB of attachments".
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("B", 1),
];

/// Text on one line, not empty.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Bad> {
    let text = any_text(value)?;
    if text.trim().is_empty() {
        return Err(Bad::new("this text is empty", "a text"));
    }
    Ok(text)
}

/// Text on one line, perhaps empty.
pub(super) fn any_text(value: &DeValue<'_>) -> Result<String, Bad> {
    let text = value
        .as_str()
        .ok_or_else(|| Bad::kind(value, "a text", "a text in quotes"))?;
    if text.chars().any(char::is_control) {
        return Err(Bad::new(
            "there is a control character in it",
            "a text on one line",
        ));
    }
    if text.len() > 1000 {
        return Err(Bad::new("this text is too long", "at most 1000 bytes"));
    }
    Ok(text.to_owned())
}

/// A path of a file or folder.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, Bad> {
    text(value).map(PathBuf::from)
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Bad> {
    value
        .as_bool()
        .ok_or_else(|| Bad::kind(value, "true or false", "true, false"))
}

/// A whole number in `range`.
pub(super) fn number<N: TryFrom<u64>>(
    value: &DeValue<'_>,
    range: RangeInclusive<u64>,
) -> Result<N, Bad> {
    let accepted = format!("a whole number from {} to {}", range.start(), range.end());
    let integer = value
        .as_integer()
        .ok_or_else(|| Bad::kind(value, "a whole number", &accepted))?;
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
    number
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| range.contains(number))
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| Bad::new("this number is out of range", accepted))
}

/// A time span as text (`"90s"`) in `range`.
pub(super) fn duration(
    value: &DeValue<'_>,
    range: RangeInclusive<Duration>,
) -> Result<Duration, Bad> {
    let accepted = format!(
        "a time from \"{}\" to \"{}\", such as \"250ms\", \"90s\", \"3m\", \"1h\", \"14d\"",
        duration_text(*range.start()),
        duration_text(*range.end())
    );
    let text = value
        .as_str()
        .ok_or_else(|| Bad::kind(value, "a time in quotes", &accepted))?;
    let Some(ms) = amount(text, &TIME_UNITS) else {
        return Err(Bad::new("this is no time", accepted));
    };
    let duration = Duration::from_millis(ms);
    if range.contains(&duration) {
        Ok(duration)
    } else {
        Err(Bad::new("this time is out of range", accepted))
    }
}

/// A point in time with its zone (RFC 3339).
pub(super) fn instant(value: &DeValue<'_>) -> Result<Timestamp, Bad> {
    let accepted = "a date and time with its zone, such as \"2027-01-15T00:00:00+09:00\"";
    Timestamp::parse(&text(value)?).ok_or_else(|| Bad::new("this is no point in time", accepted))
}

/// A size as text (`"20 MB"`) in `range` of bytes.
pub(super) fn size<N: TryFrom<u64>>(
    value: &DeValue<'_>,
    range: RangeInclusive<u64>,
) -> Result<N, Bad> {
    let accepted = format!(
        "a size from \"{}\" to \"{}\", in B, kB, MB, GB (powers of 1000) or KiB, MiB, GiB (of 1024)",
        size_text(*range.start()),
        size_text(*range.end())
    );
    let text = value
        .as_str()
        .ok_or_else(|| Bad::kind(value, "a size in quotes", &accepted))?;
    let Some(bytes) = amount(text, &SIZE_UNITS) else {
        return Err(Bad::new("this is no size", accepted));
    };
    match N::try_from(bytes) {
        Ok(size) if range.contains(&bytes) => Ok(size),
        _ => Err(Bad::new("this size is out of range", accepted)),
    }
}

/// One of the given words.
pub(super) fn word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, Bad> {
    let names: Vec<String> = words.iter().map(|(w, _)| format!("\"{w}\"")).collect();
    let accepted = names.join(", ");
    let text = value
        .as_str()
        .ok_or_else(|| Bad::kind(value, "a word in quotes", &accepted))?;
    let found = words.iter().find(|(word, _)| *word == text);
    found
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| Bad::new("this word is unknown here", accepted))
}

/// `host:port` with a numeric address.
pub(super) fn socket(value: &DeValue<'_>) -> Result<SocketAddr, Bad> {
    let accepted = "an address and a port, such as \"127.0.0.1:2525\" or \"[::1]:2525\"";
    text(value)?
        .parse()
        .map_err(|_| Bad::new("this is no address with a port", accepted))
}

/// A mail address.
pub(super) fn address(value: &DeValue<'_>) -> Result<Address, Bad> {
    let accepted = "one mail address, such as \"tanaka@customer.example\"";
    Address::parse(&text(value)?).ok_or_else(|| Bad::new("this is no mail address", accepted))
}

/// A domain, in lower case.
pub(super) fn domain(value: &DeValue<'_>) -> Result<String, Bad> {
    let domain = text(value)?.to_lowercase();
    if is_domain(&domain) {
        Ok(domain)
    } else {
        let accepted = "a domain, such as \"fax.example\"";
        Err(Bad::new("this is no domain", accepted))
    }
}

/// Whether `text` has the form of a host name (RFC 1123 section 2.1); labels in any script.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len())
            && label.chars().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// `1h`: a duration in its largest whole unit, as [`duration`] reads it.
pub(super) fn duration_text(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    in_units(ms, &TIME_UNITS, "", "s")
}

/// `20 MB`: a size in its largest whole unit, as [`size`] reads it.
pub(super) fn size_text(bytes: u64) -> String {
    in_units(bytes, &SIZE_UNITS, " ", "B")
}

fn in_units(amount: u64, units: &[(&str, u64)], space: &str, zero: &str) -> String {
    let whole = units
        .iter()
        .filter(|(_, unit)| amount > 0 && amount.is_multiple_of(*unit));
    let fewest = whole.min_by_key(|(_, unit)| amount / unit);
    let (unit, per) = fewest.copied().unwrap_or((zero, 1));
    format!("{}{space}{unit}", amount / per)
}

/// The digits before a unit, times that unit.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, per) = units.iter().find(|(name, _)| *name == unit)?;
    count.parse::<u64>().ok()?.checked_mul(*per)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        for (text, ms) in [
            ("250ms", Some(250)),
            ("90s", Some(90_000)),
            ("3m", Some(180_000)),
            ("3 m", Some(180_000)),
            ("1h", Some(3_600_000)),
            ("14d", Some(1_209_600_000)),
            ("0s", Some(0)),
            ("", None),
            ("3", None),
            ("h", None),
            ("-1h", None),
            ("1.5h", None),
            ("1hour", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(amount(text, &TIME_UNITS), ms, "{text}");
        }
    }

    #[test]
    fn mb_is_decimal_and_mib_is_binary() {
        assert_eq!(amount("20 MB", &SIZE_UNITS), Some(20_000_000));
        assert_eq!(amount("20MiB", &SIZE_UNITS), Some(20_971_520));
        assert_eq!(amount("20 mb", &SIZE_UNITS), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        for bytes in [0, 1, 999, 1000, 1024, 262_144, 20_000_000, 1 << 30, 12_345] {
            assert_eq!(amount(&size_text(bytes), &SIZE_UNITS), Some(bytes));
        }
        assert_eq!(size_text(262_144), "256 KiB");
        for ms in [0, 1, 250, 1000, 90_000, 3_600_000, DAY * 14_000] {
            let text = duration_text(Duration::from_millis(ms));
            assert_eq!(amount(&text, &TIME_UNITS), Some(ms), "{text}");
        }
        assert_eq!(duration_text(Duration::from_secs(5400)), "90m");
    }

    #[test]
    fn host_names_have_labels() {
        for good in [
            "localhost",
            "fax.example",
            "a-b.example",
            "日本.example",
            "127.0.0.1",
        ] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "a..b",
            "-a.example",
            "a b",
            "a@b",
            "fax.example.",
            &"a".repeat(64),
        ] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
