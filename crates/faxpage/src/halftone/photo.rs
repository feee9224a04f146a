//! Where a page shows photographs.
//!
//! A block belongs to one if most pixels around it are neither black nor white and their tones are
//! spread: the noise of paper is not. Nor are tints behind a table, however many: they have a few
//! tones only. Small islands are dropped, and one that nearly fills its rectangle becomes the
//! rectangle, since photographs are.

use super::blocks::BLOCK;
use super::blocks::Blocks;
use super::blocks::Histogram;
use super::blocks::Middle;

/// Fewer blocks than this (about a square centimetre) are not a photograph.
const SMALLEST: usize = 12;

/// Which blocks of a page belong to photographs.
pub(super) struct PhotoMap {
    columns: usize,
    photo: Vec<bool>,
}

impl PhotoMap {
    /// Looks for photographs.
    pub(super) fn of(blocks: &Blocks) -> Self {
        let all = 0..blocks.middles.len();
        let mut map = Self {
            columns: blocks.columns,
            photo: all.map(|at| is_photo(blocks, at)).collect(),
        };
        let islands = blocks.islands(|at| map.photo[at], |_, _| true);
        let (large, small): (Vec<_>, Vec<_>) = islands
            .into_iter()
            .partition(|island| island.len() >= SMALLEST);
        for at in small.into_iter().flatten() {
            map.photo[at] = false;
        }
        // Afterwards: a small island may lie in the rectangle of a large one.
        for island in large {
            map.square_off(blocks, &island);
        }
        map
    }

    /// Whether the page has no photograph.
    pub(super) fn is_empty(&self) -> bool {
        !self.photo.contains(&true)
    }

    /// Whether the block belongs to a photograph.
    pub(super) fn contains(&self, at: usize) -> bool {
        self.photo.get(at) == Some(&true)
    }

    /// The blocks that pixel row `y` runs through.
    pub(super) fn row(&self, y: u32) -> &[bool] {
        let start = y as usize / BLOCK * self.columns;
        self.photo
            .get(start..start + self.columns)
            .unwrap_or_default()
    }

    /// Fills the island's rectangle and one block around it (the edges of the picture), if it
    /// covers more than 60 % of it.
    fn square_off(&mut self, blocks: &Blocks, island: &[usize]) {
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        for at in island {
            left = left.min(at % self.columns);
            right = right.max(at % self.columns);
            top = top.min(at / self.columns);
            bottom = bottom.max(at / self.columns);
        }
        if island.len() * 10 <= (right - left + 1) * (bottom - top + 1) * 6 {
            return;
        }
        for row in top.saturating_sub(1)..(bottom + 2).min(blocks.rows) {
            for column in left.saturating_sub(1)..(right + 2).min(self.columns) {
                self.photo[row * self.columns + column] = true;
            }
        }
    }
}

/// Judges a block by the five by five blocks around it.
fn is_photo(blocks: &Blocks, at: usize) -> bool {
    let mut pixels = 0;
    let mut all = Middle::default();
    for near in blocks.around(at, 2) {
        let block = blocks.middles[near];
        pixels += BLOCK * BLOCK;
        all.count += block.count;
        all.sum += block.sum;
        all.squares += block.squares;
    }
    let count = all.count as f64;
    if count <= pixels as f64 * 0.6 {
        return false;
    }
    let mean = all.sum as f64 / count;
    let spread = (all.squares as f64 / count - mean * mean).max(0.0).sqrt();
    // Light and even is shaded paper.
    spread > 18.0 && (mean < 215.0 || spread > 30.0) && !has_few_tones(blocks, at)
}

/// Whether three tones make up most of the middle tones around a block.
fn has_few_tones(blocks: &Blocks, at: usize) -> bool {
    let mut tones: Histogram = [0; _];
    for near in blocks.around(at, 2) {
        for (tone, more) in tones
            .iter_mut()
            .zip(blocks.histogram(near).into_iter().flatten())
        {
            *tone += more;
        }
    }
    // Black and white and their fringes are not tones.
    let middle = &mut tones[3..28];
    middle.sort_unstable_by(|a, b| b.cmp(a));
    let sum = |tones: &[u16]| tones.iter().map(|tone| u64::from(*tone)).sum::<u64>();
    sum(&middle[..3]) * 10 > sum(middle) * 7
}
