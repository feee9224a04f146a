//! `/lists/<name>`: one list, its members 200 at a time.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use serde::Deserialize;

use super::change as change_list;
use super::edited;
use super::own;
use super::path_of;
use super::told;
use super::words;
use super::words::Words;
use super::written;
use crate::account::contact_lists;
use crate::account::contact_lists::Refused;
use crate::config::Contact;
use crate::config::list_file;
use crate::config::list_file::RowProblem;
use crate::fax::CountryCode;
use crate::fax::Destination;
use crate::fax::NumberError;
use crate::storage::lists;
use crate::storage::lists::ContactRow;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::shown::Number;
use crate::web::visitor::Visitor;

/// Members on one page.
const PAGE: i64 = 200;
/// No list has as many members; what the URL says may be any number.
const LAST: i64 = 1_000_000;

/// What the URL says.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Place {
    /// Members before the first one that is shown.
    #[serde(default)]
    from: i64,
    /// The member that is being changed.
    edit: Option<i64>,
    /// What an import came to.
    added: Option<u32>,
    duplicates: Option<u32>,
    skipped: Option<u32>,
}

#[derive(Template)]
#[template(path = "lists_one.html")]
struct ListPage {
    f: Frame,
    t: &'static Words,
    csrf: String,
    name: String,
    path: String,
    address: String,
    /// Whether it was made here.
    own: bool,
    total: i64,
    rows: Vec<Row>,
    at: Place,
    /// The first and the last one shown, from 1.
    first: i64,
    last: i64,
    form: Form,
}

struct Row {
    position: i64,
    number: Number,
    name: String,
}

/// The form below the list: of a new member, or of the one that is being changed.
#[derive(Default)]
struct Form {
    number: String,
    name: String,
    /// What is wrong with the number, or with both.
    error: Option<&'static str>,
    name_error: Option<&'static str>,
}

impl ListPage {
    fn previous(&self) -> Option<i64> {
        (self.at.from > 0).then(|| (self.at.from - PAGE).max(0))
    }

    fn next(&self) -> Option<i64> {
        (self.last < self.total).then_some(self.last)
    }
}

/// `GET /lists/<name>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(at): Query<Place>,
) -> Response {
    let form = match at.edit {
        Some(position) => match member(&site, &visitor, &name, position) {
            Ok(row) => Form {
                number: typed(&row.destination, &site.config.gateway.country),
                name: row.name,
                ..Form::default()
            },
            Err(trouble) => return *trouble,
        },
        None => Form::default(),
    };
    page_of(&site, &visitor, &name, at, form)
}

/// `POST /lists/<name>/members`
pub(super) async fn add(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Extension(client): Extension<Client>,
    post: Post,
) -> Response {
    keep(&site, client, &name, None, post).await
}

/// `POST /lists/<name>/members/<position>`
pub(super) async fn change(
    State(site): State<Arc<Site>>,
    Path((name, position)): Path<(String, String)>,
    Extension(client): Extension<Client>,
    post: Post,
) -> Response {
    // Nobody stands at a place that is no number.
    let position = position.parse().unwrap_or(-1);
    keep(&site, client, &name, Some(position), post).await
}

/// `POST /lists/<name>/remove`
pub(super) async fn remove(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    if let Err(trouble) = edited(&site, &visitor, &name) {
        return *trouble;
    }
    let positions = fields.all("member");
    let positions: Vec<i64> = positions.iter().filter_map(|p| p.parse().ok()).collect();
    let from: i64 = fields.text("from").parse().unwrap_or_default();
    let path = path_of(&name);
    let removed = change_list(&site, &visitor, client, move |tx, ids, by| {
        contact_lists::remove(tx, ids, &name, &positions, by)
    });
    match removed.await {
        Ok(Ok(())) => Redirect::to(&format!("{path}?from={from}")).into_response(),
        Ok(Err(_)) => visitor.trouble(&site, Tab::Lists, Trouble::NotFound),
        Err(trouble) => *trouble,
    }
}

