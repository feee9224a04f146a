//! The parent's side: documents go to a confined worker, pages come back.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use super::BadDocument;
use super::RenderError;
use super::Trouble;
use super::worker::SUBCOMMAND;
use super::worker::frame;
use super::worker::frame::Budget;
use super::worker::frame::Described;
use super::worker::frame::Reply;
use super::worker::frame::Request;
use crate::config;
use crate::confine::Confinement;
use crate::fax::Document;
use crate::fax::FaxFile;
use crate::fax::PageOptions;

/// Time beyond the processor time that a worker has on the clock on the wall: other work goes on, too.
const MARGIN: Duration = Duration::from_secs(30);
/// What a program that panicked exits with.
const PANICKED: i32 = 101;

/// Turns documents into pages, as many faxes at a time as there are processor cores. Cheap to clone.
#[derive(Clone)]
pub struct Renderer {
    shared: Arc<Shared>,
}

struct Shared {
    exe: PathBuf,
    config: config::Render,
    slots: Semaphore,
}

impl Renderer {
    /// A renderer whose workers are `exe render-worker`; `exe` is this very program.
    pub fn new(exe: PathBuf, config: &config::Render) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            shared: Arc::new(Shared {
                exe,
                config: config.clone(),
                slots: Semaphore::new(cores),
            }),
        }
    }

    /// The pages of `documents`, in their order, without a header line.
    ///
    /// # Errors
    /// [`RenderError::Document`] names the document at fault; [`RenderError::Worker`] is temporary.
    pub async fn pages(
        &self,
        documents: &[Document],
        options: &PageOptions,
    ) -> Result<FaxFile, RenderError> {
        if documents.is_empty() {
            return Err(RenderError::document(None, BadDocument::NoPages));
        }
        let shared = &self.shared;
        let slot = shared.slots.acquire().await;
        let _slot = slot.map_err(|_| RenderError::Worker(Trouble::Start))?;
        let deadline = shared.config.max_cpu + MARGIN;
        // Leaving early drops the worker, and dropping kills it.
        match timeout(deadline, shared.convert(documents, options)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RenderError::Worker(Trouble::Deadline)),
        }
    }

    /// Starts a worker without work: whether converting is possible here, for readiness.
    ///
    /// # Errors
    /// [`Trouble::Start`], or [`Trouble::Unconfined`] where that is not allowed.
    pub async fn probe(&self) -> Result<(), RenderError> {
        match timeout(MARGIN, Worker::start(&self.shared)).await {
            Ok(started) => started.map(|_| ()).map_err(RenderError::Worker),
            Err(_) => Err(RenderError::Worker(Trouble::Deadline)),
        }
    }
}

impl Shared {
    async fn convert(
        &self,
        documents: &[Document],
        options: &PageOptions,
    ) -> Result<FaxFile, RenderError> {
        let mut worker = Worker::start(self).await.map_err(RenderError::Worker)?;
        let request = self.request(documents, options);
        match worker.converse(&request, documents).await {
            Ok(Ok(file)) => Ok(file),
            Ok(Err((at, reason))) => Err(blame(documents, at, reason)),
            // It ended before it answered: what it died of says whose fault it was.
            Err(_) => Err(match worker.cause_of_death().await {
                Ok(reason) => blame(documents, worker.began, reason),
                Err(trouble) => RenderError::Worker(trouble),
            }),
        }
    }

    fn request(&self, documents: &[Document], options: &PageOptions) -> Request {
        let documents = documents.iter().map(|document| Described {
            kind: document.kind.as_str().to_owned(),
            media_type: document.media_type.clone(),
        });
        Request {
            resolution: options.resolution.as_str().to_owned(),
            points: options.font_size.unwrap_or(self.config.font_size),
            max_pages: self.config.max_pages,
            max_pixels: self.config.max_pixels,
            documents: documents.collect(),
        }
    }
}

fn blame(documents: &[Document], at: usize, reason: BadDocument) -> RenderError {
    let name = documents.get(at).and_then(|found| found.name.as_deref());
    RenderError::document(name, reason)
}

/// One child process. Dropping it kills it.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// The document that it converts.
    began: usize,
}

impl Worker {
    /// Starts a worker and lets it shut itself in.
    async fn start(shared: &Shared) -> Result<Self, Trouble> {
        let mut worker = Self::spawn(shared).map_err(|error| {
            warn!(%error, "render worker did not start");
            Trouble::Start
        })?;
        let budget = Budget {
            memory: shared.config.max_memory,
            cpu_seconds: shared.config.max_cpu.as_secs(),
        };
        let confinement = worker.introduce(&budget).await.map_err(|error| {
            warn!(%error, "render worker did not report its confinement");
            Trouble::Start
        })?;
        if !confinement.missing.is_empty() {
            warn!(missing = ?confinement.missing, "render worker is not fully confined");
            if !shared.config.allow_unsandboxed {
                return Err(Trouble::Unconfined);
            }
        }
        Ok(worker)
    }

