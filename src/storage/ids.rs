//! Identifiers of jobs, batches, received faxes: time-ordered, unique, short enough for every reader.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use crate::time::Timestamp;

/// Milliseconds from 1970 to 2026-01-01T00:00:00Z, the first instant that has an identifier.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// Who numbers: two processes on one database never hand out the same identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// The gateway: even numbers.
    Gateway,
    /// A command beside it: odd ones.
    Command,
}

/// Hands out identifiers that rise strictly within a process.
///
/// An identifier is the milliseconds since 2026 and ten bits: below 2^53 until 2095, so that it
/// survives programs that keep every number as floating point.
pub struct Ids {
    last: AtomicI64,
    odd: i64,
}

impl Ids {
    /// A source for one process.
    pub fn new(numbers: Numbers) -> Self {
        Self {
            last: AtomicI64::new(0),
            odd: i64::from(numbers == Numbers::Command),
        }
    }

    /// No identifier that was handed out at `now` or later is smaller.
    pub fn earliest(now: Timestamp) -> i64 {
        now.as_ms()
            .saturating_sub(BEGIN_MS)
            .clamp(0, i64::MAX >> 10)
            << 10
    }

    /// The next identifier, not before `now`.
    pub fn next(&self, now: Timestamp) -> i64 {
        let earliest = Self::earliest(now) | self.odd;
        let after = |last: i64| earliest.max(last + 2);
        let taken = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(after(last)));
        after(taken.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_rise_even_when_the_clock_does_not() {
        let ids = Ids::new(Numbers::Gateway);
        let now = Timestamp::from_ms(BEGIN_MS + 5_000);
        let many: Vec<_> = (0..3_000).map(|_| ids.next(now)).collect();
        assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            ids.next(Timestamp::from_ms(0)) > many[2_999],
            "a clock set back does not repeat one"
        );
        let end = Timestamp::from_ms(BEGIN_MS + 69 * 365 * 86_400_000);
        let far = Ids::new(Numbers::Gateway).next(end);
        assert!(far < 1 << 53);
    }

    #[test]
    fn the_gateway_and_a_command_never_number_alike() {
        let (gateway, command) = (Ids::new(Numbers::Gateway), Ids::new(Numbers::Command));
        let now = Timestamp::from_ms(BEGIN_MS + 5_000);
        assert!((0..3_000).all(|_| gateway.next(now) % 2 == 0 && command.next(now) % 2 == 1));
    }
}
