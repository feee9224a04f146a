//! PackBits (TIFF 6.0 section 9): bytes as they are, and repeated ones.

/// Unpacks `size` bytes; `None` if there are fewer.
pub(super) fn unpack(mut packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let (head, rest) = packed.split_first()?;
        packed = rest;
        match *head {
            length @ 0..=127 => {
                let (plain, rest) = packed.split_at_checked(usize::from(length) + 1)?;
                bytes.extend_from_slice(plain);
                packed = rest;
            }
            // Means nothing.
            128 => {}
            length @ 129..=255 => {
                let (repeated, rest) = packed.split_first()?;
                bytes.resize(bytes.len() + 257 - usize::from(length), *repeated);
                packed = rest;
            }
        }
    }
    bytes.truncate(size);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_unpacks() {
        let packed = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7,
            0xAA,
        ];
        let mut expected = vec![0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA];
        expected.extend([0x80, 0x00, 0x2A, 0x22]);
        expected.extend([0xAA; 10]);
        assert_eq!(unpack(&packed, 24).as_deref(), Some(expected.as_slice()));
        assert_eq!(unpack(&packed, 25), None);
        assert_eq!(unpack(&packed[..7], 24), None);
    }
}
