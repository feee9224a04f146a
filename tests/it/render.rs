//! Documents become pages in a process of their own: what it may use up, and what it can reach.

use std::path::PathBuf;
use std::time::Duration;

use faxgate::config;
use faxgate::fax::Document;
use faxgate::fax::DocumentKind;
use faxgate::fax::FaxFile;
use faxgate::fax::PageOptions;
use faxgate::fax::Resolution;
use faxgate::render::BadDocument;
use faxgate::render::RenderError;
use faxgate::render::Renderer;
use faxgate::render::Trouble;

fn config() -> config::Render {
    config::Render {
        resolution: Resolution::Fine,
        header: String::new(),
        body_with_attachments: false,
        font_size: 10,
        max_pages: 100,
        max_pixels: 50_000_000,
        max_memory: 1 << 30,
        max_cpu: Duration::from_secs(30),
        allow_unsandboxed: false,
    }
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_faxgate"))
}

fn document(name: &str, kind: DocumentKind, bytes: impl Into<Vec<u8>>) -> Document {
    Document {
        name: Some(name.to_owned()),
        kind,
        media_type: "application/x-test".to_owned(),
        bytes: bytes.into(),
    }
}

async fn render(config: &config::Render, documents: &[Document]) -> Result<FaxFile, RenderError> {
    let renderer = Renderer::new(program(), config);
    renderer.pages(documents, &PageOptions::default()).await
}

fn at_fault(name: &str, reason: BadDocument) -> Result<FaxFile, RenderError> {
    Err(RenderError::Document {
        name: Some(name.to_owned()),
        reason,
    })
}

#[tokio::test]
async fn several_documents_are_one_fax() {
    let body = Document {
        name: None,
        ..document("", DocumentKind::Text, "本文です。\u{c}二枚目")
    };
    let note = document("note.txt", DocumentKind::Text, "note");
    let file = render(&config(), &[body, note]).await.unwrap();
    assert_eq!(file.pages, 3);
    assert!(file.tiff.starts_with(b"II*\0"));
}

#[tokio::test]
async fn the_worker_is_confined_on_this_machine() {
    assert_eq!(Renderer::new(program(), &config()).probe().await, Ok(()));
}
