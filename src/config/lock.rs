//! `[lock]`: keys set here override every profile.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Table;
use toml::Value;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;
use crate::lock::LockRule;

/// `[lock]`: keys set here override every profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LockOverride {
    /// Wrong passwords that lock.
    pub strikes: Option<u32>,
    /// The time in which they count.
    pub within: Option<Duration>,
    /// How long the lock lasts.
    pub lasts: Option<Duration>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SPANS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);

impl LockOverride {
    /// The rule in force for an account whose profile says `profile`.
    pub fn over(&self, profile: &LockRule) -> LockRule {
        LockRule {
            strikes: self.strikes.unwrap_or(profile.strikes),
            within: self.within.unwrap_or(profile.within),
            lasts: self.lasts.unwrap_or(profile.lasts),
        }
    }

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            strikes: section.optional("strikes", |value| forms::number(value, 1..=100)),
            within: section.optional("within", span),
            lasts: section.optional("lasts", lasting),
        }
    }

    pub(super) fn show(&self) -> Table {
        let strikes = self.strikes.map(|n| ("strikes", show::number(n)));
        let within = self.within.map(|span| ("within", show::duration(span)));
        let lasts = self.lasts.map(|span| ("lasts", lasting_shown(span)));
        let keys = [strikes, within, lasts].into_iter().flatten();
        keys.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A time span; a bare number is seconds.
pub(super) fn span(value: &DeValue<'_>) -> Result<Duration, Bad> {
    if value.as_integer().is_some() {
        let seconds = forms::number(value, 1..=365 * DAY.as_secs())?;
        return Ok(Duration::from_secs(seconds));
    }
    forms::duration(value, SPANS)
}

const UNTIL_RESET: &str = "until-reset";

/// How long a lock lasts: a time span, or the word for one that time does not end.
pub(super) fn lasting(value: &DeValue<'_>) -> Result<Duration, Bad> {
    match value.as_str() {
        Some(UNTIL_RESET) => Ok(LockRule::UNTIL_RESET),
        Some(_) | None => span(value),
    }
}

fn lasting_shown(lasts: Duration) -> Value {
    match lasts {
        LockRule::UNTIL_RESET => show::text(UNTIL_RESET),
        lasts => show::duration(lasts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_set_overrides_the_profile_and_the_others_stay() {
        let profile = LockRule {
            strikes: 3,
            within: Duration::from_secs(3600),
            lasts: Duration::from_secs(3600),
        };
        let over = LockOverride {
            lasts: Some(Duration::from_secs(5)),
            ..LockOverride::default()
        };
        let rule = over.over(&profile);
        assert_eq!((rule.strikes, rule.within), (3, profile.within));
        assert_eq!(rule.lasts, Duration::from_secs(5));
    }
}
