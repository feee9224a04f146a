//! Resets of forgotten passwords as stored: without what their mails carry.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A reset that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetRow {
    /// Identifier.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// The kind of password that it replaces, in the word that storage keeps.
    pub kind: String,
    /// Whether the mail carries a temporary password; else a link.
    pub temporary: bool,
    /// What that is derived from, under the installation key.
    pub nonce: [u8; 32],
    /// Keyed hash of what the mail carries.
    pub name: [u8; 32],
    /// Names the password that it replaces, or made: with another one in force it is over.
    pub binding: [u8; 32],
    /// Who gets the mail.
    pub recipient: String,
    /// Who asked: the account itself, another account, or `command`.
    pub asked_by: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How often it may be used.
    pub uses: u32,
    /// How often it was used.
    pub used: u32,
    /// Wrong answers to what the page behind the link asks.
    pub tries: u32,
}

const COLUMNS: &str = "id, account, kind, temporary, nonce, name, binding, recipient, asked_by, asked_at, ends_at, \
                       uses, used, tries";

/// Stores a reset.
///
/// # Errors
/// [`StorageError`].
pub fn add(tx: &mut dyn Transaction, reset: &ResetRow) -> Result<(), StorageError> {
    let sql = format!(
        "INSERT INTO password_reset({COLUMNS}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    );
    tx.execute(
        &sql,
        &[
            reset.id.into(),
            (&reset.account).into(),
            (&reset.kind).into(),
            reset.temporary.into(),
            reset.nonce.as_slice().into(),
            reset.name.as_slice().into(),
            reset.binding.as_slice().into(),
            (&reset.recipient).into(),
            (&reset.asked_by).into(),
            reset.asked_at.into(),
            reset.ends_at.into(),
            reset.uses.into(),
            reset.used.into(),
            reset.tries.into(),
        ],
    )?;
    Ok(())
}

/// The reset with this identifier.
///
/// # Errors
/// [`StorageError`].
pub fn one(tx: &mut dyn Transaction, id: i64) -> Result<Option<ResetRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM password_reset WHERE id = ?1");
    let row = tx.first(&sql, &[id.into()])?;
    row.as_ref().map(reset_row).transpose()
}

/// The reset whose mail carries what has this name.
///
/// # Errors
/// [`StorageError`].
pub fn named(tx: &mut dyn Transaction, name: &[u8; 32]) -> Result<Option<ResetRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM password_reset WHERE name = ?1");
    let row = tx.first(&sql, &[name.as_slice().into()])?;
    row.as_ref().map(reset_row).transpose()
}

/// The resets of this account by a temporary password that are bound to `binding`.
///
/// # Errors
/// [`StorageError`].
pub fn temporary(
    tx: &mut dyn Transaction,
    account: &str,
    binding: &[u8; 32],
) -> Result<Vec<ResetRow>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM password_reset WHERE account = ?1 AND temporary = 1 AND binding = ?2"
    );
    let rows = tx.query(&sql, &[account.into(), binding.as_slice().into()])?;
    rows.iter().map(reset_row).collect()
}

/// How many resets of this account `asked_by` has asked for after `since` that nobody has used.
///
/// # Errors
/// [`StorageError`].
pub fn asked_since(
    tx: &mut dyn Transaction,
    account: &str,
    asked_by: &str,
    since: Timestamp,
) -> Result<i64, StorageError> {
    let row = tx.first(
        "SELECT COUNT(*) FROM password_reset
         WHERE account = ?1 AND asked_by = ?2 AND asked_at > ?3 AND used = 0",
        &[account.into(), asked_by.into(), since.into()],
    )?;
    Ok(row.map_or(0, |row| row.integer(0)))
}

/// A wrong answer to what the page behind the link asks.
///
/// # Errors
/// [`StorageError`].
pub fn tried(tx: &mut dyn Transaction, id: i64) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE password_reset SET tries = tries + 1 WHERE id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

/// It was used, and is bound from now on to the password that it made.
///
/// # Errors
/// [`StorageError`].
pub fn used(tx: &mut dyn Transaction, id: i64, binding: &[u8; 32]) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE password_reset SET used = used + 1, binding = ?2 WHERE id = ?1",
        &[id.into(), binding.as_slice().into()],
    )?;
    Ok(())
}

/// Resets of this account that were not used are bound to another password from now on: what `before` named ended by
/// itself.
///
/// # Errors
/// [`StorageError`].
pub fn rebind(
    tx: &mut dyn Transaction,
    account: &str,
    before: &[u8; 32],
    after: &[u8; 32],
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE password_reset SET binding = ?3 WHERE account = ?1 AND binding = ?2 AND used = 0",
        &[
            account.into(),
            before.as_slice().into(),
            after.as_slice().into(),
        ],
    )?;
    Ok(())
}

/// Forgets the temporary passwords of this account that were used and are no password any more.
///
/// # Errors
/// [`StorageError`].
pub fn forget_replaced(
    tx: &mut dyn Transaction,
    account: &str,
    binding: &[u8; 32],
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM password_reset WHERE account = ?1 AND temporary = 1 AND used > 0 AND binding <> ?2",
        &[account.into(), binding.as_slice().into()],
    )?;
    Ok(())
}

/// Forgets resets that ended before `since`. A temporary password that was used stays: that it has ended must
/// be known as long as nobody has replaced it.
///
/// # Errors
/// [`StorageError`].
pub fn forget(tx: &mut dyn Transaction, since: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM password_reset WHERE ends_at < ?1 AND (temporary = 0 OR used = 0)",
        &[since.into()],
    )?;
    Ok(())
}

fn reset_row(row: &Row) -> Result<ResetRow, StorageError> {
    let bytes = |column| {
        let bytes = row
            .optional_bytes(column)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| StorageError::Damaged("password_reset".to_owned()))
    };
    let number = |column| u32::try_from(row.integer(column)).unwrap_or(u32::MAX);
    Ok(ResetRow {
        id: row.integer(0),
        account: row.text(1).to_owned(),
        kind: row.text(2).to_owned(),
        temporary: row.integer(3) != 0,
        nonce: bytes(4)?,
        name: bytes(5)?,
        binding: bytes(6)?,
        recipient: row.text(7).to_owned(),
        asked_by: row.text(8).to_owned(),
        asked_at: Timestamp::from_ms(row.integer(9)),
        ends_at: Timestamp::from_ms(row.integer(10)),
        uses: number(11),
        used: number(12),
        tries: number(13),
    })
}
