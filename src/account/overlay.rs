//! What people change in the account web, beside the accounts file: in force until an administrator edits that
//! key in the file again (decision 0011, as for passwords).
//!
//! * `key` - what may be changed, and its form in storage
//! * `claims` - a sender address has one owner, and the file goes first

mod claims;
mod key;

use std::collections::HashMap;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

use crate::config::Account;
use crate::config::Accounts;
use crate::config::Contact;
use crate::config::ContactList;
use crate::config::SenderPattern;
use crate::fax::Destination;
use crate::record::Act;
use crate::record::Log;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::lists;
use crate::storage::lists::VersionRow;
use crate::storage::settings;
use crate::storage::settings::SettingRow;
use crate::time::Timestamp;

pub use claims::is_free;
pub use key::Key;
pub use key::Setting;

/// The word of the audit trail for all that is changed here.
pub const ACT: &str = "settings-changed";

/// That a key was changed in the web, and is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub key: Key,
    /// Who changed it: an account's id.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// An account that has something changed.
#[derive(Clone, Debug)]
pub struct Overlaid {
    /// The account as the file says.
    pub written: Arc<Account>,
    /// What is changed.
    pub changed: Vec<Changed>,
}

/// Everything that storage has beside the accounts files.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// The oldest change first.
    settings: Vec<SettingRow>,
    lists: HashMap<String, Vec<OwnList>>,
}

/// A list made in the web, with its members: not read again while its version stands.
#[derive(Clone, Debug)]
struct OwnList {
    id: i64,
    version: i64,
    list: Arc<ContactList>,
}

/// Keeps `changes` to the account that is `written` so in the file, with an entry in the audit trail. A value
/// that the file has anyway is no change: what was changed before is forgotten.
///
/// # Errors
/// [`StorageError`].
pub fn set(
    tx: &mut dyn Transaction,
    ids: &Ids,
    written: &Account,
    changes: &[Setting],
    by: &str,
    peer: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    for change in changes {
        let key = change.key();
        if Setting::of(written, key) == *change {
            settings::clear(tx, &written.id, key.as_str())?;
            continue;
        }
        let row = SettingRow {
            account: written.id.clone(),
            key: key.as_str().to_owned(),
            value: change.json().to_string(),
            replaces: fingerprint(written, key),
            changed_at: now,
            changed_by: by.to_owned(),
        };
        settings::set(tx, &row)?;
    }
    let keys: Vec<&str> = changes.iter().map(|c| c.key().as_str()).collect();
    act(tx, ids, (&written.id, &keys.join(", ")), (by, peer), now)
}

/// What the account that is `written` so in the file has under `key` now: for a change that keeps a part of it, and
/// must not undo one that was stored a moment ago.
///
/// # Errors
/// [`StorageError`].
pub fn current(
    tx: &mut dyn Transaction,
    written: &Account,
    key: Key,
) -> Result<Setting, StorageError> {
    let row = settings::one(tx, &written.id, key.as_str())?;
    let changed = row.and_then(|row| change(&row, written));
    Ok(changed.map_or_else(|| Setting::of(written, key), |(_, setting)| setting))
}

/// Goes back to what the accounts file says under `key`, with an entry in the audit trail.
///
/// # Errors
/// [`StorageError`].
pub fn undo(
    tx: &mut dyn Transaction,
    ids: &Ids,
    (account, key): (&str, Key),
    (by, peer): (&str, &str),
    now: Timestamp,
) -> Result<(), StorageError> {
    settings::clear(tx, account, key.as_str())?;
    act(tx, ids, (account, key.as_str()), (by, peer), now)
}

/// Writes into the audit trail that `what` of `account` was changed by `by` from `peer`.
///
/// # Errors
/// [`StorageError`].
pub fn act(
    tx: &mut dyn Transaction,
    ids: &Ids,
    (account, what): (&str, &str),
    (by, peer): (&str, &str),
    now: Timestamp,
) -> Result<(), StorageError> {
    Log::new(tx, ids, now).acted(&Act {
        account,
        by,
        peer,
        what: ACT,
        detail: what,
    })
}

