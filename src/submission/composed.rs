//! What a person composed in a browser becomes documents by the rules of mail: the same kinds, the same
//! charsets, and no password line stays in it (rows C2, P5).

use zeroize::Zeroizing;

use super::document;
use super::mime;
use super::mime::Leaf;
use super::password::Finder;
use super::subject;
use super::text;
use super::text_document;
use crate::config;
use crate::fax::Document;
use crate::refusal::Refusal;

/// A file that a person chose. Its name and type are what the browser says: hostile text.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its name, perhaps with folders.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What is to be faxed.
#[derive(Clone, Debug)]
pub struct Composition {
    /// What the history calls it: one line.
    pub reference: String,
    /// What was typed; `None` if nothing is left of it.
    pub text: Option<Document>,
    /// The files in order.
    pub files: Vec<Document>,
}

/// Reads what was typed and the chosen files. A line with a password is taken out as it is from a mail:
/// whoever pastes one does not fax it, and nothing that we keep has it.
///
/// # Errors
/// [`Refusal::Malformed`] for text in a charset that we refuse.
pub fn compose(
    typed: &str,
    reference: &str,
    files: Vec<Upload>,
    rules: &config::Password,
) -> Result<Composition, Refusal> {
    let finder = Finder::new(rules);
    let typed = Zeroizing::new(text::cleaned(typed));
    let copies = finder.copies_of(&finder.search(&typed));
    let kept = finder.scrub(&copies.strike(&typed));
    let reference = finder.scrub(&text::one_line(reference, usize::MAX));
    let reference = copies.strike(&reference);
    let read = |(number, upload): (usize, Upload)| {
        let leaf = Leaf {
            media_type: media_type(&upload.media_type),
            charset: None,
            flowed: None,
            attached: true,
            name: mime::plain_name(&upload.name),
            content_id: None,
            bytes: Zeroizing::new(upload.bytes),
        };
        let raw = document::from_leaf(leaf, number + 1, &finder);
        raw.map(|raw| raw.scrubbed(&copies, &finder))
    };
    let files = files.into_iter().enumerate().map(read);
    let files: Result<Vec<Document>, _> = files.collect();
    let is_blank = kept.trim().is_empty();
    Ok(Composition {
        reference: text::one_line(&reference, subject::MAX_REFERENCE),
        text: text_document(if is_blank { String::new() } else { kept }),
        files: files.map_err(Refusal::Malformed)?,
    })
}

/// The type without its parameters; what is no type at all says nothing.
fn media_type(declared: &str) -> String {
    let bare = declared.split(';').next().unwrap_or_default();
    let bare = text::one_line(bare, 100).to_ascii_lowercase();
    match bare.contains('/') {
        true => bare,
        false => "application/octet-stream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::DocumentKind;

    fn rules() -> config::Password {
        config::Password {
            lines: vec!["password:".into()],
            search_lines: 20,
        }
    }

    fn upload(name: &str, media_type: &str, bytes: &[u8]) -> Upload {
        Upload {
            name: name.into(),
            media_type: media_type.into(),
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn files_are_known_by_content_type_and_name_in_this_order() {
        let files = vec![
            upload("a.txt", "text/plain", b"%PDF-1.7"),
            upload("b", "image/png; x=1", b"\x89PNG"),
            upload("c.csv", "", b"a,b"),
            upload("d.exe", "application/x-msdownload", b"MZ"),
        ];
        let made = compose("", "", files, &rules()).unwrap();
        let kinds: Vec<_> = made.files.iter().map(|file| file.kind).collect();
        use DocumentKind as Kind;
        assert_eq!(kinds, [Kind::Pdf, Kind::Png, Kind::Text, Kind::Unsupported]);
        assert!(made.files[3].bytes.is_empty(), "nothing of it is kept");
        assert!(made.text.is_none());
    }

    #[test]
    fn c2_a_password_that_somebody_pastes_is_neither_faxed_nor_kept() {
        let files = vec![upload("hydrangea7.txt", "text/plain", b"so: hydrangea7!")];
        let typed = "password: hydrangea7\r\nHello\r\n";
        let made = compose(typed, "re hydrangea7", files, &rules()).unwrap();
        let kept = format!("{made:?}");
        assert!(!kept.contains("hydrangea7"), "{kept}");
        assert_eq!(made.text.unwrap().bytes, b"Hello\n");
        assert!(!String::from_utf8_lossy(&made.files[0].bytes).contains("hydrangea7"));
    }

    #[test]
    fn a_name_has_no_folders_and_no_control_characters() {
        for (name, expected) in [
            ("../../etc/passwd.txt", "passwd.txt"),
            ("C:\\temp\\a\u{202e}b\n.txt", "ab .txt"),
            ("..", "attachment-1.txt"),
        ] {
            let files = vec![upload(name, "text/plain", b"x")];
            let made = compose("", "", files, &rules()).unwrap();
            assert_eq!(made.files[0].name.as_deref(), Some(expected), "{name}");
        }
    }
}
