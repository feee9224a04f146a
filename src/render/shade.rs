//! How dark a pixel is on paper.

/// The eye's brightness (ITU-R BT.601).
pub(super) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = u32::from(red) * 77 + u32::from(green) * 150 + u32::from(blue) * 29;
    // The weights add up to 256.
    (sum >> 8) as u8
}

/// A pixel that is partly transparent, on white paper.
pub(super) fn on_white(light: u8, alpha: u8) -> u8 {
    let (light, alpha) = (u32::from(light), u32::from(alpha));
    // At most 255 * 255 / 255.
    ((light * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Light that is left by a coloured ink and by black ink on top of each other.
pub(super) fn under_black(ink: u8, black: u8) -> u8 {
    (u32::from(255 - ink) * u32::from(255 - black) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_and_white_stay_so() {
        assert_eq!((luma(0, 0, 0), luma(255, 255, 255)), (0, 255));
        assert_eq!(
            (on_white(0, 255), on_white(255, 255), on_white(0, 0)),
            (0, 255, 255)
        );
        assert_eq!(
            (under_black(0, 255), under_black(0, 0), under_black(255, 0)),
            (0, 255, 0)
        );
    }
}
