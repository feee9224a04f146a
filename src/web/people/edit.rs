//! User data and the e-mail address, as they are changed (row T5).

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::extract::State as Shared;
use axum::response::Response;

use crate::account::people;
use crate::account::person::Field;
use crate::account::person::Finding;
use crate::account::rights::Deed;
use crate::storage;
use crate::storage::people::PersonRow;
use crate::web::Site;
use crate::web::form::Fields;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::people::Case;
use crate::web::people::actor;
use crate::web::people::one;
use crate::web::people::one::Typed;
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

/// What the form brings; a field that it does not have stays as it is.
fn typed(mut data: PersonRow, fields: &Fields) -> PersonRow {
    for field in Field::ALL {
        if fields.has(field.as_str()) {
            field.set(&mut data, fields.text(field.as_str()));
        }
    }
    data
}
