//! A receipt: a page that says what became of a fax, before the pages of the fax.

use std::sync::PoisonError;

use faxpage::TiffWriter;

use super::RenderError;
use super::Trouble;
use super::convert::Settings;
use super::font::Typesetter;
use super::header::TYPESETTER;
use super::received::own_pages;
use super::text;
use crate::fax::FaxFile;
use crate::fax::Resolution;

const PAPER: Settings = Settings {
    resolution: Resolution::Fine,
    points: 12,
    max_pages: 4,
    max_pixels: 0,
};

/// `text`, which is ours, as pages, and behind it those of `file`.
///
/// # Errors
/// [`Trouble::StoredPages`] if `file` is not what this module writes.
pub fn with_receipt(text: &str, file: Option<&FaxFile>) -> Result<FaxFile, RenderError> {
    let mut whole = TiffWriter::new();
    let mut pages = 0;
    let sheets = {
        let mut shared = TYPESETTER.lock().unwrap_or_else(PoisonError::into_inner);
        let typesetter = shared.get_or_insert_with(Typesetter::new);
        text::pages(typesetter, text, &PAPER)
    };
    let sheets = sheets.map_err(|_| RenderError::Worker(Trouble::StoredPages))?;
    for sheet in &sheets {
        whole.push(sheet);
        pages += 1;
    }
    if let Some(file) = file {
        for page in own_pages(file)? {
            whole.push(&page?);
            pages += 1;
        }
    }
    Ok(FaxFile {
        tiff: whole.finish(),
        pages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::paper;

    #[test]
    fn a_receipt_stands_before_the_pages_and_alone_if_there_are_none() {
        let fax = FaxFile {
            tiff: faxpage::write_tiff(&[paper::blank(Resolution::Standard)]),
            pages: 1,
        };
        let whole = with_receipt("sent 送信完了", Some(&fax)).unwrap();
        let pages: Vec<_> = own_pages(&whole).unwrap().map(Result::unwrap).collect();
        assert_eq!((whole.pages, pages.len()), (2, 2));
        assert!(pages[0].bitmap.black_pixels() > 100);
        assert_eq!(pages[1], paper::blank(Resolution::Standard));
        assert_eq!(with_receipt("x", None).unwrap().pages, 1);
    }
}
