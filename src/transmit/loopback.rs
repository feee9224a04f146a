//! The loopback transport: calls end in a folder. The embedded default, and what demonstrations use.
//!
//! A call is made when its line stands in `calls.jsonl`: the line is written and synced last, so that a
//! crash leaves either a call with a known end or no call at all.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Loopback;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::time::Clock;
use crate::transmit::Call;
use crate::transmit::FaxTransport;
use crate::transmit::Inbound;
use crate::transmit::InboundFax;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;
use crate::transmit::journal::Journal;

/// Dialling, answering and training on a real line: T.30 phases A and B.
const SETUP: Duration = Duration::from_secs(15);
/// A page of ordinary text at 14,400 bit/s, with its confirmation.
const PAGE: Duration = Duration::from_secs(30);

/// Calls into a folder.
pub struct LoopbackTransport {
    directory: PathBuf,
    speed: u32,
    inbound: Arc<dyn Inbound>,
    clock: Arc<dyn Clock>,
    journal: Journal,
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
        Ok(Self {
            directory: config.directory.clone(),
            speed: config.speed.max(1),
            inbound,
            clock,
            journal: Journal::open(&config.directory.join("calls.jsonl"))?,
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
        let sent = Outcome::Sent(report.clone());
        match self.journal.made(call, "loopback", &sent).await {
            Ok(()) => sent,
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

    async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        match self.journal.find(job, attempt).await {
            Ok(Some(outcome)) => Resolution::Ended(outcome),
            Ok(None) => Resolution::NeverDialled,
            Err(error) => {
                tracing::error!(%error, job, "loopback could not read its journal");
                Resolution::Unknown
            }
        }
    }
}

impl FaxTransport for LoopbackTransport {
    fn send<'a>(
        &'a self,
        call: &'a Call,
        _line: Line,
        _watch: &'a dyn Watch,
    ) -> Later<'a, Outcome> {
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
        complete: true,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(std::io::Error::other)?
}
