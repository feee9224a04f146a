//! Fax vocabulary: destinations, documents, pages, calls and what came of them. No I/O.

mod call;
mod number;
mod step;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

pub use call::CallProgress;
pub use call::CallReport;
pub use call::Cause;
pub use call::Media;
pub use call::Modem;
pub use call::Outcome;
pub use call::SubAddress;
pub use number::CountryCode;
pub use number::FaxNumber;
pub use number::NumberError;
pub use step::StepDown;

/// Where a job goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// A telephone number.
    Number(FaxNumber),
    /// The result simulator `009999999<status>`: ends with that status at once, without a call.
    Simulator(u32),
}

impl Destination {
    /// The destination in `typed`: the simulator is recognised before anything else, then any form of
    /// a number that a person types, read as in `country`.
    ///
    /// # Errors
    /// [`NumberError`] says what is wrong with the number.
    pub fn parse(typed: &str, country: &CountryCode) -> Result<Self, NumberError> {
        match simulated_status(typed) {
            Some(status) => Ok(Self::Simulator(status)),
            None => FaxNumber::parse(typed, country).map(Self::Number),
        }
    }

    /// The canonical form of results and history: `00`, country code, number, digits only.
    pub fn canonical(&self) -> String {
        match self {
            Self::Number(number) => number.canonical(),
            Self::Simulator(status) => format!("{SIMULATOR}{status}"),
        }
    }

    /// The destination whose canonical form this is; used when reading storage.
    pub fn from_canonical(text: &str) -> Option<Self> {
        match simulated_status(text) {
            Some(status) => Some(Self::Simulator(status)),
            None => FaxNumber::from_canonical(text).map(Self::Number),
        }
    }

    /// Shortened for logs: the middle digits are hidden.
    pub fn shortened(&self) -> String {
        match self {
            Self::Number(number) => number.shortened(),
            Self::Simulator(_) => self.canonical(),
        }
    }
}

const SIMULATOR: &str = "009999999";

/// `00999-9999-6017` is 6017: the digits after the prefix, one to six of them.
fn simulated_status(typed: &str) -> Option<u32> {
    if typed
        .chars()
        .any(|c| !c.is_ascii_digit() && !matches!(c, '-' | ' '))
    {
        return None;
    }
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let status = digits.strip_prefix(SIMULATOR)?;
    (1..=6)
        .contains(&status.len())
        .then(|| status.parse().ok())?
}

/// The identifier a fax machine shows (T.30 section 5.3.6.2: TSI and CSI): at most 20 digits, spaces
/// and plus signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct StationId(String);

impl From<String> for StationId {
    fn from(text: String) -> Self {
        Self::from_far_end(text.as_bytes())
    }
}

impl From<StationId> for String {
    fn from(id: StationId) -> Self {
        id.0
    }
}

impl StationId {
    /// The identifier in `text`, if it fits the T.30 set and length.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() <= 20
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b' '));
        fits.then(|| Self(text.to_owned()))
    }

    /// What came from the far end, made harmless: printable ASCII, at most 20 characters. Machines
    /// in the field send letters although T.30 has none.
    pub fn from_far_end(bytes: &[u8]) -> Self {
        let printable = bytes.iter().filter(|b| matches!(b, b' '..=b'~'));
        let text: String = printable.take(20).map(|b| char::from(*b)).collect();
        Self(text.trim().to_owned())
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of document that become pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// JPEG image.
    Jpeg,
    /// PDF.
    Pdf,
    /// PNG image.
    Png,
    /// Plain text, already in UTF-8; form feed begins a page.
    Text,
    /// TIFF image, one page or many.
    Tiff,
    /// Something else; ends as a failed job that names the file.
    Unsupported,
}

impl DocumentKind {
    /// The word kept in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Text => "text",
            Self::Tiff => "tiff",
            Self::Unsupported => "unsupported",
        }
    }

    /// The kind whose word this is.
    pub fn from_word(word: &str) -> Self {
        match word {
            "jpeg" => Self::Jpeg,
            "pdf" => Self::Pdf,
            "png" => Self::Png,
            "text" => Self::Text,
            "tiff" => Self::Tiff,
            _ => Self::Unsupported,
        }
    }
}

