//! `/people/<id>` and `/people/me`: one user.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::account::people::LONGEST_REASON;
use crate::account::person::Field;
use crate::account::rights::Deed;
use crate::account::rights::Helper;
use crate::config::Account;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::storage::people;
use crate::storage::people::PersonRow;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::people::Case;
use crate::web::people::audit;
use crate::web::people::is_allowed;
use crate::web::people::path_of;
use crate::web::people::standing::Standing;
use crate::web::people::standing::State;
use crate::web::people::words;
use crate::web::people::words::Remark;
use crate::web::people::words::Words;
use crate::web::visitor::Visitor;

/// Logins that one sees of oneself.
const LOGINS: usize = 20;

/// What the last form did, as it stands in the URL.
#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "people_one.html")]
struct OnePage {
    f: Frame,
    w: &'static Words,
    path: String,
    csrf: String,
    title: String,
    account: Arc<Account>,
    role: &'static str,
    company: String,
    state: State,
    is_own: bool,
    fields: Vec<Shown>,
    /// Whether the fields may be edited.
    edits: bool,
    email: Mail,
    /// Whether the password was typed lately enough for what follows.
    is_fresh: bool,
    access: Access,
    audit: Option<String>,
    done: Option<&'static str>,
    /// Which form was refused.
    refused: Option<&'static str>,
    logins: Vec<Login>,
    longest_reason: usize,
}

/// A field of the user data.
struct Shown {
    name: &'static str,
    label: &'static str,
    value: String,
    autocomplete: &'static str,
    remark: Option<Remark>,
}

/// The e-mail address.
struct Mail {
    value: String,
    edits: bool,
    /// The visitor is the help desk on its own page.
    asks_operator: bool,
    remark: Option<Remark>,
}

/// What may be done to the access of somebody else.
struct Access {
    unlock: bool,
    lock: bool,
    reset: bool,
    /// Whom the user asks.
    ask: &'static str,
    /// The help desk looks at somebody whose reset it does not start.
    is_not_ours: bool,
    reason: String,
    remark: Option<Remark>,
}

struct Login {
    at: Moment,
    peer: String,
}

/// What a form brought that was not done.
#[derive(Default)]
pub(super) struct Typed {
    /// The user data.
    pub(super) data: Option<PersonRow>,
    /// The e-mail address, and what is wrong with it.
    pub(super) email: Option<(String, Remark)>,
    /// The reason for an act, and what is wrong with it.
    pub(super) reason: Option<(String, Remark)>,
}

/// All that storage knows for the page.
struct Known {
    data: PersonRow,
    standing: Standing,
    logins: Vec<EventRow>,
}

fn known(
    tx: &mut dyn Transaction,
    account: &Account,
    (own, now): (bool, Timestamp),
) -> Result<Known, StorageError> {
    Ok(Known {
        data: people::person(tx, &account.id)?,
        standing: Standing::read(tx, account, now)?,
        logins: match own {
            true => events::logins(tx, &account.id, LOGINS)?,
            false => Vec::new(),
        },
    })
}

/// `GET /people/me`
pub(super) async fn show_own(
    Shared(site): Shared<Arc<Site>>,
    visitor: Visitor,
    Query(Done { done }): Query<Done>,
) -> Response {
    let case = Case::own(&visitor);
    respond(&site, &visitor, case, &done, Typed::default()).await
}

/// `GET /people/<id>`
pub(super) async fn show(
    Shared(site): Shared<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Done { done }): Query<Done>,
) -> Response {
    match Case::of(&site, &visitor, &id, Deed::See) {
        Ok(case) => respond(&site, &visitor, case, &done, Typed::default()).await,
        Err(trouble) => *trouble,
    }
}

/// The page; with what was `typed` where a form was refused (status 422).
pub(super) async fn respond(
    site: &Arc<Site>,
    visitor: &Visitor,
    case: Case,
    done: &str,
    typed: Typed,
) -> Response {
    let subject = Arc::clone(&case.subject);
    let (own, now) = (subject.id == visitor.account.id, site.now());
    let found = site.store().read(move |tx| known(tx, &subject, (own, now)));
    let found = visitor.found(site, case.tab(visitor), found.await.map(Some));
    match found {
        Ok(known) => {
            let page = one_page(site, visitor, case, (known, typed), done);
            let status = match page.refused {
                Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
                None => StatusCode::OK,
            };
            page::answer(status, &page)
        }
        Err(trouble) => *trouble,
    }
}

