//! `<job>-<attempt>.progress.jsonl`: how far a call is, a line for each event, if the program writes it.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;

use super::LINE;
use super::description::Description;
use crate::fax::CallProgress;
use crate::transmit::durable;

/// What is read in one go.
const MOST: u64 = 64 * 1024;

/// How much of the file is known.
#[derive(Debug, Default)]
pub(super) struct Progress {
    read: u64,
}

impl Progress {
    /// The events in whole lines that are new; lines that are none are passed over.
    pub(super) async fn news(
        &mut self,
        path: &Path,
        description: &Description,
    ) -> Vec<CallProgress> {
        let (path, from) = (path.to_owned(), self.read);
        let read = durable::blocking(move || read_from(&path, from));
        let Ok(bytes) = read.await else {
            return Vec::new();
        };
        let full = u64::try_from(bytes.len()) == Ok(MOST);
        let whole = match memchr::memrchr(b'\n', &bytes) {
            Some(end) => end + 1,
            // A line that never ends is passed over.
            None if full => bytes.len(),
            None => 0,
        };
        self.read += u64::try_from(whole).unwrap_or(MOST);
        let lines = bytes
            .get(..whole)
            .unwrap_or_default()
            .split(|b| *b == b'\n');
        let events = lines.filter_map(|line| serde_json::from_slice(line).ok());
        events.map(|event| in_bounds(event, description)).collect()
    }
}

/// Pages beyond the last one are not confirmed, whatever a program says; and the line has one name, which operators count by.
fn in_bounds(event: CallProgress, description: &Description) -> CallProgress {
    match event {
        CallProgress::Page { confirmed, .. } => CallProgress::Page {
            confirmed: confirmed.min(description.pages),
            of: description.pages,
        },
        CallProgress::Dialling { .. } => CallProgress::Dialling {
            line: LINE.to_owned(),
        },
        CallProgress::Ringing
        | CallProgress::Answered
        | CallProgress::Carried { .. }
        | CallProgress::Identified { .. }
        | CallProgress::Training { .. }
        | CallProgress::LastPageSent
        | CallProgress::Released => event,
    }
}

fn read_from(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fax::FaxFile;
    use crate::fax::FaxNumber;
    use crate::fax::Modem;
    use crate::fax::StationId;
    use crate::time::Timestamp;
    use crate::transmit::Call;

    #[test]
    fn a_program_names_neither_lines_of_its_own_nor_pages_that_there_are_not() {
        let call = Call {
            job: 7,
            attempt: 1,
            number: FaxNumber::from_canonical("0081312345678").unwrap(),
            calling_number: None,
            local_id: StationId::default(),
            sub_address: None,
            fax: FaxFile {
                tiff: Vec::new(),
                pages: 3,
            },
            first_page: 0,
            ecm: true,
            fastest: Modem::V17,
            ring_timeout: Duration::from_secs(60),
        };
        let at = Timestamp::from_ms(1);
        let description = Description::of(&call, at, at);
        let line = "\u{1b}[31m".repeat(1_000);
        let told = in_bounds(CallProgress::Dialling { line }, &description);
        let line = "spool".to_owned();
        assert_eq!(told, CallProgress::Dialling { line });
        let page = |confirmed, of| CallProgress::Page { confirmed, of };
        assert_eq!(in_bounds(page(9, 1), &description), page(3, 3));
    }
}
