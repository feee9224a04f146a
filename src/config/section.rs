//! Reads one table of a file: each key once, with its form; what is left over is unknown.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::forms::Bad;
use super::mistake::Mistake;
use super::mistake::Mistakes;
use super::source::NamedBy;
use super::source::Place;
use super::source::Source;

/// A table that is being read. Mistakes are collected; reading goes on behind them.
pub(super) struct Section<'a, 't> {
    source: &'t Source,
    table: Option<&'t DeTable<'t>>,
    span: Range<usize>,
    path: String,
    asked: Vec<&'static str>,
    mistakes: &'a mut Mistakes,
}

/// An entry of a list that has its form.
pub(super) struct Entry<T> {
    /// Its value.
    pub(super) value: T,
    /// Its name in the file, such as `account[2].senders[0]`.
    pub(super) key: String,
    /// Where it is.
    pub(super) place: Place,
}

/// Reads the whole tree of `source` with `read`, then reports the keys that it did not ask for.
pub(super) fn read_tree<'t, T>(
    source: &'t Source,
    tree: &'t DeTable<'t>,
    mistakes: &mut Mistakes,
    read: impl FnOnce(&mut Section<'_, 't>) -> T,
) -> T {
    let mut section = Section {
        source,
        table: Some(tree),
        span: 0..0,
        path: String::new(),
        asked: Vec::new(),
        mistakes,
    };
    let value = read(&mut section);
    section.report_unknown();
    value
}