fn one_page(
    site: &Site,
    visitor: &Visitor,
    case: Case,
    (known, typed): (Known, Typed),
    done: &str,
) -> OnePage {
    let f = visitor.frame(site, case.tab(visitor));
    let w = words::of(f.language);
    let Case { subject, path } = case;
    let is = |deed| is_allowed(visitor, deed, &subject);
    let is_own = subject.id == visitor.account.id;
    let refused = refused(&typed, w);
    let data = typed.data.as_ref().unwrap_or(&known.data);
    let title = match known.data.name.is_empty() {
        true => subject.login_id.clone(),
        false => known.data.name.clone(),
    };
    OnePage {
        csrf: site.sessions.csrf(&visitor.cookie),
        title: if is_own {
            w.own_title.to_owned()
        } else {
            title
        },
        role: words::role(subject.role, w),
        company: subject.company.clone().unwrap_or_default(),
        state: known.standing.shown(site, w, site.now()),
        fields: fields(data, site, w),
        edits: is(Deed::EditPerson),
        email: mail(&subject, is(Deed::EditEmail), (is_own, typed.email)),
        is_fresh: visitor.is_fresh(site, &path, false).is_ok(),
        access: access(site, &subject, &is, (typed.reason, is_own), w),
        audit: is(Deed::ReadAudit).then(|| format!("{}/audit", path_of(&subject.id))),
        done: words::done(done, w).filter(|_| refused.is_none()),
        refused,
        logins: logins(site, &known.logins),
        longest_reason: LONGEST_REASON,
        account: subject,
        is_own,
        path,
        w,
        f,
    }
}

fn refused(typed: &Typed, w: &Words) -> Option<&'static str> {
    if typed.reason.is_some() {
        return Some(w.not_done);
    }
    (typed.data.is_some() || typed.email.is_some()).then_some(w.not_saved)
}

fn fields(data: &PersonRow, site: &Site, w: &Words) -> Vec<Shown> {
    let country = &site.config.gateway.country;
    let shown = |field: Field| {
        let value = field.of(data);
        let finding = field.check(value, country);
        Shown {
            name: field.as_str(),
            label: words::label(field, w),
            value: value.to_owned(),
            autocomplete: autocomplete(field),
            remark: finding.map(|finding| Remark::of(finding, w)),
        }
    };
    Field::ALL.into_iter().map(shown).collect()
}

/// What browsers may fill in (WCAG 2.2, 1.3.5): on the own page only, the template sees to that.
fn autocomplete(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Postcode => "postal-code",
        Field::Address => "street-address",
        Field::Phone => "tel",
        Field::Kana | Field::EnglishName | Field::Department | Field::Fax => "off",
    }
}

fn mail(subject: &Account, edits: bool, (own, typed): (bool, Option<(String, Remark)>)) -> Mail {
    let registered = subject.email.as_ref();
    let (value, remark) = match typed {
        Some((value, remark)) => (value, Some(remark)),
        None => (
            registered.map_or_else(String::new, ToString::to_string),
            None,
        ),
    };
    Mail {
        value,
        edits,
        asks_operator: own && !edits,
        remark,
    }
}

fn access(
    site: &Site,
    subject: &Account,
    is: &impl Fn(Deed) -> bool,
    (typed, is_own): (Option<(String, Remark)>, bool),
    w: &Words,
) -> Access {
    let reset = is(Deed::StartReset);
    let (reason, remark) = match typed {
        Some((reason, remark)) => (reason, Some(remark)),
        None => (String::new(), None),
    };
    Access {
        unlock: is(Deed::Unlock),
        lock: is(Deed::Lock),
        reset,
        ask: words::helper(Helper::of(subject, &site.accounts.load()), w),
        is_not_ours: !reset && !is_own,
        reason,
        remark,
    }
}

fn logins(site: &Site, events: &[EventRow]) -> Vec<Login> {
    let login = |event: &EventRow| Login {
        at: site.moment(event.at),
        peer: audit::fact(event, "peer"),
    };
    events.iter().map(login).collect()
}
