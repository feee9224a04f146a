//! The child process that converts documents: `faxgate render-worker`.
//!
//! Decoders read what strangers wrote, so each fax is converted by a process of its own that holds
//! nothing of value, can open nothing and has a budget of memory and processor time. It reads frames
//! from its standard input and answers on its standard output; see `frame`.

pub(super) mod frame;

use std::io;
use std::io::Read;
use std::io::Write;
use std::process::ExitCode;

use frame::Budget;
use frame::Reply;
use frame::Request;

use super::convert;
use super::convert::Settings;
use crate::confine;
use crate::confine::Allowance;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::fax::Resolution;

/// The hidden subcommand that makes the program a worker.
pub const SUBCOMMAND: &str = "render-worker";

/// Serves one request and ends. `main` calls it before anything else when the first argument is
/// [`SUBCOMMAND`]: no thread may run yet and no file may be open.
pub fn worker_main() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // The parent is gone or talks nonsense: there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let budget: Budget = frame::read_json(from)?;
    let confinement = confine::confine(&Allowance {
        memory: budget.memory,
        cpu_seconds: budget.cpu_seconds,
        file_size: 0,
        folder: None,
        sockets: false,
    });
    frame::write_json(to, &confinement)?;
    let request: Request = frame::read_json(from)?;
    let mut documents = Vec::new();
    for described in &request.documents {
        documents.push(Document {
            name: None,
            kind: DocumentKind::from_word(&described.kind),
            media_type: described.media_type.clone(),
            bytes: frame::read(from)?,
        });
    }
    let settings = Settings {
        resolution: Resolution::from_word(&request.resolution).unwrap_or_default(),
        points: request.points,
        max_pages: request.max_pages,
        max_pixels: request.max_pixels,
    };
    answer(to, &documents, &settings)
}

/// Converts the documents, saying before each which one it is: if this process dies, the parent knows
/// whose fault it was.
fn answer(to: &mut impl Write, documents: &[Document], settings: &Settings) -> io::Result<()> {
    let mut fax = convert::Fax::default();
    for (at, document) in documents.iter().enumerate() {
        frame::write_json(to, &Reply::Began { document: at })?;
        if let Err(reason) = fax.add(document, settings) {
            let document = at;
            return frame::write_json(to, &Reply::Refused { document, reason });
        }
    }
    let file = fax.finish();
    frame::write_json(to, &Reply::Done { pages: file.pages })?;
    frame::write(to, &file.tiff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::BadDocument;

    /// What a worker that is not confined answers to `documents`.
    fn replies(documents: &[Document]) -> Vec<Reply> {
        let settings = Settings {
            resolution: Resolution::Fine,
            points: 10,
            max_pages: 3,
            max_pixels: 1_000_000,
        };
        let mut output = Vec::new();
        answer(&mut output, documents, &settings).unwrap();
        let mut from = output.as_slice();
        let mut replies = Vec::new();
        while !from.is_empty() {
            let reply = frame::read_json(&mut from).unwrap();
            let done = matches!(reply, Reply::Done { .. });
            replies.push(reply);
            if done {
                assert!(frame::read(&mut from).unwrap().starts_with(b"II"));
            }
        }
        replies
    }

    fn document(kind: DocumentKind, bytes: &[u8]) -> Document {
        Document {
            name: None,
            kind,
            media_type: "application/x-test".into(),
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn a_worker_says_which_document_it_begins_and_what_came_of_it() {
        let text = document(DocumentKind::Text, b"a\x0cb");
        assert_eq!(
            replies(&[text.clone(), text]),
            [
                Reply::Began { document: 0 },
                Reply::Began { document: 1 },
                Reply::Refused {
                    document: 1,
                    reason: BadDocument::TooManyPages { limit: 3 }
                }
            ]
        );
    }

    #[test]
    fn a_fax_of_several_documents_is_one_file() {
        let text = document(DocumentKind::Text, b"a");
        let replies = replies(&[text.clone(), text]);
        assert_eq!(replies.last(), Some(&Reply::Done { pages: 2 }));
    }
}
