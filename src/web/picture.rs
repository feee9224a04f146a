//! Pages of faxes as pictures, and as a file to keep.

use std::sync::Arc;

use axum::http::HeaderName;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::fax::FaxFile;
use crate::render;
use crate::render::HeaderLine;
use crate::storage::Store;
use crate::web::Site;
use crate::web::error::Told;

/// Pictures that a page shows; more would be a heavy page.
pub(super) const SHOWN: u32 = 20;
/// What we hand out was drawn by us; all the same nothing in it may run.
const SANDBOX: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// The pages of a fax on a page.
pub(super) struct Pictures {
    /// The numbers of those that are shown.
    pub(super) shown: Vec<u32>,
    /// All there are.
    pub(super) total: u32,
    /// Where they are, without the number.
    pub(super) folder: String,
}

impl Pictures {
    /// The first of `total` pages below `folder`.
    pub(super) fn of(total: u32, folder: String) -> Self {
        Self {
            shown: (1..=total.min(SHOWN)).collect(),
            total,
            folder,
        }
    }
}

/// Page `text` (`3.png`) of the `pages` in the stored file `name`; `None` if there is no such page.
pub(super) async fn draw(site: &Site, name: String, pages: u32, text: &str) -> Option<Response> {
    draw_stamped(site, name, pages, text, None).await
}

/// The same with a header line, as the recipient gets it.
pub(super) async fn draw_stamped(
    site: &Site,
    name: String,
    pages: u32,
    text: &str,
    header: Option<HeaderLine>,
) -> Option<Response> {
    let n: u32 = text.strip_suffix(".png")?.parse().ok()?;
    if !(1..=pages).contains(&n) {
        return None;
    }
    // Held by the work itself: it goes on when the browser hangs up.
    let turn = Arc::clone(&site.drawing).acquire_owned().await.ok()?;
    let store = site.store().clone();
    let drawn = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let file = stored(&store, &name, pages)?;
        let drawn = match &header {
            Some(header) => render::png_stamped(&file, n, header),
            None => render::png_page(&file, n),
        };
        drawn.map_err(|error| tracing::error!(%error, "a page could not be drawn"))
    });
    let png = drawn.await.ok()?.ok().flatten()?;
    Some(file_answer("image/png", None, png))
}

/// The result of a sent fax as a PDF to download: `text` as a page, behind it the pages in the stored file of this
/// name with their header line, if there are any. `None` if they cannot be read.
pub(super) async fn receipt(
    site: &Site,
    text: String,
    file: Option<(String, u32)>,
    header: Option<HeaderLine>,
    id: i64,
) -> Option<Response> {
    let turn = Arc::clone(&site.drawing).acquire_owned().await.ok()?;
    let store = site.store().clone();
    let written = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let file = file.map(|(name, pages)| stored(&store, &name, pages));
        let file = file.transpose()?;
        let stamped = match (file, header) {
            (Some(file), Some(header)) => render::stamp(&file, &header).map(Some),
            (file, _) => Ok(file),
        };
        let whole = stamped.and_then(|file| render::with_receipt(&text, file.as_ref()));
        let written = whole.and_then(|whole| render::to_pdf(&whole, &format!("fax {id}")));
        written.map_err(|error| tracing::error!(%error, "a receipt could not be made"))
    });
    let pdf = written.await.ok()?.ok()?;
    let disposition = format!("attachment; filename=\"fax-{id}-result.pdf\"");
    Some(file_answer("application/pdf", Some(disposition), pdf))
}

/// The fax in the stored file `name` as it is, to download; `None` if its pages are gone.
pub(super) async fn tiff(site: &Site, name: String, pages: u32, id: i64) -> Option<Response> {
    let store = site.store().clone();
    let read = tokio::task::spawn_blocking(move || stored(&store, &name, pages));
    let file = read.await.ok()?.ok()?;
    let disposition = format!("attachment; filename=\"fax-{id}.tiff\"");
    Some(file_answer("image/tiff", Some(disposition), file.tiff))
}

/// The fax in the stored file `name` as a PDF to download; `None` if its pages are gone.
pub(super) async fn pdf(site: &Site, name: String, pages: u32, id: i64) -> Option<Response> {
    let turn = Arc::clone(&site.drawing).acquire_owned().await.ok()?;
    let store = site.store().clone();
    let written = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let file = stored(&store, &name, pages)?;
        let written = render::to_pdf(&file, &format!("fax {id}"));
        written.map_err(|error| tracing::error!(%error, "a PDF could not be made"))
    });
    let pdf = written.await.ok()?.ok()?;
    let disposition = format!("attachment; filename=\"fax-{id}.pdf\"");
    Some(file_answer("application/pdf", Some(disposition), pdf))
}

fn stored(store: &Store, name: &str, pages: u32) -> Result<FaxFile, ()> {
    let tiff = Arc::clone(store.blobs()).get(name);
    let tiff = tiff.map_err(|error| tracing::error!(%error, "stored pages could not be read"))?;
    Ok(FaxFile { tiff, pages })
}

fn file_answer(kind: &'static str, disposition: Option<String>, bytes: Vec<u8>) -> Response {
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    let mut response = (StatusCode::OK, headers, bytes).into_response();
    if let Some(value) = disposition.and_then(|text| text.try_into().ok()) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, value);
    }
    response.extensions_mut().insert(Told);
    response
}
