//! PNG and JPEG images become pages.

use std::io::Cursor;

use ::image::DynamicImage;
use ::image::ImageDecoder;
use ::image::ImageFormat;
use ::image::ImageReader;
use ::image::Limits;
use ::image::metadata::Orientation;
use faxpage::Gray;
use faxpage::Page;

use super::BadDocument;
use super::convert::Settings;
use super::fit::Place;
use super::shade::on_white;

/// An image is never shown larger than at this many pixels an inch.
const COARSEST: f64 = 72.0;
/// Bytes of the widest pixel: four channels of 16 bits.
const WIDEST_PIXEL: u64 = 8;

/// The image on one page, as large as fits, turned if it is wider than high. What it was named does
/// not matter: its first bytes say whether it is PNG or JPEG.
pub(super) fn pages(bytes: &[u8], settings: &Settings) -> Result<Vec<Page>, BadDocument> {
    if settings.max_pages == 0 {
        return Err(BadDocument::TooManyPages { limit: 0 });
    }
    let picture = gray(decode(bytes, settings.max_pixels)?);
    let inches = |pixels: u32| f64::from(pixels) / COARSEST;
    let (width, height) = (inches(picture.width()), inches(picture.height()));
    let place = Place::of(width, height, 1.0, settings.resolution);
    let place = place.ok_or(BadDocument::NotReadable)?;
    Ok(vec![place.gray(&picture, settings.resolution)])
}

/// The image upright. Its size is read first and nothing is decoded if that is too large.
fn decode(bytes: &[u8], max_pixels: u64) -> Result<DynamicImage, BadDocument> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| BadDocument::NotReadable)?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg) => {}
        Some(_) | None => return Err(BadDocument::NotReadable),
    }
    let mut decoder = reader
        .into_decoder()
        .map_err(|_| BadDocument::NotReadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(BadDocument::TooManyPixels { limit: max_pixels });
    }
    let mut limits = Limits::default();
    // Besides the pixels, decoders keep rows and tables.
    limits.max_alloc = Some(max_pixels * WIDEST_PIXEL + (64 << 20));
    decoder
        .set_limits(limits)
        .map_err(|_| BadDocument::TooLarge)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|_| BadDocument::NotReadable)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The image on white paper: what is transparent is white.
fn gray(image: DynamicImage) -> Gray {
    let (width, height) = (image.width(), image.height());
    let pixels = if image.color().has_alpha() {
        let pixels = image.into_luma_alpha8();
        pixels
            .pixels()
            .map(|pixel| on_white(pixel.0[0], pixel.0[1]))
            .collect()
    } else {
        image.into_luma8().into_raw()
    };
    Gray::from_pixels(width, height, pixels).unwrap_or_else(|| Gray::new(width, height))
}

#[cfg(test)]
mod tests {
    use ::image::GrayAlphaImage;
    use ::image::GrayImage;
    use ::image::Luma;
    use ::image::LumaA;

    use super::*;
    use crate::render::samples;

    fn settings() -> Settings {
        samples::settings()
    }

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_tall_image_fills_the_page() {
        let black = GrayImage::from_pixel(864, 1000, Luma([0]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let pages = pages(&encoded(black.clone(), format), &settings()).unwrap();
            assert_eq!(pages.len(), 1);
            let bitmap = &pages[0].bitmap;
            assert_eq!((bitmap.width(), bitmap.height()), (1728, 2292));
            assert!(bitmap.get(0, 1000) && bitmap.get(1727, 1000));
        }
    }

    #[test]
    fn a_wide_image_is_turned_to_the_right() {
        let mut image = GrayImage::from_pixel(800, 400, Luma([255]));
        // A mark at the upper left corner ends at the upper right one.
        for (x, y) in (0..80).flat_map(|x| (0..80).map(move |y| (x, y))) {
            image.put_pixel(x, y, Luma([0]));
        }
        let page = &pages(&encoded(image, ImageFormat::Png), &settings()).unwrap()[0];
        let place = Place::of(800.0 / 72.0, 400.0 / 72.0, 1.0, settings().resolution).unwrap();
        assert!(place.turned);
        let (right, top) = (place.left + place.width, place.top);
        assert!(page.bitmap.get(right - 20, top + 20));
        assert!(!page.bitmap.get(place.left + 20, top + 20));
    }

    /// The JPEG with a note that it must be turned a quarter to the right (Exif orientation 6).
    fn lying(jpeg: &[u8]) -> Vec<u8> {
        let mut note = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
        note.extend([0; 4]);
        let length = u16::try_from(note.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &note, &jpeg[2..]].concat()
    }

    #[test]
    fn a_photograph_taken_with_the_camera_on_its_side_is_put_upright() {
        // Black on the left; after a quarter to the right, black on top.
        let image = GrayImage::from_fn(1000, 700, |x, _| Luma([if x < 500 { 0 } else { 255 }]));
        let jpeg = lying(&encoded(image, ImageFormat::Jpeg));
        let upright = decode(&jpeg, settings().max_pixels).unwrap();
        assert_eq!((upright.width(), upright.height()), (700, 1000));
        let page = &pages(&jpeg, &settings()).unwrap()[0];
        assert!(page.bitmap.get(800, 300) && !page.bitmap.get(800, 1800));
    }

    #[test]
    fn what_is_transparent_is_white() {
        let clear = GrayAlphaImage::from_pixel(300, 300, LumaA([0, 0]));
        let page = &pages(&encoded(clear, ImageFormat::Png), &settings()).unwrap()[0];
        assert_eq!(page.bitmap.black_pixels(), 0);
        let solid = GrayAlphaImage::from_pixel(300, 300, LumaA([0, 255]));
        let page = &pages(&encoded(solid, ImageFormat::Png), &settings()).unwrap()[0];
        assert!(page.bitmap.black_pixels() > 600_000);
    }

    #[test]
    fn an_image_with_too_many_pixels_is_refused_before_it_is_decoded() {
        // The header of a 20,000 by 20,000 image, and not one pixel.
        let bytes = samples::png_claiming(20_000, 20_000);
        assert_eq!(
            pages(&bytes, &settings()),
            Err(BadDocument::TooManyPixels {
                limit: settings().max_pixels
            })
        );
    }

    #[test]
    fn what_is_no_image_or_ends_early_is_not_readable() {
        let whole = encoded(GrayImage::from_pixel(64, 64, Luma([9])), ImageFormat::Png);
        for bytes in [
            &b""[..],
            b"hello",
            b"GIF89a\x01\0\x01\0",
            &whole[..whole.len() / 2],
        ] {
            assert_eq!(pages(bytes, &settings()), Err(BadDocument::NotReadable));
        }
    }

    #[test]
    fn an_image_needs_room_for_a_page() {
        let full = Settings {
            max_pages: 0,
            ..settings()
        };
        let image = encoded(GrayImage::new(8, 8), ImageFormat::Png);
        assert_eq!(
            pages(&image, &full),
            Err(BadDocument::TooManyPages { limit: 0 })
        );
    }
}
