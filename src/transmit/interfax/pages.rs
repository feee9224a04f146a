//! The pages that go to the service: those before the first one are left out of the TIFF's chain.

/// A TIFF (TIFF 6.0 section 2) whose first page is page `first` of `tiff`, from 0: the header points to a later directory, and
/// what stood before it is reached by nobody. `None` if there is no such page.
pub(super) fn from_page(mut tiff: Vec<u8>, first: u32) -> Option<Vec<u8>> {
    let directory = Directory::of_page(&tiff, first)?;
    let at = match directory.little {
        true => directory.at.to_le_bytes(),
        false => directory.at.to_be_bytes(),
    };
    tiff.get_mut(4..8)?.copy_from_slice(&at);
    Some(tiff)
}

/// Whether the first page has more than 150 lines to an inch: the word of the service for that is `fine`.
pub(super) fn is_fine(tiff: &[u8]) -> bool {
    const Y_RESOLUTION: u16 = 283;
    let lines = Directory::of_page(tiff, 0).and_then(|page| page.ratio(Y_RESOLUTION));
    lines.is_none_or(|(lines, inches)| lines > u64::from(inches) * 150)
}

/// A page's directory of tags.
struct Directory<'a> {
    tiff: &'a [u8],
    little: bool,
    at: u32,
}

impl<'a> Directory<'a> {
    fn of_page(tiff: &'a [u8], page: u32) -> Option<Self> {
        let little = match tiff.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let mut directory = Self {
            tiff,
            little,
            at: 4,
        };
        directory.at = directory.long(4)?;
        for _ in 0..page {
            let tags = u32::from(directory.short(directory.at)?);
            let next = directory.at.checked_add(2 + tags * 12)?;
            directory.at = directory.long(next)?;
            if directory.at == 0 {
                return None;
            }
        }
        // It must be there.
        directory.short(directory.at)?;
        Some(directory)
    }

    /// The value of a tag of type RATIONAL.
    fn ratio(&self, tag: u16) -> Option<(u64, u32)> {
        let tags = u32::from(self.short(self.at)?);
        let places = (0..tags).map(|n| self.at.saturating_add(2 + n * 12));
        let mut found = places.filter(|at| self.short(*at) == Some(tag));
        let at = self.long(found.next()?.checked_add(8)?)?;
        Some((u64::from(self.long(at)?), self.long(at.checked_add(4)?)?))
    }

    fn short(&self, at: u32) -> Option<u16> {
        let bytes = self.bytes(at)?;
        Some(match self.little {
            true => u16::from_le_bytes(bytes),
            false => u16::from_be_bytes(bytes),
        })
    }

    fn long(&self, at: u32) -> Option<u32> {
        let bytes = self.bytes(at)?;
        Some(match self.little {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }

    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let at = usize::try_from(at).ok()?;
        self.tiff.get(at..at.checked_add(N)?)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages with one tag each: YResolution of so many lines.
    fn tiff(lines: &[u32]) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        for (n, lines) in lines.iter().enumerate() {
            let at = u32::try_from(tiff.len()).unwrap();
            tiff.extend(1_u16.to_le_bytes());
            tiff.extend(283_u16.to_le_bytes());
            tiff.extend(5_u16.to_le_bytes());
            tiff.extend(1_u32.to_le_bytes());
            tiff.extend((at + 18).to_le_bytes());
            let next = if n == 2 { 0 } else { at + 26 };
            tiff.extend(next.to_le_bytes());
            tiff.extend(lines.to_le_bytes());
            tiff.extend(1_u32.to_le_bytes());
        }
        tiff
    }

    #[test]
    fn pages_before_the_first_are_left_out() {
        let three = tiff(&[98, 196, 98]);
        let pages = |tiff: &[u8]| {
            (0..9)
                .take_while(|n| Directory::of_page(tiff, *n).is_some())
                .count()
        };
        assert_eq!(pages(&three), 3);
        assert_eq!(from_page(three.clone(), 0), Some(three.clone()));
        let rest = from_page(three.clone(), 1).unwrap();
        assert_eq!(pages(&rest), 2);
        assert!(is_fine(&rest) && !is_fine(&three));
        assert_eq!(from_page(three, 3), None);
    }

    #[test]
    fn what_is_no_tiff_has_no_page() {
        for odd in [&b""[..], b"II*\0", b"II*\0\xff\xff\xff\xff", b"%PDF-1.7"] {
            assert_eq!(from_page(odd.to_vec(), 0), None);
            assert!(is_fine(odd));
        }
        let mut circle = tiff(&[98]);
        let end = circle.len() - 12;
        circle[end..end + 4].copy_from_slice(&8_u32.to_le_bytes());
        assert!(from_page(circle, 3).is_some(), "a circle ends all the same");
    }
}
