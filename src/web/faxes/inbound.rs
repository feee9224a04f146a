//! Received faxes: marked as read, mailed again, taken as a TIFF file.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::receive;
use crate::receive::Again;
use crate::storage::received as stored;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::faxes::action::not_done;
use crate::web::faxes::words;
use crate::web::form::Post;
use crate::web::page::Tab;
use crate::web::picture;
use crate::web::received;
use crate::web::visitor::Visitor;

/// `POST /received/<id>/read`: read, or unread with `read=no`.
pub(super) async fn mark(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, fields }: Post,
) -> Response {
    let (account, now) = (visitor.account.id.clone(), site.now());
    let read_at = (fields.text("read") != "no").then_some(now);
    let marked = site.store().write(move |tx| {
        let Some(row) = received::own_fax(tx, &account, &id)? else {
            return Ok(None);
        };
        stored::mark(tx, row.id, read_at)?;
        Ok(Some(row.id))
    });
    match visitor.found(&site, Tab::Received, marked.await) {
        Ok(id) => Redirect::to(&format!("/received/{id}")).into_response(),
        Err(trouble) => *trouble,
    }
}

/// `POST /received/<id>/forward`: once more to the registered addresses, as always held while the account is locked.
pub(super) async fn forward(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, .. }: Post,
) -> Response {
    let (account, now) = (Arc::clone(&visitor.account), site.now());
    let (host, store) = (site.config.gateway.name.clone(), site.store().clone());
    let written = site.store().write(move |tx| {
        let Some(row) = received::own_fax(tx, &account.id, &id)? else {
            return Ok(None);
        };
        let again = receive::forward_again(tx, &row, &account, (store.ids(), &host, now))?;
        Ok(Some((row.id, again)))
    });
    let (id, again) = match visitor.found(&site, Tab::Received, written.await) {
        Ok(written) => written,
        Err(trouble) => return *trouble,
    };
    let path = format!("/received/{id}");
    let w = words::of(visitor.frame(&site, Tab::Received).language);
    let text = match again {
        Again::Written => {
            site.mail.notify_one();
            return Redirect::to(&path).into_response();
        }
        Again::Gone => w.forward_gone,
        Again::Nowhere => w.forward_nowhere,
        Again::Waits => w.forward_waits,
    };
    let said = (w.not_done, text);
    not_done(
        &site,
        &visitor,
        Tab::Received,
        StatusCode::CONFLICT,
        said,
        path,
    )
}

/// `GET /received/<id>/fax.tiff`
pub(super) async fn tiff(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let row = match received::kept(&site, &visitor, id).await {
        Ok(row) => row,
        Err(trouble) => return *trouble,
    };
    let read = picture::tiff(&site, stored::pages_file(row.id), row.pages, row.id).await;
    read.unwrap_or_else(|| visitor.trouble(&site, Tab::Received, Trouble::NotFound))
}
