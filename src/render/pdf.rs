//! PDF pages become fax pages.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use faxpage::FAX_WIDTH;
use faxpage::Gray;
use hayro::RenderCache;
use hayro::RenderSettings;
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_interpret::InterpreterWarning;
use hayro::hayro_interpret::font::FontData;
use hayro::hayro_interpret::font::FontQuery;
use hayro::hayro_interpret::hayro_cmap::CidFamily;
use hayro::hayro_interpret::util::TransformExt;
use hayro::hayro_syntax::LoadPdfError;
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::Array;
use hayro::hayro_syntax::object::Dict;
use hayro::hayro_syntax::object::Name;
use hayro::hayro_syntax::object::String as PdfString;
use hayro::hayro_syntax::page::Page as PdfPage;
use hayro::kurbo::Affine;
use hayro::vello_cpu::Pixmap;
use hayro::vello_cpu::RasterizerSettings;
use hayro::vello_cpu::RenderContext;
use hayro::vello_cpu::Resources;
use hayro::vello_cpu::TargetInit;
use hayro::vello_cpu::color::palette::css::WHITE;

use super::BadDocument;
use super::convert::Settings;
use super::fit;
use super::fit::Place;
use super::font::BIZ_UD_GOTHIC;
use super::paper;
use super::shade::luma;

const POINTS_PER_INCH: f64 = 72.0;
/// Annotation flags 2 and 6 (ISO 32000-1, table 165).
const HIDDEN_OR_NO_VIEW: u32 = 0b10_0010;

/// The pages of a PDF, each as large as fits on A4, wide ones turned.
///
/// The engine has no budgets of its own, so this runs in a confined worker only.
pub(super) fn pages(bytes: &[u8], settings: &Settings) -> Result<Vec<faxpage::Page>, BadDocument> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(_) => BadDocument::Encrypted,
        LoadPdfError::Invalid => BadDocument::NotReadable,
    })?;
    let pages = pdf.pages();
    if pages.is_empty() {
        return Err(BadDocument::NoPages);
    }
    if pages.len() > settings.max_pages as usize {
        let limit = settings.max_pages;
        return Err(BadDocument::TooManyPages { limit });
    }
    if pages.iter().any(has_undrawn_answers) {
        return Err(BadDocument::FormNotDrawn);
    }
    let engine = Engine::new();
    let cache = RenderCache::new();
    let drawn = pages.iter();
    let drawn = drawn
        .map(|page| engine.page(page, &cache, settings))
        .collect();
    match engine.left_out.load(Ordering::Relaxed) {
        true => Err(BadDocument::Incomplete),
        false => Ok(drawn),
    }
}

/// Whether the page has a filled in form field, or typed remarks, without an appearance stream: the
/// engine draws neither.
fn has_undrawn_answers(page: &PdfPage<'_>) -> bool {
    let Some(annotations) = page.raw().get::<Array<'_>>(b"Annots") else {
        return false;
    };
    let filled = |field: &Dict<'_>, key: &[u8]| {
        let text = field.get::<PdfString<'_>>(key);
        // A byte order mark alone is an empty text, too.
        text.is_some_and(|text| !matches!(text.as_bytes(), [] | [0xfe, 0xff]))
    };
    annotations.iter::<Dict<'_>>().any(|annotation| {
        let hidden = annotation.get::<u32>(b"F").unwrap_or(0) & HIDDEN_OR_NO_VIEW != 0;
        if hidden || annotation.contains_key(b"AP") {
            return false;
        }
        match annotation
            .get::<Name<'_>>(b"Subtype")
            .as_ref()
            .map(Name::as_str)
        {
            Some("FreeText") => filled(&annotation, b"Contents"),
            Some("Widget") => {
                let parent = annotation.get::<Dict<'_>>(b"Parent");
                filled(&annotation, b"V") || parent.is_some_and(|field| filled(&field, b"V"))
            }
            Some(_) | None => false,
        }
    })
}

struct Engine {
    interpreter: InterpreterSettings,
    render: RenderSettings,
    /// Whether something could not be drawn.
    left_out: Arc<AtomicBool>,
}

