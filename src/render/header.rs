//! The header line: date, sender, number and page of pages on top of every page.

use std::sync::Mutex;
use std::sync::PoisonError;

use faxpage::Bitmap;
use faxpage::Page;
use faxpage::TiffWriter;

use super::RenderError;
use super::font::Line;
use super::font::Size;
use super::font::Typesetter;
use super::received::own_pages;
use crate::config::Account;
use crate::config::Config;
use crate::fax::Destination;
use crate::fax::FaxFile;
use crate::fax::PageOptions;
use crate::time::Timestamp;

/// Height of the characters in points.
const POINTS: f32 = 9.0;
/// Height of the strip in inches: 36 rows at 196 lines an inch.
const STRIP_INCHES: f32 = 36.0 / 196.0;
/// Where the baseline is, as a share of the strip's height.
const BASELINE: f32 = 0.78;
/// Lines an inch of the coarsest pages (T.4 section 2).
const FEWEST_LINES: u32 = 98;
/// White dots at either side.
const SIDE: u32 = 64;

/// Making one is dear and it remembers the shapes of characters, so all share it.
pub(super) static TYPESETTER: Mutex<Option<Typesetter>> = Mutex::new(None);

/// What the header line says to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLine {
    /// Text with the placeholders `{Date}` `{From}` `{To}` `{Page}` `{TotalPages}`, in any case.
    pub template: String,
    /// `{Date}`: date and time as the recipient is to read them.
    pub date: String,
    /// `{From}`: who sends.
    pub from: String,
    /// `{To}`: the number called, or the recipient's name.
    pub to: String,
}

impl HeaderLine {
    /// The line that the fax of `account` to `to` gets at `at`; `None` if it gets none. `account` is `None` once
    /// the accounts no longer have `id`.
    pub fn of(
        options: &PageOptions,
        config: &Config,
        (id, account): (&str, Option<&Account>),
        to: &Destination,
        at: Timestamp,
    ) -> Option<Self> {
        let template = options.header.as_ref().unwrap_or(&config.render.header);
        // An empty line is none: it does not move the page either.
        if options.no_header || template.is_empty() {
            return None;
        }
        let zone = account.and_then(|account| account.time_zone.as_ref());
        let zone = zone.unwrap_or(&config.gateway.time_zone);
        let from = account.and_then(|account| account.station_id.as_ref());
        Some(Self {
            template: template.clone(),
            date: at.local_minute(zone),
            from: from.map_or_else(|| id.to_owned(), ToString::to_string),
            to: to.canonical(),
        })
    }

    /// The line on page `page` of `total`. What is put in for a placeholder is not searched for more.
    pub fn text(&self, page: u32, total: u32) -> String {
        let mut text = String::new();
        let mut rest = self.template.as_str();
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            text.push_str(before);
            let named = after.find('}').and_then(|close| {
                let name = after.get(1..close)?;
                Some((self.value(name, page, total)?, after.get(close + 1..)?))
            });
            match named {
                Some((value, after)) => {
                    text.push_str(&value);
                    rest = after;
                }
                // A brace of its own, or a placeholder nobody knows: stays as it is.
                None => {
                    text.push('{');
                    rest = after.get(1..).unwrap_or_default();
                }
            }
        }
        text.push_str(rest);
        text.chars().filter(|c| !c.is_control()).collect()
    }

    fn value(&self, name: &str, page: u32, total: u32) -> Option<String> {
        match name.to_ascii_lowercase().as_str() {
            "date" => Some(self.date.clone()),
            "from" => Some(self.from.clone()),
            "page" => Some(page.to_string()),
            "to" => Some(self.to.clone()),
            "totalpages" => Some(total.to_string()),
            _ => None,
        }
    }
}

/// `file` with the header line on every page.
///
/// The line covers nothing: a page moves down by its height, into the white space at the bottom if
/// there is enough, else the page becomes that much longer (T.4 does not bound a page's length). It
/// computes for some milliseconds a page.
///
/// # Errors
/// [`Trouble::StoredPages`](super::Trouble::StoredPages) if `file` is not what this module writes.
pub fn stamp(file: &FaxFile, header: &HeaderLine) -> Result<FaxFile, RenderError> {
    let mut whole = TiffWriter::new();
    let mut number = 0;
    for page in own_pages(file)? {
        number += 1;
        whole.push(&stamped(page?, header, number, file.pages));
    }
    Ok(FaxFile {
        tiff: whole.finish(),
        pages: number,
    })
}

