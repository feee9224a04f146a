//! Contact lists that people make in the account web: their rules, over all that changes them.

use std::collections::HashSet;

use crate::account::overlay;
use crate::config::Account;
use crate::config::Contact;
use crate::config::ContactList;
use crate::config::MAX_MEMBERS;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::lists;
use crate::storage::lists::ContactRow;
use crate::storage::lists::ListRow;
use crate::time::Timestamp;

/// Most lists that an account makes.
pub const MOST_LISTS: usize = 100;
/// Most members of all lists that an account makes.
pub const MOST_MEMBERS_IN_ALL: usize = 200_000;

/// Why a list was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// This cannot be the name of a list.
    Name,
    /// A list of the account has this name.
    Taken,
    /// The account has [`MOST_LISTS`] lists.
    TooManyLists,
    /// A list has at most 20,000 members, and all lists together [`MOST_MEMBERS_IN_ALL`].
    TooManyMembers,
    /// Another member has this destination.
    Duplicate,
    /// There is no such list or member, or no longer.
    Gone,
}

/// What a change came to: refused by us, or by storage.
pub type Outcome<T> = Result<Result<T, Refused>, StorageError>;

/// Who changes what, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Whose lists.
    pub account: &'a str,
    /// Who changes them: an account's id.
    pub by: &'a str,
    /// The client's address.
    pub peer: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What an import changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Members that were added.
    pub added: usize,
    /// Rows whose destination was there already, in the list or in an earlier row.
    pub duplicates: usize,
}

/// Makes a list without members; `written` is the account as its file says, whose lists go first.
///
/// # Errors
/// [`StorageError`].
pub fn create(
    tx: &mut dyn Transaction,
    ids: &Ids,
    written: &Account,
    name: &str,
    by: By<'_>,
) -> Outcome<()> {
    // A path of dots alone is none for a browser.
    if !ContactList::is_name(name) || name.chars().all(|c| c == '.') {
        return Ok(Err(Refused::Name));
    }
    if written.list(name).is_some() {
        return Ok(Err(Refused::Taken));
    }
    if lists::of_account(tx, by.account)?.len() >= MOST_LISTS {
        return Ok(Err(Refused::TooManyLists));
    }
    if !lists::create(tx, ids.next(by.now), by.account, name, by.now)? {
        return Ok(Err(Refused::Taken));
    }
    act(tx, ids, name, by).map(Ok)
}

/// Deletes a list.
///
/// # Errors
/// [`StorageError`].
pub fn delete(tx: &mut dyn Transaction, ids: &Ids, name: &str, by: By<'_>) -> Outcome<()> {
    let Some(list) = lists::named(tx, by.account, name)? else {
        return Ok(Err(Refused::Gone));
    };
    lists::delete(tx, list.id)?;
    act(tx, ids, &list.name, by).map(Ok)
}

/// Adds a member.
///
/// # Errors
/// [`StorageError`].
pub fn add(
    tx: &mut dyn Transaction,
    ids: &Ids,
    name: &str,
    contact: &Contact,
    by: By<'_>,
) -> Outcome<()> {
    let Some(list) = lists::named(tx, by.account, name)? else {
        return Ok(Err(Refused::Gone));
    };
    if !has_room(tx, by.account, &list, 1)? {
        return Ok(Err(Refused::TooManyMembers));
    }
    let destination = contact.destination.canonical();
    if !lists::add(tx, list.id, &destination, &contact.name)? {
        return Ok(Err(Refused::Duplicate));
    }
    touch(tx, ids, &list, by).map(Ok)
}

/// Changes the member at `position`.
///
/// # Errors
/// [`StorageError`].
pub fn change(
    tx: &mut dyn Transaction,
    ids: &Ids,
    name: &str,
    (position, contact): (i64, &Contact),
    by: By<'_>,
) -> Outcome<()> {
    let Some(list) = lists::named(tx, by.account, name)? else {
        return Ok(Err(Refused::Gone));
    };
    let row = ContactRow {
        position,
        destination: contact.destination.canonical(),
        name: contact.name.clone(),
    };
    if !lists::change(tx, list.id, &row)? {
        let is_there = lists::contact(tx, list.id, position)?.is_some();
        return Ok(Err(match is_there {
            true => Refused::Duplicate,
            false => Refused::Gone,
        }));
    }
    touch(tx, ids, &list, by).map(Ok)
}

