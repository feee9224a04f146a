//! `/lists/<name>/import`, `/lists/<name>/export.csv`: lists as CSV.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::change;
use super::edited;
use super::members;
use super::own;
use super::path_of;
use super::told;
use super::upload::Upload;
use super::words;
use super::words::Words;
use super::written;
use crate::account::contact_lists;
use crate::account::contact_lists::Refused;
use crate::config::Contact;
use crate::config::Language;
use crate::config::list_file;
use crate::config::list_file::Charset;
use crate::config::list_file::RowProblem;
use crate::config::list_file::Rows;
use crate::storage::lists;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// The largest file: 20,000 members with long names.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Rows that are read at most: duplicates among them are dropped, members are counted afterwards.
const MOST_ROWS: usize = 100_000;
/// Bad rows that a page names.
const MOST_TOLD: usize = 200;

#[derive(Template)]
#[template(path = "lists_import.html")]
struct ImportPage {
    f: Frame,
    t: &'static Words,
    csrf: String,
    name: String,
    path: String,
    replaces: bool,
    pasted: String,
    error: Option<&'static str>,
    bad: Vec<BadRow>,
    /// How many bad rows are not named.
    more: usize,
}

struct BadRow {
    /// From 1; 0 is the whole.
    line: u64,
    problem: &'static str,
}

/// What a form of an import asks for.
#[derive(Default)]
struct Asked {
    replaces: bool,
    pasted: String,
}

/// The page of an import takes more than other forms.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/lists/{name}/import", get(form).post(import))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// `GET /lists/<name>/import`
async fn form(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Response {
    match edited(&site, &visitor, &name) {
        Ok(list) => {
            let asked = Asked::default();
            shown(&site, &visitor, &list.name, asked, (None, &[]))
        }
        Err(trouble) => *trouble,
    }
}

/// `POST /lists/<name>/import`: `file` or `text`; `mode` is `append` or `replace`; `skip_bad`.
async fn import(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Extension(client): Extension<Client>,
    Upload { post, file }: Upload,
) -> Response {
    let Post { visitor, fields } = post;
    let name = match edited(&site, &visitor, &name) {
        Ok(list) => list.name,
        Err(trouble) => return *trouble,
    };
    let asked = Asked {
        replaces: fields.text("mode") == "replace",
        pasted: fields.text("text"),
    };
    let t = words::of(visitor.frame(&site, Tab::Lists).language);
    let bytes = match file.is_empty() {
        true => asked.pasted.clone().into_bytes(),
        false => file,
    };
    let country = site.config.gateway.country.clone();
    let rows =
        tokio::task::spawn_blocking(move || list_file::rows(&bytes, &country, MOST_ROWS)).await;
    let Ok(Rows { members, bad }) = rows else {
        return visitor.trouble(&site, Tab::Lists, Trouble::Unavailable);
    };
    if members.is_empty() && bad.is_empty() {
        return shown(&site, &visitor, &name, asked, (Some(t.e_nothing), &[]));
    }
    if members.is_empty() || (!bad.is_empty() && !fields.has("skip_bad")) {
        return shown(&site, &visitor, &name, asked, (Some(t.bad_title), &bad));
    }
    let (list, replaces, skipped) = (name.clone(), asked.replaces, bad.len());
    let contacts: Vec<Contact> = members.into_iter().map(|(_, member)| member).collect();
    let imported = change(&site, &visitor, client, move |tx, ids, by| {
        contact_lists::import(tx, ids, &list, (&contacts, replaces), by)
    });
    match imported.await {
        Ok(Ok(done)) => {
            let (added, duplicates) = (done.added, done.duplicates);
            let counts = format!("added={added}&duplicates={duplicates}&skipped={skipped}");
            Redirect::to(&format!("{}?{counts}", path_of(&name))).into_response()
        }
        Ok(Err(Refused::Gone)) => visitor.trouble(&site, Tab::Lists, Trouble::NotFound),
        Ok(Err(refused)) => {
            let error = Some(told(refused, t));
            shown(&site, &visitor, &name, asked, (error, &[]))
        }
        Err(trouble) => *trouble,
    }
}

fn shown(
    site: &Site,
    visitor: &Visitor,
    name: &str,
    asked: Asked,
    (error, bad): (Option<&'static str>, &[(u64, RowProblem)]),
) -> Response {
    let f = visitor.frame(site, Tab::Lists);
    let t = words::of(f.language);
    let row = |(line, problem): &(u64, RowProblem)| BadRow {
        line: *line,
        problem: members::problem_told(problem, t),
    };
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = ImportPage {
        t,
        f,
        csrf: site.sessions.csrf(&visitor.cookie),
        name: name.to_owned(),
        path: path_of(name),
        replaces: asked.replaces,
        pasted: asked.pasted,
        error,
        bad: bad.iter().take(MOST_TOLD).map(row).collect(),
        more: bad.len().saturating_sub(MOST_TOLD),
    };
    page::answer(status, &page)
}

/// What the URL of an export says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    charset: String,
}

/// `GET /lists/<name>/export.csv`, in UTF-8 or with `?charset=shift_jis`.
pub(super) async fn export(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let (name, rows) = match all(&site, &visitor, &name) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let (charset, kind) = match wanted.charset.to_ascii_lowercase().as_str() {
        "shift_jis" | "shift-jis" | "sjis" => (Charset::ShiftJis, "text/csv; charset=Shift_JIS"),
        _ => (Charset::Utf8, "text/csv; charset=utf-8"),
    };
    let columns = match visitor.frame(&site, Tab::Lists).language {
        Language::En => ["number", "name"],
        Language::Ja => ["FAX番号", "名前"],
    };
    let country = site.config.gateway.country.clone();
    // 20,000 numbers take a while to be written as people write them.
    let written = tokio::task::spawn_blocking(move || {
        let typed = |(number, name): (String, String)| (members::typed(&number, &country), name);
        let rows: Vec<(String, String)> = rows.into_iter().map(typed).collect();
        let rows = rows
            .iter()
            .map(|(number, name)| (number.as_str(), name.as_str()));
        list_file::write(rows, columns, charset)
    });
    let Ok(bytes) = written.await else {
        return visitor.trouble(&site, Tab::Lists, Trouble::Unavailable);
    };
    // RFC 6266: the name in any script, percent-encoded.
    let file = path_of(&name);
    let file = file.trim_start_matches("/lists/");
    let disposition = format!("attachment; filename=\"list.csv\"; filename*=UTF-8''{file}.csv");
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}

/// The name of a list, and its members: canonical numbers with names.
type Whole = (String, Vec<(String, String)>);

/// The list of this name with all its members.
fn all(site: &Site, visitor: &Visitor, name: &str) -> Result<Whole, Box<Response>> {
    if let Some(list) = written(site, visitor).list(name) {
        let member = |member: &Contact| (member.destination.canonical(), member.name.clone());
        return Ok((list.name.clone(), list.members.iter().map(member).collect()));
    }
    let list = own(site, visitor, name)?;
    let rows = site.store().read_here(|tx| lists::members(tx, list.id));
    let rows = visitor.found(site, Tab::Lists, rows.map(Some))?;
    let rows = rows.into_iter().map(|row| (row.destination, row.name));
    Ok((list.name, rows.collect()))
}
