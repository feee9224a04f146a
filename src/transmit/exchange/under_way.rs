//! Which calls are under way, and over what: a small file for each, there from before it is made until its end stands in
//! the journal. After a crash it says whom to ask, and that a call without one was never made.

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
use crate::transmit::journal::Placed;

/// A call that may be going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Which call.
    #[serde(flatten)]
    pub(super) placed: Placed,
    /// The kind of transport, as the word of the configuration.
    pub(super) transport: String,
    /// When it was handed over, in milliseconds since 1970.
    pub(super) started_ms: i64,
}

/// What the file of a call says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// There is none.
    Nothing,
    /// There is one, and nobody can read it.
    Unreadable,
    /// This.
    Begun(Begun),
}

/// The folder of these files. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct UnderWay(PathBuf);

impl UnderWay {
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

    /// Notes a call before it is made; with `synced`, not even a power failure forgets it.
    ///
    /// # Errors
    /// What the system says; then the call must not be made.
    pub(super) async fn begin(&self, begun: &Begun, synced: bool) -> io::Result<()> {
        let path = self.path(begun.placed.job, begun.placed.attempt);
        let text = serde_json::to_vec(begun).map_err(io::Error::other)?;
        let written = blocking(move || write(&path, &text, synced)).await;
        if written.is_err() {
            // Whatever half of it is there.
            self.end(begun.placed.job, begun.placed.attempt).await;
        }
        written
    }

    /// What is noted of a call.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn noted(&self, job: i64, attempt: u32) -> io::Result<Noted> {
        let path = self.path(job, attempt);
        blocking(move || match std::fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text).map_or(Noted::Unreadable, Noted::Begun)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Noted::Nothing),
            Err(error) => Err(error),
        })
        .await
    }

    /// The call's end stands elsewhere.
    pub(super) async fn end(&self, job: i64, attempt: u32) {
        let path = self.path(job, attempt);
        let removed = blocking(move || remove(&path));
        if let Err(error) = removed.await {
            // What it leaves is asked for only by a job and an attempt that are over.
            tracing::warn!(%error, job, "the note of a call could not be removed");
        }
    }

    fn path(&self, job: i64, attempt: u32) -> PathBuf {
        self.0.join(format!("{job}-{attempt}.json"))
    }
}

fn write(path: &Path, text: &[u8], synced: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    if synced {
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(())
}
