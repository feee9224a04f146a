//! Fax pages in files.

use std::path::Path;
use std::path::PathBuf;

use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;
use faxpage::TiffLimits;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Task;

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 100,
    max_pixels: 64 * 1024 * 1024,
};

/// Rows of a fine A4 page.
const ROWS: u32 = 2286;

/// A fine page with bars, and so many rows of grains whose place depends on its number: grains make bytes on the line.
pub(crate) fn page(number: u32, grain_rows: u32) -> Page {
    let mut bitmap = Bitmap::new(FAX_WIDTH, ROWS);
    for y in 500..540 + number {
        for x in 100..1600 {
            bitmap.set(x, y, true);
        }
    }
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    for y in 1000..1000 + grain_rows {
        for x in 0..FAX_WIDTH {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            bitmap.set(x, y, state.is_multiple_of(16));
        }
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 196,
    }
}

/// So many pages of about 15 KiB on the line.
pub(crate) fn pages(count: u32) -> Vec<Page> {
    (0..count).map(|number| page(number, 160)).collect()
}

/// What the file holds.
pub(crate) fn read(file: &Path) -> Vec<Page> {
    faxpage::read_tiff(&std::fs::read(file).unwrap(), &LIMITS).unwrap()
}

/// A folder with a document in it, and room for what arrives.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// A folder with these pages.
    pub(crate) fn with(pages: &[Page]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sent.tiff"), faxpage::write_tiff(pages)).unwrap();
        Self { folder }
    }

    /// A call that sends the document.
    pub(crate) fn sender(&self) -> FaxCall {
        FaxCall {
            task: Task::Transmit {
                file: self.folder.path().join("sent.tiff"),
                first_page: 0,
            },
            local_id: "+81 3 0000 0001".to_owned(),
            sub_address: None,
            ecm: true,
            fastest: Modem::V17,
        }
    }

    /// A call that receives.
    pub(crate) fn receiver(&self) -> FaxCall {
        FaxCall {
            task: Task::Receive {
                file: self.received(),
            },
            local_id: "+81 3 0000 0002".to_owned(),
            ..self.sender()
        }
    }

    /// The file of what arrives.
    pub(crate) fn received(&self) -> PathBuf {
        self.folder.path().join("received.tiff")
    }

    /// The pages that arrived.
    pub(crate) fn pages(&self) -> Vec<Page> {
        read(&self.received())
    }
}
