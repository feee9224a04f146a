//! `[retry]`: how often a number is called.

use std::time::Duration;

use toml::Table;

use super::forms;
use super::section::Section;
use super::show;

/// `[retry]`: how often a number is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Calls in all, the first included (1 to 6).
    pub attempts: u32,
    /// Time between two calls (1 to 30 minutes).
    pub interval: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            interval: Duration::from_secs(3 * 60),
        }
    }
}

impl Retry {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        let intervals = Duration::from_secs(60)..=Duration::from_secs(30 * 60);
        Self {
            attempts: section.or("attempts", default.attempts, |value| {
                forms::number(value, 1..=6)
            }),
            interval: section.or("interval", default.interval, |value| {
                forms::duration(value, intervals)
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("attempts", show::number(self.attempts)),
            ("interval", show::duration(self.interval)),
        ])
    }
}
