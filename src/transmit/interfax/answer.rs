//! What the service says of faxes: records as JSON, of which nothing is believed that has no meaning here.

use serde::Deserialize;
use serde_json::Value;

use crate::fax::StationId;

/// A fax as the service knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Its number there.
    pub(super) id: u64,
    /// Our reference, if the record has one.
    pub(super) reference: Option<String>,
    /// Negative in progress, 0 sent, positive failed.
    pub(super) status: i64,
    /// Pages that the far end confirmed.
    pub(super) pages: u32,
    /// The far end's identifier.
    pub(super) remote_id: StationId,
}

/// The keys that matter; numbers come as numbers or as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: Value,
    status: Value,
    // `reference` at sending comes back as `subject`.
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    pages_sent: Value,
    #[serde(default, rename = "remoteCSID")]
    remote_csid: Value,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: Value,
}

/// Most of what a service says goes into a line for the operator.
const MOST_CHARS: usize = 160;

impl Wire {
    fn into_record(self) -> Option<Record> {
        let remote_id = self.remote_csid.as_str().unwrap_or_default();
        Some(Record {
            id: u64::try_from(whole(&self.id)?).ok()?,
            reference: self.subject,
            status: whole(&self.status)?,
            pages: whole(&self.pages_sent)
                .and_then(|pages| u32::try_from(pages).ok())
                .unwrap_or(0),
            remote_id: StationId::from_far_end(remote_id.as_bytes()),
        })
    }
}

/// The record in `body`.
pub(super) fn record(body: &[u8]) -> Option<Record> {
    let wire: Wire = serde_json::from_slice(body).ok()?;
    wire.into_record()
}

/// The records in `body`; `None` if it is no list of records.
pub(super) fn records(body: &[u8]) -> Option<Vec<Record>> {
    let wires: Vec<Wire> = serde_json::from_slice(body).ok()?;
    wires.into_iter().map(Wire::into_record).collect()
}

/// The number of a fax at the end of a `Location`. Only the number is used: requests go to the configured address.
pub(super) fn id(location: &str) -> Option<u64> {
    let path = location.split(['?', '#']).next()?;
    path.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}

/// The service's own code of an error, and what it says, in one line.
pub(super) fn error(body: &[u8]) -> (Option<i64>, String) {
    let Ok(error) = serde_json::from_slice::<WireError>(body) else {
        return (None, String::new());
    };
    let said = error.message.as_str().unwrap_or_default();
    let said = said.chars().filter(|c| !c.is_control()).take(MOST_CHARS);
    (whole(&error.code), said.collect())
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_the_service_writes_it() {
        let text = r#"{"submitTime":"2015-06-25T15:36:23","contact":"","destinationFax":"0081312345678","subject":"7-1",
            "pagesSubmitted":2,"pagesSent":1,"completionTime":"2015-06-25T15:37:27","remoteCSID":"+81 3 1234",
            "duration":58,"units":1.00,"costPerUnit":0.1500,"id":279415116,"uri":"https://rest.example/outbound/faxes/279415116","status":-3}"#;
        let expected = Record {
            id: 279_415_116,
            reference: Some("7-1".to_owned()),
            status: -3,
            pages: 1,
            remote_id: StationId::parse("+81 3 1234").unwrap(),
        };
        assert_eq!(record(text.as_bytes()), Some(expected.clone()));
        let list = format!("[{text}]");
        assert_eq!(records(list.as_bytes()), Some(vec![expected]));
        assert_eq!(records(b"[]"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_record_is_none() {
        for odd in [
            "",
            "null",
            "{}",
            "[{}]",
            "<fax/>",
            "{\"id\":1}",
            "{\"id\":-1,\"status\":0}",
            "{\"id\":1,\"status\":1.5}",
            "{\"id\":1,\"status\":0",
            "{\"id\":1,\"status\":null}",
        ] {
            assert_eq!(record(odd.as_bytes()), None, "{odd}");
        }
        let odd_keys =
            br#"{"id":"12","status":"0","pagesSent":-4,"remoteCSID":null,"subject":null}"#;
        let record = record(odd_keys).unwrap();
        assert_eq!((record.id, record.status, record.pages), (12, 0, 0));
        assert_eq!(records(b"{\"id\":1,\"status\":0}"), None);
    }

    #[test]
    fn a_location_names_a_fax_by_its_last_part() {
        for (location, expected) in [
            (
                "https://rest.interfax.net/outbound/faxes/854759652",
                Some(854_759_652),
            ),
            ("/outbound/faxes/5/", Some(5)),
            ("/outbound/faxes/5?x=1", Some(5)),
            ("https://elsewhere.example/", None),
            ("/outbound/faxes/99999999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(id(location), expected, "{location}");
        }
    }

    #[test]
    fn an_error_says_its_code_and_one_line() {
        let body = br#"{"code":-112,"message":"No valid\r\nrecipient","moreInfo":""}"#;
        assert_eq!(error(body), (Some(-112), "No validrecipient".to_owned()));
        assert_eq!(error(b"<html>"), (None, String::new()));
    }
}
