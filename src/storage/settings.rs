//! What people changed in the account web: values beside those of the accounts file.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A value that somebody changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    /// Whose.
    pub account: String,
    /// Which.
    pub key: String,
    /// JSON.
    pub value: String,
    /// SHA-256 of what the accounts file said.
    pub replaces: [u8; 32],
    /// When it was changed.
    pub changed_at: Timestamp,
    /// Who changed it: an account's id.
    pub changed_by: String,
}

/// Everything that was changed, the oldest change first.
///
/// # Errors
/// [`StorageError`].
pub fn all(tx: &mut dyn Transaction) -> Result<Vec<SettingRow>, StorageError> {
    let rows = tx.query(
        "SELECT account, key, value, replaces, changed_at, changed_by FROM setting
         ORDER BY changed_at, account, key",
        &[],
    )?;
    rows.iter().map(row_of).collect()
}

/// What was changed of `account` under `key`.
///
/// # Errors
/// [`StorageError`].
pub fn one(
    tx: &mut dyn Transaction,
    account: &str,
    key: &str,
) -> Result<Option<SettingRow>, StorageError> {
    let row = tx.first(
        "SELECT account, key, value, replaces, changed_at, changed_by FROM setting
         WHERE account = ?1 AND key = ?2",
        &[account.into(), key.into()],
    )?;
    row.as_ref().map(row_of).transpose()
}

/// Keeps a value in the place of the one before.
///
/// # Errors
/// [`StorageError`].
pub fn set(tx: &mut dyn Transaction, row: &SettingRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO setting(account, key, value, replaces, changed_at, changed_by)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(account, key) DO UPDATE
         SET value = ?3, replaces = ?4, changed_at = ?5, changed_by = ?6",
        &[
            (&row.account).into(),
            (&row.key).into(),
            (&row.value).into(),
            row.replaces.as_slice().into(),
            row.changed_at.into(),
            (&row.changed_by).into(),
        ],
    )?;
    Ok(())
}

/// Forgets a value: the one of the accounts file is in force again.
///
/// # Errors
/// [`StorageError`].
pub fn clear(tx: &mut dyn Transaction, account: &str, key: &str) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM setting WHERE account = ?1 AND key = ?2",
        &[account.into(), key.into()],
    )?;
    Ok(())
}

fn row_of(row: &Row) -> Result<SettingRow, StorageError> {
    let replaces = row
        .optional_bytes(3)
        .and_then(|bytes| bytes.try_into().ok());
    Ok(SettingRow {
        account: row.text(0).to_owned(),
        key: row.text(1).to_owned(),
        value: row.text(2).to_owned(),
        replaces: replaces.ok_or_else(|| StorageError::Damaged("setting.replaces".to_owned()))?,
        changed_at: Timestamp::from_ms(row.integer(4)),
        changed_by: row.text(5).to_owned(),
    })
}
