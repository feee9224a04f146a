//! The pages that are faxed.

use faxgate::fax::FaxFile;
use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;
use faxpage::TiffLimits;

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 1000,
    max_pixels: 256 * 1024 * 1024,
};

/// Rows of a fine A4 page.
const ROWS: u32 = 2286;

/// A page of about 16 KiB on the line, as a letter has; no other has the same number.
fn page(number: u32) -> Page {
    let mut bitmap = Bitmap::new(FAX_WIDTH, ROWS);
    for bit in 0..32 {
        let black = number >> bit & 1 == 1;
        for y in 100..140 {
            for x in 200 + bit * 40..220 + bit * 40 {
                bitmap.set(x, y, black);
            }
        }
    }
    let mut state = 2_463_534_242_u32;
    for y in 500..660 {
        for x in 0..FAX_WIDTH {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            bitmap.set(x, y, state.is_multiple_of(16));
        }
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 196,
    }
}

/// So many pages; `fax` tells one document from another.
pub(crate) fn pages(fax: u32, count: u32) -> Vec<Page> {
    (0..count).map(|index| page(fax * 1000 + index)).collect()
}

/// They in a file.
pub(crate) fn file(pages: &[Page]) -> FaxFile {
    FaxFile {
        tiff: faxpage::write_tiff(pages),
        pages: pages.len() as u32,
    }
}

/// What is in a file.
pub(crate) fn read(fax: &FaxFile) -> Vec<Page> {
    faxpage::read_tiff(&fax.tiff, &LIMITS).expect("pages")
}
