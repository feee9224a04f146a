//! Multi-page TIFF-F files (RFC 2306, RFC 3949), written and read.

mod write;

use thiserror::Error;

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
