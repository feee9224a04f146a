//! The user data of an account (row T5): its fields, and what is wrong or doubtful about what is typed.

use crate::account::fold::fold;
use crate::account::fold::narrow;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;
use crate::smtp::Address;
use crate::storage::people::PersonRow;

/// A field of the user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name as it is written.
    Name,
    /// How it is read.
    Kana,
    /// The name in Latin letters.
    EnglishName,
    /// The department.
    Department,
    /// The postcode.
    Postcode,
    /// The address of the post.
    Address,
    /// The telephone number.
    Phone,
    /// The fax number.
    Fax,
}

/// What was found about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is not saved so.
    Error(Wrong),
    /// It is saved, and looks like a slip.
    Warning(Doubt),
}

/// Why a field is not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It has more characters than this.
    TooLong(usize),
    /// It has characters that cannot be seen.
    Invisible,
    /// It is no telephone number.
    NoNumber,
    /// It is no mail address.
    NoAddress,
    /// Something must stand here.
    Missing,
}

/// Why a field looks like a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A Japanese postcode has seven digits.
    NotSevenDigits,
    /// Not only kana.
    NotKana,
    /// Not only Latin letters.
    NotLatin,
}

/// The longest mail address that a path can carry (RFC 5321 section 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

impl Field {
    /// All, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Kana,
        Self::EnglishName,
        Self::Department,
        Self::Postcode,
        Self::Address,
        Self::Phone,
        Self::Fax,
    ];

    /// Its name in forms and in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kana => "kana",
            Self::EnglishName => "english_name",
            Self::Department => "department",
            Self::Postcode => "postcode",
            Self::Address => "address",
            Self::Phone => "phone",
            Self::Fax => "fax",
        }
    }

    /// Most characters.
    pub fn longest(self) -> usize {
        match self {
            Self::Name | Self::Kana | Self::EnglishName | Self::Department => 100,
            Self::Address => 300,
            Self::Postcode => 20,
            Self::Phone | Self::Fax => 40,
        }
    }

    /// Its value in `person`.
    pub fn of(self, person: &PersonRow) -> &str {
        match self {
            Self::Name => &person.name,
            Self::Kana => &person.kana,
            Self::EnglishName => &person.english_name,
            Self::Department => &person.department,
            Self::Postcode => &person.postcode,
            Self::Address => &person.address,
            Self::Phone => &person.phone,
            Self::Fax => &person.fax,
        }
    }

    /// Gives it a value in `person`.
    pub fn set(self, person: &mut PersonRow, value: String) {
        let place = match self {
            Self::Name => &mut person.name,
            Self::Kana => &mut person.kana,
            Self::EnglishName => &mut person.english_name,
            Self::Department => &mut person.department,
            Self::Postcode => &mut person.postcode,
            Self::Address => &mut person.address,
            Self::Phone => &mut person.phone,
            Self::Fax => &mut person.fax,
        };
        *place = value;
    }

    /// What is to be said of `value` here, for a gateway in `country`. Empty is always right: nobody must tell.
    pub fn check(self, value: &str, country: &CountryCode) -> Option<Finding> {
        if value.is_empty() {
            return None;
        }
        if let Some(wrong) = too_much(value, self.longest()) {
            return Some(Finding::Error(wrong));
        }
        match self {
            Self::Name | Self::Department | Self::Address => None,
            Self::Kana => doubt(value.chars().all(is_kana), Doubt::NotKana),
            Self::EnglishName => doubt(value.chars().all(is_latin), Doubt::NotLatin),
            Self::Postcode => {
                let fits = *country != CountryCode::JAPAN || is_japanese_postcode(value);
                doubt(fits, Doubt::NotSevenDigits)
            }
            Self::Phone | Self::Fax => {
                let number = FaxNumber::parse(&narrow(value), country);
                number.is_err().then_some(Finding::Error(Wrong::NoNumber))
            }
        }
    }
}

