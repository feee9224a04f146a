//! Plain text becomes pages.

use faxpage::Bitmap;
use faxpage::Page;

use super::BadDocument;
use super::convert::Settings;
use super::font::Line;
use super::font::Size;
use super::font::Typesetter;
use super::paper;
use crate::fax::Resolution;

/// White dots at either side: 12 mm, more than any machine fails to print.
const SIDE: u32 = 96;
/// White space above and below in inches: 12 mm, room for the header line besides.
const EDGE_INCHES: f32 = 0.48;
/// Distance of lines in heights of a character.
const LEADING: f32 = 1.4;
/// Where the baseline is below the top of a line, in heights of a character.
const BASELINE: f32 = 1.08;
/// Columns between tab stops.
const TAB: usize = 8;
/// Characters after which a paragraph is cut, so that one endless line cannot take all memory.
const LONGEST_PARAGRAPH: usize = 20_000;

/// The pages of `text`, at least one.
///
/// Lines end at CR LF, LF or CR; a form feed begins a page; white space at the end of a page does not
/// make another one.
pub(super) fn pages(
    typesetter: &mut Typesetter,
    text: &str,
    settings: &Settings,
) -> Result<Vec<Page>, BadDocument> {
    let mut sheets = Sheets::new(settings);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for section in text.trim_end().split('\u{c}') {
        sheets.turn()?;
        let section = section.trim_end().replace("\r\n", "\n");
        for paragraph in section.split(['\n', '\r', '\u{b}', '\u{2028}', '\u{2029}']) {
            for piece in pieces(&plain(paragraph)) {
                let lines = typesetter.lines(piece, sheets.size, sheets.width());
                for line in &lines {
                    sheets.put(typesetter, line)?;
                }
            }
        }
    }
    Ok(sheets.pages)
}

/// The paper that is being written on.
struct Sheets {
    pages: Vec<Page>,
    size: Size,
    resolution: Resolution,
    limit: u32,
    /// Rows between two baselines.
    pitch: i64,
    /// Rows above the first line and below the last.
    edge: i64,
    /// Top of the next line.
    top: i64,
}

impl Sheets {
    fn new(settings: &Settings) -> Self {
        let y_dpi = paper::y_dpi(settings.resolution);
        // A line must fit on the paper whatever the subject asks for.
        let size = Size::of_points(f32::from(settings.points.clamp(4, 72)), y_dpi);
        Self {
            pages: Vec::new(),
            size,
            resolution: settings.resolution,
            limit: settings.max_pages,
            pitch: (size.rows * LEADING).round() as i64,
            edge: (EDGE_INCHES * y_dpi as f32).round() as i64,
            top: 0,
        }
    }

    fn width(&self) -> u32 {
        faxpage::FAX_WIDTH - 2 * SIDE
    }

    /// Takes a fresh sheet.
    fn turn(&mut self) -> Result<(), BadDocument> {
        if self.pages.len() >= self.limit as usize {
            return Err(BadDocument::TooManyPages { limit: self.limit });
        }
        self.pages.push(paper::blank(self.resolution));
        self.top = self.edge;
        Ok(())
    }

    fn put(&mut self, typesetter: &mut Typesetter, line: &Line) -> Result<(), BadDocument> {
        let rows = i64::from(paper::rows(self.resolution));
        if self.top + self.pitch > rows - self.edge {
            self.turn()?;
        }
        let baseline = self.top + (self.size.rows * BASELINE).round() as i64;
        self.top += self.pitch;
        if let Some(page) = self.pages.last_mut() {
            let bitmap: &mut Bitmap = &mut page.bitmap;
            typesetter.draw(bitmap, line, self.size, (i64::from(SIDE), baseline));
        }
        Ok(())
    }
}