impl Engine {
    fn new() -> Self {
        let left_out = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&left_out);
        Self {
            interpreter: InterpreterSettings {
                font_resolver: Arc::new(|query| Some(font(query))),
                warning_sink: Arc::new(move |warning| {
                    // Not: remarks that a viewer may hide. They are not the document.
                    if let InterpreterWarning::UnsupportedFont
                    | InterpreterWarning::ImageDecodeFailure = warning
                    {
                        noted.store(true, Ordering::Relaxed);
                    }
                }),
                ..InterpreterSettings::default()
            },
            render: RenderSettings::default(),
            left_out,
        }
    }

    fn page<'a>(
        &self,
        page: &'a PdfPage<'a>,
        cache: &RenderCache<'a>,
        settings: &Settings,
    ) -> faxpage::Page {
        let (width, height) = page.render_dimensions();
        let (width, height) = (f64::from(width), f64::from(height));
        let inches = |points: f64| points / POINTS_PER_INCH;
        let place = Place::of(inches(width), inches(height), f64::MAX, settings.resolution);
        // A page without size has nothing to show, yet it counts.
        let Some(place) = place else {
            return paper::blank(settings.resolution);
        };
        let transform = onto_paper(&place, width, height) * page.initial_transform(true).to_kurbo();
        // Both fit: the paper has 1728 by 2292 pixels.
        let (dots, rows) = (FAX_WIDTH as u16, paper::rows(settings.resolution) as u16);
        let mut context = RenderContext::new(dots, rows);
        let interpreter = &self.interpreter;
        hayro::render_into(
            page,
            cache,
            interpreter,
            &self.render,
            &mut context,
            transform,
        );
        context.flush();
        let mut pixels = Pixmap::new(dots, rows);
        let on_white = RasterizerSettings {
            target_init: TargetInit::Clear(WHITE),
            ..RasterizerSettings::default()
        };
        context.render_with(&mut pixels, &mut Resources::default(), on_white);
        fit::dots(&gray(&pixels), settings.resolution)
    }
}

/// From an upright page of `width` by `height` points to its place on the paper.
fn onto_paper(place: &Place, width: f64, height: f64) -> Affine {
    let to_corner = Affine::translate((f64::from(place.left), f64::from(place.top)));
    let (dots, rows) = (f64::from(place.width), f64::from(place.height));
    if place.turned {
        // A quarter to the right: (x, y) becomes (height - y, x).
        let turn = Affine::new([0.0, 1.0, -1.0, 0.0, height, 0.0]);
        to_corner * Affine::scale_non_uniform(dots / height, rows / width) * turn
    } else {
        to_corner * Affine::scale_non_uniform(dots / width, rows / height)
    }
}

fn gray(pixels: &Pixmap) -> Gray {
    let (width, height) = (u32::from(pixels.width()), u32::from(pixels.height()));
    let pixels = pixels.data().iter();
    let shades = pixels
        .map(|pixel| luma(pixel.r, pixel.g, pixel.b))
        .collect();
    Gray::from_pixels(width, height, shades).unwrap_or_else(|| Gray::new(width, height))
}

