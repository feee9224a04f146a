//! Turned and mirrored pages.

use crate::bitmap::Bitmap;
use crate::gray::Gray;

impl Bitmap {
    /// Turned a quarter to the left: what was the right side is on top.
    pub fn rotate_left(&self) -> Self {
        let right = self.width().saturating_sub(1);
        self.moved(self.height(), self.width(), |x, y| (y, right - x))
    }

    /// Turned a quarter to the right: what was the left side is on top.
    pub fn rotate_right(&self) -> Self {
        let bottom = self.height().saturating_sub(1);
        self.moved(self.height(), self.width(), |x, y| (bottom - y, x))
    }

    /// Turned upside down.
    pub fn rotate_half(&self) -> Self {
        let (right, bottom) = (
            self.width().saturating_sub(1),
            self.height().saturating_sub(1),
        );
        self.moved(self.width(), self.height(), |x, y| (right - x, bottom - y))
    }

    /// Left and right exchanged.
    pub fn mirror(&self) -> Self {
        let right = self.width().saturating_sub(1);
        self.moved(self.width(), self.height(), |x, y| (right - x, y))
    }

    /// A bitmap of this size with every black pixel where `place` puts it.
    fn moved(&self, width: u32, height: u32, place: impl Fn(u32, u32) -> (u32, u32)) -> Self {
        let mut moved = Self::new(width, height);
        for y in 0..self.height() {
            for (at, byte) in (0_u32..).zip(self.row(y)) {
                let mut left = *byte;
                while left != 0 {
                    let bit = left.leading_zeros();
                    left ^= 0x80 >> bit;
                    let (x, y) = place(at * 8 + bit, y);
                    moved.set(x, y, true);
                }
            }
        }
        moved
    }
}

impl Gray {
    /// Turned a quarter to the left: what was the right side is on top.
    pub fn rotate_left(&self) -> Self {
        let mut turned = Self::new(self.height(), self.width());
        for y in 0..self.width() {
            let from = self.width() - 1 - y;
            for (x, pixel) in (0..).zip(turned.row_mut(y)) {
                *pixel = self.get(from, x);
            }
        }
        turned
    }

    /// Turned a quarter to the right: what was the left side is on top.
    pub fn rotate_right(&self) -> Self {
        let mut turned = Self::new(self.height(), self.width());
        for y in 0..self.width() {
            for (x, pixel) in (0..self.height()).rev().zip(turned.row_mut(y)) {
                *pixel = self.get(y, x);
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An L: a column on the left, its foot to the right.
    fn letter() -> Bitmap {
        let mut letter = Bitmap::new(11, 20);
        for y in 0..20 {
            letter.set(0, y, true);
        }
        for x in 0..5 {
            letter.set(x, 19, true);
        }
        letter
    }

    #[test]
    fn left_puts_the_right_side_on_top() {
        let turned = letter().rotate_left();
        assert_eq!((turned.width(), turned.height()), (20, 11));
        assert!((0..20).all(|x| turned.get(x, 10)));
        assert!(turned.get(19, 6) && !turned.get(0, 6));
    }

    #[test]
    fn right_is_left_three_times_and_half_is_twice() {
        let letter = letter();
        assert_eq!(
            letter.rotate_right(),
            letter.rotate_left().rotate_left().rotate_left()
        );
        assert_eq!(letter.rotate_half(), letter.rotate_left().rotate_left());
        assert_eq!(letter.mirror().mirror(), letter);
        assert!(letter.mirror().get(10, 0) && letter.mirror().get(6, 19));
    }

    #[test]
    fn grey_turns_like_black_and_white() {
        let picture = Gray::from_pixels(3, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(picture.rotate_left().pixels(), [3, 6, 2, 5, 1, 4]);
        assert_eq!(picture.rotate_right().pixels(), [4, 1, 5, 2, 6, 3]);
    }
}