/// `file` with half the lines: for a far end that cannot take fine pages (98 instead of 196 lines an inch). Pages that
/// are coarse already stay as they are, and none changes its number.
///
/// # Errors
/// As for [`stamp`].
pub fn halved(file: &FaxFile) -> Result<FaxFile, RenderError> {
    let mut whole = TiffWriter::new();
    for page in own_pages(file)? {
        let page = page?;
        whole.push(&match page.y_dpi > FEWEST_LINES {
            true => Page {
                bitmap: faxpage::scale::bitmap(
                    &page.bitmap,
                    page.bitmap.width(),
                    page.bitmap.height().div_ceil(2),
                ),
                y_dpi: FEWEST_LINES,
                ..page
            },
            false => page,
        });
    }
    Ok(FaxFile {
        tiff: whole.finish(),
        pages: file.pages,
    })
}

/// Page `number` of `total` with its header line on top.
pub(super) fn stamped(page: Page, header: &HeaderLine, number: u32, total: u32) -> Page {
    let strip = strip(&header.text(number, total), &page);
    below(page, &strip)
}

/// The page with the strip above it.
fn below(page: Page, strip: &Bitmap) -> Page {
    let height = page.bitmap.height();
    let free = (0..height)
        .rev()
        .take_while(|y| page.bitmap.is_row_white(*y))
        .count();
    let needed = strip.height();
    let longer = if free >= needed as usize { 0 } else { needed };
    let mut bitmap = Bitmap::new(page.bitmap.width(), height.saturating_add(longer));
    bitmap.blit(&page.bitmap, 0, i64::from(needed));
    bitmap.blit(strip, 0, 0);
    Page { bitmap, ..page }
}

/// The line as a strip as wide as the page.
fn strip(text: &str, page: &Page) -> Bitmap {
    let rows = (STRIP_INCHES * page.y_dpi as f32).round();
    let mut strip = Bitmap::new(page.bitmap.width(), rows as u32);
    let width = page.bitmap.width().saturating_sub(2 * SIDE) as f32;
    let mut shared = TYPESETTER.lock().unwrap_or_else(PoisonError::into_inner);
    let typesetter = shared.get_or_insert_with(Typesetter::new);
    let size = Size::of_points(POINTS, page.y_dpi);
    let line = fitting(typesetter, text, size, width);
    let baseline = (rows * BASELINE).round() as i64;
    typesetter.draw(&mut strip, &line, size, (i64::from(SIDE), baseline));
    strip
}

