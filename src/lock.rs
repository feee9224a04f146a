//! The lock: wrong passwords at any door lock the account for a time, at every door (row C3).
//!
//! Whoever asks "is it locked, and does that matter here?" asks this file. `account::lockout` keeps
//! the [`Strikes`] in storage and does nothing but apply what is decided here.

use std::time::Duration;

use crate::smtp::TrustTier;
use crate::time::Timestamp;

/// How many wrong passwords lock, counted over what time, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRule {
    /// Wrong passwords that lock.
    pub strikes: u32,
    /// The time in which they count, from the first one on; the end belongs to it.
    pub within: Duration,
    /// How long the lock lasts.
    pub lasts: Duration,
}

impl LockRule {
    /// `lasts` of a lock that time does not end: a reset of the password does, or somebody who may unlock
    /// (row T8).
    pub const UNTIL_RESET: Duration = Duration::MAX;

    /// The end of a lock that begins at `now`.
    pub fn end(&self, now: Timestamp) -> Timestamp {
        match self.lasts {
            Self::UNTIL_RESET => NOT_BY_TIME,
            lasts => now.plus(lasts),
        }
    }
}

/// The end of a lock that time does not end, as storage keeps it: 9999-01-01, which every form of a time can
/// still write.
pub const NOT_BY_TIME: Timestamp = Timestamp::from_ms(253_370_764_800_000);

/// Whether time ends the lock that stands until then; else somebody must.
pub fn ends_by_time(until: Timestamp) -> bool {
    until < NOT_BY_TIME
}

/// Something an account is used for (the effect table, section 6 of the requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Forwarding a received fax by mail: held back, not dropped.
    ForwardReceived,
    /// Logging in at a door (SMTP AUTH), and every request of a program that has.
    LogIn,
    /// Receiving a fax.
    Receive,
    /// Sending to numbers, authenticated by the sender address alone.
    SendByAddress,
    /// Sending to numbers with the password in the body.
    SendByPassword,
    /// Sending to a contact list, with or without a password: ends as status 6002.
    SendToList,
}

impl Use {
    /// Whether the lock stops it.
    pub fn stops_while_locked(self) -> bool {
        match self {
            Self::ForwardReceived | Self::LogIn | Self::SendByPassword | Self::SendToList => true,
            Self::Receive | Self::SendByAddress => false,
        }
    }
}

/// The wrong passwords of one account so far, and the lock they led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strikes {
    /// Wrong passwords in the present window.
    pub count: u32,
    /// When the first of them came.
    pub first_at: Timestamp,
    /// The end of the lock; `None` if there was none since the last success or unlock.
    pub locked_until: Option<Timestamp>,
}

impl Strikes {
    /// Whether the account is locked at `now`. Expiry is a comparison: nothing has to run.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// These strikes and one more wrong password at `now`. While locked nothing changes: the lock is
    /// neither extended nor counted on.
    pub fn after_wrong_password(self, rule: &LockRule, now: Timestamp) -> Self {
        if self.is_locked(now) {
            return self;
        }
        let counts_on =
            self.locked_until.is_none() && self.count > 0 && now <= self.first_at.plus(rule.within);
        let (count, first_at) = if counts_on {
            (self.count.saturating_add(1), self.first_at)
        } else {
            (1, now)
        };
        let locked_until = (count >= rule.strikes).then(|| rule.end(now));
        Self {
            count,
            first_at,
            locked_until,
        }
    }
}

/// How far a lock reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Whatever the lock stops, for everybody.
    #[default]
    Everything,
    /// Senders that are not proved, and lists: a stranger cannot keep a proven sender from working.
    Unproven,
}

impl Reach {
    /// The word in the configuration and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Unproven => "unproven",
        }
    }

    /// The reach that `word` names.
    pub fn of_word(word: &str) -> Option<Self> {
        let both = [Self::Everything, Self::Unproven];
        both.into_iter().find(|reach| reach.as_str() == word)
    }

    /// The number kept in storage.
    pub fn number(self) -> i64 {
        match self {
            Self::Everything => 0,
            Self::Unproven => 1,
        }
    }
}

/// Both counters of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Strikes that lock everything.
    pub everything: Strikes,
    /// Strikes that lock unproven senders and lists only.
    pub unproven: Strikes,
}

