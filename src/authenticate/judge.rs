//! What is decided of a mail before its password is looked at. Pure: `explain` asks the same functions.

use std::net::IpAddr;
use std::sync::Arc;

use crate::account::directory::Directory;
use crate::authenticate::No;
use crate::authenticate::Standing;
use crate::config;
use crate::config::Account;
use crate::config::OnTemporaryError;
use crate::config::Relay;
use crate::lock::Locks;
use crate::lock::Use;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::smtp::Address;
use crate::smtp::Identity;
use crate::smtp::Proof;
use crate::smtp::TrustTier;
use crate::smtp::Verification;
use crate::submission::PasswordFound;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Timestamp;

/// The account that a mail names.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The account.
    pub account: Arc<Account>,
    /// The address that named it.
    pub address: Address,
    /// How far it is believed that the mail comes from there.
    pub tier: TrustTier,
    /// Whether the client has logged in as this account.
    pub logged_in: bool,
}

/// What is known of where a mail comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// Who has logged in, if the client did.
    pub logged_in: Option<&'a Identity>,
    /// What verification said; `None`: nobody asked, and every sender counts as not verified.
    pub verification: Option<&'a Verification>,
}

/// What is decided of a mail before its password is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// The password decides; if it is right, the sender stands like this.
    Check(&'a Secret, Standing),
    /// It is refused, and no strike is counted.
    Refused(Refusal, &'static str),
    /// The password does not matter.
    Stands(Standing),
}

/// What is forged or undecided is so for everybody, whatever the account says: whether a mail may be
/// looked at.
///
/// # Errors
/// [`Refusal::Forged`], or [`Refusal::Undecided`] where that is deferred; and why.
pub fn judge_verification(
    rules: Option<&config::Verify>,
    found: Option<&Verification>,
) -> Result<(), (Refusal, &'static str)> {
    let Some(found) = found else {
        return Ok(());
    };
    let on_error = rules.map(|verify| verify.on_temporary_error);
    match (found.tier, on_error.unwrap_or_default()) {
        (TrustTier::Forged, _) => Err((Refusal::Forged, "the sender is forged")),
        // Where errors are accepted, whoever fills the queue or lets one of several answers fail would
        // otherwise guess without strikes.
        (TrustTier::Undecided, _) if !found.is_open => Err((
            Refusal::Undecided,
            "DNS gave no answer, and what it gave speaks against the sender; or too many mails of \
             this client and domain wait",
        )),
        (TrustTier::Undecided, OnTemporaryError::Defer) => {
            Err((Refusal::Undecided, "DNS gave no answer"))
        }
        (TrustTier::Undecided, OnTemporaryError::Accept)
        | (TrustTier::Proven | TrustTier::Unverified, _) => Ok(()),
    }
}

/// The account whose sender this is, and the address that says so: the reverse-path, else From. An
/// address that is forged names nobody; a client that has logged in speaks for its own account only.
pub fn select(
    submission: &Submission,
    origin: &Origin<'_>,
    relays: &[Relay],
    directory: &Directory,
) -> Option<Selected> {
    if let Some(identity) = origin.logged_in {
        let account = directory.by_sender(&submission.reverse_path)?;
        return (account.id == identity.account).then(|| Selected {
            account: Arc::clone(account),
            address: submission.reverse_path.clone(),
            tier: TrustTier::Proven,
            logged_in: true,
        });
    }
    let (by_path, by_author) = match origin.verification {
        Some(found) => (found.reverse_path, found.author),
        None => (TrustTier::Unverified, TrustTier::Unverified),
    };
    let candidates = [
        (Some(&submission.reverse_path), by_path),
        (submission.from.as_ref(), by_author),
    ];
    let whole = origin.verification.map(|found| found.tier);
    candidates.into_iter().find_map(|(address, verified)| {
        let address = address?;
        let account = directory.by_sender(address)?;
        let tier = match speaks(origin.peer, account, relays) {
            true => TrustTier::Proven,
            false => verified,
        };
        let names = match tier {
            TrustTier::Proven | TrustTier::Unverified => true,
            TrustTier::Forged => false,
            // Undecided as a whole was for the door to say, to everybody.
            TrustTier::Undecided => whole == Some(TrustTier::Undecided),
        };
        names.then(|| Selected {
            account: Arc::clone(account),
            address: address.clone(),
            tier,
            logged_in: false,
        })
    })
}

/// Whether the word of the relay at `peer` is all that is needed, so that nobody asks DNS: it speaks for
/// the account that these addresses name, or for everybody. Its other mails are verified like any.
pub fn is_spoken_for(
    peer: IpAddr,
    reverse_path: Option<&Address>,
    author: Option<&Address>,
    relays: &[Relay],
    directory: &Directory,
) -> bool {
    let addresses = [reverse_path, author].into_iter().flatten();
    let mut named = addresses.filter_map(|address| directory.by_sender(address));
    match named.next() {
        Some(account) => speaks(peer, account, relays),
        None => covering(peer, relays).any(Relay::speaks_for_all),
    }
}

/// Whether a relay at `peer` speaks for `account`.
fn speaks(peer: IpAddr, account: &Account, relays: &[Relay]) -> bool {
    covering(peer, relays).any(|relay| relay.speaks_for(&account.id))
}

fn covering(peer: IpAddr, relays: &[Relay]) -> impl Iterator<Item = &Relay> {
    relays.iter().filter(move |relay| relay.covers(peer))
}

/// Judges a mail to `recipients`: what must be verified, then what is locked, then whether a password is
/// asked for and there is one to check.
pub fn judge<'a>(
    selected: &Selected,
    locks: &Locks,
    recipients: &[Recipient],
    password: &'a PasswordFound,
    now: Timestamp,
) -> Judgement<'a> {
    let (account, tier) = (&selected.account, selected.tier);
    if account.require_verified
        && let Err((refusal, reason)) = must_be_proven(tier)
    {
        return Judgement::Refused(refusal, reason);
    }
    if locks.stop(tier, now) && way(selected).stops_while_locked() {
        return match has_list(account, recipients) {
            true => Judgement::Stands(Standing::LockedUnproved),
            false => Judgement::Refused(Refusal::NotAuthenticated, "the account is locked"),
        };
    }
    let standing = |proof| match locks.stop_lists(now) {
        true => Standing::ListsLocked(proof),
        false => Standing::Proved(proof),
    };
    let refused = |reason| Judgement::Refused(Refusal::NotAuthenticated, reason);
    match (way(selected), password) {
        (Use::LogIn, _) => Judgement::Stands(standing(Proof::SmtpAuth)),
        (Use::SendByPassword, PasswordFound::One(password)) => {
            Judgement::Check(password, standing(Proof::Password))
        }
        // No strike: nobody guesses by leaving the password out, and of two different values nobody
        // can say which one was meant.
        (Use::SendByPassword, PasswordFound::None) => refused("the mail has no password"),
        (Use::SendByPassword, PasswordFound::Contradicting) => {
            refused("the mail has passwords that differ")
        }
        (Use::SendByAddress | Use::ForwardReceived | Use::Receive | Use::SendToList, _) => {
            Judgement::Stands(standing(Proof::SenderAddress))
        }
    }
}

