//! A call's folder: its pages, and what its worker noted.

use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use faxpage::TiffLimits;
use faxpage::TiffPages;
use faxpage::TiffWriter;

use super::Ended;
use super::EndedBy;
use super::Left;
use super::note;
use super::note::Line;
use super::note::Note;
use crate::fax::CallProgress;
use crate::fax::FaxFile;
use crate::time::Timestamp;

/// What calls that come in begin with.
const INCOMING: &str = "in-";
/// Octets of notes that are believed; a call has some dozens of lines.
const MOST_NOTES: u64 = 4 << 20;
/// Octets of a received file that are read: the worker may write no more.
const MOST_PAGES: u64 = 64 << 20;
/// The limits of faxes from outside.
const LIMITS: TiffLimits = TiffLimits {
    max_pages: 1000,
    max_pixels: 64 * 1024 * 1024,
};

/// One call's folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    name: String,
    path: PathBuf,
}

impl Folder {
    /// The folder of this name, there or not.
    ///
    /// # Errors
    /// `InvalidInput` for what is no name of a call.
    pub(super) fn of(calls: &Path, name: &str) -> io::Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self {
            name: name.to_owned(),
            path: calls.join(name),
        })
    }

    /// Those of calls that came in.
    pub(super) fn incoming(calls: &Path) -> io::Result<Vec<Self>> {
        let entries = match std::fs::read_dir(calls) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_str().filter(|name| name.starts_with(INCOMING));
            folders.extend(name.and_then(|name| Self::of(calls, name).ok()));
        }
        folders.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(folders)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, with the pages to be sent.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    pub(super) fn make(&self, pages: Option<&FaxFile>) -> io::Result<()> {
        if let Some(calls) = self.path.parent() {
            std::fs::create_dir_all(calls)?;
        }
        // Faxes are for nobody else on this machine.
        DirBuilder::new().mode(0o700).create(&self.path)?;
        // The worker may make no files of its own: it could fill the disk with them.
        let written = match pages {
            Some(fax) => std::fs::write(self.path.join(note::SENT), &fax.tiff),
            None => File::create_new(self.path.join(note::RECEIVED)).map(drop),
        };
        if written.is_err() {
            self.remove()?;
        }
        written
    }

    /// Removes it with everything in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What is in it; `None` if there is no folder, or its worker never began.
    pub(super) fn read(&self) -> io::Result<Option<Left>> {
        let Some(notes) = read(&self.path.join(note::PROGRESS), MOST_NOTES)? else {
            return Ok(None);
        };
        let lines = notes.split(|octet| *octet == b'\n');
        // A crash may cut the last line off.
        let lines = lines.filter_map(|line| serde_json::from_slice(line).ok());
        let Some(mut told) = Told::of(lines) else {
            return Ok(None);
        };
        if told.first_page.is_none() {
            let file = read(&self.path.join(note::RECEIVED), MOST_PAGES)?;
            told.ended.fax = file.and_then(whole_pages);
            // The file is the proof of a page.
            told.ended.pages = told.ended.fax.as_ref().map_or(0, |fax| fax.pages);
        }
        Ok(Some(Left {
            name: self.name.clone(),
            about: told.about,
            ended: told.ended,
        }))
    }
}

fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The pages of a received file up to the first that is not whole; `None` without one.
///
/// A worker that is killed while it adds a page leaves the pages before and a piece of that one.
fn whole_pages(tiff: Vec<u8>) -> Option<FaxFile> {
    // One page in memory at a time: a thousand blank ones are short in a file and long when they are decoded.
    let decoded = |tiff| {
        let pages = TiffPages::new(tiff, &LIMITS).ok()?;
        Some(pages.map(|page| page.and_then(|page| page.decode())))
    };
    let (mut count, mut is_whole) = (0, true);
    for page in decoded(&tiff)? {
        match page {
            Ok(_) => count += 1,
            Err(_) => is_whole = false,
        }
    }
    let tiff = match (count, is_whole) {
        (0, _) => return None,
        (_, true) => tiff,
        (_, false) => {
            let mut cut = TiffWriter::new();
            let whole = decoded(&tiff)?.filter_map(Result::ok);
            whole.for_each(|page| cut.push(&page));
            cut.finish()
        }
    };
    Some(FaxFile { tiff, pages: count })
}

