//! Documents made by and for tests.

use super::convert::Settings;
use crate::fax::Resolution;

/// Fine resolution, 10 points, a hundred pages, twenty million pixels.
pub(crate) fn settings() -> Settings {
    Settings {
        resolution: Resolution::Fine,
        points: 10,
        max_pages: 100,
        max_pixels: 20_000_000,
    }
}

/// The beginning of a grey PNG of this size, without pixels.
pub(crate) fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&header);
    png.extend(crc(&header).to_be_bytes());
    // The decoder stops reading the header at the first chunk of pixels.
    let pixels = b"IDAT";
    png.extend([0, 0, 0, 0]);
    png.extend(pixels);
    png.extend(crc(pixels).to_be_bytes());
    png
}

/// CRC-32 of a PNG chunk (PNG section 5.5).
fn crc(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    });
    !crc
}

/// A PDF of these page sizes (in points) with `content` on every page and `fonts` as its fonts.
///
/// `trailer` is added to the trailer dictionary.
pub(crate) fn pdf(sizes: &[(u32, u32)], fonts: &str, content: &str, trailer: &str) -> Vec<u8> {
    let kids: String = (0..sizes.len())
        .map(|i| format!("{} 0 R ", 5 + i))
        .collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Kids[{kids}]/Count {}>>", sizes.len()),
        format!("<</Length {}>> stream\n{content}\nendstream", content.len()),
        format!("<</Font<<{fonts}>>>>"),
    ];
    objects.extend(sizes.iter().map(|(width, height)| {
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Contents 3 0 R/Resources 4 0 R>>"
        )
    }));
    let mut pdf = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (i, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", pdf.len());
        pdf += &format!("{} 0 obj {object} endobj\n", i + 1);
    }
    let start = pdf.len();
    let size = objects.len() + 1;
    pdf += &table;
    pdf += &format!("trailer <</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n");
    pdf.into_bytes()
}
