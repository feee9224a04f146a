//! Black and white pixels, packed as fax coders and TIFF files want them.

use std::fmt;

/// A rectangle of black and white pixels.
///
/// One bit a pixel, 1 is black, the leftmost pixel in the highest bit; each row starts on a byte and
/// the bits past the width are 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitmap {
    width: u32,
    height: u32,
    bits: Vec<u8>,
}

/// A page of a fax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The pixels.
    pub bitmap: Bitmap,
    /// Dots per inch along a row: 204 for fax.
    pub x_dpi: u32,
    /// Rows per inch: 196 (fine) or 98 (standard) for fax.
    pub y_dpi: u32,
}

impl Bitmap {
    /// A white bitmap. The caller bounds the size: `width * height / 8` bytes are taken.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            bits: vec![0; stride_of(width) * height as usize],
        }
    }

    /// A bitmap of packed rows; `None` if there are not exactly as many bytes as the size needs.
    ///
    /// Bits past the width are cleared.
    pub fn from_bits(width: u32, height: u32, bits: Vec<u8>) -> Option<Self> {
        if stride_of(width).checked_mul(height as usize)? != bits.len() {
            return None;
        }
        let mut bitmap = Self {
            width,
            height,
            bits,
        };
        bitmap.clear_padding();
        Some(bitmap)
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes in a row.
    pub fn stride(&self) -> usize {
        stride_of(self.width)
    }

    /// All rows, one after another.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The bytes of row `y`; empty below the last row.
    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.stride();
        self.bits
            .get(start..start + self.stride())
            .unwrap_or_default()
    }

    /// The bytes of row `y` for writing; empty below the last row. Whoever writes leaves the bits past
    /// the width 0.
    pub fn row_mut(&mut self, y: u32) -> &mut [u8] {
        let stride = self.stride();
        let start = y as usize * stride;
        self.bits.get_mut(start..start + stride).unwrap_or_default()
    }

    /// Whether the pixel is black; outside everything is white.
    pub fn get(&self, x: u32, y: u32) -> bool {
        x < self.width
            && self
                .row(y)
                .get(x as usize / 8)
                .is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0)
    }

    /// Makes the pixel black or white; outside nothing happens.
    pub fn set(&mut self, x: u32, y: u32, black: bool) {
        if x >= self.width {
            return;
        }
        if let Some(byte) = self.row_mut(y).get_mut(x as usize / 8) {
            let bit = 0x80 >> (x % 8);
            *byte = if black { *byte | bit } else { *byte & !bit };
        }
    }

    /// Whether row `y` has no black pixel.
    pub fn is_row_white(&self, y: u32) -> bool {
        self.row(y).iter().all(|byte| *byte == 0)
    }

    /// Copies `other`, black and white, to where its upper left corner is at `(x, y)`. What falls
    /// outside is cut off.
    pub fn blit(&mut self, other: &Self, x: i64, y: i64) {
        let first = y.saturating_neg().clamp(0, i64::from(other.height));
        let last = i64::from(self.height)
            .saturating_sub(y)
            .clamp(first, i64::from(other.height));
        for row in first..last {
            // Both are inside their heights by the clamps above.
            let (from, to) = (row as u32, (row + y) as u32);
            let width = self.width;
            copy_pixels(self.row_mut(to), width, other.row(from), other.width, x);
        }
    }

    /// A copy of `rows` rows starting with row `y`; rows below the last one are white.
    pub fn crop_rows(&self, y: u32, rows: u32) -> Self {
        let mut cut = Self::new(self.width, rows);
        cut.blit(self, 0, -i64::from(y));
        cut
    }

    /// How many pixels are black.
    pub fn black_pixels(&self) -> u64 {
        self.bits
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum()
    }

    /// The same picture with black and white exchanged.
    pub(crate) fn inverted(mut self) -> Self {
        for byte in &mut self.bits {
            *byte = !*byte;
        }
        self.clear_padding();
        self
    }

    fn clear_padding(&mut self) {
        let used = self.width % 8;
        if used == 0 {
            return;
        }
        let mask = !(0xFF_u8 >> used);
        let stride = self.stride();
        for last in self.bits.iter_mut().skip(stride - 1).step_by(stride) {
            *last &= mask;
        }
    }
}

