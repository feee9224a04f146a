//! Decides who sent a submission and how that was proved: the only place that hands its password on.

pub mod login;

use std::sync::Arc;

use crate::account::credential::Candidate;
use crate::account::credential::Check;
use crate::account::credential::Credentials;
use crate::account::directory::Directory;
use crate::account::lockout;
use crate::account::lockout::Counted;
use crate::account::lockout::InstallationKey;
use crate::account::lockout::Strike;
use crate::config::Account;
use crate::config::LockOverride;
use crate::lock::Use;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::smtp::Address;
use crate::smtp::Proof;
use crate::storage::Store;
use crate::storage::accounts;
use crate::submission::PasswordFound;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Timestamp;

/// An account proved to be the sender, or one whose lists the lock stops. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Sender {
    account: Arc<Account>,
    address: Address,
    standing: Standing,
}

/// How a sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The account is locked and asks for a password, which was therefore not looked at: nothing of
    /// the mail may be sent, but its lists are answered with 6002 (row C4).
    LockedUnproved,
    /// Proved by address alone while the account is locked: numbers go, lists do not.
    LockedByAddress,
    /// Proved, and not locked.
    Proved(Proof),
}

impl Sender {
    /// The account.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The address that selected it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

/// What authentication needs beside the submission.
pub struct Authenticator {
    /// Durable state.
    pub store: Store,
    /// Password checks.
    pub credentials: Credentials,
    /// Names counted mails.
    pub key: InstallationKey,
    /// `[lock]`.
    pub lock: LockOverride,
    /// Host name in Message-IDs of notices.
    pub host: String,
}

/// What is known of a mail when its sender is judged.
pub struct Evidence<'a> {
    /// The submission, its password still in it.
    pub submission: &'a Submission,
    /// Where it goes.
    pub recipients: &'a [Recipient],
    /// What names this mail when a wrong password is counted.
    pub mail: Vec<&'a [u8]>,
    /// The id of the account that has logged in, if the client did.
    pub logged_in: Option<&'a str>,
    /// The client's address, for the lock notice.
    pub peer: String,
    /// The present time.
    pub now: Timestamp,
}

/// One offer of a proof, at whatever door.
struct Guess<'a> {
    candidate: Candidate<'a>,
    /// What it is counted under if it is wrong.
    identity: [u8; 32],
    door: &'static str,
    peer: String,
    now: Timestamp,
}

impl Authenticator {
    /// Who sent it: reverse-path first, then From; locked first, then the password.
    ///
    /// # Errors
    /// [`Refusal::NotAuthenticated`] for everything a stranger must not tell apart,
    /// [`Refusal::Busy`] when checks queue for too long, [`Refusal::Storage`] when a wrong password
    /// could not be counted (promise P6).
    pub async fn sender(
        &self,
        evidence: &Evidence<'_>,
        directory: &Directory,
    ) -> Result<Sender, Refusal> {
        let submission = evidence.submission;
        let selected = match evidence.logged_in {
            Some(id) => select_own(submission, id, directory),
            None => select(submission, directory),
        };
        let (account, address) = selected.ok_or(Refusal::NotAuthenticated)?;
        let locked = self.is_locked(&account, evidence.now)?;
        let judgement = match evidence.logged_in {
            Some(_) => judge_logged_in(&account, locked, evidence.recipients),
            None => judge(&account, locked, evidence.recipients, &submission.password),
        };
        let standing = match judgement {
            Judgement::Refused => return Err(Refusal::NotAuthenticated),
            Judgement::Stands(standing) => standing,
            Judgement::Check(password) => {
                let mail = evidence.mail.iter().copied();
                let guess = Guess {
                    candidate: Candidate::Password(password),
                    identity: self.key.strike_identity(&account, mail),
                    door: "mail",
                    peer: evidence.peer.clone(),
                    now: evidence.now,
                };
                self.check(&account, &guess).await?;
                Standing::Proved(Proof::Password)
            }
        };
        Ok(Sender {
            account,
            address,
            standing,
        })
    }

    /// Our own signature for a SCRAM client, if the guess is right.
    async fn check(
        &self,
        account: &Arc<Account>,
        guess: &Guess<'_>,
    ) -> Result<Option<[u8; 32]>, Refusal> {
        let (candidate, now) = (guess.candidate, guess.now);
        if self.credentials.is_proven(account, candidate, now) {
            return self.forgive(account, now).await.map(|()| None);
        }
        let turn = self.credentials.turn(account).await;
        let turn = turn.ok_or(Refusal::Busy)?;
        if self.must_not_hash(account, guess.identity, now).await? {
            return Err(Refusal::NotAuthenticated);
        }
        let (check, _turn) = self.credentials.check(turn, account, candidate, now).await;
        match check {
            Check::Right(signature) => self.forgive(account, now).await.map(|()| signature),
            Check::Failed => Err(Refusal::Busy),
            Check::Wrong => {
                self.count(account, guess).await?;
                Err(Refusal::NotAuthenticated)
            }
        }
    }

    fn is_locked(&self, account: &Account, now: Timestamp) -> Result<bool, Refusal> {
        let id = account.id.clone();
        let strikes = self.store.read_here(|tx| accounts::strikes(tx, &id));
        Ok(strikes.map_err(|e| unavailable(&e))?.is_locked(now))
    }

