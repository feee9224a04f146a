//! One page of a TIFF file: what its directory says, and its pixels.

use std::borrow::Cow;

use super::TiffError;
use super::TiffLimits;
use super::directory::Directory;
use super::directory::File;
use super::packbits;
use crate::bitmap::Bitmap;
use crate::bitmap::Page;
use crate::ccitt::Coding;
use crate::ccitt::decode;

/// Dots per inch of a page that does not say: fine fax.
const FAX_DPI: (u32, u32) = (204, 196);

/// A page of a TIFF file whose pixels are not decoded yet.
#[derive(Clone, Debug)]
pub struct TiffPage<'a> {
    file: File<'a>,
    directory: Directory<'a>,
    index: u32,
    width: u32,
    height: u32,
    dpi: (u32, u32),
    max_pixels: u64,
}

/// What was done to the packed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    /// Nothing.
    None,
    /// Repeated bytes were shortened.
    PackBits,
    /// They were coded as on a fax line.
    Fax(Coding),
}

/// How the pixels are stored.
#[derive(Debug)]
struct Layout<'a> {
    /// What was done to them.
    compression: Compression,
    /// The lowest bit of a byte is the leftmost pixel.
    low_bit_first: bool,
    /// 0 is black.
    inverted: bool,
    /// The size of a strip or tile.
    chunk: (u32, u32),
    /// The last strip of a page ends with the page; a tile is always whole.
    tiled: bool,
    /// The bytes of the strips or tiles, row by row.
    chunks: Vec<&'a [u8]>,
}

impl<'a> TiffPage<'a> {
    pub(super) fn new(
        file: File<'a>,
        directory: Directory<'a>,
        index: u32,
        limits: &TiffLimits,
    ) -> Result<Self, TiffError> {
        let size = |tag| match directory.number(tag)? {
            Some(size) if size > 0 => Ok(size),
            Some(_) | None => Err(TiffError::Damaged("a page without a size")),
        };
        let (width, height) = (size(256)?, size(257)?);
        if u64::from(width) * u64::from(height) > limits.max_pixels {
            return Err(TiffError::TooLarge(limits.max_pixels));
        }
        Ok(Self {
            file,
            directory,
            index,
            width,
            height,
            dpi: resolution(&directory)?,
            max_pixels: limits.max_pixels,
        })
    }

    /// The place of its directory in the file, from 0; thumbnails between pages count.
    pub fn directory_index(&self) -> u32 {
        self.index
    }

    /// Pixels in a stored row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Stored rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Dots per inch along a stored row.
    pub fn x_dpi(&self) -> u32 {
        self.dpi.0
    }

    /// Stored rows per inch.
    pub fn y_dpi(&self) -> u32 {
        self.dpi.1
    }

