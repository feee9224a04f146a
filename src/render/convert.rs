//! Documents in their order become one file of pages. This runs inside the worker.

use faxpage::Page;
use faxpage::TiffWriter;

use super::BadDocument;
use super::font::Typesetter;
use super::image;
use super::pdf;
use super::text;
use super::tiff;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::fax::FaxFile;
use crate::fax::Resolution;

/// How documents are to become pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Vertical resolution.
    pub(super) resolution: Resolution,
    /// Font size of text in points.
    pub(super) points: u8,
    /// Most pages of the fax.
    pub(super) max_pages: u32,
    /// Most pixels of one image.
    pub(super) max_pixels: u64,
}

/// A fax that grows document by document.
#[derive(Default)]
pub(super) struct Fax {
    file: TiffWriter,
    pages: u32,
    typesetter: Option<Typesetter>,
}

impl Fax {
    /// Adds the pages of `document`.
    ///
    /// # Errors
    /// [`BadDocument`] says what is wrong with it.
    pub(super) fn add(
        &mut self,
        document: &Document,
        settings: &Settings,
    ) -> Result<(), BadDocument> {
        let room = Settings {
            max_pages: settings.max_pages.saturating_sub(self.pages),
            ..*settings
        };
        let pages = self.pages(document, &room).map_err(|reason| {
            // What was left for this document is of no use to the sender; the limit of the fax is.
            if matches!(reason, BadDocument::TooManyPages { .. }) {
                let limit = settings.max_pages;
                return BadDocument::TooManyPages { limit };
            }
            reason
        })?;
        if pages.is_empty() {
            return Err(BadDocument::NoPages);
        }
        for page in &pages {
            self.file.push(page);
            self.pages += 1;
        }
        Ok(())
    }

    /// The file with all pages.
    pub(super) fn finish(self) -> FaxFile {
        FaxFile {
            tiff: self.file.finish(),
            pages: self.pages,
        }
    }

    fn pages(
        &mut self,
        document: &Document,
        settings: &Settings,
    ) -> Result<Vec<Page>, BadDocument> {
        match document.kind {
            DocumentKind::Jpeg | DocumentKind::Png => image::pages(&document.bytes, settings),
            DocumentKind::Pdf => pdf::pages(&document.bytes, settings),
            DocumentKind::Text => {
                let text = String::from_utf8_lossy(&document.bytes);
                let typesetter = self.typesetter.get_or_insert_with(Typesetter::new);
                text::pages(typesetter, &text, settings)
            }
            DocumentKind::Tiff => tiff::pages(&document.bytes, settings),
            DocumentKind::Unsupported => Err(BadDocument::Unsupported {
                media_type: document.media_type.clone(),
            }),
        }
    }
}
