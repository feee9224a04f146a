//! The document that is faxed: an estimate of two pages, as a PDF with text and lines.
//!
//! It names its fonts and carries none, as many Japanese business programs do.

/// A4 in points.
const PAPER: (f32, f32) = (595.0, 842.0);
const LEFT: f32 = 60.0;
const RIGHT: f32 = 535.0;

/// What is offered: name, how many, price of one.
const ITEMS: [(&str, u32, u32); 4] = [
    ("複合機 設置作業", 1, 48_000),
    ("FAX回線 切替作業", 2, 15_000),
    ("トナーカートリッジ(黒)", 6, 9_800),
    ("用紙 A4 500枚", 20, 520),
];

/// The estimate.
pub(super) fn pdf() -> Vec<u8> {
    document(&[first_page(), second_page()])
}

fn first_page() -> String {
    let mut sheet = Sheet::default();
    sheet.title("御見積書");
    sheet.text(LEFT, 725.0, 15.0, "新宿商店 御中");
    sheet.line(LEFT, 718.0, 300.0, 718.0, 0.8);
    sheet.text(LEFT, 690.0, 10.5, "下記のとおりお見積り申し上げます。");
    sheet.right(RIGHT, 757.0, 10.0, "No. 0012");
    sheet.text(375.0, 725.0, 12.0, "株式会社 田中商事");
    sheet.text(375.0, 708.0, 9.5, "営業部 田中");
    sheet.latin(375.0, 693.0, 9.5, "TEL / FAX  03-4567-0001");
    sheet.seal(515.0, 728.0);
    let bottom = sheet.items(655.0);
    sheet.text(LEFT, bottom - 40.0, 10.5, "備考");
    sheet.frame(LEFT, bottom - 130.0, RIGHT - LEFT, 82.0);
    sheet.text(
        LEFT + 10.0,
        bottom - 68.0,
        10.0,
        "・納期:ご注文から二週間以内",
    );
    sheet.text(
        LEFT + 10.0,
        bottom - 86.0,
        10.0,
        "・お支払い:月末締め、翌月末払い",
    );
    sheet.text(
        LEFT + 10.0,
        bottom - 104.0,
        10.0,
        "・この見積書は三十日間有効です。",
    );
    sheet.content
}

fn second_page() -> String {
    let mut sheet = Sheet::default();
    sheet.title("御注文書");
    sheet.text(LEFT, 725.0, 13.0, "株式会社 田中商事 営業部 行");
    sheet.latin(LEFT, 690.0, 24.0, "FAX  03-4567-0001");
    sheet.text(
        LEFT,
        655.0,
        10.5,
        "御見積書のとおり注文いたします。ご記入のうえご返信ください。",
    );
    for (row, name) in ["貴社名", "ご担当者", "電話番号", "ご希望納期"]
        .iter()
        .enumerate()
    {
        let y = 600.0 - 45.0 * row as f32;
        sheet.text(LEFT, y, 12.0, name);
        sheet.line(LEFT + 90.0, y - 5.0, RIGHT, y - 5.0, 0.6);
    }
    sheet.content
}

/// A page under construction; the origin is the lower left corner (ISO 32000-1, 8.3.2.3).
#[derive(Default)]
struct Sheet {
    content: String,
}

impl Sheet {
    fn add(&mut self, operators: &str) {
        self.content.push_str(operators);
        self.content.push('\n');
    }

    /// Japanese text in the two-byte code of UniJIS-UCS2-H.
    fn text(&mut self, x: f32, y: f32, size: f32, text: &str) {
        let code: String = full_width(text)
            .encode_utf16()
            .map(|unit| format!("{unit:04X}"))
            .collect();
        self.add(&format!("BT /J {size} Tf {x} {y} Td <{code}> Tj ET"));
    }

    /// ASCII text without parentheses.
    fn latin(&mut self, x: f32, y: f32, size: f32, text: &str) {
        self.add(&format!("BT /L {size} Tf {x} {y} Td ({text}) Tj ET"));
    }

    /// ASCII text that ends at `x`.
    fn right(&mut self, x: f32, y: f32, size: f32, text: &str) {
        // Helvetica: digits are 0.556 wide, points, commas and spaces 0.278; "N" and "o" about 0.64.
        let wide = |c: char| match c {
            '.' | ',' | ' ' => 0.278,
            '0'..='9' => 0.556,
            _ => 0.64,
        };
        let width: f32 = text.chars().map(wide).sum();
        self.latin(x - width * size, y, size, text);
    }

    fn line(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, width: f32) {
        self.add(&format!("{width} w {x1} {y1} m {x2} {y2} l S"));
    }

    fn frame(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.add(&format!("0.8 w {x} {y} {width} {height} re S"));
    }

    fn title(&mut self, text: &str) {
        let size = 26.0;
        let width = size * text.chars().count() as f32;
        self.text((PAPER.0 - width) / 2.0, 780.0, size, text);
        self.line(
            (PAPER.0 - width) / 2.0 - 20.0,
            770.0,
            (PAPER.0 + width) / 2.0 + 20.0,
            770.0,
            1.5,
        );
    }

