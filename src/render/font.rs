//! The embedded font: shapes of characters as runs of black pixels.
//!
//! Fax pixels are not square (204 dots by 196 or 98 lines an inch), so outlines are scaled apart in
//! the two directions and filled here rather than by a rasteriser for square pixels.

use std::collections::HashMap;
use std::sync::Arc;

use cosmic_text::Attrs;
use cosmic_text::Buffer;
use cosmic_text::CacheKey;
use cosmic_text::CacheKeyFlags;
use cosmic_text::Command;
use cosmic_text::Family;
use cosmic_text::Font;
use cosmic_text::FontSystem;
use cosmic_text::LayoutGlyph;
use cosmic_text::Metrics;
use cosmic_text::Shaping;
use cosmic_text::SwashCache;
use cosmic_text::Wrap;
use cosmic_text::fontdb;
use faxpage::Bitmap;

use super::outline::Outline;
use super::outline::Run;
use crate::fax::is_invisible;

/// BIZ UDGothic Regular, under the SIL Open Font License (`assets/fonts/OFL.txt`).
pub(super) static BIZ_UD_GOTHIC: &[u8] =
    include_bytes!("../../assets/fonts/BIZUDGothic-Regular.ttf");

const FAMILY: &str = "BIZ UDGothic";
/// Stands for characters that the font lacks, as Japanese printers have it (U+3013, geta mark).
const GETA: char = '〓';
const X_DPI: f32 = 204.0;
const POINTS_PER_INCH: f32 = 72.0;

/// The size of characters in fax pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    /// Width of a full-width character in dots; even, so that half of it is whole too.
    pub(super) dots: f32,
    /// Height of a full-width character in rows.
    pub(super) rows: f32,
}

impl Size {
    /// The size nearest to `points` at 204 dots and `y_dpi` rows an inch.
    pub(super) fn of_points(points: f32, y_dpi: u32) -> Self {
        let dots = ((points * X_DPI / POINTS_PER_INCH / 2.0).round() * 2.0).max(2.0);
        let rows = dots * y_dpi as f32 / X_DPI;
        Self { dots, rows }
    }
}

/// A laid out line: glyphs and where they stand.
pub(super) struct Line {
    glyphs: Vec<(u16, f32, f32)>,
    /// Width in dots.
    pub(super) width: f32,
}

/// Lays out and draws text in the embedded font. Not cheap to make: keep one.
pub(super) struct Typesetter {
    fonts: FontSystem,
    outlines: SwashCache,
    shapes: HashMap<(u16, u32, u32), Arc<[Run]>>,
    geta: u16,
}

impl Typesetter {
    /// A typesetter that knows the embedded font and no other.
    pub(super) fn new() -> Self {
        let mut faces = fontdb::Database::new();
        faces.load_font_source(fontdb::Source::Binary(Arc::new(BIZ_UD_GOTHIC)));
        let mut fonts = FontSystem::new_with_locale_and_db("ja-JP".to_owned(), faces);
        let font = only_font(&mut fonts);
        let geta = font.map_or(0, |font| font.as_swash().charmap().map(GETA));
        Self {
            fonts,
            outlines: SwashCache::new(),
            shapes: HashMap::new(),
            geta,
        }
    }

    /// `paragraph` broken into lines of at most `width` dots: at the places where Japanese and Western
    /// text may be broken (UAX #14), and anywhere in a word that is longer than a line. An empty
    /// paragraph is one empty line.
    pub(super) fn lines(&mut self, paragraph: &str, size: Size, width: u32) -> Vec<Line> {
        self.lay_out(paragraph, size, Some(width as f32))
    }

    /// `text` as one line, however long.
    pub(super) fn line(&mut self, text: &str, size: Size) -> Line {
        let mut lines = self.lay_out(text, size, None);
        lines.truncate(1);
        lines.pop().unwrap_or(Line {
            glyphs: Vec::new(),
            width: 0.0,
        })
    }

