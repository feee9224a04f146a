//! Fax pages: bitmaps, halftones, CCITT coding and TIFF-F files.
//!
//! Bytes in, bytes out: nothing here reads a file, knows the time or panics on hostile input.
//! The modules, in the order in which a page meets them:
//!
//! * [`Gray`] - a page as an engine draws it; [`scale`] fits it to the paper
//! * [`halftone`] - grey becomes black and white
//! * [`Bitmap`], [`Page`] - what a fax machine prints
//! * [`ccitt`] - the T.4 and T.6 codes
//! * [`tiff`] - multi-page files, written and read
//! * [`pdf`] - the same pages for people who have no fax viewer

pub mod bitmap;
pub mod ccitt;
pub mod gray;
pub mod halftone;
pub mod pdf;
mod rotate;
pub mod scale;
pub mod tiff;

pub use bitmap::Bitmap;
pub use bitmap::Page;
pub use ccitt::decode;
pub use ccitt::encode_g3;
pub use ccitt::encode_g4;
pub use gray::Gray;
pub use halftone::Rendering;
pub use tiff::TiffError;
pub use tiff::TiffLimits;
pub use tiff::TiffPage;
pub use tiff::TiffPages;
pub use tiff::TiffWriter;
pub use tiff::fuzz_tiff;
pub use tiff::page_count;
pub use tiff::read_tiff;
pub use tiff::write_tiff;

/// Pixels in a scan line of an A4 page (T.4 section 2.2: 215 mm at 204 dots per inch).
pub const FAX_WIDTH: u32 = 1728;
