//! Passwords that are stored in the place of those in the accounts file, and which are in force.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

use super::Stronger;
use super::keyed;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::config::ScramVerifier;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::accounts::StoredCredential;
use crate::storage::sessions;
use crate::time::Timestamp;

/// The passwords of an account that were in force at one moment.
#[derive(Clone)]
pub struct Passwords(BTreeMap<CredentialKind, Current>);

/// A password that is in force.
#[derive(Clone)]
pub struct Current {
    /// Argon2id in PHC form.
    pub hash: String,
    /// Names the password itself: the same for as long as it is, whatever its hash; another one after each change.
    pub version: [u8; 32],
    /// Whether it must be replaced before anything else is done with it (rows I1, W3).
    pub initial: bool,
    /// When it was changed here; `None` if it is the one that the accounts file has.
    pub changed_at: Option<Timestamp>,
    /// The kind under which it is kept: another one where a split has not parted them yet.
    kept_as: CredentialKind,
    /// As it is stored, or would be.
    row: StoredCredential,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords(…)")
    }
}

impl Passwords {
    /// Those of `account`: a stored one, if it replaces the one in the accounts file as that is now; else the
    /// latter; what a split will make of another, as long as it has not been changed on its own, is that one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn read(tx: &mut dyn Transaction, account: &Account) -> Result<Self, StorageError> {
        let rows = accounts::credentials(tx, &account.id)?;
        let rows = rows.into_iter().filter_map(|(kind, row)| {
            let kind = CredentialKind::of_word(&kind)?;
            Some((kind, row))
        });
        let rows = rows.collect();
        let all = CredentialKind::ALL.into_iter();
        let current = all.filter_map(|kind| Some((kind, current(account, &rows, kind)?)));
        Ok(Self(current.collect()))
    }

    /// The one of this kind; `None`: the account has no such password.
    pub fn of(&self, kind: CredentialKind) -> Option<&Current> {
        self.0.get(&kind)
    }

    /// Whether the one of this kind must be replaced before anything else is done with it.
    pub fn is_initial(&self, kind: CredentialKind) -> bool {
        self.of(kind).is_some_and(|current| current.initial)
    }

    /// Names the password of this kind; the same for all accounts without one.
    pub fn version(&self, kind: CredentialKind) -> [u8; 32] {
        self.of(kind)
            .map(|current| current.version)
            .unwrap_or_default()
    }

    /// Whether a verifier in the accounts file proves the password of this kind still: it is made of that file's
    /// password, so a change ends it too (row I7).
    pub fn keep_scram(&self, kind: CredentialKind) -> bool {
        self.of(kind).is_none_or(|current| current.row.epoch == 0)
    }
}

fn current(
    account: &Account,
    rows: &BTreeMap<CredentialKind, StoredCredential>,
    kind: CredentialKind,
) -> Option<Current> {
    let written = account.hash(kind)?;
    let replaces = fingerprint(written);
    let row = rows.get(&kind).filter(|row| row.replaces == replaces);
    let own = row.is_some() || account.passwords.contains_key(&kind);
    if !own {
        return current(account, rows, account.profile.begins_as(kind)?);
    }
    let row = row.cloned().unwrap_or(StoredCredential {
        replaces,
        hash: written.to_owned(),
        version: 0,
        epoch: 0,
        initial: false,
        changed_at: Timestamp::default(),
    });
    let is_written = row.epoch == 0;
    Some(Current {
        hash: row.hash.clone(),
        version: version_of(&row),
        initial: match is_written {
            true => account.password_initial && account.profile.is_changed_online(kind),
            false => row.initial,
        },
        changed_at: (!is_written).then_some(row.changed_at),
        kept_as: kind,
        row,
    })
}

fn version_of(row: &StoredCredential) -> [u8; 32] {
    match row.epoch {
        // Another hash of the same password.
        0 => row.replaces,
        epoch => {
            let named = Sha256::new().chain_update(row.replaces);
            named.chain_update(epoch.to_be_bytes()).finalize().into()
        }
    }
}