/// The line, cut off with an ellipsis if it is wider than `width` dots.
fn fitting(typesetter: &mut Typesetter, text: &str, size: Size, width: f32) -> Line {
    // No character is narrower than half its height, so no more of them can fit.
    let most = (2.0 * width / size.dots) as usize + 1;
    let mut kept: String = text.chars().take(most).collect();
    let mut line = typesetter.line(&kept, size);
    while line.width > width && kept.pop().is_some() {
        line = typesetter.line(&format!("{kept}…"), size);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::Resolution;
    use crate::render::paper;

    fn header(template: &str) -> HeaderLine {
        HeaderLine {
            template: template.into(),
            date: "2026-11-22 18:30".into(),
            from: "{To}山田商店".into(),
            to: "03-1234-5678".into(),
        }
    }

    #[test]
    fn pages_with_half_the_lines_keep_their_number_and_their_width() {
        let mut fine = Bitmap::new(1728, 2293);
        (0..600).for_each(|y| (100..1000).for_each(|x| fine.set(x, y, true)));
        let page = Page {
            bitmap: fine,
            x_dpi: 204,
            y_dpi: 196,
        };
        let coarse = halved(&file(&[page.clone(), page])).unwrap();
        assert_eq!(coarse.pages, 2);
        for page in own_pages(&coarse).unwrap() {
            let page = page.unwrap();
            assert_eq!((page.bitmap.width(), page.bitmap.height()), (1728, 1147));
            assert_eq!(page.y_dpi, 98);
            assert!(page.bitmap.get(500, 290) && !page.bitmap.get(500, 310));
        }
        assert_eq!(halved(&coarse).unwrap(), coarse, "once is enough");
    }

    fn file(pages: &[Page]) -> FaxFile {
        FaxFile {
            tiff: faxpage::write_tiff(pages),
            pages: pages.len() as u32,
        }
    }

    fn all_stamped(pages: &[Page], header: &HeaderLine) -> Vec<Page> {
        let file = stamp(&file(pages), header).unwrap();
        assert_eq!(file.pages as usize, pages.len());
        own_pages(&file).unwrap().map(Result::unwrap).collect()
    }

    fn ink_in(page: &Page, rows: std::ops::Range<u32>) -> u64 {
        page.bitmap
            .crop_rows(rows.start, rows.end - rows.start)
            .black_pixels()
    }

    #[test]
    fn placeholders_are_filled_in_once_and_the_rest_stays() {
        let text = |template| header(template).text(2, 5);
        assert_eq!(
            text("{Date}  {From} -> {To}  {Page}/{TotalPages}"),
            "2026-11-22 18:30  {To}山田商店 -> 03-1234-5678  2/5"
        );
        assert_eq!(text("{page} {Unknown} { {totalpages}"), "2 {Unknown} { 5");
        assert_eq!(text("{{Page}}"), "{2}");
        assert_eq!(text("a\u{7}b{"), "ab{");
    }

    #[test]
    fn each_page_has_its_number() {
        let blank = paper::blank(Resolution::Fine);
        let pages = all_stamped(&[blank.clone(), blank], &header("{Page}/{TotalPages}"));
        assert_ne!(pages[0].bitmap, pages[1].bitmap);
        for page in &pages {
            assert_eq!(page.bitmap.height(), 2292);
            assert!(ink_in(page, 0..36) > 100);
            assert_eq!(ink_in(page, 36..2292), 0);
        }
    }

    #[test]
    fn a_page_with_white_space_below_moves_into_it() {
        let mut page = paper::blank(Resolution::Fine);
        page.bitmap.set(5, 0, true);
        page.bitmap.set(6, 2255, true);
        let after = all_stamped(&[page], &header("x")).remove(0);
        assert_eq!(after.bitmap.height(), 2292);
        assert!(after.bitmap.get(5, 36) && after.bitmap.get(6, 2291));
    }

    #[test]
    fn a_full_page_becomes_longer_and_loses_nothing() {
        let mut page = paper::blank(Resolution::Fine);
        page.bitmap.set(6, 2256, true);
        let after = all_stamped(&[page], &header("x")).remove(0);
        assert_eq!(after.bitmap.height(), 2292 + 36);
        assert!(after.bitmap.get(6, 2256 + 36));
    }

    #[test]
    fn half_the_rows_at_standard_resolution() {
        let after = all_stamped(&[paper::blank(Resolution::Standard)], &header("国")).remove(0);
        assert_eq!((after.bitmap.height(), after.y_dpi), (1146, 98));
        assert!(ink_in(&after, 0..18) > 20);
        assert_eq!(ink_in(&after, 18..1146), 0);
    }

    #[test]
    fn a_line_that_is_too_long_ends_with_an_ellipsis_inside_the_margin() {
        let after = all_stamped(
            &[paper::blank(Resolution::Fine)],
            &header(&"長".repeat(500)),
        );
        let bitmap = &after[0].bitmap;
        let right = |x: u32| (0..36).any(|y| bitmap.get(x, y));
        assert!((1728 - SIDE..1728).all(|x| !right(x)));
        assert!((1500..1728 - SIDE).any(right));
    }

    #[test]
    fn what_is_no_file_of_ours_is_our_trouble() {
        let file = FaxFile {
            tiff: b"II*\0".to_vec(),
            pages: 1,
        };
        let error = stamp(&file, &header("x")).unwrap_err();
        assert!(error.is_temporary());
    }
}
