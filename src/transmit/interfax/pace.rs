//! How the service was lately, and so when it is asked again: whoever insists is locked out there, or told that it is too much.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::time::Timestamp;
use crate::transmit::Condition;

/// The service as it was lately.
pub(super) struct Pace {
    poll: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    down: Option<String>,
    not_before: Timestamp,
    slower: u32,
}

/// Three wrong passwords in a short time lock the account there for an hour: one now and then does not.
const AFTER_REFUSAL: Duration = Duration::from_secs(15 * 60);
/// The service takes six questions a minute.
const AFTER_TOO_MANY: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
const MOST_SLOWER: u32 = 16;

impl Pace {
    /// Asked every `poll`, if nothing is amiss.
    pub(super) fn new(poll: Duration) -> Self {
        let state = State {
            slower: 1,
            ..State::default()
        };
        Self {
            poll,
            state: Mutex::new(state),
        }
    }

    /// How operators see it.
    pub(super) fn condition(&self) -> Condition {
        match &self.state().down {
            Some(why) => Condition::Down(why.clone()),
            None => Condition::Well,
        }
    }

    /// Why nothing may be asked at `now`.
    pub(super) fn closed(&self, now: Timestamp) -> Option<String> {
        let state = self.state();
        let why = || state.down.clone().unwrap_or_else(|| TOO_MANY.to_owned());
        (now < state.not_before).then(why)
    }

    /// When it is asked again by one that has asked at `now`.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        let state = self.state();
        let slow = (self.poll * state.slower).min(LONGEST.max(self.poll));
        now.plus(slow).max(state.not_before)
    }

    /// It answered in good order.
    pub(super) fn answers(&self) {
        let mut state = self.state();
        state.down = None;
        state.slower = (state.slower / 2).max(1);
    }

    /// It could not be reached, or is out of order.
    pub(super) fn away(&self, why: &str) {
        self.state().down = Some(why.to_owned());
    }

    /// It does not want us: a matter for the operator.
    pub(super) fn refuses(&self, now: Timestamp, why: &str) {
        let mut state = self.state();
        if state.down.as_deref() != Some(why) {
            tracing::error!(why, "the fax service refuses us");
        }
        state.down = Some(why.to_owned());
        state.not_before = now.plus(AFTER_REFUSAL);
    }

    /// It was asked too often; `after` is what it asks for, in seconds.
    pub(super) fn too_many(&self, now: Timestamp, after: Option<u64>) {
        let mut state = self.state();
        let after = after.map_or(AFTER_TOO_MANY, Duration::from_secs);
        state.not_before = now.plus(after.min(LONGEST));
        state.slower = (state.slower * 2).min(MOST_SLOWER);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const TOO_MANY: &str = "it was asked too often, and is left alone for a while";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);
    const POLL: Duration = Duration::from_secs(5);

    #[test]
    fn after_a_refusal_nobody_asks_for_a_quarter_of_an_hour() {
        let pace = Pace::new(POLL);
        pace.refuses(NOW, "401");
        let later = NOW.plus(AFTER_REFUSAL);
        assert_eq!(
            pace.closed(NOW.plus(Duration::from_secs(899))).as_deref(),
            Some("401")
        );
        assert_eq!(pace.next(NOW), later);
        assert_eq!(pace.closed(later), None);
        assert_eq!(pace.condition(), Condition::Down("401".to_owned()));
        pace.answers();
        assert_eq!(pace.condition(), Condition::Well);
    }

    #[test]
    fn asked_too_often_it_is_asked_more_slowly_until_it_answers_again() {
        let pace = Pace::new(POLL);
        assert_eq!(pace.next(NOW), NOW.plus(POLL));
        pace.too_many(NOW, Some(60));
        pace.too_many(NOW, Some(60));
        assert_eq!(pace.next(NOW), NOW.plus(Duration::from_secs(60)));
        let later = NOW.plus(Duration::from_secs(60));
        assert_eq!(pace.next(later), later.plus(POLL * 4));
        assert_eq!(pace.condition(), Condition::Well);
        pace.answers();
        pace.answers();
        assert_eq!(pace.next(later), later.plus(POLL));
        pace.too_many(NOW, Some(u64::MAX));
        assert_eq!(pace.next(NOW), NOW.plus(LONGEST));
    }
}
