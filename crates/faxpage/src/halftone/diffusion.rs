//! Error diffusion after Floyd and Steinberg, rows in alternating directions.

use crate::bitmap::Bitmap;
use crate::gray::Gray;

/// The page with each pixel's error handed on to its neighbours.
pub(super) fn diffuse(page: &Gray) -> Bitmap {
    let mut bitmap = Bitmap::new(page.width(), page.height());
    let width = page.width() as usize;
    // Errors in sixteenths, with one place more on each side so that the edges need no check.
    let mut here = vec![0_i32; width + 2];
    let mut below = vec![0_i32; width + 2];
    for y in 0..page.height() {
        let pixels = page.row(y);
        let row = bitmap.row_mut(y);
        below.fill(0);
        let mut ahead = 0;
        // In the second direction ahead and behind change places.
        let (behind, before) = if y % 2 == 0 { (0, 2) } else { (2, 0) };
        for step in 0..width {
            let x = if y % 2 == 0 { step } else { width - 1 - step };
            let wanted = i32::from(pixels[x]) + ((here[x + 1] + ahead) >> 4);
            let error = if wanted < 128 {
                row[x / 8] |= 0x80 >> (x % 8);
                wanted
            } else {
                wanted - 255
            };
            ahead = error * 7;
            below[x + behind] += error * 3;
            below[x + 1] += error * 5;
            below[x + before] += error;
        }
        std::mem::swap(&mut here, &mut below);
    }
    bitmap
}
