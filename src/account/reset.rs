//! Resets of forgotten passwords (rows I4 to I8, T1 to T4, T7, W3): asked for, mailed, used.
//!
//! * here - who may ask, and what is written down when somebody does
//! * `secret` - what the mail carries, derived from the installation key whenever it is needed
//! * `link` - the page behind the link
//! * `temporary` - a temporary password at the login
//!
//! Links of one account stand beside each other until one of them is used: a stranger who knows ID and address
//! must not be able to void the one that its owner has just been sent. Whatever changes the password voids all.

pub mod link;
pub mod secret;
pub mod temporary;

use std::time::Duration;

use crate::account::credential::Passwords;
use crate::account::lockout::InstallationKey;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::config::Policy;
use crate::config::ResetAddress;
use crate::config::ResetMethod;
use crate::config::SenderPattern;
use crate::record::Act;
use crate::record::Log;
use crate::secret::Secret;
use crate::smtp::Address;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::storage::resets;
use crate::storage::resets::ResetRow;
use crate::time::Timestamp;

/// Mails that an account's own requests make in an hour, beside those that led to a new password: as many as an
/// address may ask for in a minute, so that nobody waits in vain for one that was promised.
const MOST_AN_HOUR: i64 = 6;
const HOUR: Duration = Duration::from_secs(3600);
/// How long a reset that has ended is kept, for the history.
const KEPT: Duration = Duration::from_secs(86_400);

/// Who asks for a reset.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// Somebody at the page for it, who typed this address (perhaps none).
    Stranger(&'a str),
    /// Somebody who may do so for others: an account's id, or `command` (rows T2, T7).
    Other(&'a str),
}

/// A reset that is asked for.
pub struct Request<'a> {
    /// Whose password is to be reset.
    pub account: &'a Account,
    /// Who asks.
    pub asker: Asker<'a>,
    /// The client's address; empty for commands.
    pub peer: &'a str,
    /// What the mail carries is derived from it.
    pub key: &'a InstallationKey,
    /// 256 random bits, fresh ones, see [`nonce`].
    pub nonce: [u8; 32],
    /// Host name of the Message-ID.
    pub host: &'a str,
    /// The present time.
    pub now: Timestamp,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// A mail goes to this address.
    Mailed(Address),
    /// None does.
    Not(NotStarted),
}

/// Why no reset was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// The account is locked until then, and its profile makes it wait (row I8).
    Locked(Timestamp),
    /// No address is registered to mail to (row T2).
    NoAddress,
    /// The account has no password that could be forgotten.
    NoPassword,
    /// The address is not one of the account's (row I5).
    NoMatch,
    /// Its profile resets passwords on paper, or by the administrator.
    OnPaper,
    /// Enough mails went out within the hour.
    TooMany,
}

/// 256 random bits; `None` if the system has no randomness.
pub fn nonce() -> Option<[u8; 32]> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).ok()?;
    Some(bits)
}

/// Starts a reset: the mail goes to an address that the account has had before, and whoever asks learns
/// nothing of what it carries (row I3).
///
/// # Errors
/// [`StorageError`].
pub fn start(
    tx: &mut dyn Transaction,
    ids: &Ids,
    request: &Request<'_>,
) -> Result<Started, StorageError> {
    let (account, now) = (request.account, request.now);
    let to = match recipient(account, request.asker, now) {
        Ok(to) => to,
        Err(why) => return Ok(Started::Not(why)),
    };
    if let Some(until) = locked_until(tx, account, now)? {
        return Ok(Started::Not(NotStarted::Locked(until)));
    }
    let asked_by = match request.asker {
        Asker::Stranger(_) => &account.id,
        Asker::Other(by) => by,
    };
    let many = resets::asked_since(tx, &account.id, asked_by, now.minus(HOUR))? >= MOST_AN_HOUR;
    if many && matches!(request.asker, Asker::Stranger(_)) {
        return Ok(Started::Not(NotStarted::TooMany));
    }
    resets::forget(tx, now.minus(KEPT))?;
    let row = row(tx, ids, request, to, asked_by)?;
    resets::add(tx, &row)?;
    outbox::add(tx, &mail(&row, request))?;
    Log::new(tx, ids, now).acted(&Act {
        account: &account.id,
        by: asked_by,
        peer: request.peer,
        what: "reset-started",
        detail: &to.shortened(),
    })?;
    Ok(Started::Mailed(to.clone()))
}

/// The kind of password that a reset replaces: the one that the account web asks for at `now`.
pub(super) fn kind(account: &Account, now: Timestamp) -> CredentialKind {
    account.profile.doors(now).web
}

/// The rule for a new password behind a link.
pub fn policy(account: &Account, now: Timestamp) -> &Policy {
    account.profile.policy(kind(account, now))
}

/// Names the password in force, so that another one is known to be another.
pub(super) fn binding(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    account: &Account,
    kind: CredentialKind,
) -> Result<[u8; 32], StorageError> {
    let version = Passwords::read(tx, account)?.version(kind);
    let pieces = [
        account.id.as_bytes(),
        kind.as_str().as_bytes(),
        &version[..],
    ];
    Ok(key.reset("binding", pieces))
}

