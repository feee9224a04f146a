//! TIFF documents become pages: faxes as they are, pictures of other kinds fitted to the paper.

use std::io::Cursor;

use ::tiff::ColorType;
use ::tiff::decoder::Decoder;
use ::tiff::decoder::DecodingResult;
use ::tiff::decoder::Limits;
use ::tiff::tags::Tag;
use faxpage::FAX_WIDTH;
use faxpage::Gray;
use faxpage::Page;
use faxpage::TiffError;
use faxpage::TiffLimits;
use faxpage::TiffPages;
use faxpage::scale;

use super::BadDocument;
use super::convert::Settings;
use super::fit::Place;
use super::paper;
use super::received::reason;
use super::shade::luma;
use super::shade::on_white;
use super::shade::under_black;

/// Widths of fax pages at 204 dots an inch: A4, B4, A3 (T.4 section 2.2).
const FAX_WIDTHS: [u32; 3] = [FAX_WIDTH, 2048, 2432];
/// Dots an inch of a picture that does not say.
const UNTOLD_DPI: f64 = 200.0;
/// The ResolutionUnit tag's value for centimetres.
const CENTIMETRES: u32 = 3;

/// The pages of a TIFF file. Each is read by our own reader of fax files if that knows its kind, else
/// by the decoder of colours and other compressions.
pub(super) fn pages(bytes: &[u8], settings: &Settings) -> Result<Vec<Page>, BadDocument> {
    let limits = TiffLimits {
        max_pages: settings.max_pages,
        max_pixels: settings.max_pixels,
    };
    let stored = match TiffPages::new(bytes, &limits) {
        Ok(stored) => stored,
        Err(TiffError::Unsupported(_)) => return pictures(bytes, settings),
        Err(error) => return Err(reason(error)),
    };
    let mut pages = Vec::new();
    for page in stored {
        let page = page.map_err(reason)?;
        pages.push(match page.decode() {
            Ok(art) => line_art(art, settings)?,
            Err(TiffError::Unsupported(_)) => {
                let mut decoder = decoder(bytes, settings)?;
                let index = page.directory_index() as usize;
                decoder.seek_to_image(index).map_err(unreadable)?;
                picture(&mut decoder, settings)?
            }
            Err(error) => return Err(reason(error)),
        });
    }
    Ok(pages)
}

/// A black and white page. A fax keeps its dots, its length and, if the resolution is the one asked
/// for, its rows: scaling would only blur what a machine has scanned.
fn line_art(page: Page, settings: &Settings) -> Result<Page, BadDocument> {
    let (width, height) = (page.bitmap.width(), page.bitmap.height());
    let y_dpi = paper::y_dpi(settings.resolution);
    let near = |a: u32, b: u32| a.abs_diff(b) * 20 <= b;
    if FAX_WIDTHS.contains(&width) && near(page.x_dpi, paper::X_DPI) && page.y_dpi > 0 {
        let (from, to) = (u64::from(page.y_dpi) * u64::from(width), u64::from(y_dpi));
        let rows = u64::from(height) * to * u64::from(FAX_WIDTH) / from.max(1);
        let rows = if width == FAX_WIDTH && near(page.y_dpi, y_dpi) {
            height
        } else {
            u32::try_from(rows)
                .unwrap_or(u32::MAX)
                .clamp(1, longest(settings))
        };
        let bitmap = scale::bitmap(&page.bitmap, FAX_WIDTH, rows);
        return Ok(paper::page(bitmap, settings.resolution));
    }
    let dpi = (f64::from(page.x_dpi), f64::from(page.y_dpi));
    let place = place((width, height), dpi, settings)?;
    Ok(place.bitmap(&page.bitmap, settings.resolution))
}

/// Most rows that a page may have when it is stretched.
fn longest(settings: &Settings) -> u32 {
    let rows = settings.max_pixels / u64::from(FAX_WIDTH);
    u32::try_from(rows).unwrap_or(u32::MAX).max(1)
}

/// All pages of a file of which our reader knows no page.
fn pictures(bytes: &[u8], settings: &Settings) -> Result<Vec<Page>, BadDocument> {
    let mut decoder = decoder(bytes, settings)?;
    let mut pages = Vec::new();
    loop {
        if pages.len() >= settings.max_pages as usize {
            let limit = settings.max_pages;
            return Err(BadDocument::TooManyPages { limit });
        }
        pages.push(picture(&mut decoder, settings)?);
        if !decoder.more_images() {
            return Ok(pages);
        }
        decoder.next_image().map_err(unreadable)?;
    }
}