    /// The character if the font has it, else the mark for those it lacks; `None` if it is not seen.
    fn known(&mut self, c: char) -> Option<char> {
        if is_invisible(c) || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            return None;
        }
        // Accents and voicing marks after a character usually make another one that the font has.
        let combines = matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}');
        let has = combines || self.has(c);
        Some(if has { c } else { GETA })
    }

    fn has(&mut self, c: char) -> bool {
        let font = only_font(&mut self.fonts);
        font.is_some_and(|font| font.as_swash().charmap().map(c) != 0)
    }

    /// Header lines are laid out inside the gateway itself and senders choose their words, so what the
    /// font lacks (all scripts that run from right to left, too) is replaced before the layout engine
    /// sees it.
    fn lay_out(&mut self, text: &str, size: Size, width: Option<f32>) -> Vec<Line> {
        let text: String = text.chars().filter_map(|c| self.known(c)).collect();
        let metrics = Metrics::new(size.dots, size.dots);
        let mut buffer = Buffer::new_empty(metrics);
        buffer.set_wrap(match width {
            Some(_) => Wrap::WordOrGlyph,
            None => Wrap::None,
        });
        buffer.set_size(width, None);
        let attrs = Attrs::new().family(Family::Name(FAMILY));
        buffer.set_text(&text, &attrs, Shaping::Advanced, None);
        buffer.shape_until_scroll(&mut self.fonts, false);
        buffer
            .layout_runs()
            .map(|run| Line {
                glyphs: run.glyphs.iter().map(|glyph| self.placed(glyph)).collect(),
                width: run.line_w,
            })
            .collect()
    }

    /// The glyph, or the mark for one that the font lacks, with its offset from the line's start.
    fn placed(&self, glyph: &LayoutGlyph) -> (u16, f32, f32) {
        let id = if glyph.glyph_id == 0 {
            self.geta
        } else {
            glyph.glyph_id
        };
        let x = glyph.x + glyph.font_size * glyph.x_offset;
        (id, x, glyph.font_size * glyph.y_offset)
    }

    /// Draws `line` on `page` with its left end at `left` and its baseline on row `baseline`.
    pub(super) fn draw(&mut self, page: &mut Bitmap, line: &Line, size: Size, at: (i64, i64)) {
        let (left, baseline) = at;
        for &(glyph, x, y) in &line.glyphs {
            let x = left + x.round() as i64;
            let y = baseline - (y * size.rows / size.dots).round() as i64;
            for run in self.shape(glyph, size).iter() {
                let row = y + i64::from(run.row);
                fill(page, row, x + i64::from(run.start), x + i64::from(run.end));
            }
        }
    }

    fn shape(&mut self, glyph: u16, size: Size) -> Arc<[Run]> {
        let key = (glyph, size.dots.to_bits(), size.rows.to_bits());
        if let Some(shape) = self.shapes.get(&key) {
            return Arc::clone(shape);
        }
        let shape: Arc<[Run]> = self.outline(glyph, size).runs().into();
        // A text in many scripts and sizes must not fill the memory.
        if self.shapes.len() >= 20_000 {
            self.shapes.clear();
        }
        self.shapes.insert(key, Arc::clone(&shape));
        shape
    }

    fn outline(&mut self, glyph: u16, size: Size) -> Outline {
        let mut outline = Outline::scaled(size.rows / size.dots);
        let Some(font) = self.fonts.db_mut().faces().next().map(|face| face.id) else {
            return outline;
        };
        let flags = CacheKeyFlags::DISABLE_HINTING;
        let weight = fontdb::Weight::NORMAL;
        let (key, _, _) = CacheKey::new(font, glyph, size.dots, (0.0, 0.0), weight, flags);
        let commands = self
            .outlines
            .get_outline_commands_uncached(&mut self.fonts, key);
        for command in commands.iter().flat_map(|commands| commands.iter()) {
            match *command {
                Command::MoveTo(to) => outline.move_to(to.x, to.y),
                Command::LineTo(to) => outline.line_to(to.x, to.y),
                Command::QuadTo(via, to) => outline.quad_to([via.x, via.y], [to.x, to.y]),
                Command::CurveTo(a, b, to) => {
                    outline.cubic_to([a.x, a.y], [b.x, b.y], [to.x, to.y]);
                }
                Command::Close => outline.close(),
            }
        }
        outline
    }
}

/// Controls, joiners, order marks and variation selectors: they have no shape of their own.
fn only_font(fonts: &mut FontSystem) -> Option<Arc<Font>> {
    let face = fonts.db_mut().faces().next().map(|face| face.id)?;
    fonts.get_font(face, fontdb::Weight::NORMAL)
}

/// Blackens the pixels from `start` up to `end` of a row, as far as they are on the page.
fn fill(page: &mut Bitmap, row: i64, start: i64, end: i64) {
    let width = i64::from(page.width());
    let (start, end) = (start.clamp(0, width), end.clamp(0, width));
    let Ok(row) = u32::try_from(row) else { return };
    for x in start..end {
        // Inside the width by the clamp above.
        page.set(x as u32, row, true);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(text: &str) -> Bitmap {
        let mut typesetter = Typesetter::new();
        let size = Size::of_points(10.0, 196);
        let line = typesetter.line(text, size);
        let mut strip = Bitmap::new(400, 40);
        typesetter.draw(&mut strip, &line, size, (4, 30));
        strip
    }

    #[test]
    fn a_name_with_separate_voicing_marks_looks_like_one_with_whole_characters() {
        assert_eq!(drawn("か\u{3099}は\u{309a}"), drawn("がぱ"));
    }

    #[test]
    fn scripts_that_the_font_lacks_become_marks_and_order_marks_vanish() {
        assert_eq!(drawn("שלום"), drawn("〓〓〓〓"));
        assert_eq!(drawn("葛\u{e0100}城"), drawn("葛城"));
        assert_eq!(drawn("\u{202e}abc\u{2066}\u{200f}"), drawn("abc"));
    }

    #[test]
    fn half_width_characters_are_half_as_wide() {
        let mut typesetter = Typesetter::new();
        let size = Size::of_points(10.0, 196);
        assert_eq!(size.dots, 28.0);
        assert_eq!(typesetter.line("ab", size).width, 28.0);
        assert_eq!(typesetter.line("国", size).width, 28.0);
    }

    proptest! {
        #[test]
        fn any_text_can_be_a_line_and_a_paragraph(text in "\\PC{0,60}") {
            let mut typesetter = Typesetter::new();
            let size = Size::of_points(10.0, 196);
            typesetter.line(&text, size);
            prop_assert!(!typesetter.lines(&text, size, 300).is_empty());
        }
    }
}
