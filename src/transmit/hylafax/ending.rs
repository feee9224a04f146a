//! What a job that HylaFAX gave up means here: its numbers (`E001` to `E999`) and texts, as causes.

use super::session::Standing;
use crate::fax::Cause;

/// What follows from a job that failed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It may go better another time.
    Again(Cause),
    /// Another call would end the same way.
    Never(Cause),
    /// No modem was free or well in time: the number was not dialled.
    NotDialled,
}

/// It was dialled or tried as often as we had allowed: the reason stands in the text before.
const ENOUGH: [u16; 2] = [333, 334];

/// Texts, from their beginning, and the number that each would have; the first that fits counts.
const TEXTS: [(&str, u16); 27] = [
    ("Busy signal detected", 1),
    ("No carrier detected", 2),
    ("No answer from remote", 3),
    ("No local dialtone", 4),
    ("Invalid dialing command", 5),
    ("Unknown problem", 6),
    ("Carrier established, but Phase A failure", 7),
    ("Data connection established", 8),
    ("Glare", 9),
    ("Ringback detected, no answer", 11),
    ("Failure to receive silence", 100),
    ("RSPREC", 104),
    ("Failure to train", 137),
    ("COMREC invalid command received/no DIS or DTC", 125),
    ("COMREC", 124),
    ("No receiver protocol", 126),
    ("Remote fax disconnected prematurely", 128),
    ("Unable to transmit page", 131),
    ("DIS/DTC received 3 times", 136),
    ("DCS sent 3 times without response", 224),
    ("No response to", 147),
    ("Unable to establish message carrier", 148),
    ("Unspecified Phase A error", 217),
    ("No answer (T.30 T1 timeout)", 218),
    ("Kill time expired", 325),
    ("Can not lock modem device", 346),
    ("REJECT: Too many attempts", 403),
];

/// What the end of a job that failed means.
pub(super) fn of(standing: &Standing) -> Ending {
    match of_code(number(standing)) {
        // What stood in the way before the first dial was no fault of the number.
        Ending::Again(Cause::Network) if standing.dials == 0 => Ending::NotDialled,
        ending @ (Ending::Again(_) | Ending::Never(_) | Ending::NotDialled) => ending,
    }
}

/// The number that says most: that of the text where the code says no more than that it was enough.
fn number(standing: &Standing) -> u16 {
    let said = !ENOUGH.contains(&standing.code) && standing.code != 0;
    if said {
        return standing.code;
    }
    let text = standing.status.trim();
    let braced = text.split_once("{E").and_then(|(_, rest)| rest.get(..3));
    let braced = braced.and_then(|digits| digits.parse().ok());
    let known = TEXTS.iter().find(|(begin, _)| text.starts_with(begin));
    let known = known.map(|(_, number)| *number);
    braced
        .filter(|number| !ENOUGH.contains(number))
        .or(known)
        .unwrap_or_default()
}

