//! Where a picture goes on the paper: upright, as large as fits, its proportions kept.

use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Gray;
use faxpage::Page;
use faxpage::halftone;
use faxpage::halftone::Rendering;
use faxpage::scale;

use super::paper;
use crate::fax::Resolution;

/// A picture that leaves room stands at most this far from the upper edge, in inches.
const TOP_INCHES: f64 = 0.48;

/// How much larger a picture must become by it to be turned.
const WORTH_TURNING: f64 = 1.15;

/// A place on the paper, in fax pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether the picture is turned a quarter to the right first, because it is larger then.
    pub(super) turned: bool,
    /// Column of its left edge.
    pub(super) left: u32,
    /// Row of its upper edge.
    pub(super) top: u32,
    /// Its width after turning.
    pub(super) width: u32,
    /// Its height after turning.
    pub(super) height: u32,
}

impl Place {
    /// The place of a picture of `width` by `height` inches which may be enlarged `most` times.
    /// `None` if it has no size.
    pub(super) fn of(width: f64, height: f64, most: f64, resolution: Resolution) -> Option<Self> {
        let has_size = |inches: f64| inches.is_finite() && inches > 0.0;
        if !has_size(width) || !has_size(height) {
            return None;
        }
        let (x_dpi, y_dpi) = (f64::from(paper::X_DPI), f64::from(paper::y_dpi(resolution)));
        let (dots, rows) = (FAX_WIDTH, paper::rows(resolution));
        let scale = |width: f64, height: f64| {
            (f64::from(dots) / x_dpi / width)
                .min(f64::from(rows) / y_dpi / height)
                .min(most)
        };
        let (upright, lying) = (scale(width, height), scale(height, width));
        let turned = lying > upright * WORTH_TURNING;
        let (scale, width, height) = match turned {
            true => (lying, height, width),
            false => (upright, width, height),
        };
        let pixels = |inches: f64, dpi: f64, most: u32| {
            ((inches * scale * dpi).round() as u32).clamp(1, most)
        };
        let (width, height) = (pixels(width, x_dpi, dots), pixels(height, y_dpi, rows));
        Some(Self {
            turned,
            left: (dots - width) / 2,
            top: ((rows - height) / 2).min((TOP_INCHES * y_dpi) as u32),
            width,
            height,
        })
    }

    /// Width and height before turning.
    fn unturned(&self) -> (u32, u32) {
        match self.turned {
            true => (self.height, self.width),
            false => (self.width, self.height),
        }
    }

    /// The picture in its place.
    pub(super) fn gray(&self, picture: &Gray, resolution: Resolution) -> Page {
        let (width, height) = self.unturned();
        let scaled = scale::gray(picture, width, height);
        let upright = if self.turned {
            scaled.rotate_right()
        } else {
            scaled
        };
        let mut paper = Gray::new(FAX_WIDTH, paper::rows(resolution));
        paper.blit(&upright, i64::from(self.left), i64::from(self.top));
        dots(&paper, resolution)
    }

    /// Line art in its place.
    pub(super) fn bitmap(&self, art: &Bitmap, resolution: Resolution) -> Page {
        let (width, height) = self.unturned();
        let scaled = scale::bitmap(art, width, height);
        let upright = if self.turned {
            scaled.rotate_right()
        } else {
            scaled
        };
        let mut page = paper::blank(resolution);
        page.bitmap
            .blit(&upright, i64::from(self.left), i64::from(self.top));
        page
    }
}

/// A page of grey pixels in black and white.
pub(super) fn dots(paper: &Gray, resolution: Resolution) -> Page {
    paper::page(halftone::to_bitmap(paper, Rendering::default()), resolution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_a4_page_keeps_its_size() {
        let place = Place::of(210.0 / 25.4, 297.0 / 25.4, f64::MAX, Resolution::Fine).unwrap();
        assert!(!place.turned);
        assert!(place.width.abs_diff(1686) <= 1 && place.height.abs_diff(2292) <= 1);
        let half = Place::of(210.0 / 25.4, 297.0 / 25.4, f64::MAX, Resolution::Standard).unwrap();
        assert_eq!(half.width, place.width);
        assert!(half.height.abs_diff(place.height / 2) <= 1);
    }

    #[test]
    fn a_wide_picture_is_turned_and_centred() {
        let place = Place::of(11.69, 5.0, f64::MAX, Resolution::Fine).unwrap();
        assert!(place.turned);
        assert_eq!(place.width, 1020);
        assert_eq!(place.left, (1728 - 1020) / 2);
    }

    #[test]
    fn a_small_picture_is_not_blown_up_beyond_its_measure() {
        let place = Place::of(1.0, 1.0, 1.0, Resolution::Fine).unwrap();
        assert_eq!((place.width, place.height), (204, 196));
        assert_eq!(place.top, 94);
        let logo = Place::of(4.0, 1.0, 1.0, Resolution::Fine).unwrap();
        assert!(!logo.turned, "turning would not make it larger");
    }

    #[test]
    fn a_picture_without_size_has_no_place() {
        for (width, height) in [
            (0.0, 1.0),
            (1.0, -1.0),
            (f64::NAN, 1.0),
            (1.0, f64::INFINITY),
        ] {
            assert_eq!(Place::of(width, height, 1.0, Resolution::Fine), None);
        }
    }

    #[test]
    fn a_thread_wide_picture_still_has_a_pixel() {
        let place = Place::of(0.0001, 1000.0, f64::MAX, Resolution::Fine).unwrap();
        assert_eq!((place.width, place.height), (1, 2292));
    }
}
