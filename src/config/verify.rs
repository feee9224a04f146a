//! `[verify]`: whether senders are verified, and what follows from it.

use toml::Table;

use super::forms;
use super::section::Section;
use super::show;
use crate::lock::Reach;

/// `[verify]`: senders are verified if the table is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verify {
    /// What happens to a mail about which DNS says nothing for now.
    pub on_temporary_error: OnTemporaryError,
    /// What the strikes of senders that are not proved lock.
    pub unproven_strikes_close: Reach,
    /// Domains whose ARC seals are believed (RFC 8617), in lower case.
    pub arc_forwarders: Vec<String>,
}

/// What happens to a mail about which DNS says nothing for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTemporaryError {
    /// It is asked to come again.
    #[default]
    Defer,
    /// It is taken as not verified; a wrong password is not counted.
    Accept,
}

const ON_ERROR: [(&str, OnTemporaryError); 2] = [
    ("defer", OnTemporaryError::Defer),
    ("accept", OnTemporaryError::Accept),
];
const REACHES: [(&str, Reach); 2] = [
    ("everything", Reach::Everything),
    ("unproven", Reach::Unproven),
];

impl OnTemporaryError {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Defer => "defer",
            Self::Accept => "accept",
        }
    }
}

impl Verify {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            on_temporary_error: section.or(
                "on_temporary_error",
                default.on_temporary_error,
                |value| forms::word(value, &ON_ERROR),
            ),
            unproven_strikes_close: section.or(
                "unproven_strikes_close",
                default.unproven_strikes_close,
                |value| forms::word(value, &REACHES),
            ),
            arc_forwarders: section.list("arc_forwarders", default.arc_forwarders, forms::domain),
        }
    }

    pub(super) fn show(&self) -> Table {
        let reach = self.unproven_strikes_close;
        show::table([
            (
                "on_temporary_error",
                show::text(self.on_temporary_error.as_str()),
            ),
            ("unproven_strikes_close", show::text(reach.as_str())),
            ("arc_forwarders", show::texts(&self.arc_forwarders)),
        ])
    }
}
