//! Where jobs are on their way, and what they are entitled to.

use crate::storage::StorageError;

/// Where a job is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting for its send time.
    Pending,
    /// Waiting for its turn.
    Ready,
    /// Ready, but another call to the same destination is going on.
    Parked,
    /// Claimed, not dialled yet.
    Claimed,
    /// Dialled.
    Dialling,
    /// Waiting for the next attempt.
    Sleeping,
    /// Written, but the rest of its batch is not yet.
    Staged,
    /// Sent.
    Done,
    /// Not sent, and will not be.
    Failed,
    /// A call was interrupted; nobody can know how it ended.
    Unknown,
    /// Stopped by an operator.
    Suspended,
    /// Cancelled.
    Cancelled,
}

const STATES: [(State, i64, &str); 12] = [
    (State::Pending, 0, "pending"),
    (State::Ready, 1, "ready"),
    (State::Parked, 2, "ready"),
    (State::Claimed, 3, "active"),
    (State::Dialling, 4, "active"),
    (State::Sleeping, 5, "sleeping"),
    (State::Staged, 6, "pending"),
    (State::Done, 10, "done"),
    (State::Failed, 11, "failed"),
    (State::Unknown, 12, "unknown"),
    (State::Suspended, 13, "suspended"),
    (State::Cancelled, 14, "cancelled"),
];

impl State {
    /// The number that storage keeps.
    pub fn number(self) -> i64 {
        let found = STATES.iter().find(|(state, ..)| *state == self);
        found.map_or(-1, |(_, number, _)| *number)
    }

    /// The state that storage keeps as `number`.
    pub fn from_number(number: i64) -> Result<Self, StorageError> {
        let found = STATES.iter().find(|(_, n, _)| *n == number);
        found
            .map(|(state, ..)| *state)
            .ok_or_else(|| StorageError::Damaged(format!("job state {number}")))
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        let found = STATES.iter().find(|(state, ..)| *state == self);
        found.map_or("", |(_, _, word)| word)
    }

    /// Whether the job is settled.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done | Self::Failed | Self::Unknown | Self::Cancelled
        )
    }
}

/// What a job is entitled to beside others of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A number of its own.
    Single,
    /// A member of a contact list: leaves single sends the way.
    List,
}

impl Class {
    /// The number that storage keeps.
    pub fn number(self) -> i64 {
        match self {
            Self::Single => 0,
            Self::List => 1,
        }
    }

    /// The class that storage keeps as `number`.
    pub(super) fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Single,
            _ => Self::List,
        }
    }

    /// How far a call moves the lane's virtual time: the class with the smaller step goes more often.
    pub(super) fn step(number: i64) -> i64 {
        if number == Self::Single.number() {
            250_000
        } else {
            1_000_000
        }
    }
}
