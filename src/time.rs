//! Time as everybody here uses it: points in time, zones, and the clock that is handed in.
//!
//! Whatever decides takes `now` as an argument; only the composition root owns a [`Clock`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use jiff::civil;
use jiff::tz::TimeZone;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `ms` milliseconds after the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch: the form that storage keeps.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// This point plus `duration`; saturates at the end of time.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_ms(duration)))
    }

    /// This point minus `duration`; saturates at the beginning of time.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_ms(duration)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0))
            .map_or(Duration::ZERO, Duration::from_millis)
    }

    /// The point that `text` names (RFC 3339, with its zone: `2027-01-15T00:00:00+09:00`).
    pub fn parse(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_millisecond()))
    }

    /// `2026-11-22T09:30:00Z` (RFC 3339, UTC, whole seconds).
    pub fn rfc3339(self) -> String {
        self.instant().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `Sun, 22 Nov 2026 18:30:00 +0900` (RFC 5322 section 3.3) in `zone`.
    pub fn rfc5322(self, zone: &Zone) -> String {
        self.format("%a, %d %b %Y %H:%M:%S %z", zone)
    }

    /// `2026-11-22 18:30:00` in `zone`: the form of result mails and of the header line.
    pub fn local(self, zone: &Zone) -> String {
        self.format("%Y-%m-%d %H:%M:%S", zone)
    }

    /// The day and the minute in `zone`: `2026-11-22 18:30`.
    pub fn local_minute(self, zone: &Zone) -> String {
        self.format("%Y-%m-%d %H:%M", zone)
    }

    fn format(self, form: &str, zone: &Zone) -> String {
        self.instant()
            .to_zoned(zone.0.clone())
            .strftime(form)
            .to_string()
    }

    fn instant(self) -> jiff::Timestamp {
        // Out of range only beyond the year 9999; the epoch is a harmless stand-in for a display.
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default()
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone called `name`, such as `Asia/Tokyo`; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        jiff::tz::db().get(name).ok().map(Self)
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// When the wall clock of this zone shows `hour:minute` on the given day, or today when no day is
    /// given; `None` for a day or a time that does not exist.
    pub fn at(
        &self,
        day: Option<(i16, i8, i8)>,
        hour: i8,
        minute: i8,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let date = match day {
            Some((year, month, day)) => civil::Date::new(year, month, day).ok()?,
            None => now.instant().to_zoned(self.0.clone()).date(),
        };
        let time = civil::Time::new(hour, minute, 0, 0).ok()?;
        let zoned = date.to_datetime(time).to_zoned(self.0.clone()).ok()?;
        Some(Timestamp(zoned.timestamp().as_millisecond()))
    }

    /// The beginning and the end of the day that `text` names (`2026-11-22`) in this zone.
    pub fn day(&self, text: &str) -> Option<(Timestamp, Timestamp)> {
        let day: civil::Date = text.parse().ok()?;
        let begin = |day: civil::Date| {
            let zoned = day.to_zoned(self.0.clone()).ok()?;
            Some(Timestamp(zoned.timestamp().as_millisecond()))
        };
        Some((begin(day)?, begin(day.tomorrow().ok()?)?))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// A future that a [`Clock`] hands out.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where `now` comes from. The composition root holds one; tests hand in one that they set.
pub trait Clock: Send + Sync + 'static {
    /// The present point in time.
    fn now(&self) -> Timestamp;

    /// Returns once `now` has reached `until`.
    fn wait_until(&self, until: Timestamp) -> Wait<'_>;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, whole_ms))
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        let left = until.since(self.now());
        Box::pin(tokio::time::sleep(left))
    }
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_shown_in_the_zone_asked_for() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        let at = Timestamp::from_ms(1_795_339_800_000);
        assert_eq!(at.rfc3339(), "2026-11-22T09:30:00Z");
        assert_eq!(at.local(&tokyo), "2026-11-22 18:30:00");
        assert_eq!(at.rfc5322(&tokyo), "Sun, 22 Nov 2026 18:30:00 +0900");
    }

    #[test]
    fn a_wall_clock_time_without_a_day_is_today() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        let now = Timestamp::from_ms(1_795_339_800_000);
        let at = tokyo.at(None, 19, 0, now).unwrap();
        assert_eq!(at.local_minute(&tokyo), "2026-11-22 19:00");
        let other = tokyo.at(Some((2026, 12, 31)), 0, 45, now).unwrap();
        assert_eq!(other.local_minute(&tokyo), "2026-12-31 00:45");
        assert_eq!(tokyo.at(Some((2026, 2, 30)), 0, 0, now), None);
        assert_eq!(tokyo.at(None, 24, 0, now), None);
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight_of_its_zone() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        let (begin, end) = tokyo.day("2026-11-22").unwrap();
        assert_eq!(begin.rfc3339(), "2026-11-21T15:00:00Z");
        assert_eq!(end.since(begin), Duration::from_secs(86_400));
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let (begin, end) = berlin.day("2026-10-25").unwrap();
        assert_eq!(end.since(begin), Duration::from_secs(25 * 3600));
        for bad in ["", "2026-02-30", "2026-11", "yesterday", "9999-12-31"] {
            assert_eq!(tokyo.day(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_point_in_time_is_read_with_its_zone() {
        let at = Timestamp::parse("2027-01-15T00:00:00+09:00").unwrap();
        assert_eq!(at.rfc3339(), "2027-01-14T15:00:00Z");
        for bad in ["", "2027-01-15", "2027-01-15T00:00:00", "tomorrow"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn time_spent_is_never_negative() {
        let (a, b) = (Timestamp::from_ms(1_000), Timestamp::from_ms(3_000));
        assert_eq!(b.since(a), Duration::from_secs(2));
        assert_eq!(a.since(b), Duration::ZERO);
    }
}
