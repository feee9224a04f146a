//! `/people`: the search for users.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::account::directory::Directory;
use crate::account::fold::fold;
use crate::account::rights::Deed;
use crate::account::rights::Helper;
use crate::account::rights::Party;
use crate::account::rights::may;
use crate::config::Account;
use crate::config::Role;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::people;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::people::LISTED_FOR;
use crate::web::people::path_of;
use crate::web::people::standing::Standing;
use crate::web::people::standing::State;
use crate::web::people::words;
use crate::web::people::words::Words;
use crate::web::visitor::Visitor;

/// Users on one page.
const PAGE: usize = 50;

/// The filters, as they stand in the URL.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    q: String,
    /// Anything: only those that are locked.
    #[serde(default)]
    locked: String,
    /// Behind the account of this id.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "people_list.html")]
struct ListPage {
    f: Frame,
    w: &'static Words,
    q: Filters,
    /// Nothing is listed before something is looked for.
    asks_for_term: bool,
    rows: Vec<Row>,
    /// The id of the last one, if there are more behind it.
    next: Option<String>,
}

struct Row {
    path: String,
    login_id: String,
    name: String,
    company: String,
    role: &'static str,
    state: State,
    /// Whom a locked one asks.
    ask: &'static str,
}

/// What is looked for.
struct Search {
    directory: Arc<Directory>,
    visitor: Arc<Account>,
    /// Folded.
    part: String,
    only_locked: bool,
    after: String,
    now: Timestamp,
}

/// Somebody found.
struct Found {
    account: Arc<Account>,
    name: String,
    standing: Standing,
}

impl Search {
    /// Those that fit, by their ids, one more than a page has.
    fn run(&self, tx: &mut dyn Transaction) -> Result<Vec<Found>, StorageError> {
        let named: BTreeSet<String> = match self.part.is_empty() {
            true => BTreeSet::new(),
            false => people::named_like(tx, &self.part)?.into_iter().collect(),
        };
        let locked: Option<BTreeSet<String>> = match self.only_locked {
            true => {
                let locks = accounts::locked(tx, self.now, usize::MAX)?.into_iter();
                Some(locks.map(|(account, ..)| account).collect())
            }
            false => None,
        };
        let fits = |account: &&Arc<Account>| {
            account.id > self.after
                && locked.as_ref().is_none_or(|ids| ids.contains(&account.id))
                && may(Party::of(&self.visitor), Deed::See, Party::of(account))
                && (named.contains(&account.id) || self.is_in(account))
        };
        let mut fitting: Vec<&Arc<Account>> = self.directory.iter().filter(fits).collect();
        fitting.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let page = fitting.into_iter().take(PAGE + 1);
        page.map(|account| {
            Ok(Found {
                name: people::person(tx, &account.id)?.name,
                standing: Standing::read(tx, account, self.now)?,
                account: Arc::clone(account),
            })
        })
        .collect()
    }

    fn is_in(&self, account: &Account) -> bool {
        if self.part.is_empty() {
            return true;
        }
        let email = account.email.as_ref().map_or("", |email| email.as_str());
        let texts = [&account.login_id, &account.id, email];
        texts
            .into_iter()
            .any(|text| fold(text).contains(&self.part))
    }
}

/// `GET /people`
pub(super) async fn show(
    Shared(site): Shared<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    if let Err(trouble) = visitor.is_one_of(&site, Tab::People, &LISTED_FOR) {
        return *trouble;
    }
    let f = visitor.frame(&site, Tab::People);
    let part = fold(&q.q);
    let mut page = ListPage {
        w: words::of(f.language),
        f,
        asks_for_term: visitor.account.role == Role::HelpDesk && is_too_short(&part),
        rows: Vec::new(),
        next: None,
        q,
    };
    if page.asks_for_term {
        return page::answer(StatusCode::OK, &page);
    }
    let search = Search {
        directory: site.accounts.load_full(),
        visitor: Arc::clone(&visitor.account),
        part,
        only_locked: !page.q.locked.is_empty(),
        after: page.q.after.clone(),
        now: site.now(),
    };
    let (directory, now) = (Arc::clone(&search.directory), search.now);
    // Held by the search itself: it goes on when the browser hangs up.
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let found = site.store().read(move |tx| {
        let _turn = turn;
        search.run(tx)
    });
    let mut found = match visitor.found(&site, Tab::People, found.await.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().map(|found| found.account.id.clone());
    page.next = last.filter(|_| more);
    let rows = found.into_iter();
    page.rows = rows
        .map(|found| row(&site, found, &directory, (page.w, now)))
        .collect();
    page::answer(StatusCode::OK, &page)
}

/// The help desk finds people, it does not list them: one letter of the alphabet is no search. One Chinese
/// character may be a whole name.
fn is_too_short(part: &str) -> bool {
    part.is_empty() || (part.is_ascii() && part.len() < 2)
}

fn row(site: &Site, found: Found, directory: &Directory, (w, now): (&Words, Timestamp)) -> Row {
    let account = &found.account;
    let state = found.standing.shown(site, w, now);
    Row {
        path: path_of(&account.id),
        login_id: account.login_id.clone(),
        name: found.name,
        company: account.company.clone().unwrap_or_default(),
        role: words::role(account.role, w),
        ask: match state.is_locked {
            true => words::helper(Helper::of(account, directory), w),
            false => "",
        },
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_is_no_search_and_one_character_of_a_name_is() {
        for (part, too_short) in [("", true), ("a", true), ("ta", false), ("林", false)] {
            assert_eq!(is_too_short(part), too_short, "{part}");
        }
    }
}