/// The address in `typed`, to which notices and resets go.
///
/// # Errors
/// [`Wrong`] says why it is none.
pub fn email(typed: &str) -> Result<Address, Wrong> {
    if typed.is_empty() {
        return Err(Wrong::Missing);
    }
    if let Some(wrong) = too_much(typed, LONGEST_EMAIL) {
        return Err(wrong);
    }
    let address = Address::parse(typed).filter(|address| is_domain(address.domain()));
    address.ok_or(Wrong::NoAddress)
}

/// Whether `typed` says why something is done.
///
/// # Errors
/// [`Wrong`] says why it does not.
pub fn reason(typed: &str, longest: usize) -> Result<(), Wrong> {
    // Dots and dashes fill a field and say nothing.
    if !typed.contains(char::is_alphanumeric) {
        return Err(Wrong::Missing);
    }
    too_much(typed, longest).map_or(Ok(()), Err)
}

/// The names of the fields in which `before` and `after` differ.
pub fn changed(before: &PersonRow, after: &PersonRow) -> Vec<&'static str> {
    let fields = Field::ALL.into_iter();
    let changed = fields.filter(|field| field.of(before) != field.of(after));
    changed.map(Field::as_str).collect()
}

/// What a search looks in: the names, apart from each other.
pub fn folded(person: &PersonRow) -> String {
    let names = [&person.name, &person.kana, &person.english_name];
    names.map(|name| fold(name)).join("\n")
}

fn doubt(fits: bool, doubt: Doubt) -> Option<Finding> {
    (!fits).then_some(Finding::Warning(doubt))
}

fn too_much(value: &str, longest: usize) -> Option<Wrong> {
    // Beside control characters: those that turn the direction of writing or show as nothing, and could make one
    // name look like another.
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    if value.contains(invisible) {
        return Some(Wrong::Invisible);
    }
    (value.chars().count() > longest).then_some(Wrong::TooLong(longest))
}

fn is_japanese_postcode(value: &str) -> bool {
    let narrow = narrow(value);
    let digits = narrow.trim_start_matches('〒').trim();
    let parts = digits
        .split_once('-')
        .unwrap_or(digits.split_at_checked(3).unwrap_or_default());
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    parts.0.len() == 3 && parts.1.len() == 4 && are_digits(parts.0) && are_digits(parts.1)
}

fn is_kana(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{3041}'..='\u{309F}' | '\u{30A0}'..='\u{30FF}' | '\u{FF65}'..='\u{FF9F}')
}

fn is_latin(c: char) -> bool {
    // Latin letters up to Extended-B have their accents: René, Łódź.
    matches!(c, ' '..='~' | '\u{C0}'..='\u{24F}' | '’')
}

