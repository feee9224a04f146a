//! Grey becomes black and white, so that text stays sharp, photographs stay pictures and the page
//! stays short on the line.

mod blocks;
mod diffusion;
mod paper;
mod photo;
mod screen;
mod tint;

use crate::bitmap::Bitmap;
use crate::gray::Gray;

use blocks::BLOCK;
use blocks::Blocks;
use photo::PhotoMap;
use tint::Thresholds;

/// What is at least as light as this is white where no dots are made.
///
/// Well above the middle: the thin strokes of small letters cover a third of a pixel and would
/// vanish at 140.
const LIGHT: u8 = 160;

/// How grey is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rendering {
    /// Paper becomes white, photographs a screen of dots, all else black or white.
    #[default]
    Standard,
    /// Everything is black or white: shortest, photographs become blots.
    Threshold,
    /// Error diffusion everywhere: best photographs, many times the time on the line.
    Diffusion,
}

/// The page in black and white.
pub fn to_bitmap(page: &Gray, rendering: Rendering) -> Bitmap {
    match rendering {
        Rendering::Standard => standard(page),
        Rendering::Threshold => threshold(page, LIGHT),
        Rendering::Diffusion => diffusion::diffuse(page),
    }
}

fn standard(page: &Gray) -> Bitmap {
    let page = paper::whitened(page);
    let blocks = Blocks::of(&page);
    let photos = PhotoMap::of(&blocks);
    let lights = Thresholds::of(&page, &blocks, &photos);
    let mut bitmap = Bitmap::new(page.width(), page.height());
    for y in 0..page.height() {
        let bytes = bitmap.row_mut(y).chunks_mut(BLOCK / 8);
        let pixels = page.row(y).chunks(BLOCK);
        for ((bytes, pixels), light) in bytes.zip(pixels).zip(lights.row(y)) {
            darken(bytes, pixels, *light);
        }
    }
    if !photos.is_empty() {
        screen::apply(&page, &photos, &mut bitmap);
    }
    bitmap
}

/// Black where a pixel is darker than `light`.
pub fn threshold(page: &Gray, light: u8) -> Bitmap {
    let mut bitmap = Bitmap::new(page.width(), page.height());
    for y in 0..page.height() {
        darken(bitmap.row_mut(y), page.row(y), light);
    }
    bitmap
}

/// Sets the bits of the pixels that are darker than `light`.
#[inline(always)]
fn darken(bytes: &mut [u8], pixels: &[u8], light: u8) {
    let (eights, rest) = pixels.as_chunks::<8>();
    for (byte, eight) in bytes.iter_mut().zip(eights) {
        *byte = darker(*eight, light);
    }
    if let (false, Some(byte)) = (rest.is_empty(), bytes.last_mut()) {
        let mut eight = [255; 8];
        eight[..rest.len()].copy_from_slice(rest);
        *byte = darker(eight, light);
    }
}