/// What the notes of a call say together.
#[derive(Debug)]
struct Told {
    about: String,
    first_page: Option<u32>,
    ended: Ended,
}

impl Told {
    /// `None` unless the call began.
    fn of(lines: impl Iterator<Item = Line>) -> Option<Self> {
        let mut told: Option<Self> = None;
        for Line { at, note } in lines {
            let at = Timestamp::from_ms(at);
            match (&mut told, note) {
                (None, Note::Began { about, first_page }) => {
                    let ended = Ended {
                        started: at,
                        ended: at,
                        ..Ended::default()
                    };
                    told = Some(Self {
                        about,
                        first_page,
                        ended,
                    });
                }
                (Some(told), note) => {
                    told.ended.ended = at;
                    told.add(note);
                }
                (None, _) => {}
            }
        }
        told
    }

    fn add(&mut self, note: Note) {
        let ended = &mut self.ended;
        match note {
            Note::Progress(progress) => self.progress(progress),
            Note::SubAddress(address) => ended.sub_address = Some(address),
            Note::LastPageRefused => ended.last_page_sent = false,
            Note::Confirmed => ended.confirmed = true,
            Note::Ended {
                by,
                completion,
                packets_lost,
            } => {
                ended.by = by;
                ended.completion = completion;
                ended.packets_lost = packets_lost;
            }
            Note::Ready { .. } | Note::Alive | Note::Began { .. } | Note::FaxHeard => {}
        }
    }

    fn progress(&mut self, progress: CallProgress) {
        let ended = &mut self.ended;
        match progress {
            CallProgress::Carried { media } => ended.media = Some(media),
            CallProgress::Identified { remote_id } => ended.remote_id = remote_id,
            CallProgress::Training { rate, ecm } => (ended.rate, ended.ecm) = (rate, ecm),
            CallProgress::Page { confirmed, .. } => {
                ended.pages = confirmed.saturating_sub(self.first_page.unwrap_or(0));
            }
            CallProgress::LastPageSent => ended.last_page_sent = true,
            CallProgress::Dialling { .. }
            | CallProgress::Ringing
            | CallProgress::Answered
            | CallProgress::Released => {}
        }
    }
}

impl Ended {
    /// Whether the worker died before it could say how the call ended.
    pub fn is_crash(&self) -> bool {
        self.by == EndedBy::Crash
    }
}

#[cfg(test)]
mod tests {
    use faxpage::Bitmap;
    use faxpage::Page;

    use super::*;
    use crate::fax::Media;
    use crate::fax::StationId;

    fn file(pages: u32) -> Vec<u8> {
        let page = |n: u32| {
            let mut bitmap = Bitmap::new(1728, 100);
            (0..200).for_each(|x| bitmap.set(x * 3 + n, x / 2, true));
            Page {
                bitmap,
                x_dpi: 204,
                y_dpi: 196,
            }
        };
        faxpage::write_tiff(&(0..pages).map(page).collect::<Vec<_>>())
    }

    fn folder(notes: &[u8], received: Option<&[u8]>) -> (tempfile::TempDir, Folder) {
        let calls = tempfile::tempdir().unwrap();
        let folder = Folder::of(calls.path(), "in-1").unwrap();
        folder.make(None).unwrap();
        std::fs::write(folder.path().join(note::PROGRESS), notes).unwrap();
        if let Some(received) = received {
            std::fs::write(folder.path().join(note::RECEIVED), received).unwrap();
        }
        (calls, folder)
    }

    fn notes(notes: Vec<Note>) -> Vec<u8> {
        let lines = (1000..).zip(notes);
        let lines = lines.map(|(at, note)| note::line(&Line { at, note }));
        lines.collect::<Vec<_>>().concat()
    }

