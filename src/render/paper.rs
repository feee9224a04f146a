//! The paper: A4 in fax pixels.

use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;

use crate::fax::Resolution;

/// Dots an inch along a row.
pub(super) const X_DPI: u32 = 204;

/// Rows an inch.
pub(super) fn y_dpi(resolution: Resolution) -> u32 {
    match resolution {
        Resolution::Fine => 196,
        Resolution::Standard => 98,
    }
}

/// Rows of an A4 page: 297 mm.
pub(super) fn rows(resolution: Resolution) -> u32 {
    match resolution {
        Resolution::Fine => 2292,
        Resolution::Standard => 1146,
    }
}

/// A white A4 page.
pub(super) fn blank(resolution: Resolution) -> Page {
    page(Bitmap::new(FAX_WIDTH, rows(resolution)), resolution)
}

/// A page with these pixels.
pub(super) fn page(bitmap: Bitmap, resolution: Resolution) -> Page {
    Page {
        bitmap,
        x_dpi: X_DPI,
        y_dpi: y_dpi(resolution),
    }
}