impl Locks {
    /// Whether a sender of this tier is locked out at `now`.
    pub fn stop(&self, tier: TrustTier, now: Timestamp) -> bool {
        let proven = match tier {
            TrustTier::Proven => true,
            TrustTier::Unverified | TrustTier::Forged | TrustTier::Undecided => false,
        };
        self.everything.is_locked(now) || (!proven && self.unproven.is_locked(now))
    }

    /// Whether lists are locked at `now`, for every sender.
    pub fn stop_lists(&self, now: Timestamp) -> bool {
        self.everything.is_locked(now) || self.unproven.is_locked(now)
    }

    /// The counter of this reach.
    pub fn of(&self, reach: Reach) -> Strikes {
        match reach {
            Reach::Everything => self.everything,
            Reach::Unproven => self.unproven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: LockRule = LockRule {
        strikes: 3,
        within: Duration::from_secs(3600),
        lasts: Duration::from_secs(3600),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    fn strikes(times: &[i64]) -> Strikes {
        times.iter().fold(Strikes::default(), |strikes, t| {
            strikes.after_wrong_password(&RULE, at(*t))
        })
    }

    #[test]
    fn third_wrong_password_locks_for_exactly_one_hour() {
        let two = strikes(&[0, 10]);
        assert!(!two.is_locked(at(11)));
        let three = strikes(&[0, 10, 20]);
        assert!(three.is_locked(at(20)));
        assert!(three.is_locked(at(20 + 3599)));
        assert!(!three.is_locked(at(20 + 3600)));
    }

    #[test]
    fn the_window_runs_from_the_first_strike_and_its_end_belongs_to_it() {
        assert!(strikes(&[0, 3599, 3600]).is_locked(at(3600)));
        let late = strikes(&[0, 3600, 3601]);
        assert!(!late.is_locked(at(3601)));
        assert_eq!(
            late.count, 1,
            "a new window begins with the strike after the old one"
        );
    }

    #[test]
    fn a_strike_while_locked_changes_nothing() {
        let locked = strikes(&[0, 1, 2]);
        assert_eq!(locked.after_wrong_password(&RULE, at(1800)), locked);
    }

    #[test]
    fn counting_begins_anew_after_the_lock() {
        let after = strikes(&[0, 1, 2, 3700]);
        assert_eq!((after.count, after.locked_until), (1, None));
    }

    #[test]
    fn t8_a_lock_until_a_reset_does_not_end_by_time() {
        let rule = LockRule {
            strikes: 2,
            lasts: LockRule::UNTIL_RESET,
            ..RULE
        };
        let one = Strikes::default().after_wrong_password(&rule, at(0));
        let two = one.after_wrong_password(&rule, at(1));
        assert!(!one.is_locked(at(1)) && two.is_locked(at(1)));
        let until = two.locked_until.unwrap();
        assert!(two.is_locked(at(8_000_000_000)) && !ends_by_time(until));
        assert_eq!(until.rfc3339(), "9999-01-01T00:00:00Z");
        assert!(ends_by_time(RULE.end(at(0))));
    }

    #[test]
    fn the_effect_table_holds() {
        for (what, stops) in [
            (Use::ForwardReceived, true),
            (Use::LogIn, true),
            (Use::Receive, false),
            (Use::SendByAddress, false),
            (Use::SendByPassword, true),
            (Use::SendToList, true),
        ] {
            assert_eq!(what.stops_while_locked(), stops, "{what:?}");
        }
    }

    #[test]
    fn a_lock_by_strangers_leaves_a_proven_sender_everything_but_lists() {
        let locks = Locks {
            everything: Strikes::default(),
            unproven: strikes(&[0, 1, 2]),
        };
        let now = at(10);
        assert!(!locks.stop(TrustTier::Proven, now));
        assert!(locks.stop(TrustTier::Unverified, now));
        assert!(locks.stop(TrustTier::Undecided, now));
        assert!(locks.stop_lists(now));
        let whole = Locks {
            everything: strikes(&[0, 1, 2]),
            unproven: Strikes::default(),
        };
        assert!(whole.stop(TrustTier::Proven, now));
        assert!(!whole.stop(TrustTier::Proven, at(3602)));
    }
}
