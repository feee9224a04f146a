//! Profiles: what kind of service an account has, as data (section 7 of the requirements).

mod reset;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::accounts::toml_files;
use super::beside;
use super::credential::Doors;
use super::forms;
use super::forms::Bad;
use super::lock;
use super::mistake::Mistakes;
use super::section;
use super::section::Section;
use super::source::NamedBy;
use super::source::Source;
use crate::lock::LockRule;

pub use reset::AfterReset;
pub use reset::Reset;
pub use reset::ResetAddress;
pub use reset::ResetMethod;

/// What kind of service the account has: rules that are data (section 7 of the requirements).
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name in `accounts.toml`.
    pub name: String,
    /// The rule for a new password.
    pub policy: Policy,
    /// The lock.
    pub lock: LockRule,
    /// Which password each door asks for.
    pub doors: Doors,
    /// How somebody who forgot the password gets in again.
    pub reset: Reset,
}

/// The rule for a new password (row I9).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// At least one letter.
    pub needs_letter: bool,
    /// At least one digit.
    pub needs_digit: bool,
    /// Symbols allowed beside letters and digits; `None` allows every printable character.
    pub symbols: Option<String>,
    /// Words that no password may be, in lower case.
    pub blocked: Vec<String>,
}

/// Profiles by name.
pub(super) type Profiles = BTreeMap<String, Arc<Profile>>;

const BUILT_IN: [(&str, &str); 2] = [
    (
        "interfax",
        include_str!("../../config/profiles/interfax.toml"),
    ),
    (
        "standard",
        include_str!("../../config/profiles/standard.toml"),
    ),
];

/// Well-known passwords, one a line; `#` begins a comment.
const COMMON: &str = include_str!("../../config/profiles/common-passwords.txt");

impl Profile {
    /// The profile of accounts that name none.
    pub const DEFAULT: &'static str = "interfax";

    /// The profile called `name` that is built into the program.
    pub fn built_in(name: &str) -> Option<Self> {
        let found = built_in(&mut Mistakes::default()).remove(name)?;
        Some(Arc::unwrap_or_clone(found))
    }

    /// The names of the profiles that are built into the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter().map(|(name, _)| name)
    }

    fn read(section: &mut Section<'_, '_>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            policy: section.table("policy", Policy::read),
            lock: section.table("lock", read_lock),
            doors: section.table("doors", Doors::read),
            reset: section.table("reset", Reset::read),
        }
    }
}

impl Policy {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let length = |value: &DeValue<'_>| forms::number(value, 1..=128);
        let min_length = section.or("min_length", 12, length);
        let max_length = section.or("max_length", 128, length);
        if min_length > max_length {
            let accepted = "at most max_length";
            section.mistake(
                "min_length",
                "no password is long enough and short enough",
                accepted,
            );
        }
        let mut blocked = section.list("blocked", Vec::new(), |value| {
            forms::text(value).map(|word| word.to_lowercase())
        });
        if section.or("block_common", true, forms::boolean) {
            blocked.extend(common_passwords().map(str::to_lowercase));
        }
        Self {
            min_length,
            max_length,
            needs_letter: section.or("needs_letter", false, forms::boolean),
            needs_digit: section.or("needs_digit", false, forms::boolean),
            symbols: section.optional("symbols", symbols),
            blocked,
        }
    }
}

fn read_lock(section: &mut Section<'_, '_>) -> LockRule {
    let hour = Duration::from_secs(3600);
    LockRule {
        strikes: section.or("strikes", 3, |value| forms::number(value, 1..=100)),
        within: section.or("within", hour, lock::span),
        lasts: section.or("lasts", hour, lock::span),
    }
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

/// The built-in profiles and those in the folder that `config_file` names under `named_by`; one of the
/// same name replaces a built-in one.
pub(super) fn all(
    config_file: &Path,
    folder: Option<&Path>,
    named_by: &NamedBy,
    mistakes: &mut Mistakes,
) -> (Profiles, Vec<PathBuf>) {
    let mut profiles = built_in(mistakes);
    let files = match folder {
        Some(folder) => toml_files(&beside(config_file, folder), named_by, mistakes),
        None => Vec::new(),
    };
    for path in &files {
        let Some(source) = Source::read(path, &NamedBy::key("gateway.profiles"), mistakes) else {
            continue;
        };
        let stem = path.file_stem().unwrap_or_default();
        insert(&mut profiles, &stem.to_string_lossy(), &source, mistakes);
    }
    (profiles, files)
}

fn built_in(mistakes: &mut Mistakes) -> Profiles {
    let mut profiles = Profiles::new();
    for (name, text) in BUILT_IN {
        let source = Source::new(Path::new(name), text.to_owned());
        insert(&mut profiles, name, &source, mistakes);
    }
    profiles
}

fn insert(profiles: &mut Profiles, name: &str, source: &Source, mistakes: &mut Mistakes) {
    if let Some(tree) = source.tree(mistakes) {
        let profile = section::read_tree(source, &tree, mistakes, |s| Profile::read(s, name));
        profiles.insert(name.to_owned(), Arc::new(profile));
    }
}

/// Reads arbitrary text as a profile.
pub(super) fn fuzz(source: &Source, mistakes: &mut Mistakes) {
    insert(&mut Profiles::new(), "fuzz", source, mistakes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_have_no_mistakes() {
        let mut mistakes = Mistakes::default();
        let names: Vec<String> = built_in(&mut mistakes).into_keys().collect();
        assert_eq!(mistakes, Mistakes::default());
        assert_eq!(names, ["interfax", "standard"]);
    }

    #[test]
    fn i9_and_the_lock_of_the_interfax_profile_are_as_published() {
        let profile = Profile::built_in("interfax").unwrap();
        let policy = &profile.policy;
        assert_eq!((policy.min_length, policy.max_length), (7, 16));
        assert!(policy.needs_letter && policy.needs_digit);
        assert_eq!(policy.symbols.as_deref(), Some("!@#$%"));
        for name in Profile::built_in_names() {
            let lock = Profile::built_in(name).unwrap().lock;
            assert_eq!(lock.strikes, 3);
            assert_eq!(lock.within, Duration::from_secs(3600));
            assert_eq!(lock.lasts, Duration::from_secs(3600));
        }
    }

    #[test]
    fn the_standard_profile_has_length_and_a_blocklist_and_no_composition_rules() {
        let policy = Profile::built_in("standard").unwrap().policy;
        assert_eq!((policy.min_length, policy.max_length), (12, 128));
        assert!(!policy.needs_letter && !policy.needs_digit);
        assert_eq!(policy.symbols, None);
        assert!(policy.blocked.len() >= 200, "{}", policy.blocked.len());
    }

    #[test]
    fn the_list_of_common_passwords_has_no_word_twice() {
        let mut words: Vec<&str> = common_passwords().collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }
}
