//! What is wrong with a file, where, and how it should look.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named on the command line or in another file.
    pub file: PathBuf,
    /// Line, from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 if the file as a whole is meant.
    pub column: usize,
    /// The key with its sections, such as `account[2].senders[0]`; empty if none is meant.
    pub key: String,
    /// What is wrong. Never the value of a password.
    pub problem: String,
    /// What would be right; empty if the problem says it.
    pub accepted: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.accepted.is_empty() {
            write!(f, "; accepted: {}", self.accepted)?;
        }
        Ok(())
    }
}

/// Everything that is wrong, over all files: one line each, the first file first, from top to bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Error)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// The mistakes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// `value` if nothing is wrong, else the mistakes in order.
    pub(super) fn none_or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self.in_order())
        }
    }

    /// The mistakes file by file as they were read, each file from top to bottom.
    pub(super) fn in_order(mut self) -> Self {
        let mut files: Vec<PathBuf> = Vec::new();
        for mistake in &self.0 {
            if !files.contains(&mistake.file) {
                files.push(mistake.file.clone());
            }
        }
        let rank = |mistake: &Mistake| files.iter().position(|file| *file == mistake.file);
        self.0
            .sort_by_key(|mistake| (rank(mistake), mistake.line, mistake.column));
        self
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(file: &str, line: usize) -> Mistake {
        Mistake {
            file: file.into(),
            line,
            column: 7,
            key: "retry.attempts".into(),
            problem: "7 is too large".into(),
            accepted: "1 to 6".into(),
        }
    }

    #[test]
    fn a_mistake_is_one_line_with_place_key_and_accepted_form() {
        assert_eq!(
            mistake("config/faxgate.toml", 12).to_string(),
            "config/faxgate.toml:12:7: retry.attempts: 7 is too large; accepted: 1 to 6"
        );
        let missing = Mistake {
            line: 0,
            key: String::new(),
            accepted: String::new(),
            ..mistake("x.toml", 0)
        };
        assert_eq!(missing.to_string(), "x.toml: 7 is too large");
    }

    #[test]
    fn mistakes_come_file_by_file_from_top_to_bottom() {
        let mut mistakes = Mistakes::default();
        for (file, line) in [("z", 9), ("a", 2), ("z", 3)] {
            mistakes.push(mistake(file, line));
        }
        let sorted = mistakes.none_or(()).unwrap_err();
        let order: Vec<(String, usize)> = sorted
            .iter()
            .map(|m| (m.file.display().to_string(), m.line))
            .collect();
        assert_eq!(
            order,
            [("z".into(), 3), ("z".into(), 9), ("a".into(), 2)],
            "the main file was first"
        );
    }
}
