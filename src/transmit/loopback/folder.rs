//! The loopback's folder: pages of calls that go on, and of jobs that arrived.

use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use faxpage::Page;
use faxpage::TiffLimits;

use crate::transmit::Call;

/// Where the files of calls are while they go on.
const CALLS: &str = "under-way";

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 100_000,
    max_pixels: 256 * 1024 * 1024,
};

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// A place for the files of one call; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Folder {
    /// Makes the folder; what calls left that a crash ended is removed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        match std::fs::remove_dir_all(path.join(CALLS)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        std::fs::create_dir(path.join(CALLS))?;
        Ok(Self(path.to_owned()))
    }

    /// Where the journal is.
    pub(super) fn journal(&self) -> PathBuf {
        self.0.join("calls.jsonl")
    }

    /// A place for this call.
    pub(super) fn scratch(&self, call: &Call) -> io::Result<Scratch> {
        let path = self
            .0
            .join(CALLS)
            .join(format!("{}-{}", call.job, call.attempt));
        // Not with what is above it: a folder that was taken away is not made anew.
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => Ok(Scratch(path)),
        }
    }

    /// Writes the pages of a job that arrived, those of earlier calls first; durable when this returns.
    pub(super) fn keep(&self, call: &Call, tiff: &[u8]) -> io::Result<()> {
        let path = self.0.join(format!("{}.tiff", call.job));
        let earlier = match call.first_page {
            0 => None,
            first => earlier_pages(&path, first)?,
        };
        let joined = match earlier {
            Some(mut pages) => {
                pages.extend(read(tiff)?);
                Some(faxpage::write_tiff(&pages))
            }
            None => None,
        };
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(joined.as_deref().unwrap_or(tiff))?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    }
}

impl Scratch {
    /// The pages to be sent.
    pub(super) fn sent(&self) -> PathBuf {
        self.0.join("sent.tiff")
    }

    /// The pages that arrive.
    pub(super) fn arrived(&self) -> PathBuf {
        self.0.join("arrived.tiff")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "the files of a loopback call are left behind");
        }
    }
}

/// The pages of `tiff` from `first` on, at most so many, as a file.
pub(super) fn part(tiff: &[u8], first: u32, count: u32) -> io::Result<Vec<u8>> {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let pages = read(tiff)?.into_iter();
    let pages: Vec<Page> = pages.skip(number(first)).take(number(count)).collect();
    Ok(faxpage::write_tiff(&pages))
}

/// The first pages of a job whose earlier call was over this line; `None` if it was not.
fn earlier_pages(path: &Path, count: u32) -> io::Result<Option<Vec<Page>>> {
    let tiff = match std::fs::read(path) {
        Ok(tiff) => tiff,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut pages = read(&tiff)?;
    pages.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(Some(pages))
}

fn read(tiff: &[u8]) -> io::Result<Vec<Page>> {
    faxpage::read_tiff(tiff, &LIMITS).map_err(io::Error::other)
}