/// Adds the member that a form brings, or changes the one at `position` to it.
async fn keep(
    site: &Site,
    client: Client,
    name: &str,
    position: Option<i64>,
    Post { visitor, fields }: Post,
) -> Response {
    if let Err(trouble) = edited(site, &visitor, name) {
        return *trouble;
    }
    let at = Place {
        from: fields.text("from").parse().unwrap_or_default(),
        edit: position,
        ..Place::default()
    };
    let form = Form {
        number: fields.text("number"),
        name: fields.text("name"),
        ..Form::default()
    };
    let t = words::of(visitor.frame(site, Tab::Lists).language);
    let contact = list_file::member(&form.number, &form.name, &site.config.gateway.country);
    let contact = match contact {
        Ok(contact) => contact,
        Err(RowProblem::Name) => {
            let name_error = Some(t.e_contact_name);
            return page_of(site, &visitor, name, at, Form { name_error, ..form });
        }
        Err(problem) => {
            let error = Some(problem_told(&problem, t));
            return page_of(site, &visitor, name, at, Form { error, ..form });
        }
    };
    let list = name.to_owned();
    let kept = change_list(site, &visitor, client, move |tx, ids, by| {
        let contact: &Contact = &contact;
        match position {
            Some(position) => contact_lists::change(tx, ids, &list, (position, contact), by),
            None => contact_lists::add(tx, ids, &list, contact, by),
        }
    });
    match kept.await {
        Ok(Ok(())) => Redirect::to(&format!("{}?from={}", path_of(name), at.from)).into_response(),
        Ok(Err(Refused::Gone)) => visitor.trouble(site, Tab::Lists, Trouble::NotFound),
        Ok(Err(refused)) => {
            let error = Some(told(refused, t));
            page_of(site, &visitor, name, at, Form { error, ..form })
        }
        Err(trouble) => *trouble,
    }
}

fn page_of(site: &Site, visitor: &Visitor, name: &str, at: Place, form: Form) -> Response {
    let at = Place {
        from: at.from.clamp(0, LAST),
        ..at
    };
    let listed = match listed(site, visitor, name, at.from) {
        Ok(listed) => listed,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(site, Tab::Lists);
    let row = |row: ContactRow| Row {
        position: row.position,
        number: Number::of(&row.destination),
        name: row.name,
    };
    let rows: Vec<Row> = listed.rows.into_iter().map(row).collect();
    let shown = i64::try_from(rows.len()).unwrap_or_default();
    let status = match form.error.or(form.name_error) {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = ListPage {
        t: words::of(f.language),
        f,
        csrf: site.sessions.csrf(&visitor.cookie),
        path: path_of(&listed.name),
        address: super::address_of(site, &listed.name),
        name: listed.name,
        own: listed.own,
        total: listed.total,
        rows,
        first: at.from + 1,
        last: at.from + shown,
        at,
        form,
    };
    page::answer(status, &page)
}

/// A list as its page shows it.
struct Listed {
    name: String,
    own: bool,
    total: i64,
    rows: Vec<ContactRow>,
}

/// The list of this name: that of the accounts file goes first.
fn listed(site: &Site, visitor: &Visitor, name: &str, from: i64) -> Result<Listed, Box<Response>> {
    if let Some(list) = written(site, visitor).list(name) {
        let skipped = usize::try_from(from).unwrap_or_default();
        let most = usize::try_from(PAGE).unwrap_or_default();
        let members = list.members.iter().skip(skipped).take(most);
        let row = |member: &Contact| ContactRow {
            position: 0,
            destination: member.destination.canonical(),
            name: member.name.clone(),
        };
        return Ok(Listed {
            name: list.name.clone(),
            own: false,
            total: i64::try_from(list.members.len()).unwrap_or(i64::MAX),
            rows: members.map(row).collect(),
        });
    }
    let list = own(site, visitor, name)?;
    let rows = site
        .store()
        .read_here(|tx| lists::page(tx, list.id, from, PAGE));
    Ok(Listed {
        rows: visitor.found(site, Tab::Lists, rows.map(Some))?,
        name: list.name,
        own: true,
        total: list.members,
    })
}

fn member(
    site: &Site,
    visitor: &Visitor,
    name: &str,
    position: i64,
) -> Result<ContactRow, Box<Response>> {
    let list = edited(site, visitor, name)?;
    let row = site
        .store()
        .read_here(|tx| lists::contact(tx, list.id, position));
    visitor.found(site, Tab::Lists, row)
}

/// A destination as one types it: of this country in its own form, of others after `+`.
pub(super) fn typed(canonical: &str, country: &CountryCode) -> String {
    let Some(Destination::Number(number)) = Destination::from_canonical(canonical) else {
        return canonical.to_owned();
    };
    let national = number.national();
    let same = Destination::parse(&national, country).is_ok_and(|d| d.canonical() == canonical);
    match same {
        true => national,
        false => format!("+{}", number.digits()),
    }
}

/// What is wrong with a row, in words.
pub(super) fn problem_told(problem: &RowProblem, t: &Words) -> &'static str {
    match problem {
        RowProblem::Number(NumberError::Characters) => t.e_number_characters,
        RowProblem::Number(NumberError::TooShort) => t.e_number_short,
        RowProblem::Number(NumberError::TooLong) => t.e_number_long,
        RowProblem::Number(NumberError::UnknownCountry) => t.e_number_country,
        RowProblem::Name => t.e_contact_name,
        RowProblem::TooMany => t.e_too_many,
        RowProblem::NoCsv => t.e_no_csv,
        RowProblem::Encoding => t.e_encoding,
    }
}
