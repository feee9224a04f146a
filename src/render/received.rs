//! Pages from outside: read, bounded, and written anew; and the pages that we wrote.

use faxpage::Page;
use faxpage::TiffError;
use faxpage::TiffLimits;
use faxpage::TiffPages;
use faxpage::TiffWriter;

use super::BadDocument;
use super::RenderError;
use super::Trouble;
use crate::fax::FaxFile;

/// More than a call of a day at the slowest speed; A3 width by seven metres.
const LIMITS: TiffLimits = TiffLimits {
    max_pages: 1000,
    max_pixels: 64 * 1024 * 1024,
};
/// What a received fax is called in errors.
const NAME: &str = "received.tiff";

/// A TIFF-F file that came over the line or was handed in: its pages, written anew so that only what
/// this gateway writes is stored and forwarded.
///
/// # Errors
/// [`BadDocument`] if it is not a fax: damaged, colours or grey, no pages, too many of them.
pub fn check_received(bytes: &[u8]) -> Result<FaxFile, RenderError> {
    match readable_pages(bytes) {
        (fax, None) if fax.pages == 0 => Err(BadDocument::NoPages),
        (fax, None) => Ok(fax),
        (_, Some(error)) => Err(reason(error)),
    }
    .map_err(|bad| RenderError::document(Some(NAME), bad))
}

/// The pages of a TIFF-F file from a line up to the first that cannot be read, written anew like those of
/// [`check_received`]; `true` if they are all. `None`: not a single one.
///
/// The far end was told that it may forget them: what can be read is never thrown away.
pub fn salvage_received(bytes: &[u8]) -> Option<(FaxFile, bool)> {
    let (fax, error) = readable_pages(bytes);
    (fax.pages > 0).then_some((fax, error.is_none()))
}

fn readable_pages(bytes: &[u8]) -> (FaxFile, Option<TiffError>) {
    let mut clean = TiffWriter::new();
    let mut count = 0;
    let mut write = || {
        for page in TiffPages::new(bytes, &LIMITS)? {
            let page = page?.decode()?;
            let (x_dpi, y_dpi) = (nominal(page.x_dpi), nominal(page.y_dpi));
            clean.push(&Page {
                x_dpi,
                y_dpi,
                ..page
            });
            count += 1;
        }
        Ok(())
    };
    let error = write().err();
    let fax = FaxFile {
        pages: count,
        tiff: if count == 0 {
            Vec::new()
        } else {
            clean.finish()
        },
    };
    (fax, error)
}

/// The resolution of fax that is meant: fax engines write whole dots a centimetre, which makes 204 dpi 203.
fn nominal(dpi: u32) -> u32 {
    const OF_FAX: [u32; 9] = [98, 100, 196, 200, 204, 300, 391, 400, 408];
    let nearest = OF_FAX.into_iter().min_by_key(|known| known.abs_diff(dpi));
    nearest
        .filter(|known| known.abs_diff(dpi) <= known.div_ceil(100))
        .unwrap_or(dpi)
}

/// The pages of a file that this module wrote, decoded one by one.
pub(super) fn own_pages(
    file: &FaxFile,
) -> Result<impl Iterator<Item = Result<Page, RenderError>> + '_, RenderError> {
    let pages = TiffPages::new(&file.tiff, &LIMITS).map_err(ours)?;
    Ok(pages.map(|page| page.and_then(|page| page.decode()).map_err(ours)))
}

/// Page `n`, from 1, of a file that this module wrote; `None` if it has fewer.
pub(super) fn own_page(file: &FaxFile, n: u32) -> Result<Option<Page>, RenderError> {
    let mut pages = TiffPages::new(&file.tiff, &LIMITS).map_err(ours)?;
    let Some(before) = n.checked_sub(1).and_then(|n| usize::try_from(n).ok()) else {
        return Ok(None);
    };
    let page = pages.nth(before).transpose().map_err(ours)?;
    page.map(|page| page.decode().map_err(ours)).transpose()
}

/// A PDF of the pages as they are, for people who have no fax viewer.
///
/// # Errors
/// [`Trouble::StoredPages`] if `file` is not what this module writes.
pub fn to_pdf(file: &FaxFile, title: &str) -> Result<Vec<u8>, RenderError> {
    faxpage::pdf::from_tiff(&file.tiff, &LIMITS, title).map_err(ours)
}

/// What is wrong with a TIFF file that the sender is to blame for.
pub(super) fn reason(error: TiffError) -> BadDocument {
    match error {
        TiffError::TooManyPages(limit) => BadDocument::TooManyPages { limit },
        TiffError::TooLarge(limit) => BadDocument::TooManyPixels { limit },
        TiffError::NotTiff | TiffError::Unsupported(_) | TiffError::Damaged(_) => {
            BadDocument::NotReadable
        }
    }
}

fn ours(_: TiffError) -> RenderError {
    RenderError::Worker(Trouble::StoredPages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::Resolution;
    use crate::render::paper;

    fn page() -> Page {
        let mut page = paper::blank(Resolution::Standard);
        page.bitmap.set(100, 100, true);
        page
    }

    #[test]
    fn a_received_fax_keeps_its_pixels_and_its_resolution() {
        let file = check_received(&faxpage::write_tiff(&[page(), page()])).unwrap();
        assert_eq!(file.pages, 2);
        let pages: Vec<_> = own_pages(&file).unwrap().map(Result::unwrap).collect();
        assert_eq!(pages, [page(), page()]);
    }

    #[test]
    fn what_is_no_fax_is_refused() {
        let whole = faxpage::write_tiff(&[page()]);
        for bytes in [
            &b""[..],
            b"%PDF-1.7",
            b"II*\0\0\0\0\0",
            &whole[..whole.len() / 2],
        ] {
            let error = check_received(bytes).unwrap_err();
            assert!(!error.is_temporary(), "{error}");
        }
    }

    #[test]
    fn a_pdf_of_the_pages_can_be_made() {
        let file = check_received(&faxpage::write_tiff(&[page()])).unwrap();
        assert!(to_pdf(&file, "fax").unwrap().starts_with(b"%PDF-"));
    }
}
