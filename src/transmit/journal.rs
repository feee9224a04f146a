//! `calls.jsonl`: one line for each call, written and synced when it has ended.

mod backwards;

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use serde::Deserialize;
use serde::Serialize;

use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Media;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::status::Status;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::InboundFax;
use crate::transmit::durable::blocking;

/// A file of calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    most: Option<u64>,
    file: Arc<Mutex<File>>,
}

/// Which call a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The job.
    pub job: i64,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Where to, in canonical form.
    pub number: String,
    /// Our identifier (TSI).
    pub local_id: String,
}

impl Placed {
    /// The words of `call` that a line has.
    pub fn of(call: &Call) -> Self {
        Self {
            job: call.job,
            attempt: call.attempt,
            number: call.number.canonical(),
            local_id: call.local_id.as_str().to_owned(),
        }
    }
}

/// How a call ended, as the word of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ending {
    #[default]
    Sent,
    Retry,
    Failed,
    Received,
    Partial,
    Nothing,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    job: String,
    attempt: u32,
    #[serde(default)]
    transport: String,
    #[serde(default)]
    line: String,
    number: String,
    local_id: String,
    remote_id: String,
    pages: u32,
    #[serde(default)]
    outcome: Ending,
    #[serde(default)]
    cause: Option<Cause>,
    status: i32,
    #[serde(default)]
    media: Option<Media>,
    #[serde(default)]
    rate: u32,
    #[serde(default)]
    ecm: bool,
    #[serde(default)]
    sip: Option<u16>,
    #[serde(default)]
    t30: Option<i32>,
    #[serde(default)]
    detail: String,
    started: String,
    ended: String,
    #[serde(default)]
    started_ms: i64,
    #[serde(default)]
    ended_ms: i64,
}

