//! The directories of a TIFF file (TIFF 6.0 section 2), read with every offset checked.

use super::TiffError;

/// A directory has some twenty entries; far more are an attack on our time.
const MAX_ENTRIES: u16 = 1000;

/// A file whose header was sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

/// A list of entries and where the next list is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directory<'a> {
    file: File<'a>,
    entries: &'a [u8],
    /// Where the next directory is; 0 after the last one.
    pub(super) next: u32,
}

/// The values of an entry.
struct Values<'a> {
    file: File<'a>,
    bytes: &'a [u8],
    /// Bytes of one value.
    size: usize,
}

impl<'a> File<'a> {
    /// Reads the header; also gives where the first directory is.
    pub(super) fn open(bytes: &'a [u8]) -> Result<(Self, u32), TiffError> {
        let big_endian = match bytes.get(..2) {
            Some(b"II") => false,
            Some(b"MM") => true,
            Some(_) | None => return Err(TiffError::NotTiff),
        };
        let file = Self { bytes, big_endian };
        match file.short(2) {
            Some(42) => {}
            Some(43) => return Err(TiffError::Unsupported("BigTIFF")),
            Some(_) | None => return Err(TiffError::NotTiff),
        }
        let first = file.long(4).ok_or(TiffError::NotTiff)?;
        Ok((file, first))
    }

    /// Bytes of the whole file.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Reads the directory at an offset.
    pub(super) fn directory(self, at: u32) -> Result<Directory<'a>, TiffError> {
        const OUTSIDE: TiffError = TiffError::Damaged("a directory lies outside the file");
        let at = at as usize;
        let count = self.short(at).ok_or(OUTSIDE)?;
        if count > MAX_ENTRIES {
            return Err(TiffError::Damaged("a directory with too many entries"));
        }
        let length = 12 * usize::from(count);
        let entries = self.slice(at + 2, length).ok_or(OUTSIDE)?;
        // Files without the last four bytes exist and mean that no directory follows.
        let next = self.long(at + 2 + length).unwrap_or(0);
        Ok(Directory {
            file: self,
            entries,
            next,
        })
    }

    /// A part of the file, if all of it is there.
    pub(super) fn slice(self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(at..at.checked_add(length)?)
    }

    fn short(self, at: usize) -> Option<u16> {
        let bytes = self.slice(at, 2)?.try_into().ok()?;
        Some(if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn long(self, at: usize) -> Option<u32> {
        let bytes = self.slice(at, 4)?.try_into().ok()?;
        Some(self.long_of(bytes))
    }

    fn long_of(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

impl<'a> Directory<'a> {
    /// The first value of a whole-number entry; `None` if there is no such entry.
    pub(super) fn number(&self, tag: u16) -> Result<Option<u32>, TiffError> {
        match self.values(tag)? {
            Some(values) => values.number(0).map(Some),
            None => Ok(None),
        }
    }

    /// All values of a whole-number entry, of which there are at most as many as the file has bytes.
    pub(super) fn numbers(&self, tag: u16) -> Result<Option<Vec<u32>>, TiffError> {
        let Some(values) = self.values(tag)? else {
            return Ok(None);
        };
        let count = values.bytes.len() / values.size;
        (0..count)
            .map(|at| values.number(at))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The value of a fraction entry, in thousandths; `None` if it is missing or not sound.
    pub(super) fn thousandths(&self, tag: u16) -> Option<u64> {
        let values = self.values(tag).ok()??;
        let [above, below]: [[u8; 4]; 2] = values.bytes.as_chunks().0.first_chunk().copied()?;
        let (above, below) = (values.file.long_of(above), values.file.long_of(below));
        (values.size == 8)
            .then(|| (u64::from(above) * 1000).checked_div(u64::from(below)))
            .flatten()
    }

    fn values(&self, tag: u16) -> Result<Option<Values<'a>>, TiffError> {
        let (entries, _) = self.entries.as_chunks::<12>();
        let file = self.file;
        let tag = if file.big_endian {
            tag.to_be_bytes()
        } else {
            tag.to_le_bytes()
        };
        let Some(entry) = entries.iter().find(|entry| entry.starts_with(&tag)) else {
            return Ok(None);
        };
        let inner = File {
            bytes: entry,
            ..file
        };
        let (Some(kind), Some(count), Some(offset)) =
            (inner.short(2), inner.long(4), inner.long(8))
        else {
            return Ok(None);
        };
        // Bytes of one value by its kind (TIFF 6.0 page 15).
        let size = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => return Err(TiffError::Damaged("a value of an unknown kind")),
        };
        let length = (count as usize).saturating_mul(size);
        let bytes = if length <= 4 {
            // The values stand in the entry itself, at its left end.
            entry.get(8..8 + length)
        } else {
            file.slice(offset as usize, length)
        };
        let bytes = bytes.ok_or(TiffError::Damaged("a value lies outside the file"))?;
        Ok(Some(Values { file, bytes, size }))
    }
}

impl Values<'_> {
    fn number(&self, at: usize) -> Result<u32, TiffError> {
        let values = File {
            bytes: self.bytes,
            ..self.file
        };
        let number = match self.size {
            1 => self.bytes.get(at).map(|byte| u32::from(*byte)),
            2 => values.short(at * 2).map(u32::from),
            4 => values.long(at * 4),
            _ => None,
        };
        number.ok_or(TiffError::Damaged("a value is not a number"))
    }
}