/// All credentials of the account in their present state, and which kind its door asks for, under `key`.
pub(in crate::account) fn version(
    key: &[u8; 32],
    account: &Account,
    passwords: &Passwords,
    asked_for: CredentialKind,
) -> [u8; 32] {
    let scram = account.scram.as_ref().map(ScramVerifier::text);
    let scram = scram.unwrap_or_default();
    let own = [&b"version"[..], account.id.as_bytes(), scram.as_bytes()];
    let certificates = account.client_certificates.iter().map(|print| &print[..]);
    let kinds = passwords.0.iter();
    let kinds = kinds.flat_map(|(kind, current)| [kind.as_str().as_bytes(), &current.version[..]]);
    // Where another kind is asked for now, the one that was asked for opens no door any more.
    let kinds = kinds.chain([asked_for.as_str().as_bytes()]);
    let all = own.into_iter().chain(kinds).chain(certificates);
    keyed(key, all)
}

/// The hash of this kind that is in force. `None`: the account has no such password.
///
/// # Errors
/// [`StorageError`].
pub fn in_force(
    tx: &mut dyn Transaction,
    account: &Account,
    kind: CredentialKind,
) -> Result<Option<String>, StorageError> {
    let passwords = Passwords::read(tx, account)?;
    Ok(passwords.of(kind).map(|current| current.hash.clone()))
}

/// Stores a hash of the same password in the place of the weaker one, if that is in force still.
///
/// A password that was changed while the old one was checked stays changed, also where `account` is what was read
/// from the accounts file before. Whether it was stored.
///
/// # Errors
/// [`StorageError`].
pub fn strengthen(
    tx: &mut dyn Transaction,
    account: &Account,
    kind: CredentialKind,
    stronger: &Stronger,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let passwords = Passwords::read(tx, account)?;
    let weaker = passwords.of(kind);
    let Some(weaker) = weaker.filter(|current| current.hash == stronger.instead_of) else {
        return Ok(false);
    };
    let (kept_as, replaces) = (weaker.kept_as.as_str(), &weaker.row.replaces);
    accounts::set_credential(tx, &account.id, kept_as, replaces, &stronger.hash, now)
}

/// Stores `hash`, of another password, in the place of the one of this kind.
///
/// It is `initial` if it must be replaced before anything else is done with it. The one in the accounts file is out of force until somebody writes
/// another one there. Sessions of the account web end, and so does everything else that the old one proved
/// (row I7); kinds that a split made of this one keep what they have (row W1).
///
/// # Errors
/// [`StorageError`].
pub fn change(
    tx: &mut dyn Transaction,
    account: &Account,
    kind: CredentialKind,
    hash: &str,
    initial: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    part(tx, account, kind, now)?;
    let replaces = fingerprint(account.hash(kind).unwrap_or_default());
    let word = kind.as_str();
    accounts::change_credential(tx, &account.id, word, &replaces, (hash, initial), now)?;
    sessions::end_all(tx, &account.id)?;
    Ok(())
}

/// Ends for good what is stored in the place of passwords that the accounts files have no more.
///
/// What the administrator ended stays dead, also where the file is one day as it was before.
///
/// # Errors
/// [`StorageError`].
pub fn end_replaced(
    tx: &mut dyn Transaction,
    written: &[Arc<Account>],
) -> Result<(), StorageError> {
    let by_id: HashMap<&str, &Account> = written
        .iter()
        .map(|account| (account.id.as_str(), &**account))
        .collect();
    for (id, word, replaces) in accounts::all_replaced(tx)? {
        let account = by_id.get(id.as_str());
        let hash = account.and_then(|account| account.hash(CredentialKind::of_word(&word)?));
        // A line that is not there at all may be a slip: nothing is decided by it.
        if hash.is_some_and(|hash| fingerprint(hash) != replaces) {
            accounts::end_credential(tx, &id, &word)?;
        }
    }
    Ok(())
}

/// Once a split is in force, gives each kind that it made of `kind` a row of its own.
fn part(
    tx: &mut dyn Transaction,
    account: &Account,
    kind: CredentialKind,
    now: Timestamp,
) -> Result<(), StorageError> {
    let profile = &account.profile;
    if profile.split.as_ref().is_none_or(|split| now < split.at) {
        return Ok(());
    }
    let passwords = Passwords::read(tx, account)?;
    for new in profile.splits_into(kind) {
        let shared = passwords.of(new).filter(|current| current.kept_as == kind);
        if let Some(shared) = shared {
            accounts::copy_credential(tx, &account.id, new.as_str(), &shared.row)?;
        }
    }
    Ok(())
}

pub(super) fn fingerprint(hash: &str) -> [u8; 32] {
    Sha256::digest(hash.as_bytes()).into()
}

#[cfg(test)]
mod tests;
