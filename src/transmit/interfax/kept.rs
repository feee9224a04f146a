//! What is kept of a fax from before it is handed over until its end stands in the journal.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::transmit::durable::blocking;
use crate::transmit::durable::remove;

/// What is kept of a fax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The job.
    pub(super) job: i64,
    /// Which attempt.
    pub(super) attempt: u32,
    /// Pages that were confirmed in earlier calls.
    pub(super) first_page: u32,
    /// Pages of the whole fax.
    pub(super) pages: u32,
    /// When it was handed over, in milliseconds since 1970.
    pub(super) started_ms: i64,
    /// Its number there, once that is known.
    pub(super) id: Option<u64>,
}

impl Kept {
    /// Our name of it, by which it is found there.
    pub(super) fn reference(&self) -> String {
        format!("{}-{}", self.job, self.attempt)
    }
}

/// The folder of what is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    /// Opens or makes the folder, for the owner only.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// Keeps it; durable when this returns.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn keep(&self, kept: &Kept) -> io::Result<()> {
        let path = self.path(kept.job, kept.attempt);
        let text = serde_json::to_vec(kept).map_err(io::Error::other)?;
        blocking(move || replace(&path, &text)).await
    }

    /// What is kept of a call.
    ///
    /// # Errors
    /// What the system says, or that it is no such file.
    pub(super) async fn kept(&self, job: i64, attempt: u32) -> io::Result<Option<Kept>> {
        let path = self.path(job, attempt);
        blocking(move || match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Nothing is kept any more.
    pub(super) async fn forget(&self, job: i64, attempt: u32) {
        let path = self.path(job, attempt);
        let removed = blocking(move || remove(&path));
        if let Err(error) = removed.await {
            tracing::warn!(%error, job, "what was kept of a fax could not be removed");
        }
    }

    fn path(&self, job: i64, attempt: u32) -> PathBuf {
        self.0.join(format!("{job}-{attempt}.json"))
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
