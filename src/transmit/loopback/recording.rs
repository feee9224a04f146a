//! What a call comes to, before its time passes: what happens when, how it ends, what the far end has.

use std::time::Duration;

use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Media;
use crate::fax::StationId;
use crate::transmit::Call;

/// When the far end rings.
const RINGS: Duration = Duration::from_secs(2);
/// When it is picked up.
pub(super) const ANSWERED: Duration = Duration::from_secs(4);
/// Dialling, answering and training on a real line: T.30 phases A and B.
const SETUP: Duration = Duration::from_secs(15);
/// A page of ordinary text at 14,400 bit/s, with its confirmation.
const PAGE: Duration = Duration::from_secs(30);

/// A call, played in advance: its times are those of a real line and count from dialling.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// What happens and when, in order.
    pub(super) steps: Vec<(Duration, CallProgress)>,
    /// How long the call takes.
    pub(super) lasts: Duration,
    /// How it ends.
    pub(super) ending: Ending,
    /// What is reported of it, without its times.
    pub(super) report: CallReport,
    /// The pages that arrived, if any did.
    pub(super) arrived: Option<Arrived>,
}

/// How a call ends, for the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// All pages were confirmed.
    #[default]
    Sent,
    /// It may go better another time.
    Retry(Cause),
    /// Another call would end the same way.
    Failed(Cause),
}

/// What the far end has of a call.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Its file.
    pub(super) tiff: Vec<u8>,
    /// Pages in it.
    pub(super) pages: u32,
    /// Whether these are all pages that were sent (EOP was answered by MCF).
    pub(super) complete: bool,
    /// Who sent them (TSI).
    pub(super) remote_id: StationId,
}

impl Recording {
    /// A call that is just being dialled.
    pub(super) fn dialling() -> Self {
        Self::default()
    }

    /// The far end rings.
    pub(super) fn rings(&mut self) {
        self.at(RINGS, CallProgress::Ringing);
    }

    /// The far end is picked up, and the fax travels so from there on.
    pub(super) fn answered(&mut self, media: Option<Media>) {
        self.rings();
        self.at(ANSWERED, CallProgress::Answered);
        if let Some(media) = media {
            self.at(ANSWERED, CallProgress::Carried { media });
        }
        self.report.media = media;
    }

    /// This happens then, or right after what happened before.
    pub(super) fn at(&mut self, time: Duration, progress: CallProgress) {
        let latest = self.steps.last().map_or(Duration::ZERO, |(time, _)| *time);
        self.steps.push((time.max(latest), progress));
    }

    /// The line is released.
    pub(super) fn end(&mut self, time: Duration, ending: Ending) {
        self.at(time, CallProgress::Released);
        let latest = self.steps.last().map_or(time, |(time, _)| *time);
        self.lasts = latest;
        self.ending = ending;
    }

    /// A call that ends before it is answered.
    pub(super) fn unanswered(call: &Call, cause: Cause) -> Self {
        let mut recording = Self::dialling();
        let rings = cause == Cause::NoAnswer;
        if rings {
            recording.rings();
        }
        let after = if rings { call.ring_timeout } else { RINGS };
        recording.report.pages_sent = call.first_page;
        recording.end(after, Ending::Retry(cause));
        recording
    }
}

/// When this happens in a call that nothing disturbs.
pub(super) fn usual(call: &Call, progress: &CallProgress) -> Duration {
    match progress {
        CallProgress::Dialling { .. } => Duration::ZERO,
        CallProgress::Ringing => RINGS,
        CallProgress::Answered | CallProgress::Carried { .. } => ANSWERED,
        CallProgress::Identified { .. } => SETUP - Duration::from_secs(7),
        CallProgress::Training { .. } => SETUP - Duration::from_secs(4),
        CallProgress::Page { confirmed, .. } => {
            SETUP + PAGE * confirmed.saturating_sub(call.first_page)
        }
        CallProgress::LastPageSent => usual_length(call) - Duration::from_secs(2),
        CallProgress::Released => usual_length(call),
    }
}

/// How long a call takes that nothing disturbs.
pub(super) fn usual_length(call: &Call) -> Duration {
    SETUP + PAGE * call.fax.pages.saturating_sub(call.first_page)
}
