//! The parameters of delivery status notifications (RFC 3461 section 4).

use super::Mistake;
use crate::smtp::Notify;
use crate::smtp::Returned;
use crate::smtp::TypedAddress;

/// Longest envelope identifier, decoded (RFC 3461 section 4.4).
const LONGEST_ID: usize = 100;
/// Longest ORCPT as it is written (RFC 3461 section 4.2).
const LONGEST_ORIGINAL: usize = 500;
/// Longest address of ORCPT in ASCII: a line of a report has room for it (RFC 5322 section 2.1.1), and it
/// has room for every address there is.
const LONGEST_IN_ASCII: usize = 960;

/// Puts the value of a parameter into its `place`, where one may stand.
///
/// # Errors
/// [`Mistake::ParameterValue`] if it stands there already, or is none.
pub(super) fn once<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Mistake> {
    match (&place, value) {
        (None, Some(value)) => {
            *place = Some(value);
            Ok(())
        }
        (None | Some(_), _) => Err(Mistake::ParameterValue),
    }
}

/// `RET=FULL|HDRS`
pub(super) fn returned(value: &str) -> Option<Returned> {
    if value.eq_ignore_ascii_case("FULL") {
        Some(Returned::Full)
    } else if value.eq_ignore_ascii_case("HDRS") {
        Some(Returned::Headers)
    } else {
        None
    }
}

/// `ENVID=<xtext>`
pub(super) fn envelope_id(value: &str) -> Option<String> {
    unescaped(value).filter(|id| (1..=LONGEST_ID).contains(&id.len()))
}

/// `NOTIFY=NEVER`, or some of `SUCCESS,FAILURE,DELAY`
pub(super) fn notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::NEVER);
    }
    let event = |word: &str| match word.to_ascii_uppercase().as_str() {
        "SUCCESS" => Some(Notify::SUCCESS),
        "FAILURE" => Some(Notify::FAILURE),
        "DELAY" => Some(Notify::DELAY),
        _ => None,
    };
    value
        .split(',')
        .try_fold(Notify::NEVER, |all, word| Some(all | event(word)?))
}

/// `ORCPT=<type>;<xtext>`. An address of type `utf-8` may stand there as it is (RFC 6533 section 3).
pub(super) fn original(value: &str) -> Option<TypedAddress> {
    let (kind, text) = value.split_once(';')?;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let fits = (1..=40).contains(&kind.len()) && kind.bytes().all(is_word);
    if !fits || text.is_empty() || value.len() > LONGEST_ORIGINAL {
        return None;
    }
    let text = match kind.eq_ignore_ascii_case("utf-8") {
        true => unescaped(&crate::smtp::in_ascii(text)),
        false => unescaped(text),
    };
    let text = text.filter(|text| text.len() <= LONGEST_IN_ASCII)?;
    Some(TypedAddress {
        kind: kind.to_owned(),
        text,
    })
}

/// The text that `xtext` stands for (RFC 3461 section 4): `+` begins two hexadecimal digits, in capitals.
/// `None` if that is not printable ASCII.
fn unescaped(xtext: &str) -> Option<String> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    let mut text = String::with_capacity(xtext.len());
    let mut bytes = xtext.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            b'=' => return None,
            byte => byte,
        };
        if !matches!(byte, b' '..=b'~') {
            return None;
        }
        text.push(char::from(byte));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn notify_is_never_or_a_list_of_events() {
        let all = Notify::SUCCESS | Notify::FAILURE | Notify::DELAY;
        for (value, expected) in [
            ("NEVER", Some(Notify::NEVER)),
            ("never", Some(Notify::NEVER)),
            ("SUCCESS", Some(Notify::SUCCESS)),
            ("delay,Failure,SUCCESS", Some(all)),
            ("FAILURE,FAILURE", Some(Notify::FAILURE)),
            ("NEVER,FAILURE", None),
            ("FAILURE,NEVER", None),
            ("FAILURE,", None),
            ("", None),
            ("ALWAYS", None),
        ] {
            assert_eq!(notify(value), expected, "{value}");
        }
    }

    #[test]
    fn xtext_is_decoded_and_only_printable_ascii_comes_out() {
        for (value, expected) in [
            ("QQ314159", Some("QQ314159")),
            ("a+2Bb+3Dc+20d", Some("a+b=c d")),
            ("a+0D+0ABcc:+20x", None),
            ("a+00", None),
            ("a+7F", None),
            ("a+C3+A9", None),
            ("a+2", None),
            ("a+2b", None),
            ("a+", None),
            ("a=b", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(envelope_id(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn an_identifier_is_measured_decoded_and_an_original_recipient_as_written() {
        assert!(envelope_id(&"+41".repeat(100)).is_some());
        assert_eq!(envelope_id(&"A".repeat(101)), None);
        assert!(original(&format!("rfc822;{}", "a".repeat(493))).is_some());
        assert_eq!(original(&format!("rfc822;{}", "a".repeat(494))), None);
        let wide = |count| original(&format!("utf-8;{}@c.example", "営".repeat(count)));
        let written = wide(100).unwrap();
        assert!(format!("Original-Recipient: {written}\r\n").len() <= 1_000);
        assert_eq!(wide(140), None, "no line of a report holds it");
    }

    #[test]
    fn an_original_recipient_has_a_type() {
        for (value, expected) in [
            (
                "rfc822;Sales+2BEast@customer.example",
                Some(("rfc822", "Sales+East@customer.example")),
            ),
            ("x-fax;+2B81+203+201234", Some(("x-fax", "+81 3 1234"))),
            (
                "utf-8;営業@customer.example",
                Some(("utf-8", "\\x{55B6}\\x{696D}@customer.example")),
            ),
            ("rfc822;営業@customer.example", None),
            ("rfc822;a+0Ab@c", None),
            ("rfc822;", None),
            (";a@b", None),
            ("r f;a@b", None),
            ("a@b", None),
        ] {
            let found = original(value);
            let found = found.as_ref().map(|o| (o.kind.as_str(), o.text.as_str()));
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn a_parameter_stands_once() {
        let mut place = None;
        assert_eq!(once(&mut place, returned("hdrs")), Ok(()));
        assert_eq!(place, Some(Returned::Headers));
        assert_eq!(
            once(&mut place, returned("FULL")),
            Err(Mistake::ParameterValue)
        );
        assert_eq!(
            once(&mut None, returned("BODY")),
            Err(Mistake::ParameterValue)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_as_xtext_comes_back(text in "[ -~]{1,100}") {
            let escape = |c: char| match c {
                ' ' | '+' | '=' => format!("+{:02X}", u32::from(c)),
                c => c.to_string(),
            };
            let xtext: String = text.chars().map(escape).collect();
            prop_assert_eq!(envelope_id(&xtext), Some(text));
        }
    }
}