    /// The coded bytes of the whole page, if they are Group 4 as we write it: one strip, highest bit
    /// first, 0 is white, upright.
    pub fn g4_strip(&self) -> Option<&'a [u8]> {
        let layout = self.layout().ok()?;
        let as_written = layout.compression == Compression::Fax(Coding::G4)
            && !layout.low_bit_first
            && !layout.inverted
            && !layout.tiled
            && self.orientation().ok()? == 1;
        match layout.chunks.as_slice() {
            [strip] if as_written => Some(strip),
            _ => None,
        }
    }

    /// The page's pixels, turned upright.
    ///
    /// Damaged rows of Group 3 are white from the damage on, as on a fax machine.
    ///
    /// # Errors
    /// [`TiffError::Unsupported`] if the page is sound but of another kind, else what is wrong.
    pub fn decode(&self) -> Result<Page, TiffError> {
        let layout = self.layout()?;
        let (chunk_width, chunk_height) = layout.chunk;
        let across = self.width.div_ceil(chunk_width);
        let mut bitmap = Bitmap::new(0, 0);
        for (at, bytes) in (0_u32..).zip(&layout.chunks) {
            let (x, y) = (at % across * chunk_width, at / across * chunk_height);
            let rows = if layout.tiled {
                chunk_height
            } else {
                chunk_height.min(self.height - y)
            };
            let part = layout.pixels(bytes, rows)?;
            if (part.width(), part.height()) == (self.width, self.height) {
                bitmap = part;
            } else {
                if at == 0 {
                    bitmap = Bitmap::new(self.width, self.height);
                }
                bitmap.blit(&part, i64::from(x), i64::from(y));
            }
        }
        if layout.inverted {
            bitmap = bitmap.inverted();
        }
        let (bitmap, (x_dpi, y_dpi)) = upright(bitmap, self.dpi, self.orientation()?);
        Ok(Page {
            bitmap,
            x_dpi,
            y_dpi,
        })
    }

    fn orientation(&self) -> Result<u32, TiffError> {
        Ok(self.directory.number(274)?.unwrap_or(1))
    }

    fn layout(&self) -> Result<Layout<'a>, TiffError> {
        let field = |tag, default| Ok(self.directory.number(tag)?.unwrap_or(default));
        if field(258, 1)? != 1 || field(277, 1)? != 1 {
            return Err(TiffError::Unsupported("not black and white"));
        }
        let inverted = match field(262, 0)? {
            0 => false,
            1 => true,
            _ => return Err(TiffError::Unsupported("colours")),
        };
        let low_bit_first = match field(266, 1)? {
            1 => false,
            2 => true,
            _ => return Err(TiffError::Damaged("an unknown order of bits")),
        };
        let tiled = self.directory.number(322)?.is_some();
        let chunk = if tiled {
            (field(322, 0)?, field(323, 0)?)
        } else {
            (self.width, field(278, u32::MAX)?.min(self.height))
        };
        let compression = compression(&self.directory)?;
        Ok(Layout {
            compression,
            low_bit_first,
            inverted,
            chunk,
            tiled,
            chunks: self.chunks(chunk, tiled)?,
        })
    }

    /// The bytes of every strip or tile. They may not take more than the file has: with shared ones
    /// a small file could keep us busy for hours.
    fn chunks(&self, (width, height): (u32, u32), tiled: bool) -> Result<Vec<&'a [u8]>, TiffError> {
        if width == 0 || height == 0 {
            return Err(TiffError::Damaged("strips without a size"));
        }
        let across = u64::from(self.width.div_ceil(width));
        let needed = across * u64::from(self.height.div_ceil(height));
        let area = needed
            .saturating_mul(u64::from(width))
            .saturating_mul(u64::from(height));
        if area > self.max_pixels.saturating_mul(4) {
            return Err(TiffError::TooLarge(self.max_pixels));
        }
        let (offsets, counts) = if tiled { (324, 325) } else { (273, 279) };
        let offsets = self.directory.numbers(offsets)?.unwrap_or_default();
        let counts = match self.directory.numbers(counts)? {
            Some(counts) => counts,
            // Old writers leave the length of an only strip to the reader.
            None if needed == 1 => {
                let first = offsets.first().copied().unwrap_or(0) as usize;
                let rest = self.file.size().saturating_sub(first);
                vec![u32::try_from(rest).unwrap_or(u32::MAX)]
            }
            None => Vec::new(),
        };
        if (offsets.len().min(counts.len()) as u64) < needed {
            return Err(TiffError::Damaged("strips are missing"));
        }
        let parts = offsets.iter().zip(&counts).take(needed as usize);
        let chunks: Option<Vec<&[u8]>> = parts
            .map(|(at, length)| self.file.slice(*at as usize, *length as usize))
            .collect();
        let chunks = chunks.ok_or(TiffError::Damaged("a strip lies outside the file"))?;
        if chunks.iter().map(|chunk| chunk.len()).sum::<usize>() > self.file.size() {
            return Err(TiffError::Damaged("strips share their bytes"));
        }
        Ok(chunks)
    }
}

