//! Documents and fax pages.

use std::io::Cursor;

use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;
use faxpage::TiffLimits;
use image::DynamicImage;
use image::GrayImage;
use image::ImageFormat;
use image::Luma;
use serde_json::Value as Json;

use super::Gateway;

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 100,
    max_pixels: 64 * 1024 * 1024,
};

/// A white page with a black bar over its whole width, so many rows high.
pub(crate) fn page_with_bar(rows: u32) -> Page {
    let mut bitmap = Bitmap::new(FAX_WIDTH, 1100);
    for y in 500..500 + rows {
        for x in 0..FAX_WIDTH {
            bitmap.set(x, y, true);
        }
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 98,
    }
}

/// A TIFF with so many pages.
pub(crate) fn tiff(pages: u32) -> Vec<u8> {
    let pages: Vec<Page> = (0..pages).map(|n| page_with_bar(20 + n)).collect();
    faxpage::write_tiff(&pages)
}

/// A PDF with so many pages.
pub(crate) fn pdf(pages: u32) -> Vec<u8> {
    faxpage::pdf::from_tiff(&tiff(pages), &LIMITS, "sample").unwrap()
}

/// A picture in this format.
pub(crate) fn picture(format: ImageFormat) -> Vec<u8> {
    let gray = GrayImage::from_fn(400, 300, |x, _| Luma([if x < 200 { 0 } else { 255 }]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(gray)
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

/// The pages of a TIFF-F file.
pub(crate) fn pages_of(tiff: &[u8]) -> Vec<Page> {
    faxpage::read_tiff(tiff, &LIMITS).unwrap()
}

/// Whether the first tenth of an inch has anything black in it: the header line.
pub(crate) fn has_header(page: &Page) -> bool {
    (0..page.y_dpi / 5).any(|y| !page.bitmap.is_row_white(y))
}

impl Gateway {
    /// The pages that the far end of a job got.
    pub(crate) fn pages(&self, job: &Json) -> Vec<Page> {
        let id = job["id"].as_str().unwrap();
        let file = self.path("calls").join(format!("{id}.tiff"));
        pages_of(&std::fs::read(file).unwrap())
    }
}
