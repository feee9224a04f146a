//! Clustered dots: grey as dots of different size at 45 degrees. Their long runs code far shorter
//! than scattered pixels and survive a bad line.

use super::blocks::BLOCK;
use super::photo::PhotoMap;
use crate::bitmap::Bitmap;
use crate::gray::Gray;

/// The order in which the pixels of an 8 by 8 cell turn black as it gets darker: two dots that grow
/// from the corners and the middle, ranked by `cos(x + y) + cos(x - y)` over one period.
const ORDER: [[u8; 8]; 8] = [
    [5, 17, 54, 62, 60, 48, 23, 7],
    [19, 29, 38, 52, 50, 36, 31, 21],
    [45, 35, 24, 10, 12, 26, 33, 43],
    [59, 47, 8, 0, 2, 14, 41, 57],
    [61, 49, 22, 6, 4, 16, 55, 63],
    [51, 37, 30, 20, 18, 28, 39, 53],
    [13, 27, 32, 42, 44, 34, 25, 11],
    [3, 15, 40, 56, 58, 46, 9, 1],
];

/// Screens the blocks of `page` that are photographs into `bitmap`.
pub(super) fn apply(page: &Gray, photos: &PhotoMap, bitmap: &mut Bitmap) {
    for y in 0..page.height() {
        let order = &ORDER[y as usize % 8];
        let blocks = page.row(y).chunks(BLOCK);
        let bytes = bitmap.row_mut(y).chunks_mut(BLOCK / 8);
        for ((pixels, bytes), is_photo) in blocks.zip(bytes).zip(photos.row(y)) {
            if *is_photo {
                for (byte, eight) in bytes.iter_mut().zip(pixels.chunks(8)) {
                    *byte = dots(eight, order);
                }
            }
        }
    }
}

/// Eight pixels through one row of the cell.
fn dots(eight: &[u8], order: &[u8; 8]) -> u8 {
    let bits = eight.iter().zip(order).enumerate();
    bits.fold(0, |byte, (at, (pixel, rank))| {
        // 64 levels: rank 0 is black below 254, rank 63 below 2.
        let black = *pixel < 254 - rank * 4;
        byte | (u8::from(black) << (7 - at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_occurs_once() {
        let mut ranks: Vec<u8> = ORDER.iter().flatten().copied().collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (0..64).collect::<Vec<u8>>());
    }
}
