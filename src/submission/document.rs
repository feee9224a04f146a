//! What kind of document an attachment is: by its content, then by its type, then by its name.

use super::charset;
use super::mime::Leaf;
use super::password::Finder;
use super::text;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::refusal::Malformed;

/// How far into a file `%PDF` may stand (readers accept a kilobyte of anything before it).
const PDF_MARK_WITHIN: usize = 1_024;

/// The document in `leaf`, the `number`th of its mail.
///
/// Of what cannot be rendered only the name is kept: containers such as `winmail.dat` or a signed
/// `smime.p7m` hold the body with its password. Text that is not marked as an attachment is scrubbed.
///
/// # Errors
/// [`Malformed::Charset`] for text in a charset that we refuse.
pub(super) fn from_leaf(
    mut leaf: Leaf,
    number: usize,
    finder: &Finder,
) -> Result<Document, Malformed> {
    let kind = kind_of(&leaf);
    let bytes = match kind {
        DocumentKind::Unsupported => Vec::new(),
        DocumentKind::Text => {
            let whole = charset::text(&leaf.bytes, leaf.charset.as_deref())?;
            if leaf.attached {
                whole.into_bytes()
            } else {
                finder.scrub(&text::cleaned(&whole)).into_bytes()
            }
        }
        DocumentKind::Jpeg | DocumentKind::Pdf | DocumentKind::Png | DocumentKind::Tiff => {
            std::mem::take(&mut *leaf.bytes)
        }
    };
    Ok(Document {
        name: Some(leaf.name.unwrap_or_else(|| nameless(number, kind))),
        kind,
        media_type: leaf.media_type,
        bytes,
    })
}

/// A message attached as a file: named, so that its failure can be told.
pub(super) fn attached_message(name: Option<String>, number: usize) -> Document {
    Document {
        name: Some(name.unwrap_or_else(|| format!("attachment-{number}.eml"))),
        kind: DocumentKind::Unsupported,
        media_type: "message/rfc822".into(),
        bytes: Vec::new(),
    }
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
