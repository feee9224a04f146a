mod hostile;

use super::*;
use crate::bitmap::Bitmap;
use crate::ccitt::encode_g3;
use crate::ccitt::encode_g4;

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 100,
    max_pixels: 5_000_000,
};

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A TIFF file of one page, built the way other writers do.
#[derive(Clone)]
struct Foreign {
    big_endian: bool,
    /// Tag, kind, values.
    entries: Vec<(u16, u16, Vec<u32>)>,
    /// Strips or tiles; their offsets and lengths are added as entries unless there are some.
    parts: Vec<Vec<u8>>,
    tiled: bool,
}

impl Foreign {
    fn new(width: u32, height: u32, compression: u32, parts: Vec<Vec<u8>>) -> Self {
        Self {
            big_endian: false,
            entries: vec![
                (256, SHORT, vec![width]),
                (257, SHORT, vec![height]),
                (259, SHORT, vec![compression]),
            ],
            parts,
            tiled: false,
        }
    }

    fn with(mut self, tag: u16, kind: u16, values: &[u32]) -> Self {
        self.entries.retain(|entry| entry.0 != tag);
        self.entries.push((tag, kind, values.to_vec()));
        self
    }

    fn big_endian(mut self) -> Self {
        self.big_endian = true;
        self
    }

    fn tiled(mut self, width: u32, height: u32) -> Self {
        self.tiled = true;
        self.with(322, SHORT, &[width]).with(323, SHORT, &[height])
    }