type Tiff<'a> = Decoder<Cursor<&'a [u8]>>;

fn decoder<'a>(bytes: &'a [u8], settings: &Settings) -> Result<Tiff<'a>, BadDocument> {
    let mut limits = Limits::default();
    let most = usize::try_from(settings.max_pixels).unwrap_or(usize::MAX);
    limits.decoding_buffer_size = most.saturating_mul(8);
    limits.intermediate_buffer_size = most.saturating_mul(8);
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(unreadable)?;
    Ok(decoder.with_limits(limits))
}

/// The picture at which the decoder stands, on a page.
fn picture(decoder: &mut Tiff<'_>, settings: &Settings) -> Result<Page, BadDocument> {
    let (width, height) = decoder.dimensions().map_err(unreadable)?;
    if u64::from(width) * u64::from(height) > settings.max_pixels {
        let limit = settings.max_pixels;
        return Err(BadDocument::TooManyPixels { limit });
    }
    let dpi = resolution(decoder);
    let colours = decoder.colortype().map_err(unreadable)?;
    let samples: Vec<u8> = match decoder.read_image().map_err(unreadable)? {
        DecodingResult::U8(samples) => samples,
        // The upper half of a sample is all that black and white needs.
        DecodingResult::U16(samples) => samples.iter().map(|v| (v >> 8) as u8).collect(),
        DecodingResult::U32(_)
        | DecodingResult::U64(_)
        | DecodingResult::F16(_)
        | DecodingResult::F32(_)
        | DecodingResult::F64(_)
        | DecodingResult::I8(_)
        | DecodingResult::I16(_)
        | DecodingResult::I32(_)
        | DecodingResult::I64(_) => return Err(BadDocument::NotReadable),
    };
    let shades = shades(colours, width as usize, &samples).ok_or(BadDocument::NotReadable)?;
    let gray = Gray::from_pixels(width, height, shades).ok_or(BadDocument::NotReadable)?;
    let place = place((width, height), dpi, settings)?;
    Ok(place.gray(&gray, settings.resolution))
}

/// Dots an inch along and across rows, as the file says.
fn resolution(decoder: &mut Tiff<'_>) -> (f64, f64) {
    let unit = decoder.get_tag_u32(Tag::ResolutionUnit).unwrap_or(2);
    let per_inch = if unit == CENTIMETRES { 2.54 } else { 1.0 };
    let mut dpi = |tag| match decoder.get_tag(tag) {
        Ok(::tiff::decoder::ifd::Value::Rational(dots, inches)) if dots > 0 && inches > 0 => {
            f64::from(dots) / f64::from(inches) * per_inch
        }
        Ok(_) | Err(_) => UNTOLD_DPI,
    };
    (dpi(Tag::XResolution), dpi(Tag::YResolution))
}

/// The place of a picture of this many pixels; it may be enlarged to fill the page.
fn place(
    (width, height): (u32, u32),
    (x_dpi, y_dpi): (f64, f64),
    settings: &Settings,
) -> Result<Place, BadDocument> {
    let (width, height) = (f64::from(width) / x_dpi, f64::from(height) / y_dpi);
    Place::of(width, height, f64::MAX, settings.resolution).ok_or(BadDocument::NotReadable)
}

