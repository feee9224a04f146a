//! The loopback transport: calls end in a folder. The embedded default, and what demonstrations use.
//!
//! A call is made when its line stands in `calls.jsonl`: the line is written and synced last, so that a
//! crash leaves either a call with a known end or no call at all.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::config::Loopback;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::FaxTransport;
use crate::transmit::Inbound;
use crate::transmit::InboundFax;
use crate::transmit::Later;
use crate::transmit::Resolution;

/// Dialling, answering and training on a real line: T.30 phases A and B.
const SETUP: Duration = Duration::from_secs(15);
/// A page of ordinary text at 14,400 bit/s, with its confirmation.
const PAGE: Duration = Duration::from_secs(30);

/// One line of `calls.jsonl`.
#[derive(Serialize, Deserialize)]
struct JournalLine {
    job: String,
    attempt: u32,
    number: String,
    local_id: String,
    remote_id: String,
    pages: u32,
    status: i32,
    started: String,
    ended: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    started_ms: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    ended_ms: i64,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Calls into a folder.
pub struct LoopbackTransport {
    directory: PathBuf,
    speed: u32,
    inbound: Arc<dyn Inbound>,
    clock: Arc<dyn Clock>,
    journal: Arc<Mutex<File>>,
}

impl LoopbackTransport {
    /// Opens the folder and its journal; a line that a crash cut off is removed.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(
        config: &Loopback,
        inbound: Arc<dyn Inbound>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        std::fs::create_dir_all(&config.directory)?;
        let path = config.directory.join("calls.jsonl");
        let journal = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)?;
        drop_torn_line(&path, &journal)?;
        Ok(Self {
            directory: config.directory.clone(),
            speed: config.speed.max(1),
            inbound,
            clock,
            journal: Arc::new(Mutex::new(journal)),
        })
    }

    async fn call(&self, call: &Call) -> Outcome {
        let started = self.clock.now();
        let line_time = SETUP + PAGE * call.fax.pages;
        self.clock
            .wait_until(started.plus(line_time / self.speed))
            .await;
        let network = |report| Outcome::Retry(Cause::Network, report);
        let mut report = CallReport {
            started,
            ..CallReport::default()
        };
        if let Err(error) = self.write_pages(call).await {
            tracing::error!(%error, job = call.job, "loopback could not write the pages");
            return network(report);
        }
        report.remote_id =
            StationId::parse(&format!("+{}", call.number.digits())).unwrap_or_default();
        if self.inbound.serves(&call.number) && !self.inbound.arrive(inbound_fax(call)).await {
            return network(report);
        }
        report.pages_sent = call.fax.pages;
        report.ended = self.clock.now();
        match self.journal(call, &report).await {
            Ok(()) => Outcome::Sent(report),
            Err(error) => {
                tracing::error!(%error, job = call.job, "loopback could not write its journal");
                network(report)
            }
        }
    }

    async fn write_pages(&self, call: &Call) -> std::io::Result<()> {
        let path = self.directory.join(format!("{}.tiff", call.job));
        let tiff = call.fax.tiff.clone();
        blocking(move || {
            let temporary = path.with_extension("tmp");
            let mut file = File::create(&temporary)?;
            file.write_all(&tiff)?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)
        })
        .await
    }

    async fn journal(&self, call: &Call, report: &CallReport) -> std::io::Result<()> {
        let line = JournalLine {
            job: call.job.to_string(),
            attempt: call.attempt,
            number: call.number.canonical(),
            local_id: call.local_id.as_str().to_owned(),
            remote_id: report.remote_id.as_str().to_owned(),
            pages: report.pages_sent,
            status: 0,
            started: report.started.rfc3339(),
            ended: report.ended.rfc3339(),
            started_ms: report.started.as_ms(),
            ended_ms: report.ended.as_ms(),
        };
        let mut text = serde_json::to_string(&line).map_err(std::io::Error::other)?;
        text.push('\n');
        let journal = Arc::clone(&self.journal);
        blocking(move || {
            let mut file = journal
                .lock()
                .map_err(|_| std::io::Error::other("journal"))?;
            let before = file.metadata()?.len();
            let written = file
                .write_all(text.as_bytes())
                .and_then(|()| file.sync_data());
            if written.is_err() {
                // Half a line would swallow the next one, and with it a call that was made.
                file.set_len(before)?;
            }
            written
        })
        .await
    }

    async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        let path = self.directory.join("calls.jsonl");
        let found = blocking(move || find_line(&path, &job.to_string(), attempt)).await;
        match found {
            Ok(Some(line)) => Resolution::Ended(Outcome::Sent(CallReport {
                pages_sent: line.pages,
                remote_id: StationId::from_far_end(line.remote_id.as_bytes()),
                started: Timestamp::from_ms(line.started_ms),
                ended: Timestamp::from_ms(line.ended_ms),
            })),
            Ok(None) => Resolution::NeverDialled,
            Err(error) => {
                tracing::error!(%error, job, "loopback could not read its journal");
                Resolution::Unknown
            }
        }
    }
}

impl FaxTransport for LoopbackTransport {
    fn send<'a>(&'a self, call: &'a Call) -> Later<'a, Outcome> {
        Box::pin(self.call(call))
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.look_up(job, attempt))
    }
}

fn inbound_fax(call: &Call) -> InboundFax {
    InboundFax {
        call: format!("loopback:{}:{}", call.job, call.attempt),
        number: call.number.clone(),
        remote_id: call.local_id.clone(),
        fax: call.fax.clone(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(std::io::Error::other)?
}

fn find_line(path: &Path, job: &str, attempt: u32) -> std::io::Result<Option<JournalLine>> {
    for line in BufReader::new(File::open(path)?).lines() {
        let line: JournalLine = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
        if line.job == job && line.attempt == attempt {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

fn drop_torn_line(path: &Path, journal: &File) -> std::io::Result<()> {
    let bytes = std::fs::read(path)?;
    let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
    if whole < bytes.len() {
        journal.set_len(u64::try_from(whole).map_err(std::io::Error::other)?)?;
        journal.sync_all()?;
    }
    Ok(())
}
