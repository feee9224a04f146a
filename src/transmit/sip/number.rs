//! How numbers are written to a trunk.

use crate::config::NumberFormat;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;

/// `number` as a trunk with this format wants it, for a gateway in `country`.
pub(super) fn written(number: &FaxNumber, format: NumberFormat, country: &CountryCode) -> String {
    let digits = number.digits();
    match format {
        NumberFormat::E164 => format!("+{digits}"),
        NumberFormat::Digits => digits.to_owned(),
        NumberFormat::National if digits.starts_with(&country.to_string()) => {
            let national = number.national();
            national.chars().filter(char::is_ascii_digit).collect()
        }
        NumberFormat::National => number.canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_trunk_wants_it() {
        let us = CountryCode::parse("1").unwrap();
        for (canonical, country, format, expected) in [
            (
                "0081312345678",
                &CountryCode::JAPAN,
                NumberFormat::E164,
                "+81312345678",
            ),
            (
                "0081312345678",
                &CountryCode::JAPAN,
                NumberFormat::Digits,
                "81312345678",
            ),
            (
                "0081312345678",
                &CountryCode::JAPAN,
                NumberFormat::National,
                "0312345678",
            ),
            (
                "0012125559999",
                &CountryCode::JAPAN,
                NumberFormat::National,
                "0012125559999",
            ),
            ("0012125559999", &us, NumberFormat::National, "2125559999"),
            (
                "0081312345678",
                &us,
                NumberFormat::National,
                "0081312345678",
            ),
        ] {
            let number = FaxNumber::from_canonical(canonical).unwrap();
            assert_eq!(written(&number, format, country), expected, "{canonical}");
        }
    }
}
