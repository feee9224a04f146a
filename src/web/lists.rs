//! `/lists`: contact lists. Those of the accounts file are shown; those made here are edited.
//!
//! * `members` - one list, its members page by page
//! * `exchange`, `upload` - CSV in and out

mod exchange;
mod members;
mod upload;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;

use crate::account::contact_lists;
use crate::account::contact_lists::By;
use crate::account::contact_lists::Outcome;
use crate::account::contact_lists::Refused;
use crate::config::Account;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::lists;
use crate::storage::lists::ListRow;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;
use words::Words;

#[derive(Template)]
#[template(path = "lists.html")]
struct ListsPage {
    f: Frame,
    t: &'static Words,
    csrf: String,
    lists: Vec<Entry>,
    name: String,
    error: Option<&'static str>,
}

/// A list in the overview.
struct Entry {
    path: String,
    name: String,
    address: String,
    members: usize,
    /// `None` for one of the accounts file.
    changed: Option<Moment>,
    /// One of the accounts file has its name.
    hidden: bool,
}

#[derive(Template)]
#[template(path = "lists_delete.html")]
struct DeletePage {
    f: Frame,
    t: &'static Words,
    csrf: String,
    name: String,
    path: String,
    members: i64,
}

/// The pages of contact lists.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/lists", get(overview).post(create))
        .route("/lists/{name}", get(members::show))
        .route("/lists/{name}/members", post(members::add))
        .route("/lists/{name}/members/{position}", post(members::change))
        .route("/lists/{name}/remove", post(members::remove))
        .route("/lists/{name}/delete", get(ask_to_delete).post(delete))
        .route("/lists/{name}/export.csv", get(exchange::export))
        .merge(exchange::routes())
}

/// `GET /lists`
async fn overview(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    shown(&site, &visitor, (String::new(), None))
}

/// `POST /lists`
async fn create(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    let name = fields.text("name");
    let (typed, written) = (name.clone(), written(&site, &visitor));
    let made = change(&site, &visitor, client, move |tx, ids, by| {
        contact_lists::create(tx, ids, &written, &typed, by)
    });
    match made.await {
        Ok(Ok(())) => Redirect::to(&path_of(&name)).into_response(),
        Ok(Err(refused)) => {
            let t = words::of(visitor.frame(&site, Tab::Lists).language);
            shown(&site, &visitor, (name, Some(told(refused, t))))
        }
        Err(trouble) => *trouble,
    }
}

/// The overview, with what was typed for a new list and what is wrong with it.
fn shown(site: &Site, visitor: &Visitor, new: (String, Option<&'static str>)) -> Response {
    let account = &visitor.account.id;
    let own = site.store().read_here(|tx| lists::of_account(tx, account));
    let own = match visitor.found(site, Tab::Lists, own.map(Some)) {
        Ok(own) => own,
        Err(trouble) => return *trouble,
    };
    let written = written(site, visitor);
    let of_file = written.lists.iter().map(|list| Entry {
        path: path_of(&list.name),
        name: list.name.clone(),
        address: address_of(site, &list.name),
        members: list.members.len(),
        changed: None,
        hidden: false,
    });
    let own = own.into_iter().map(|row| Entry {
        path: path_of(&row.name),
        address: address_of(site, &row.name),
        members: usize::try_from(row.members).unwrap_or_default(),
        changed: Some(site.moment(row.changed_at)),
        hidden: written.list(&row.name).is_some(),
        name: row.name,
    });
    let f = visitor.frame(site, Tab::Lists);
    let (name, error) = new;
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = ListsPage {
        t: words::of(f.language),
        f,
        csrf: site.sessions.csrf(&visitor.cookie),
        lists: of_file.chain(own).collect(),
        name,
        error,
    };
    page::answer(status, &page)
}

/// `GET /lists/<name>/delete`
async fn ask_to_delete(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Response {
    let list = match own(&site, &visitor, &name) {
        Ok(list) => list,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(&site, Tab::Lists);
    let page = DeletePage {
        t: words::of(f.language),
        f,
        csrf: site.sessions.csrf(&visitor.cookie),
        path: path_of(&list.name),
        name: list.name,
        members: list.members,
    };
    page::answer(StatusCode::OK, &page)
}

/// `POST /lists/<name>/delete`
async fn delete(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Extension(client): Extension<Client>,
    Post { visitor, .. }: Post,
) -> Response {
    let deleted = change(&site, &visitor, client, move |tx, ids, by| {
        contact_lists::delete(tx, ids, &name, by)
    });
    match deleted.await {
        Ok(Ok(())) => Redirect::to("/lists").into_response(),
        Ok(Err(_)) => visitor.trouble(&site, Tab::Lists, Trouble::NotFound),
        Err(trouble) => *trouble,
    }
}

/// Runs `body` for who asks; when this returns, every door sees what it changed.
async fn change<T, F>(
    site: &Site,
    visitor: &Visitor,
    client: Client,
    mut body: F,
) -> Result<Result<T, Refused>, Box<Response>>
where
    T: Send + 'static,
    F: FnMut(&mut dyn Transaction, &Ids, By<'_>) -> Outcome<T> + Send + 'static,
{
    let (store, now) = (site.store().clone(), site.now());
    let (account, peer) = (visitor.account.id.clone(), client.address.to_string());
    let changed = site.in_force.change(move |tx| {
        let by = By {
            account: &account,
            by: &account,
            peer: &peer,
            now,
        };
        body(tx, store.ids(), by)
    });
    visitor.found(site, Tab::Lists, changed.await.map(Some))
}

/// The list of this name that was made here, and is edited here; no other is found.
fn own(site: &Site, visitor: &Visitor, name: &str) -> Result<ListRow, Box<Response>> {
    let account = &visitor.account.id;
    let found: Result<_, StorageError> =
        site.store().read_here(|tx| lists::named(tx, account, name));
    visitor.found(site, Tab::Lists, found)
}

/// The same, unless the accounts file has taken its name: then its page shows that of the file, and nobody edits unseen.
fn edited(site: &Site, visitor: &Visitor, name: &str) -> Result<ListRow, Box<Response>> {
    match written(site, visitor).list(name) {
        Some(_) => Err(Box::new(visitor.trouble(
            site,
            Tab::Lists,
            Trouble::NotFound,
        ))),
        None => own(site, visitor, name),
    }
}

/// The visitor's account as its file says.
fn written(site: &Site, visitor: &Visitor) -> Arc<Account> {
    let directory = site.accounts.load();
    let written = directory.as_written(&visitor.account.id);
    Arc::clone(written.unwrap_or(&visitor.account))
}

fn address_of(site: &Site, name: &str) -> String {
    let domain = site.config.gateway.list_domains.first();
    domain.map_or_else(String::new, |domain| format!("{name}@{domain}"))
}

/// `/lists/<name>`, its name as RFC 3986 section 2.1 writes it.
fn path_of(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let one = |byte: u8| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    let name: String = name.bytes().map(one).collect();
    format!("/lists/{name}")
}

fn told(refused: Refused, t: &Words) -> &'static str {
    match refused {
        Refused::Name => t.e_name,
        Refused::Taken => t.e_taken,
        Refused::TooManyLists => t.e_lists,
        Refused::TooManyMembers => t.e_members,
        Refused::Duplicate => t.e_duplicate,
        Refused::Gone => t.e_gone,
    }
}
