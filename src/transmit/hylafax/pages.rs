//! What HylaFAX has to know of a TIFF: where its pages begin, and how fine they are.

use crate::fax::Resolution;

/// More pages than any fax has: a chain of directories that is longer turns in a circle.
const MOST_PAGES: u32 = 10_000;
/// Tag of the lines in a resolution unit.
const Y_RESOLUTION: u16 = 283;
/// Between 98 and 196 lines an inch.
const FINE_FROM: u32 = 150;

/// `tiff` without the pages before `first` (from 0): its header leads to that page's directory, and nothing else changes.
/// `None` if there is no such page.
pub(super) fn beginning_at(tiff: &[u8], first: u32) -> Option<Vec<u8>> {
    let walker = Walker::new(tiff)?;
    let at = walker.directory(first)?;
    let mut cut = tiff.to_vec();
    let bytes = match walker.little {
        true => at.to_le_bytes(),
        false => at.to_be_bytes(),
    };
    cut.get_mut(4..8)?.copy_from_slice(&bytes);
    Some(cut)
}

/// How many pages there are; `None` if it is no TIFF.
pub(super) fn count(tiff: &[u8]) -> Option<u32> {
    let walker = Walker::new(tiff)?;
    let mut at = walker.first()?;
    for pages in 0..MOST_PAGES {
        if at == 0 {
            return Some(pages);
        }
        at = walker.next(at)?;
    }
    None
}

/// How fine page `page` is; fine if it does not say.
pub(super) fn resolution(tiff: &[u8], page: u32) -> Resolution {
    let lines = Walker::new(tiff).and_then(|walker| walker.lines_per_inch(page));
    match lines {
        Some(..FINE_FROM) => Resolution::Standard,
        Some(FINE_FROM..) | None => Resolution::Fine,
    }
}

/// Reads the chain of directories (TIFF 6.0 section 2).
struct Walker<'a> {
    tiff: &'a [u8],
    little: bool,
}

impl<'a> Walker<'a> {
    fn new(tiff: &'a [u8]) -> Option<Self> {
        let little = match tiff.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { tiff, little })
    }

    fn first(&self) -> Option<u32> {
        self.long(4)
    }

    /// Where the directory of page `page` begins.
    fn directory(&self, page: u32) -> Option<u32> {
        let mut at = self.first()?;
        for _ in 0..page.min(MOST_PAGES) {
            if at == 0 {
                return None;
            }
            at = self.next(at)?;
        }
        (at != 0).then_some(at)
    }

    /// Where the directory after that at `at` begins; 0 is nowhere.
    fn next(&self, at: u32) -> Option<u32> {
        let at = usize::try_from(at).ok()?;
        let entries = usize::from(self.short(at)?);
        self.long(at.checked_add(2 + 12 * entries)?)
    }

    fn lines_per_inch(&self, page: u32) -> Option<u32> {
        let at = usize::try_from(self.directory(page)?).ok()?;
        let entries = usize::from(self.short(at)?);
        let places = (0..entries).map(|n| at + 2 + 12 * n);
        let entry = places
            .into_iter()
            .find(|place| self.short(*place) == Some(Y_RESOLUTION))?;
        let value = usize::try_from(self.long(entry.checked_add(8)?)?).ok()?;
        let (above, below) = (self.long(value)?, self.long(value.checked_add(4)?)?);
        above.checked_div(below)
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self.little {
            true => u16::from_le_bytes(bytes),
            false => u16::from_be_bytes(bytes),
        })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self.little {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories with one entry each: their lines an inch.
    fn tiff(pages: &[u32]) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        for (n, lines) in pages.iter().enumerate() {
            let at = u32::try_from(tiff.len()).unwrap();
            let next = if n + 1 == pages.len() { 0 } else { at + 26 };
            tiff.extend(1_u16.to_le_bytes());
            tiff.extend([0x1b, 1, 5, 0, 1, 0, 0, 0]);
            tiff.extend((at + 18).to_le_bytes());
            tiff.extend(next.to_le_bytes());
            tiff.extend(lines.to_le_bytes());
            tiff.extend(1_u32.to_le_bytes());
        }
        tiff
    }

    #[test]
    fn pages_before_the_first_are_left_out() {
        let whole = tiff(&[196, 98, 196]);
        assert_eq!(count(&whole), Some(3));
        assert_eq!(beginning_at(&whole, 0), Some(whole.clone()));
        let rest = beginning_at(&whole, 1).unwrap();
        assert_eq!(count(&rest), Some(2));
        assert_eq!(resolution(&rest, 0), Resolution::Standard);
        assert_eq!(resolution(&whole, 0), Resolution::Fine);
        assert_eq!(beginning_at(&whole, 3), None);
    }

    #[test]
    fn damaged_files_end_the_walk() {
        assert_eq!(count(b"%PDF-1.7"), None);
        assert_eq!(count(b"II*\0\xff\xff\xff\xff"), None);
        let mut circle = tiff(&[196, 196]);
        circle[8 + 14..8 + 18].copy_from_slice(&8_u32.to_le_bytes());
        assert_eq!(count(&circle), None);
        let whole = tiff(&[196, 98, 196]);
        for end in 0..whole.len() {
            // Whatever is cut off, the walk ends by itself.
            let _ = count(&whole[..end]);
            let _ = beginning_at(&whole[..end], 2);
            let _ = resolution(&whole[..end], 2);
        }
    }
}
