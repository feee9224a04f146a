//! Flat tints: one side of the threshold as a whole, and always the side on which the letters on
//! them can be read.
//!
//! With one threshold for the page, black letters on a middle grey and white ones on a light grey
//! would disappear. So each tint is looked at for what interrupts it: dark strokes make the tint
//! white, light ones black.

use super::LIGHT;
use super::blocks::BLOCK;
use super::blocks::Blocks;
use super::blocks::TONE;
use super::blocks::block_rows;
use super::photo::PhotoMap;
use crate::gray::Gray;

/// A stroke's level differs from the tint's by this much at least.
const CONTRAST: u8 = 28;

/// Strokes are not wider; what is wider is a shape of its own.
const WIDEST_STROKE: usize = 12;

/// From what level on the pixels of each block are white.
pub(super) struct Thresholds {
    columns: usize,
    lights: Vec<u8>,
}

/// The levels of a tint, the ends included.
#[derive(Clone, Copy)]
struct Tint {
    low: u8,
    high: u8,
}

/// How often a tint is interrupted by strokes.
#[derive(Default)]
struct Strokes {
    dark: usize,
    light: usize,
}

impl Thresholds {
    /// Looks for tints outside photographs.
    pub(super) fn of(page: &Gray, blocks: &Blocks, photos: &PhotoMap) -> Self {
        let tints: Vec<Option<Tint>> = (0..blocks.middles.len())
            .map(|at| tint(blocks, at).filter(|_| !photos.contains(at)))
            .collect();
        let alike = |a: usize, b: usize| match (tints[a], tints[b]) {
            (Some(a), Some(b)) => a.low.abs_diff(b.low) <= TONE as u8,
            (None, _) | (_, None) => false,
        };
        let islands = blocks.islands(|at| tints[at].is_some(), alike);
        let mut thresholds = Self {
            columns: blocks.columns,
            lights: vec![LIGHT; tints.len()],
        };
        let mut offers = Vec::new();
        for island in &islands {
            let Some(tint) = island.first().and_then(|at| tints[*at]) else {
                continue;
            };
            let mut strokes = Strokes::default();
            for at in island {
                let rows = block_rows(page, at % blocks.columns, at / blocks.columns);
                rows.for_each(|row| strokes.count(row, tint));
            }
            let lettered = tint.lettered(&strokes, island.len());
            for at in island {
                thresholds.lights[*at] = lettered.unwrap_or(tint.plain());
            }
            offers.extend(lettered.map(|light| (island, light)));
        }
        // The blocks around a tint hold its edges, perhaps together with another tint.
        for (island, light) in offers {
            for at in island.iter().flat_map(|at| blocks.around(*at, 1)) {
                thresholds.offer(at, tints[at], light);
            }
        }
        thresholds
    }

    /// Takes the threshold of a neighbour, unless it would turn the block's own tint round.
    fn offer(&mut self, at: usize, own: Option<Tint>, light: u8) {
        let present = &mut self.lights[at];
        if own.is_some_and(|tint| tint.is_black(light) != tint.is_black(*present)) {
            return;
        }
        if light < LIGHT {
            *present = light.min(*present);
        } else if *present >= LIGHT {
            *present = light.max(*present);
        }
    }

    /// The blocks that pixel row `y` runs through.
    pub(super) fn row(&self, y: u32) -> &[u8] {
        let start = y as usize / BLOCK * self.columns;
        self.lights
            .get(start..start + self.columns)
            .unwrap_or_default()
    }
}

impl Tint {
    fn is_black(self, light: u8) -> bool {
        self.low < light
    }

    /// The threshold that makes its letters readable, if there are letters.
    fn lettered(self, strokes: &Strokes, blocks: usize) -> Option<u8> {
        let many = |strokes| strokes >= 4 + blocks / 2;
        if many(strokes.dark) && strokes.dark >= strokes.light {
            // Nearer to the tint than to black, so that thin strokes stay.
            Some(self.low - self.low / 3)
        } else {
            many(strokes.light).then_some(self.high + (255 - self.high) / 3)
        }
    }

    /// The threshold that keeps all of it, with its noise, on one side.
    fn plain(self) -> u8 {
        if self.low / 2 + self.high / 2 < LIGHT {
            LIGHT.max(self.high.saturating_add(TONE as u8))
        } else {
            LIGHT.min(self.low.saturating_sub(TONE as u8))
        }
    }
}

impl Strokes {
    /// Counts the strokes in a row of pixels: a few that differ between two that are the tint. The
    /// edge of the tint is none, nor is a frame around it.
    fn count(&mut self, row: &[u8], tint: Tint) {
        let mut last_tint = None;
        for (at, pixel) in row.iter().enumerate() {
            if !(tint.low..=tint.high).contains(pixel) {
                continue;
            }
            let between = last_tint
                .replace(at)
                .and_then(|last: usize| row.get(last + 1..at));
            let Some(between) = between.filter(|pixels| pixels.len() <= WIDEST_STROKE) else {
                continue;
            };
            let dark = tint.low.saturating_sub(CONTRAST);
            let light = tint.high.saturating_add(CONTRAST);
            if between.iter().any(|pixel| *pixel < dark) {
                self.dark += 1;
            } else if between.iter().any(|pixel| *pixel > light) {
                self.light += 1;
            }
        }
    }
}

/// The tint of a block: two neighbouring tones (noise may lie across their border) that make up
/// two fifths of it.
fn tint(blocks: &Blocks, at: usize) -> Option<Tint> {
    let tones = blocks.histogram(at)?;
    let pairs = tones.windows(2).map(|pair| pair.iter().sum::<u16>());
    let (tone, count) = pairs.enumerate().max_by_key(|(_, count)| *count)?;
    let low = u8::try_from(tone * TONE).ok()?;
    let high = low.saturating_add(2 * TONE as u8 - 1);
    let is_grey = low > CONTRAST && high < 255 - CONTRAST / 2;
    (is_grey && usize::from(count) * 5 > BLOCK * BLOCK * 2).then_some(Tint { low, high })
}
