//! The codes of fax machines: T.4 (Group 3, one and two dimensional) and T.6 (Group 4).
//!
//! A row is coded from its changing elements: the positions where the colour differs from the pixel
//! before (T.4 section 4.2.1.1). They are found 64 pixels at a time, so that cost follows the
//! number of edges and not the number of pixels.

mod bits;
mod reader;
mod tables;

use crate::bitmap::Bitmap;

use bits::BitWriter;
use tables::BLACK;
use tables::Code;
use tables::WHITE;

pub use reader::CodingError;
pub use reader::Decoded;
pub use reader::decode;

/// How pixels are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// T.6, MMR.
    G4,
    /// T.4 section 4.1, MH: each row on its own, an EOL before it.
    G3OneDimensional,
    /// T.4 section 4.2, MR: a row on its own, then up to K-1 as differences from the row above.
    G3TwoDimensional,
    /// The run lengths of T.4 without EOL, each row starting on a byte (TIFF 6.0, compression 2).
    Rle,
}

/// Rows from one that is coded on its own to the next (parameter K of T.4 section 4.2.2, fine).
const K: u32 = 4;

/// End of line (T.4 section 4.1.2): eleven zeros and a one.
const EOL: Code = Code {
    bits: 1,
    length: 12,
};

/// Pass mode (T.4 table 4).
const PASS: Code = Code { bits: 1, length: 4 };

/// Horizontal mode (T.4 table 4).
const HORIZONTAL: Code = Code { bits: 1, length: 3 };

/// Vertical modes VL3, VL2, VL1, V0, VR1, VR2, VR3 (T.4 table 4).
const VERTICAL: [Code; 7] = [
    Code { bits: 2, length: 7 },
    Code { bits: 2, length: 6 },
    Code { bits: 2, length: 3 },
    Code { bits: 1, length: 1 },
    Code { bits: 3, length: 3 },
    Code { bits: 3, length: 6 },
    Code { bits: 3, length: 7 },
];

/// Codes a bitmap after T.6, with the end-of-block code.
pub fn encode_g4(bitmap: &Bitmap) -> Vec<u8> {
    let mut out = BitWriter::new();
    let mut above = Changes::white(bitmap.width());
    let mut row = Changes::white(bitmap.width());
    for y in 0..bitmap.height() {
        row.find(bitmap.row(y), bitmap.width());
        two_dimensional(&mut out, &above, &row, bitmap.width());
        std::mem::swap(&mut above, &mut row);
    }
    // EOFB (T.6 section 2.4.1.1).
    out.put(EOL);
    out.put(EOL);
    out.finish()
}

/// Codes a bitmap after T.4 with an EOL before each row and, as TIFF-F asks (RFC 2306 section
/// 2.2.4), no return to control at the end.
pub fn encode_g3(bitmap: &Bitmap, two_dimensional_rows: bool) -> Vec<u8> {
    let mut out = BitWriter::new();
    let mut above = Changes::white(bitmap.width());
    let mut row = Changes::white(bitmap.width());
    for y in 0..bitmap.height() {
        let alone = !two_dimensional_rows || y % K == 0;
        out.put(EOL);
        if two_dimensional_rows {
            // The tag bit (T.4 section 4.2.3).
            out.put(Code {
                bits: u16::from(alone),
                length: 1,
            });
        }
        row.find(bitmap.row(y), bitmap.width());
        if alone {
            one_dimensional(&mut out, &row, bitmap.width());
        } else {
            two_dimensional(&mut out, &above, &row, bitmap.width());
        }
        std::mem::swap(&mut above, &mut row);
    }
    out.finish()
}

/// The changing elements of a row in rising order, to black at even places and to white at odd
/// ones, then the width four times so that looking ahead needs no end check.
struct Changes(Vec<u32>);

impl Changes {
    fn white(width: u32) -> Self {
        Self(vec![width; 4])
    }