    fn began(first_page: Option<u32>) -> Note {
        Note::Began {
            about: "x".into(),
            first_page,
        }
    }

    #[test]
    fn a_cut_file_of_notes_says_how_far_the_call_was() {
        let page = |confirmed| Note::Progress(CallProgress::Page { confirmed, of: 5 });
        let mut lines = notes(vec![
            began(Some(2)),
            Note::Progress(CallProgress::Carried { media: Media::T38 }),
            Note::Progress(CallProgress::Identified {
                remote_id: StationId::from_far_end(b"+81 3"),
            }),
            Note::Progress(CallProgress::Training {
                rate: 9600,
                ecm: true,
            }),
            page(3),
            page(4),
            Note::Progress(CallProgress::LastPageSent),
        ]);
        lines.extend_from_slice(b"{\"at\":1007,\"note\":\"conf");
        let (_calls, folder) = folder(&lines, None);
        let left = folder.read().unwrap().unwrap();
        assert_eq!((left.name.as_str(), left.about.as_str()), ("in-1", "x"));
        let expected = Ended {
            pages: 2,
            last_page_sent: true,
            remote_id: StationId::from_far_end(b"+81 3"),
            rate: 9600,
            ecm: true,
            media: Some(Media::T38),
            started: Timestamp::from_ms(1000),
            ended: Timestamp::from_ms(1006),
            ..Ended::default()
        };
        assert_eq!(left.ended, expected);
        assert!(left.ended.is_crash());
    }

    #[test]
    fn a_last_page_that_was_refused_did_not_arrive() {
        let lines = notes(vec![
            began(Some(0)),
            Note::Progress(CallProgress::LastPageSent),
            Note::LastPageRefused,
        ]);
        let (_calls, folder) = folder(&lines, None);
        assert!(!folder.read().unwrap().unwrap().ended.last_page_sent);
    }

    #[test]
    fn of_a_received_file_that_is_cut_the_whole_pages_are_kept() {
        let (one, two) = (file(1), file(2));
        for (bytes, pages) in [(&two[..], 2), (&two[..two.len() - 10], 1), (&one[..], 1)] {
            let (_calls, folder) = folder(&notes(vec![began(None)]), Some(bytes));
            let ended = folder.read().unwrap().unwrap().ended;
            let fax = ended.fax.unwrap();
            assert_eq!((ended.pages, fax.pages), (pages, pages));
            let read = faxpage::read_tiff(&fax.tiff, &LIMITS).unwrap();
            let sent = faxpage::read_tiff(&two, &LIMITS).unwrap();
            assert!(read[..] == sent[..pages as usize]);
        }
        for junk in [&b""[..], b"II*\0", &one[..one.len() / 2]] {
            let (_calls, folder) = folder(&notes(vec![began(None)]), Some(junk));
            assert_eq!(folder.read().unwrap().unwrap().ended.fax, None);
        }
    }

    #[test]
    fn a_call_that_never_began_left_nothing() {
        let (calls, folder) = folder(b"", None);
        assert_eq!(folder.read().unwrap(), None);
        assert_eq!(
            Folder::of(calls.path(), "7-1").unwrap().read().unwrap(),
            None
        );
    }

    #[test]
    fn only_names_of_calls_are_folders() {
        let calls = Path::new("calls");
        for bad in ["", ".", "..", "a/b", "../1-1", "a b"] {
            assert!(Folder::of(calls, bad).is_err(), "{bad}");
        }
        assert!(Folder::of(calls, "12-3").is_ok());
    }

    #[test]
    fn calls_that_came_in_are_found() {
        let (calls, folder) = folder(b"", None);
        Folder::of(calls.path(), "7-1").unwrap().make(None).unwrap();
        let names = || {
            let found = Folder::incoming(calls.path()).unwrap();
            found.into_iter().map(|f| f.name).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["in-1"]);
        folder.remove().unwrap();
        folder.remove().unwrap();
        assert!(names().is_empty());
    }
}
