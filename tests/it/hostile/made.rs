//! Documents and mails that are small to send and enormous to read.

/// A mail of parts nested so deeply.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    let mut mail = String::from("From: suzuki@customer.example\r\nMIME-Version: 1.0\r\n");
    for level in 0..depth {
        mail += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    mail += "Content-Type: text/plain\r\n\r\nDown here.\r\n";
    for level in (0..depth).rev() {
        mail += &format!("--b{level}--\r\n");
    }
    mail.into_bytes()
}

/// A PDF of so many small pages that share one object for their content.
pub(super) fn pdf_of(pages: usize) -> Vec<u8> {
    let kids: String = (0..pages)
        .map(|page| format!("{} 0 R ", 4 + page))
        .collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Count {pages}/Kids[{kids}]>>"),
        "<</Length 0>>stream\n\nendstream".to_owned(),
    ];
    let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 3 0 R>>";
    objects.extend(std::iter::repeat_n(page.to_owned(), pages));
    let mut pdf = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", pdf.len());
        pdf += &format!("{} 0 obj{object}endobj\n", number + 1);
    }
    let (start, size) = (pdf.len(), objects.len() + 1);
    pdf += &format!("{table}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n");
    pdf.into_bytes()
}

/// A complete and valid PNG of black pixels, one bit each: 400 million of them in a third of a megabyte.
pub(super) fn black_png(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // One bit a pixel, grey, deflate, no interlace (PNG section 11.2.2).
    header.extend([1, 0, 0, 0, 0]);
    let row = 1 + usize::try_from(width).unwrap().div_ceil(8);
    let zeros = row * usize::try_from(height).unwrap();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in [
        (b"IHDR", header),
        (b"IDAT", zlib_of_zeros(zeros)),
        (b"IEND", Vec::new()),
    ] {
        let chunk = [name.as_slice(), &content].concat();
        png.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        png.extend(&chunk);
        png.extend(crc(&chunk).to_be_bytes());
    }
    png
}

/// `count` zeros: one literal and then copies of 258 of it each (RFC 1951 section 3.2.6, fixed codes).
fn zlib_of_zeros(count: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block; fixed codes.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    let literal = |bits: &mut Bits| bits.push_code(0b0011_0000, 8);
    literal(&mut bits);
    let copies = (count - 1) / 258;
    for _ in 0..copies {
        // Length 258 is code 285; distance 1 is code 0.
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    for _ in 0..(count - 1) % 258 {
        literal(&mut bits);
    }
    // End of block.
    bits.push_code(0, 7);
    let mut zlib = vec![0x78, 0x01];
    zlib.extend(bits.bytes());
    // Adler-32 of zeros: the first sum stays 1, the second counts (RFC 1950 section 8.2).
    let second = u32::try_from(count % 65_521).unwrap();
    zlib.extend((second << 16 | 1).to_be_bytes());
    zlib
}

#[derive(Default)]
struct Bits {
    whole: Vec<u8>,
    open: u32,
    count: u32,
}

impl Bits {
    /// Values go in from their lowest bit, Huffman codes from their highest (RFC 1951 section 3.1.1).
    fn push(&mut self, value: u32, length: u32) {
        self.open |= value << self.count;
        self.count += length;
        while self.count >= 8 {
            self.whole.push(self.open.to_le_bytes()[0]);
            self.open >>= 8;
            self.count -= 8;
        }
    }

    fn push_code(&mut self, code: u32, length: u32) {
        self.push(code.reverse_bits() >> (32 - length), length);
    }

    fn bytes(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.whole.push(self.open.to_le_bytes()[0]);
        }
        self.whole
    }
}

/// CRC-32 of a chunk (PNG section 5.5).
fn crc(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    });
    !crc
}

#[test]
fn the_black_picture_is_one() {
    let png = black_png(70, 9);
    let picture = image::load_from_memory(&png).unwrap().into_luma8();
    assert_eq!(picture.dimensions(), (70, 9));
    assert!(picture.pixels().all(|pixel| pixel.0 == [0]));
}
