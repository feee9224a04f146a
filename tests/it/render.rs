//! Documents become pages in a process of their own: what it may use up, and what it can reach.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use faxgate::config;
use faxgate::fax::Document;
use faxgate::fax::DocumentKind;
use faxgate::fax::FaxFile;
use faxgate::fax::PageOptions;
use faxgate::fax::Resolution;
use faxgate::render::BadDocument;
use faxgate::render::HeaderLine;
use faxgate::render::RenderError;
use faxgate::render::Renderer;
use faxgate::render::Trouble;
use faxgate::render::check_received;
use faxgate::render::png_pages;
use faxgate::render::stamp;
use faxgate::render::to_pdf;

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

#[tokio::test]
async fn each_hostile_document_ends_as_its_fixture_says() {
    let config = config::Render {
        max_cpu: Duration::from_secs(2),
        ..config()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/render");
    let mut seen = 0;
    for case in std::fs::read_dir(root).unwrap() {
        let case = case.unwrap().path();
        let input = input_of(&case).unwrap();
        let extension = input.extension().unwrap().to_str().unwrap();
        let kind = match extension {
            "txt" => DocumentKind::Text,
            other => DocumentKind::from_word(other),
        };
        let name = format!("input.{extension}");
        let bytes = std::fs::read(&input).unwrap();
        let outcome = match render(&config, &[document(&name, kind, bytes)]).await {
            Ok(file) => format!("{} pages", file.pages),
            Err(error) => error.to_string(),
        };
        let expected = std::fs::read_to_string(case.join("expected.txt")).unwrap();
        assert_eq!(outcome, expected.trim_end(), "{}", case.display());
        assert!(case.join("why.md").is_file(), "{}", case.display());
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} fixtures");
}

fn input_of(case: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(case).ok()?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    paths.find(|path| path.file_stem().is_some_and(|stem| stem == "input"))
}

#[tokio::test]
async fn a_pdf_of_100_000_pages_is_refused() {
    let mut pdf = "%PDF-1.7\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n".to_owned();
    let kids: String = (3..100_003)
        .map(|number| format!("{number} 0 R "))
        .collect();
    pdf += &format!("2 0 obj <</Type/Pages/Kids[{kids}]/Count 100000>> endobj\n");
    for number in 3..100_003 {
        pdf +=
            &format!("{number} 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>> endobj\n");
    }
    pdf += "trailer <</Root 1 0 R>>\n%%EOF\n";
    let outcome = render(&config(), &[document("long.pdf", DocumentKind::Pdf, pdf)]).await;
    assert_eq!(
        outcome,
        at_fault("long.pdf", BadDocument::TooManyPages { limit: 100 })
    );
}

#[tokio::test]
async fn the_document_at_fault_is_named_and_not_its_neighbours() {
    let text = document("good.txt", DocumentKind::Text, "good");
    let word = Document {
        media_type: "application/msword".to_owned(),
        ..document("old.doc", DocumentKind::Unsupported, "\u{1}")
    };
    let outcome = render(&config(), &[text.clone(), word]).await;
    let media_type = "application/msword".to_owned();
    assert_eq!(
        outcome,
        at_fault("old.doc", BadDocument::Unsupported { media_type })
    );

    // The first document is converted before the second uses up the memory.
    let greedy = config::Render {
        max_memory: 256 << 20,
        ..config()
    };
    let bomb = include_bytes!("../../fixtures/render/05-pdf-image-of-3-gigabytes/input.pdf");
    let bomb = document("bomb.pdf", DocumentKind::Pdf, *bomb);
    let outcome = render(&greedy, &[text, bomb]).await;
    assert_eq!(outcome, at_fault("bomb.pdf", BadDocument::TooLarge));
}

#[tokio::test]
async fn a_gateway_that_cannot_start_workers_says_so_and_tries_again_later() {
    let renderer = Renderer::new(PathBuf::from("/nonexistent/faxgate"), &config());
    let text = document("a.txt", DocumentKind::Text, "a");
    let error = renderer
        .pages(&[text], &PageOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error, RenderError::Worker(Trouble::Start));
    assert!(error.is_temporary());
}

/// A worker that says it is not confined and does nothing else.
fn unconfined_worker(folder: &Path) -> std::io::Result<PathBuf> {
    let report = r#"{"missing":["landlock: not in this kernel"]}"#;
    let script = folder.join("worker.sh");
    let length = report.len();
    // It takes the budget and the beginning of the request before it ends.
    let report = format!("printf '\\{length:03o}\\000\\000\\000%s' '{report}'");
    let text = format!("#!/bin/sh\n{report}\nexec /usr/bin/head -c 100 >/dev/null\n");
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}

#[tokio::test]
async fn a_worker_that_is_not_confined_gets_no_documents_unless_the_operator_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let worker = unconfined_worker(folder.path()).unwrap();
    let strict = Renderer::new(worker.clone(), &config());
    assert_eq!(
        strict.probe().await,
        Err(RenderError::Worker(Trouble::Unconfined))
    );
    let lenient = config::Render {
        allow_unsandboxed: true,
        ..config()
    };
    let lenient = Renderer::new(worker, &lenient);
    assert_eq!(lenient.probe().await, Ok(()));
    // It is used, then, and as this one ends without an answer the fault is ours.
    let text = document("a.txt", DocumentKind::Text, "a");
    let outcome = lenient.pages(&[text], &PageOptions::default()).await;
    assert_eq!(outcome, Err(RenderError::Worker(Trouble::Lost)));
}

#[tokio::test]
async fn a_rendered_fax_can_be_stamped_previewed_and_mailed() {
    let text = document("a.txt", DocumentKind::Text, "見積書\u{c}二枚目");
    let file = render(&config(), &[text]).await.unwrap();
    let header = HeaderLine {
        template: "{From} -> {To} {Page}/{TotalPages}".to_owned(),
        date: String::new(),
        from: "山田".to_owned(),
        to: "0081312345678".to_owned(),
    };
    let stamped = stamp(&file, &header).unwrap();
    assert_eq!(stamped.pages, 2);
    assert_ne!(stamped.tiff, file.tiff);
    assert_eq!(png_pages(&stamped, 9).unwrap().len(), 2);
    assert!(to_pdf(&stamped, "fax").unwrap().starts_with(b"%PDF-"));
    assert_eq!(check_received(&stamped.tiff).unwrap(), stamped);
}
