//! The phases of a call as the event log has them, for the timeline.

use serde_json::Value as Json;

use crate::storage::events::EventRow;
use crate::time::Timestamp;

/// Something that happened in a call.
pub(super) struct Phase {
    /// When.
    pub(super) at: Timestamp,
    /// What, as the audience reads it.
    pub(super) what: String,
}

impl Phase {
    /// What `event` says of a call; `None` if it is about something else, or not worth a line.
    pub(super) fn of(event: &EventRow) -> Option<Self> {
        let detail: Json = serde_json::from_str(&event.detail).ok()?;
        let text = |key: &str| detail.get(key)?.as_str();
        let number = |key: &str| detail.get(key)?.as_u64();
        let what = match event.kind.as_str() {
            "answered" => "is answered".to_owned(),
            "carried" if text("media") == Some("t38") => {
                "carries the fax as packets (T.38)".to_owned()
            }
            "carried" => "carries the fax as sound (G.711)".to_owned(),
            "identified" => format!(
                "reaches a fax machine that calls itself {}",
                text("remote_id")?
            ),
            "training" => {
                let ecm = match detail.get("ecm")?.as_bool()? {
                    true => "with error correction (ECM)",
                    false => "without error correction",
                };
                format!("trains at {} bit/s {ecm}", number("rate")?)
            }
            "page" => format!("page {} of {} is confirmed", number("page")?, number("of")?),
            "released" => "is released".to_owned(),
            _ => return None,
        };
        Some(Self { at: event.at, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, detail: &str) -> Option<String> {
        let event = EventRow {
            kind: kind.to_owned(),
            detail: detail.to_owned(),
            ..EventRow::default()
        };
        Phase::of(&event).map(|phase| phase.what)
    }

    #[test]
    fn the_phases_of_a_call_are_told_in_words() {
        let training = told("training", r#"{"rate":14400,"ecm":true}"#).unwrap();
        assert_eq!(
            training,
            "trains at 14400 bit/s with error correction (ECM)"
        );
        let page = told("page", r#"{"page":2,"of":3}"#).unwrap();
        assert_eq!(page, "page 2 of 3 is confirmed");
        assert!(
            told("carried", r#"{"media":"g711"}"#)
                .unwrap()
                .contains("sound")
        );
        assert_eq!(told("notified", "{}"), None);
        assert_eq!(told("page", "no json"), None);
    }
}
