//! Decoding, through the hayro-ccitt crate, which stays behind this file.

use hayro_ccitt::DecodeSettings;
use hayro_ccitt::Decoder;
use hayro_ccitt::DecoderContext;
use hayro_ccitt::EncodingMode;
use thiserror::Error;

use super::Coding;
use crate::bitmap::Bitmap;

/// What came out of coded bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The pixels, always of the size asked for; rows that were not there are white.
    pub bitmap: Bitmap,
    /// How many rows were there.
    pub rows: u32,
    /// What stopped the decoder before the end of the data, if anything did.
    pub error: Option<CodingError>,
}

/// Why coded bytes could not be read to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodingError {
    /// Bits that are no code, or a code where it cannot stand.
    #[error("not a valid code")]
    Invalid,
    /// The bytes end inside a row.
    #[error("the coded data ends early")]
    Truncated,
}

/// Decodes at most `height` rows of `width` pixels. The caller bounds the size.
///
/// A damaged row of Group 3 is white from the damage on and decoding goes on at the next EOL, as a
/// fax machine would; the other codings stop there with an error and what came before it.
pub fn decode(bytes: &[u8], coding: Coding, width: u32, height: u32) -> Decoded {
    let settings = DecodeSettings {
        columns: width,
        rows: height,
        end_of_block: coding != Coding::Rle,
        end_of_line: false,
        rows_are_byte_aligned: coding == Coding::Rle,
        encoding: match coding {
            Coding::G4 => EncodingMode::Group4,
            Coding::G3OneDimensional | Coding::Rle => EncodingMode::Group3_1D,
            Coding::G3TwoDimensional => EncodingMode::Group3_2D,
        },
        strict: false,
    };
    let mut rows = Rows {
        bitmap: Bitmap::new(width, height),
        next: 0,
    };
    // To the decoder no rows means "as many as there are".
    let error = if height == 0 || bytes.is_empty() {
        None
    } else {
        hayro_ccitt::decode(bytes, &mut rows, &mut DecoderContext::new(settings))
            .err()
            .map(CodingError::from)
    };
    Decoded {
        rows: rows.next.min(height),
        bitmap: rows.bitmap,
        error,
    }
}

impl From<hayro_ccitt::DecodeError> for CodingError {
    fn from(error: hayro_ccitt::DecodeError) -> Self {
        match error {
            hayro_ccitt::DecodeError::UnexpectedEof => Self::Truncated,
            hayro_ccitt::DecodeError::InvalidCode | hayro_ccitt::DecodeError::Overflow => {
                Self::Invalid
            }
        }
    }
}

/// Collects rows of changing elements as pixels.
struct Rows {
    bitmap: Bitmap,
    next: u32,
}

impl Decoder for Rows {
    fn push_row(&mut self, changes: &[u32]) {
        let width = self.bitmap.width();
        let row = self.bitmap.row_mut(self.next);
        for run in changes.chunks(2) {
            let start = run.first().copied().unwrap_or(width);
            let end = run.get(1).copied().unwrap_or(width);
            blacken(row, start, end.min(width));
        }
        self.next = self.next.saturating_add(1);
    }
}

/// Makes the pixels from `start` up to `end` black.
fn blacken(row: &mut [u8], start: u32, end: u32) {
    if start >= end {
        return;
    }
    let (first, last) = (start as usize / 8, end as usize / 8);
    let head = 0xFF_u8 >> (start % 8);
    let tail = !(0xFF_u8 >> (end % 8));
    if first == last {
        if let Some(byte) = row.get_mut(first) {
            *byte |= head & tail;
        }
        return;
    }
    if let Some(byte) = row.get_mut(first) {
        *byte |= head;
    }
    if let Some(whole) = row.get_mut(first + 1..last) {
        whole.fill(0xFF);
    }
    if let Some(byte) = row.get_mut(last) {
        *byte |= tail;
    }
}
