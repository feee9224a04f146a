//! A password for somebody else's door, in a file of its own: no key of the main file is a secret.

use std::fmt;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use toml::de::DeValue;
use zeroize::Zeroize;

use crate::config::beside;
use crate::config::forms;
use crate::config::forms::Bad;
use crate::config::section::Section;
use crate::config::source::why_unreadable;
use crate::secret::Secret;

/// The path of a file whose first line is a password; relative to the configuration file's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordFile(PathBuf);

/// Longer files hold no password.
const MOST_BYTES: u64 = 4096;

impl PasswordFile {
    /// The file at `path`; that it can be read is not checked here.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Reads it; `config_file` is the main configuration file.
    ///
    /// # Errors
    /// What the system says, or that it is empty or no text.
    pub fn read(&self, config_file: &Path) -> io::Result<Secret> {
        let mut text = String::new();
        let file = std::fs::File::open(beside(config_file, &self.0))?;
        file.take(MOST_BYTES).read_to_string(&mut text)?;
        let password = text.lines().next().unwrap_or_default().to_owned();
        text.zeroize();
        match password.is_empty() {
            true => Err(io::Error::other("its first line is empty")),
            false => Ok(Secret::new(password)),
        }
    }

    /// The file at `key`, if one is named; that it can be read is checked at once.
    pub(super) fn optional(section: &mut Section<'_, '_>, key: &'static str) -> Option<Self> {
        let file = section.optional(key, form)?;
        if let Err(error) = file.read(section.file()) {
            let problem = format!("this file cannot be used: {}", why(&error));
            section.mistake(key, &problem, "a file whose first line is the password");
        }
        Some(file)
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() == io::ErrorKind::Other {
        true => error.to_string(),
        false => why_unreadable(error).to_string(),
    }
}

fn form(value: &DeValue<'_>) -> Result<PasswordFile, Bad> {
    forms::path(value).map(PasswordFile)
}

impl fmt::Display for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
