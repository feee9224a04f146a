//! What an answer to our INVITE means: the one table from SIP codes (RFC 3261 section 21) and Q.850 causes
//! (`Reason`, RFC 3326) to what becomes of the call.

use std::fmt;
use std::time::Duration;

use crate::fax::Cause;

/// What a call came to before it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may go better another time.
    Retry(Cause),
    /// Another call would end the same way.
    Failed(Cause),
    /// The trunk cannot carry it now: another one may.
    Trunk,
    /// The trunk does not take our user or password: nothing goes over it until somebody sees to it.
    Credentials,
}

/// A final answer that is no 2xx, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// The status code.
    pub code: u16,
    /// The Q.850 cause of its `Reason`.
    pub q850: Option<u8>,
    /// Whether anything came before it: a final answer of our own timers comes after nothing.
    pub was_heard: bool,
    /// Whether the far end had been ringing for as long as it may, and we cancelled.
    pub rang_too_long: bool,
    /// Its `Retry-After`, bounded.
    pub retry_after: Option<Duration>,
}

/// A trunk is left alone this long at most, whatever it asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Refused {
    /// What it means.
    pub(super) fn verdict(&self) -> Verdict {
        if self.rang_too_long {
            return match self.code {
                486 | 600 => Verdict::Retry(Cause::Busy),
                _ => Verdict::Retry(Cause::NoAnswer),
            };
        }
        match (self.code, self.was_heard) {
            // Nobody answered, not even with 100: the trunk is away, not the far end.
            (408, false) => Verdict::Trunk,
            // These say what is wrong better than a cause of the telephone network behind them.
            (300..=399 | 401 | 407 | 415 | 488 | 606, _) => of_code(self.code),
            (code, _) => self.q850.and_then(of_q850).unwrap_or(of_code(code)),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The code may be of our own timers: it was not ours to wait for.
        if self.rang_too_long {
            return f.write_str("nobody answered within the ring time-out");
        }
        write!(f, "it answered {}", self.code)?;
        match self.q850 {
            Some(cause) => write!(f, " (Q.850 cause {cause})"),
            None => Ok(()),
        }
    }
}

/// The cause in the value of a `Reason` header: `Q.850;cause=17;text="User busy"`.
pub(super) fn q850(reason: &str) -> Option<u8> {
    reason.split(',').find_map(|one| {
        let mut parts = one.split(';').map(str::trim);
        let protocol = parts.next()?;
        if !protocol.eq_ignore_ascii_case("Q.850") {
            return None;
        }
        parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_cause = name.trim().eq_ignore_ascii_case("cause");
            is_cause.then(|| value.trim().parse().ok()).flatten()
        })
    })
}

/// The seconds in the value of a `Retry-After` header (`18;duration=3600 (maintenance)`), at most five minutes.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let digits = value.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    let seconds: u64 = match digits.len() {
        0 => return None,
        1..=9 => digits.parse().ok()?,
        _ => u64::MAX,
    };
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

fn of_code(code: u16) -> Verdict {
    match code {
        // Never followed: who answers for a trunk must not send our calls to a number of its choice (toll fraud).
        300..=399 | 410 => Verdict::Failed(Cause::NumberChanged),
        401 | 407 => Verdict::Credentials,
        402 => Verdict::Trunk,
        403 | 603 | 607 | 608 => Verdict::Failed(Cause::CallRejected),
        404 | 484 | 485 | 604 => Verdict::Failed(Cause::NumberUnassigned),
        406 | 415 | 488 | 606 => Verdict::Failed(Cause::Incompatible),
        408 | 480 => Verdict::Retry(Cause::NoAnswer),
        486 | 600 => Verdict::Retry(Cause::Busy),
        487 => Verdict::Retry(Cause::Disconnected),
        500..=599 => Verdict::Trunk,
        600..=699 => Verdict::Failed(Cause::CallRejected),
        _ => Verdict::Retry(Cause::Network),
    }
}