/// One grey pixel for each pixel of these colours; `None` for colours that are not known here.
fn shades(colours: ColorType, width: usize, samples: &[u8]) -> Option<Vec<u8>> {
    let mix = |pixel: &[u8], alpha: bool| match *pixel {
        [r, g, b, a] if alpha => on_white(luma(r, g, b), a),
        [r, g, b, k] => luma(under_black(r, k), under_black(g, k), under_black(b, k)),
        [r, g, b] => luma(r, g, b),
        [light, a] => on_white(light, a),
        [light] => light,
        _ => 255,
    };
    let pixels = |size, alpha| {
        let pixels = samples.chunks_exact(size);
        Some(pixels.map(|pixel| mix(pixel, alpha)).collect())
    };
    match colours {
        ColorType::Gray(8 | 16) => pixels(1, false),
        ColorType::Gray(bits @ (1 | 2 | 4)) => Some(unpacked(samples, width, bits)),
        ColorType::GrayA(8 | 16) => pixels(2, true),
        ColorType::RGB(8 | 16) | ColorType::YCbCr(8) => pixels(3, false),
        ColorType::RGBA(8 | 16) => pixels(4, true),
        ColorType::CMYK(8 | 16) => pixels(4, false),
        ColorType::CMYK(_)
        | ColorType::CMYKA(_)
        | ColorType::Gray(_)
        | ColorType::GrayA(_)
        | ColorType::Lab(_)
        | ColorType::Multiband { .. }
        | ColorType::Palette(_)
        | ColorType::RGB(_)
        | ColorType::RGBA(_)
        | ColorType::YCbCr(_)
        | _ => None,
    }
}

/// Pixels of 1, 2 or 4 bits, each row beginning on a byte.
fn unpacked(samples: &[u8], width: usize, bits: u8) -> Vec<u8> {
    let per_byte = usize::from(8 / bits);
    let most = 255_u8 >> (8 - bits);
    let rows = samples.chunks_exact(width.div_ceil(per_byte).max(1));
    let row = |row: &[u8]| -> Vec<u8> {
        let shade = |x: usize| {
            let byte = row.get(x / per_byte).copied().unwrap_or(0);
            let shift = 8 - bits * (1 + (x % per_byte) as u8);
            ((byte >> shift) & most) * (255 / most)
        };
        (0..width).map(shade).collect()
    };
    rows.flat_map(row).collect()
}

fn unreadable<E>(_: E) -> BadDocument {
    BadDocument::NotReadable
}

#[cfg(test)]
mod tests {
    use ::tiff::encoder::Compression;
    use ::tiff::encoder::DeflateLevel;
    use ::tiff::encoder::TiffEncoder;
    use ::tiff::encoder::colortype;
    use faxpage::Bitmap;

    use super::*;
    use crate::fax::Resolution;
    use crate::render::samples::settings;

    fn scan(width: u32, height: u32, x_dpi: u32, y_dpi: u32) -> Page {
        let mut bitmap = Bitmap::new(width, height);
        for (x, y) in (0..width / 2).flat_map(|x| (0..height / 2).map(move |y| (x, y))) {
            bitmap.set(x, y, true);
        }
        Page {
            bitmap,
            x_dpi,
            y_dpi,
        }
    }

    fn read(stored: &[Page]) -> Vec<Page> {
        pages(&faxpage::write_tiff(stored), &settings()).unwrap()
    }

    type Encoder<'a> = TiffEncoder<&'a mut Cursor<Vec<u8>>>;

