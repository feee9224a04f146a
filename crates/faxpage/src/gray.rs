//! Grey pixels, as an engine draws them.

use std::fmt;

/// A rectangle of grey pixels: one byte each, 0 black to 255 white, rows one after another.
#[derive(Clone, PartialEq, Eq)]
pub struct Gray {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Gray {
    /// A white picture. The caller bounds the size: `width * height` bytes are taken.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            pixels: vec![255; width as usize * height as usize],
        }
    }

    /// A picture of these pixels; `None` if there are not exactly `width * height`.
    pub fn from_pixels(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let fits = (width as usize).checked_mul(height as usize) == Some(pixels.len());
        fits.then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All pixels for writing.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The pixels of row `y`; empty below the last row.
    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.width as usize;
        self.pixels
            .get(start..start + self.width as usize)
            .unwrap_or_default()
    }

    /// The pixels of row `y` for writing; empty below the last row.
    pub fn row_mut(&mut self, y: u32) -> &mut [u8] {
        let start = y as usize * self.width as usize;
        self.pixels
            .get_mut(start..start + self.width as usize)
            .unwrap_or_default()
    }

    /// The pixel's grey; outside everything is white.
    pub fn get(&self, x: u32, y: u32) -> u8 {
        self.row(y).get(x as usize).copied().unwrap_or(255)
    }

    /// Sets the pixel's grey; outside nothing happens.
    pub fn set(&mut self, x: u32, y: u32, value: u8) {
        if let Some(pixel) = self.row_mut(y).get_mut(x as usize) {
            *pixel = value;
        }
    }

    /// Copies `other` to where its upper left corner is at `(x, y)`. What falls outside is cut off.
    pub fn blit(&mut self, other: &Self, x: i64, y: i64) {
        let first = y.saturating_neg().clamp(0, i64::from(other.height));
        let last = i64::from(self.height)
            .saturating_sub(y)
            .clamp(first, i64::from(other.height));
        let left = x.clamp(0, i64::from(self.width));
        let right = x
            .saturating_add(i64::from(other.width))
            .clamp(left, i64::from(self.width));
        if left == right {
            return;
        }
        for row in first..last {
            // All are inside their rectangles by the clamps above.
            let from = other.row(row as u32);
            let to = self.row_mut((row + y) as u32);
            let from = from.get((left - x) as usize..(right - x) as usize);
            if let (Some(to), Some(from)) = (to.get_mut(left as usize..right as usize), from) {
                to.copy_from_slice(from);
            }
        }
    }
}

impl fmt::Debug for Gray {
    /// The size only: a page has four megabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gray({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blit_is_cut_off_at_every_side() {
        let mut dark = Gray::new(2, 2);
        dark.pixels_mut().fill(7);
        let mut page = Gray::new(3, 3);
        page.blit(&dark, -1, -1);
        page.blit(&dark, 2, 2);
        page.blit(&dark, 50, 0);
        page.blit(&dark, i64::MAX, i64::MIN);
        page.blit(&dark, i64::MIN, 1);
        assert_eq!(page.pixels(), [7, 255, 255, 255, 255, 255, 255, 255, 7]);
    }
}
