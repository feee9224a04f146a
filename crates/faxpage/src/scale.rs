//! Other sizes: area averages down, linear interpolation up, each direction on its own.

use crate::bitmap::Bitmap;
use crate::gray::Gray;

/// One in the fixed point numbers of weights.
const ONE: u64 = 1 << 16;

/// Of 255: a pixel of line art covered more than this is black. A little below one half, because
/// fax paper forgives bold letters and not thin ones.
const COVERED: u8 = 115;

/// The picture at `width` by `height` pixels. An empty picture becomes a white one.
pub fn gray(picture: &Gray, width: u32, height: u32) -> Gray {
    if (picture.width(), picture.height()) == (width, height) {
        return picture.clone();
    }
    let mut scaled = Gray::new(width, height);
    let sizes = (picture.width(), picture.height());
    resample(
        sizes,
        (width, height),
        |y, row| row.copy_from_slice(picture.row(y)),
        |y, row| scaled.row_mut(y).copy_from_slice(row),
    );
    scaled
}

/// Line art at `width` by `height` pixels: thin strokes stay, one pixel wide, however much smaller
/// it becomes. An empty bitmap becomes a white one.
///
/// Averaging alone would lose a line that covers a third of a pixel. Besides what is well covered,
/// a pixel is therefore black where coverage has a crest between two light neighbours and a one
/// pixel line of the original, at its worst position, would cover as much. Thick strokes have no
/// crest beside them, so they do not grow.
pub fn bitmap(art: &Bitmap, width: u32, height: u32) -> Bitmap {
    if (art.width(), art.height()) == (width, height) {
        return art.clone();
    }
    let mut scaled = Bitmap::new(width, height);
    let crest = (
        crest_floor(art.width(), width),
        crest_floor(art.height(), height),
    );
    // Three rows of coverage: one decides with the rows above and below it in view.
    let mut rows = [(); 3].map(|()| vec![0; width as usize]);
    resample(
        (art.width(), art.height()),
        (width, height),
        |y, row| unpack(art.row(y), row),
        |y, row| {
            rows.rotate_left(1);
            rows[2].copy_from_slice(row);
            if let Some(above) = y.checked_sub(1) {
                decide(&rows, crest, scaled.row_mut(above));
            }
        },
    );
    rows.rotate_left(1);
    rows[2].fill(0);
    if let Some(last) = height.checked_sub(1) {
        decide(&rows, crest, scaled.row_mut(last));
    }
    scaled
}

/// The least coverage of a crest that a one pixel line makes; none where nothing shrinks.
fn crest_floor(from: u32, to: u32) -> u8 {
    if from <= to {
        return u8::MAX;
    }
    // Split evenly between two pixels, half of `to / from` falls on each; 5 % for rounding.
    (u64::from(to) * 121 / u64::from(from)).max(1) as u8
}

/// Decides the middle row of coverage.
fn decide(rows: &[Vec<u8>; 3], crest: (u8, u8), out: &mut [u8]) {
    let [above, row, below] = rows;
    let at = |row: &[u8], x: usize| row.get(x).copied().unwrap_or(0);
    for (x, &cover) in row.iter().enumerate() {
        if cover == 0 {
            continue;
        }
        let is_crest = |floor: u8, before: u8, after: u8| {
            cover >= floor
                && before < COVERED
                && after < COVERED
                && cover > before
                && cover >= after
        };
        let left = if x == 0 { 0 } else { at(row, x - 1) };
        let black = cover >= COVERED
            || is_crest(crest.0, left, at(row, x + 1))
            || is_crest(crest.1, at(above, x), at(below, x));
        if let (true, Some(byte)) = (black, out.get_mut(x / 8)) {
            *byte |= 0x80 >> (x % 8);
        }
    }
}

/// Bits to bytes: 255 for black.
fn unpack(bits: &[u8], row: &mut [u8]) {
    for (eight, byte) in row.chunks_mut(8).zip(bits) {
        for (at, pixel) in eight.iter_mut().enumerate() {
            *pixel = if byte & (0x80 >> at) == 0 { 0 } else { 255 };
        }
    }
}

/// Which pixels of the original make one pixel, and how much of each.
struct Share {
    first: usize,
    weights: Vec<u32>,
}

/// Reads rows of `from` pixels with `read`, each at most once and in order, and gives those of the
/// new size to `write`, in order.
///
/// Rows are added up at the smaller of both widths, so that a column of a million pixels is not
/// first made as wide as a page.
fn resample(
    from: (u32, u32),
    to: (u32, u32),
    mut read: impl FnMut(u32, &mut [u8]),
    mut write: impl FnMut(u32, &[u8]),
) {
    if from.0 == 0 || from.1 == 0 || to.0 == 0 {
        return;
    }
    let across: Vec<Share> = (0..to.0).map(|x| share(x, from.0, to.0)).collect();
    let shrinks = to.0 < from.0;
    let narrow = from.0.min(to.0) as usize;
    let mut original = vec![0; from.0 as usize];
    // Two rows are enough: neighbours share at most two rows of the original.
    let mut held = [(); 2].map(|()| (usize::MAX, vec![0; narrow]));
    let mut sums = vec![0_u32; narrow];
    let mut row = vec![0; narrow];
    let mut wide = vec![0; to.0 as usize];
    for y in 0..to.1 {
        let down = share(y, from.1, to.1);
        sums.fill(0);
        for (at, weight) in (down.first..).zip(&down.weights) {
            let (number, pixels) = &mut held[at % 2];
            if *number != at {
                // A row number: it came from a u32.
                if shrinks {
                    read(at as u32, &mut original);
                    spread(&original, &across, pixels);
                } else {
                    read(at as u32, pixels);
                }
                *number = at;
            }
            for (sum, pixel) in sums.iter_mut().zip(pixels.iter()) {
                *sum += weight * u32::from(*pixel);
            }
        }
        for (pixel, sum) in row.iter_mut().zip(&sums) {
            *pixel = rounded(*sum);
        }
        if shrinks {
            write(y, &row);
        } else {
            spread(&row, &across, &mut wide);
            write(y, &wide);
        }
    }
}