/// One attachment, or the body. Free of any password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// File name as the sender gave it, control characters removed; `None` for the body.
    pub name: Option<String>,
    /// How it is to be read.
    pub kind: DocumentKind,
    /// The declared media type, such as `application/pdf`, in lower case.
    pub media_type: String,
    /// The content, transfer encoding undone; UTF-8 for [`DocumentKind::Text`].
    pub bytes: Vec<u8>,
}

/// Vertical resolution of the pages; the horizontal one is 204 dots an inch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// 196 lines an inch.
    #[default]
    Fine,
    /// 98 lines an inch.
    Standard,
}

impl Resolution {
    /// The word kept in storage and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Standard => "standard",
        }
    }

    /// The resolution whose word this is.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "fine" => Some(Self::Fine),
            "standard" => Some(Self::Standard),
            _ => None,
        }
    }
}

/// How the documents of one submission become pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageOptions {
    /// Vertical resolution.
    pub resolution: Resolution,
    /// The header line's text with placeholders; `None` is the default one.
    pub header: Option<String>,
    /// No header line at all.
    pub no_header: bool,
    /// Font size of text documents in points; `None` is the default.
    pub font_size: Option<u8>,
}

/// Pages as a TIFF-F file (RFC 3949): T.6, 204 by 196 or 204 by 98.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaxFile {
    /// The file.
    pub tiff: Vec<u8>,
    /// Number of pages in it.
    pub pages: u32,
}

/// Identification and training before the first page (T.30 phase B, V.17).
const HANDSHAKE: Duration = Duration::from_secs(15);
/// What follows each page: its end, the confirmation, training again (T.30 phase D).
const BETWEEN_PAGES: Duration = Duration::from_secs(4);
/// Bits in a second, the fastest rate of V.17.
const LINE_RATE: u64 = 14_400;

/// How long a line is busy with `pages` pages of `bytes` bytes in all (T.6, as error correction sends them).
/// An estimate: a slower modem or a bad line takes two or three times as long.
pub fn line_time(pages: u32, bytes: u64) -> Duration {
    let image = Duration::from_millis(bytes.saturating_mul(8000) / LINE_RATE);
    HANDSHAKE + BETWEEN_PAGES * pages + image
}

/// Whether `c` shows nothing on any page and takes no room: what the renderer passes over must not hide a
/// password line from the search (Default_Ignorable_Code_Point of Unicode, and fillers).
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_text_keeps_a_line_busy_for_half_a_minute() {
        // 15 s to begin, 4 s after the page, and 20 kB at 14,400 bit/s.
        assert_eq!(line_time(1, 20_000), Duration::from_millis(30_111));
        assert_eq!(line_time(3, 0), Duration::from_secs(27));
    }

    #[test]
    fn the_simulator_is_recognised_before_number_parsing() {
        let japan = CountryCode::parse("81").unwrap();
        for (typed, status) in [
            ("009999999".to_owned() + "6017", 6017),
            ("00999-9999-6017".into(), 6017),
            ("00999-9999-0".into(), 0),
        ] {
            assert_eq!(
                Destination::parse(&typed, &japan),
                Ok(Destination::Simulator(status)),
                "{typed}"
            );
        }
        assert_eq!(Destination::Simulator(6017).canonical(), "0099999996017");
        assert_eq!(
            Destination::from_canonical("0099999990"),
            Some(Destination::Simulator(0))
        );
        assert!(
            Destination::parse("009999999", &japan).is_err(),
            "no status, no such country"
        );
    }

    #[test]
    fn a_station_identifier_has_the_t30_set_and_length() {
        assert!(StationId::parse("+81 3 1234 5678").is_some());
        assert!(StationId::parse("ACME").is_none());
        assert!(StationId::parse("123456789012345678901").is_none());
        assert_eq!(StationId::from_far_end(b" AC\x07ME\xff ").as_str(), "ACME");
    }
}