/// Removes the members at `positions`.
///
/// # Errors
/// [`StorageError`].
pub fn remove(
    tx: &mut dyn Transaction,
    ids: &Ids,
    name: &str,
    positions: &[i64],
    by: By<'_>,
) -> Outcome<()> {
    let Some(list) = lists::named(tx, by.account, name)? else {
        return Ok(Err(Refused::Gone));
    };
    for position in positions {
        lists::remove(tx, list.id, *position)?;
    }
    touch(tx, ids, &list, by).map(Ok)
}

/// Adds `contacts` behind the members, or in their place. A destination is in a list once: later ones are dropped.
///
/// # Errors
/// [`StorageError`].
pub fn import(
    tx: &mut dyn Transaction,
    ids: &Ids,
    name: &str,
    (contacts, replaces): (&[Contact], bool),
    by: By<'_>,
) -> Outcome<Imported> {
    let Some(list) = lists::named(tx, by.account, name)? else {
        return Ok(Err(Refused::Gone));
    };
    let mut seen = HashSet::new();
    if !replaces {
        let members = lists::members(tx, list.id)?;
        seen.extend(members.into_iter().map(|member| member.destination));
    }
    let mut fresh = Vec::with_capacity(contacts.len());
    for contact in contacts {
        let destination = contact.destination.canonical();
        if seen.insert(destination.clone()) {
            fresh.push((destination, contact.name.as_str()));
        }
    }
    let kept = ListRow {
        members: if replaces { 0 } else { list.members },
        ..list.clone()
    };
    // Judged before the first row is written: what is refused changes nothing.
    if !has_room(tx, by.account, &kept, fresh.len())? {
        return Ok(Err(Refused::TooManyMembers));
    }
    if replaces {
        lists::clear(tx, list.id)?;
    }
    for (destination, name) in &fresh {
        lists::add(tx, list.id, destination, name)?;
    }
    touch(tx, ids, &list, by)?;
    Ok(Ok(Imported {
        added: fresh.len(),
        duplicates: contacts.len() - fresh.len(),
    }))
}

/// Whether so many `further` members fit into `list`, and into all lists of the account.
fn has_room(
    tx: &mut dyn Transaction,
    account: &str,
    list: &ListRow,
    further: usize,
) -> Result<bool, StorageError> {
    let count = |members: i64| usize::try_from(members).unwrap_or_default();
    let all = lists::of_account(tx, account)?;
    let others = all.iter().filter(|other| other.id != list.id);
    let others: usize = others.map(|other| count(other.members)).sum();
    let own = count(list.members) + further;
    Ok(own <= MAX_MEMBERS && others + own <= MOST_MEMBERS_IN_ALL)
}

fn touch(
    tx: &mut dyn Transaction,
    ids: &Ids,
    list: &ListRow,
    by: By<'_>,
) -> Result<(), StorageError> {
    lists::touch(tx, list.id, by.now)?;
    act(tx, ids, &list.name, by)
}