/// Judges what a person sends who has logged in to the account web: while a lock stops logins nothing goes,
/// but a list is answered with 6002 (row C4). Nothing is guessed here, so nothing is counted.
///
/// # Errors
/// [`Refusal::NotAuthenticated`], and why.
pub fn judge_session(
    account: &Account,
    locks: &Locks,
    recipients: &[Recipient],
    now: Timestamp,
) -> Result<Standing, (Refusal, &'static str)> {
    if Use::LogIn.stops_while_locked() && locks.stop(TrustTier::Proven, now) {
        return match has_list(account, recipients) {
            true => Ok(Standing::LockedUnproved),
            false => Err((Refusal::NotAuthenticated, "the account is locked")),
        };
    }
    Ok(match locks.stop_lists(now) {
        true => Standing::ListsLocked(Proof::WebSession),
        false => Standing::Proved(Proof::WebSession),
    })
}

/// How the sender of a mail of this account is proved.
fn way(selected: &Selected) -> Use {
    match (selected.logged_in, selected.account.password_in_body) {
        (true, _) => Use::LogIn,
        (false, true) => Use::SendByPassword,
        (false, false) => Use::SendByAddress,
    }
}

fn must_be_proven(tier: TrustTier) -> Result<(), No> {
    match tier {
        TrustTier::Proven => Ok(()),
        TrustTier::Unverified | TrustTier::Forged => Err((
            Refusal::Forged,
            "the account takes only senders that are proved",
        )),
        TrustTier::Undecided => Err((
            Refusal::Undecided,
            "DNS gave no answer, and the account takes only senders that are proved",
        )),
    }
}

