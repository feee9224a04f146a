//! The published statuses of the service, as outcomes of a call.

use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;

/// What a final status means. One that is not known may go better another time.
pub(super) fn outcome(status: i64, report: CallReport) -> Outcome {
    let cause = match status {
        0 => return Outcome::Sent(report),
        263 | 3931 | 3933 | 3937 | 6017 | 8025 => Cause::Busy,
        403 | 6021 | 6029 => Cause::CallRejected,
        3211 | 3220 | 3225 | 3231 | 3233 | 3264 | 3267 | 3269 | 6088 | 6095 | 6097 | 6099
        | 6100 => Cause::Incompatible,
        3223 | 3224 | 8010 => Cause::Disconnected,
        3230 => Cause::CannotTrain,
        1 | 3268 => Cause::NoResponseAfterPage,
        3912 | 3936 => Cause::NoFaxTone,
        3921 | 3932 | 3938 | 6001 | 6027 | 6028 => Cause::NumberUnassigned,
        3935 | 6018 | 6019 | 8021 => Cause::NoAnswer,
        6002 | 6003 => Cause::NoRoute,
        6022 => Cause::NumberChanged,
        // Q.850 causes 34, 38, 42, 43, 44, 47; and the credit there is used up.
        6034 | 6038 | 6042 | 6043 | 6044 | 6047 | 205_000 => Cause::Congested,
        // Our pages could not be turned into pages there.
        204_000 | 204_001 => Cause::LocalFault,
        _ => Cause::Network,
    };
    match is_final(cause) {
        true => Outcome::Failed(cause, report),
        false => Outcome::Retry(cause, report),
    }
}

/// Whether another call would end the same way.
fn is_final(cause: Cause) -> bool {
    match cause {
        Cause::CallRejected
        | Cause::Incompatible
        | Cause::Interrupted
        | Cause::LocalFault
        | Cause::NoRoute
        | Cause::NumberChanged
        | Cause::NumberUnassigned => true,
        Cause::Busy
        | Cause::CannotTrain
        | Cause::Congested
        | Cause::Disconnected
        | Cause::NoFaxTone
        | Cause::NoAnswer
        | Cause::NoResponseAfterPage
        | Cause::Network => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    fn cause(status: i64) -> Option<Cause> {
        match outcome(status, CallReport::default()) {
            Outcome::Retry(cause, _) | Outcome::Failed(cause, _) => Some(cause),
            Outcome::Sent(_) | Outcome::NotCalled { .. } => None,
        }
    }

    #[test]
    fn the_statuses_that_we_publish_come_back_as_the_causes_they_were() {
        for known in [
            Cause::Busy,
            Cause::CallRejected,
            Cause::CannotTrain,
            Cause::Congested,
            Cause::Disconnected,
            Cause::Incompatible,
            Cause::NoFaxTone,
            Cause::NoAnswer,
            Cause::NoResponseAfterPage,
            Cause::NoRoute,
            Cause::Network,
            Cause::NumberChanged,
            Cause::NumberUnassigned,
        ] {
            assert_eq!(cause(Status::of_cause(known).0.into()), Some(known));
        }
    }

    #[test]
    fn causes_say_the_same_as_the_words_of_the_published_statuses() {
        for status in [
            263, 3931, 3933, 6017, 8025, 3211, 3269, 6100, 3912, 3935, 6019, 8021, 3938, 6027,
            6022, 6029,
        ] {
            let ours = Status::of_cause(cause(i64::from(status)).unwrap());
            assert_eq!(ours.text_en(), Status(status).text_en(), "{status}");
        }
        assert_eq!(cause(0), None);
        assert_eq!(cause(987_654), Some(Cause::Network));
    }
}
