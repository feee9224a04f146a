//! `[retention]`: how long things are kept.

use std::time::Duration;

use toml::Table;

use super::forms;
use super::section::Section;
use super::show;

/// `[retention]`: how long things are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// Documents and pages after the job is settled.
    pub pages: Duration,
    /// Jobs and their events.
    pub history: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Retention {
    fn default() -> Self {
        Self {
            pages: 14 * DAY,
            history: 400 * DAY,
        }
    }
}

impl Retention {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        let retention = Self {
            pages: section.or("pages", default.pages, |value| {
                forms::duration(value, Duration::ZERO..=10_000 * DAY)
            }),
            // Identities of mails are remembered for a day (promise P4): history lasts as long.
            history: section.or("history", default.history, |value| {
                forms::duration(value, DAY..=10_000 * DAY)
            }),
        };
        if retention.pages > retention.history {
            let key = if section.has("pages") {
                "pages"
            } else {
                "history"
            };
            let accepted = "pages at most as long as history";
            section.mistake(key, "pages outlive the history of their jobs", accepted);
        }
        retention
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("pages", show::duration(self.pages)),
            ("history", show::duration(self.history)),
        ])
    }
}
