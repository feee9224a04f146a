//! Documents become fax pages.
//!
//! * [`Renderer`] - hands documents to a confined child process and takes pages back
//! * `text`, `pdf`, `image`, `tiff` - one file per kind of document
//! * [`stamp`] - the header line of one recipient
//! * [`png_page`], [`png_stamped`], [`to_pdf`], [`with_receipt`], [`check_received`] - pages for people, and pages from
//!   strangers

mod convert;
mod error;
mod fit;
mod font;
mod header;
mod image;
mod outline;
mod paper;
mod pdf;
mod preview;
mod receipt;
mod received;
mod renderer;
#[cfg(test)]
mod samples;
mod shade;
mod text;
mod tiff;
mod worker;

pub use error::BadDocument;
pub use error::RenderError;
pub use error::Trouble;
pub use header::HeaderLine;
pub use header::halved;
pub use header::stamp;
pub use preview::png_page;
pub use preview::png_pages;
pub use preview::png_stamped;
pub use receipt::with_receipt;
pub use received::check_received;
pub use received::salvage_received;
pub use received::to_pdf;
pub use renderer::Renderer;
pub use worker::SUBCOMMAND;
pub use worker::worker_main;