    /// A mail that was counted before is refused without hashing, and so is one whose account was
    /// locked while it waited for its turn.
    async fn must_not_hash(
        &self,
        account: &Account,
        identity: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let id = account.id.clone();
        let judged = self.store.read(move |tx| {
            let counted = lockout::is_counted(tx, &identity, now)?;
            Ok(counted || accounts::strikes(tx, &id)?.is_locked(now))
        });
        judged.await.map_err(|e| unavailable(&e))
    }

    /// Forgets earlier strikes; refuses if the account was locked while the password was checked.
    async fn forgive(&self, account: &Account, now: Timestamp) -> Result<(), Refusal> {
        let id = account.id.clone();
        let strikes = self.store.read_here(|tx| accounts::strikes(tx, &id));
        if strikes.map_err(|e| unavailable(&e))?.count == 0 {
            return Ok(());
        }
        let open = self.store.write(move |tx| lockout::forgive(tx, &id, now));
        match open.await.map_err(|e| unavailable(&e))? {
            true => Ok(()),
            false => Err(Refusal::NotAuthenticated),
        }
    }

    async fn count(&self, account: &Account, guess: &Guess<'_>) -> Result<Counted, Refusal> {
        let strike = Strike {
            account: account.id.clone(),
            email: account
                .email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
            rule: self.lock.over(&account.profile.lock),
            identity: guess.identity,
            door: guess.door,
            peer: guess.peer.clone(),
            host: self.host.clone(),
            now: guess.now,
        };
        let store = self.store.clone();
        let counted = self
            .store
            .write(move |tx| lockout::count(tx, store.ids(), &strike));
        counted.await.map_err(|e| unavailable(&e))
    }
}

/// What is decided of a mail before its password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// The password decides.
    Check(&'a Secret),
    /// It is refused, and no strike is counted.
    Refused,
    /// The password does not matter.
    Stands(Standing),
}

/// Judges a mail of `account` to `recipients`: locked comes first, then whether a password is asked for
/// and there is one to check.
pub fn judge<'a>(
    account: &Account,
    locked: bool,
    recipients: &[Recipient],
    password: &'a PasswordFound,
) -> Judgement<'a> {
    let by = match account.password_in_body {
        true => Use::SendByPassword,
        false => Use::SendByAddress,
    };
    match (locked, account.password_in_body) {
        (true, _) if by.stops_while_locked() => match has_list(account, recipients) {
            true => Judgement::Stands(Standing::LockedUnproved),
            false => Judgement::Refused,
        },
        (true, _) => Judgement::Stands(Standing::LockedByAddress),
        (false, false) => Judgement::Stands(Standing::Proved(Proof::SenderAddress)),
        (false, true) => match password {
            PasswordFound::One(password) => Judgement::Check(password),
            // No strike: nobody guesses by leaving the password out, and of two different values
            // nobody can say which one was meant.
            PasswordFound::None | PasswordFound::Contradicting => Judgement::Refused,
        },
    }
}

/// Judges a mail of an account that has logged in: what proves more than a line of the body makes the
/// line unnecessary. A lock that came after MAIL, where it is judged first, stops it like any other.
fn judge_logged_in<'a>(account: &Account, locked: bool, recipients: &[Recipient]) -> Judgement<'a> {
    match locked && Use::LogIn.stops_while_locked() {
        true if has_list(account, recipients) => Judgement::Stands(Standing::LockedUnproved),
        true => Judgement::Refused,
        false => Judgement::Stands(Standing::Proved(Proof::SmtpAuth)),
    }
}

/// The reverse-path, if it is a sender of the account that has logged in.
fn select_own(
    submission: &Submission,
    id: &str,
    directory: &Directory,
) -> Option<(Arc<Account>, Address)> {
    let account = directory.by_sender(&submission.reverse_path)?;
    let own = account.id == id;
    own.then(|| (Arc::clone(account), submission.reverse_path.clone()))
}

/// The account whose sender this is, and the address that says so: the reverse-path, else From.
pub fn select(submission: &Submission, directory: &Directory) -> Option<(Arc<Account>, Address)> {
    let candidates = [Some(&submission.reverse_path), submission.from.as_ref()];
    candidates.into_iter().flatten().find_map(|address| {
        let account = directory.by_sender(address)?;
        Some((Arc::clone(account), address.clone()))
    })
}

/// Whether nothing would remain of this mail.
pub fn has_nothing_but_unknown_lists(account: &Account, recipients: &[Recipient]) -> bool {
    recipients.iter().all(|recipient| match recipient {
        Recipient::List(name) => account.list(name).is_none(),
        Recipient::Fax(_) => false,
    })
}

fn has_list(account: &Account, recipients: &[Recipient]) -> bool {
    recipients.iter().any(|recipient| match recipient {
        Recipient::List(name) => account.list(name).is_some(),
        Recipient::Fax(_) => false,
    })
}

fn unavailable(error: &crate::storage::StorageError) -> Refusal {
    tracing::error!(%error, "authentication could not use the storage");
    Refusal::Storage
}
