//! Where a page shows photographs.
//!
//! A block belongs to one if most pixels around it are neither black nor white and their tones are
//! spread: a flat tint behind a table and the noise of paper are not. Small islands are dropped,
//! and one that nearly fills its rectangle becomes the rectangle, since photographs are.

use std::ops::Range;

use crate::gray::Gray;

/// Pixels along the side of a block.
pub(super) const BLOCK: usize = 16;

/// Fewer blocks than this (about a square centimetre) are not a photograph.
const SMALLEST: usize = 12;

/// Levels that are neither black nor white.
const MIDDLE: Range<u8> = 20..225;

/// Which blocks of a page belong to photographs.
pub(super) struct PhotoMap {
    columns: usize,
    rows: usize,
    photo: Vec<bool>,
}

/// The middle tones of a block: how many pixels, the sum of their levels and of the squares.
#[derive(Clone, Copy, Default)]
struct Tones {
    count: u64,
    sum: u64,
    squares: u64,
}

impl PhotoMap {
    /// Looks at a page.
    pub(super) fn of(page: &Gray) -> Self {
        let columns = (page.width() as usize).div_ceil(BLOCK);
        let rows = (page.height() as usize).div_ceil(BLOCK);
        let tones = tones(page, columns, rows);
        let mut map = Self {
            columns,
            rows,
            photo: vec![false; columns * rows],
        };
        for row in 0..rows {
            for column in 0..columns {
                map.photo[row * columns + column] = map.is_photo(&tones, column, row);
            }
        }
        map.join_islands();
        map
    }

    /// Whether the page has no photograph.
    pub(super) fn is_empty(&self) -> bool {
        !self.photo.contains(&true)
    }

    /// The blocks that pixel row `y` runs through.
    pub(super) fn row(&self, y: u32) -> &[bool] {
        let start = y as usize / BLOCK * self.columns;
        self.photo
            .get(start..start + self.columns)
            .unwrap_or_default()
    }

    /// Judges a block by the five by five blocks around it.
    fn is_photo(&self, tones: &[Tones], column: usize, row: usize) -> bool {
        let (columns, rows) = (self.around(column, 2).0, self.around(row, 2).1);
        let pixels = (columns.len() * rows.len() * BLOCK * BLOCK) as f64;
        let mut all = Tones::default();
        for row in rows {
            for block in &tones[row * self.columns..][columns.clone()] {
                all.count += block.count;
                all.sum += block.sum;
                all.squares += block.squares;
            }
        }
        let count = all.count as f64;
        if count <= pixels * 0.6 {
            return false;
        }
        let mean = all.sum as f64 / count;
        let spread = (all.squares as f64 / count - mean * mean).max(0.0).sqrt();
        // Light and even is shaded paper.
        spread > 18.0 && (mean < 215.0 || spread > 30.0)
    }

    /// The columns and the rows at most `reach` away from `at`.
    fn around(&self, at: usize, reach: usize) -> (Range<usize>, Range<usize>) {
        let first = at.saturating_sub(reach);
        let last = at + reach + 1;
        (first..last.min(self.columns), first..last.min(self.rows))
    }

    fn join_islands(&mut self) {
        let mut seen = vec![false; self.photo.len()];
        for start in 0..self.photo.len() {
            if !self.photo[start] || seen[start] {
                continue;
            }
            let island = self.island(start, &mut seen);
            if island.len() < SMALLEST {
                for at in island {
                    self.photo[at] = false;
                }
            } else {
                self.square_off(&island, &mut seen);
            }
        }
    }

    /// All photograph blocks that hang together with `start`.
    fn island(&self, start: usize, seen: &mut [bool]) -> Vec<usize> {
        let mut island = vec![start];
        seen[start] = true;
        let mut next = 0;
        while let Some(&at) = island.get(next) {
            next += 1;
            let column = at % self.columns;
            let neighbours = [
                (column > 0).then(|| at - 1),
                (column + 1 < self.columns).then_some(at + 1),
                at.checked_sub(self.columns),
                Some(at + self.columns).filter(|below| *below < self.photo.len()),
            ];
            for neighbour in neighbours.into_iter().flatten() {
                if self.photo[neighbour] && !seen[neighbour] {
                    seen[neighbour] = true;
                    island.push(neighbour);
                }
            }
        }
        island
    }

    /// Fills the island's rectangle and one block around it (the edges of the picture), if it
    /// covers more than 60 % of it.
    fn square_off(&mut self, island: &[usize], seen: &mut [bool]) {
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
        for row in top.saturating_sub(1)..(bottom + 2).min(self.rows) {
            for column in left.saturating_sub(1)..(right + 2).min(self.columns) {
                self.photo[row * self.columns + column] = true;
                seen[row * self.columns + column] = true;
            }
        }
    }
}

fn tones(page: &Gray, columns: usize, rows: usize) -> Vec<Tones> {
    let mut tones = vec![Tones::default(); columns * rows];
    for y in 0..page.height() {
        let row = y as usize / BLOCK * columns;
        for (block, pixels) in tones[row..].iter_mut().zip(page.row(y).chunks(BLOCK)) {
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
    tones
}
