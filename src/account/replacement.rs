//! A person replaces a password: the change, its trace and its mail in one transaction (row I7).

use crate::account::credential;
use crate::account::credential::Passwords;
use crate::account::notice;
use crate::account::notice::Notice;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::record::Act;
use crate::record::Log;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// What replaces a password.
#[derive(Clone, Debug)]
pub struct Replacement<'a> {
    /// Whose it is, and who does it.
    pub account: &'a Account,
    /// The kind that is replaced.
    pub kind: CredentialKind,
    /// The hash of the new one.
    pub hash: &'a str,
    /// What was in force when the owner was proved.
    pub proved: &'a Passwords,
    /// The client's address.
    pub peer: &'a str,
    /// Host name of the notice's Message-ID.
    pub host: &'a str,
}

/// Replaces it; what is in force from now on. `None`: another change came first, and nothing was done.
///
/// # Errors
/// [`StorageError`].
pub fn by_owner(
    tx: &mut dyn Transaction,
    ids: &Ids,
    new: &Replacement<'_>,
    now: Timestamp,
) -> Result<Option<Passwords>, StorageError> {
    const WHAT: &str = "password-changed";
    let (account, kind) = (new.account, new.kind);
    let before = Passwords::read(tx, account)?;
    let mut concerned = [kind, account.profile.doors(now).web].into_iter();
    if concerned.any(|kind| before.version(kind) != new.proved.version(kind)) {
        return Ok(None);
    }
    credential::change(tx, account, kind, new.hash, false, now)?;
    Log::new(tx, ids, now).acted(&Act {
        account: &account.id,
        by: &account.id,
        peer: new.peer,
        what: WHAT,
        detail: kind.as_str(),
    })?;
    if let Some(email) = &account.email {
        let notice = Notice {
            account: &account.id,
            to: email.as_str(),
            what: WHAT,
            by: "",
            peer: new.peer,
            detail: kind.as_str(),
            host: new.host,
        };
        notice::tell(tx, ids, &notice, now)?;
    }
    Passwords::read(tx, account).map(Some)
}
