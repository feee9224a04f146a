//! Identifiers of jobs, batches, received faxes: time-ordered, unique, short enough for every reader.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use crate::storage::StorageError;
use crate::time::Timestamp;

/// Milliseconds from 1970 to 2026-01-01T00:00:00Z, the first instant that has an identifier.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// Hands out identifiers that rise strictly within a process.
///
/// An identifier is the milliseconds since 2026 and ten bits of counter: below 2^53 until 2095, so
/// that it survives programs that keep every number as floating point. The counter begins at a random
/// value, so that two processes do not meet within a millisecond.
pub struct Ids {
    last: AtomicI64,
    begin: i64,
}

impl Ids {
    /// A source with a random beginning.
    ///
    /// # Errors
    /// [`StorageError::Database`] if the system has no randomness.
    pub(crate) fn new() -> Result<Self, StorageError> {
        let random = getrandom::u32().map_err(|e| StorageError::Database(e.to_string()))?;
        Ok(Self {
            last: AtomicI64::new(0),
            begin: i64::from(random & 0x3ff),
        })
    }

    /// The next identifier, not before `now`.
    pub fn next(&self, now: Timestamp) -> i64 {
        let earliest = ((now.as_ms() - BEGIN_MS).max(0) << 10) | self.begin;
        let step = |last: i64| Some(earliest.max(last + 1));
        let taken = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
        earliest.max(taken.unwrap_or_default() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_rise_even_when_the_clock_does_not() {
        let ids = Ids::new().unwrap();
        let now = Timestamp::from_ms(BEGIN_MS + 5_000);
        let many: Vec<_> = (0..3_000).map(|_| ids.next(now)).collect();
        assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            ids.next(Timestamp::from_ms(0)) > many[2_999],
            "a clock set back does not repeat one"
        );
        let far = Ids::new()
            .unwrap()
            .next(Timestamp::from_ms(BEGIN_MS + 69 * 365 * 86_400_000));
        assert!(far < 1 << 53);
    }
}
