//! Filling an outline: exact coverage of each pixel, then black or white.

/// A stretch of black pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Rows below the baseline (above it: negative).
    pub(super) row: i32,
    /// First black pixel, from the glyph's origin.
    pub(super) start: i32,
    /// The pixel after the last black one.
    pub(super) end: i32,
}

/// Share of a pixel that ink must cover to make it black. Below a half, because thin strokes would
/// vanish otherwise and fax machines print lighter than a screen shows.
const INK: f32 = 0.42;
/// Height of a level stroke in rows from which on it must not vanish: underscores and ruled lines of
/// the embedded font have half a row at 98 lines an inch.
const THIN: f32 = 0.25;
/// Straight pieces that a curve becomes: a glyph is some thirty pixels high.
const PIECES: u16 = 8;
/// No glyph is larger; what an odd font claims beyond is not drawn.
const MOST: f32 = 2000.0;

/// An outline in pixels, rows counted downwards from the baseline.
pub(super) struct Outline {
    y_scale: f32,
    start: [f32; 2],
    at: [f32; 2],
    edges: Vec<[[f32; 2]; 2]>,
}

impl Outline {
    /// An empty outline whose heights will be multiplied by `y_scale`.
    pub(super) fn scaled(y_scale: f32) -> Self {
        Self {
            y_scale,
            start: [0.0; 2],
            at: [0.0; 2],
            edges: Vec::new(),
        }
    }

    /// Closes the present contour and begins one at `(x, y)`, `y` upwards.
    pub(super) fn move_to(&mut self, x: f32, y: f32) {
        self.close();
        self.at = [x, -y * self.y_scale];
        self.start = self.at;
    }

    /// A straight edge.
    pub(super) fn line_to(&mut self, x: f32, y: f32) {
        self.edge_to([x, -y * self.y_scale]);
    }

    /// A quadratic curve.
    pub(super) fn quad_to(&mut self, via: [f32; 2], to: [f32; 2]) {
        let (from, via, to) = (self.at, self.down(via), self.down(to));
        for step in 1..=PIECES {
            let t = f32::from(step) / f32::from(PIECES);
            let s = 1.0 - t;
            let point = |i: usize| s * s * from[i] + 2.0 * s * t * via[i] + t * t * to[i];
            self.edge_to([point(0), point(1)]);
        }
    }

    /// A cubic curve.
    pub(super) fn cubic_to(&mut self, a: [f32; 2], b: [f32; 2], to: [f32; 2]) {
        let (from, a, b, to) = (self.at, self.down(a), self.down(b), self.down(to));
        for step in 1..=PIECES {
            let t = f32::from(step) / f32::from(PIECES);
            let s = 1.0 - t;
            let point = |i: usize| {
                s * s * s * from[i]
                    + 3.0 * s * s * t * a[i]
                    + 3.0 * s * t * t * b[i]
                    + t * t * t * to[i]
            };
            self.edge_to([point(0), point(1)]);
        }
    }

    /// Ends the present contour with a straight edge to its start.
    pub(super) fn close(&mut self) {
        self.edge_to(self.start);
    }

    /// The black pixels, row by row.
    pub(super) fn runs(mut self) -> Vec<Run> {
        self.close();
        let Some(field) = Coverage::of(&self.edges) else {
            return Vec::new();
        };
        field.runs()
    }

    fn down(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [x, -y * self.y_scale]
    }

    fn edge_to(&mut self, to: [f32; 2]) {
        if to[1] != self.at[1] {
            self.edges.push([self.at, to]);
        }
        self.at = to;
    }
}

/// How much of each pixel is inside: kept as differences along each row, summed when read.
struct Coverage {
    left: i32,
    top: i32,
    width: usize,
    changes: Vec<f32>,
}

