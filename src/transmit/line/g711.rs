//! G.711: samples of 16 bits as octets, by mu law or A law.

/// What mu law adds to a sample before it looks for the highest bit.
const BIAS: i32 = 0x84;
/// The largest magnitude that mu law has.
const MU_CLIP: i32 = 32_635;

/// The octet of a sample by mu law (G.711 table 2).
pub(super) fn mu_law(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(MU_CLIP) + BIAS;
    // 7 to 14 are the places of the highest bit.
    let exponent = 24_u32.saturating_sub(magnitude.leading_zeros());
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

/// The sample of an octet by mu law.
pub(super) fn from_mu_law(octet: u8) -> i16 {
    let octet = !octet;
    let mantissa = i32::from(octet & 0x0f);
    let magnitude = (((mantissa << 3) + BIAS) << ((octet & 0x70) >> 4)) - BIAS;
    signed(magnitude, octet & 0x80 != 0)
}

/// The octet of a sample by A law (G.711 table 1).
pub(super) fn a_law(sample: i16) -> u8 {
    // A law has 13 bits; below zero it counts from -1.
    let (magnitude, sign) = match sample {
        0.. => (i32::from(sample) >> 4, 0x80),
        _ => (i32::from(!sample) >> 4, 0),
    };
    let exponent = 28_u32.saturating_sub(magnitude.leading_zeros()).min(7);
    let mantissa = match exponent {
        0 | 1 => magnitude & 0x0f,
        _ => (magnitude >> (exponent - 1)) & 0x0f,
    };
    (sign | (exponent << 4) as u8 | mantissa as u8) ^ 0x55
}

/// The sample of an octet by A law.
pub(super) fn from_a_law(octet: u8) -> i16 {
    let octet = octet ^ 0x55;
    let mantissa = (i32::from(octet & 0x0f) << 4) + 8;
    let magnitude = match (octet & 0x70) >> 4 {
        0 => mantissa,
        exponent => (mantissa + 0x100) << (exponent - 1),
    };
    signed(magnitude, octet & 0x80 == 0)
}

fn signed(magnitude: i32, negative: bool) -> i16 {
    let sample = if negative { -magnitude } else { magnitude };
    // The largest magnitude is 32,256, so this always fits.
    i16::try_from(sample).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_are_those_of_the_recommendation() {
        // Silence, the loudest, and the largest magnitude of the first segment.
        assert_eq!(
            (mu_law(0), mu_law(32_767), mu_law(-32_768)),
            (0xff, 0x80, 0x00)
        );
        assert_eq!(
            (a_law(0), a_law(32_767), a_law(-32_768)),
            (0xd5, 0xaa, 0x2a)
        );
        assert_eq!(
            (from_mu_law(0xff), from_mu_law(0x80), from_mu_law(0x00)),
            (0, 32_124, -32_124)
        );
        assert_eq!(
            (from_a_law(0xd5), from_a_law(0xaa), from_a_law(0x2a)),
            (8, 32_256, -32_256)
        );
    }

    #[test]
    fn every_octet_comes_back() {
        for octet in 0..=255_u8 {
            assert_eq!(a_law(from_a_law(octet)), octet);
            // Mu law has two zeros.
            let same = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(mu_law(from_mu_law(octet)), same);
        }
    }

    #[test]
    fn every_sample_comes_back_within_a_step_of_its_segment() {
        for sample in i16::MIN..=i16::MAX {
            let near = |other: i16| {
                let wrong = (i32::from(sample) - i32::from(other)).abs();
                wrong <= 16 + i32::from(sample).abs() / 16 || i32::from(sample).abs() > 32_000
            };
            assert!(near(from_mu_law(mu_law(sample))), "{sample}");
            assert!(near(from_a_law(a_law(sample))), "{sample}");
        }
    }
}