fn act(tx: &mut dyn Transaction, ids: &Ids, list: &str, by: By<'_>) -> Result<(), StorageError> {
    let what = format!("list {list}");
    overlay::act(tx, ids, (by.account, &what), (by.by, by.peer), by.now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::CountryCode;
    use crate::fax::Destination;
    use crate::storage::Store;
    use crate::storage::tests::scratch;

    const BY: By<'_> = By {
        account: "tanaka",
        by: "tanaka",
        peer: "192.0.2.1",
        now: Timestamp::from_ms(1_795_339_800_000),
    };

    fn contact(typed: &str) -> Contact {
        Contact {
            destination: Destination::parse(typed, &CountryCode::JAPAN).unwrap(),
            name: typed.to_owned(),
        }
    }

    async fn with_list() -> (tempfile::TempDir, Store) {
        let (dir, store) = scratch();
        let made = store.write(|tx| lists::create(tx, 2, "tanaka", "shops", BY.now));
        assert!(made.await.unwrap());
        (dir, store)
    }

    async fn run<T: Send + 'static>(
        store: &Store,
        body: impl Fn(&mut dyn Transaction, &Ids) -> Outcome<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let own = store.clone();
        store.write(move |tx| body(tx, own.ids())).await.unwrap()
    }

    fn members(store: &Store) -> Vec<(i64, String)> {
        let rows = store.read_here(|tx| lists::members(tx, 2)).unwrap();
        rows.into_iter()
            .map(|row| (row.position, row.destination))
            .collect()
    }

    #[tokio::test]
    async fn a_destination_is_in_a_list_once_however_it_is_written() {
        let (_dir, store) = with_list().await;
        let of = |typed: &'static str| {
            run(&store, move |tx, ids| {
                add(tx, ids, "Shops", &contact(typed), BY)
            })
        };
        assert_eq!(of("03-1111-2222").await, Ok(()));
        assert_eq!(of("+81 3 1111 2222").await, Err(Refused::Duplicate));
        assert_eq!(of("03-1111-3333").await, Ok(()));
        let moved = run(&store, |tx, ids| {
            change(tx, ids, "shops", (2, &contact("0081311112222")), BY)
        });
        assert_eq!(moved.await, Err(Refused::Duplicate));
        let gone = run(&store, |tx, ids| {
            change(tx, ids, "shops", (9, &contact("03-1111-4444")), BY)
        });
        assert_eq!(gone.await, Err(Refused::Gone));
        let renamed = run(&store, |tx, ids| {
            change(tx, ids, "shops", (1, &contact("03 1111 2222")), BY)
        });
        assert_eq!(renamed.await, Ok(()));
        let removed = run(&store, |tx, ids| remove(tx, ids, "shops", &[1, 7], BY));
        assert_eq!(removed.await, Ok(()));
        assert_eq!(members(&store), [(2, "0081311113333".to_owned())]);
    }

    #[tokio::test]
    async fn an_import_appends_or_replaces_and_drops_duplicates() {
        let (_dir, store) = with_list().await;
        let import = |typed: &'static [&'static str], replaces: bool| {
            run(&store, move |tx, ids| {
                let contacts: Vec<Contact> = typed.iter().map(|typed| contact(typed)).collect();
                import(tx, ids, "shops", (&contacts, replaces), BY)
            })
        };
        let counts = |added, duplicates| Ok(Imported { added, duplicates });
        let first = import(&["03-1111-0001", "+81311110001", "03-1111-0002"], false);
        assert_eq!(first.await, counts(2, 1));
        let second = import(&["03-1111-0002", "03-1111-0003"], false);
        assert_eq!(second.await, counts(1, 1));
        assert_eq!(members(&store).len(), 3);
        assert_eq!(import(&["03-1111-0002"], true).await, counts(1, 0));
        assert_eq!(members(&store), [(1, "0081311110002".to_owned())]);
    }

    #[tokio::test]
    async fn more_than_20000_members_change_nothing() {
        let (_dir, store) = with_list().await;
        let contacts: Vec<Contact> = (0..20_000)
            .map(|n| contact(&format!("00813{:08}", 10_000_000 + n)))
            .collect();
        let full = run(&store, move |tx, ids| {
            import(tx, ids, "shops", (&contacts, true), BY)
        });
        assert_eq!(full.await.map(|imported| imported.added), Ok(20_000));
        let more = run(&store, |tx, ids| {
            import(tx, ids, "shops", (&[contact("06-1111-2222")], false), BY)
        });
        assert_eq!(more.await, Err(Refused::TooManyMembers));
        let one = run(&store, |tx, ids| {
            add(tx, ids, "shops", &contact("06-1111-2222"), BY)
        });
        assert_eq!(one.await, Err(Refused::TooManyMembers));
        assert_eq!(members(&store).len(), 20_000);
    }
}
