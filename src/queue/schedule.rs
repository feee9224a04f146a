//! When a number is called again: one pure function.

use crate::config::Retry;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::status::Status;
use crate::storage::jobs::Settlement;
use crate::storage::jobs::State;
use crate::time::Timestamp;

/// Calls to one number within a day without a success between them, over all jobs.
///
/// After that nobody redials it automatically: Japan's terminal equipment rules (articles 11-3 and
/// 32-3) allow 15 times.
pub const MOST_CALLS_TO_ONE: u32 = 15;

/// What becomes of a job whose `attempt`-th call had this `outcome`, when its destination has been
/// called `calls` times without success, this one included.
pub fn settle(
    attempt: u32,
    outcome: Outcome,
    calls: u32,
    retry: &Retry,
    now: Timestamp,
) -> Settlement {
    let mut reason = None;
    let (state, cause, report) = match outcome {
        Outcome::Sent(report) => {
            return Settlement {
                state: State::Done,
                status: Status::SENT,
                reason: None,
                next_at: now,
                report: Some(report),
            };
        }
        Outcome::Failed(Cause::Interrupted, report)
        | Outcome::Retry(Cause::Interrupted, report) => {
            (State::Unknown, Cause::Interrupted, report)
        }
        Outcome::Failed(cause, report) => (State::Failed, cause, report),
        // `dispatch` puts such a job off instead.
        Outcome::NotCalled { why } => {
            reason = Some(why);
            (State::Sleeping, Cause::Network, CallReport::default())
        }
        Outcome::Retry(cause, report) if attempt >= retry.attempts => {
            (State::Failed, cause, report)
        }
        Outcome::Retry(cause, report) if calls >= MOST_CALLS_TO_ONE => {
            reason = Some(format!("called {MOST_CALLS_TO_ONE} times without success"));
            (State::Failed, cause, report)
        }
        Outcome::Retry(cause, report) => (State::Sleeping, cause, report),
    };
    Settlement {
        state,
        status: Status::of_cause(cause),
        reason,
        next_at: now.plus(retry.interval),
        report: Some(report),
    }
}

/// When a job whose `attempt`-th call has just failed for now can be called for the last time.
pub fn last_try(attempt: u32, retry: &Retry, now: Timestamp) -> Timestamp {
    now.plus(
        retry
            .interval
            .saturating_mul(retry.attempts.saturating_sub(attempt)),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn retry() -> Retry {
        Retry {
            attempts: 4,
            interval: Duration::from_secs(180),
        }
    }

    fn busy() -> Outcome {
        Outcome::Retry(Cause::Busy, CallReport::default())
    }

    #[test]
    fn a_busy_number_is_called_again_after_the_interval_until_attempts_are_used_up() {
        for (attempt, state) in [
            (1, State::Sleeping),
            (2, State::Sleeping),
            (3, State::Sleeping),
            (4, State::Failed),
            (9, State::Failed),
        ] {
            let settled = settle(attempt, busy(), attempt, &retry(), NOW);
            assert_eq!(settled.state, state, "{attempt}");
            assert_eq!(settled.status, Status(6017));
            assert_eq!(settled.next_at, NOW.plus(Duration::from_secs(180)));
        }
    }

    #[test]
    fn the_calls_to_one_destination_never_pass_fifteen() {
        assert_eq!(settle(1, busy(), 14, &retry(), NOW).state, State::Sleeping);
        let last = settle(1, busy(), 15, &retry(), NOW);
        assert_eq!(last.state, State::Failed);
        assert!(last.reason.is_some());
    }

    #[test]
    fn a_final_cause_is_not_tried_again() {
        let settled = settle(
            1,
            Outcome::Failed(Cause::NumberUnassigned, CallReport::default()),
            1,
            &retry(),
            NOW,
        );
        assert_eq!(
            (settled.state, settled.status),
            (State::Failed, Status(6001))
        );
    }

    #[test]
    fn the_last_try_is_as_many_intervals_away_as_there_are_calls_left() {
        let minutes = |n: u64| NOW.plus(Duration::from_secs(n * 60));
        assert_eq!(last_try(1, &retry(), NOW), minutes(9));
        assert_eq!(last_try(3, &retry(), NOW), minutes(3));
        assert_eq!(last_try(9, &retry(), NOW), NOW);
    }

    #[test]
    fn an_interrupted_call_is_never_redialled() {
        for outcome in [
            Outcome::Retry(Cause::Interrupted, CallReport::default()),
            Outcome::Failed(Cause::Interrupted, CallReport::default()),
        ] {
            assert_eq!(settle(1, outcome, 1, &retry(), NOW).state, State::Unknown);
        }
    }
}
