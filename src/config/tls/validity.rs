//! When a certificate ends (RFC 5280 section 4.1.2.5): the one field that is needed, and its way there.

use crate::time::Timestamp;
use crate::time::Zone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]`, the version.
const VERSION: u8 = 0xa0;

/// `notAfter`, to the minute, of a certificate in DER; `None` if it cannot be found.
pub(super) fn end_of(certificate: &[u8]) -> Option<Timestamp> {
    let (whole, _) = value(certificate, SEQUENCE)?;
    let (mut rest, _) = value(whole, SEQUENCE)?;
    if let Some((_, after)) = value(rest, VERSION) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = value(rest, tag)?.1;
    }
    let (validity, _) = value(rest, SEQUENCE)?;
    let (_, not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    time(tag, not_after).filter(|_| !not_before.is_empty())
}

/// The value that begins `der`, which must have this tag, and what follows it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, value, rest) = element(der)?;
    (found == tag).then_some((value, rest))
}

/// Tag, value and what follows (X.690 section 8.1).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            let small = (1..=4).contains(&digits.len());
            let add = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
            (small.then(|| digits.iter().fold(0, add))?, rest)
        }
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        // RFC 5280 section 4.1.2.5.1: 50 is 1950, 49 is 2049.
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (year + if year < 50 { 2000 } else { 1900 }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let day = (year, two(0)?, two(2)?);
    Zone::utc().at(Some(day), two(4)?, two(6)?, Timestamp::from_ms(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut wanted = rcgen::CertificateParams::new(["gw.example".to_owned()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(year, 3, 5);
        let key = rcgen::KeyPair::generate().unwrap();
        wanted.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_before_and_after_2050() {
        for (year, end) in [
            (2021, "2021-03-05T00:00:00Z"),
            (2049, "2049-03-05T00:00:00Z"),
            (2051, "2051-03-05T00:00:00Z"),
        ] {
            let read = end_of(&certificate(year)).map(Timestamp::rfc3339);
            assert_eq!(read.map(|at| at.replace(".000", "")).as_deref(), Some(end));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            at in 0_usize..600,
            with in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut der = certificate(2030);
            let at = at.min(der.len());
            let end = (at + with.len()).min(der.len());
            der.splice(at..end, with);
            let _ = end_of(&der);
        }
    }
}
