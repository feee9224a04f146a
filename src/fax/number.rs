//! Telephone numbers: every form a person types in, E.164 inside, `00…` out.

use std::fmt;

use phonenumber::metadata::DATABASE;
use thiserror::Error;

/// A calling code, such as 81 for Japan, whose national numbers are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryCode(u16);

impl CountryCode {
    /// Japan.
    pub const JAPAN: Self = Self(81);

    /// The calling code in `digits`, if there is such a country.
    pub fn parse(digits: &str) -> Option<Self> {
        let code: u16 = digits.parse().ok()?;
        DATABASE.by_code(&code).map(|_| Self(code))
    }

    /// `digits` with the country's own international prefix, such as 010, turned into `+`.
    fn international(&self, digits: String) -> String {
        let metadata = DATABASE
            .by_code(&self.0)
            .and_then(|found| found.into_iter().next());
        let prefix = metadata.and_then(|metadata| metadata.international_prefix());
        match prefix.and_then(|prefix| prefix.find(&digits)) {
            Some(found) if found.start() == 0 => format!("+{}", &digits[found.end()..]),
            _ => digits,
        }
    }

    /// The beginning of E.164 digits that `typed` means: a beginning of numbers after `+` or `00`, of
    /// national ones with their trunk prefix (`0990` is 81990), else with the country code first.
    pub fn prefix(&self, typed: &str) -> Option<String> {
        let digits = dialled(typed).ok()?;
        if let Some(international) = digits.strip_prefix('+') {
            return Some(international.to_owned());
        }
        if digits.is_empty() || !digits.starts_with('0') {
            return (!digits.is_empty()).then_some(digits);
        }
        let metadata = DATABASE.by_code(&self.0)?.into_iter().next()?;
        let trunk = metadata.national_prefix().filter(|p| p.starts_with('0'));
        let national = trunk.and_then(|trunk| digits.strip_prefix(trunk));
        Some(format!("{}{}", self.0, national.unwrap_or(&digits)))
    }

    fn id(&self) -> Option<phonenumber::country::Id> {
        let metadata = DATABASE.by_code(&self.0)?.into_iter().next()?;
        metadata.id().parse().ok()
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A telephone number in E.164 form: country code and number, digits only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaxNumber(String);

/// What is wrong with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NumberError {
    /// There is something in it that no telephone number has.
    #[error("a number has digits, spaces and + - . ( ) only")]
    Characters,
    /// Too few digits for a number in its country.
    #[error("the number is too short")]
    TooShort,
    /// More digits than E.164 allows.
    #[error("a number has at most 15 digits with its country code")]
    TooLong,
    /// No country has this calling code.
    #[error("no country has this calling code")]
    UnknownCountry,
}

impl FaxNumber {
    /// The number in `typed`: national (as in `country`) or international after `+`, `00` or the
    /// country's own prefix; hyphens, dots, spaces and brackets anywhere; full-width digits too.
    ///
    /// # Errors
    /// [`NumberError`] says what is wrong.
    pub fn parse(typed: &str, country: &CountryCode) -> Result<Self, NumberError> {
        let dialled = country.international(dialled(typed)?);
        if dialled.len() > 24 {
            return Err(NumberError::TooLong);
        }
        // An international number is read without our country: the parser would strip our trunk
        // prefix from it, and Italian numbers begin with a zero that belongs to them.
        let home = if dialled.starts_with('+') {
            None
        } else {
            country.id()
        };
        let number = phonenumber::parse(home, &dialled).map_err(|error| match error {
            phonenumber::ParseError::TooLong => NumberError::TooLong,
            phonenumber::ParseError::InvalidCountryCode => NumberError::UnknownCountry,
            phonenumber::ParseError::NoNumber
            | phonenumber::ParseError::TooShortAfterIdd
            | phonenumber::ParseError::TooShortNsn
            | phonenumber::ParseError::MalformedInteger(_) => NumberError::TooShort,
        })?;
        Self::from_e164(&format!("{}{}", number.code().value(), number.national()))
    }

    /// The number whose canonical form (`00…`) this is.
    pub fn from_canonical(text: &str) -> Option<Self> {
        Self::from_e164(text.strip_prefix("00")?).ok()
    }

    /// `0081312345678`.
    pub fn canonical(&self) -> String {
        format!("00{}", self.0)
    }

    /// Country code and number, digits only, as dialled internationally.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// As people of its own country write it: `03-1234-5678`.
    pub fn national(&self) -> String {
        let parsed = phonenumber::parse(None, format!("+{}", self.0));
        let shown = parsed.map(|number| {
            let form = number.format().mode(phonenumber::Mode::National);
            form.to_string()
        });
        shown.unwrap_or_else(|_| self.0.clone())
    }

