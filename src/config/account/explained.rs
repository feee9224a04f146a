//! What is in force of an account, key by key, and where in its file it comes from.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;
use toml::de::DeValue;

use super::Account;
use super::ForwardFormat;
use super::SenderPattern;
use crate::config::Config;
use crate::config::CredentialKind;
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
    fn texts(&self) -> Texts {
        let one = |text: Option<String>| text;
        let all = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join(", "));
        let secret = |kind| self.hash(kind).map(hash_shown);
        let result = &self.result_mail;
        let mut texts: Vec<(&str, Option<String>)> = vec![
            ("id", Some(self.id.clone())),
            ("login_id", Some(self.login_id.clone())),
            ("email", one(self.email.as_ref().map(ToString::to_string))),
            ("profile", Some(self.profile.name.clone())),
            ("role", Some(self.role.as_str().to_owned())),
            ("company", self.company.clone()),
            ("senders", all(listed(&self.senders))),
        ];
        texts.extend(CredentialKind::ALL.map(|kind| (kind.as_str(), secret(kind))));
        let scram = self.scram.as_ref();
        let scram = scram.map(|scram| format!("set: SCRAM-SHA-256, {}", scram.iterations));
        texts.extend([
            ("password_initial", Some(self.password_initial.to_string())),
            ("scram", scram),
            (
                "client_certificate",
                all(fingerprints(&self.client_certificates)),
            ),
            ("password_in_body", Some(self.password_in_body.to_string())),
            ("require_verified", Some(self.require_verified.to_string())),
            (
                "station_id",
                self.station_id.as_ref().map(ToString::to_string),
            ),
            (
                "numbers",
                all(self
                    .numbers
                    .iter()
                    .map(|n| format!("+{}", n.digits()))
                    .collect()),
            ),
            ("forward_to", all(listed(&self.forward_to))),
            (
                "forward_format",
                Some(forward_format(self.forward_format).to_owned()),
            ),
            ("result_mail.when", Some(result.when.as_str().to_owned())),
            (
                "result_mail.format",
                Some(result.format.as_str().to_owned()),
            ),
            (
                "result_mail.attach_pages",
                Some(result.attach_pages.to_string()),
            ),
            ("result_mail.to", all(listed(&result.to))),
            ("max_calls", self.max_calls.map(|calls| calls.to_string())),
            (
                "max_messages_per_minute",
                self.max_messages_per_minute.map(|n| n.to_string()),
            ),
        ]);
        let texts = texts.into_iter();
        let mut texts: Texts = texts.map(|(key, value)| (key.to_owned(), value)).collect();
        for (index, list) in self.lists.iter().enumerate() {
            texts.push((format!("list[{index}].name"), Some(list.name.clone())));
            let members = list.members.len().to_string();
            texts.push((format!("list[{index}].members"), Some(members)));
        }
        texts
    }
}

/// The tables of accounts in a file.
fn tables<'t>(tree: &'t DeTable<'t>) -> impl Iterator<Item = &'t DeTable<'t>> {
    let array = match tree.get("account").map(|value| value.get_ref()) {
        Some(DeValue::Array(array)) => Some(array),
        Some(_) | None => None,
    };
    let entries = array.into_iter().flat_map(|array| array.iter());
    entries.filter_map(|entry| match entry.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    })
}

fn is_of(table: &DeTable<'_>, id: &str) -> bool {
    let found = table.get("id").and_then(|value| value.get_ref().as_str());
    found == Some(id)
}

fn listed<T: Display>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Which kind of hash it is and how much work it makes; nothing of its salt or of itself.
fn hash_shown(hash: &str) -> String {
    match phc::parameters(hash) {
        Some(parameters) => format!("set: argon2id, {parameters}"),
        None => "set".to_owned(),
    }
}

fn fingerprints(certificates: &[[u8; 32]]) -> Vec<String> {
    let hex = |bytes: &[u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    certificates.iter().map(hex).collect()
}

fn forward_format(format: ForwardFormat) -> &'static str {
    match format {
        ForwardFormat::Pdf => "pdf",
        ForwardFormat::Tiff => "tiff",
    }
}

impl Display for SenderPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "*@{domain}"),
        }
    }
}
