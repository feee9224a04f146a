//! User data and the e-mail address, as they are changed (row T5).

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::extract::State as Shared;
use axum::response::Response;

use crate::account::people;
use crate::account::people::Subject;
use crate::account::person;
use crate::account::person::Field;
use crate::account::person::Finding;
use crate::account::person::Wrong;
use crate::account::rights::Deed;
use crate::smtp::Address;
use crate::storage;
use crate::storage::people::PersonRow;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Fields;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::people::Case;
use crate::web::people::actor;
use crate::web::people::is_allowed;
use crate::web::people::one;
use crate::web::people::one::Typed;
use crate::web::people::words;
use crate::web::people::words::Remark;
use crate::web::visitor::Visitor;

/// `POST /people/me`
pub(super) async fn save_own(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    let case = Case::own(&visitor);
    save_data(&site, client, &visitor, case, &fields).await
}

/// `POST /people/<id>`
pub(super) async fn save(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Post { visitor, fields }: Post,
) -> Response {
    match Case::of(&site, &visitor, &id, Deed::EditPerson) {
        Ok(case) => save_data(&site, client, &visitor, case, &fields).await,
        Err(trouble) => *trouble,
    }
}

async fn save_data(
    site: &Arc<Site>,
    client: Client,
    visitor: &Visitor,
    case: Case,
    fields: &Fields,
) -> Response {
    let id = case.subject.id.clone();
    let stored = site
        .store()
        .read(move |tx| storage::people::person(tx, &id));
    let before = match visitor.found(site, case.tab(visitor), stored.await.map(Some)) {
        Ok(before) => before,
        Err(trouble) => return *trouble,
    };
    let data = typed(before, fields);
    let country = &site.config.gateway.country;
    let is_wrong = |field: &Field| {
        matches!(
            field.check(field.of(&data), country),
            Some(Finding::Error(_))
        )
    };
    if Field::ALL.iter().any(is_wrong) {
        let typed = Typed {
            data: Some(data),
            ..Typed::default()
        };
        return one::respond(site, visitor, case, "", typed).await;
    }
    let by = actor(site, visitor, client);
    let id = case.subject.id.clone();
    let saved = people::save(site.store(), by, id, data, site.now()).await;
    match visitor.found(site, case.tab(visitor), saved.map(Some)) {
        Ok(()) => case.back("saved"),
        Err(trouble) => *trouble,
    }
}

/// `POST /people/me/email`
pub(super) async fn change_own_email(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    let case = Case::own(&visitor);
    if !is_allowed(&visitor, Deed::EditEmail, &case.subject) {
        return visitor.trouble(&site, case.tab(&visitor), Trouble::NotFound);
    }
    save_email(&site, client, &visitor, case, &fields).await
}

/// `POST /people/<id>/email`
pub(super) async fn change_email(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Post { visitor, fields }: Post,
) -> Response {
    match Case::of(&site, &visitor, &id, Deed::EditEmail) {
        Ok(case) => save_email(&site, client, &visitor, case, &fields).await,
        Err(trouble) => *trouble,
    }
}

async fn save_email(
    site: &Arc<Site>,
    client: Client,
    visitor: &Visitor,
    case: Case,
    fields: &Fields,
) -> Response {
    if let Err(response) = visitor.is_fresh(site, &case.path, true) {
        return *response;
    }
    let typed = fields.text("email");
    // A mail to one of our own domains would be a fax.
    let gateway = &site.config.gateway;
    let is_ours = |email: &Address| {
        let mut own = gateway.domains.iter().chain(&gateway.list_domains);
        own.any(|domain| domain == email.domain())
    };
    let email = person::email(&typed);
    let email = match email.and_then(|email| match is_ours(&email) {
        true => Err(Wrong::NoAddress),
        false => Ok(email),
    }) {
        Ok(email) => email,
        Err(wrong) => return refuse_email(site, visitor, case, (typed, wrong)).await,
    };
    let subject = &case.subject;
    if subject.email.as_ref() == Some(&email) {
        return case.back("same");
    }
    let written = site.accounts.load().as_written(&subject.id).cloned();
    let Some(written) = written else {
        return visitor.trouble(site, case.tab(visitor), Trouble::NotFound);
    };
    let (by, who) = (
        actor(site, visitor, client),
        (Subject::of(subject), written),
    );
    let (in_force, store) = (&site.in_force, site.store());
    let changed = people::change_email(in_force, store, by, who, email, site.now()).await;
    site.mail.notify_one();
    match visitor.found(site, case.tab(visitor), changed.map(Some)) {
        Ok(true) => case.back("email"),
        Ok(false) => case.back("email-too-many"),
        Err(trouble) => *trouble,
    }
}

async fn refuse_email(
    site: &Arc<Site>,
    visitor: &Visitor,
    case: Case,
    (typed, wrong): (String, Wrong),
) -> Response {
    let w = words::of(visitor.frame(site, case.tab(visitor)).language);
    let typed = Typed {
        email: Some((typed, Remark::wrong(wrong, w))),
        ..Typed::default()
    };
    one::respond(site, visitor, case, "", typed).await
}

/// What the form brings; a field that it does not have stays as it is.
fn typed(mut data: PersonRow, fields: &Fields) -> PersonRow {
    for field in Field::ALL {
        if fields.has(field.as_str()) {
            field.set(&mut data, fields.text(field.as_str()));
        }
    }
    data
}
