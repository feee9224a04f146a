//! `[password]`: how the line with the password looks.

use toml::Table;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;

/// `[password]`: how the line with the password looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Password {
    /// What such a line begins with.
    pub lines: Vec<String>,
    /// How many lines of a body part may hold it.
    pub search_lines: usize,
}

impl Default for Password {
    fn default() -> Self {
        let lines = ["password:", "パスワード:", "#passwd=", "FAXPASSWORD:"];
        Self {
            lines: lines.map(String::from).to_vec(),
            search_lines: 20,
        }
    }
}

impl Password {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            lines: section.filled_list("lines", default.lines, beginning),
            search_lines: section.or("search_lines", default.search_lines, |value| {
                forms::number(value, 1..=1000)
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("lines", show::texts(&self.lines)),
            ("search_lines", show::number(self.search_lines)),
        ])
    }
}

/// What a password line begins with; one or two characters would swallow ordinary text.
fn beginning(value: &DeValue<'_>) -> Result<String, Bad> {
    let text = forms::text(value)?.trim().to_owned();
    if (3..=60).contains(&text.chars().count()) {
        Ok(text)
    } else {
        let accepted = "3 to 60 characters, such as \"password:\"";
        Err(Bad::new(
            "this beginning is too short or too long",
            accepted,
        ))
    }
}
