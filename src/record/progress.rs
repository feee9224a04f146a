//! Events of a call that goes on: its phases after T.30, as the transport tells them.

use serde_json::json;

use super::Log;
use super::Subject;
use crate::fax::CallProgress;
use crate::storage::StorageError;

impl Log<'_> {
    /// A call went on.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn progressed(
        &mut self,
        about: Subject<'_>,
        progress: &CallProgress,
    ) -> Result<(), StorageError> {
        let (kind, detail) = match progress {
            CallProgress::Dialling { line } => ("line", json!({ "line": line })),
            CallProgress::Ringing => ("ringing", json!({})),
            CallProgress::Answered => ("answered", json!({})),
            CallProgress::Carried { media } => ("carried", json!({ "media": media.as_str() })),
            CallProgress::Identified { remote_id } => {
                let shown = shortened(remote_id.as_str());
                ("identified", json!({ "remote_id": shown }))
            }
            CallProgress::Training { rate, ecm } => {
                ("training", json!({ "rate": rate, "ecm": ecm }))
            }
            CallProgress::Page { confirmed, of } => {
                ("page", json!({ "page": confirmed, "of": of }))
            }
            CallProgress::LastPageSent => ("last-page-sent", json!({})),
            CallProgress::Released => ("released", json!({})),
        };
        self.write(kind, about, detail)
    }

    /// No line was in service for a job: the call that was about to be made does not count.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn not_called(
        &mut self,
        about: Subject<'_>,
        attempt: u32,
        why: &str,
    ) -> Result<(), StorageError> {
        self.write(
            "not-called",
            about,
            json!({ "attempt": attempt, "reason": why }),
        )
    }
}

/// The identifier of a far end is most often its number: then its middle digits are hidden.
fn shortened(id: &str) -> String {
    let digits: Vec<char> = id.chars().filter(char::is_ascii_digit).collect();
    match digits.as_slice() {
        [head @ .., x, y] if head.len() > 4 => {
            format!("{}…{x}{y}", head.iter().take(4).collect::<String>())
        }
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::fax::CallProgress;
    use crate::fax::Media;
    use crate::fax::StationId;
    use crate::record::Log;
    use crate::record::Subject;
    use crate::storage::events;
    use crate::storage::events::About;
    use crate::storage::tests::scratch;
    use crate::time::Timestamp;

    #[tokio::test]
    async fn the_phases_of_a_call_are_events_of_its_job() {
        let (_dir, store) = scratch();
        let phases = [
            CallProgress::Answered,
            CallProgress::Carried { media: Media::T38 },
            CallProgress::Identified {
                remote_id: StationId::from_far_end(b"+81 3 1234 5678"),
            },
            CallProgress::Training {
                rate: 14_400,
                ecm: true,
            },
            CallProgress::Page {
                confirmed: 1,
                of: 2,
            },
            CallProgress::LastPageSent,
        ];
        let writer = store.clone();
        let written = store.write(move |tx| {
            let mut log = Log::new(tx, writer.ids(), Timestamp::from_ms(1_000));
            let about = Subject::job("tanaka", 1, 2);
            phases
                .iter()
                .try_for_each(|phase| log.progressed(about, phase))
        });
        written.await.unwrap();
        let about = About::Job { job: 2, batch: 1 };
        let rows = store
            .read_here(|tx| events::list(tx, "tanaka", about))
            .unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.kind.as_str(), row.detail.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("answered", "{}"),
                ("carried", r#"{"media":"t38"}"#),
                ("identified", r#"{"remote_id":"8131…78"}"#),
                ("training", r#"{"ecm":true,"rate":14400}"#),
                ("page", r#"{"of":2,"page":1}"#),
                ("last-page-sent", "{}"),
            ]
        );
    }
}
