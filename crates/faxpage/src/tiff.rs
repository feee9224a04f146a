//! Multi-page TIFF-F files (RFC 2306, RFC 3949), written and read.

mod directory;
mod packbits;
mod page;
mod write;

use std::collections::HashSet;

use thiserror::Error;

use crate::bitmap::Page;

use directory::Directory;
use directory::File;

pub use page::TiffPage;
pub use write::TiffWriter;
pub use write::write_tiff;

/// How much a TIFF file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TiffLimits {
    /// Pages in the file.
    pub max_pages: u32,
    /// Pixels of one page.
    pub max_pixels: u64,
}

/// Why a TIFF file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TiffError {
    /// It does not begin like a TIFF file.
    #[error("not a TIFF file")]
    NotTiff,
    /// A sound file of a kind that this crate does not read: colours, grey, other compressions,
    /// BigTIFF. Another decoder may.
    #[error("a kind of TIFF that is not read here: {0}")]
    Unsupported(&'static str),
    /// It contradicts itself or the format, or ends early.
    #[error("damaged TIFF: {0}")]
    Damaged(&'static str),
    /// More pages than allowed.
    #[error("more than {0} pages")]
    TooManyPages(u32),
    /// A page with more pixels than allowed.
    #[error("a page has more than {0} pixels")]
    TooLarge(u64),
}

/// The most directories of a file that are looked at: pages are numbered with 16 bits.
const MAX_DIRECTORIES: usize = u16::MAX as usize;

/// The pages of a TIFF file, one after another, not decoded yet.
///
/// Ends after the first error. Reduced copies and masks (NewSubfileType) are passed over.
#[derive(Clone, Debug)]
pub struct TiffPages<'a> {
    directories: Directories<'a>,
    limits: TiffLimits,
    given: u32,
    ended: bool,
}

/// All pages of a TIFF file.
///
/// # Errors
/// [`TiffError::Unsupported`] if a page is of a kind not read here, else what is wrong.
pub fn read_tiff(bytes: &[u8], limits: &TiffLimits) -> Result<Vec<Page>, TiffError> {
    TiffPages::new(bytes, limits)?
        .map(|page| page?.decode())
        .collect()
}

/// How many pages a TIFF file has, without a look at their pixels.
///
/// # Errors
/// What is wrong with the file or its list of directories.
pub fn page_count(bytes: &[u8]) -> Result<u32, TiffError> {
    let mut count = 0;
    for directory in Directories::new(bytes)? {
        let (index, directory) = directory?;
        count += u32::from(is_page(index, &directory)?);
    }
    Ok(count)
}

/// Reads anything; for fuzzing.
pub fn fuzz_tiff(bytes: &[u8]) {
    let limits = TiffLimits {
        max_pages: 20,
        max_pixels: 1 << 20,
    };
    // Only that they return matters.
    let _ = page_count(bytes);
    let Ok(pages) = TiffPages::new(bytes, &limits) else {
        return;
    };
    for page in pages.flatten() {
        let _ = page.g4_strip();
        let _ = page.decode();
    }
}

impl<'a> TiffPages<'a> {
    /// Looks at a file's header.
    ///
    /// # Errors
    /// [`TiffError::NotTiff`], [`TiffError::Unsupported`] for BigTIFF, and a file without a page.
    pub fn new(bytes: &'a [u8], limits: &TiffLimits) -> Result<Self, TiffError> {
        Ok(Self {
            directories: Directories::new(bytes)?,
            limits: *limits,
            given: 0,
            ended: false,
        })
    }

    fn page(&mut self) -> Option<Result<TiffPage<'a>, TiffError>> {
        loop {
            let (index, directory) = match self.directories.next()? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            match is_page(index, &directory) {
                Ok(true) if self.given == self.limits.max_pages => {
                    return Some(Err(TiffError::TooManyPages(self.limits.max_pages)));
                }
                Ok(true) => {
                    self.given += 1;
                    let file = self.directories.file;
                    return Some(TiffPage::new(file, directory, index, &self.limits));
                }
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<'a> Iterator for TiffPages<'a> {
    type Item = Result<TiffPage<'a>, TiffError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let page = self.page();
        self.ended = !matches!(page, Some(Ok(_)));
        page
    }
}

/// Whether the directory is a page and not a reduced copy (bit 0) or a mask (bit 2). The first one
/// always is: some writers set the bits without sense.
fn is_page(index: u32, directory: &Directory<'_>) -> Result<bool, TiffError> {
    Ok(index == 0 || directory.number(254)?.unwrap_or(0) & 0b101 == 0)
}

/// The chain of directories, with their places in it.
#[derive(Clone, Debug)]
struct Directories<'a> {
    file: File<'a>,
    next: u32,
    seen: HashSet<u32>,
}

impl<'a> Directories<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, TiffError> {
        let (file, first) = File::open(bytes)?;
        if first == 0 {
            return Err(TiffError::Damaged("no page"));
        }
        Ok(Self {
            file,
            next: first,
            seen: HashSet::new(),
        })
    }

    fn follow(&mut self) -> Result<Directory<'a>, TiffError> {
        if self.seen.len() == MAX_DIRECTORIES {
            return Err(TiffError::TooManyPages(MAX_DIRECTORIES as u32));
        }
        if !self.seen.insert(self.next) {
            return Err(TiffError::Damaged("the directories run in a circle"));
        }
        self.file.directory(self.next)
    }
}

impl<'a> Iterator for Directories<'a> {
    type Item = Result<(u32, Directory<'a>), TiffError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == 0 {
            return None;
        }
        // At most MAX_DIRECTORIES.
        let index = self.seen.len() as u32;
        let directory = self.follow();
        self.next = directory.as_ref().map_or(0, |found| found.next);
        Some(directory.map(|found| (index, found)))
    }
}

#[cfg(test)]
mod tests;
