//! `<job>-<attempt>.progress.jsonl`: how far a call is, a line for each event, if the program writes it.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;

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

/// Pages beyond the last one are not confirmed, whatever a program says.
fn in_bounds(event: CallProgress, description: &Description) -> CallProgress {
    if let CallProgress::Page { confirmed, .. } = event {
        return CallProgress::Page {
            confirmed: confirmed.min(description.pages),
            of: description.pages,
        };
    }
    event
}

fn read_from(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