impl Coverage {
    fn of(edges: &[[[f32; 2]; 2]]) -> Option<Self> {
        let points = || edges.iter().flatten();
        let bound = |i: usize, f: fn(f32, f32) -> f32| points().map(|p| p[i]).reduce(f);
        let (left, right) = (bound(0, f32::min)?, bound(0, f32::max)?);
        let (top, bottom) = (bound(1, f32::min)?, bound(1, f32::max)?);
        let sane = [left, right, top, bottom].iter().all(|v| v.abs() < MOST);
        if !sane {
            return None;
        }
        let (left, top) = (left.floor() as i32, top.floor() as i32);
        // Two columns more: an edge's effect reaches one pixel past it.
        let width = (right.ceil() as i32 - left) as usize + 2;
        let height = (bottom.ceil() as i32 - top) as usize;
        let mut field = Self {
            left,
            top,
            width,
            changes: vec![0.0; width * height],
        };
        for edge in edges {
            field.add(*edge);
        }
        Some(field)
    }

    /// Adds what lies to the right of an edge, positive downwards and negative upwards.
    fn add(&mut self, [from, to]: [[f32; 2]; 2]) {
        let sign = if from[1] < to[1] { 1.0 } else { -1.0 };
        let (upper, lower) = if from[1] < to[1] {
            (from, to)
        } else {
            (to, from)
        };
        let slope = (lower[0] - upper[0]) / (lower[1] - upper[1]);
        let (origin_x, origin_y) = (self.left as f32, self.top as f32);
        // Inside the field by its construction, so neither is negative.
        let first = (upper[1] - origin_y).floor() as usize;
        let last = (lower[1] - origin_y).ceil() as usize;
        for row in first..last {
            let row_top = origin_y + row as f32;
            let (y0, y1) = (upper[1].max(row_top), lower[1].min(row_top + 1.0));
            if y0 >= y1 {
                continue;
            }
            let x0 = upper[0] + (y0 - upper[1]) * slope - origin_x;
            let x1 = upper[0] + (y1 - upper[1]) * slope - origin_x;
            self.add_in_row(row, x0.min(x1), x0.max(x1), sign * (y1 - y0));
        }
    }

    /// A piece of an edge inside one row, from `x0` to `x1`, of the given height.
    ///
    /// With `g(t)` the area between the piece and a vertical at `t`, a pixel at `c` is covered by
    /// `g(c + 1) - g(c)`; the change from pixel to pixel is its second difference.
    fn add_in_row(&mut self, row: usize, x0: f32, x1: f32, height: f32) {
        for column in x0.floor() as usize..=x1.ceil() as usize {
            let x = column as f32;
            let second =
                right_of(x0, x1, x + 1.0) - 2.0 * right_of(x0, x1, x) + right_of(x0, x1, x - 1.0);
            self.change(row, column, height * second);
        }
    }

    fn change(&mut self, row: usize, column: usize, by: f32) {
        let at = row * self.width + column;
        if let Some(change) = self.changes.get_mut(at).filter(|_| column < self.width) {
            *change += by;
        }
    }

    /// The ink of each pixel, rows one after another.
    fn ink(&self) -> Vec<f32> {
        let mut ink = self.changes.clone();
        for row in ink.chunks_mut(self.width) {
            let mut sum = 0.0;
            for pixel in row {
                sum += *pixel;
                *pixel = f32::abs(sum);
            }
        }
        ink
    }

    fn runs(&self) -> Vec<Run> {
        let ink = self.ink();
        let rows: Vec<&[f32]> = ink.chunks(self.width).collect();
        let none = vec![0.0; self.width];
        let at = |y: Option<usize>| {
            y.and_then(|y| rows.get(y))
                .map_or(none.as_slice(), |row| row)
        };
        let mut runs = Vec::new();
        for (y, row) in rows.iter().enumerate() {
            let (above, below) = (at(y.checked_sub(1)), at(y.checked_add(1)));
            let columns = above.iter().zip(*row).zip(below);
            let black = columns.map(|((above, here), below)| is_black(*above, *here, *below));
            self.row_runs(self.top + y as i32, black, &mut runs);
        }
        runs
    }

