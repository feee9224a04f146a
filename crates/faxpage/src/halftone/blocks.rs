//! A page in blocks of 16 by 16 pixels, and the tones in each.

use std::ops::Range;

use crate::gray::Gray;

/// Pixels along the side of a block.
pub(super) const BLOCK: usize = 16;

/// Levels that count as one tone.
pub(super) const TONE: usize = 8;

/// Levels that are neither black nor white.
const MIDDLE: Range<u8> = 20..225;

/// How many pixels of a block have each tone.
pub(super) type Histogram = [u16; 256 / TONE];

/// The blocks of a page, row by row.
pub(super) struct Blocks {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) middles: Vec<Middle>,
    /// For the blocks with many middle tones only: most of a page of text has none.
    histograms: Vec<Option<Box<Histogram>>>,
}

/// The middle tones of a block: how many pixels, the sum of their levels and of the squares.
#[derive(Clone, Copy, Default)]
pub(super) struct Middle {
    pub(super) count: u64,
    pub(super) sum: u64,
    pub(super) squares: u64,
}

impl Blocks {
    /// Looks at a page.
    pub(super) fn of(page: &Gray) -> Self {
        let columns = (page.width() as usize).div_ceil(BLOCK);
        let rows = (page.height() as usize).div_ceil(BLOCK);
        let middles = middles(page, columns, rows);
        let histograms = middles.iter().enumerate().map(|(at, middle)| {
            let many = middle.count as usize * 3 > BLOCK * BLOCK;
            many.then(|| Box::new(histogram(page, at % columns, at / columns)))
        });
        Self {
            columns,
            rows,
            histograms: histograms.collect(),
            middles,
        }
    }

    /// The tones of a block, if many of them are middle tones.
    pub(super) fn histogram(&self, at: usize) -> Option<&Histogram> {
        self.histograms.get(at)?.as_deref()
    }

    /// The blocks at most `reach` away from a block, itself included.
    pub(super) fn around(&self, at: usize, reach: usize) -> impl Iterator<Item = usize> + use<> {
        let (column, row, columns) = (at % self.columns, at / self.columns, self.columns);
        let near = |at: usize, end: usize| at.saturating_sub(reach)..(at + reach + 1).min(end);
        let across = near(column, columns);
        near(row, self.rows).flat_map(move |row| across.clone().map(move |x| row * columns + x))
    }

    /// The blocks left, right, above and below.
    pub(super) fn beside(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let column = at % self.columns;
        let all = [
            (column > 0).then(|| at - 1),
            (column + 1 < self.columns).then_some(at + 1),
            at.checked_sub(self.columns),
            Some(at + self.columns).filter(|below| *below < self.middles.len()),
        ];
        all.into_iter().flatten()
    }

    /// The groups of blocks that hang together, `start` saying which blocks count and `joins` which
    /// of them belong together.
    pub(super) fn islands(
        &self,
        start: impl Fn(usize) -> bool,
        joins: impl Fn(usize, usize) -> bool,
    ) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.middles.len()];
        let mut islands = Vec::new();
        for first in 0..seen.len() {
            if seen[first] || !start(first) {
                continue;
            }
            seen[first] = true;
            let mut island = vec![first];
            let mut next = 0;
            while let Some(&at) = island.get(next) {
                next += 1;
                for other in self.beside(at) {
                    if !seen[other] && start(other) && joins(at, other) {
                        seen[other] = true;
                        island.push(other);
                    }
                }
            }
            islands.push(island);
        }
        islands
    }
}

/// The rows of pixels of a block; narrower and fewer at the right and lower edge of the page.
pub(super) fn block_rows(page: &Gray, column: usize, row: usize) -> impl Iterator<Item = &[u8]> {
    let width = page.width() as usize;
    let across = column * BLOCK..((column + 1) * BLOCK).min(width);
    let down = (row * BLOCK) as u32..page.height().min(((row + 1) * BLOCK) as u32);
    down.map(move |y| page.row(y).get(across.clone()).unwrap_or_default())
}

fn histogram(page: &Gray, column: usize, row: usize) -> Histogram {
    let mut tones = [0; 256 / TONE];
    for pixel in block_rows(page, column, row).flatten() {
        tones[usize::from(*pixel) / TONE] += 1;
    }
    tones
}

fn middles(page: &Gray, columns: usize, rows: usize) -> Vec<Middle> {
    let mut middles = vec![Middle::default(); columns * rows];
    for y in 0..page.height() {
        let row = y as usize / BLOCK * columns;
        for (block, pixels) in middles[row..].iter_mut().zip(page.row(y).chunks(BLOCK)) {
            // Most of most pages: worth not adding up.
            if pixels == [255; BLOCK] {
                continue;
            }
            let (mut count, mut sum, mut squares) = (0_u32, 0_u32, 0_u32);
            for pixel in pixels {
                let middle = u32::from(MIDDLE.contains(pixel));
                let level = u32::from(*pixel) * middle;
                count += middle;
                sum += level;
                squares += level * u32::from(*pixel);
            }
            block.count += u64::from(count);
            block.sum += u64::from(sum);
            block.squares += u64::from(squares);
        }
    }
    middles
}