    fn find(&mut self, row: &[u8], width: u32) {
        self.0.clear();
        let (words, rest) = row.as_chunks::<8>();
        let mut before = 0;
        let mut base = 0;
        for word in words {
            let word = u64::from_be_bytes(*word);
            self.mark(word, before, base);
            before = word;
            base += 64;
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mark(u64::from_be_bytes(last), before, base);
        while self.0.last().is_some_and(|change| *change >= width) {
            self.0.pop();
        }
        self.0.extend_from_slice(&[width; 4]);
    }

    /// Adds the changes inside one word of pixels that starts at `base`; `before` is the word to its left.
    #[inline(always)]
    fn mark(&mut self, word: u64, before: u64, base: u32) {
        let mut edges = word ^ (word >> 1 | before << 63);
        while edges != 0 {
            let at = edges.leading_zeros();
            self.0.push(base + at);
            edges ^= 1 << 63 >> at;
        }
    }
}

/// A run of `length` pixels of one colour (T.4 section 4.1.1).
#[inline(always)]
fn run(out: &mut BitWriter, black: bool, mut length: u32) {
    let runs = if black { &BLACK } else { &WHITE };
    while length >= 2560 + 64 {
        out.put(runs.make_up[39]);
        length -= 2560;
    }
    if length >= 64 {
        out.put(runs.make_up[length as usize / 64 - 1]);
    }
    out.put(runs.terminating[length as usize % 64]);
}

/// A row on its own (T.4 section 4.1).
fn one_dimensional(out: &mut BitWriter, row: &Changes, width: u32) {
    let mut start = 0;
    let mut black = false;
    for end in &row.0 {
        run(out, black, end - start);
        if *end == width {
            break;
        }
        start = *end;
        black = !black;
    }
}

/// A row as differences from the row above (T.4 section 4.2.1.3, with its names: a0 is where coding
/// has come to, a1 and a2 the next changes of the row, b1 and b2 those above).
fn two_dimensional(out: &mut BitWriter, above: &Changes, row: &Changes, width: u32) {
    let (above, row) = (above.0.as_slice(), row.0.as_slice());
    // Before the first pixel stands an imaginary white one: nothing is left of a0 yet.
    let mut a0 = None;
    let mut black = false;
    let (mut a, mut b) = (0, 0);
    while a0.is_none_or(|at| at < width) {
        b = first_right_of(above, b, a0, black, width);
        let (a1, b1, b2) = (row[a], above[b], above[b + 1]);
        if b2 < a1 {
            out.put(PASS);
            a0 = Some(b2);
            continue;
        }
        let shift = i64::from(a1) - i64::from(b1);
        if (-3..=3).contains(&shift) {
            out.put(VERTICAL[(shift + 3) as usize]);
            a0 = Some(a1);
            black = !black;
            a += 1;
        } else {
            let a2 = row[a + 1];
            out.put(HORIZONTAL);
            run(out, black, a1 - a0.unwrap_or(0));
            run(out, !black, a2 - a1);
            a0 = Some(a2);
            a += 2;
        }
    }
}

/// The place in `above` of b1: the first change to the other colour right of a0. `from` is where the
/// last one was; a vertical code can lead back by one.
#[inline(always)]
fn first_right_of(above: &[u32], from: usize, a0: Option<u32>, black: bool, width: u32) -> usize {
    let mut at = from;
    if at % 2 != usize::from(black) {
        at = if at > 0 { at - 1 } else { at + 1 };
    }
    let Some(a0) = a0 else { return at };
    while at >= 2 && above[at - 2] > a0 {
        at -= 2;
    }
    while above[at] <= a0 && above[at] < width {
        at += 2;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bitmaps as fax coders meet them: noise, runs, text-like rows that follow the row above, and
    /// the two flat ones.
    pub(super) fn bitmaps(max_width: u32) -> impl Strategy<Value = Bitmap> {
        (1..=max_width, 0u32..24, 0u8..6, any::<u64>()).prop_map(|(width, height, kind, seed)| {
            let mut random = seed | 1;
            let mut next = move |below: u32| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 33) as u32 % below
            };
            let mut bitmap = Bitmap::new(width, height);
            for y in 0..height {
                let mut x = 0;
                let mut black = kind == 5 || next(2) == 1;
                while x < width {
                    let run = match kind {
                        0 => 1 + next(3),
                        1 => 1 + next(200),
                        2 => 1 + next(3000),
                        _ => width,
                    };
                    for at in x..(x + run).min(width) {
                        bitmap.set(at, y, black && kind != 4);
                    }
                    x += run;
                    black = !black;
                }
                if kind < 3 && y > 0 && next(3) > 0 {
                    let shift = i64::from(next(9)) - 4;
                    let above = bitmap.crop_rows(y - 1, 1);
                    bitmap.blit(&above, shift, i64::from(y));
                }
            }
            bitmap
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn what_is_coded_decodes_to_the_same_bits(bitmap in bitmaps(5300)) {
            let (width, height) = (bitmap.width(), bitmap.height());
            for (coding, bytes) in [
                (Coding::G4, encode_g4(&bitmap)),
                (Coding::G3OneDimensional, encode_g3(&bitmap, false)),
                (Coding::G3TwoDimensional, encode_g3(&bitmap, true)),
            ] {
                let decoded = decode(&bytes, coding, width, height);
                prop_assert_eq!(decoded.error, None);
                prop_assert_eq!(decoded.rows, height);
                prop_assert!(decoded.bitmap.bits() == bitmap.bits(), "{:?} differs", coding);
            }
        }

        #[test]
        fn any_bytes_decode_to_a_bitmap_of_the_size_asked_for(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            width in 0u32..3000,
            height in 0u32..50,
        ) {
            for coding in [
                Coding::G4,
                Coding::G3OneDimensional,
                Coding::G3TwoDimensional,
                Coding::Rle,
            ] {
                let decoded = decode(&bytes, coding, width, height);
                prop_assert_eq!(decoded.bitmap.width(), width);
                prop_assert_eq!(decoded.bitmap.height(), height);
                prop_assert!(decoded.rows <= height);
            }
        }
    }

    #[test]
    fn a_white_page_is_one_bit_a_row_and_the_end_of_block() {
        let coded = encode_g4(&Bitmap::new(1728, 8));
        assert_eq!(coded, [0xFF, 0x00, 0x10, 0x01]);
    }

    #[test]
    fn a_row_of_group_3_is_end_of_line_and_run_lengths() {
        // EOL, white 0 (T.4 table 2), black 1728 (make-up, table 3a), black 0.
        let mut black = Bitmap::new(1728, 1);
        black.row_mut(0).fill(0xFF);
        let text: String = encode_g3(&black, false)
            .iter()
            .map(|byte| format!("{byte:08b}"))
            .collect();
        let expected = "000000000001 00110101 0000001100101 0000110111".replace(' ', "");
        assert_eq!(text.get(..expected.len()), Some(expected.as_str()));
    }

    #[test]
    fn a_cut_group_4_page_keeps_its_rows_and_says_so() {
        let mut page = Bitmap::new(1728, 100);
        for y in 0..100 {
            page.set(y * 17, y, true);
        }
        let bytes = encode_g4(&page);
        let decoded = decode(&bytes[..bytes.len() / 2], Coding::G4, 1728, 100);
        assert!(decoded.error.is_some());
        assert!(decoded.rows > 20 && decoded.rows < 80, "{}", decoded.rows);
        for y in 0..decoded.rows {
            assert_eq!(decoded.bitmap.row(y), page.row(y));
        }
        assert!((decoded.rows..100).all(|y| decoded.bitmap.is_row_white(y)));
    }

    #[test]
    fn a_damaged_group_3_row_does_not_spoil_the_next_ones() {
        let mut page = Bitmap::new(1728, 40);
        for y in 0..40 {
            for x in (y % 3..1728).step_by(3) {
                page.set(x, y, true);
            }
        }
        let mut bytes = encode_g3(&page, false);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xFF;
        let decoded = decode(&bytes, Coding::G3OneDimensional, 1728, 40);
        let wrong = (0..40).filter(|y| decoded.bitmap.row(*y) != page.row(*y));
        assert!((1..=3).contains(&wrong.count()));
        assert_eq!(decoded.bitmap.row(39), page.row(39));
    }
}