/// A row at its new width.
fn spread(original: &[u8], across: &[Share], row: &mut [u8]) {
    for (pixel, share) in row.iter_mut().zip(across) {
        let under = original.get(share.first..).unwrap_or_default();
        let sum = share.weights.iter().zip(under);
        *pixel = rounded(sum.map(|(weight, value)| weight * u32::from(*value)).sum());
    }
}

fn rounded(sum: u32) -> u8 {
    ((sum + (1 << 15)) >> 16) as u8
}

/// What makes pixel `at` of `to` out of `from`: the weights add up to one exactly.
fn share(at: u32, from: u32, to: u32) -> Share {
    let (at, from, to) = (u64::from(at), u64::from(from), u64::from(to));
    if from <= to {
        return interpolated(at, from, to);
    }
    // In units of 1/to of an original pixel: the new pixel covers start..start + from, original
    // pixel k covers k * to..(k + 1) * to. Rounding the running sum keeps the total exact.
    let (start, end) = (at * from, (at + 1) * from);
    let (first, last) = (start / to, end.div_ceil(to));
    let until = |k: u64| ((k * to).clamp(start, end) - start) * ONE / from;
    let weights = (first..last).map(|k| (until(k + 1) - until(k)) as u32);
    Share {
        first: first as usize,
        weights: weights.collect(),
    }
}

/// The two neighbours of the new pixel's middle.
fn interpolated(at: u64, from: u64, to: u64) -> Share {
    let middle = ((2 * at + 1) * from * ONE / (2 * to)).saturating_sub(ONE / 2);
    let middle = middle.min((from - 1) * ONE);
    let right = middle % ONE;
    let mut weights = vec![(ONE - right) as u32];
    if right > 0 {
        weights.push(right as u32);
    }
    Share {
        first: (middle / ONE) as usize,
        weights,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn weights_add_up_to_one_and_stay_inside(from in 1u32..10_000, to in 1u32..10_000, seed: u32) {
            let made = share(seed % to, from, to);
            prop_assert_eq!(made.weights.iter().sum::<u32>(), ONE as u32);
            prop_assert!(made.first + made.weights.len() <= from as usize);
        }

        #[test]
        fn flat_grey_stays_the_same_grey(
            (w, h, to_w, to_h) in (1u32..60, 1u32..60, 1u32..60, 1u32..60),
            level: u8,
        ) {
            let mut flat = Gray::new(w, h);
            flat.pixels_mut().fill(level);
            let scaled = gray(&flat, to_w, to_h);
            prop_assert_eq!((scaled.width(), scaled.height()), (to_w, to_h));
            prop_assert!(scaled.pixels().iter().all(|pixel| *pixel == level));
        }

        #[test]
        fn one_pixel_lines_survive_any_reduction(
            size in 20u32..400,
            part in 0.1f64..1.0,
            place in 0.0f64..1.0,
            upright: bool,
        ) {
            let to = ((f64::from(size) * part) as u32).max(3);
            let line = (f64::from(size - 1) * place) as u32;
            let mut art = Bitmap::new(size, size);
            for at in 0..size {
                if upright { art.set(line, at, true) } else { art.set(at, line, true) }
            }
            let scaled = bitmap(&art, to, to);
            for at in 0..to {
                let black = (0..to)
                    .filter(|across| {
                        if upright { scaled.get(*across, at) } else { scaled.get(at, *across) }
                    })
                    .count();
                prop_assert!((1..=2).contains(&black), "{} black pixels across", black);
            }
        }
    }

    #[test]
    fn halving_averages_four_pixels() {
        let picture = Gray::from_pixels(4, 2, vec![0, 100, 255, 255, 100, 200, 255, 255]).unwrap();
        assert_eq!(gray(&picture, 2, 1).pixels(), [100, 255]);
    }

    #[test]
    fn doubling_keeps_the_ends_and_blends_between_them() {
        let picture = Gray::from_pixels(2, 1, vec![0, 200]).unwrap();
        assert_eq!(gray(&picture, 4, 1).pixels(), [0, 50, 150, 200]);
    }

    #[test]
    fn thick_strokes_keep_their_width_and_gaps_stay_open() {
        let mut art = Bitmap::new(300, 300);
        for y in 0..300 {
            for x in (30..60).chain(66..96) {
                art.set(x, y, true);
            }
        }
        let scaled = bitmap(&art, 100, 100);
        let black: Vec<u32> = (0..100).filter(|x| scaled.get(*x, 50)).collect();
        assert_eq!(black, (10..20).chain(22..32).collect::<Vec<u32>>());
    }

    #[test]
    fn black_stays_black_and_white_stays_white_when_enlarged() {
        let white = Bitmap::new(17, 9);
        assert_eq!(bitmap(&white, 204, 196).black_pixels(), 0);
        assert_eq!(
            bitmap(&white.inverted(), 204, 196).black_pixels(),
            204 * 196
        );
    }

    #[test]
    fn an_empty_picture_becomes_a_white_one() {
        assert_eq!(gray(&Gray::new(0, 0), 3, 1).pixels(), [255; 3]);
        assert_eq!(bitmap(&Bitmap::new(0, 7), 3, 1).black_pixels(), 0);
        assert_eq!(gray(&Gray::new(4, 4), 0, 3).pixels(), []);
    }
}