impl<'t> Section<'_, 't> {
    /// The value of `key`, if it is there and has the form.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        form: impl FnOnce(&DeValue<'_>) -> Result<T, Bad>,
    ) -> Option<T> {
        let value = self.find(key)?;
        match form(value.get_ref()) {
            Ok(value) => Some(value),
            Err(bad) => {
                self.push(self.key_path(key), &value.span(), bad);
                None
            }
        }
    }

    /// The value of `key`, or `default` where it is missing (or wrong, which is reported).
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        form: impl FnOnce(&DeValue<'_>) -> Result<T, Bad>,
    ) -> T {
        self.optional(key, form).unwrap_or(default)
    }

    /// The value of `key`, which must be there; a stand-in if it is not, which is reported.
    pub(super) fn required<T: Default>(
        &mut self,
        key: &'static str,
        accepted: &str,
        form: impl FnOnce(&DeValue<'_>) -> Result<T, Bad>,
    ) -> T {
        if self.has(key) {
            return self.optional(key, form).unwrap_or_default();
        }
        self.asked.push(key);
        self.mistake(key, "this key is missing", accepted);
        T::default()
    }

    /// The entries of the list at `key`; `None` if there is no such list.
    pub(super) fn entries<T>(
        &mut self,
        key: &'static str,
        mut form: impl FnMut(&DeValue<'_>) -> Result<T, Bad>,
    ) -> Option<Vec<Entry<T>>> {
        let value = self.find(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            let found = kind_of(value.get_ref());
            let bad = Bad::new(format!("this is {found}, not a list"), "a list: [ … ]");
            self.push(self.key_path(key), &value.span(), bad);
            return None;
        };
        let mut entries = Vec::with_capacity(array.len());
        for (index, entry) in array.iter().enumerate() {
            let key = format!("{}[{index}]", self.key_path(key));
            match form(entry.get_ref()) {
                Ok(value) => {
                    let place = self.source.start(&entry.span());
                    entries.push(Entry { value, key, place });
                }
                Err(bad) => self.push(key, &entry.span(), bad),
            }
        }
        Some(entries)
    }

    /// The entries of the list at `key`, or `default`.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        default: Vec<T>,
        form: impl FnMut(&DeValue<'_>) -> Result<T, Bad>,
    ) -> Vec<T> {
        match self.entries(key, form) {
            Some(entries) => entries.into_iter().map(|entry| entry.value).collect(),
            None => default,
        }
    }

    /// Like [`Section::list`], but an empty list is a mistake.
    pub(super) fn filled_list<T>(
        &mut self,
        key: &'static str,
        default: Vec<T>,
        form: impl FnMut(&DeValue<'_>) -> Result<T, Bad>,
    ) -> Vec<T> {
        let empty = matches!(
            self.peek(key).map(|v| v.get_ref()),
            Some(DeValue::Array(array)) if array.is_empty()
        );
        if empty {
            self.mistake(key, "this list is empty", "a list with at least one entry");
        }
        self.list(key, default, form)
    }

    /// What `read` makes of the table at `key`; of an empty one if it is missing.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> T {
        let found = self.find(key);
        let table = found.and_then(|value| self.as_table(self.key_path(key), value));
        let span = found.map_or(self.span.clone(), |value| value.span());
        self.descend(self.key_path(key), table, span, read)
    }

    /// The entries of the table at `key`, whose own keys are names that the operator chooses; none if it is missing.
    pub(super) fn named<N: Ord, T>(
        &mut self,
        key: &'static str,
        name: impl Fn(&str) -> Result<N, Bad>,
        form: impl Fn(&DeValue<'_>) -> Result<T, Bad>,
    ) -> BTreeMap<N, T> {
        let (path, found) = (self.key_path(key), self.find(key));
        let table = found.and_then(|value| self.as_table(path.clone(), value));
        let mut entries = BTreeMap::new();
        for (written, value) in table.into_iter().flatten() {
            let path = format!("{path}.{}", shown_key(written.get_ref()));
            match name(written.get_ref()) {
                Ok(name) if entries.contains_key(&name) => {
                    let bad = Bad::new("the same stands here twice", "each once");
                    self.push(path, &written.span(), bad);
                }
                Ok(name) => match form(value.get_ref()) {
                    Ok(value) => drop(entries.insert(name, value)),
                    Err(bad) => self.push(path, &value.span(), bad),
                },
                Err(bad) => self.push(path, &written.span(), bad),
            }
        }
        entries
    }

    /// What `read` makes of each table of the array of tables at `key`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        read: impl FnMut(&mut Section<'_, 't>) -> T,
    ) -> Vec<T> {
        let tables = self.each_table(key, read).into_iter();
        tables.map(|(value, _)| value).collect()
    }

    /// Like [`Section::tables`], but only of the tables in which there was no mistake.
    pub(super) fn sound_tables<T>(
        &mut self,
        key: &'static str,
        read: impl FnMut(&mut Section<'_, 't>) -> T,
    ) -> Vec<T> {
        let tables = self.each_table(key, read).into_iter();
        tables
            .filter_map(|(value, sound)| sound.then_some(value))
            .collect()
    }

    /// What `read` makes of each table, and whether it met no mistake.
    fn each_table<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_, 't>) -> T,
    ) -> Vec<(T, bool)> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let path = self.key_path(key);
        let DeValue::Array(array) = value.get_ref() else {
            let found = kind_of(value.get_ref());
            let bad = Bad::new(
                format!("this is {found}, not a list of tables"),
                format!("[[{path}]]"),
            );
            self.push(path, &value.span(), bad);
            return Vec::new();
        };
        let mut read_all = Vec::with_capacity(array.len());
        for (index, entry) in array.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if let Some(table) = self.as_table(path.clone(), entry) {
                let before = self.mistakes.len();
                let value = self.descend(path, Some(table), entry.span(), &mut read);
                read_all.push((value, self.mistakes.len() == before));
            }
        }
        read_all
    }

    /// Whether `key` is written in the file.
    pub(super) fn has(&self, key: &str) -> bool {
        self.peek(key).is_some()
    }

    /// Reports a mistake at the value of `key`; at the table if the key is missing.
    pub(super) fn mistake(&mut self, key: &str, problem: &str, accepted: &str) {
        let span = self
            .peek(key)
            .map_or(self.span.clone(), |value| value.span());
        self.push(self.key_path(key), &span, Bad::new(problem, accepted));
    }

    /// Reports a mistake at a place that was kept.
    pub(super) fn mistake_at(&mut self, key: String, place: Place, problem: &str, accepted: &str) {
        self.mistakes.push(Mistake {
            file: self.source.path.clone(),
            line: place.line,
            column: place.column,
            key,
            problem: problem.to_owned(),
            accepted: accepted.to_owned(),
        });
    }

    /// The file that is being read.
    pub(super) fn file(&self) -> &'t Path {
        &self.source.path
    }

    /// Where the value of `key` is; where the table is if the key is missing.
    pub(super) fn place(&self, key: &str) -> Place {
        let span = self
            .peek(key)
            .map_or(self.span.clone(), |value| value.span());
        self.source.start(&span)
    }

    /// The line on which the table begins.
    pub(super) fn line(&self) -> usize {
        self.source.start(&self.span).line
    }

    /// The key `key` as what names a file.
    pub(super) fn naming(&self, key: &str) -> NamedBy {
        if self.has(key) {
            NamedBy::written(self.key_path(key), self.file(), self.place(key))
        } else {
            NamedBy::key(&self.key_path(key))
        }
    }

    /// The full name of `key`, such as `smtp.listen`.
    pub(super) fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Where further mistakes go, for what is read from other files.
    pub(super) fn mistakes(&mut self) -> &mut Mistakes {
        self.mistakes
    }

    fn descend<T>(
        &mut self,
        path: String,
        table: Option<&'t DeTable<'t>>,
        span: Range<usize>,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> T {
        let mut section = Section {
            source: self.source,
            table,
            span,
            path,
            asked: Vec::new(),
            mistakes: &mut *self.mistakes,
        };
        let value = read(&mut section);
        section.report_unknown();
        value
    }

    fn peek(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table?.get(key)
    }

    fn find(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.peek(key)
    }

    fn as_table(
        &mut self,
        path: String,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Option<&'t DeTable<'t>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let found = kind_of(value.get_ref());
        let bad = Bad::new(format!("this is {found}, not a table"), "a table");
        self.push(path, &value.span(), bad);
        None
    }

    fn push(&mut self, key: String, span: &Range<usize>, bad: Bad) {
        let place = self.source.start(span);
        self.mistakes.push(Mistake {
            file: self.source.path.clone(),
            line: place.line,
            column: place.column,
            key,
            problem: bad.problem,
            accepted: bad.accepted,
        });
    }

    fn report_unknown(&mut self) {
        let Some(table) = self.table else {
            return;
        };
        for (key, _) in table {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let problem = match nearest(name, &self.asked) {
                Some(near) => format!("unknown key; did you mean \"{near}\"?"),
                None => "unknown key".into(),
            };
            let bad = Bad::new(problem, self.asked.join(", "));
            self.push(self.key_path(&shown_key(name)), &key.span(), bad);
        }
    }
}

/// `a string`, `an integer`: the kind of a value, for a sentence.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A key as TOML writes it; a stray text as key may be long and hold anything.
fn shown_key(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if short.is_empty() || !short.chars().all(bare) {
        format!("\"{}\"", short.escape_debug())
    } else {
        short
    }
}

/// The known key that a mistyped one is most like, if it is like any.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > 60 {
        return None;
    }
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    let distances = known.iter().map(|known| (distance(name, known), *known));
    let (steps, near) = distances.min()?;
    (steps <= allowed).then_some(near)
}

/// Edit distance: fewest insertions, deletions and replacements.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, above), left_above) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let replaced = left_above + usize::from(from != *to);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_is_recognised() {
        let known = ["max_message", "listen", "max_parts"];
        assert_eq!(nearest("max_mesage", &known), Some("max_message"));
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn the_distance_counts_single_edits() {
        for (a, b, steps) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("a", "a", 0),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
        }
    }
}
