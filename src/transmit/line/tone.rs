//! The tones of fax machines in audio: CNG, 1,100 Hz, of one that calls, and CED, 2,100 Hz, of one that answers (T.30 section 4).

use std::f64::consts::TAU;

/// Samples that are looked at together: 10 ms, so that both tones have whole periods.
const BLOCK: usize = 80;
/// Blocks in a row that make a tone: 200 ms. CNG lasts 500 ms, CED 2.6 s at least.
const RUN: u32 = 20;
/// The mean square of a block below which nothing is heard: about -43 dBm0.
const QUIET: f64 = 10_000.0;
/// The share of a block's energy that a tone must have.
const PURE: f64 = 0.55;

const CNG: f64 = 1100.0;
const CED: f64 = 2100.0;

/// Listens for a tone.
#[derive(Debug, Default)]
pub(super) struct Ear {
    block: Vec<f64>,
    run: u32,
}

impl Ear {
    /// Whether a tone of a fax machine has been heard with these samples.
    pub(super) fn hear(&mut self, samples: &[i16]) -> bool {
        for sample in samples {
            self.block.push(f64::from(*sample));
            if self.block.len() == BLOCK {
                let pure = share(&self.block, CNG) > PURE || share(&self.block, CED) > PURE;
                self.run = if pure { self.run + 1 } else { 0 };
                self.block.clear();
            }
        }
        self.run >= RUN
    }
}

/// The share of a tone in a block's energy (Goertzel's algorithm); 0 if it is quiet.
fn share(block: &[f64], hertz: f64) -> f64 {
    let length = block.len() as f64;
    let energy: f64 = block.iter().map(|sample| sample * sample).sum();
    if energy < QUIET * length {
        return 0.0;
    }
    let turn = 2.0 * (TAU * hertz / 8000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in block {
        (last, before) = (sample + turn * last - before, last);
    }
    let power = last * last + before * before - turn * last * before;
    2.0 * power / (length * energy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a second of these frequencies, in packets.
    fn is_heard(hertz: &[f64], loud: f64) -> bool {
        let mut ear = Ear::default();
        let wave = |n: usize| {
            let wave = |hertz: &f64| (TAU * hertz * n as f64 / 8000.0).sin() * loud;
            hertz.iter().map(wave).sum::<f64>() as i16
        };
        let samples: Vec<i16> = (0..4000).map(wave).collect();
        samples.chunks(BLOCK).any(|packet| ear.hear(packet))
    }

    #[test]
    fn both_tones_are_heard_within_their_tolerance() {
        // T.30: CNG within 38 Hz, CED within 15 Hz.
        for hertz in [1100.0, 1062.0, 1138.0, 2100.0, 2085.0, 2115.0] {
            assert!(is_heard(&[hertz], 3000.0), "{hertz}");
        }
    }

    #[test]
    fn other_sounds_are_not_heard_as_tones() {
        assert!(!is_heard(&[1100.0], 30.0), "too quiet");
        // A ringing tone, a voice of two formants, the tones of V.21.
        for hertz in [&[425.0][..], &[400.0, 1100.0], &[1650.0], &[1850.0], &[]] {
            assert!(!is_heard(hertz, 3000.0), "{hertz:?}");
        }
    }
}