    fn encoded(write: impl FnOnce(&mut Encoder<'_>)) -> Vec<u8> {
        encoded_with(Compression::Uncompressed, write)
    }

    fn encoded_with(compression: Compression, write: impl FnOnce(&mut Encoder<'_>)) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let encoder = TiffEncoder::new(&mut bytes).unwrap();
        write(&mut encoder.with_compression(compression));
        bytes.into_inner()
    }

    #[test]
    fn a_fax_keeps_every_pixel_whatever_its_length() {
        let stored = [scan(1728, 1000, 204, 196), scan(1728, 2300, 204, 196)];
        assert_eq!(read(&stored), stored);
    }

    #[test]
    fn a_fax_of_another_resolution_gets_the_rows_of_this_one() {
        for (y_dpi, rows) in [(98, 1146), (391, 4584)] {
            let page = &read(&[scan(1728, rows, 204, y_dpi)])[0];
            let size = (page.bitmap.width(), page.y_dpi);
            assert_eq!(size, (1728, 196));
            assert!(
                page.bitmap.height().abs_diff(2292) < 10,
                "{}",
                page.bitmap.height()
            );
        }
        let wide = &read(&[scan(2048, 2750, 204, 196)])[0];
        assert_eq!((wide.bitmap.width(), wide.bitmap.height()), (1728, 2320));
    }

    #[test]
    fn a_scan_of_an_office_machine_is_fitted_to_the_page() {
        let page = &read(&[scan(2480, 3508, 300, 300)])[0];
        assert_eq!((page.bitmap.width(), page.bitmap.height()), (1728, 2292));
        assert!(page.bitmap.get(100, 1000) && !page.bitmap.get(1000, 1000));
        let turned = &read(&[scan(3508, 2480, 300, 300)])[0];
        assert!(turned.bitmap.get(1600, 100) && !turned.bitmap.get(100, 100));
    }

    #[test]
    fn grey_and_colours_become_pages_one_each() {
        let (dark, light) = (vec![0; 300 * 400], vec![255; 300 * 400 * 3]);
        let bytes = encoded(|tiff| {
            tiff.write_image::<colortype::Gray8>(300, 400, &dark)
                .unwrap();
            tiff.write_image::<colortype::RGB8>(300, 400, &light)
                .unwrap();
        });
        let pages = pages(&bytes, &settings()).unwrap();
        assert_eq!(pages.len(), 2);
        assert!(pages[0].bitmap.black_pixels() > 3_000_000);
        assert_eq!(pages[1].bitmap.black_pixels(), 0);
    }

    #[test]
    fn packed_pictures_are_unpacked() {
        let pixels: Vec<u8> = (0..300 * 400)
            .map(|i| if i % 300 < 150 { 0 } else { 255 })
            .collect();
        let packed = |compression| {
            let bytes = encoded_with(compression, |tiff| {
                tiff.write_image::<colortype::Gray8>(300, 400, &pixels)
                    .unwrap();
            });
            pages(&bytes, &settings()).unwrap().remove(0)
        };
        let plain = packed(Compression::Uncompressed);
        assert!(plain.bitmap.get(100, 500) && !plain.bitmap.get(1600, 500));
        for compression in [
            Compression::Lzw,
            Compression::Deflate(DeflateLevel::Fast),
            Compression::Packbits,
        ] {
            assert_eq!(packed(compression), plain);
        }
    }

    #[test]
    fn colours_have_the_brightness_the_eye_sees() {
        let one = |colours, samples: &[u8]| shades(colours, 1, samples).unwrap()[0];
        assert_eq!(one(ColorType::RGB(8), &[255, 255, 255]), 255);
        assert_eq!(one(ColorType::CMYK(8), &[0, 0, 0, 255]), 0);
        assert_eq!(one(ColorType::CMYK(8), &[0, 0, 0, 0]), 255);
        assert_eq!(one(ColorType::RGBA(8), &[0, 0, 0, 0]), 255);
        assert_eq!(one(ColorType::GrayA(8), &[0, 255]), 0);
        assert!(one(ColorType::RGB(8), &[0, 255, 0]) > one(ColorType::RGB(8), &[0, 0, 255]));
        assert_eq!(unpacked(&[0b1011_0000], 4, 1), [255, 0, 255, 255]);
        assert_eq!(unpacked(&[0x0f, 0xf0], 3, 4), [0, 255, 255]);
    }

    #[test]
    fn limits_hold_for_both_readers() {
        let two = [scan(1728, 10, 204, 196), scan(1728, 10, 204, 196)];
        let one_page = Settings {
            max_pages: 1,
            ..settings()
        };
        let refused = Err(BadDocument::TooManyPages { limit: 1 });
        assert_eq!(pages(&faxpage::write_tiff(&two), &one_page), refused);
        let few = Settings {
            max_pixels: 1000,
            resolution: Resolution::Fine,
            ..settings()
        };
        let refused = Err(BadDocument::TooManyPixels { limit: 1000 });
        assert_eq!(pages(&faxpage::write_tiff(&two), &few), refused);
        let gray = encoded(|tiff| {
            let pixels = vec![0; 100 * 100];
            tiff.write_image::<colortype::Gray8>(100, 100, &pixels)
                .unwrap();
        });
        assert_eq!(pages(&gray, &few), refused);
    }

    #[test]
    fn what_is_no_tiff_or_ends_early_is_not_readable() {
        let whole = faxpage::write_tiff(&[scan(1728, 1000, 204, 196)]);
        for bytes in [
            &b""[..],
            b"hello",
            b"II*\0\x08\0\0\0",
            &whole[..whole.len() / 2],
        ] {
            assert_eq!(pages(bytes, &settings()), Err(BadDocument::NotReadable));
        }
    }
}
