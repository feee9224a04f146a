//! How many messages a minute, with one number for each who sends them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use crate::time::Timestamp;

/// Counts messages of many senders. Whoever was quiet for a minute may send a whole minute's worth at
/// once; from then on they come at the same distance.
///
/// For each sender it keeps the time at which all is paid for (the generic cell rate algorithm of ATM,
/// ITU-T I.371), and only while that lies ahead.
pub struct Rate<K>(Mutex<Paid<K>>);

impl<K> Default for Rate<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

struct Paid<K> {
    /// Microseconds since 1970.
    until: HashMap<K, i64>,
    swept_at: i64,
}

impl<K> Default for Paid<K> {
    fn default() -> Self {
        Self {
            until: HashMap::new(),
            swept_at: 0,
        }
    }
}

impl<K: Eq + Hash> Rate<K> {
    /// Whether `sender` may send one more at `now`, with `most` a minute; 0 is no limit. If it may, that
    /// is counted.
    pub fn take(&self, sender: K, most: u32, now: Timestamp) -> bool {
        if most == 0 {
            return true;
        }
        let Ok(mut paid) = self.0.lock() else {
            return true;
        };
        let now = now.as_ms().saturating_mul(1000);
        let price = MINUTE / i64::from(most);
        if paid.until.len() >= MOST_SENDERS && !paid.until.contains_key(&sender) {
            paid.sweep(now);
            if paid.until.len() >= MOST_SENDERS {
                // So many at once are not stopped by a limit for each of them, and cost no memory.
                return true;
            }
        }
        let until = paid.until.entry(sender).or_insert(now);
        let begin = if is_ahead(*until, now) { *until } else { now };
        let after = begin.saturating_add(price);
        let within = after.saturating_sub(now) <= MINUTE;
        if within {
            *until = after;
        }
        within
    }
}

impl<K: Eq + Hash> Paid<K> {
    /// Forgets who has paid. Once a second at most: whoever fills the memory must not make us busy.
    fn sweep(&mut self, now: i64) {
        if now.abs_diff(self.swept_at) >= SECOND.unsigned_abs() {
            self.swept_at = now;
            self.until.retain(|_, until| is_ahead(*until, now));
        }
    }
}

/// Whether something is paid for still. Nobody pays for more than a minute ahead: what lies much further
/// away was paid before the clock went back, and would keep its sender out until the clock is there again.
fn is_ahead(until: i64, now: i64) -> bool {
    until > now && until.saturating_sub(now) <= 2 * MINUTE
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// Senders that are kept at most.
const MOST_SENDERS: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    fn taken(rate: &Rate<u32>, tries: usize, most: u32, now: Timestamp) -> usize {
        (0..tries).filter(|_| rate.take(1, most, now)).count()
    }

    #[test]
    fn a_whole_minute_s_worth_at_once_and_then_at_the_same_distance() {
        let rate = Rate::default();
        assert_eq!(taken(&rate, 10, 6, NOW), 6);
        let later = |seconds| NOW.plus(Duration::from_secs(seconds));
        assert_eq!(taken(&rate, 10, 6, later(9)), 0);
        assert_eq!(taken(&rate, 10, 6, later(10)), 1);
        assert_eq!(taken(&rate, 10, 6, later(30)), 2);
        assert_eq!(taken(&rate, 10, 6, later(300)), 6);
    }

    #[test]
    fn a_try_that_is_refused_costs_nothing() {
        let rate = Rate::default();
        assert_eq!(taken(&rate, 1_000, 1, NOW), 1);
        let minute = NOW.plus(Duration::from_secs(60));
        assert_eq!(taken(&rate, 1_000, 1, minute), 1);
    }

    #[test]
    fn one_sender_takes_nothing_from_another_and_zero_is_no_limit() {
        let rate = Rate::default();
        assert_eq!(taken(&rate, 5, 2, NOW), 2);
        assert!(rate.take(2, 2, NOW));
        assert_eq!(taken(&rate, 5_000, 0, NOW), 5_000);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let rate = Rate::default();
        assert_eq!(taken(&rate, 1, 60, NOW), 1);
        let before = NOW.minus(Duration::from_secs(3));
        assert_eq!(taken(&rate, 1, 60, before), 1);
    }

    #[test]
    fn a_clock_that_goes_back_by_an_hour_neither_locks_out_nor_stops_the_sweep() {
        let rate = Rate::default();
        for sender in 0..150_000 {
            rate.take(sender, 1, NOW);
        }
        let before = NOW.minus(Duration::from_secs(3_600));
        assert!(rate.take(7, 1, before), "what was paid is of another time");
        assert!(!rate.take(7, 1, before), "from then on it is limited");
        assert!(rate.take(200_000, 1, before));
        assert!(!rate.take(200_000, 1, before), "there is room again");
    }

    #[test]
    fn memory_is_bounded_and_comes_free_again() {
        let rate = Rate::default();
        for sender in 0..150_000 {
            assert!(rate.take(sender, 1, NOW));
        }
        assert_eq!(rate.0.lock().unwrap().until.len(), MOST_SENDERS);
        assert!(!rate.take(0, 1, NOW), "those that are kept are limited");
        let minute = NOW.plus(Duration::from_secs(60));
        assert!(rate.take(200_000, 1, minute));
        assert_eq!(rate.0.lock().unwrap().until.len(), 1);
    }
}
