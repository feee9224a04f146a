//! What a call brought: handed over, journalled, and only then forgotten.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::fax::CallReport;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::time::Timestamp;
use crate::transmit::InboundFax;
use crate::transmit::journal::Journal;
use crate::transmit::line::Ended;
use crate::transmit::line::EndedBy;
use crate::transmit::sip::hook::Hook;
use crate::transmit::sip::switchboard::Switchboard;

/// The transport's name in the journal.
const TRANSPORT: &str = "sip";
/// A fax that cannot be stored is handed over again after these, while its line stays taken.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
];
/// And then again and again after this.
const LATER: Duration = Duration::from_secs(60);

/// What all calls that come in share.
pub(in crate::transmit::sip) struct Arrivals {
    /// Where each call gets its line.
    pub(super) journal: Journal,
    /// One for each call that may come in at a time.
    pub(super) seats: Arc<Semaphore>,
    /// How many there are.
    most: u32,
}

/// What is kept of a call for the case of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// The number that was called, canonical.
    number: String,
    /// The trunk.
    trunk: String,
}

/// The name of a call that comes in now: no other one will ever have it.
pub(super) fn name(now: Timestamp, hook: &Hook) -> String {
    // The stack draws the tag at random.
    let tag = hook.dialog().map(|dialog| dialog.id().local_tag);
    let tag: String = tag
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect();
    format!("in-{}-{tag}", now.as_ms())
}

/// Counts a call that came in by its result.
pub(super) fn count(result: &'static str) {
    metrics::counter!("faxgate_calls_in_total", "result" => result).increment(1);
}

impl About {
    pub(super) fn of(number: &FaxNumber, trunk: &str) -> Self {
        Self {
            number: number.canonical(),
            trunk: trunk.to_owned(),
        }
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Arrivals {
    /// At most so many calls at a time; each gets a line in `journal`.
    pub(in crate::transmit::sip) fn new(journal: Journal, most: usize) -> Self {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        Self {
            journal,
            seats: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or_default())),
            most,
        }
    }

    /// Returns once every fax that came in is stored.
    pub(in crate::transmit::sip) async fn finished(&self) {
        // It is never closed.
        let _ = self.seats.acquire_many(self.most).await;
    }
}

/// Takes over what a crash left: what was confirmed to its sender must not be lost. To be called before any call is taken.
pub(in crate::transmit::sip) async fn take_over(switchboard: &Arc<Switchboard>) {
    let left = match switchboard.workers.left_in().await {
        Ok(left) => left,
        Err(error) => {
            tracing::error!(%error, "calls that a crash left could not be looked at");
            return;
        }
    };
    for call in left {
        let Ok(about) = serde_json::from_str::<About>(&call.about) else {
            tracing::error!(
                call = call.name,
                "a call that a crash left does not say what it was"
            );
            continue;
        };
        let switchboard = Arc::clone(switchboard);
        tokio::spawn(async move { keep(&switchboard, &call.name, &about, call.ended).await });
    }
}

/// Hands over what a call brought; its folder is removed once that is durable and the call is journalled. If the gateway
/// stops before, the folder is there at the next start.
pub(super) async fn keep(switchboard: &Arc<Switchboard>, name: &str, about: &About, ended: Ended) {
    let Some(number) = FaxNumber::from_canonical(&about.number) else {
        tracing::error!(call = name, "a call has no number");
        return;
    };
    if ended.confirmed && ended.fax.is_none() {
        tracing::error!(
            call = name,
            "a fax that was confirmed cannot be read; its folder stays"
        );
        return;
    }
    let report = report(&ended, &about.trunk);
    let none = FaxFile {
        tiff: Vec::new(),
        pages: 0,
    };
    let fax = InboundFax {
        call: name.to_owned(),
        number,
        remote_id: ended.remote_id,
        fax: ended.fax.unwrap_or(none),
        complete: ended.confirmed,
    };
    for pause in AGAIN {
        if stored(switchboard, &fax, &report).await {
            return;
        }
        if !waited(switchboard, pause).await {
            return;
        }
    }
    // The line is wanted, and this one may take longer.
    let switchboard = Arc::clone(switchboard);
    tokio::spawn(async move {
        while !stored(&switchboard, &fax, &report).await {
            if !waited(&switchboard, LATER).await {
                return;
            }
        }
    });
}

/// Stores and journals it, and forgets the call; `false` if it could not be stored.
async fn stored(switchboard: &Switchboard, fax: &InboundFax, report: &CallReport) -> bool {
    // Without a single whole page there is nothing to forward.
    if fax.fax.pages > 0 && !switchboard.inbound.arrive(fax.clone()).await {
        return false;
    }
    count(match (fax.fax.pages, fax.complete) {
        (0, _) => "nothing",
        (_, true) => "received",
        (_, false) => "partial",
    });
    let journal = &switchboard.arrivals.journal;
    if let Err(error) = journal.received(fax, TRANSPORT, report).await {
        // The fax itself is safe.
        tracing::error!(%error, call = fax.call, "a call that came in could not be journalled");
    }
    switchboard.workers.forget(&fax.call).await;
    true
}

/// Waits; `false` if the gateway stops: then the folder stays until the next start.
async fn waited(switchboard: &Switchboard, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = switchboard.stopped() => false,
    }
}

fn report(ended: &Ended, trunk: &str) -> CallReport {
    let detail = match ended.by {
        EndedBy::Fax if ended.confirmed => "",
        EndedBy::Fax => "the fax ended before its last page was confirmed",
        EndedBy::HangUp => "the call was hung up on",
        EndedBy::Silence => "nothing came from the far end any more",
        EndedBy::Length => "the call lasted too long",
        EndedBy::Fault => "the fax engine could not begin",
        EndedBy::Crash => "the program that receives ended",
    };
    CallReport {
        pages_sent: ended.pages,
        remote_id: ended.remote_id.clone(),
        started: ended.started,
        ended: ended.ended,
        line: trunk.to_owned(),
        media: ended.media,
        rate: ended.rate,
        ecm: ended.ecm,
        sip: Some(200),
        t30: ended.completion,
        detail: detail.to_owned(),
    }
}
