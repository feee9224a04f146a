//! `/admin/accounts`: all accounts in force, searched and turned over by the URL.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::account::directory::Directory;
use crate::config::Account;
use crate::config::Role;
use crate::lock::Locks;
use crate::storage::StorageError;
use crate::storage::accounts;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Accounts on one page.
const PAGE: usize = 50;

/// The filters, as they stand in the URL.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filters {
    /// Part of an ID, a login ID, an address or a number.
    #[serde(default)]
    q: String,
    /// Behind this ID.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "admin_accounts.html")]
struct AccountsPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    q: Filters,
    rows: Vec<Row>,
    /// The last one, if there are more behind it.
    next: Option<String>,
}

struct Row {
    id: String,
    login_id: String,
    role: &'static str,
    profile: String,
    /// `None`: it is not locked.
    locked: Option<String>,
    changed: usize,
}

/// `GET /admin/accounts`
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    let Room { f, w, menu, .. } = match Room::enter(&site, &visitor, Place::Accounts) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let directory = site.accounts.load_full();
    let (asked, found) = (q.clone(), Arc::clone(&directory));
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let found = site.store().read(move |tx| {
        let _turn = turn;
        let found = search(&found, &asked).into_iter();
        let with_locks = found.map(|account| {
            let locks = accounts::locks(tx, &account.id)?;
            Ok((account, locks))
        });
        with_locks.collect::<Result<Vec<_>, StorageError>>()
    });
    let mut found = match visitor.found(&site, Tab::Admin, found.await.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().map(|(account, _)| account.id.clone());
    let row = |(account, locks): (Arc<Account>, Locks)| Row {
        role: role(account.role, w),
        profile: account.profile.name.clone(),
        locked: locked(&site, &locks, w),
        changed: directory.changed(&account.id).len(),
        id: account.id.clone(),
        login_id: account.login_id.clone(),
    };
    let page = AccountsPage {
        rows: found.into_iter().map(row).collect(),
        next: last.filter(|_| more),
        f,
        w,
        menu,
        q,
    };
    page::answer(StatusCode::OK, &page)
}

/// One page of those that fit and one more, in the order of their IDs.
fn search(directory: &Directory, asked: &Filters) -> Vec<Arc<Account>> {
    let wanted = asked.q.trim().to_lowercase();
    let digits: String = wanted.chars().filter(char::is_ascii_digit).collect();
    let is_number = digits.len() >= 3 && !wanted.chars().any(char::is_alphabetic);
    let digits = Some(digits.trim_start_matches('0')).filter(|_| is_number);
    let behind = directory.iter().filter(|account| account.id > asked.after);
    let mut found: Vec<&Arc<Account>> = behind
        .filter(|account| fits(account, &wanted, digits))
        .collect();
    if found.len() > PAGE {
        found.select_nth_unstable_by(PAGE, |a, b| a.id.cmp(&b.id));
        found.truncate(PAGE + 1);
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.into_iter().map(Arc::clone).collect()
}

fn fits(account: &Account, wanted: &str, digits: Option<&str>) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    let mut numbers = account.numbers.iter();
    let mut addresses = account.email.iter().chain(&account.forward_to);
    wanted.is_empty()
        || has(&account.id)
        || has(&account.login_id)
        || account.company.as_deref().is_some_and(has)
        || account
            .senders
            .iter()
            .any(|sender| has(&sender.to_string()))
        || addresses.any(|address| has(address.as_str()))
        || digits.is_some_and(|digits| numbers.any(|number| number.digits().contains(digits)))
}

/// The end of the account's lock in words, if one stands.
pub(super) fn locked(site: &Site, locks: &Locks, w: &Words) -> Option<String> {
    let now = site.now();
    let stands = [locks.everything, locks.unproven];
    let until = stands
        .into_iter()
        .filter(|strikes| strikes.is_locked(now))
        .filter_map(|strikes| strikes.locked_until)
        .max()?;
    Some(match crate::lock::ends_by_time(until) {
        true => format!("{} {}", w.locked, site.moment(until).shown),
        false => w.locked_until_reset.to_owned(),
    })
}

/// A role in words.
pub(super) fn role(role: Role, w: &Words) -> &'static str {
    match role {
        Role::Customer => w.role_customer,
        Role::CompanyAdmin => w.role_company_admin,
        Role::Operator => w.role_operator,
        Role::HelpDesk => w.role_help_desk,
    }
}
