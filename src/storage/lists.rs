//! Contact lists that people make in the account web.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A list without its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// Its identifier.
    pub id: i64,
    /// Whose.
    pub account: String,
    /// Its name, in the case in which it was typed.
    pub name: String,
    /// Counts up with every change.
    pub version: i64,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// How many members it has.
    pub members: i64,
}

/// A member of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRow {
    /// Its place in the order of sending; names it within its list.
    pub position: i64,
    /// Canonical destination.
    pub destination: String,
    /// Name; may be empty.
    pub name: String,
}

const LIST: &str = "SELECT id, account, name, version, changed_at,
    (SELECT COUNT(*) FROM contact WHERE contact.list = contact_list.id) FROM contact_list";

/// The state that a list is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Its identifier.
    pub id: i64,
    /// Whose.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Counts up with every change.
    pub version: i64,
}

/// The states of all lists of all accounts, by account and name. Members are not looked at.
///
/// # Errors
/// [`StorageError`].
pub fn versions(tx: &mut dyn Transaction) -> Result<Vec<VersionRow>, StorageError> {
    let rows = tx.query(
        "SELECT id, account, name, version FROM contact_list ORDER BY account, name_key",
        &[],
    )?;
    let version = |row: &Row| VersionRow {
        id: row.integer(0),
        account: row.text(1).to_owned(),
        name: row.text(2).to_owned(),
        version: row.integer(3),
    };
    Ok(rows.iter().map(version).collect())
}

/// The lists of an account, by name.
///
/// # Errors
/// [`StorageError`].
pub fn of_account(tx: &mut dyn Transaction, account: &str) -> Result<Vec<ListRow>, StorageError> {
    let sql = format!("{LIST} WHERE account = ?1 ORDER BY name_key");
    let rows = tx.query(&sql, &[account.into()])?;
    Ok(rows.iter().map(list_of).collect())
}

/// The list of an account that has this name, in any case.
///
/// # Errors
/// [`StorageError`].
pub fn named(
    tx: &mut dyn Transaction,
    account: &str,
    name: &str,
) -> Result<Option<ListRow>, StorageError> {
    let sql = format!("{LIST} WHERE account = ?1 AND name_key = ?2");
    let row = tx.first(&sql, &[account.into(), name.to_lowercase().into()])?;
    Ok(row.as_ref().map(list_of))
}

/// Makes a list without members; false if the account has one of this name.
///
/// # Errors
/// [`StorageError`].
pub fn create(
    tx: &mut dyn Transaction,
    id: i64,
    account: &str,
    name: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let made = tx.execute(
        "INSERT INTO contact_list(id, account, name, name_key, version, changed_at)
         VALUES(?1, ?2, ?3, ?4, 1, ?5) ON CONFLICT DO NOTHING",
        &[
            id.into(),
            account.into(),
            name.into(),
            name.to_lowercase().into(),
            now.into(),
        ],
    )?;
    Ok(made > 0)
}

/// Deletes a list with its members.
///
/// # Errors
/// [`StorageError`].
pub fn delete(tx: &mut dyn Transaction, id: i64) -> Result<(), StorageError> {
    clear(tx, id)?;
    tx.execute("DELETE FROM contact_list WHERE id = ?1", &[id.into()])?;
    Ok(())
}

/// Deletes all members of a list.
///
/// # Errors
/// [`StorageError`].
pub fn clear(tx: &mut dyn Transaction, id: i64) -> Result<(), StorageError> {
    tx.execute("DELETE FROM contact WHERE list = ?1", &[id.into()])?;
    Ok(())
}

/// Notes that a list was changed.
///
/// # Errors
/// [`StorageError`].
pub fn touch(tx: &mut dyn Transaction, id: i64, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE contact_list SET version = version + 1, changed_at = ?2 WHERE id = ?1",
        &[id.into(), now.into()],
    )?;
    Ok(())
}

/// Adds a member behind all others; false if its destination is in the list.
///
/// # Errors
/// [`StorageError`].
pub fn add(
    tx: &mut dyn Transaction,
    id: i64,
    destination: &str,
    name: &str,
) -> Result<bool, StorageError> {
    let added = tx.execute(
        "INSERT INTO contact(list, position, destination, name)
         SELECT ?1, COALESCE(MAX(position), 0) + 1, ?2, ?3 FROM contact WHERE list = ?1
         ON CONFLICT DO NOTHING",
        &[id.into(), destination.into(), name.into()],
    )?;
    Ok(added > 0)
}

/// Changes the member at `position`; false if its new destination is another member's, or nobody is there.
///
/// # Errors
/// [`StorageError`].
pub fn change(
    tx: &mut dyn Transaction,
    id: i64,
    contact: &ContactRow,
) -> Result<bool, StorageError> {
    let changed = tx.execute(
        "UPDATE contact SET destination = ?3, name = ?4 WHERE list = ?1 AND position = ?2
         AND NOT EXISTS (SELECT 1 FROM contact WHERE list = ?1 AND destination = ?3 AND position <> ?2)",
        &[
            id.into(),
            contact.position.into(),
            (&contact.destination).into(),
            (&contact.name).into(),
        ],
    )?;
    Ok(changed > 0)
}

/// Removes the member at `position`.
///
/// # Errors
/// [`StorageError`].
pub fn remove(tx: &mut dyn Transaction, id: i64, position: i64) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM contact WHERE list = ?1 AND position = ?2",
        &[id.into(), position.into()],
    )?;
    Ok(())
}

/// All members of a list, in the order of sending.
///
/// # Errors
/// [`StorageError`].
pub fn members(tx: &mut dyn Transaction, id: i64) -> Result<Vec<ContactRow>, StorageError> {
    page(tx, id, 0, i64::MAX)
}

/// At most `most` members of a list, without the first `skipped` ones.
///
/// # Errors
/// [`StorageError`].
pub fn page(
    tx: &mut dyn Transaction,
    id: i64,
    skipped: i64,
    most: i64,
) -> Result<Vec<ContactRow>, StorageError> {
    let rows = tx.query(
        "SELECT position, destination, name FROM contact WHERE list = ?1
         ORDER BY position LIMIT ?2 OFFSET ?3",
        &[id.into(), most.into(), skipped.into()],
    )?;
    Ok(rows.iter().map(contact_of).collect())
}

/// The member at `position`.
///
/// # Errors
/// [`StorageError`].
pub fn contact(
    tx: &mut dyn Transaction,
    id: i64,
    position: i64,
) -> Result<Option<ContactRow>, StorageError> {
    let row = tx.first(
        "SELECT position, destination, name FROM contact WHERE list = ?1 AND position = ?2",
        &[id.into(), position.into()],
    )?;
    Ok(row.as_ref().map(contact_of))
}

fn contact_of(row: &Row) -> ContactRow {
    ContactRow {
        position: row.integer(0),
        destination: row.text(1).to_owned(),
        name: row.text(2).to_owned(),
    }
}

fn list_of(row: &Row) -> ListRow {
    ListRow {
        id: row.integer(0),
        account: row.text(1).to_owned(),
        name: row.text(2).to_owned(),
        version: row.integer(3),
        changed_at: Timestamp::from_ms(row.integer(4)),
        members: row.integer(5),
    }
}
