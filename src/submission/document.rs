//! What kind of document an attachment is: by its content, then by its type, then by its name.

use zeroize::Zeroizing;

use super::charset;
use super::copies::Copies;
use super::mime::Leaf;
use super::password::Finder;
use super::text;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::refusal::Malformed;

/// How far into a file `%PDF` may stand (readers accept a kilobyte of anything before it).
const PDF_MARK_WITHIN: usize = 1_024;

/// A document whose text is not scrubbed yet.
pub(super) struct Raw {
    document: Document,
    /// Whether lines with passwords are taken out of it. A file that was attached is the customer's: only
    /// copies of the mail's own password leave it.
    lines: bool,
}

impl Raw {
    /// The document as it is kept.
    pub(super) fn scrubbed(self, copies: &Copies, finder: &Finder) -> Document {
        let Self {
            mut document,
            lines,
        } = self;
        document.name = document.name.map(|name| copies.strike(&name).into_owned());
        document.media_type = copies.strike(&document.media_type).into_owned();
        if document.kind == DocumentKind::Text {
            let bytes = Zeroizing::new(std::mem::take(&mut document.bytes));
            let text = String::from_utf8_lossy(&bytes);
            let struck = copies.strike(&text);
            document.bytes = match lines {
                true => finder.scrub(&struck).into_bytes(),
                false => struck.into_owned().into_bytes(),
            };
        }
        document
    }
}

/// The document in `leaf`, the `number`th of its mail.
///
/// Of what cannot be rendered only the name is kept: containers such as `winmail.dat` or a signed
/// `smime.p7m` hold the body with its password. Text that is not marked as an attachment is scrubbed.
///
/// # Errors
/// [`Malformed::Charset`] for text in a charset that we refuse.
pub(super) fn from_leaf(mut leaf: Leaf, number: usize, finder: &Finder) -> Result<Raw, Malformed> {
    let kind = kind_of(&leaf);
    let bytes = match kind {
        DocumentKind::Unsupported => Vec::new(),
        DocumentKind::Text => {
            let whole = charset::text(&leaf.bytes, leaf.charset.as_deref())?;
            match leaf.attached {
                true => whole.into_bytes(),
                false => text::cleaned(&Zeroizing::new(whole)).into_bytes(),
            }
        }
        DocumentKind::Jpeg | DocumentKind::Pdf | DocumentKind::Png | DocumentKind::Tiff => {
            std::mem::take(&mut *leaf.bytes)
        }
    };
    Ok(Raw {
        document: Document {
            name: Some(named_or(leaf.name, finder, || nameless(number, kind))),
            kind,
            media_type: leaf.media_type,
            bytes,
        },
        lines: !leaf.attached,
    })
}

/// A message attached as a file: named, so that its failure can be told.
pub(super) fn attached_message(name: Option<String>, number: usize, finder: &Finder) -> Raw {
    Raw {
        document: Document {
            name: Some(named_or(name, finder, || {
                format!("attachment-{number}.eml")
            })),
            kind: DocumentKind::Unsupported,
            media_type: "message/rfc822".into(),
            bytes: Vec::new(),
        },
        lines: false,
    }
}

/// The name without a password in it, or another one if nothing is left.
fn named_or(name: Option<String>, finder: &Finder, other: impl FnOnce() -> String) -> String {
    let name = name.map(|name| finder.scrub(&name));
    name.filter(|name| !name.is_empty()).unwrap_or_else(other)
}

fn nameless(number: usize, kind: DocumentKind) -> String {
    let extension = match kind {
        DocumentKind::Jpeg => "jpg",
        DocumentKind::Pdf => "pdf",
        DocumentKind::Png => "png",
        DocumentKind::Text => "txt",
        DocumentKind::Tiff => "tif",
        DocumentKind::Unsupported => "bin",
    };
    format!("attachment-{number}.{extension}")
}

fn kind_of(leaf: &Leaf) -> DocumentKind {
    sniffed(&leaf.bytes)
        .or_else(|| declared(&leaf.media_type))
        .or_else(|| named(leaf.name.as_deref().unwrap_or_default()))
        .filter(|_| !leaf.bytes.is_empty())
        .unwrap_or(DocumentKind::Unsupported)
}

fn sniffed(bytes: &[u8]) -> Option<DocumentKind> {
    let head = bytes.get(..bytes.len().min(PDF_MARK_WITHIN))?;
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some(DocumentKind::Png),
        [0xff, 0xd8, 0xff, ..] => Some(DocumentKind::Jpeg),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(DocumentKind::Tiff),
        _ if memchr::memmem::find(head, b"%PDF-").is_some() => Some(DocumentKind::Pdf),
        _ => None,
    }
}

/// Types that say what the content is; a generic one leaves it to the name.
fn declared(media_type: &str) -> Option<DocumentKind> {
    match media_type {
        "application/pdf" | "application/x-pdf" => Some(DocumentKind::Pdf),
        "image/png" => Some(DocumentKind::Png),
        "image/jpeg" | "image/jpg" | "image/pjpeg" => Some(DocumentKind::Jpeg),
        "image/tiff" | "image/tif" | "image/tiff-fx" => Some(DocumentKind::Tiff),
        "text/plain" | "text/csv" => Some(DocumentKind::Text),
        "application/octet-stream"
        | "application/download"
        | "application/x-download"
        | "application/force-download"
        | "application/binary"
        | "binary/octet-stream"
        | "application/unknown" => None,
        _ => Some(DocumentKind::Unsupported),
    }
}

fn named(name: &str) -> Option<DocumentKind> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "pdf" => Some(DocumentKind::Pdf),
        "png" => Some(DocumentKind::Png),
        "jpg" | "jpeg" | "jpe" => Some(DocumentKind::Jpeg),
        "tif" | "tiff" => Some(DocumentKind::Tiff),
        "txt" | "text" | "csv" | "log" => Some(DocumentKind::Text),
        _ => None,
    }
}