    fn row_runs(&self, row: i32, black: impl Iterator<Item = bool>, runs: &mut Vec<Run>) {
        let mut open: Option<i32> = None;
        // The last column is past every edge and white, so no run stays open.
        for (x, black) in (self.left..).zip(black) {
            match (black, open) {
                (true, None) => open = Some(x),
                (false, Some(start)) => {
                    runs.push(Run { row, start, end: x });
                    open = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
    }
}

/// Whether a pixel with this ink is black, given the ink above and below it. A thin level stroke that
/// falls between two rows, or is thinner than one, blackens the row that has most of it.
fn is_black(above: f32, here: f32, below: f32) -> bool {
    let is_stroke = here >= above && here > below && above < INK;
    here >= INK || (is_stroke && above + here + below >= THIN)
}

/// The area, for a height of one, between an edge that runs evenly from `x0` to `x1` and a vertical
/// at `t`, as far as the vertical is to the right of the edge.
fn right_of(x0: f32, x1: f32, t: f32) -> f32 {
    if t <= x0 {
        0.0
    } else if t >= x1 {
        t - (x0 + x1) / 2.0
    } else {
        (t - x0) * (t - x0) / (2.0 * (x1 - x0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(y_scale: f32, points: &[(f32, f32)]) -> Vec<Run> {
        let mut outline = Outline::scaled(y_scale);
        for (i, &(x, y)) in points.iter().enumerate() {
            match i {
                0 => outline.move_to(x, y),
                _ => outline.line_to(x, y),
            }
        }
        outline.runs()
    }

    #[test]
    fn a_box_above_the_baseline_fills_its_pixels() {
        let runs = polygon(1.0, &[(1.0, 0.0), (4.0, 0.0), (4.0, 2.0), (1.0, 2.0)]);
        let run = |row| Run {
            row,
            start: 1,
            end: 4,
        };
        assert_eq!(runs, [run(-2), run(-1)]);
    }

    #[test]
    fn half_as_many_rows_when_lines_are_twice_as_far_apart() {
        let square = [(0.0, 0.0), (8.0, 0.0), (8.0, 8.0), (0.0, 8.0)];
        assert_eq!(polygon(1.0, &square).len(), 8);
        assert_eq!(polygon(0.5, &square).len(), 4);
    }

    #[test]
    fn a_pixel_needs_enough_ink_to_be_black() {
        let bar = |height| polygon(1.0, &[(0.0, 0.0), (9.0, 0.0), (9.0, height), (0.0, height)]);
        assert_eq!(bar(1.0 + INK + 0.02).len(), 2);
        assert_eq!(bar(1.0 + INK - 0.02).len(), 1);
    }

    #[test]
    fn a_thin_level_stroke_does_not_vanish_between_two_rows() {
        let stroke = |low: f32, high: f32| {
            polygon(1.0, &[(0.0, low), (9.0, low), (9.0, high), (0.0, high)]).len()
        };
        assert_eq!(stroke(0.7, 1.3), 1);
        assert_eq!(stroke(0.1, 0.4), 1);
        assert_eq!(stroke(0.1, 0.2), 0);
    }

    #[test]
    fn a_slanted_edge_covers_what_geometry_says() {
        let edges = [[[0.0, 0.0], [0.0, 10.0]], [[0.0, 10.0], [10.0, 0.0]]];
        let field = Coverage::of(&edges).unwrap();
        let area: f32 = field
            .changes
            .chunks(field.width)
            .flat_map(|row| {
                row.iter().scan(0.0, |sum, change| {
                    *sum += change;
                    Some(f32::abs(*sum))
                })
            })
            .sum();
        assert!((area - 50.0).abs() < 0.01, "{area}");
    }

    #[test]
    fn an_outline_beyond_all_measure_draws_nothing() {
        assert!(polygon(1.0, &[(0.0, 0.0), (1.0e9, 0.0), (1.0, 5.0e9)]).is_empty());
        assert!(polygon(1.0, &[(0.0, 0.0), (f32::NAN, 0.0), (1.0, 5.0)]).is_empty());
    }
}
