//! `<job>-<attempt>.result.json`: what the program says became of a call.

use serde::Deserialize;

use super::LINE;
use super::description::Description;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Media;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::time::Timestamp;

/// A result. What is not known of it may be left out, but not `status`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Report {
    /// `sent`, `not-called`, or a cause.
    status: String,
    /// Pages that were confirmed in this call.
    #[serde(default)]
    pages: u32,
    /// The far end's identifier (CSI).
    #[serde(default)]
    remote_id: StationId,
    /// Bits a second.
    #[serde(default)]
    rate: u32,
    /// Whether errors were corrected.
    #[serde(default)]
    ecm: bool,
    /// As sound or as packets.
    #[serde(default)]
    media: Option<Media>,
    /// Whether another call could end better; `None` is as usual with this cause.
    #[serde(default)]
    retry: Option<bool>,
    /// One line for operators.
    #[serde(default)]
    detail: String,
}

/// The word of a call that was not made.
const NOT_CALLED: &str = "not-called";

/// The result in `bytes`.
///
/// # Errors
/// Why it is none, in one line.
pub(super) fn read(bytes: &[u8]) -> Result<Report, String> {
    let mut report: Report = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    report.status = report.status.trim().to_lowercase().replace([' ', '_'], "-");
    match report.status.as_str() {
        "sent" | NOT_CALLED => Ok(report),
        word => match cause(word) {
            Some(_) => Ok(report),
            None => Err("its status is no word that is known".to_owned()),
        },
    }
}

impl Report {
    /// The outcome of the call of `description`, read at `now`.
    pub(super) fn outcome(self, description: &Description, now: Timestamp) -> Outcome {
        let detail: String = self.detail.chars().filter(|c| !c.is_control()).collect();
        let detail: String = detail.chars().take(200).collect();
        if self.status == NOT_CALLED {
            return Outcome::NotCalled { why: detail };
        }
        let cause = cause(&self.status);
        let confirmed = description.first_page.saturating_add(self.pages);
        let report = CallReport {
            pages_sent: match cause {
                None => description.pages,
                Some(_) => confirmed.min(description.pages),
            },
            remote_id: self.remote_id,
            started: description.created(),
            ended: now,
            line: LINE.to_owned(),
            media: self.media,
            rate: self.rate,
            ecm: self.ecm,
            detail,
            ..CallReport::default()
        };
        match cause {
            None => Outcome::Sent(report),
            Some(cause) => match self.retry.unwrap_or_else(|| may_go_better(cause)) {
                true => Outcome::Retry(cause, report),
                false => Outcome::Failed(cause, report),
            },
        }
    }
}

/// The cause whose word this is, as in `calls.jsonl`.
fn cause(word: &str) -> Option<Cause> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// Whether another call could end better, if the program does not say.
fn may_go_better(cause: Cause) -> bool {
    match cause {
        Cause::Busy
        | Cause::CannotTrain
        | Cause::Congested
        | Cause::Disconnected
        | Cause::NoFaxTone
        | Cause::NoAnswer
        | Cause::NoResponseAfterPage
        | Cause::Network => true,
        Cause::CallRejected
        | Cause::Incompatible
        | Cause::Interrupted
        | Cause::LocalFault
        | Cause::NoRoute
        | Cause::NumberChanged
        | Cause::NumberUnassigned => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(word: &str) -> Result<Report, String> {
        read(format!(r#"{{"status": "{word}"}}"#).as_bytes())
    }

    #[test]
    fn all_causes_are_words_with_hyphens_or_spaces() {
        for word in [
            "sent",
            "busy",
            "no answer",
            "No-Fax-Tone",
            "number_unassigned",
        ] {
            assert!(status(word).is_ok(), "{word}");
        }
        for word in ["", "ok", "sent!", "failed"] {
            assert!(status(word).is_err(), "{word}");
        }
    }

    #[test]
    fn half_a_result_is_none() {
        let whole = br#"{"status":"sent","pages":2,"remote_id":"+81 3"}"#;
        assert!(read(whole).is_ok());
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }
}
