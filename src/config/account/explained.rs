//! What is in force of an account, key by key, and where in its file it comes from.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;
use toml::de::DeValue;

use super::Account;
use super::SenderPattern;
use crate::config::Config;
use crate::config::CredentialKind;
use crate::config::Language;
use crate::config::accounts::Context;
use crate::config::effective::Effective;
use crate::config::effective::Lines;
use crate::config::effective::Texts;
use crate::config::effective::note_lines;
use crate::config::mistake::Mistakes;
use crate::config::phc;
use crate::config::salvage;
use crate::config::section;
use crate::config::source::NamedBy;
use crate::config::source::Source;

/// Where an account is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file as it was named; one text for all its accounts.
    pub file: Arc<Path>,
    /// The line on which its table begins, from 1.
    pub line: usize,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            file: Arc::from(Path::new("")),
            line: 0,
        }
    }
}

impl Account {
    /// Every key that is in force; `config_file` is where `config` was read from. Reads the file again, of which
    /// only this account's lines are understood unless they have moved.
    pub fn explained(&self, config_file: &Path, config: &Config) -> Effective {
        let file = &self.written.file;
        let untold = &mut Mistakes::default();
        let source = Source::read(file, &NamedBy::default(), untold);
        let found = source.and_then(|source| {
            let own = salvage::account_at(&source.text, self.written.line);
            let own = own.map(|own| Source::new(file, own.to_owned()));
            let above = self.written.line.saturating_sub(1);
            own.and_then(|own| self.find_in(&own, above, config_file, config))
                .or_else(|| self.find_in(&source, 0, config_file, config))
        });
        match found {
            None => Effective::unknown(self.texts()),
            Some((by_now, lines)) => {
                let texts = by_now.texts_beside(self);
                let by_now = Self {
                    written: self.written.clone(),
                    ..by_now
                };
                Effective::of(self.texts(), &texts, (file, &lines), by_now == *self)
            }
        }
    }

    /// The account of this id in `source`, which stands `above` lines further down in its file.
    fn find_in(
        &self,
        source: &Source,
        above: usize,
        config_file: &Path,
        config: &Config,
    ) -> Option<(Self, Lines)> {
        let tree = source.tree(&mut Mistakes::default())?;
        let index = tables(&tree).position(|table| is_of(table, &self.id))?;
        let mut lines = Lines::new();
        note_lines(source, tables(&tree).nth(index)?, "", above, &mut lines);
        let mut context = Context::alone(config_file, config);
        let mut at = 0;
        let read = section::read_tree(source, &tree, &mut Mistakes::default(), |root| {
            root.tables("account", |section| {
                at += 1;
                (at == index + 1).then(|| Self::read(section, &mut context))?
            })
        });
        Some((read.into_iter().flatten().next()?, lines))
    }

    /// The texts of all keys; where a secret is another one than that of `in_force`, its text is too.
    fn texts_beside(&self, in_force: &Self) -> Texts {
        let mut texts = self.texts();
        let kinds = CredentialKind::ALL.into_iter();
        let mut changed: Vec<&str> = kinds
            .filter(|kind| self.hash(*kind) != in_force.hash(*kind))
            .map(CredentialKind::as_str)
            .collect();
        if self.scram != in_force.scram {
            changed.push("scram");
        }
        for (_, value) in texts
            .iter_mut()
            .filter(|(key, _)| changed.contains(&key.as_str()))
        {
            *value = Some("another one".to_owned());
        }
        texts
    }

    /// Every key with its value as text; of secrets no more than that they are set.
    pub fn texts(&self) -> Vec<(String, Option<String>)> {
        let mut texts = vec![
            ("id", text(&self.id)),
            ("login_id", text(&self.login_id)),
            ("email", self.email.as_ref().and_then(text)),
            ("profile", text(&self.profile.name)),
            ("role", text(self.role.as_str())),
            ("company", self.company.clone()),
            ("senders", listed(&self.senders)),
        ];
        let secret = |kind| self.hash(kind).map(hash_shown);
        texts.extend(CredentialKind::ALL.map(|kind| (kind.as_str(), secret(kind))));
        let scram = self.scram.as_ref();
        let scram = scram.map(|scram| format!("set: SCRAM-SHA-256, {}", scram.iterations));
        let calls = self.max_calls.and_then(text);
        let messages = self.max_messages_per_minute.and_then(text);
        texts.extend([
            ("password_initial", text(self.password_initial)),
            ("scram", scram),
            (
                "client_certificate",
                fingerprints(&self.client_certificates),
            ),
            ("password_in_body", text(self.password_in_body)),
            ("require_verified", text(self.require_verified)),
            ("max_calls", calls),
            ("max_messages_per_minute", messages),
        ]);
        let texts = texts.into_iter().chain(self.texts_of_faxes());
        let owned = |(key, value): (&str, Option<String>)| (key.to_owned(), value);
        texts.map(owned).chain(self.texts_of_lists()).collect()
    }

    fn texts_of_faxes(&self) -> [(&'static str, Option<String>); 11] {
        let numbers = self
            .numbers
            .iter()
            .map(|number| format!("+{}", number.digits()));
        let calling = self.calling_number.as_ref();
        let result = &self.result_mail;
        [
            ("station_id", self.station_id.as_ref().and_then(text)),
            (
                "calling_number",
                calling.map(|number| format!("+{}", number.digits())),
            ),
            ("numbers", listed(&numbers.collect::<Vec<_>>())),
            ("forward_to", listed(&self.forward_to)),
            ("forward_format", text(self.forward_format.as_str())),
            (
                "language",
                self.language.map(Language::as_str).and_then(text),
            ),
            ("time_zone", self.time_zone.as_ref().and_then(text)),
            ("result_mail.when", text(result.when.as_str())),
            ("result_mail.format", text(result.format.as_str())),
            ("result_mail.attach_pages", text(result.attach_pages)),
            ("result_mail.to", listed(&result.to)),
        ]
    }

    fn texts_of_lists(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let lists = self.lists.iter().enumerate();
        lists.flat_map(|(index, list)| {
            let members = text(list.members.len());
            [
                (format!("list[{index}].name"), text(&list.name)),
                (format!("list[{index}].members"), members),
            ]
        })
    }
}

/// The tables of accounts in a file.
fn tables<'t>(tree: &'t DeTable<'t>) -> impl Iterator<Item = &'t DeTable<'t>> {
    let found = tree.get("account").map(|value| value.get_ref());
    let array = found.and_then(DeValue::as_array);
    let entries = array.into_iter().flat_map(|array| array.iter());
    entries.filter_map(|entry| entry.get_ref().as_table())
}

fn is_of(table: &DeTable<'_>, id: &str) -> bool {
    let found = table.get("id").and_then(|value| value.get_ref().as_str());
    found == Some(id)
}

fn text(value: impl Display) -> Option<String> {
    Some(value.to_string())
}

/// An empty list is none.
fn listed<T: Display>(values: &[T]) -> Option<String> {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// Which kind of hash it is and how much work it makes; nothing of its salt or of itself.
fn hash_shown(hash: &str) -> String {
    match phc::parameters(hash) {
        Some(parameters) => format!("set: argon2id, {parameters}"),
        None => "set".to_owned(),
    }
}

fn fingerprints(certificates: &[[u8; 32]]) -> Option<String> {
    let hex = |bytes: &[u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let texts: Vec<String> = certificates.iter().map(hex).collect();
    listed(&texts)
}

impl Display for SenderPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "*@{domain}"),
        }
    }
}