fn is_domain(domain: &str) -> bool {
    let labels = || domain.split('.');
    let is_label = |label: &str| {
        let inside = |c: char| c.is_alphanumeric() || c == '-';
        !label.is_empty()
            && label.chars().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    labels().count() >= 2 && labels().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: Field, value: &str) -> Option<Finding> {
        field.check(value, &CountryCode::JAPAN)
    }

    #[test]
    fn t5_each_field_has_its_rule() {
        use Field::*;
        let no_number = Some(Finding::Error(Wrong::NoNumber));
        let digits = Some(Finding::Warning(Doubt::NotSevenDigits));
        let kana = Some(Finding::Warning(Doubt::NotKana));
        let latin = Some(Finding::Warning(Doubt::NotLatin));
        for (field, value, expected) in [
            (Name, "田中 太郎", None),
            (Name, "<script>alert(1)</script>", None),
            (Kana, "タナカ タロウ", None),
            (Kana, "たなか　たろう", None),
            (Kana, "ﾀﾅｶ ﾀﾛｳ", None),
            (Kana, "ジョン・スミスー", None),
            (Kana, "Tanaka", kana),
            (Kana, "田中", kana),
            (EnglishName, "Taro O'Tanaka-René", None),
            (EnglishName, "田中", latin),
            (Postcode, "1000001", None),
            (Postcode, "100-0001", None),
            (Postcode, "〒１００－０００１", None),
            (Postcode, "100-001", digits),
            (Postcode, "10-00001", digits),
            (Postcode, "abc-defg", digits),
            (Postcode, "é", digits),
            (Phone, "03-1234-5678", None),
            (Phone, "０３ー１２３４ー５６７８", None),
            (Phone, "+49 30 123456", None),
            (Phone, "ask Sato", no_number),
            (Fax, "12", no_number),
            (Fax, "(03) 1234 5678", None),
        ] {
            assert_eq!(check(field, value), expected, "{field:?} {value}");
        }
    }

    #[test]
    fn a_postcode_of_another_country_has_its_own_form() {
        let germany = CountryCode::parse("49").unwrap();
        assert_eq!(Field::Postcode.check("10115", &germany), None);
    }

    #[test]
    fn t5_too_long_and_invisible_are_errors_in_every_field_and_empty_never_is() {
        for field in Field::ALL {
            assert_eq!(check(field, ""), None);
            let longest = field.longest();
            let long = check(field, &"あ".repeat(longest + 1));
            assert_eq!(long, Some(Finding::Error(Wrong::TooLong(longest))));
            for bad in [
                "a\u{0}b",
                "a\nb",
                "a\u{7f}",
                "\u{202E}nimda",
                "a\u{200B}b",
                "a\u{2028}b",
            ] {
                let found = check(field, bad);
                assert_eq!(
                    found,
                    Some(Finding::Error(Wrong::Invisible)),
                    "{field:?} {bad:?}"
                );
            }
        }
        let longest = "あ".repeat(Field::Name.longest());
        assert_eq!(check(Field::Name, &longest), None);
    }

    #[test]
    fn t5_an_address_for_notices_must_be_one() {
        for good in [
            "tanaka@customer.example",
            "a..b.@docomo.ne.jp",
            "田中@例え.jp",
        ] {
            assert_eq!(email(good).unwrap().as_str(), good);
        }
        let long = format!("{}@customer.example", "a".repeat(250));
        for (bad, why) in [
            ("", Wrong::Missing),
            ("tanaka", Wrong::NoAddress),
            ("tanaka@", Wrong::NoAddress),
            ("tanaka@localhost", Wrong::NoAddress),
            ("tanaka@-x.example", Wrong::NoAddress),
            ("tanaka@x..example", Wrong::NoAddress),
            ("a@x.example, b@x.example", Wrong::NoAddress),
            ("a@x.example\r\nBcc: b@x.example", Wrong::Invisible),
            (&long, Wrong::TooLong(254)),
        ] {
            assert_eq!(email(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn t7_a_reason_says_something() {
        for (text, expected) in [
            ("asked by telephone", Ok(())),
            ("電話で依頼", Ok(())),
            ("", Err(Wrong::Missing)),
            (" - ", Err(Wrong::Missing)),
            ("a\nb", Err(Wrong::Invisible)),
            (&"é".repeat(200), Ok(())),
            (&"é".repeat(201), Err(Wrong::TooLong(200))),
        ] {
            assert_eq!(reason(text, 200), expected, "{text}");
        }
    }

    #[test]
    fn changes_are_told_by_the_names_of_their_fields() {
        let before = PersonRow::default();
        let mut after = before.clone();
        for (n, field) in Field::ALL.into_iter().enumerate() {
            field.set(&mut after, format!("v{n}"));
            assert_eq!(field.of(&after), format!("v{n}"));
        }
        let names = Field::ALL.map(Field::as_str);
        assert_eq!(changed(&before, &after), names);
        assert!(changed(&after, &after).is_empty());
        assert_eq!(folded(&after), "v0\nv1\nv2");
    }
}
