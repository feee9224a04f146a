//! What is in force, key by key, and where in the files it comes from: for operators to read.
//!
//! Places are not kept: the file is read again when somebody asks, and what it says by then is compared with
//! what is in force.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use toml::Table;
use toml::Value;
use toml::de::DeTable;
use toml::de::DeValue;

use super::Config;
use super::mistake::Mistakes;
use super::source::NamedBy;
use super::source::Source;

/// A key in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, such as `smtp.max_parts` or `list[0].name`.
    pub key: String,
    /// Its value as text; never a secret. `None`: it is not set, and has no value of its own.
    pub value: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Where a value in force comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No file says it.
    Default,
    /// A line of a file.
    Written(Spot),
    /// The file has another value by now, here; it is not in force.
    Differs(Spot),
    /// Which line it was is not known: the file cannot be read any more, or no longer has the key.
    Gone,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file as it was named.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// Everything in force of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Every key.
    pub settings: Vec<Setting>,
    /// Whether the file says by now what is in force.
    pub is_current: bool,
}

/// Keys with their texts, as a file says them or as they are in force.
pub(super) type Texts = Vec<(String, Option<String>)>;

/// The line of each key.
pub(super) type Lines = BTreeMap<String, usize>;

/// Keys of the main file that have no value of their own unless they are written.
const WITHOUT_DEFAULT: [&str; 16] = [
    "dns.servers",
    "gateway.profiles",
    "lock.lasts",
    "lock.strikes",
    "lock.within",
    "tls.certificate",
    "tls.client_ca",
    "tls.key",
    "transport.hylafax",
    "transport.interfax",
    "transport.loopback.numbers",
    "transport.route",
    "transport.sip",
    "transport.spool",
    "verify",
    "web",
];

impl Config {
    /// Every key of the main file that is in force; `path` is where it was read from.
    pub fn explained(&self, path: &Path) -> Effective {
        let mut mistakes = Mistakes::default();
        let source = Source::read(path, &NamedBy::default(), &mut mistakes);
        let by_now = source.and_then(|source| {
            let config = super::read(&source, &mut mistakes)?;
            let tree = source.tree(&mut mistakes)?;
            let mut lines = Lines::new();
            note_lines(&source, &tree, "", 0, &mut lines);
            Some((config, lines))
        });
        let texts = self.texts();
        let Some((config, lines)) = by_now else {
            return Effective::unknown(texts);
        };
        let is_current = mistakes.is_empty() && config == *self;
        Effective::of(texts, &config.texts(), (path, &lines), is_current)
    }

    fn texts(&self) -> Texts {
        let mut texts = Texts::new();
        flatten("", &self.tree(), &mut texts);
        for key in WITHOUT_DEFAULT {
            let under = format!("{key}.");
            let is_told = |known: &str| known == key || known.starts_with(&under);
            if !texts.iter().any(|(known, _)| is_told(known)) {
                texts.push((key.to_owned(), None));
            }
        }
        texts
    }
}

impl Effective {
    /// What is in force beside what the file says by now, and where.
    pub(super) fn of(
        in_force: Texts,
        by_now: &Texts,
        (file, lines): (&Path, &Lines),
        is_current: bool,
    ) -> Self {
        let setting = |(key, value): (String, Option<String>)| {
            let spot = lines.get(&key).map(|line| Spot {
                file: file.to_owned(),
                line: *line,
            });
            let same = by_now.iter().any(|(k, v)| (k, v) == (&key, &value));
            let origin = match (same, spot) {
                (true, Some(spot)) => Origin::Written(spot),
                (true, None) => Origin::Default,
                (false, Some(spot)) => Origin::Differs(spot),
                (false, None) => Origin::Gone,
            };
            Setting { key, value, origin }
        };
        Self {
            settings: in_force.into_iter().map(setting).collect(),
            is_current,
        }
    }

    /// What is in force while its file cannot be read.
    pub(super) fn unknown(in_force: Texts) -> Self {
        let setting = |(key, value)| Setting {
            key,
            value,
            origin: Origin::Gone,
        };
        Self {
            settings: in_force.into_iter().map(setting).collect(),
            is_current: false,
        }
    }
}

/// Notes the line of each key in `table` under `prefix`, counted `above` further down than in `source`.
pub(super) fn note_lines(
    source: &Source,
    table: &DeTable<'_>,
    prefix: &str,
    above: usize,
    lines: &mut Lines,
) {
    for (key, value) in table {
        let path = joined(prefix, key.get_ref());
        match value.get_ref() {
            DeValue::Table(table) => note_lines(source, table, &path, above, lines),
            DeValue::Array(array) => {
                for (index, entry) in array.iter().enumerate() {
                    if let DeValue::Table(table) = entry.get_ref() {
                        note_lines(source, table, &format!("{path}[{index}]"), above, lines);
                    }
                }
            }
            DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Float(_)
            | DeValue::Integer(_)
            | DeValue::String(_) => {}
        }
        lines.insert(path, source.start(&key.span()).line + above);
    }
}

fn flatten(prefix: &str, table: &Table, texts: &mut Texts) {
    for (key, value) in table {
        let path = joined(prefix, key);
        match value {
            Value::Table(table) => flatten(&path, table, texts),
            Value::Array(array) if array.iter().any(Value::is_table) => {
                for (index, entry) in array.iter().filter_map(Value::as_table).enumerate() {
                    flatten(&format!("{path}[{index}]"), entry, texts);
                }
            }
            Value::Array(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Float(_)
            | Value::Integer(_)
            | Value::String(_) => texts.push((path, plain(value))),
        }
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(array) if array.is_empty() => None,
        Value::Array(array) => {
            let entries: Vec<String> = array.iter().filter_map(plain).collect();
            Some(entries.join(", "))
        }
        Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Float(_)
        | Value::Integer(_)
        | Value::Table(_) => Some(value.to_string()),
    }
}

fn joined(prefix: &str, key: &str) -> String {
    match prefix {
        "" => key.to_owned(),
        prefix => format!("{prefix}.{key}"),
    }
}

#[cfg(test)]
mod tests;