/// A bit for each of eight pixels, set where it is darker than `light`.
///
/// All eight are compared in one 64 bit word: the lower seven bits of each byte by a subtraction
/// that cannot borrow from the next byte, the highest by themselves. The product then gathers the
/// eight answers in its highest byte.
#[inline(always)]
fn darker(eight: [u8; 8], light: u8) -> u8 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let pixels = u64::from_be_bytes(eight);
    let limit = u64::from_ne_bytes([light; 8]);
    let lower_reaches = (pixels | HIGH) - (limit & !HIGH);
    let less = (!pixels & limit) | (!(pixels ^ limit) & !lower_reaches);
    (((less & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Rendering; 3] = [
        Rendering::Standard,
        Rendering::Threshold,
        Rendering::Diffusion,
    ];

    fn flat(level: u8) -> Gray {
        let mut page = Gray::new(203, 197);
        page.pixels_mut().fill(level);
        page
    }

    /// How dark a region is: 0 white to 255 black, as an eye at a distance sees it.
    fn darkness(bitmap: &Bitmap, (x0, y0): (u32, u32), (x1, y1): (u32, u32)) -> f64 {
        let black = (y0..y1)
            .flat_map(|y| (x0..x1).map(move |x| (x, y)))
            .filter(|(x, y)| bitmap.get(*x, *y))
            .count();
        black as f64 * 255.0 / f64::from((x1 - x0) * (y1 - y0))
    }

    #[test]
    fn white_stays_white_and_black_stays_black() {
        for rendering in ALL {
            assert_eq!(to_bitmap(&flat(255), rendering).black_pixels(), 0);
            assert_eq!(to_bitmap(&flat(0), rendering).black_pixels(), 203 * 197);
        }
    }

    #[test]
    fn an_empty_page_stays_empty() {
        for rendering in ALL {
            assert_eq!(to_bitmap(&Gray::new(0, 0), rendering), Bitmap::new(0, 0));
        }
    }

    #[test]
    fn diffused_grey_is_as_dark_as_the_grey() {
        for level in [10, 64, 128, 200, 250] {
            let seen = darkness(
                &to_bitmap(&flat(level), Rendering::Diffusion),
                (0, 0),
                (203, 197),
            );
            assert!(
                (seen - f64::from(255 - level)).abs() < 4.0,
                "{level}: {seen}"
            );
        }
    }

    /// A page of text-like strokes with a photograph in its middle: from dark to light, with texture.
    fn page_with_photo() -> Gray {
        let mut page = Gray::new(1000, 1000);
        for y in (20..980).step_by(20) {
            for x in 20..980 {
                page.set(x, y, 0);
            }
        }
        for y in 300..700 {
            for x in 300..700 {
                let texture = if (x / 16 + y / 16) % 2 == 0 { 0 } else { 60 };
                page.set(x, y, (25 + (x - 300) / 3 + texture) as u8);
            }
        }
        page
    }

    #[test]
    fn a_photograph_is_screened_as_dark_as_it_is_and_text_stays_sharp() {
        let page = page_with_photo();
        let bitmap = to_bitmap(&page, Rendering::Standard);
        for x in [304, 368, 432, 496, 560, 624] {
            let grey = 25.0 + f64::from(x + 32 - 300) / 3.0 + 30.0;
            let seen = darkness(&bitmap, (x, 400), (x + 64, 592));
            assert!((seen - (255.0 - grey)).abs() < 8.0, "{x}: {grey} {seen}");
        }
        for x in 20..980 {
            assert!(bitmap.get(x, 20) && !bitmap.get(x, 19) && !bitmap.get(x, 21));
        }
    }

    #[test]
    fn text_on_grey_paper_stands_on_white() {
        let mut page = Gray::new(800, 800);
        for (at, pixel) in page.pixels_mut().iter_mut().enumerate() {
            *pixel = 185 + (at * 7 % 11) as u8;
        }
        for y in 100..104 {
            for x in 100..700 {
                page.set(x, y, 60);
            }
        }
        let bitmap = to_bitmap(&page, Rendering::Standard);
        assert_eq!(bitmap.black_pixels(), 4 * 600);
    }

    #[test]
    fn a_light_tint_behind_a_table_is_dropped() {
        let mut page = Gray::new(800, 800);
        for y in 100..300 {
            for x in 100..700 {
                page.set(x, y, 205);
            }
        }
        assert_eq!(to_bitmap(&page, Rendering::Standard).black_pixels(), 0);
    }

    /// A grey bar with strokes of another level on it, two pixels wide, as letters have them.
    fn bar(tint: u8, stroke: u8) -> Gray {
        let mut page = Gray::new(800, 400);
        for y in 101..144 {
            for x in 103..703 {
                let letter = (115..130).contains(&y) && x > 120 && x < 600 && x % 9 < 2;
                page.set(x, y, if letter { stroke } else { tint });
            }
        }
        page
    }

    #[test]
    fn letters_on_any_tint_stay_readable() {
        for tint in (60..=200).step_by(10) {
            for stroke in [0_u8, 255] {
                if stroke.abs_diff(tint) < 60 {
                    continue;
                }
                let page = bar(tint, stroke);
                let bitmap = to_bitmap(&page, Rendering::Standard);
                for y in 101..144 {
                    for x in 103..703 {
                        let expected = (page.get(x, y) == stroke) == (stroke == 0);
                        assert_eq!(bitmap.get(x, y), expected, "{stroke} on {tint} at {x}, {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_of_different_tints_are_not_a_photograph() {
        let mut page = Gray::new(800, 800);
        for y in 100..600 {
            for x in 100..700 {
                let letter = y % 40 > 12 && y % 40 < 26 && x % 11 < 2;
                let tint = [210, 170, 120][y as usize / 40 % 3];
                page.set(x, y, if letter { 0 } else { tint });
            }
        }
        let bitmap = to_bitmap(&page, Rendering::Standard);
        for y in 130..570 {
            for x in 130..670 {
                assert_eq!(bitmap.get(x, y), page.get(x, y) == 0, "{x}, {y}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_page_keeps_its_size_and_clean_padding(
            (width, height) in (0u32..150, 0u32..120),
            levels in proptest::collection::vec(any::<u8>(), 1..300),
        ) {
            let pixels = levels.iter().flat_map(|level| [*level; 60]).cycle();
            let pixels = pixels.take((width * height) as usize).collect();
            let page = Gray::from_pixels(width, height, pixels).unwrap();
            for rendering in ALL {
                let bitmap = to_bitmap(&page, rendering);
                prop_assert_eq!((bitmap.width(), bitmap.height()), (width, height));
                let cleaned = Bitmap::from_bits(width, height, bitmap.bits().to_vec());
                prop_assert_eq!(cleaned, Some(bitmap));
            }
        }

        #[test]
        fn eight_pixels_at_once_agree_with_one_by_one(
            pixels in proptest::collection::vec(any::<u8>(), 1..40),
            light: u8,
        ) {
            let page = Gray::from_pixels(pixels.len() as u32, 1, pixels.clone()).unwrap();
            let bitmap = threshold(&page, light);
            for (x, pixel) in (0..).zip(&pixels) {
                prop_assert_eq!(bitmap.get(x, 0), *pixel < light);
            }
            let padding = bitmap.stride() * 8 - pixels.len();
            prop_assert_eq!(bitmap.bits()[bitmap.stride() - 1] & !(0xFF_u8 << padding), 0);
        }
    }
}