impl fmt::Debug for Bitmap {
    /// The size only: a page has half a megabyte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitmap({}x{})", self.width, self.height)
    }
}

fn stride_of(width: u32) -> usize {
    (width as usize).div_ceil(8)
}

/// Copies a row of `from_width` pixels into one of `to_width` pixels so that it starts at `x`.
fn copy_pixels(to: &mut [u8], to_width: u32, from: &[u8], from_width: u32, x: i64) {
    let start = x.clamp(0, i64::from(to_width));
    let end = x
        .saturating_add(i64::from(from_width))
        .clamp(start, i64::from(to_width));
    let mut at = start;
    while at < end {
        let bit = (at % 8) as u32;
        let take = (8 - i64::from(bit)).min(end - at) as u32;
        let mask = !(0xFF_u8.checked_shr(take).unwrap_or(0)) >> bit;
        let pixels = eight_pixels(from, (at - x) as usize) >> bit;
        if let Some(byte) = to.get_mut((at / 8) as usize) {
            *byte = *byte & !mask | pixels & mask;
        }
        at += i64::from(take);
    }
}

/// The eight pixels of a packed row from pixel `start` on, white past its end.
fn eight_pixels(row: &[u8], start: usize) -> u8 {
    let byte = |at: usize| row.get(at).copied().unwrap_or(0);
    let pair = u16::from_be_bytes([byte(start / 8), byte(start / 8 + 1)]);
    (pair << (start % 8)).to_be_bytes()[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_past_the_width_are_cleared() {
        let bitmap = Bitmap::from_bits(3, 2, vec![0xFF, 0xFF]).unwrap();
        assert_eq!(bitmap.bits(), [0xE0, 0xE0]);
        assert_eq!(bitmap.inverted().bits(), [0, 0]);
    }

    #[test]
    fn wrong_number_of_bytes_is_no_bitmap() {
        assert_eq!(Bitmap::from_bits(9, 2, vec![0; 3]), None);
        assert_eq!(Bitmap::from_bits(u32::MAX, u32::MAX, vec![0; 3]), None);
        assert!(Bitmap::from_bits(0, 5, Vec::new()).is_some());
    }

    #[test]
    fn outside_is_white_and_stays_so() {
        let mut bitmap = Bitmap::new(10, 2);
        bitmap.set(10, 0, true);
        bitmap.set(0, 2, true);
        assert_eq!(bitmap, Bitmap::new(10, 2));
        assert!(!bitmap.get(10, 0) && !bitmap.get(0, 2));
        assert_eq!(bitmap.row(2), []);
    }

    proptest! {
        #[test]
        fn blit_agrees_with_a_pixel_loop(
            (aw, ah, bw, bh) in (1u32..40, 1u32..5, 1u32..40, 1u32..5),
            (x, y) in (-45i64..45, -6i64..6),
            bytes in proptest::collection::vec(any::<u8>(), 50),
        ) {
            let bits = |w: u32, h: u32, skip: usize| {
                bytes.iter().copied().cycle().skip(skip).take(stride_of(w) * h as usize).collect()
            };
            let base = Bitmap::from_bits(aw, ah, bits(aw, ah, 0)).unwrap();
            let top = Bitmap::from_bits(bw, bh, bits(bw, bh, 17)).unwrap();
            let mut fast = base.clone();
            fast.blit(&top, x, y);
            let mut slow = base;
            for ty in 0..i64::from(bh) {
                for tx in 0..i64::from(bw) {
                    if let (Ok(px), Ok(py)) = (u32::try_from(tx + x), u32::try_from(ty + y)) {
                        slow.set(px, py, top.get(tx as u32, ty as u32));
                    }
                }
            }
            prop_assert_eq!(fast.bits(), slow.bits());
        }
    }
}