/// The paragraph with tabs as spaces up to the next tab stop and without control characters.
fn plain(paragraph: &str) -> String {
    let mut plain = String::with_capacity(paragraph.len());
    let mut column = 0;
    for c in paragraph.chars() {
        if c == '\t' {
            let spaces = TAB - column % TAB;
            plain.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else if !c.is_control() {
            plain.push(c);
            column += columns(c);
        }
    }
    plain
}

/// Columns that a character takes: two if it is full-width (UAX #11, the scripts that matter here).
fn columns(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// `paragraph` in pieces of a bearable length; one empty piece if it is empty.
fn pieces(paragraph: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = paragraph;
    while let Some((cut, _)) = rest.char_indices().nth(LONGEST_PARAGRAPH) {
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    fn settings(resolution: Resolution, max_pages: u32) -> Settings {
        Settings {
            resolution,
            max_pages,
            ..samples::settings()
        }
    }

    fn pages_of(text: &str) -> Vec<Page> {
        pages(&mut Typesetter::new(), text, &samples::settings()).unwrap()
    }

    /// First and last row with ink.
    fn inked(page: &Page) -> Option<(u32, u32)> {
        let rows = || 0..page.bitmap.height();
        let first = rows().find(|y| !page.bitmap.is_row_white(*y))?;
        let last = rows().rev().find(|y| !page.bitmap.is_row_white(*y))?;
        Some((first, last))
    }

    /// The column after the last one with ink.
    fn right_end(page: &Page) -> u32 {
        let bitmap = &page.bitmap;
        (0..bitmap.width())
            .rev()
            .find(|x| (0..bitmap.height()).any(|y| bitmap.get(*x, y)))
            .map_or(0, |x| x + 1)
    }

    #[test]
    fn a_line_of_text_is_one_page_of_a4() {
        let pages = pages_of("hello");
        assert_eq!(pages.len(), 1);
        let bitmap = &pages[0].bitmap;
        assert_eq!((bitmap.width(), bitmap.height()), (1728, 2292));
        assert_eq!((pages[0].x_dpi, pages[0].y_dpi), (204, 196));
        let (first, last) = inked(&pages[0]).unwrap();
        assert!(first >= 90 && last < 150, "{first} {last}");
    }

    #[test]
    fn nothing_still_makes_a_page() {
        assert_eq!(pages_of("").len(), 1);
        assert_eq!(pages_of(" \r\n ").len(), 1);
    }

    #[test]
    fn a_form_feed_begins_a_page_and_one_at_the_end_does_not() {
        assert_eq!(pages_of("a\u{c}b").len(), 2);
        assert_eq!(pages_of("a\r\n\u{c}\r\nb\r\n\u{c}\r\n").len(), 2);
        assert_eq!(pages_of("a\u{c}\u{c}b").len(), 3);
    }

    #[test]
    fn line_ends_of_all_kinds_are_the_same() {
        let lines = pages_of("a\nb\n\nc");
        assert_eq!(lines, pages_of("a\r\nb\r\n\r\nc\r\n"));
        assert_eq!(lines, pages_of("a\rb\r\rc"));
        assert_ne!(lines, pages_of("a\nb\nc"));
    }

    #[test]
    fn a_token_longer_than_a_line_wraps_and_is_not_cut_off() {
        let one_line = inked(&pages_of("x")[0]).unwrap();
        for token in ["W".repeat(400), "電".repeat(200), "ア".repeat(300)] {
            let page = &pages_of(&token)[0];
            assert!(right_end(page) <= 1728 - SIDE, "{token}");
            assert!(inked(page).unwrap().1 > one_line.1 + 60, "{token}");
        }
        let page = &pages_of(&"W".repeat(400))[0];
        let once = pages_of("W")[0].bitmap.black_pixels();
        assert_eq!(
            page.bitmap.black_pixels(),
            once * 400,
            "every letter is there"
        );
    }

    #[test]
    fn a_japanese_line_does_not_begin_with_a_full_stop() {
        let mut typesetter = Typesetter::new();
        let size = Size::of_points(10.0, 196);
        let per_line = ((1728 - 2 * SIDE) as f32 / size.dots) as usize;
        let text = format!("{}。次の文", "字".repeat(per_line));
        let lines = typesetter.lines(&text, size, 1728 - 2 * SIDE);
        assert_eq!(lines.len(), 2);
        let full = per_line as f32 * size.dots;
        assert!(
            lines[0].width < full,
            "the last character goes to the next line too"
        );
    }

    #[test]
    fn half_the_rows_at_standard_resolution() {
        let mut typesetter = Typesetter::new();
        let page = &pages(&mut typesetter, "国", &settings(Resolution::Standard, 1)).unwrap()[0];
        assert_eq!((page.bitmap.height(), page.y_dpi), (1146, 98));
        let fine = &pages(&mut typesetter, "国", &settings(Resolution::Fine, 1)).unwrap()[0];
        let height = |page| inked(page).map(|(first, last)| last - first + 1).unwrap();
        let (low, high) = (height(page), height(fine));
        assert!(high.abs_diff(2 * low) <= 2, "{low} {high}");
    }

    #[test]
    fn more_pages_than_allowed_are_refused() {
        let mut typesetter = Typesetter::new();
        let mut three = |text| pages(&mut typesetter, text, &settings(Resolution::Fine, 3));
        assert_eq!(three("a\u{c}b\u{c}c").unwrap().len(), 3);
        let refused = Err(BadDocument::TooManyPages { limit: 3 });
        assert_eq!(three("a\u{c}b\u{c}c\u{c}d"), refused);
        assert_eq!(three(&"line\n".repeat(100_000)), refused);
    }

    #[test]
    fn characters_the_font_lacks_leave_a_mark() {
        assert_eq!(pages_of("\u{10380}"), pages_of("〓"));
        assert_eq!(pages_of("a\u{7}b\u{1b}c"), pages_of("abc"));
        assert_eq!(pages_of("葛\u{e0100}城\u{200b}"), pages_of("葛城"));
    }

    #[test]
    fn tabs_go_to_every_eighth_column() {
        assert_eq!(plain("a\tb"), "a       b");
        assert_eq!(plain("日本\tb"), "日本    b");
        assert_eq!(plain("12345678\t9"), "12345678        9");
    }

    #[test]
    fn an_endless_paragraph_is_cut_into_pieces() {
        let text = "あ".repeat(LONGEST_PARAGRAPH * 2 + 1);
        assert_eq!(pieces(&text).len(), 3);
        assert_eq!(pieces(""), [""]);
    }
}