impl Journal {
    /// Opens or makes the file; a line that a crash cut off is removed.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::opened(path, None)
    }

    /// The same for a file that only the owner reads, and that is put aside as `….1.jsonl` once it has `most` bytes: the one
    /// put aside before is then gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_bounded(path: &Path, most: u64) -> io::Result<Self> {
        Self::opened(path, Some(most))
    }

    fn opened(path: &Path, most: Option<u64>) -> io::Result<Self> {
        let file = open_file(path, most.is_some())?;
        let whole = backwards::whole_lines(&file)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
            file.sync_all()?;
        }
        Ok(Self {
            path: path.to_owned(),
            most,
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Writes how a call over `transport` ended; nothing for one that was not made. It is durable when this returns.
    ///
    /// # Errors
    /// What the system says; then no line was written.
    pub async fn made(&self, call: &Call, transport: &str, outcome: &Outcome) -> io::Result<()> {
        self.ended(&Placed::of(call), transport, outcome).await
    }

    /// The same for a call that is known by a few words only.
    ///
    /// # Errors
    /// What the system says; then no line was written.
    pub async fn ended(
        &self,
        placed: &Placed,
        transport: &str,
        outcome: &Outcome,
    ) -> io::Result<()> {
        let (ending, cause, report) = match outcome {
            Outcome::Sent(report) => (Ending::Sent, None, report),
            Outcome::Retry(cause, report) => (Ending::Retry, Some(*cause), report),
            Outcome::Failed(cause, report) => (Ending::Failed, Some(*cause), report),
            Outcome::NotCalled { .. } => return Ok(()),
        };
        self.append(Entry {
            job: placed.job.to_string(),
            attempt: placed.attempt,
            number: placed.number.clone(),
            local_id: placed.local_id.clone(),
            ..Entry::of(transport, ending, cause, report)
        })
        .await
    }

    /// Writes that a fax came in over `transport`: its own numbers take the place of a job's.
    ///
    /// # Errors
    /// What the system says; then no line was written.
    pub async fn received(
        &self,
        fax: &InboundFax,
        transport: &str,
        report: &CallReport,
    ) -> io::Result<()> {
        let (ending, cause) = match (fax.complete, fax.fax.pages) {
            (true, _) => (Ending::Received, None),
            (false, 0) => (Ending::Nothing, Some(Cause::Disconnected)),
            (false, _) => (Ending::Partial, Some(Cause::Disconnected)),
        };
        let report = CallReport {
            pages_sent: fax.fax.pages,
            remote_id: fax.remote_id.clone(),
            ..report.clone()
        };
        self.append(Entry {
            job: fax.call.clone(),
            number: fax.number.canonical(),
            ..Entry::of(transport, ending, cause, &report)
        })
        .await
    }

    /// How the call of `job` and `attempt` ended, if it stands here or in the file put aside. Read from the end: whoever
    /// asks has lost a call of just now.
    ///
    /// # Errors
    /// What the system says, or that the call's line is none of ours.
    pub async fn find(&self, job: i64, attempt: u32) -> io::Result<Option<Outcome>> {
        let paths = [self.path.clone(), put_aside(&self.path)];
        blocking(move || {
            for path in paths {
                let file = match File::open(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    opened => opened?,
                };
                if let Some(entry) = find_in(&file, job, attempt)? {
                    return Ok(Some(entry.into_outcome()));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn append(&self, entry: Entry) -> io::Result<()> {
        let mut text = serde_json::to_string(&entry).map_err(io::Error::other)?;
        text.push('\n');
        let journal = self.clone();
        blocking(move || journal.append_line(&text)).await
    }

    fn append_line(&self, text: &str) -> io::Result<()> {
        let mut file = self.file.lock().map_err(|_| io::Error::other("journal"))?;
        let mut before = file.metadata()?.len();
        if self.most.is_some_and(|most| before >= most) {
            match self.begin_another() {
                Ok(another) => (*file, before) = (another, 0),
                // A line in a file that is too large is worth more than none.
                Err(error) => tracing::warn!(%error, "the journal of calls grows on"),
            }
        }
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line would swallow the next one, and with it a call that was made.
            file.set_len(before)?;
        }
        written
    }

    fn begin_another(&self) -> io::Result<File> {
        std::fs::rename(&self.path, put_aside(&self.path))?;
        let another = open_file(&self.path, true)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(another)
    }
}

impl Entry {
    fn of(transport: &str, outcome: Ending, cause: Option<Cause>, report: &CallReport) -> Self {
        Self {
            job: String::new(),
            attempt: 1,
            transport: transport.to_owned(),
            line: report.line.clone(),
            number: String::new(),
            local_id: String::new(),
            remote_id: report.remote_id.as_str().to_owned(),
            pages: report.pages_sent,
            outcome,
            cause,
            status: cause.map_or(Status::SENT, Status::of_cause).0,
            media: report.media,
            rate: report.rate,
            ecm: report.ecm,
            sip: report.sip,
            t30: report.t30,
            detail: report.detail.clone(),
            started: report.started.rfc3339(),
            ended: report.ended.rfc3339(),
            started_ms: report.started.as_ms(),
            ended_ms: report.ended.as_ms(),
        }
    }

    fn into_outcome(self) -> Outcome {
        let report = CallReport {
            pages_sent: self.pages,
            remote_id: StationId::from_far_end(self.remote_id.as_bytes()),
            started: Timestamp::from_ms(self.started_ms),
            ended: Timestamp::from_ms(self.ended_ms),
            line: self.line,
            media: self.media,
            rate: self.rate,
            ecm: self.ecm,
            sip: self.sip,
            t30: self.t30,
            detail: self.detail,
        };
        match (self.outcome, self.cause) {
            (Ending::Retry, cause) => Outcome::Retry(cause.unwrap_or(Cause::Network), report),
            (Ending::Failed, cause) => Outcome::Failed(cause.unwrap_or(Cause::Network), report),
            (Ending::Sent | Ending::Received | Ending::Partial | Ending::Nothing, _) => {
                Outcome::Sent(report)
            }
        }
    }
}

fn open_file(path: &Path, private: bool) -> io::Result<File> {
    let mode = if private { 0o600 } else { 0o666 };
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true).mode(mode);
    options.open(path)
}

/// `calls.1.jsonl` beside `calls.jsonl`.
fn put_aside(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

fn find_in(file: &File, job: i64, attempt: u32) -> io::Result<Option<Entry>> {
    let mark = format!("\"job\":\"{job}\"");
    let finder = memchr::memmem::Finder::new(mark.as_bytes());
    backwards::find(file, |line| {
        if finder.find(line).is_none() {
            return Ok(None);
        }
        let entry: Entry = serde_json::from_slice(line).map_err(io::Error::other)?;
        let fits = entry.job == job.to_string() && entry.attempt == attempt;
        Ok(fits.then_some(entry))
    })
}

#[cfg(test)]
mod tests;
