//! What must be known after a crash of a job that was handed to HylaFAX: a small file in the folder of the call, written
//! before the job is submitted. Without it, it never was.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use super::session::JobId;
use crate::transmit::durable;

/// A job that is, or soon will be, in HylaFAX's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Its number there.
    pub(super) id: JobId,
    /// Pages that earlier calls confirmed.
    pub(super) first_page: u32,
    /// Pages in all, those included.
    pub(super) pages: u32,
    /// When it was handed over, in milliseconds since 1970.
    pub(super) started_ms: i64,
    /// From when on it is ended there, in milliseconds since 1970.
    pub(super) give_up_ms: i64,
}

/// The folder of all calls.
#[derive(Clone, Debug)]
pub(super) struct Notes(pub(super) PathBuf);

impl Notes {
    /// Writes it down; durable when this returns.
    pub(super) async fn write(&self, job: i64, attempt: u32, note: &Note) -> io::Result<()> {
        let path = self.path(job, attempt);
        let text = serde_json::to_vec(note).map_err(io::Error::other)?;
        durable::blocking(move || {
            let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
            std::fs::create_dir_all(folder)?;
            // The folder's own name, and that of the folder of all calls, may be new as well.
            durable::sync_folder_of(folder)?;
            folder.parent().map_or(Ok(()), durable::sync_folder_of)?;
            durable::replace(&path, &text)
        })
        .await
    }

    /// What is known of a call; `None` if it was not handed over.
    pub(super) async fn read(&self, job: i64, attempt: u32) -> io::Result<Option<Note>> {
        let path = self.path(job, attempt);
        durable::blocking(move || match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Forgets a call.
    pub(super) async fn remove(&self, job: i64, attempt: u32) -> io::Result<()> {
        let path = self.path(job, attempt);
        durable::blocking(move || {
            durable::remove(&path)?;
            // Others may keep something there as well.
            let _ = path.parent().map(std::fs::remove_dir);
            durable::sync_folder_of(path.parent().unwrap_or_else(|| Path::new(".")))
        })
        .await
    }

    fn path(&self, job: i64, attempt: u32) -> PathBuf {
        self.0.join(format!("{job}-{attempt}")).join("hylafax.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_note_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes(folder.path().join("calls"));
        assert_eq!(notes.read(4, 1).await.unwrap(), None);
        let note = Note {
            id: 17,
            first_page: 1,
            pages: 3,
            started_ms: 5,
            give_up_ms: 9,
        };
        notes.write(4, 1, &note).await.unwrap();
        assert_eq!(notes.read(4, 1).await.unwrap(), Some(note));
        assert_eq!(notes.read(4, 2).await.unwrap(), None);
        notes.remove(4, 1).await.unwrap();
        notes.remove(4, 1).await.unwrap();
        assert_eq!(notes.read(4, 1).await.unwrap(), None);
        assert!(!folder.path().join("calls/4-1").exists());
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_read_is_no_missing_note() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes(folder.path().to_owned());
        std::fs::create_dir(folder.path().join("4-1")).unwrap();
        std::fs::write(folder.path().join("4-1/hylafax.json"), "{").unwrap();
        assert!(notes.read(4, 1).await.is_err());
    }
}