    fn spawn(shared: &Shared) -> io::Result<Self> {
        let mut child = Command::new(&shared.exe)
            .arg(SUBCOMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        match (input, output) {
            (Some(input), Some(output)) => Ok(Self {
                child,
                input,
                output,
                began: 0,
            }),
            (_, _) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    async fn introduce(&mut self, budget: &Budget) -> io::Result<Confinement> {
        self.send_json(budget).await?;
        self.receive_json().await
    }

    /// Hands the documents over and listens until there are pages or a refusal.
    async fn converse(
        &mut self,
        request: &Request,
        documents: &[Document],
    ) -> io::Result<Result<FaxFile, (usize, BadDocument)>> {
        self.send_json(request).await?;
        for document in documents {
            self.send(&document.bytes).await?;
        }
        loop {
            match self.receive_json().await? {
                Reply::Began { document } => self.began = document,
                Reply::Refused { document, reason } => return Ok(Err((document, reason))),
                Reply::Done { pages } => {
                    let tiff = self.receive().await?;
                    return match is_sound(&tiff, pages, request.max_pages) {
                        true => Ok(Ok(FaxFile { tiff, pages })),
                        false => Err(io::ErrorKind::InvalidData.into()),
                    };
                }
            }
        }
    }

    async fn cause_of_death(&mut self) -> Result<BadDocument, Trouble> {
        // It closed its pipes; what still runs then is beyond its protocol and gets no more time.
        match timeout(Duration::from_secs(5), self.child.wait()).await {
            Ok(Ok(status)) => verdict(status),
            Ok(Err(_)) | Err(_) => Err(Trouble::Lost),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.input.write_all(&frame::head(bytes)?).await?;
        self.input.write_all(bytes).await?;
        self.input.flush().await
    }

    async fn send_json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.send(&serde_json::to_vec(value)?).await
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.output.read_exact(&mut head).await?;
        let length = frame::length(head)?;
        let mut bytes = Vec::new();
        let mut limited = (&mut self.output).take(length);
        limited.read_to_end(&mut bytes).await?;
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn receive_json<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        Ok(serde_json::from_slice(&self.receive().await?)?)
    }
}

/// Whether a file has as many pages as the worker says. A decoder may have been taken over by what it
/// read; its confinement holds it, and this keeps what it says from being believed.
fn is_sound(tiff: &[u8], pages: u32, max_pages: u32) -> bool {
    (1..=max_pages).contains(&pages) && faxpage::page_count(tiff) == Ok(pages)
}

/// What a worker that ended without an answer says about the document it was converting.
///
/// Out of memory, out of stack: SIGABRT or SIGSEGV; out of processor time: SIGXCPU. SIGKILL comes from
/// somebody else.
fn verdict(status: ExitStatus) -> Result<BadDocument, Trouble> {
    let exhausted = [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::XCPU];
    match (status.code(), status.signal()) {
        (Some(PANICKED), _) => Ok(BadDocument::NotReadable),
        (_, Some(signal)) if exhausted.iter().any(|known| known.as_raw() == signal) => {
            Ok(BadDocument::TooLarge)
        }
        (_, _) => Err(Trouble::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_other_pages_than_the_worker_says_is_not_believed() {
        let page = faxpage::Page {
            bitmap: faxpage::Bitmap::new(1728, 10),
            x_dpi: 204,
            y_dpi: 196,
        };
        let tiff = faxpage::write_tiff(&[page.clone(), page]);
        assert!(is_sound(&tiff, 2, 2));
        assert!(!is_sound(&tiff, 1, 2) && !is_sound(&tiff, 2, 1) && !is_sound(b"II*", 1, 2));
    }

    #[test]
    fn what_a_worker_died_of_says_whose_fault_it_was() {
        let signal = |signal: Signal| verdict(ExitStatus::from_raw(signal.as_raw()));
        assert_eq!(signal(Signal::XCPU), Ok(BadDocument::TooLarge));
        assert_eq!(signal(Signal::ABORT), Ok(BadDocument::TooLarge));
        assert_eq!(signal(Signal::KILL), Err(Trouble::Lost));
        let exit = |code: i32| verdict(ExitStatus::from_raw(code << 8));
        assert_eq!(exit(PANICKED), Ok(BadDocument::NotReadable));
        assert_eq!(exit(0), Err(Trouble::Lost));
        assert_eq!(exit(1), Err(Trouble::Lost));
    }
}
