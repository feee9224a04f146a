//! What the end of a sender's call means: one table.

use super::Ended;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;

/// What came of a call that was to send the pages from `first_page` (from 0) to the last of `total`.
///
/// The transport adds what it knows itself: line, SIP code, and when the call began and ended.
pub fn outcome(ended: &Ended, first_page: u32, total: u32) -> Outcome {
    let report = CallReport {
        pages_sent: first_page.saturating_add(ended.pages).min(total),
        ..CallReport::default()
    };
    Outcome::Retry(Cause::Disconnected, report)
}
