//! Pages as pictures for people.

use ::image::ExtendedColorType;
use ::image::ImageEncoder;
use ::image::codecs::png::PngEncoder;
use faxpage::Page;

use super::HeaderLine;
use super::RenderError;
use super::Trouble;
use super::header::stamped;
use super::received::own_page;
use super::received::own_pages;
use crate::fax::FaxFile;

/// The first pages of `file`, at most `most` of them, as PNG images with square pixels.
///
/// # Errors
/// [`Trouble::StoredPages`] if `file` is not what this module writes.
pub fn png_pages(file: &FaxFile, most: usize) -> Result<Vec<Vec<u8>>, RenderError> {
    let pages = own_pages(file)?.take(most);
    pages.map(|page| png(&page?)).collect()
}

/// Page `n`, from 1, of `file` as a PNG image with square pixels; `None` if it has fewer.
///
/// # Errors
/// [`Trouble::StoredPages`] if `file` is not what this module writes.
pub fn png_page(file: &FaxFile, n: u32) -> Result<Option<Vec<u8>>, RenderError> {
    own_page(file, n)?.map(|page| png(&page)).transpose()
}

/// Page `n`, from 1, of `file` with this header line on top, as the far end gets it, as a PNG image with square
/// pixels; `None` if it has fewer.
///
/// # Errors
/// [`Trouble::StoredPages`] if `file` is not what this module writes.
pub fn png_stamped(
    file: &FaxFile,
    n: u32,
    header: &HeaderLine,
) -> Result<Option<Vec<u8>>, RenderError> {
    let page = own_page(file, n)?;
    let stamped = page.map(|page| png(&stamped(page, header, n, file.pages)));
    stamped.transpose()
}

fn png(page: &Page) -> Result<Vec<u8>, RenderError> {
    let broken = RenderError::Worker(Trouble::StoredPages);
    let (width, height) = (page.bitmap.width(), page.bitmap.height());
    if page.x_dpi == 0 || page.y_dpi == 0 {
        return Err(broken);
    }
    // Rows are farther apart than dots, so some or all are shown twice.
    let square = u64::from(height) * u64::from(page.x_dpi) / u64::from(page.y_dpi);
    let square = u32::try_from(square.max(1)).map_err(|_| broken.clone())?;
    let mut pixels = Vec::with_capacity(width as usize * square as usize);
    for y in 0..square {
        let row = u64::from(y) * u64::from(height) / u64::from(square);
        let row = page.bitmap.row(row as u32);
        let shades = row.iter().flat_map(|byte| shades(*byte));
        pixels.extend(shades.take(width as usize));
    }
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    match encoder.write_image(&pixels, width, square, ExtendedColorType::L8) {
        Ok(()) => Ok(png),
        Err(_) => Err(broken),
    }
}

/// Eight pixels: 0 for black, 255 for white.
fn shades(byte: u8) -> [u8; 8] {
    [0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1].map(|bit| if byte & bit == 0 { 255 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::Resolution;
    use crate::render::paper;

    #[test]
    fn a_stamped_preview_is_the_page_that_is_sent() {
        let blank = paper::blank(Resolution::Fine);
        let tiff = faxpage::write_tiff(&[blank.clone(), blank]);
        let file = FaxFile { tiff, pages: 2 };
        let header = HeaderLine {
            template: "{To} {Page}/{TotalPages}".into(),
            date: String::new(),
            from: String::new(),
            to: "00810312345678".into(),
        };
        let sent = crate::render::stamp(&file, &header).unwrap();
        for n in [1, 2] {
            let shown = png_stamped(&file, n, &header).unwrap();
            assert_eq!(shown, png_page(&sent, n).unwrap());
            assert_ne!(shown, png_page(&file, n).unwrap());
        }
        assert_eq!(png_stamped(&file, 3, &header), Ok(None));
    }

    #[test]
    fn a_preview_has_square_pixels_at_both_resolutions() {
        for resolution in [Resolution::Fine, Resolution::Standard] {
            let mut page = paper::blank(resolution);
            page.bitmap.set(3, 0, true);
            let tiff = faxpage::write_tiff(&[page.clone(), page]);
            let file = FaxFile { tiff, pages: 2 };
            let previews = png_pages(&file, 1).unwrap();
            assert_eq!(previews.len(), 1);
            assert_eq!(png_page(&file, 2), Ok(Some(previews[0].clone())));
            assert_eq!(
                [png_page(&file, 0), png_page(&file, 3)],
                [Ok(None), Ok(None)]
            );
            let image = ::image::load_from_memory(&previews[0])
                .unwrap()
                .into_luma8();
            assert_eq!(image.dimensions(), (1728, 2385));
            assert_eq!(image.get_pixel(3, 0).0, [0]);
            assert_eq!(image.get_pixel(4, 0).0, [255]);
        }
    }
}
