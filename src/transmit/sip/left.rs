//! What a crash left of a call that we made.

use serde::Deserialize;
use serde::Serialize;

use super::outgoing::completed;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::time::Timestamp;
use crate::transmit::Resolution;
use crate::transmit::line;
use crate::transmit::line::Left;

/// What is noted of a call in its folder before it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// Over which trunk.
    pub(super) trunk: String,
    /// The first page to send, from 0.
    pub(super) first_page: u32,
    /// Pages in all.
    pub(super) pages: u32,
    /// When it began, in milliseconds since 1970.
    pub(super) started_ms: i64,
}

impl About {
    /// As text, in one line.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// What became of a call: the end of the last page may have been sent, and nobody here knows whether it was confirmed.
pub(super) fn resolution(left: &Left) -> Resolution {
    let Some(about) = About::read(&left.about) else {
        return Resolution::Unknown;
    };
    if left.ended.last_page_sent && !left.ended.confirmed {
        return Resolution::Unknown;
    }
    let outcome = line::outcome(&left.ended, about.first_page, about.pages);
    let add = |report: &mut CallReport| {
        report.line.clone_from(&about.trunk);
        report.started = Timestamp::from_ms(about.started_ms);
        report.ended = left.ended.ended.max(report.started);
        if report.detail.is_empty() {
            "the gateway went down in the call".clone_into(&mut report.detail);
        }
    };
    let outcome = completed(outcome, add);
    // The worker fell with the gateway: the program was not at fault.
    if let Outcome::Retry(Cause::LocalFault, report) = outcome {
        return Resolution::Ended(Outcome::Retry(Cause::Disconnected, report));
    }
    Resolution::Ended(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transmit::line::Ended;

    fn left(ended: Ended) -> Left {
        let about = About {
            trunk: "one".into(),
            first_page: 1,
            pages: 3,
            started_ms: 1_000,
        };
        Left {
            name: "7-1".into(),
            about: about.to_text(),
            ended,
        }
    }

    #[test]
    fn an_end_of_the_last_page_without_an_answer_is_unknown() {
        let ended = Ended {
            pages: 1,
            last_page_sent: true,
            ..Ended::default()
        };
        assert_eq!(resolution(&left(ended)), Resolution::Unknown);
    }

    #[test]
    fn a_call_that_fell_before_goes_on_from_the_first_unconfirmed_page() {
        let ended = Ended {
            pages: 1,
            ..Ended::default()
        };
        let Resolution::Ended(Outcome::Retry(_, report)) = resolution(&left(ended)) else {
            panic!("not to be tried again");
        };
        assert_eq!(report.pages_sent, 2);
        assert_eq!(report.line, "one");
        assert_eq!(report.started, Timestamp::from_ms(1_000));
    }

    #[test]
    fn a_folder_that_says_nothing_is_no_proof() {
        let mut nothing = left(Ended::default());
        nothing.about.clear();
        assert_eq!(resolution(&nothing), Resolution::Unknown);
    }
}