    fn number(&self, kind: u16, value: u32) -> Vec<u8> {
        match (kind == SHORT, self.big_endian) {
            (true, true) => (value as u16).to_be_bytes().to_vec(),
            (true, false) => (value as u16).to_le_bytes().to_vec(),
            (false, true) => value.to_be_bytes().to_vec(),
            (false, false) => value.to_le_bytes().to_vec(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut file = if self.big_endian { b"MM" } else { b"II" }.to_vec();
        file.extend(self.number(SHORT, 42));
        file.extend([0; 4]);
        let mut offsets = Vec::new();
        for part in &self.parts {
            offsets.push(file.len() as u32);
            file.extend(part);
        }
        let lengths = self.parts.iter().map(|part| part.len() as u32).collect();
        let (offset_tag, length_tag) = if self.tiled { (324, 325) } else { (273, 279) };
        let mut entries = self.entries.clone();
        if !entries.iter().any(|entry| entry.0 == offset_tag) {
            entries.push((offset_tag, LONG, offsets));
            entries.push((length_tag, LONG, lengths));
        }
        entries.sort();
        let mut directory = self.number(SHORT, entries.len() as u32);
        for (tag, kind, values) in entries {
            // Fractions are given as two numbers for each value.
            let count = values.len() / if kind == 5 { 2 } else { 1 };
            directory.extend(self.number(SHORT, u32::from(tag)));
            directory.extend(self.number(SHORT, u32::from(kind)));
            directory.extend(self.number(LONG, count as u32));
            let mut field: Vec<u8> = values
                .iter()
                .flat_map(|value| self.number(kind, *value))
                .collect();
            if field.len() > 4 {
                let at = self.number(LONG, file.len() as u32);
                file.extend(&field);
                field = at;
            }
            field.resize(4, 0);
            directory.extend(field);
        }
        let at = self.number(LONG, file.len() as u32);
        file[4..8].copy_from_slice(&at);
        file.extend(directory);
        file.extend([0; 4]);
        file
    }
}

fn drawing(width: u32, height: u32) -> Bitmap {
    let mut bitmap = Bitmap::new(width, height);
    for y in 0..height {
        for x in 0..width {
            bitmap.set(x, y, (x * x / 7 + y * 5) % 31 < 4 || x == y);
        }
    }
    bitmap
}

fn fax(height: u32) -> Page {
    Page {
        bitmap: drawing(1728, height),
        x_dpi: 204,
        y_dpi: 196,
    }
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.reverse_bits()).collect()
}

fn only_bitmap(file: &Foreign) -> Bitmap {
    let mut pages = read_tiff(&file.bytes(), &LIMITS).unwrap();
    assert_eq!(pages.len(), 1);
    pages.remove(0).bitmap
}

fn error(bytes: &[u8]) -> TiffError {
    read_tiff(bytes, &LIMITS).unwrap_err()
}

#[test]
fn what_is_written_is_read_back() {
    let pages = vec![fax(300), fax(1), fax(77)];
    let file = write_tiff(&pages);
    assert_eq!(page_count(&file), Ok(3));
    assert_eq!(read_tiff(&file, &LIMITS), Ok(pages));
}

#[test]
fn strips_are_handed_out_as_they_are() {
    let pages = [fax(50), fax(60)];
    let file = write_tiff(&pages);
    for (found, page) in TiffPages::new(&file, &LIMITS).unwrap().zip(&pages) {
        let found = found.unwrap();
        assert_eq!(
            (found.width(), found.height()),
            (1728, page.bitmap.height())
        );
        assert_eq!((found.x_dpi(), found.y_dpi()), (204, 196));
        assert_eq!(found.g4_strip(), Some(encode_g4(&page.bitmap).as_slice()));
    }
}

#[test]
fn pages_are_numbered_of_all() {
    let file = write_tiff(&[fax(1), fax(1)]);
    let mut numbers = Vec::new();
    for directory in Directories::new(&file).unwrap() {
        numbers.push(directory.unwrap().1.numbers(297).unwrap().unwrap());
    }
    assert_eq!(numbers, [[0, 2], [1, 2]]);
}

#[test]
fn every_compression_and_bit_order_gives_the_same_page() {
    let page = drawing(1003, 40);
    let codings = [
        (1, 292, 0, page.bits().to_vec()),
        (3, 292, 0, encode_g3(&page, false)),
        (3, 292, 1, encode_g3(&page, true)),
        (4, 293, 0, encode_g4(&page)),
    ];
    for (compression, tag, options, bytes) in codings {
        for big_endian in [false, true] {
            for fill_order in [1, 2] {
                let bytes = if fill_order == 2 {
                    reversed(&bytes)
                } else {
                    bytes.clone()
                };
                let mut file = Foreign::new(1003, 40, compression, vec![bytes])
                    .with(tag, LONG, &[options])
                    .with(266, SHORT, &[fill_order]);
                file.big_endian = big_endian;
                assert!(
                    only_bitmap(&file) == page,
                    "{compression} {options} {fill_order}"
                );
            }
        }
    }
}

#[test]
fn run_lengths_without_end_of_line_start_each_row_on_a_byte() {
    // White 8 (10011), black 3 (10), white 5 (1100); then white 16 (101010).
    let file = Foreign::new(16, 2, 2, vec![vec![0b1001_1101, 0b1000_0000, 0b1010_1000]]);
    assert_eq!(only_bitmap(&file).bits(), [0x00, 0xE0, 0x00, 0x00]);
}

#[test]
fn black_is_zero_is_turned_round() {
    let page = drawing(100, 20);
    let inverted = page.clone().inverted();
    let plain = Foreign::new(100, 20, 1, vec![inverted.bits().to_vec()]).with(262, SHORT, &[1]);
    assert_eq!(only_bitmap(&plain), page);
    let coded = Foreign::new(100, 20, 4, vec![encode_g4(&inverted)]).with(262, SHORT, &[1]);
    assert_eq!(only_bitmap(&coded), page);
    let file = coded.bytes();
    let found = TiffPages::new(&file, &LIMITS).unwrap().next().unwrap();
    assert_eq!(found.unwrap().g4_strip(), None);
}

#[test]
fn strips_are_put_together() {
    let page = drawing(501, 50);
    let strips = (0..50).step_by(16).map(|y| {
        let rows = 16.min(50 - y);
        encode_g4(&page.crop_rows(y, rows))
    });
    let file = Foreign::new(501, 50, 4, strips.collect()).with(278, SHORT, &[16]);
    assert_eq!(only_bitmap(&file), page);
    assert_eq!(only_bitmap(&file.big_endian()), page);
}

#[test]
fn tiles_are_put_together() {
    let page = drawing(100, 70);
    let mut tiles = Vec::new();
    for y in (0..70).step_by(32) {
        for x in (0..100).step_by(64) {
            let mut tile = Bitmap::new(64, 32);
            tile.blit(&page, -x, -y);
            tiles.push(encode_g4(&tile));
        }
    }
    let file = Foreign::new(100, 70, 4, tiles).tiled(64, 32);
    assert_eq!(only_bitmap(&file), page);
}

#[test]
fn a_page_is_turned_upright() {
    let page = drawing(90, 40);
    let file = |stored: &Bitmap, orientation| {
        Foreign::new(stored.width(), stored.height(), 4, vec![encode_g4(stored)]).with(
            274,
            SHORT,
            &[orientation],
        )
    };
    let upside_down = page.rotate_half();
    assert_eq!(only_bitmap(&file(&upside_down, 3)), page);
    assert_eq!(only_bitmap(&file(&page.mirror(), 2)), page);
    // Orientation 6: row 0 is the right side, column 0 the top.
    let lying = file(&page.rotate_left(), 6)
        .with(282, 5, &[98, 1])
        .with(283, 5, &[204, 1]);
    let found = read_tiff(&lying.bytes(), &LIMITS).unwrap().remove(0);
    assert_eq!(found.bitmap, page);
    assert_eq!((found.x_dpi, found.y_dpi), (204, 98));
    assert_eq!(only_bitmap(&file(&page.rotate_right(), 8)), page);
}

#[test]
fn resolutions_come_in_inches_and_centimetres_or_not_at_all() {
    let dpi = |file: Foreign| {
        let page = read_tiff(&file.bytes(), &LIMITS).unwrap().remove(0);
        (page.x_dpi, page.y_dpi)
    };
    let file = Foreign::new(8, 1, 1, vec![vec![0]]);
    assert_eq!(dpi(file.clone()), (204, 196));
    let inches = file.with(282, 5, &[600, 2]).with(283, 5, &[200, 1]);
    assert_eq!(dpi(inches.clone()), (300, 200));
    // 80.3 and 77 lines in a centimetre: 203.96 and 195.58 in an inch.
    let metric = inches.with(282, 5, &[803, 10]).with(283, 5, &[77, 1]);
    assert_eq!(dpi(metric.with(296, SHORT, &[3])), (204, 196));
    let zero = Foreign::new(8, 1, 1, vec![vec![0]]).with(282, 5, &[1, 0]);
    assert_eq!(dpi(zero), (204, 196));
}

#[test]
fn other_kinds_are_unsupported_and_not_damaged() {
    let file = Foreign::new(8, 8, 1, vec![vec![0; 64]]);
    for other in [
        file.clone().with(258, SHORT, &[8]),
        file.clone().with(277, SHORT, &[3]),
        file.clone().with(262, SHORT, &[3]),
        file.clone().with(259, SHORT, &[5]),
        file.clone().with(259, SHORT, &[7]),
        file.clone().with(259, SHORT, &[4]).with(293, LONG, &[2]),
    ] {
        let error = error(&other.bytes());
        assert!(matches!(error, TiffError::Unsupported(_)), "{error}");
    }
    let big = error(b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0");
    assert_eq!(big, TiffError::Unsupported("BigTIFF"));
    // Its size and place are known all the same.
    let grey = file.with(258, SHORT, &[8]).bytes();
    let page = TiffPages::new(&grey, &LIMITS)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!((page.width(), page.directory_index()), (8, 0));
}

#[test]
fn thumbnails_between_pages_are_passed_over() {
    let mut file = write_tiff(&[fax(5), fax(6), fax(7)]);
    let first = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let link = first + 2 + 12 * 18;
    let second = u32::from_le_bytes(file[link..link + 4].try_into().unwrap()) as usize;
    // NewSubfileType is the first entry.
    file[second + 10] = 1;
    assert_eq!(page_count(&file), Ok(2));
    let pages: Vec<_> = TiffPages::new(&file, &LIMITS).unwrap().flatten().collect();
    assert_eq!(
        pages.iter().map(TiffPage::height).collect::<Vec<_>>(),
        [5, 7]
    );
    assert_eq!(pages[1].directory_index(), 2);
}
