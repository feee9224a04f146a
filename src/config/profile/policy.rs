//! `[policy]`: the rule for a new password, and those of single kinds of passwords (row I9).

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::config::credential::CredentialKind;
use crate::config::forms;
use crate::config::forms::Bad;
use crate::config::section::Section;

/// The rule for a new password (row I9).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// At least one letter.
    pub needs_letter: bool,
    /// At least one lower-case letter.
    pub needs_lower: bool,
    /// At least one upper-case letter.
    pub needs_upper: bool,
    /// At least one digit.
    pub needs_digit: bool,
    /// The first character is a letter.
    pub first_is_letter: bool,
    /// Symbols allowed beside letters and digits; `None` allows every printable character.
    pub symbols: Option<String>,
    /// Words that no password may be, in lower case.
    pub blocked: Vec<String>,
}

/// The rules of a profile: one for all kinds of passwords, and those of kinds that have their own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Policies {
    all: Policy,
    own: BTreeMap<CredentialKind, Policy>,
}

/// Well-known passwords, one a line; `#` begins a comment.
const COMMON: &str = include_str!("../../../config/profiles/common-passwords.txt");

impl Policies {
    /// The rule for a new password of this kind.
    pub(super) fn of(&self, kind: CredentialKind) -> &Policy {
        self.own.get(&kind).unwrap_or(&self.all)
    }

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let all = Policy::read(section, &Policy::default());
        let own = CredentialKind::ALL.into_iter().filter_map(|kind| {
            let key = kind.as_str();
            let is_there = section.has(key);
            is_there.then(|| {
                let own = section.table(key, |section| Policy::read(section, &all));
                (kind, own)
            })
        });
        let own = own.collect();
        Self { all, own }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_length: 12,
            max_length: 128,
            needs_letter: false,
            needs_lower: false,
            needs_upper: false,
            needs_digit: false,
            first_is_letter: false,
            symbols: None,
            blocked: common_passwords().map(str::to_lowercase).collect(),
        }
    }
}

impl Policy {
    /// The rule in `section`; what that does not say is as in `base`.
    fn read(section: &mut Section<'_, '_>, base: &Self) -> Self {
        let length = |value: &DeValue<'_>| forms::number(value, 1..=128);
        let min_length = section.or("min_length", base.min_length, length);
        let max_length = section.or("max_length", base.max_length, length);
        if min_length > max_length {
            let accepted = "at most max_length";
            section.mistake(
                "min_length",
                "no password is long enough and short enough",
                accepted,
            );
        }
        let mut is_needed = |key, base| section.or(key, base, forms::boolean);
        Self {
            min_length,
            max_length,
            needs_letter: is_needed("needs_letter", base.needs_letter),
            needs_lower: is_needed("needs_lower", base.needs_lower),
            needs_upper: is_needed("needs_upper", base.needs_upper),
            needs_digit: is_needed("needs_digit", base.needs_digit),
            first_is_letter: is_needed("first_is_letter", base.first_is_letter),
            symbols: section
                .optional("symbols", symbols)
                .or_else(|| base.symbols.clone()),
            blocked: blocked(section, base),
        }
    }
}

fn blocked(section: &mut Section<'_, '_>, base: &Policy) -> Vec<String> {
    let own = section.entries("blocked", |value| {
        forms::text(value).map(|word| word.to_lowercase())
    });
    let common = section.optional("block_common", forms::boolean);
    if own.is_none() && common.is_none() {
        return base.blocked.clone();
    }
    let own = own.unwrap_or_default().into_iter();
    let mut blocked: Vec<String> = own.map(|entry| entry.value).collect();
    if common.unwrap_or(true) {
        blocked.extend(common_passwords().map(str::to_lowercase));
    }
    blocked
}

fn symbols(value: &DeValue<'_>) -> Result<String, Bad> {
    let symbols = forms::any_text(value)?;
    if symbols.chars().all(|c| c.is_ascii_punctuation()) {
        Ok(symbols)
    } else {
        let accepted = "ASCII symbols without spaces, such as \"!@#$%\"; empty for none";
        Err(Bad::new("not all of these are symbols", accepted))
    }
}

fn common_passwords() -> impl Iterator<Item = &'static str> {
    let lines = COMMON.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_common_passwords_has_no_word_twice() {
        let mut words: Vec<&str> = common_passwords().collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }
}
