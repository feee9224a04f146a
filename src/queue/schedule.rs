//! When a number is called again: one pure function, and the table by cause that it follows.

use std::time::Duration;

use crate::config::Retry;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::fax::StepDown;
use crate::status::Status;
use crate::storage::jobs::AttemptRow;
use crate::storage::jobs::Settlement;
use crate::storage::jobs::State;
use crate::time::Timestamp;

/// Calls to one number within a day without a success between them, over all jobs.
///
/// After that nobody redials it automatically: Japan's terminal equipment rules (articles 11-3 and
/// 32-3) allow 15 times.
pub const MOST_CALLS_TO_ONE: u32 = 15;
/// What is said to a job that is not called again because of that.
pub const CALLED_ENOUGH: &str = "called 15 times without success";
/// Calls of a job that reach no fax machine: a person may be answering, and is not rung up again and again.
const MOST_WITHOUT_TONE: u32 = 2;
/// Calls of a job that are lost in its pages with none of them confirmed.
const MOST_FRUITLESS: u32 = 3;
/// A job that waits for a line in service is given up after this time: nobody expects a fax of yesterday.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);
/// A network that has no way free is given more time after each call, up to this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(15 * 60);

/// What is known of a job when a call of it has ended.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Which call it was, from 1.
    pub attempt: u32,
    /// Calls to its number within a day without success, this one included.
    pub to_number: u32,
    /// Its earlier calls, the first of them first.
    pub before: Vec<PastCall>,
    /// Pages that those had confirmed.
    pub confirmed: u32,
    /// How carefully this call was made.
    pub step: StepDown,
    /// Whether this call sent half the lines.
    pub coarse: bool,
    /// Whether its pages can be sent with half the lines.
    pub can_be_coarse: bool,
}

/// A call of a job that ended before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastCall {
    /// Why it did not deliver all pages.
    pub cause: Option<Cause>,
    /// Whether it got at least one page through.
    pub progress: bool,
}

impl From<&AttemptRow> for PastCall {
    fn from(call: &AttemptRow) -> Self {
        Self {
            cause: call.cause,
            progress: call.pages_sent > call.first_page,
        }
    }
}

/// What kind of trouble a cause is: the rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The number is engaged, or turns calls away: `interval`.
    Engaged,
    /// Nobody is there: 5 minutes, or `interval` if that is longer.
    Absent,
    /// No machine answers: as long, at most twice.
    NoMachine,
    /// The network has no way: 1 minute, twice as long each time.
    Network,
    /// The modems do not understand each other: 1 minute, and slower.
    Training,
    /// The call was lost among its pages: 1 minute, from the first page that was not confirmed; at most
    /// three times in a row without a page getting through.
    Lost,
    /// The far end cannot take such pages: at once with half the lines, if that was not tried.
    Format,
    /// It will not change: never.
    Final,
}

impl Trouble {
    fn of(cause: Cause) -> Self {
        match cause {
            Cause::Busy | Cause::CallRejected => Self::Engaged,
            Cause::NoAnswer => Self::Absent,
            Cause::NoFaxTone => Self::NoMachine,
            Cause::Congested | Cause::Network => Self::Network,
            Cause::CannotTrain => Self::Training,
            Cause::Disconnected | Cause::NoResponseAfterPage | Cause::LocalFault => Self::Lost,
            Cause::Incompatible => Self::Format,
            Cause::Interrupted | Cause::NoRoute => Self::Final,
            Cause::NumberChanged | Cause::NumberUnassigned => Self::Final,
        }
    }

    /// How long after a call with this trouble the next one is, if `in_a_row` such calls came before it.
    fn delay(self, in_a_row: u32, retry: &Retry) -> Duration {
        match self {
            Self::Engaged | Self::Final => retry.interval,
            Self::Absent | Self::NoMachine => retry.interval.max(FIVE_MINUTES),
            Self::Network => doubled(MINUTE, in_a_row),
            Self::Training | Self::Lost => MINUTE,
            Self::Format => Duration::ZERO,
        }
    }

    /// How many calls with this trouble there may be in all, and what is said when there were.
    fn most(self) -> Option<(u32, &'static str)> {
        match self {
            Self::NoMachine => Some((MOST_WITHOUT_TONE, "no fax machine answered in two calls")),
            Self::Lost => Some((
                MOST_FRUITLESS,
                "three calls in a row were lost without a further page",
            )),
            Self::Engaged | Self::Absent | Self::Network | Self::Training => None,
            Self::Format | Self::Final => None,
        }
    }
}