    /// Shortened for logs: `8131…78`.
    pub fn shortened(&self) -> String {
        let (head, tail) = (
            self.0.get(..4),
            self.0.get(self.0.len().saturating_sub(2)..),
        );
        format!("{}…{}", head.unwrap_or_default(), tail.unwrap_or_default())
    }

    fn from_e164(digits: &str) -> Result<Self, NumberError> {
        match digits.len() {
            _ if !digits.bytes().all(|b| b.is_ascii_digit()) => Err(NumberError::Characters),
            0..=5 => Err(NumberError::TooShort),
            6..=15 => Ok(Self(digits.to_owned())),
            _ => Err(NumberError::TooLong),
        }
    }
}

/// Digits and a leading `+` only. `00` is read as `+` everywhere: it is the canonical form.
fn dialled(typed: &str) -> Result<String, NumberError> {
    let mut digits = String::new();
    for c in typed.trim().chars() {
        match c {
            '0'..='9' => digits.push(c),
            '０'..='９' => digits.extend(char::from_digit(u32::from(c) - u32::from('０'), 10)),
            '+' | '＋' if digits.is_empty() => digits.push('+'),
            '-' | '.' | '(' | ')' | ' ' | '－' | '（' | '）' | '　' | '‐' | '−' => {}
            _ => return Err(NumberError::Characters),
        }
    }
    Ok(match digits.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => digits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(typed: &str) -> Result<String, NumberError> {
        let japan = CountryCode::parse("81").unwrap();
        FaxNumber::parse(typed, &japan).map(|n| n.canonical())
    }

    #[test]
    fn a_number_is_shown_as_its_own_country_writes_it() {
        for (canonical, national) in [
            ("0081312345678", "03-1234-5678"),
            ("00819012345678", "090-1234-5678"),
            ("00442079460000", "020 7946 0000"),
        ] {
            let number = FaxNumber::from_canonical(canonical).unwrap();
            assert_eq!(number.national(), national);
        }
    }

    #[test]
    fn a_number_is_understood_in_every_form_a_person_types() {
        for typed in [
            "0312345678",
            "03-1234-5678",
            "(03) 1234-5678",
            "03.1234.5678",
            "+81-3-1234-5678",
            "+81312345678",
            "00-81-3-1234-5678",
            "0081312345678",
            "010-81-3-1234-5678",
            "０３－１２３４－５６７８",
            "+81(0)3-1234-5678",
        ] {
            assert_eq!(parse(typed).as_deref(), Ok("0081312345678"), "{typed}");
        }
        assert_eq!(parse("+1(212)555-9999").as_deref(), Ok("0012125559999"));
        assert_eq!(parse("+1(425) 827 0220").as_deref(), Ok("0014258270220"));
        assert_eq!(parse("0990-123456").as_deref(), Ok("0081990123456"));
        assert_eq!(parse("010-39-06-12345678").as_deref(), Ok("00390612345678"));
        assert_eq!(parse("+39 06 12345678").as_deref(), Ok("00390612345678"));
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        for (typed, error) in [
            ("", NumberError::TooShort),
            ("abc", NumberError::Characters),
            ("03-1234-5678;x", NumberError::Characters),
            ("0312345678,,1", NumberError::Characters),
            ("03+1234", NumberError::Characters),
            ("12", NumberError::TooShort),
            (
                "1234567890123456789012345678901234567890",
                NumberError::TooLong,
            ),
            ("+999123456789", NumberError::UnknownCountry),
        ] {
            assert_eq!(parse(typed), Err(error), "{typed:?}");
        }
    }

    #[test]
    fn a_canonical_number_reads_back() {
        let number = FaxNumber::from_canonical("0081312345678").unwrap();
        assert_eq!(number.canonical(), "0081312345678");
        assert_eq!(number.shortened(), "8131…78");
    }

    #[test]
    fn a_prefix_is_typed_nationally_internationally_or_with_the_country_first() {
        let italy = CountryCode::parse("39").unwrap();
        for (country, typed, prefix) in [
            (&CountryCode::JAPAN, "0990", Some("81990")),
            (&CountryCode::JAPAN, "03-1", Some("8131")),
            (&CountryCode::JAPAN, "0", Some("81")),
            (&CountryCode::JAPAN, "+979", Some("979")),
            (&CountryCode::JAPAN, "00979", Some("979")),
            (&CountryCode::JAPAN, "00", Some("")),
            (&CountryCode::JAPAN, "81", Some("81")),
            (&CountryCode::JAPAN, "8", Some("8")),
            (&CountryCode::JAPAN, "", None),
            (&CountryCode::JAPAN, "tokyo", None),
            (&italy, "06", Some("3906")),
        ] {
            assert_eq!(country.prefix(typed).as_deref(), prefix, "{typed}");
        }
    }

    #[test]
    fn only_real_countries_have_calling_codes() {
        assert!(CountryCode::parse("81").is_some());
        assert!(CountryCode::parse("999").is_none());
        assert!(CountryCode::parse("japan").is_none());
    }
}