/// What a cause of the telephone network means; `None` where it says less than the status code (16, 31, unknown ones).
fn of_q850(cause: u8) -> Option<Verdict> {
    Some(match cause {
        1 | 28 => Verdict::Failed(Cause::NumberUnassigned),
        2 | 3 => Verdict::Failed(Cause::NoRoute),
        17 => Verdict::Retry(Cause::Busy),
        18..=20 | 102 => Verdict::Retry(Cause::NoAnswer),
        21 | 55 | 57 => Verdict::Failed(Cause::CallRejected),
        22 => Verdict::Failed(Cause::NumberChanged),
        27 => Verdict::Retry(Cause::Network),
        34 | 38 | 41..=44 | 47 | 58 => Verdict::Trunk,
        65 | 79 | 88 => Verdict::Failed(Cause::Incompatible),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(code: u16) -> Refused {
        Refused {
            code,
            was_heard: true,
            ..Refused::default()
        }
    }

    #[test]
    fn every_code_of_the_order_has_its_cause() {
        for (codes, verdict) in [
            (&[486, 600][..], Verdict::Retry(Cause::Busy)),
            (&[480, 408], Verdict::Retry(Cause::NoAnswer)),
            (&[404, 484, 604], Verdict::Failed(Cause::NumberUnassigned)),
            (&[410, 301, 302], Verdict::Failed(Cause::NumberChanged)),
            (&[403, 603], Verdict::Failed(Cause::CallRejected)),
            (&[401, 407], Verdict::Credentials),
            (&[488, 606, 415], Verdict::Failed(Cause::Incompatible)),
            (&[500, 502, 503, 504], Verdict::Trunk),
            (&[487], Verdict::Retry(Cause::Disconnected)),
        ] {
            for code in codes {
                assert_eq!(heard(*code).verdict(), verdict, "{code}");
            }
        }
    }

    #[test]
    fn silence_is_the_trunks_fault_and_an_answer_after_ringing_is_not() {
        let silence = Refused {
            code: 408,
            ..Refused::default()
        };
        assert_eq!(silence.verdict(), Verdict::Trunk);
        for code in [487, 408, 480, 503] {
            let cancelled = Refused {
                rang_too_long: true,
                ..heard(code)
            };
            assert_eq!(cancelled.verdict(), Verdict::Retry(Cause::NoAnswer));
        }
    }

    #[test]
    fn the_telephone_network_knows_better_than_a_gateway_before_it() {
        let with = |code, cause| Refused {
            q850: Some(cause),
            ..heard(code)
        };
        assert_eq!(with(500, 17).verdict(), Verdict::Retry(Cause::Busy));
        assert_eq!(
            with(480, 1).verdict(),
            Verdict::Failed(Cause::NumberUnassigned)
        );
        assert_eq!(with(404, 34).verdict(), Verdict::Trunk);
        assert_eq!(with(486, 16).verdict(), Verdict::Retry(Cause::Busy));
        assert_eq!(with(401, 21).verdict(), Verdict::Credentials);
        assert_eq!(
            with(302, 17).verdict(),
            Verdict::Failed(Cause::NumberChanged)
        );
    }

    #[test]
    fn a_reason_is_read_in_all_its_forms() {
        for (value, cause) in [
            ("Q.850;cause=17;text=\"User busy\"", Some(17)),
            ("q.850 ; Cause = 34", Some(34)),
            (
                "SIP;cause=487;text=\"ORIGINATOR_CANCEL\", Q.850;cause=16",
                Some(16),
            ),
            ("SIP;cause=486", None),
            ("Q.850;cause=999", None),
            ("Q.850", None),
            ("", None),
        ] {
            assert_eq!(q850(value), cause, "{value}");
        }
    }

    #[test]
    fn a_trunk_asks_for_a_pause_of_five_minutes_at_most() {
        for (value, seconds) in [
            ("18", Some(18)),
            ("120 (I'm in a meeting)", Some(120)),
            ("18000;duration=3600", Some(300)),
            ("99999999999999999999", Some(300)),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                retry_after(value),
                seconds.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_a_trunk_says_is_understood_as_something(
            code in 300_u16..700, cause in prop::option::of(any::<u8>()), heard: bool, long: bool, reason: String,
        ) {
            let refused = Refused { code, q850: cause, was_heard: heard, rang_too_long: long, retry_after: None };
            let verdict = refused.verdict();
            prop_assert!(!long || matches!(verdict, Verdict::Retry(_)));
            let _ = q850(&reason);
            let _ = retry_after(&reason);
        }
    }
}
