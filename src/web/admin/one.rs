//! `/admin/accounts/<id>`: an account as it is in force, key by key, and where each value comes from.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::account::credential;
use crate::account::overlay::Changed;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::config::Effective;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::accounts::locked;
use crate::web::admin::configuration::Row;
use crate::web::admin::configuration::explain;
use crate::web::admin::words::Words;
use crate::web::error::Trouble;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "admin_account.html")]
struct AccountPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    id: String,
    /// File and line of its table.
    written: String,
    is_current: bool,
    locked: Option<String>,
    rows: Vec<Row>,
}

/// `GET /admin/accounts/<id>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let Room { f, w, menu, .. } = match Room::enter(&site, &visitor, Place::Accounts) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let directory = site.accounts.load_full();
    let (Some(in_force), Some(written)) = (directory.by_id(&id), directory.as_written(&id)) else {
        return visitor.trouble(&site, Tab::Admin, Trouble::NotFound);
    };
    let (asked, read) = (Arc::clone(&site), Arc::clone(written));
    let explained = explain(move || read.explained(&asked.operations.config_file, &asked.config));
    let (hashed, stored_id) = (Arc::clone(in_force), id.clone());
    let stored = site.store().read(move |tx| {
        let locks = accounts::locks(tx, &stored_id)?;
        Ok((locks, stored_here(tx, &hashed)?))
    });
    let found = match (explained.await, stored.await) {
        (Ok(explained), Ok(stored)) => Ok(Some((explained, stored))),
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    let (explained, (locks, stored)) = match visitor.found(&site, Tab::Admin, found) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let is_current = explained.is_current;
    let mut rows = rows(explained, in_force, w);
    mark_changed(&mut rows, &site, directory.changed(&id), w);
    for row in rows.iter_mut().filter(|row| stored.contains(&row.key)) {
        row.origin = w.here.to_owned();
        row.is_odd = true;
    }
    let page = AccountPage {
        written: format!(
            "{}:{}",
            written.written.file.display(),
            written.written.line
        ),
        is_current,
        locked: locked(&site, &locks, w),
        rows,
        id,
        f,
        w,
        menu,
    };
    page::answer(StatusCode::OK, &page)
}

/// The kinds of passwords that were changed here, so that the file's is not the one in force.
fn stored_here(tx: &mut dyn Transaction, account: &Account) -> Result<Vec<String>, StorageError> {
    let mut stored = Vec::new();
    for kind in CredentialKind::ALL {
        let in_force = credential::in_force(tx, account, kind)?;
        if in_force.is_some() && in_force.as_deref() != account.hash(kind) {
            stored.push(kind.as_str().to_owned());
        }
    }
    Ok(stored)
}

/// What the file says, with the values that are in force.
fn rows(explained: Effective, in_force: &Account, w: &Words) -> Vec<Row> {
    let mut texts = in_force.texts();
    let mut rows = Vec::new();
    for setting in explained.settings {
        let at = texts.iter().position(|(key, _)| *key == setting.key);
        let value = at.map(|at| texts.remove(at).1);
        let mut row = Row::of(setting, w);
        if let Some(value) = value.filter(|value| *value != row.value) {
            let written = row.value.unwrap_or_else(|| w.none.to_owned());
            row.origin = format!("{} ({} {written})", w.here, w.instead_of);
            row.is_odd = true;
            row.value = value;
        }
        rows.push(row);
    }
    // Lists that were made here.
    rows.extend(texts.into_iter().map(|(key, value)| Row {
        key,
        value,
        origin: w.here.to_owned(),
        is_odd: true,
    }));
    rows
}

/// Says who changed what in the account web, and when.
fn mark_changed(rows: &mut [Row], site: &Site, changed: &[Changed], w: &Words) {
    for change in changed {
        let key = change.key.as_str();
        let under = format!("{key}.");
        let own = rows.iter_mut();
        for row in own.filter(|row| row.key == key || row.key.starts_with(&under)) {
            if !row.origin.starts_with(w.here) {
                row.origin = w.here.to_owned();
                row.is_odd = true;
            }
            let at = site.moment(change.at).shown;
            row.origin += &format!(", {at} {} {}", w.here_by, change.by);
        }
    }
}