impl Known {
    /// Earlier calls with the same trouble that count together with one more. A page that got through
    /// begins the count of lost calls anew.
    fn alike(&self, trouble: Trouble) -> u32 {
        let same = |call: &PastCall| {
            call.cause
                .is_some_and(|cause| Trouble::of(cause) == trouble)
        };
        let latest = self.before.iter().rev();
        let count = match trouble {
            Trouble::NoMachine => latest.filter(|call| same(call)).count(),
            Trouble::Lost => {
                let fruitless = latest.take_while(|call| !call.progress);
                fruitless.filter(|call| same(call)).count()
            }
            Trouble::Engaged
            | Trouble::Absent
            | Trouble::Network
            | Trouble::Training
            | Trouble::Format
            | Trouble::Final => latest.take_while(|call| same(call)).count(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// What becomes of a job of which this is `known` and whose latest call had this `outcome`.
pub fn settle(known: &Known, outcome: Outcome, retry: &Retry, now: Timestamp) -> Settlement {
    let (cause, report, may_retry) = match outcome {
        Outcome::Sent(report) => {
            return Settlement {
                report: Some(report),
                ..Settlement::end(State::Done, Status::SENT, now)
            };
        }
        Outcome::Retry(cause, report) => (cause, report, true),
        Outcome::Failed(cause, report) => (cause, report, false),
        // Nobody was called; `dispatch` asks `wait` instead.
        Outcome::NotCalled { .. } => (Cause::Network, CallReport::default(), true),
    };
    let trouble = Trouble::of(cause);
    let end = no_further(known, trouble, &report, may_retry, retry);
    let state = match end {
        _ if cause == Cause::Interrupted => State::Unknown,
        Some(_) => State::Failed,
        None => State::Sleeping,
    };
    Settlement {
        reason: end.flatten().map(str::to_owned),
        next_at: now.plus(trouble.delay(known.alike(trouble), retry)),
        cause: Some(cause),
        report: Some(report),
        step: match trouble == Trouble::Training {
            true => known.step.next(),
            false => known.step,
        },
        coarse: known.coarse || trouble == Trouble::Format,
        ..Settlement::end(state, Status::of_cause(cause), now)
    }
}

/// Whether there is no further call, and the reason where the status does not say it.
fn no_further(
    known: &Known,
    trouble: Trouble,
    report: &CallReport,
    may_retry: bool,
    retry: &Retry,
) -> Option<Option<&'static str>> {
    let goes_on = match trouble {
        // Another format is another try, whatever the transport thinks of this one.
        Trouble::Format => known.can_be_coarse,
        Trouble::Final => false,
        Trouble::Engaged
        | Trouble::Absent
        | Trouble::NoMachine
        | Trouble::Network
        | Trouble::Training
        | Trouble::Lost => may_retry,
    };
    let progress = trouble == Trouble::Lost && report.pages_sent > known.confirmed;
    let most = trouble.most().filter(|_| !progress);
    match most {
        _ if !goes_on => Some(None),
        _ if known.attempt >= retry.attempts => Some(None),
        _ if known.to_number >= MOST_CALLS_TO_ONE => Some(Some(CALLED_ENOUGH)),
        Some((most, why)) if known.alike(trouble).saturating_add(1) >= most => Some(Some(why)),
        Some(_) | None => None,
    }
}

/// When a job whose call has just failed for now, with this `settlement`, can be called for the last time
/// if its calls go on to end as this one did.
pub fn last_try(known: &Known, settlement: &Settlement, retry: &Retry) -> Timestamp {
    let trouble = settlement.cause.map_or(Trouble::Engaged, Trouble::of);
    let alike = known.alike(trouble);
    let mut left = retry.attempts.saturating_sub(known.attempt);
    if let Some((most, _)) = trouble.most() {
        left = left
            .min(most.saturating_sub(alike).saturating_sub(1))
            .max(1);
    }
    let further = (1..left).map(|n| trouble.delay(alike.saturating_add(n), retry));
    settlement.next_at.plus(further.sum())
}

/// When it is looked again for a line for a job that has waited for one since `since`; `None`: it is given up.
pub fn wait(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let waited = now.since(since);
    (waited < LONGEST_WAIT).then(|| now.plus(waited.clamp(MINUTE, LONGEST_BACK_OFF)))
}

fn doubled(delay: Duration, times: u32) -> Duration {
    let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX);
    delay.saturating_mul(factor.max(1)).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests;
