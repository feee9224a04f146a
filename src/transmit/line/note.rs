//! What gateway and worker say to each other, and what is written in the call's folder: one line of JSON each.

use serde::Deserialize;
use serde::Serialize;

use super::CallLimits;
use super::Carrier;
use super::EndedBy;
use super::Pacing;
use crate::fax::CallProgress;
use crate::fax::Modem;
use crate::fax::StationId;
use crate::fax::SubAddress;

/// The pages to be sent, in the call's folder.
pub(super) const SENT: &str = "sent.tiff";
/// The pages that are received, there.
pub(super) const RECEIVED: &str = "received.tiff";
/// The notes, there.
pub(super) const PROGRESS: &str = "progress.jsonl";

/// What the gateway tells the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// What it is for; the first line.
    Begin(Box<Job>),
    /// What carries the call from here on.
    Carry(Carrier),
    /// Take what has arrived, then end.
    HangUp,
}

/// What a worker is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// See [`super::Assignment::about`].
    pub(super) about: String,
    /// The pages to send; `None` receives.
    pub(super) pages: Option<Pages>,
    /// Our identifier.
    pub(super) local_id: StationId,
    /// Whom it is for behind the number.
    pub(super) sub_address: Option<SubAddress>,
    /// Whether errors are corrected.
    pub(super) ecm: bool,
    /// The fastest modem.
    pub(super) fastest: Modem,
    /// When it is given up.
    pub(super) limits: CallLimits,
    /// How fast pages go.
    pub(super) pacing: Pacing,
    /// Where the numbers of RTP begin, at random: source, number, timestamp.
    pub(super) random: (u32, u16, u32),
}

/// The pages to send.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Pages {
    /// The first one, from 0.
    pub(super) first: u32,
    /// All of the file.
    pub(super) total: u32,
}

/// A note with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// What happened.
    pub(super) note: Note,
}

/// What the worker notes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Note {
    /// It is confined, except for this, and waits for orders. Not kept.
    Ready {
        /// What is missing.
        missing: Vec<String>,
    },
    /// It still lives. Not kept.
    Alive,
    /// The call begins.
    Began {
        /// See [`super::Assignment::about`].
        about: String,
        /// The first page to send; `None` receives.
        first_page: Option<u32>,
    },
    /// The call is so far.
    Progress(CallProgress),
    /// The far end is a fax machine.
    FaxHeard,
    /// Whom the fax is for behind our number.
    SubAddress(SubAddress),
    /// The end of the last page was answered by something else than a confirmation.
    LastPageRefused,
    /// The last page was confirmed (EOP was answered by MCF).
    Confirmed,
    /// The call is over.
    Ended {
        /// What made it end.
        by: EndedBy,
        /// The completion code of the engine.
        completion: Option<i32>,
        /// Packets of the far end that were lost for good.
        packets_lost: u64,
    },
}

/// A line with its end.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    // A value of ours can always be written.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
