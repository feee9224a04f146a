//! Profiles: what kind of service an account has, as data (section 7 of the requirements).

mod policy;
mod reset;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::accounts::toml_files;
use super::beside;
use super::credential::CredentialKind;
use super::credential::Doors;
use super::forms;
use super::lock;
use super::mistake::Mistakes;
use super::section;
use super::section::Section;
use super::source::NamedBy;
use super::source::Source;
use crate::lock::LockRule;
use crate::time::Timestamp;
use policy::Policies;

pub use policy::Policy;

pub use reset::AfterReset;
pub use reset::Reset;
pub use reset::ResetAddress;
pub use reset::ResetMethod;

/// What kind of service the account has: rules that are data (section 7 of the requirements).
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name in `accounts.toml`.
    pub name: String,
    policies: Policies,
    /// The lock.
    pub lock: LockRule,
    doors: Doors,
    /// When one password becomes several (rows W1, W2).
    pub split: Option<Split>,
    change: Vec<CredentialKind>,
    /// A password in force for longer is to be changed; `None`: nobody is reminded (row I2).
    pub reminder: Option<Duration>,
    /// How somebody who forgot the password gets in again.
    pub reset: Reset,
}

/// `[split]`: from a point in time on, doors that asked for one password ask for several (rows W1, W2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The first instant at which it is in force.
    pub at: Timestamp,
    /// Which password each door asks for from then on.
    pub doors: Doors,
}

/// Profiles by name.
pub(super) type Profiles = BTreeMap<String, Arc<Profile>>;

const BUILT_IN: [(&str, &str); 5] = [
    (
        "interfax",
        include_str!("../../config/profiles/interfax.toml"),
    ),
    ("rimnet", include_str!("../../config/profiles/rimnet.toml")),
    (
        "standard",
        include_str!("../../config/profiles/standard.toml"),
    ),
    ("twx21", include_str!("../../config/profiles/twx21.toml")),
    ("wakwak", include_str!("../../config/profiles/wakwak.toml")),
];

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

    /// Which password each door asks for at `now`.
    pub fn doors(&self, now: Timestamp) -> Doors {
        match &self.split {
            Some(split) if now >= split.at => split.doors,
            Some(_) | None => self.doors,
        }
    }

    /// The rule for a new password of this kind.
    pub fn policy(&self, kind: CredentialKind) -> &Policy {
        self.policies.of(kind)
    }

    /// The kind that doors asked for before a split made this one out of it: an account without one of its own
    /// has that one (row W1).
    pub fn begins_as(&self, kind: CredentialKind) -> Option<CredentialKind> {
        let split = self.split.as_ref()?;
        let mut pairs = self.doors.all().into_iter().zip(split.doors.all());
        let found = pairs.find(|(before, after)| *after == kind && before != after);
        found.map(|(before, _)| before)
    }

    /// The kinds that a split makes out of this one.
    pub fn splits_into(&self, kind: CredentialKind) -> Vec<CredentialKind> {
        let all = CredentialKind::ALL.into_iter();
        all.filter(|new| self.begins_as(*new) == Some(kind))
            .collect()
    }

    /// The kinds that a person may change online at `now`: before a split there is one password and one way to
    /// change it (row W2).
    pub fn changeable(&self, now: Timestamp) -> Vec<CredentialKind> {
        let is_later = |kind| {
            let to_come = self.split.as_ref().is_some_and(|split| now < split.at);
            to_come && self.begins_as(kind).is_some()
        };
        let kinds = self.change.iter().copied();
        kinds.filter(|kind| !is_later(*kind)).collect()
    }

    /// Whether people may ever change a password of this kind online.
    pub fn is_changed_online(&self, kind: CredentialKind) -> bool {
        self.change.contains(&kind)
    }

    fn read(section: &mut Section<'_, '_>, name: &str) -> Self {
        let doors = section.table("doors", |section| Doors::read(section, None));
        let split = section
            .has("split")
            .then(|| section.table("split", |section| Split::read(section, doors)));
        // Asked for all the same, so that an unknown key is one that nobody knows.
        let mut asked = doors.all().to_vec();
        asked.extend(split.iter().flat_map(|split| split.doors.all()));
        asked.sort_unstable();
        asked.dedup();
        Self {
            name: name.to_owned(),
            policies: section.table("policy", Policies::read),
            lock: section.table("lock", read_lock),
            doors,
            split,
            change: section.table("change", |section| {
                section.list("online", asked, CredentialKind::changed_online)
            }),
            reminder: section.table("reminder", |section| {
                section.optional("after", |value| forms::duration(value, REMINDERS))
            }),
            reset: section.table("reset", Reset::read),
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const REMINDERS: RangeInclusive<Duration> = DAY..=Duration::from_secs(3650 * 24 * 60 * 60);

impl Split {
    fn read(section: &mut Section<'_, '_>, before: Doors) -> Self {
        let accepted = "a date and time with its zone, such as \"2027-01-15T00:00:00+09:00\"";
        Self {
            at: section.required("at", accepted, forms::instant),
            doors: section.table("doors", |section| Doors::read(section, Some(before))),
        }
    }
}

fn read_lock(section: &mut Section<'_, '_>) -> LockRule {
    let hour = Duration::from_secs(3600);
    LockRule {
        strikes: section.or("strikes", 3, |value| forms::number(value, 1..=100)),
        within: section.or("within", hour, lock::span),
        lasts: section.or("lasts", hour, lock::lasting),
    }
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
mod tests;