/// A font for text whose font the PDF names but does not carry: ours for Chinese, Japanese and
/// Korean, else the engine's stand-ins for the fourteen standard fonts.
fn font(query: &FontQuery) -> (FontData, u32) {
    match query {
        FontQuery::Standard(standard) => standard.get_font_data(),
        FontQuery::Fallback(wanted) => {
            let family = wanted.character_collection.as_ref().map(|cc| &cc.family);
            match family {
                Some(
                    CidFamily::AdobeJapan1
                    | CidFamily::AdobeGB1
                    | CidFamily::AdobeCNS1
                    | CidFamily::AdobeKorea1,
                ) => (Arc::new(BIZ_UD_GOTHIC), 0),
                Some(_) | None => wanted.pick_standard_font().get_font_data(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::Resolution;
    use crate::render::samples;
    use crate::render::samples::settings;

    const A4: (u32, u32) = (595, 842);
    const HELVETICA: &str = "/F1 <</Type/Font/Subtype/Type1/BaseFont/Helvetica>>";
    /// A Japanese font that the file names and does not carry.
    const MINCHO: &str = "/F1 <</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/UniJIS-UCS2-H\
        /DescendantFonts[<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3\
        /CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>>>]>>";

    fn one(sizes: &[(u32, u32)], fonts: &str, content: &str) -> faxpage::Page {
        pages(&samples::pdf(sizes, fonts, content, ""), &settings())
            .unwrap()
            .remove(0)
    }

    /// Left, top, right and bottom of what is black.
    fn ink(page: &faxpage::Page) -> (u32, u32, u32, u32) {
        let (width, height) = (page.bitmap.width(), page.bitmap.height());
        let black = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let black = black.filter(|(x, y)| page.bitmap.get(*x, *y));
        black.fold(
            (width, height, 0, 0),
            |(left, top, right, bottom), (x, y)| {
                (left.min(x), top.min(y), right.max(x), bottom.max(y))
            },
        )
    }

    #[test]
    fn text_of_a_pdf_is_where_it_belongs() {
        let page = one(&[A4], HELVETICA, "BT /F1 36 Tf 72 700 Td (Hello) Tj ET");
        assert_eq!((page.bitmap.width(), page.bitmap.height()), (1728, 2292));
        let (left, top, right, bottom) = ink(&page);
        // An inch from the edge of paper that is 1686 of 1728 dots wide; the baseline 700 points up.
        assert!(left.abs_diff(21 + 204) < 15, "{left}");
        assert!(bottom.abs_diff((842 - 700) * 196 / 72) < 5, "{bottom}");
        assert!(right > left + 150 && top < bottom - 50);
    }

    #[test]
    fn a_japanese_font_that_is_not_in_the_file_is_replaced() {
        let page = one(&[A4], MINCHO, "BT /F1 36 Tf 72 700 Td <65E5672C8A9E> Tj ET");
        let (left, _, right, _) = ink(&page);
        assert!(page.bitmap.black_pixels() > 2000);
        assert!(
            (right - left).abs_diff(3 * 102) < 20,
            "three characters of half an inch"
        );
    }

    #[test]
    fn a_landscape_page_is_turned_to_the_right() {
        // A square at the upper left corner.
        let page = one(&[(842, 595)], "", "0 495 100 100 re f");
        let (left, top, right, bottom) = ink(&page);
        assert!(right > 1700 && left > 1400, "{left} {right}");
        assert!(
            top < 5 && bottom.abs_diff(100 * 196 / 72) < 5,
            "{top} {bottom}"
        );
    }

    #[test]
    fn a_page_of_any_size_fits_on_a4() {
        for size in [(612, 792), (100, 141), (2384, 3370), (842, 1191)] {
            let page = one(&[size], "", &format!("0 0 {} {} re f", size.0, size.1));
            let (left, top, right, bottom) = ink(&page);
            let high = f64::from(bottom - top + 1) / 196.0;
            let wide = f64::from(right - left + 1) / 204.0;
            let proportion = f64::from(size.1) / f64::from(size.0);
            assert!((high / wide - proportion).abs() < 0.01, "{size:?}");
            assert!(right - left > 1680, "{size:?}");
        }
    }

    #[test]
    fn half_the_rows_at_standard_resolution() {
        let standard = Settings {
            resolution: Resolution::Standard,
            ..settings()
        };
        let pdf = samples::pdf(&[A4], "", "0 0 595 842 re f", "");
        let page = &pages(&pdf, &standard).unwrap()[0];
        assert_eq!((page.bitmap.width(), page.bitmap.height()), (1728, 1146));
        assert_eq!(page.y_dpi, 98);
    }

    #[test]
    fn a_password_no_pages_and_nonsense_have_names_of_their_own() {
        let encrypt = "/ID[<00><00>]/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4\
            /O<0000000000000000000000000000000000000000000000000000000000000000>\
            /U<1111111111111111111111111111111111111111111111111111111111111111>>>";
        let locked = samples::pdf(&[A4], "", "", encrypt);
        assert_eq!(pages(&locked, &settings()), Err(BadDocument::Encrypted));
        let empty = samples::pdf(&[], "", "", "");
        assert_eq!(pages(&empty, &settings()), Err(BadDocument::NoPages));
        for nonsense in [&b""[..], b"%PDF-1.7", b"hello"] {
            assert_eq!(pages(nonsense, &settings()), Err(BadDocument::NotReadable));
        }
    }

    #[test]
    fn more_pages_than_allowed_are_refused_before_one_is_drawn() {
        let pdf = samples::pdf(&[A4; 101], "", "", "");
        let refused = Err(BadDocument::TooManyPages { limit: 100 });
        assert_eq!(pages(&pdf, &settings()), refused);
    }
}
