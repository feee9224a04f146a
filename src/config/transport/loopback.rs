//! `[transport.loopback]`: the line that is none, and how calls to some numbers go on it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::Table;
use toml::Value;
use toml::de::DeValue;

use crate::config::forms;
use crate::config::forms::Bad;
use crate::config::section::Section;
use crate::config::show;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;

/// `[transport.loopback]`
#[derive(Clone, Debug, PartialEq)]
pub struct Loopback {
    /// Folder of the pages and of `calls.jsonl`; relative to the working directory.
    pub directory: PathBuf,
    /// How many times faster than a real line a call is.
    pub speed: u32,
    /// How calls to these numbers go, one for each call of a job; the last one goes on. To all others they are good.
    pub numbers: BTreeMap<FaxNumber, Vec<Script>>,
}

/// How a call goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Script {
    /// All pages arrive.
    #[default]
    Good,
    /// The line is busy.
    Busy,
    /// It rings until we give up.
    NoAnswer,
    /// Somebody answers, and no fax machine.
    Voice,
    /// The far end is gone once it has confirmed so many pages of a call.
    FailAfterPage(u32),
    /// All pages arrive, each packet at the speed of the modem that it stands for.
    Slow,
    /// As slow, and of a hundred datagrams so many are lost.
    Loss(u8),
    /// The line is cut there.
    Cut(Phase),
}

/// Where a call is (T.30 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A: it was answered.
    SetUp,
    /// B: the far end says who it is.
    Identification,
    /// B: a speed is trained.
    Training,
    /// C: in the first page.
    Page,
    /// D: the first page was sent and is not confirmed.
    AfterPage,
    /// D: the last page has arrived and its confirmation has not (between EOP and MCF).
    LastPage,
    /// E: all was confirmed.
    Release,
}

const WORDS: [(&str, Script); 12] = [
    ("good", Script::Good),
    ("busy", Script::Busy),
    ("no answer", Script::NoAnswer),
    ("voice", Script::Voice),
    ("slow", Script::Slow),
    ("cut in phase A", Script::Cut(Phase::SetUp)),
    ("cut in phase B", Script::Cut(Phase::Identification)),
    ("cut in training", Script::Cut(Phase::Training)),
    ("cut in phase C", Script::Cut(Phase::Page)),
    ("cut in phase D", Script::Cut(Phase::AfterPage)),
    ("cut after EOP", Script::Cut(Phase::LastPage)),
    ("cut in phase E", Script::Cut(Phase::Release)),
];

const FAIL_AFTER_PAGE: &str = "fail after page ";
const LOSS: &str = "loss ";
/// Beyond that a call is no longer one.
const MOST_LOSS: u8 = 90;

impl Default for Loopback {
    fn default() -> Self {
        Self {
            directory: "var/loopback".into(),
            speed: 100,
            numbers: BTreeMap::new(),
        }
    }
}

impl Loopback {
    /// How the `attempt`-th call of a job to `number` goes.
    pub fn script(&self, number: &FaxNumber, attempt: u32) -> Script {
        let scripts = self.numbers.get(number).map_or(&[][..], Vec::as_slice);
        let at = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        scripts
            .get(at)
            .or(scripts.last())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn read(section: &mut Section<'_, '_>, country: &CountryCode) -> Self {
        let default = Self::default();
        Self {
            directory: section.or("directory", default.directory, forms::path),
            speed: section.or("speed", default.speed, |value| {
                forms::number(value, 1..=1_000_000)
            }),
            numbers: section.named("numbers", |typed| number(typed, country), scripts),
        }
    }

    pub(super) fn show(&self) -> Table {
        let numbers = self.numbers.iter().map(|(number, scripts)| {
            let shown = match scripts.as_slice() {
                [one] => show::text(one),
                several => show::texts(several),
            };
            (format!("+{}", number.digits()), shown)
        });
        show::table([
            ("directory", show::text(self.directory.display())),
            ("speed", show::number(self.speed)),
            ("numbers", Value::Table(numbers.collect())),
        ])
    }
}

impl Script {
    fn parse(text: &str) -> Option<Self> {
        let word = WORDS.iter().find(|(word, _)| *word == text);
        if let Some((_, script)) = word {
            return Some(*script);
        }
        if let Some(page) = text.strip_prefix(FAIL_AFTER_PAGE) {
            let page = page.parse().ok().filter(|page| (1..=9999).contains(page));
            return page.map(Self::FailAfterPage);
        }
        let percent = text.strip_prefix(LOSS)?.parse().ok();
        percent.filter(|lost| *lost <= MOST_LOSS).map(Self::Loss)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailAfterPage(page) => write!(f, "{FAIL_AFTER_PAGE}{page}"),
            Self::Loss(percent) => write!(f, "{LOSS}{percent}"),
            Self::Good | Self::Busy | Self::NoAnswer | Self::Voice | Self::Slow | Self::Cut(_) => {
                let word = WORDS.iter().find(|(_, script)| script == self);
                f.write_str(word.map_or("good", |(word, _)| word))
            }
        }
    }
}

