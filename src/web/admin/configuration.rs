//! `/admin/configuration`: the main file as it is in force, and the line of each key.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::config::Effective;
use crate::config::Origin;
use crate::config::Setting;
use crate::storage::StorageError;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "admin_configuration.html")]
struct ConfigurationPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    file: String,
    is_current: bool,
    rows: Vec<Row>,
}

/// A key as a page shows it.
pub(super) struct Row {
    pub(super) key: String,
    /// `None`: it is not set.
    pub(super) value: Option<String>,
    /// Where it comes from, in words and with the line.
    pub(super) origin: String,
    /// Whether that is worth a look.
    pub(super) is_odd: bool,
}

impl Row {
    /// `setting` in the words of `w`.
    pub(super) fn of(setting: Setting, w: &Words) -> Self {
        let (origin, is_odd) = match &setting.origin {
            Origin::Default => (w.default.to_owned(), false),
            Origin::Written(spot) => (format!("{}:{}", spot.file.display(), spot.line), false),
            Origin::Differs(spot) => {
                let at = format!("{} {}:{}", w.differs, spot.file.display(), spot.line);
                (at, true)
            }
            Origin::Gone => (w.gone.to_owned(), true),
        };
        Self {
            key: setting.key,
            value: setting.value,
            origin,
            is_odd,
        }
    }
}

/// `GET /admin/configuration`
pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let Room { f, w, menu, .. } = match Room::enter(&site, &visitor, Place::Configuration) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let file = site.operations.config_file.clone();
    let asked = Arc::clone(&site);
    let explained = explain(move || asked.config.explained(&asked.operations.config_file));
    let effective = match visitor.found(&site, Tab::Admin, explained.await.map(Some)) {
        Ok(effective) => effective,
        Err(trouble) => return *trouble,
    };
    let rows = effective.settings.into_iter();
    let page = ConfigurationPage {
        file: file.display().to_string(),
        is_current: effective.is_current,
        rows: rows.map(|setting| Row::of(setting, w)).collect(),
        f,
        w,
        menu,
    };
    page::answer(StatusCode::OK, &page)
}

/// Reads files away from the event loop.
pub(super) async fn explain(
    explain: impl FnOnce() -> Effective + Send + 'static,
) -> Result<Effective, StorageError> {
    let explained = tokio::task::spawn_blocking(explain);
    explained.await.map_err(|_| StorageError::Stopped)
}
