//! Which number was called.

use rsipstack::sip::Header;
use rsipstack::sip::Headers;
use rsipstack::sip::Request;
use rsipstack::sip::prelude::HasHeaders;

use crate::config::NumberFormat;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;

/// What the number may be, the most likely first.
///
/// The Request-URI says who is called (RFC 3261 section 8.2.2.1). On a registered trunk it may be our own user name there: then the
/// number stands in `P-Called-Party-ID` (RFC 7315 section 4.2), or in `To`.
pub(super) fn numbers(
    invite: &Request,
    format: NumberFormat,
    country: &CountryCode,
) -> Vec<FaxNumber> {
    let uri = invite.uri.to_string();
    let called = value(invite.headers(), "P-Called-Party-ID");
    let to = value(invite.headers(), "To").or_else(|| value(invite.headers(), "t"));
    let places = [Some(uri.as_str()), called, to];
    let users = places.into_iter().flatten().filter_map(user);
    let mut numbers = Vec::new();
    for number in users.flat_map(|user| read(&user, format, country)) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

/// Whether it needs an extension (RFC 3261 section 8.2.2.3). Of those we have none but one that we never make use of.
pub(super) fn needs_extension(headers: &Headers) -> bool {
    let required = headers
        .iter()
        .filter(|header| header.name().eq_ignore_ascii_case("Require"));
    required
        .flat_map(|header| header.value().split(','))
        .any(|option| !option.trim().eq_ignore_ascii_case("100rel"))
}

/// The first value of a header field.
pub(super) fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut named = headers.iter();
    let found = named.find(|header| header.name().eq_ignore_ascii_case(name));
    found.map(Header::value)
}

/// `text` as a number. What has neither `+` nor a zero in front may be one with its country code.
fn read(text: &str, format: NumberFormat, country: &CountryCode) -> Vec<FaxNumber> {
    let bare = text.starts_with(|first: char| first.is_ascii_digit() && first != '0');
    let as_written = FaxNumber::parse(text, country).ok();
    let whole = bare.then(|| FaxNumber::parse(&format!("+{text}"), country).ok());
    let whole = whole.flatten();
    let both = match format {
        NumberFormat::Digits => [whole, as_written],
        NumberFormat::E164 | NumberFormat::National => [as_written, whole],
    };
    both.into_iter().flatten().collect()
}

/// The user of an address, without the parameters and the password that may follow: `"Shop" <sip:%2B81345670001;x=y@host;z>`.
fn user(address: &str) -> Option<String> {
    const LONGEST: usize = 512;
    let address = address.get(..address.len().min(LONGEST))?;
    let address = match address.rsplit_once('<') {
        Some((_, inner)) => inner.split('>').next()?,
        None => address,
    };
    let (scheme, rest) = address.trim().split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest.rsplit_once('@')?.0,
        // RFC 3966: a number is all there is.
        "tel" => rest,
        _ => return None,
    };
    let user = user.split([';', ':', '?']).next().unwrap_or_default();
    decoded(user).filter(|user| !user.is_empty())
}

/// Percent-encoding undone (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(text: &str, format: NumberFormat) -> Option<String> {
        let user = user(text)?;
        let numbers = read(&user, format, &CountryCode::JAPAN);
        numbers.first().map(FaxNumber::canonical)
    }

    #[test]
    fn a_number_is_understood_in_every_form() {
        for text in [
            "sip:+81345670001@gw.example",
            "sip:%2B81345670001@gw.example:5060;transport=udp",
            "SIP:0345670001@192.0.2.1",
            "sips:0081345670001@192.0.2.1",
            "sip:+81-3-4567-0001@192.0.2.1;user=phone",
            "sip:+81345670001;npdi;rn=+81345670099@192.0.2.1",
            "sip:0345670001:secret@192.0.2.1",
            "tel:+81-3-4567-0001",
            "tel:0345670001;phone-context=+81",
            "<sip:03-4567-0001@192.0.2.1>;tag=1",
            "\"A shop <sip:1@2>\" <sip:+81345670001@192.0.2.1:5060>",
        ] {
            let found = first(text, NumberFormat::E164);
            assert_eq!(found.as_deref(), Some("0081345670001"), "{text}");
        }
        let digits = first("sip:81345670001@192.0.2.1", NumberFormat::Digits);
        assert_eq!(digits.as_deref(), Some("0081345670001"));
    }

    #[test]
    fn digits_with_a_country_code_are_understood_whatever_was_configured() {
        let numbers = read("81345670001", NumberFormat::E164, &CountryCode::JAPAN);
        let ours = numbers
            .iter()
            .any(|number| number.canonical() == "0081345670001");
        assert!(ours, "{numbers:?}");
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "",
            "sip:",
            "sip:gw.example",
            "sip:fax@gw.example",
            "sip:%ZZ@gw.example",
            "sip:%2@gw",
            "mailto:0345670001@x",
            "sip:@gw.example",
            "sip:+999999999999999999999@x",
            "0345670001",
            "<sip:",
            "sip:１x@y",
        ] {
            assert_eq!(first(text, NumberFormat::E164), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_address_brings_it_down(text in ".{0,80}") {
            let _ = first(&text, NumberFormat::Digits);
            let _ = first(&format!("sip:{text}@x"), NumberFormat::National);
        }
    }
}