fn number(typed: &str, country: &CountryCode) -> Result<FaxNumber, Bad> {
    FaxNumber::parse(typed, country).map_err(|error| {
        Bad::new(
            error.to_string(),
            "a number in quotes, such as \"03-1111-2222\" or \"+81 3 1111 2222\"",
        )
    })
}

/// One script, or a list with one for each call.
fn scripts(value: &DeValue<'_>) -> Result<Vec<Script>, Bad> {
    let DeValue::Array(array) = value else {
        return Ok(vec![script(value)?]);
    };
    let scripts: Result<Vec<_>, _> = array.iter().map(|entry| script(entry.get_ref())).collect();
    match scripts? {
        none if none.is_empty() => Err(Bad::new("this list is empty", accepted())),
        scripts => Ok(scripts),
    }
}

fn script(value: &DeValue<'_>) -> Result<Script, Bad> {
    Script::parse(&forms::text(value)?)
        .ok_or_else(|| Bad::new("no call goes like this here", accepted()))
}

fn accepted() -> String {
    let words: Vec<_> = WORDS
        .iter()
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    format!(
        "{}, \"{FAIL_AFTER_PAGE}N\", \"{LOSS}PERCENT\", or a list of them",
        words.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn loopback(text: &str) -> Result<Loopback, String> {
        let text = format!("[transport.loopback.numbers]\n{text}");
        let config = Config::parse(Path::new("x.toml"), &text).map_err(|m| m.to_string())?;
        Ok(config.transport.loopback)
    }

    #[test]
    fn numbers_are_read_in_any_form_and_their_lists_call_by_call() {
        let text = "\"03-1111-2222\" = [\"busy\", \"loss 5\", \"good\"]\n\
                    \"+81 6 1111 2222\" = \"fail after page 2\"\n08111112222 = \"cut after EOP\"";
        let read = loopback(text).unwrap();
        let script = |typed: &str, attempt| {
            let number = FaxNumber::parse(typed, &CountryCode::JAPAN).unwrap();
            read.script(&number, attempt)
        };
        assert_eq!(script("0081311112222", 1), Script::Busy);
        assert_eq!(script("0311112222", 2), Script::Loss(5));
        assert_eq!(script("0311112222", 7), Script::Good);
        assert_eq!(script("06 1111 2222", 3), Script::FailAfterPage(2));
        assert_eq!(script("0811111-2222", 1), Script::Cut(Phase::LastPage));
        assert_eq!(script("03-9999-9999", 1), Script::Good);
    }

    #[test]
    fn every_script_is_read_as_it_is_shown() {
        let others = [Script::FailAfterPage(3), Script::Loss(20)];
        for script in WORDS.iter().map(|(_, script)| *script).chain(others) {
            assert_eq!(Script::parse(&script.to_string()), Some(script));
        }
    }

    #[test]
    fn mistakes_are_said_with_their_number() {
        for (text, mistake) in [
            ("\"03-1111-2222\" = \"loss 101\"", "no call goes like this"),
            (
                "\"03-1111-2222\" = \"fail after page 0\"",
                "no call goes like",
            ),
            ("\"03-1111-2222\" = []", "this list is empty"),
            ("abc = \"busy\"", "numbers.abc"),
            (
                "\"03-1111-2222\" = \"busy\"\n\"+81311112222\" = \"good\"",
                "stands here twice",
            ),
        ] {
            let mistakes = loopback(text).unwrap_err();
            assert!(mistakes.contains(mistake), "{text}: {mistakes}");
        }
    }
}