    /// A round seal: four curves (a quarter circle has its control points at 0.5523 of the radius).
    fn seal(&mut self, x: f32, y: f32) {
        let (r, k) = (18.0, 18.0 * 0.5523);
        self.add(&format!(
            "1.5 w {} {y} m {} {} {} {} {x} {} c {} {} {} {} {} {y} c {} {} {} {} {x} {} c {} {} {} {} {} {y} c S",
            x + r, x + r, y + k, x + k, y + r, y + r,
            x - k, y + r, x - r, y + k, x - r,
            x - r, y - k, x - k, y - r, y - r,
            x + k, y - r, x + r, y - k, x + r,
        ));
        self.text(x - 6.0, y + 1.0, 12.0, "田");
        self.text(x - 6.0, y - 12.0, 12.0, "中");
    }

    /// The table of items from `top` down; returns where it ends.
    fn items(&mut self, top: f32) -> f32 {
        const ROW: f32 = 26.0;
        let columns = [LEFT, 300.0, 360.0, 445.0, RIGHT];
        let rows = ITEMS.len() as f32 + 4.0;
        let bottom = top - rows * ROW;
        self.line(LEFT, top - ROW + 2.0, RIGHT, top - ROW + 2.0, 0.8);
        for (x, name) in columns.iter().zip(["品名", "数量", "単価", "金額"]) {
            self.text(x + 8.0, top - 18.0, 11.0, name);
        }
        let mut sum = 0;
        for (at, (name, count, price)) in ITEMS.iter().enumerate() {
            let y = top - ROW * (at as f32 + 2.0) + 8.0;
            let amount = count * price;
            sum += amount;
            self.text(LEFT + 8.0, y, 11.0, name);
            self.right(columns[2] - 8.0, y, 11.0, &count.to_string());
            self.right(columns[3] - 8.0, y, 11.0, &grouped(*price));
            self.right(RIGHT - 8.0, y, 11.0, &grouped(amount));
        }
        let tax = sum / 10;
        for (at, (name, amount)) in [("小計", sum), ("消費税(10%)", tax), ("合計(円)", sum + tax)]
            .iter()
            .enumerate()
        {
            let y = bottom + ROW * (2.0 - at as f32) + 8.0;
            self.text(308.0, y, 11.0, name);
            self.right(
                RIGHT - 8.0,
                y,
                if at == 2 { 14.0 } else { 11.0 },
                &grouped(*amount),
            );
        }
        for row in 0..=(ITEMS.len() + 4) {
            // The sums stand below the right half only.
            let left = if row > ITEMS.len() + 1 {
                columns[1]
            } else {
                LEFT
            };
            let y = top - ROW * row as f32;
            self.line(left, y, RIGHT, y, 0.8);
        }
        for x in [columns[1], columns[3], RIGHT] {
            self.line(x, top, x, bottom, 0.8);
        }
        self.line(LEFT, top, LEFT, bottom + 3.0 * ROW, 0.8);
        self.line(columns[2], top, columns[2], bottom + 3.0 * ROW, 0.8);
        bottom
    }
}

/// The Japanese font has half-width letters of unknown width: everything is written full width.
fn full_width(text: &str) -> String {
    let wide = |c: char| match c {
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
        other => other,
    };
    text.chars().map(wide).collect()
}

/// `48000` as `48,000`.
fn grouped(amount: u32) -> String {
    match amount / 1000 {
        0 => amount.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), amount % 1000),
    }
}

/// A PDF with these pages.
fn document(pages: &[String]) -> Vec<u8> {
    let kids: String = (0..pages.len())
        .map(|at| format!("{} 0 R ", 4 + 2 * at))
        .collect();
    let fonts = "<</L <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> \
        /J <</Type/Font/Subtype/Type0/BaseFont/HeiseiKakuGo-W5/Encoding/UniJIS-UCS2-H\
        /DescendantFonts[<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiKakuGo-W5\
        /CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>\
        /FontDescriptor<</Type/FontDescriptor/FontName/HeiseiKakuGo-W5/Flags 4\
        /FontBBox[-92 -250 1010 922]/ItalicAngle 0/Ascent 752/Descent -221/CapHeight 737/StemV 114>>>>]>>>>";
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Kids[{kids}]/Count {}>>", pages.len()),
        format!("<</Font {fonts}>>"),
    ];
    for (at, content) in pages.iter().enumerate() {
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {} {}]/Contents {} 0 R/Resources 3 0 R>>",
            PAPER.0,
            PAPER.1,
            5 + 2 * at
        ));
        objects.push(format!(
            "<</Length {}>> stream\n{content}\nendstream",
            content.len()
        ));
    }
    let mut pdf = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.push_str(&format!("{} 0 obj {object} endobj\n", at + 1));
    }
    let (start, size) = (pdf.len(), objects.len() + 1);
    pdf.push_str(&table);
    pdf.push_str(&format!(
        "trailer <</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n"
    ));
    pdf.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_by_thousands() {
        assert_eq!(
            [520, 9_800, 48_000, 1_234_567].map(grouped),
            ["520", "9,800", "48,000", "1,234,567"]
        );
    }

    #[test]
    fn the_cross_reference_table_points_at_the_objects() {
        let pdf = String::from_utf8(pdf()).unwrap();
        let start = pdf.split("startxref\n").nth(1).unwrap();
        let start: usize = start.lines().next().unwrap().parse().unwrap();
        let entries = pdf[start..]
            .lines()
            .skip(3)
            .take_while(|line| line.ends_with("n "));
        for (at, entry) in entries.enumerate() {
            let offset: usize = entry[..10].parse().unwrap();
            assert!(pdf[offset..].starts_with(&format!("{} 0 obj", at + 1)));
        }
    }
}
