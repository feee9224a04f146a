//! `[destinations]`: where faxes may go.

use std::time::Duration;

use toml::Table;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;
use crate::fax::CountryCode;

/// `[destinations]`: where faxes may go.
#[derive(Clone, Debug, PartialEq)]
pub struct Destinations {
    /// Digit prefixes, country code first, of numbers that may be called; an empty one is every number.
    pub allow: Vec<String>,
    /// Prefixes that may not, country code first (a national prefix has been converted).
    pub deny: Vec<String>,
    /// How long the far end may ring.
    pub ring_timeout: Duration,
}

/// Dear or fraud-prone beginnings: in Japan information services (0990), navi-dial (0570), tele-vote
/// (0180) and message services (0170); international premium rate (979), satellites and networks that
/// belong to no country (870, 881, 882, 883).
const DENIED: [&str; 9] = [
    "81990", "81570", "81180", "81170", "979", "870", "881", "882", "883",
];

impl Default for Destinations {
    fn default() -> Self {
        Self::in_country(&CountryCode::JAPAN)
    }
}

impl Destinations {
    /// What holds when nothing is said: the own country, without what is dear.
    fn in_country(country: &CountryCode) -> Self {
        Self {
            allow: vec![country.to_string()],
            deny: DENIED.map(String::from).to_vec(),
            ring_timeout: Duration::from_secs(60),
        }
    }

    pub(super) fn read(section: &mut Section<'_, '_>, country: &CountryCode) -> Self {
        let default = Self::in_country(country);
        // Terminal equipment rules of Japan, article 32-3: an unanswered call ends within two minutes.
        let ringing = Duration::from_secs(1)..=Duration::from_secs(120);
        Self {
            allow: section.list("allow", default.allow, |value| prefix(value, country)),
            deny: section.list("deny", default.deny, |value| {
                let denied = prefix(value, country)?;
                if denied.is_empty() {
                    return Err(Bad::new("this denies every number", "more digits"));
                }
                Ok(denied)
            }),
            ring_timeout: section.or("ring_timeout", default.ring_timeout, |value| {
                forms::duration(value, ringing)
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        let typed = |prefixes: &[String]| {
            let typed: Vec<String> = prefixes.iter().map(|p| format!("+{p}")).collect();
            show::texts(&typed)
        };
        show::table([
            ("allow", typed(&self.allow)),
            ("deny", typed(&self.deny)),
            ("ring_timeout", show::duration(self.ring_timeout)),
        ])
    }
}

fn prefix(value: &DeValue<'_>, country: &CountryCode) -> Result<String, Bad> {
    let accepted = "the first digits of numbers: country code first (\"81\", \"+1212\") or \
                    national with their leading zero (\"0990\")";
    let typed = forms::text(value)?;
    let prefix = country.prefix(&typed).filter(|digits| digits.len() <= 15);
    prefix.ok_or_else(|| Bad::new("these are no first digits of numbers", accepted))
}