/// The end of a lock that makes resets wait; `None` also where the profile lets a reset end the lock.
pub(super) fn locked_until(
    tx: &mut dyn Transaction,
    account: &Account,
    now: Timestamp,
) -> Result<Option<Timestamp>, StorageError> {
    if account.profile.reset.while_locked {
        return Ok(None);
    }
    let strikes = accounts::strikes(tx, &account.id)?;
    let until = strikes.locked_until.filter(|_| strikes.is_locked(now));
    Ok(until)
}

/// Whether a reset can be used: within its time, not used up, the same password still in force, and its
/// recipient still one of the account's addresses.
pub(super) fn is_open(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    account: &Account,
    row: &ResetRow,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let kind = kind(account, now);
    let in_time = now < row.ends_at && row.used < row.uses;
    let own = account.email.as_ref().map(|email| email.as_str());
    let known = own == Some(&row.recipient) || registered(account, &row.recipient).is_some();
    Ok(in_time
        && known
        && row.kind == kind.as_str()
        && row.binding == binding(tx, key, account, kind)?)
}

/// The address in `text` as addresses are compared.
pub(super) fn key_of(text: &str) -> Option<String> {
    Some(Address::parse(text.trim())?.key())
}

/// What the mail of a reset is to carry; `None` if the reset is over before its mail has left.
///
/// # Errors
/// [`StorageError`].
pub fn to_mail(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    account: &Account,
    id: i64,
    now: Timestamp,
) -> Result<Option<(ResetRow, Secret)>, StorageError> {
    let Some(row) = resets::one(tx, id)? else {
        return Ok(None);
    };
    let open = is_open(tx, key, account, &row, now)?;
    let secret = secret::of(key, account, &row);
    Ok(open.then_some((row, secret)))
}

/// The account's address that this is, if its profile lets that one ask.
pub(super) fn registered<'a>(account: &'a Account, typed: &str) -> Option<&'a Address> {
    let key = key_of(typed)?;
    addresses(account).find(|address| address.key() == key)
}

fn addresses(account: &Account) -> impl Iterator<Item = &Address> {
    let (own, senders, forwards) = match account.profile.reset.address {
        ResetAddress::Registered => (account.email.as_slice(), &[][..], &[][..]),
        ResetAddress::SendersAndForwards => {
            (&[][..], &account.senders[..], &account.forward_to[..])
        }
    };
    let senders = senders.iter().filter_map(|sender| match sender {
        SenderPattern::Exact(address) => Some(address),
        SenderPattern::Domain(_) => None,
    });
    own.iter().chain(senders).chain(forwards)
}

fn recipient<'a>(
    account: &'a Account,
    asker: Asker<'_>,
    now: Timestamp,
) -> Result<&'a Address, NotStarted> {
    let reset = &account.profile.reset;
    let by_mail = match reset.method {
        ResetMethod::Link | ResetMethod::TemporaryPassword => true,
        ResetMethod::None => false,
    };
    let alone = reset.method == ResetMethod::TemporaryPassword;
    let own = account.email.as_ref();
    let to = match asker {
        Asker::Other(_) => own.ok_or(NotStarted::NoAddress),
        // A temporary password is asked for by the login ID; an address that is typed all the same must be right.
        Asker::Stranger(typed) if alone && typed.trim().is_empty() => {
            own.ok_or(NotStarted::NoMatch)
        }
        Asker::Stranger(typed) => registered(account, typed).ok_or(NotStarted::NoMatch),
    }?;
    if !by_mail {
        return Err(NotStarted::OnPaper);
    }
    let has_password = account.hash(kind(account, now)).is_some();
    has_password.then_some(to).ok_or(NotStarted::NoPassword)
}

fn row(
    tx: &mut dyn Transaction,
    ids: &Ids,
    request: &Request<'_>,
    to: &Address,
    asked_by: &str,
) -> Result<ResetRow, StorageError> {
    let (account, now) = (request.account, request.now);
    let (reset, kind) = (&account.profile.reset, kind(account, now));
    let temporary = reset.method == ResetMethod::TemporaryPassword;
    let carried = secret::carried(request.key, account, (&request.nonce, now), temporary);
    Ok(ResetRow {
        id: ids.next(now),
        account: account.id.clone(),
        kind: kind.as_str().to_owned(),
        temporary,
        nonce: request.nonce,
        name: secret::name(request.key, &account.id, temporary, &carried),
        binding: binding(tx, request.key, account, kind)?,
        recipient: to.as_str().to_owned(),
        asked_by: asked_by.to_owned(),
        asked_at: now,
        ends_at: now.plus(reset.lasts),
        // A temporary password is the password once it was used, until it is replaced.
        uses: if temporary { 1 } else { reset.uses },
        used: 0,
        tries: 0,
    })
}

fn mail(row: &ResetRow, request: &Request<'_>) -> MailRow {
    MailRow {
        id: row.id,
        kind: Kind::Reset,
        dedup: format!("reset:{}", row.id),
        account: row.account.clone(),
        subject_id: row.id,
        recipient: row.recipient.clone(),
        payload: serde_json::json!({ "peer": request.peer }).to_string(),
        message_id: format!("<reset.{}@{}>", row.id, request.host),
        gated: false,
        attempts: 0,
        created_at: request.now,
    }
}

#[cfg(test)]
mod tests;
