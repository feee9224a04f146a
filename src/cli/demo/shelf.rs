//! The folder that the demonstration leaves behind: every mail, every page, the journal of the line.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::fax::FaxFile;
use crate::render;

/// Says that the folder is ours to replace.
const MARKER: &str = ".faxgate-demo";
const MAIL: &str = "mail";
const FAX: &str = "fax";
const CALLS: &str = "calls.jsonl";
const MARKER_TEXT: &str =
    "faxgate demo made this folder, and the next run replaces mail/, fax/ and calls.jsonl in it.\n";

/// `demo-out/`
pub(super) struct Shelf {
    folder: PathBuf,
    mails: AtomicU32,
    /// Locked as long as this run lasts: two at a time would mix their files.
    _marker: File,
}

impl Shelf {
    /// Makes the folder, or empties what an earlier run left.
    ///
    /// # Errors
    /// A folder with other things in it is refused and left as it is.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let named = |error: std::io::Error| {
            Failure::new(Exit::Unavailable, format!("{}: {error}", folder.display()))
        };
        if !is_ours_or_new(folder).map_err(named)? {
            let text = format!(
                "{}: exists and was not made by `faxgate demo`; remove it or name another folder with --out DIR",
                folder.display()
            );
            return Err(Failure::new(Exit::Usage, text));
        }
        std::fs::create_dir_all(folder).map_err(named)?;
        let path = folder.join(MARKER);
        let marker = File::create(&path).map_err(named)?;
        if marker.try_lock().is_err() {
            let text = format!("{}: another `faxgate demo` is using it", folder.display());
            return Err(Failure::new(Exit::Unavailable, text));
        }
        std::fs::write(&path, MARKER_TEXT).map_err(named)?;
        for old in [MAIL, FAX] {
            missing_is_fine(std::fs::remove_dir_all(folder.join(old))).map_err(named)?;
            std::fs::create_dir(folder.join(old)).map_err(named)?;
        }
        missing_is_fine(std::fs::remove_file(folder.join(CALLS))).map_err(named)?;
        Ok(Self {
            folder: folder.to_owned(),
            mails: AtomicU32::new(0),
            _marker: marker,
        })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a mail under the next number; returns its name in the folder.
    pub(super) fn mail(&self, name: &str, message: &[u8]) -> std::io::Result<String> {
        let number = self.mails.fetch_add(1, Ordering::Relaxed) + 1;
        self.write(format!("{MAIL}/{number:02}-{name}.eml"), message)
    }

    /// Keeps a file beside the pages.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> std::io::Result<String> {
        self.write(format!("{FAX}/{name}"), bytes)
    }

    /// Keeps the pages of a fax as one TIFF and as PNG files; returns their names.
    pub(super) fn pages(&self, name: &str, file: &FaxFile) -> Result<Vec<String>, Failure> {
        let mut names = vec![self.file(&format!("{name}.tiff"), &file.tiff)?];
        let pictures = render::png_pages(file, usize::MAX)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        for (at, picture) in pictures.iter().enumerate() {
            names.push(self.file(&format!("{name}-page-{}.png", at + 1), picture)?);
        }
        Ok(names)
    }

    /// Copies the journal of the fax line in `line`.
    pub(super) fn calls(&self, line: &Path) -> std::io::Result<()> {
        std::fs::copy(line.join(CALLS), self.folder.join(CALLS)).map(drop)
    }

    fn write(&self, name: String, bytes: &[u8]) -> std::io::Result<String> {
        std::fs::write(self.folder.join(&name), bytes)?;
        Ok(name)
    }
}

fn is_ours_or_new(folder: &Path) -> std::io::Result<bool> {
    let mut entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(folder.join(MARKER).is_file() || entries.next().is_none())
}

fn missing_is_fine(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_left_is_replaced_and_anything_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("demo-out");
        let shelf = Shelf::open(&folder).unwrap();
        assert!(Shelf::open(&folder).is_err(), "in use");
        assert_eq!(shelf.mail("a", b"x").unwrap(), "mail/01-a.eml");
        assert_eq!(shelf.mail("b", b"x").unwrap(), "mail/02-b.eml");
        drop(shelf);
        std::fs::write(folder.join("notes.txt"), "mine").unwrap();
        let shelf = Shelf::open(&folder).unwrap();
        assert!(!folder.join("mail/01-a.eml").exists());
        assert!(folder.join("notes.txt").exists());
        assert_eq!(shelf.mail("c", b"x").unwrap(), "mail/01-c.eml");
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mail")).unwrap();
        std::fs::write(dir.path().join("mail/letter"), "dear").unwrap();
        let refused = Shelf::open(dir.path());
        assert!(refused.err().unwrap().text.contains("--out"));
        assert!(dir.path().join("mail/letter").exists());
        assert!(!dir.path().join(MARKER).exists());
    }

    #[test]
    fn an_empty_folder_may_be_used() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Shelf::open(dir.path()).is_ok());
    }
}
