//! Pages as PDF: the Group 4 data of each page in a `CCITTFaxDecode` image (ISO 32000-1 section
//! 7.4.6), taken over as it is wherever possible.

use std::fmt::Write as _;

use crate::bitmap::Page;
use crate::ccitt::encode_g4;
use crate::tiff::TiffError;
use crate::tiff::TiffLimits;
use crate::tiff::TiffPages;

/// Objects before those of the pages: catalogue, page tree, document information.
const FIXED: usize = 3;

/// Objects of a page: itself, what it draws, its image.
const OF_PAGE: usize = 3;

/// The pages as a PDF document, the same bytes for the same pages. A document needs a page.
pub fn from_pages(pages: &[Page], title: &str) -> Vec<u8> {
    let mut document = Document::new();
    for page in pages {
        document.push(page);
    }
    document.finish(title)
}

/// A TIFF file as a PDF document; what is Group 4 in one strip is not coded again.
///
/// # Errors
/// As [`crate::read_tiff`].
pub fn from_tiff(bytes: &[u8], limits: &TiffLimits, title: &str) -> Result<Vec<u8>, TiffError> {
    let mut document = Document::new();
    for page in TiffPages::new(bytes, limits)? {
        let page = page?;
        match page.g4_strip() {
            Some(strip) => {
                let (size, dpi) = ((page.width(), page.height()), (page.x_dpi(), page.y_dpi()));
                document.push_g4(size, dpi, strip);
            }
            None => document.push(&page.decode()?),
        }
    }
    Ok(document.finish(title))
}

/// A document that grows page by page.
struct Document {
    bytes: Vec<u8>,
    /// Where each object of the pages begins.
    objects: Vec<usize>,
}

impl Document {
    fn new() -> Self {
        // Four bytes above 127 tell transfer programs that the file is not text (section 7.5.2).
        Self {
            bytes: b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec(),
            objects: Vec::new(),
        }
    }

    fn push(&mut self, page: &Page) {
        let size = (page.bitmap.width(), page.bitmap.height());
        let strip = encode_g4(&page.bitmap);
        self.push_g4(size, (page.x_dpi, page.y_dpi), &strip);
    }

    fn push_g4(&mut self, (columns, rows): (u32, u32), dpi: (u32, u32), strip: &[u8]) {
        let first = FIXED + self.objects.len() + 1;
        let (width, height) = (points(columns, dpi.0), points(rows, dpi.1));
        self.page_object(
            first,
            &format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] \
                 /Resources << /XObject << /Fax {} 0 R >> >> /Contents {} 0 R >>",
                first + 2,
                first + 1,
            ),
            None,
        );
        let drawing = format!("q {width} 0 0 {height} 0 0 cm /Fax Do Q");
        let length = format!("<< /Length {} >>", drawing.len());
        self.page_object(first + 1, &length, Some(drawing.as_bytes()));
        self.page_object(
            first + 2,
            &format!(
                "<< /Type /XObject /Subtype /Image /Width {columns} /Height {rows} \
                 /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode \
                 /DecodeParms << /K -1 /Columns {columns} /Rows {rows} >> /Length {} >>",
                strip.len(),
            ),
            Some(strip),
        );
    }

    fn page_object(&mut self, number: usize, dictionary: &str, stream: Option<&[u8]>) {
        let at = self.object(number, dictionary, stream);
        self.objects.push(at);
    }

    /// Writes an object; gives where it begins.
    fn object(&mut self, number: usize, dictionary: &str, stream: Option<&[u8]>) -> usize {
        let at = self.bytes.len();
        self.text(&format!("{number} 0 obj\n{dictionary}\n"));
        if let Some(stream) = stream {
            self.text("stream\n");
            self.bytes.extend_from_slice(stream);
            self.text("\nendstream\n");
        }
        self.text("endobj\n");
        at
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes the objects that name the pages, and the table of all objects (section 7.5.4).
    fn finish(mut self, title: &str) -> Vec<u8> {
        let mut kids = String::new();
        let count = self.objects.len() / OF_PAGE;
        for page in 0..count {
            let _ = write!(kids, "{} 0 R ", FIXED + page * OF_PAGE + 1);
        }
        let fixed = [
            "<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /DisplayDocTitle true >> >>"
                .into(),
            format!(
                "<< /Type /Pages /Count {count} /Kids [{}] >>",
                kids.trim_end()
            ),
            format!("<< /Title {} /Producer (faxgate) >>", text_string(title)),
        ];
        let mut all = Vec::new();
        for (number, dictionary) in (1..).zip(&fixed) {
            all.push(self.object(number, dictionary, None));
        }
        all.append(&mut self.objects);
        let table = self.bytes.len();
        let size = all.len() + 1;
        self.text(&format!("xref\n0 {size}\n0000000000 65535 f \n"));
        for at in all {
            self.text(&format!("{at:010} 00000 n \n"));
        }
        self.text(&format!(
            "trailer\n<< /Size {size} /Root 1 0 R /Info 3 0 R >>\nstartxref\n{table}\n%%EOF\n"
        ));
        self.bytes
    }
}

