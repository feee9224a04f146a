//! `result_mail = { … }`: what is mailed about results.

use super::forms;
use super::gateway::Language;
use super::section::Section;
use crate::smtp::Address;

/// `result_mail = { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct ResultMail {
    /// On which results a mail is sent.
    pub when: When,
    /// Its form.
    pub format: ResultFormat,
    /// Whether an image of the pages is attached.
    pub attach_pages: bool,
    /// Further recipients, always.
    pub to: Vec<Address>,
}

/// On which results a mail is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Success and failure.
    #[default]
    Always,
    /// Failure only.
    Failure,
    /// Never (but 6002 is always told).
    Never,
    /// Success only.
    Success,
}

/// The six forms of a result mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultFormat {
    /// `csv`
    Csv,
    /// `html-en`
    HtmlEn,
    /// `html-ja`
    #[default]
    HtmlJa,
    /// `text-en`
    TextEn,
    /// `text-ja`, in ISO-2022-JP
    TextJa,
    /// `xml`
    Xml,
}

const WHEN: [(&str, When); 4] = [
    ("always", When::Always),
    ("success", When::Success),
    ("failure", When::Failure),
    ("never", When::Never),
];

const FORMATS: [(&str, ResultFormat); 6] = [
    ("html-ja", ResultFormat::HtmlJa),
    ("html-en", ResultFormat::HtmlEn),
    ("text-ja", ResultFormat::TextJa),
    ("text-en", ResultFormat::TextEn),
    ("xml", ResultFormat::Xml),
    ("csv", ResultFormat::Csv),
];

impl When {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        let found = WHEN.iter().find(|(_, when)| *when == self);
        found.map_or("", |(word, _)| word)
    }
}

impl ResultFormat {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        let found = FORMATS.iter().find(|(_, format)| *format == self);
        found.map_or("", |(word, _)| word)
    }
}

impl ResultMail {
    /// The table, its form by default in the gateway's `language`.
    pub(super) fn read(section: &mut Section<'_, '_>, language: Language) -> Self {
        let format = match language {
            Language::En => ResultFormat::HtmlEn,
            Language::Ja => ResultFormat::HtmlJa,
        };
        Self {
            when: section.or("when", When::default(), |value| forms::word(value, &WHEN)),
            format: section.or("format", format, |value| forms::word(value, &FORMATS)),
            attach_pages: section.or("attach_pages", false, forms::boolean),
            to: section.list("to", Vec::new(), forms::address),
        }
    }
}
