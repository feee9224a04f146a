//! What can be done with faxes beyond looking at them: export, send again, cancel, follow while they go on.
//!
//! * `export`, `turns` - the rows of a search as a file, in pages, so that memory stays bounded; a few at a time
//! * `action`, `batch` - send again and cancel, one fax or a whole submission
//! * `live`, `stream` - changes as they happen, by server-sent events
//! * `receipt`, `inbound` - the result as a PDF; received faxes read and forwarded again

mod action;
pub(super) mod batch;
mod export;
mod inbound;
mod live;
mod receipt;
mod stream;
mod turns;
pub(super) mod watch;
pub(super) mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum::routing::post;

use crate::storage::Store;
use crate::web::Site;
use turns::Turns;
use watch::Live;

/// What this area keeps while the gateway runs.
pub(super) struct Faxes {
    /// Who follows what.
    pub(super) live: Arc<Live>,
    exporting: Arc<Turns>,
}

impl Faxes {
    /// Nothing yet.
    pub(super) fn new(store: &Store) -> Self {
        Self {
            live: Arc::new(Live::new(store.clone())),
            exporting: Arc::default(),
        }
    }
}

/// The addresses of this area.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/sent/export.csv", get(export::csv))
        .route("/sent/export.jsonl", get(export::jsonl))
        .route("/sent/live", get(live::history))
        .route("/sent/{id}/live", get(live::job))
        .route("/sent/{id}/state", get(live::state))
        .route("/sent/{id}/resend", post(action::resend))
        .route("/sent/{id}/cancel", post(action::cancel))
        .route("/sent/{id}/result.pdf", get(receipt::pdf))
        .route("/batches/{id}", get(batch::show))
        .route("/batches/{id}/resend", post(batch::resend))
        .route("/batches/{id}/cancel", post(batch::cancel))
        .route("/received/{id}/forward", post(inbound::forward))
        .route("/received/{id}/read", post(inbound::mark))
        .route("/received/{id}/fax.tiff", get(inbound::tiff))
}
