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

impl When {
    /// Every choice under its word.
    pub const WORDS: [(&str, Self); 4] = [
        ("always", Self::Always),
        ("success", Self::Success),
        ("failure", Self::Failure),
        ("never", Self::Never),
    ];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Never => "never",
        }
    }
}

impl ResultFormat {
    /// Every form under its word.
    pub const WORDS: [(&str, Self); 6] = [
        ("html-ja", Self::HtmlJa),
        ("html-en", Self::HtmlEn),
        ("text-ja", Self::TextJa),
        ("text-en", Self::TextEn),
        ("xml", Self::Xml),
        ("csv", Self::Csv),
    ];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::HtmlEn => "html-en",
            Self::HtmlJa => "html-ja",
            Self::TextEn => "text-en",
            Self::TextJa => "text-ja",
            Self::Xml => "xml",
        }
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
            when: section.or("when", When::default(), |value| {
                forms::word(value, &When::WORDS)
            }),
            format: section.or("format", format, |value| {
                forms::word(value, &ResultFormat::WORDS)
            }),
            attach_pages: section.or("attach_pages", false, forms::boolean),
            to: section.list("to", Vec::new(), forms::address),
        }
    }
}
