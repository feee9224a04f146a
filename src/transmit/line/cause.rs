//! What the end of a sender's call means: one table.

use spandsp::Completion;

use super::Ended;
use super::EndedBy;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;

/// What came of a call that was to send the pages from `first_page` (from 0) to the last of `total`.
///
/// The transport adds what it knows itself: the line, the SIP code, and the time before the media began.
pub fn outcome(ended: &Ended, first_page: u32, total: u32) -> Outcome {
    let pages = first_page.saturating_add(ended.pages).min(total);
    let completion = ended.completion.map(Completion::from_code);
    // The end of the last page may be confirmed otherwise (RTP): the engine knows.
    let all = ended.confirmed || (completion == Some(Completion::Ok) && pages == total);
    let report = CallReport {
        pages_sent: if all { total } else { pages },
        remote_id: ended.remote_id.clone(),
        started: ended.started,
        ended: ended.ended,
        media: ended.media,
        rate: ended.rate,
        ecm: ended.ecm,
        t30: ended.completion,
        detail: detail(ended.by, completion),
        ..CallReport::default()
    };
    if all {
        // Whatever became of the line afterwards: all pages are there.
        let detail = String::new();
        return Outcome::Sent(CallReport { detail, ..report });
    }
    match verdict(ended, completion) {
        Again(cause) => Outcome::Retry(cause, report),
        Final(cause) => Outcome::Failed(cause, report),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It may go better another time.
    Again(Cause),
    /// Another call would end the same way, or must not be made.
    Final(Cause),
}

use Verdict::Again;
use Verdict::Final;

fn verdict(ended: &Ended, completion: Option<Completion>) -> Verdict {
    // A speed is trained as soon as a fax machine has said what it can.
    let met_a_fax = ended.rate > 0 || ended.pages > 0;
    match ended.by {
        EndedBy::Fax => completion.map_or(Again(Cause::Disconnected), of),
        EndedBy::HangUp | EndedBy::Silence if !met_a_fax => Again(Cause::NoFaxTone),
        EndedBy::HangUp | EndedBy::Silence | EndedBy::Length => Again(Cause::Disconnected),
        EndedBy::Fault => Final(Cause::LocalFault),
        // Only the far end knows whether the last page arrived.
        EndedBy::Crash if ended.last_page_sent => Final(Cause::Interrupted),
        EndedBy::Crash => Again(Cause::LocalFault),
    }
}

/// The completion codes, as a sender gets them. What is not known is temporary.
fn of(completion: Completion) -> Verdict {
    use Completion as C;
    match completion {
        C::CedTone | C::T0Expired | C::T1Expired | C::TxNoDis | C::TxGotDcn => {
            Again(Cause::NoFaxTone)
        }
        C::CannotTrain | C::TxBadDcs | C::TxPhaseBDead => Again(Cause::CannotTrain),
        // Confirmed less than all, and content with it.
        C::Ok | C::TxPhaseDDead | C::TxT5Expired => Again(Cause::NoResponseAfterPage),
        C::T3Expired
        | C::HdlcCarrier
        | C::OperatorInterrupt
        | C::Unexpected
        | C::TxBadPage
        | C::TxEcmPhaseD
        | C::TxInvalidResponse
        | C::RetryDcn
        | C::CallDropped
        | C::Other(_) => Again(Cause::Disconnected),
        C::Incompatible | C::RxIncapable | C::TxIncapable | C::NoResolution | C::NoSize => {
            Final(Cause::Incompatible)
        }
        C::FileError
        | C::NoPage
        | C::BadTiff
        | C::BadPage
        | C::BadTag
        | C::BadTiffHeader
        | C::NoMemory => Final(Cause::LocalFault),
        C::NoPoll
        | C::IdentRefused
        | C::SubAddressRefused
        | C::SelectivePollingRefused
        | C::PolledSubAddressRefused
        | C::SenderIdentRefused
        | C::PasswordRefused
        | C::TransmittingAddressRefused
        | C::RoutingAddressRefused
        | C::CallingAddressRefused
        | C::InternetPollingRefused
        | C::CalledAddressRefused => Final(Cause::CallRejected),
        // What only a receiver gets.
        C::RxEcmPhaseD
        | C::RxGotDcs
        | C::RxInvalidCommand
        | C::RxNoCarrier
        | C::RxNoEol
        | C::RxNoFax
        | C::RxT2ExpiredDcn
        | C::RxT2ExpiredPhaseD
        | C::RxT2ExpiredFax
        | C::RxT2ExpiredMps
        | C::RxT2ExpiredRr
        | C::RxT2Expired
        | C::RxDcnWhy
        | C::RxDcnInPage
        | C::RxDcnAfterPage
        | C::RxDcnPhaseD
        | C::RxDcnNotReady
        | C::RxDcnNoRepeat => Again(Cause::Disconnected),
    }
}

/// One line for the operator.
fn detail(by: EndedBy, completion: Option<Completion>) -> String {
    match (by, completion) {
        (EndedBy::Fax, Some(completion)) => completion.text().to_owned(),
        (EndedBy::Fax, None) => String::new(),
        (EndedBy::HangUp, _) => "The line was cut".to_owned(),
        (EndedBy::Silence, _) => "The far end fell silent".to_owned(),
        (EndedBy::Length, _) => "The call lasted too long".to_owned(),
        (EndedBy::Fault, _) => "The fax engine could not begin".to_owned(),
        (EndedBy::Crash, _) => "The fax worker, or the gateway, went down in the call".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(by: EndedBy, completion: Option<i32>) -> Ended {
        Ended {
            by,
            completion,
            ..Ended::default()
        }
    }

    fn cause(outcome: Outcome) -> (bool, Cause) {
        match outcome {
            Outcome::Retry(cause, _) => (true, cause),
            Outcome::Failed(cause, _) => (false, cause),
            Outcome::Sent(_) | Outcome::NotCalled { .. } => panic!("{outcome:?}"),
        }
    }

    #[test]
    fn each_completion_has_the_cause_of_the_table() {
        let groups: [(&[i32], (bool, Cause)); 7] = [
            (&[1, 2, 3, 17, 19], (true, Cause::NoFaxTone)),
            (&[6, 14, 20], (true, Cause::CannotTrain)),
            (&[0, 21, 22], (true, Cause::NoResponseAfterPage)),
            (
                &[4, 5, 7, 13, 15, 16, 18, 48, 49, 62],
                (true, Cause::Disconnected),
            ),
            (&[8, 9, 10, 11, 12], (false, Cause::Incompatible)),
            (&[41, 42, 43, 44, 45, 46, 47], (false, Cause::LocalFault)),
            (&[50, 52, 61], (false, Cause::CallRejected)),
        ];
        for (codes, expected) in groups {
            for code in codes {
                let outcome = outcome(&ended(EndedBy::Fax, Some(*code)), 0, 3);
                assert_eq!(cause(outcome), expected, "{code}");
            }
        }
        for code in 23..=40 {
            let outcome = outcome(&ended(EndedBy::Fax, Some(code)), 0, 3);
            assert_eq!(cause(outcome), (true, Cause::Disconnected), "{code}");
        }
    }

    #[test]
    fn what_was_confirmed_is_sent_whatever_follows() {
        for (by, completion) in [
            (EndedBy::Fax, Some(0)),
            (EndedBy::Fax, Some(5)),
            (EndedBy::HangUp, Some(49)),
            (EndedBy::Silence, Some(49)),
            (EndedBy::Crash, None),
        ] {
            let ended = Ended {
                pages: 1,
                confirmed: true,
                ..ended(by, completion)
            };
            let outcome = outcome(&ended, 1, 3);
            let Outcome::Sent(report) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!((report.pages_sent, report.t30), (3, completion));
        }
        let by_rtp = Ended {
            pages: 2,
            ..ended(EndedBy::Fax, Some(0))
        };
        assert!(matches!(outcome(&by_rtp, 1, 3), Outcome::Sent(_)));
    }

    #[test]
    fn a_crash_is_unknown_once_the_last_page_was_sent_and_a_retry_before() {
        let crash = ended(EndedBy::Crash, None);
        assert_eq!(cause(outcome(&crash, 0, 1)), (true, Cause::LocalFault));
        let open = Ended {
            last_page_sent: true,
            ..crash
        };
        assert_eq!(cause(outcome(&open, 0, 1)), (false, Cause::Interrupted));
    }

    #[test]
    fn a_line_that_is_cut_before_a_fax_machine_was_met_had_none() {
        for by in [EndedBy::HangUp, EndedBy::Silence] {
            let cut = ended(by, Some(49));
            assert_eq!(cause(outcome(&cut, 0, 1)), (true, Cause::NoFaxTone));
            let later = Ended { rate: 9600, ..cut };
            assert_eq!(cause(outcome(&later, 0, 1)), (true, Cause::Disconnected));
        }
        let long = ended(EndedBy::Length, Some(49));
        assert_eq!(cause(outcome(&long, 0, 1)), (true, Cause::Disconnected));
    }

    #[test]
    fn pages_of_earlier_calls_are_counted() {
        let cut = Ended {
            pages: 2,
            ..ended(EndedBy::HangUp, Some(49))
        };
        let Outcome::Retry(_, report) = outcome(&cut, 1, 5) else {
            panic!("it was cut");
        };
        assert_eq!(report.pages_sent, 3);
    }
}