impl Overlay {
    /// What storage has now; members of lists that are as in `before` are taken from there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn read(tx: &mut dyn Transaction, before: &Self) -> Result<Self, StorageError> {
        let mut overlay = Self {
            settings: settings::all(tx)?,
            lists: HashMap::new(),
        };
        for row in lists::versions(tx)? {
            let own = before.kept(&row);
            let own = own.map_or_else(|| OwnList::read(tx, &row), Ok)?;
            overlay.lists.entry(row.account).or_default().push(own);
        }
        Ok(overlay)
    }

    /// The accounts in force when `written` is what the files say, in the same order; and those among them that
    /// have something changed. Others are not copied.
    pub fn over(&self, written: &Accounts) -> (Vec<Arc<Account>>, HashMap<String, Overlaid>) {
        let accounts = written.accounts.clone();
        if self.settings.is_empty() && self.lists.is_empty() {
            return (accounts, HashMap::new());
        }
        let in_force = self.in_force(written);
        let mut senders = claims::senders(written, &in_force);
        let mut overlaid = HashMap::new();
        let apply = |account: Arc<Account>| {
            let (changes, lists) = (in_force.get(&account.id), self.lists.get(&account.id));
            if changes.is_none() && lists.is_none() {
                return account;
            }
            let changes = changes.map(Vec::as_slice).unwrap_or_default();
            let mut changed = Account::clone(&account);
            changes
                .iter()
                .for_each(|(_, setting)| setting.apply(&mut changed));
            if let Some(senders) = senders.remove(&account.id) {
                let is_domain = |sender: &SenderPattern| matches!(sender, SenderPattern::Domain(_));
                changed.senders.retain(is_domain);
                changed
                    .senders
                    .extend(senders.into_iter().map(SenderPattern::Exact));
            }
            for own in lists.into_iter().flatten() {
                // The file goes first, and nobody can send to nobody.
                if changed.list(&own.list.name).is_none() && !own.list.members.is_empty() {
                    changed.lists.push(Arc::clone(&own.list));
                }
            }
            let entry = Overlaid {
                written: account,
                changed: changes.iter().map(|(c, _)| c.clone()).collect(),
            };
            overlaid.insert(changed.id.clone(), entry);
            Arc::new(changed)
        };
        let accounts = accounts.into_iter().map(apply).collect();
        (accounts, overlaid)
    }

    /// The changes in force by account, the oldest first: those that replace what the file still says.
    fn in_force(&self, written: &Accounts) -> HashMap<String, Vec<(Changed, Setting)>> {
        let mut rows: HashMap<&str, Vec<&SettingRow>> = HashMap::new();
        for row in &self.settings {
            rows.entry(&row.account).or_default().push(row);
        }
        let mut found = HashMap::new();
        if rows.is_empty() {
            return found;
        }
        for account in &written.accounts {
            let rows = rows.get(account.id.as_str()).into_iter().flatten();
            let changes: Vec<_> = rows.filter_map(|row| change(row, account)).collect();
            if !changes.is_empty() {
                found.insert(account.id.clone(), changes);
            }
        }
        found
    }

    fn kept(&self, row: &VersionRow) -> Option<OwnList> {
        let mut lists = self.lists.get(&row.account)?.iter();
        let same = |own: &&OwnList| own.id == row.id && own.version == row.version;
        lists.find(same).cloned()
    }
}

impl OwnList {
    fn read(tx: &mut dyn Transaction, row: &VersionRow) -> Result<Self, StorageError> {
        let contact = |contact: lists::ContactRow| {
            let destination = Destination::from_canonical(&contact.destination)?;
            Some(Contact {
                destination,
                name: contact.name,
            })
        };
        let members = lists::members(tx, row.id)?;
        Ok(Self {
            id: row.id,
            version: row.version,
            list: Arc::new(ContactList {
                name: row.name.clone(),
                members: members.into_iter().filter_map(contact).collect(),
            }),
        })
    }
}

/// What `row` says, if it is in force for `account` as it is written.
fn change(row: &SettingRow, account: &Account) -> Option<(Changed, Setting)> {
    let key = Key::of_word(&row.key)?;
    if row.replaces != fingerprint(account, key) {
        return None;
    }
    let setting = Setting::read(key, &row.value)?;
    let changed = Changed {
        key,
        by: row.changed_by.clone(),
        at: row.changed_at,
    };
    Some((changed, setting))
}

fn fingerprint(written: &Account, key: Key) -> [u8; 32] {
    Sha256::digest(key.written(written).to_string().as_bytes()).into()
}

#[cfg(test)]
mod tests;
