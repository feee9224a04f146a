//! How often something may happen: a bucket of tokens, filled at a steady rate.

use std::time::Duration;

use crate::time::Timestamp;

/// A bucket. It holds no clock: `now` is handed in.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Milliseconds in which one token comes.
    interval: Duration,
    /// How far ahead of the steady rate one may be: tokens that a full bucket has beyond the first.
    ahead: Duration,
    /// When the token that was taken last came at the steady rate.
    last: Timestamp,
}

impl Pace {
    /// `per_second` times a second; after a pause up to `burst` times at once (at least once).
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_millis(1000_u64.div_ceil(u64::from(per_second.max(1))));
        Self {
            interval,
            ahead: interval * burst.saturating_sub(1),
            last: Timestamp::from_ms(i64::MIN / 2),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// When there is one.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let due = self.last.plus(self.interval);
        let earliest = due.minus(self.ahead);
        if earliest > now {
            return Err(earliest);
        }
        self.last = due.max(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn five_calls_a_second_are_two_hundred_milliseconds_apart() {
        let mut pace = Pace::new(5, 1);
        assert_eq!(pace.take(at(1_000)), Ok(()));
        assert_eq!(pace.take(at(1_000)), Err(at(1_200)));
        assert_eq!(pace.take(at(1_199)), Err(at(1_200)));
        assert_eq!(pace.take(at(1_200)), Ok(()));
        assert_eq!(pace.take(at(9_000)), Ok(()));
        assert_eq!(pace.take(at(9_000)), Err(at(9_200)));
    }

    #[test]
    fn a_burst_is_taken_at_once_and_comes_back_one_by_one() {
        let mut pace = Pace::new(10, 3);
        for _ in 0..3 {
            assert_eq!(pace.take(at(0)), Ok(()));
        }
        assert_eq!(pace.take(at(0)), Err(at(100)));
        assert_eq!(pace.take(at(100)), Ok(()));
        assert_eq!(pace.take(at(100)), Err(at(200)));
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_the_rate_and_the_burst(
            rate in 1_u32..50, burst in 1_u32..10, steps in prop::collection::vec(0_i64..300, 1..200),
        ) {
            let mut pace = Pace::new(rate, burst);
            let mut now = 0;
            let mut taken = Vec::new();
            for step in steps {
                now += step;
                if pace.take(at(now)).is_ok() {
                    taken.push(now);
                }
            }
            for first in &taken {
                let within = taken.iter().filter(|t| (*first..first + 1000).contains(t)).count();
                prop_assert!(within <= (rate + burst) as usize);
            }
        }
    }
}
