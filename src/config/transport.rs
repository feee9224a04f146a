//! `[transport]`: how calls are made.

use std::path::PathBuf;

use toml::Table;
use toml::Value;

use super::forms;
use super::section::Section;
use super::show;

/// `[transport]`: how calls are made.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// No line: calls end in a folder.
    Loopback(Loopback),
}

/// `[transport.loopback]`
#[derive(Clone, Debug, PartialEq)]
pub struct Loopback {
    /// Folder of the pages and of `calls.jsonl`; relative to the working directory.
    pub directory: PathBuf,
    /// How many times faster than a real line a call is.
    pub speed: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    Loopback,
}

impl Default for Transport {
    fn default() -> Self {
        Self::Loopback(Loopback::default())
    }
}

impl Default for Loopback {
    fn default() -> Self {
        Self {
            directory: "var/loopback".into(),
            speed: 100,
        }
    }
}

impl Transport {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let kinds = [("loopback", Kind::Loopback)];
        let kind = section.or("kind", Kind::Loopback, |value| forms::word(value, &kinds));
        let loopback = section.table("loopback", Loopback::read);
        match kind {
            Kind::Loopback => Self::Loopback(loopback),
        }
    }

    pub(super) fn show(&self) -> Table {
        match self {
            Self::Loopback(loopback) => show::table([
                ("kind", show::text("loopback")),
                ("loopback", Value::Table(loopback.show())),
            ]),
        }
    }
}

impl Loopback {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            directory: section.or("directory", default.directory, forms::path),
            speed: section.or("speed", default.speed, |value| {
                forms::number(value, 1..=1_000_000)
            }),
        }
    }

    fn show(&self) -> Table {
        show::table([
            ("directory", show::text(self.directory.display())),
            ("speed", show::number(self.speed)),
        ])
    }
}