impl Layout<'_> {
    /// The pixels of one strip or tile, 1 as the file means it.
    fn pixels(&self, bytes: &[u8], rows: u32) -> Result<Bitmap, TiffError> {
        let bytes = if self.low_bit_first {
            Cow::Owned(bytes.iter().map(|byte| byte.reverse_bits()).collect())
        } else {
            Cow::Borrowed(bytes)
        };
        let width = self.chunk.0;
        let size = (width as usize).div_ceil(8).saturating_mul(rows as usize);
        let plain = match self.compression {
            Compression::None => bytes.get(..size).map(<[u8]>::to_vec),
            Compression::PackBits => packbits::unpack(&bytes, size),
            Compression::Fax(coding) => return fax_pixels(&bytes, coding, width, rows),
        };
        plain
            .and_then(|bits| Bitmap::from_bits(width, rows, bits))
            .ok_or(TiffError::Damaged("a strip ends early"))
    }
}

fn fax_pixels(bytes: &[u8], coding: Coding, width: u32, rows: u32) -> Result<Bitmap, TiffError> {
    let decoded = decode(bytes, coding, width, rows);
    // Writers that promise a few rows too many and end their data properly are common.
    if decoded.error.is_some() || decoded.rows == 0 {
        return Err(TiffError::Damaged("a strip does not decode"));
    }
    Ok(decoded.bitmap)
}

/// What Compression, T4Options and T6Options name (TIFF 6.0 sections 9 to 11).
fn compression(directory: &Directory<'_>) -> Result<Compression, TiffError> {
    const UNCOMPRESSED_MODE: u32 = 2;
    let options = |tag| {
        let options = directory.number(tag)?.unwrap_or(0);
        if options & UNCOMPRESSED_MODE != 0 {
            return Err(TiffError::Unsupported("uncompressed mode"));
        }
        Ok(options)
    };
    let coding = match directory.number(259)?.unwrap_or(1) {
        1 => return Ok(Compression::None),
        32773 => return Ok(Compression::PackBits),
        2 => Coding::Rle,
        3 if options(292)? & 1 == 1 => Coding::G3TwoDimensional,
        3 => Coding::G3OneDimensional,
        4 => options(293).map(|_| Coding::G4)?,
        _ => return Err(TiffError::Unsupported("this compression")),
    };
    Ok(Compression::Fax(coding))
}

/// Dots per inch, those of a fine fax where the file says nothing sensible.
fn resolution(directory: &Directory<'_>) -> Result<(u32, u32), TiffError> {
    let per_centimetre = directory.number(296)?.unwrap_or(2) == 3;
    let dpi = |tag| {
        let given = directory.thousandths(tag)?;
        let per_inch = if per_centimetre {
            given * 254 / 100
        } else {
            given
        };
        u32::try_from((per_inch + 500) / 1000)
            .ok()
            .filter(|dpi| (20..=5000).contains(dpi))
    };
    Ok(match (dpi(282), dpi(283)) {
        (Some(x), Some(y)) => (x, y),
        (Some(both), None) | (None, Some(both)) => (both, both),
        (None, None) => FAX_DPI,
    })
}

/// Turns a page as its Orientation asks (TIFF 6.0 page 36).
fn upright(bitmap: Bitmap, dpi: (u32, u32), orientation: u32) -> (Bitmap, (u32, u32)) {
    let swapped = (dpi.1, dpi.0);
    match orientation {
        2 => (bitmap.mirror(), dpi),
        3 => (bitmap.rotate_half(), dpi),
        4 => (bitmap.mirror().rotate_half(), dpi),
        5 => (bitmap.rotate_right().mirror(), swapped),
        6 => (bitmap.rotate_right(), swapped),
        7 => (bitmap.rotate_left().mirror(), swapped),
        8 => (bitmap.rotate_left(), swapped),
        // 1, and what nobody defined.
        _ => (bitmap, dpi),
    }
}
