//! Writing: each page is a directory, its long values, and one strip of Group 4 data, in this order
//! (the order that RFC 3949 section 3.6 fixes for profile S, which every reader takes).

use crate::bitmap::Page;
use crate::ccitt::encode_g4;

/// Entries in a directory.
const ENTRIES: u32 = 18;

/// Bytes of a directory: the count, the entries, the offset of the next one.
const DIRECTORY: u32 = 2 + 12 * ENTRIES + 4;

/// Bytes of the values that do not fit in an entry: two fractions and the name.
const VALUES: u32 = 16 + SOFTWARE.len() as u32;

/// The value of the Software tag; its length is even so that what follows stays aligned.
const SOFTWARE: &[u8; 8] = b"faxgate\0";

const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const ASCII: u16 = 2;

/// A TIFF-F file that grows page by page in memory.
///
/// Offsets have 32 bits: a file ends at 4 GiB, far past what page limits let through.
#[derive(Clone, Debug)]
pub struct TiffWriter {
    bytes: Vec<u8>,
    /// Where the offset of the next directory is to be written.
    next_directory_at: usize,
    /// Where each page's number and total are.
    page_numbers_at: Vec<usize>,
}

/// The pages as one TIFF-F file: little-endian, Group 4, one strip a page.
pub fn write_tiff(pages: &[Page]) -> Vec<u8> {
    let mut writer = TiffWriter::new();
    for page in pages {
        writer.push(page);
    }
    writer.finish()
}

impl Default for TiffWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl TiffWriter {
    /// A file without pages. A TIFF file needs one: push before `finish`.
    pub fn new() -> Self {
        Self {
            bytes: b"II*\0\0\0\0\0".to_vec(),
            next_directory_at: 4,
            page_numbers_at: Vec::new(),
        }
    }

    /// Codes a page and adds it.
    pub fn push(&mut self, page: &Page) {
        let strip = encode_g4(&page.bitmap);
        let (width, height) = (page.bitmap.width(), page.bitmap.height());
        self.push_g4(width, height, (page.x_dpi, page.y_dpi), &strip);
    }

    /// Adds a page that is Group 4 data already (highest bit first, 0 is white), `dpi` along and
    /// across the rows.
    pub fn push_g4(&mut self, width: u32, height: u32, dpi: (u32, u32), strip: &[u8]) {
        if self.bytes.len() % 2 == 1 {
            self.bytes.push(0);
        }
        let directory = self.bytes.len();
        let values = offset(directory).saturating_add(DIRECTORY);
        let strip_at = values.saturating_add(VALUES);
        let resolution_at = [values, values.saturating_add(8), values.saturating_add(16)];
        let entries: [(u16, u16, u32, u32); ENTRIES as usize] = [
            (254, LONG, 1, 2), // NewSubfileType: a page of several
            (256, LONG, 1, width),
            (257, LONG, 1, height),
            (258, SHORT, 1, 1), // BitsPerSample
            (259, SHORT, 1, 4), // Compression: T.6
            (262, SHORT, 1, 0), // PhotometricInterpretation: 0 is white
            (266, SHORT, 1, 1), // FillOrder: highest bit first
            (273, LONG, 1, strip_at),
            (274, SHORT, 1, 1), // Orientation
            (277, SHORT, 1, 1), // SamplesPerPixel
            (278, LONG, 1, height),
            (279, LONG, 1, offset(strip.len())),
            (282, RATIONAL, 1, resolution_at[0]),
            (283, RATIONAL, 1, resolution_at[1]),
            (293, LONG, 1, 0),  // T6Options
            (296, SHORT, 1, 2), // ResolutionUnit: inch
            (297, SHORT, 2, 0), // PageNumber, filled in by `finish`
            (305, ASCII, SOFTWARE.len() as u32, resolution_at[2]),
        ];
        self.link(directory);
        self.short(ENTRIES as u16);
        for (tag, kind, count, value) in entries {
            if tag == 297 {
                self.page_numbers_at.push(self.bytes.len() + 8);
            }
            self.short(tag);
            self.short(kind);
            self.long(count);
            // A short value stands at the left end of the field: in this byte order the same bytes.
            self.long(value);
        }
        self.next_directory_at = self.bytes.len();
        self.long(0);
        for number in [dpi.0, 1, dpi.1, 1] {
            self.long(number);
        }
        self.bytes.extend_from_slice(SOFTWARE);
        self.bytes.extend_from_slice(strip);
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.page_numbers_at.len()
    }

    /// The file, each page numbered "n of all".
    pub fn finish(mut self) -> Vec<u8> {
        let total = u16::try_from(self.page_numbers_at.len()).unwrap_or(0);
        for (number, at) in std::mem::take(&mut self.page_numbers_at)
            .into_iter()
            .enumerate()
        {
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            self.overwrite(at, &number.to_le_bytes());
            self.overwrite(at + 2, &total.to_le_bytes());
        }
        self.bytes
    }

    /// Writes where the new directory is into the one before.
    fn link(&mut self, directory: usize) {
        let at = self.next_directory_at;
        self.overwrite(at, &offset(directory).to_le_bytes());
    }

    fn overwrite(&mut self, at: usize, with: &[u8]) {
        if let Some(field) = self.bytes.get_mut(at..at + with.len()) {
            field.copy_from_slice(with);
        }
    }

    fn short(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn long(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
}

/// An offset or length as TIFF writes it.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
