//! `[render]`: documents to pages.

use std::time::Duration;

use toml::Table;

use super::forms;
use super::section::Section;
use super::show;
use crate::fax::Resolution;

/// `[render]`: documents to pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Render {
    /// Resolution when the subject does not say.
    pub resolution: Resolution,
    /// Header line; placeholders `{Date}` `{From}` `{To}` `{Page}` `{TotalPages}`; empty for none.
    pub header: String,
    /// Whether the body is faxed before the attachments when the subject does not say.
    pub body_with_attachments: bool,
    /// Font size of text in points.
    pub font_size: u8,
    /// Most pages of a fax.
    pub max_pages: u32,
    /// Most pixels of one image.
    pub max_pixels: u64,
    /// Most memory of a converter in bytes.
    pub max_memory: u64,
    /// Most CPU time of a converter.
    pub max_cpu: Duration,
    /// Whether converters may run where the kernel cannot confine them.
    pub allow_unsandboxed: bool,
}

impl Default for Render {
    fn default() -> Self {
        Self {
            resolution: Resolution::Fine,
            header: "{Date}  {From} -> {To}  {Page}/{TotalPages}".into(),
            body_with_attachments: false,
            font_size: 11,
            max_pages: 100,
            max_pixels: 100_000_000,
            max_memory: 1 << 30,
            max_cpu: Duration::from_secs(60),
            allow_unsandboxed: false,
        }
    }
}

const RESOLUTIONS: [(&str, Resolution); 2] = [
    ("fine", Resolution::Fine),
    ("standard", Resolution::Standard),
];

impl Render {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            resolution: section.or("resolution", default.resolution, |value| {
                forms::word(value, &RESOLUTIONS)
            }),
            header: section.or("header", default.header, forms::any_text),
            body_with_attachments: section.or(
                "body_with_attachments",
                default.body_with_attachments,
                forms::boolean,
            ),
            font_size: section.or("font_size", default.font_size, |value| {
                forms::number(value, 6..=72)
            }),
            max_pages: section.or("max_pages", default.max_pages, |value| {
                forms::number(value, 1..=1000)
            }),
            max_pixels: section.or("max_pixels", default.max_pixels, |value| {
                forms::number(value, 1_000_000..=10_000_000_000)
            }),
            max_memory: section.or("max_memory", default.max_memory, |value| {
                forms::size(value, (64 << 20)..=(64 << 30))
            }),
            max_cpu: section.or("max_cpu", default.max_cpu, |value| {
                forms::duration(value, Duration::from_secs(1)..=Duration::from_secs(3600))
            }),
            allow_unsandboxed: section.or(
                "allow_unsandboxed",
                default.allow_unsandboxed,
                forms::boolean,
            ),
        }
    }

    pub(super) fn show(&self) -> Table {
        let with_body = self.body_with_attachments;
        show::table([
            ("resolution", show::text(self.resolution.as_str())),
            ("header", show::text(&self.header)),
            ("body_with_attachments", with_body.into()),
            ("font_size", show::number(self.font_size)),
            ("max_pages", show::number(self.max_pages)),
            ("max_pixels", show::number(self.max_pixels)),
            ("max_memory", show::size(self.max_memory)),
            ("max_cpu", show::duration(self.max_cpu)),
            ("allow_unsandboxed", self.allow_unsandboxed.into()),
        ])
    }
}