/// A length in points (1/72 inch) with two decimals.
fn points(pixels: u32, dpi: u32) -> String {
    let hundredths = u64::from(pixels) * 7200 / u64::from(dpi.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A text string in UTF-16 as hexadecimal digits (section 7.9.2.2), so that nothing in it needs
/// escaping.
fn text_string(text: &str) -> String {
    let mut digits = String::from("<FEFF");
    for unit in text.encode_utf16() {
        let _ = write!(digits, "{unit:04X}");
    }
    digits.push('>');
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitmap::Bitmap;
    use crate::tiff::write_tiff;

    const LIMITS: TiffLimits = TiffLimits {
        max_pages: 10,
        max_pixels: 10_000_000,
    };

    fn pages() -> Vec<Page> {
        [(1728, 2292, 196), (1728, 1146, 98)]
            .into_iter()
            .map(|(width, height, y_dpi)| {
                let mut bitmap = Bitmap::new(width, height);
                for y in 0..height {
                    bitmap.set(y * 7 % width, y, true);
                }
                Page {
                    bitmap,
                    x_dpi: 204,
                    y_dpi,
                }
            })
            .collect()
    }

    fn find(bytes: &[u8], what: &str, from: usize) -> Option<usize> {
        let what = what.as_bytes();
        let found = bytes[from..].windows(what.len()).position(|at| at == what);
        found.map(|at| at + from)
    }

    fn number_after(bytes: &[u8], what: &str) -> usize {
        let start = find(bytes, what, 0).unwrap() + what.len();
        let digits = bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let digits: Vec<u8> = digits.copied().collect();
        String::from_utf8(digits).unwrap().parse().unwrap()
    }

    #[test]
    fn every_offset_of_the_table_points_at_its_object() {
        let pdf = from_pages(&pages(), "Fax");
        let table = number_after(&pdf, "startxref\n");
        assert!(pdf[table..].starts_with(b"xref\n0 10\n0000000000 65535 f \n"));
        let entries = table + "xref\n0 10\n".len();
        for number in 1..10 {
            let entry = &pdf[entries + number * 20..][..20];
            assert_eq!(&entry[10..], b" 00000 n \n");
            let at: usize = String::from_utf8_lossy(&entry[..10]).parse().unwrap();
            assert!(pdf[at..].starts_with(format!("{number} 0 obj\n").as_bytes()));
        }
        assert!(pdf[entries + 200..].starts_with(b"trailer\n<< /Size 10 /Root 1 0 R"));
        assert!(pdf.ends_with(b"%%EOF\n"));
    }

    #[test]
    fn stream_lengths_are_right() {
        let pdf = from_pages(&pages(), "Fax");
        let mut at = 0;
        let mut streams = 0;
        while let Some(start) = find(&pdf, "stream\n", at) {
            let object = pdf[..start]
                .windows(8)
                .rposition(|bytes| bytes == b"/Length ");
            let length = number_after(&pdf[object.unwrap()..], "/Length ");
            let end = start + "stream\n".len() + length;
            assert!(pdf[end..].starts_with(b"\nendstream\n"));
            at = end + "\nendstream\n".len();
            streams += 1;
        }
        assert_eq!(streams, 4);
    }

    #[test]
    fn a_page_has_the_size_that_its_resolution_gives() {
        let pdf = String::from_utf8_lossy(&from_pages(&pages(), "Fax")).into_owned();
        // 1728 / 204 inch, 2292 / 196 inch and 1146 / 98 inch.
        assert_eq!(pdf.matches("/MediaBox [0 0 609.88 841.95]").count(), 2);
    }

    #[test]
    fn the_strip_of_a_tiff_is_taken_over_as_it_is() {
        let pages = pages();
        let tiff = write_tiff(&pages);
        let pdf = from_tiff(&tiff, &LIMITS, "Fax").unwrap();
        assert_eq!(pdf, from_pages(&pages, "Fax"));
        for page in TiffPages::new(&tiff, &LIMITS).unwrap() {
            let strip = page.unwrap().g4_strip().unwrap();
            assert!(pdf.windows(strip.len()).any(|bytes| bytes == strip));
        }
    }

    #[test]
    fn a_title_cannot_break_out_of_its_place() {
        let pdf = from_pages(&pages(), "受信 ) >> (\\");
        assert!(
            find(
                &pdf,
                "/Title <FEFF53D74FE1002000290020003E003E00200028005C>",
                0
            )
            .is_some()
        );
    }
}
