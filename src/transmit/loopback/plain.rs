//! The line where the library of T.30 is missing: pages are copied, in the time of a call.

use std::io;

use super::folder;
use super::recording::ANSWERED;
use super::recording::Arrived;
use super::recording::Ending;
use super::recording::Recording;
use super::recording::usual;
use super::recording::usual_length;
use crate::config::Phase;
use crate::config::Script;
use crate::fax::CallProgress;
use crate::fax::Cause;
use crate::transmit::Call;

/// What the call comes to.
///
/// # Errors
/// The pages of a call that is not simply all of them cannot be read.
pub(super) fn record(call: &Call, script: Script) -> io::Result<Recording> {
    let all = call.fax.pages.saturating_sub(call.first_page);
    let (confirmed, arrived, ending) = fate(script, all);
    let mut recording = Recording::dialling();
    recording.answered(None);
    for page in 1..=confirmed {
        let progress = CallProgress::Page {
            confirmed: call.first_page + page,
            of: call.fax.pages,
        };
        if page == all {
            let sent = CallProgress::LastPageSent;
            recording.at(usual(call, &sent), sent);
        }
        recording.at(usual(call, &progress), progress);
    }
    recording.report.pages_sent = call.first_page + confirmed;
    recording.report.remote_id = super::far_end(call);
    let length = match arrived {
        0 => ANSWERED,
        _ => usual_length(call),
    };
    recording.end(length, ending);
    let whole = call.first_page == 0 && arrived == call.fax.pages;
    if arrived > 0 {
        recording.arrived = Some(Arrived {
            tiff: match whole {
                true => call.fax.tiff.clone(),
                false => folder::part(&call.fax.tiff, call.first_page, arrived)?,
            },
            pages: arrived,
            complete: arrived == all,
            remote_id: call.local_id.clone(),
        });
    }
    Ok(recording)
}

/// Of `all` pages so many are confirmed and so many arrive, and how it ends.
fn fate(script: Script, all: u32) -> (u32, u32, Ending) {
    let lost = Ending::Retry(Cause::Disconnected);
    let unanswered = Ending::Retry(Cause::NoResponseAfterPage);
    match script {
        Script::Good
        | Script::Slow
        | Script::Loss(_)
        | Script::Cut(Phase::Release)
        // Decided before a call is answered.
        | Script::Busy
        | Script::NoAnswer => (all, all, Ending::Sent),
        Script::FailAfterPage(pages) if pages >= all => (all, all, Ending::Sent),
        Script::FailAfterPage(pages) => (pages, pages, lost),
        Script::Voice | Script::Cut(Phase::SetUp | Phase::Identification) => {
            (0, 0, Ending::Retry(Cause::NoFaxTone))
        }
        Script::Cut(Phase::Training) => (0, 0, Ending::Retry(Cause::CannotTrain)),
        Script::Cut(Phase::Page) => (0, 0, lost),
        Script::Cut(Phase::AfterPage) => (0, all.min(1), unanswered),
        Script::Cut(Phase::LastPage) => (all.saturating_sub(1), all, unanswered),
    }
}