/// The numbers of HylaFAX 6: 1 to 12 are the dialling, 1xx a modem of class 1, 2xx one of class 2, 3xx the queue, 4xx what does not
/// fit together, 9xx files.
fn of_code(code: u16) -> Ending {
    use Cause::*;
    use Ending::Again;
    use Ending::Never;
    match code {
        1 => Again(Busy),
        2 | 7 | 8 => Again(NoFaxTone),
        3 | 11 | 215 | 216 => Again(NoAnswer),
        // T1 ran out, or what came was no identification: a person, an answering machine.
        125 | 126 | 217 | 218 | 222 => Again(NoFaxTone),
        100 | 101 | 105 | 112..=116 | 136 | 137 | 148 | 224..=226 => Again(CannotTrain),
        122 | 261 | 264 => Never(Incompatible),
        123 | 259 | 260 | 263 => Again(Incompatible),
        // RR, CTC, EOR, PPS, MPS, EOP, EOM, PPM without an answer.
        139 | 141 | 144 | 147 | 150..=153 | 238 | 240 | 242 => Again(NoResponseAfterPage),
        200..=208 => Again(Network),
        230 | 232..=235 => Again(LocalFault),
        103..=199 | 209..=299 => Again(Disconnected),
        302 | 303 | 318..=320 | 340 | 343 => Again(LocalFault),
        314..=317 | 321..=324 | 326 | 329..=332 | 335 | 347 => Never(LocalFault),
        325 => Ending::NotDialled,
        // The dial string has no canonical form, or the modem that was asked for is not there.
        327 | 328 => Never(NoRoute),
        // Somebody there ended it.
        344 | 345 => Never(Network),
        348 => Never(CallRejected),
        // HylaFAX knows the machine from now on, and converts the pages for it.
        400..=419 => Again(Incompatible),
        900..=999 => Again(LocalFault),
        _ => Again(Network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transmit::hylafax::session::State;

    fn ended(code: u16, status: &str, dials: u32) -> Ending {
        of(&Standing {
            state: State::Failed,
            status: status.to_owned(),
            code,
            pages: 0,
            dials,
        })
    }

    #[test]
    fn numbers_become_causes() {
        for (code, ending) in [
            (1, Ending::Again(Cause::Busy)),
            (2, Ending::Again(Cause::NoFaxTone)),
            (3, Ending::Again(Cause::NoAnswer)),
            (4, Ending::Again(Cause::Network)),
            (122, Ending::Never(Cause::Incompatible)),
            (126, Ending::Again(Cause::NoFaxTone)),
            (128, Ending::Again(Cause::Disconnected)),
            (137, Ending::Again(Cause::CannotTrain)),
            (151, Ending::Again(Cause::NoResponseAfterPage)),
            (226, Ending::Again(Cause::CannotTrain)),
            (240, Ending::Again(Cause::NoResponseAfterPage)),
            (288, Ending::Again(Cause::Disconnected)),
            (321, Ending::Never(Cause::LocalFault)),
            (325, Ending::NotDialled),
            (327, Ending::Never(Cause::NoRoute)),
            (345, Ending::Never(Cause::Network)),
            (348, Ending::Never(Cause::CallRejected)),
            (403, Ending::Again(Cause::Incompatible)),
            (908, Ending::Again(Cause::LocalFault)),
            (700, Ending::Again(Cause::Network)),
        ] {
            assert_eq!(ended(code, "", 1), ending, "{code}");
        }
    }

    #[test]
    fn of_a_job_that_was_tried_often_enough_the_reason_before_counts() {
        let busy = "Busy signal detected; too many attempts to dial";
        assert_eq!(ended(333, busy, 1), Ending::Again(Cause::Busy));
        let lost = "RSPREC error/got DCN (receiver abort); too many attempts to send";
        assert_eq!(ended(334, lost, 1), Ending::Again(Cause::Disconnected));
        let other = "Something new; too many attempts to dial";
        assert_eq!(ended(333, other, 1), Ending::Again(Cause::Network));
        let reformatted = "REJECT: Too many attempts to dial: 1, max 1";
        assert_eq!(
            ended(333, reformatted, 1),
            Ending::Again(Cause::Incompatible)
        );
    }

    #[test]
    fn a_server_without_numbers_is_understood_by_its_texts() {
        assert_eq!(
            ended(0, "No answer from remote", 1),
            Ending::Again(Cause::NoAnswer)
        );
        let braced = "Busy signal detected {E001}; too many attempts to dial {E333}";
        assert_eq!(ended(0, braced, 1), Ending::Again(Cause::Busy));
        assert_eq!(
            ended(333, "irgendwas {E126}", 1),
            Ending::Again(Cause::NoFaxTone)
        );
        for odd in ["", "{E", "{E1", "{Exyz}", "{E\u{e9}\u{e9}"] {
            assert_eq!(ended(0, odd, 1), Ending::Again(Cause::Network), "{odd}");
        }
    }

    #[test]
    fn what_failed_before_the_first_dial_is_no_call() {
        assert_eq!(ended(346, "", 0), Ending::NotDialled);
        assert_eq!(ended(346, "", 1), Ending::Again(Cause::Network));
        assert_eq!(ended(345, "", 0), Ending::Never(Cause::Network));
    }

    #[test]
    fn every_text_leads_to_a_cause_of_its_own() {
        for (text, code) in TEXTS {
            assert_eq!(ended(0, text, 1), of_code(code), "{text}");
            let longer = format!("{text} (and more); too many attempts to send");
            assert_eq!(ended(334, &longer, 1), of_code(code), "{text}");
        }
    }
}