/// Whether nothing would remain of this mail.
pub fn has_nothing_but_unknown_lists(account: &Account, recipients: &[Recipient]) -> bool {
    recipients.iter().all(|recipient| match recipient {
        Recipient::List(name) => account.list(name).is_none(),
        Recipient::Fax(..) => false,
    })
}

fn has_list(account: &Account, recipients: &[Recipient]) -> bool {
    recipients.iter().any(|recipient| match recipient {
        Recipient::List(name) => account.list(name).is_some(),
        Recipient::Fax(..) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_sends_nothing_while_logins_are_locked_and_no_list_while_lists_are() {
        use crate::lock::Strikes;
        let folder = tempfile::tempdir().unwrap();
        let text = "[[account]]\nid = \"tanaka\"\nsenders = [\"t@x.example\"]\n\
                    [[account.list]]\nname = \"shops\"\nmembers = [{ number = \"0312345678\" }]\n";
        std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
        let main = folder.path().join("faxgate.toml");
        let accounts = config::Accounts::load(&main, &config::Config::default()).unwrap();
        let directory = Directory::new(&accounts);
        let account = directory.by_id("tanaka").unwrap();
        let now = Timestamp::from_ms(1_800_000_000_000);
        let locked = Strikes {
            count: 3,
            first_at: now,
            locked_until: Some(now.plus(std::time::Duration::from_secs(1))),
        };
        let whole = Locks {
            everything: locked,
            ..Locks::default()
        };
        let lists = Locks {
            unproven: locked,
            ..Locks::default()
        };
        let number = [Recipient::Fax(crate::fax::Destination::Simulator(0), None)];
        let list = [Recipient::List("shops".into())];
        let session = Proof::WebSession;
        for (locks, recipients, expected) in [
            (Locks::default(), &number, Some(Standing::Proved(session))),
            (Locks::default(), &list, Some(Standing::Proved(session))),
            (lists, &number, Some(Standing::ListsLocked(session))),
            (lists, &list, Some(Standing::ListsLocked(session))),
            (whole, &number, None),
            (whole, &list, Some(Standing::LockedUnproved)),
        ] {
            let judged = judge_session(account, &locks, recipients, now);
            assert_eq!(judged.ok(), expected, "{locks:?} {recipients:?}");
        }
    }

    #[test]
    fn where_errors_are_accepted_a_full_queue_or_a_policy_still_defers() {
        let rules = config::Verify {
            on_temporary_error: OnTemporaryError::Accept,
            ..config::Verify::default()
        };
        for (is_open, taken) in [(true, true), (false, false)] {
            let found = Verification {
                tier: TrustTier::Undecided,
                reverse_path: TrustTier::Undecided,
                author: TrustTier::Undecided,
                spf: String::new(),
                dkim: String::new(),
                dmarc: String::new(),
                arc: String::new(),
                text: String::new(),
                is_open,
            };
            let judged = judge_verification(Some(&rules), Some(&found));
            assert_eq!(judged.is_ok(), taken, "open: {is_open}");
        }
    }
}
