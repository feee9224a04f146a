//! `[queue]`: how many at a time.

use std::time::Duration;

use toml::Table;

use super::forms;
use super::section::Section;
use super::show;

/// `[queue]`: how many at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Calls at a time.
    pub workers: usize,
    /// Calls at a time for one account.
    pub per_account: usize,
    /// How long a claim holds without renewal.
    pub lease: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            workers: 30,
            per_account: 10,
            lease: Duration::from_secs(120),
        }
    }
}

impl Queue {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            workers: section.or("workers", default.workers, calls),
            per_account: section.or("per_account", default.per_account, calls),
            lease: section.or("lease", default.lease, |value| {
                forms::duration(value, Duration::from_secs(5)..=Duration::from_secs(3600))
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("workers", show::number(self.workers)),
            ("per_account", show::number(self.per_account)),
            ("lease", show::duration(self.lease)),
        ])
    }
}

/// A number of calls at a time.
pub(super) fn calls(value: &toml::de::DeValue<'_>) -> Result<usize, forms::Bad> {
    forms::number(value, 1..=1000)
}
