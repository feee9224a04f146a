//! Since when passwords are in use, and when their owners were told that they are old (row I2).

use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A password and its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Names the password.
    pub version: [u8; 32],
    /// When it was changed here, else when it was first seen.
    pub since: Timestamp,
    /// When its owner was last told; the epoch: not yet.
    pub reminded_at: Timestamp,
}

/// What is known of the password of this kind.
///
/// # Errors
/// [`StorageError`].
pub fn one(
    tx: &mut dyn Transaction,
    account: &str,
    kind: &str,
) -> Result<Option<Age>, StorageError> {
    let row = tx.first(
        "SELECT version, since, reminded_at FROM password_age WHERE account = ?1 AND kind = ?2",
        &[account.into(), kind.into()],
    )?;
    let Some(row) = row else { return Ok(None) };
    let version = row
        .optional_bytes(0)
        .and_then(|bytes| bytes.try_into().ok());
    Ok(Some(Age {
        version: version.ok_or_else(|| StorageError::Damaged("password_age".to_owned()))?,
        since: Timestamp::from_ms(row.integer(1)),
        reminded_at: Timestamp::from_ms(row.integer(2)),
    }))
}

/// Keeps what is known of the password of this kind.
///
/// # Errors
/// [`StorageError`].
pub fn set(
    tx: &mut dyn Transaction,
    account: &str,
    kind: &str,
    age: &Age,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO password_age(account, kind, version, since, reminded_at) VALUES(?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(account, kind) DO UPDATE SET version = ?3, since = ?4, reminded_at = ?5",
        &[
            account.into(),
            kind.into(),
            age.version.as_slice().into(),
            age.since.into(),
            age.reminded_at.into(),
        ],
    )?;
    Ok(())
}
