//! Decides who sent a submission and how that was proved: the only place that hands its password on.

use std::sync::Arc;

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
    /// The client's address, for the lock notice.
    pub peer: String,
    /// The present time.
    pub now: Timestamp,
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
        let (account, address) =
            select(evidence.submission, directory).ok_or(Refusal::NotAuthenticated)?;
        let sender = |standing| Sender {
            account: Arc::clone(&account),
            address: address.clone(),
            standing,
        };
        let locked = self.is_locked(&account, evidence.now).await?;
        if locked && stops_here(&account) {
            return match has_list(&account, evidence.recipients) {
                true => Ok(sender(Standing::LockedUnproved)),
                false => Err(Refusal::NotAuthenticated),
            };
        }
        if !account.password_in_body {
            return Ok(sender(match locked {
                true => Standing::LockedByAddress,
                false => Standing::Proved(Proof::SenderAddress),
            }));
        }
        match &evidence.submission.password {
            PasswordFound::One(password) => self.check(&account, password, evidence).await?,
            // No strike: nobody guesses by leaving the password out, and of two different values
            // nobody can say which one was meant.
            PasswordFound::None | PasswordFound::Contradicting => {
                return Err(Refusal::NotAuthenticated);
            }
        }
        Ok(sender(Standing::Proved(Proof::Password)))
    }

    async fn check(
        &self,
        account: &Arc<Account>,
        password: &Secret,
        evidence: &Evidence<'_>,
    ) -> Result<(), Refusal> {
        if self.credentials.is_proven(account, password, evidence.now) {
            return self.forgive(account).await;
        }
        let turn = self.credentials.turn(account).await;
        let _turn = turn.ok_or(Refusal::Busy)?;
        let identity = self
            .key
            .strike_identity(account, evidence.mail.iter().copied());
        if self.must_not_hash(account, identity, evidence.now).await? {
            return Err(Refusal::NotAuthenticated);
        }
        match self
            .credentials
            .check(account, password, evidence.now)
            .await
        {
            Check::Right => self.forgive(account).await,
            Check::Busy => Err(Refusal::Busy),
            Check::Wrong => {
                self.count(account, identity, evidence).await?;
                Err(Refusal::NotAuthenticated)
            }
        }
    }

    async fn is_locked(&self, account: &Account, now: Timestamp) -> Result<bool, Refusal> {
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

    async fn forgive(&self, account: &Account) -> Result<(), Refusal> {
        let id = account.id.clone();
        let strikes = self.store.read_here(|tx| accounts::strikes(tx, &id));
        if strikes.map_err(|e| unavailable(&e))?.count == 0 {
            return Ok(());
        }
        let forgiven = self.store.write(move |tx| lockout::forgive(tx, &id));
        forgiven.await.map_err(|e| unavailable(&e))
    }

    async fn count(
        &self,
        account: &Account,
        identity: [u8; 32],
        evidence: &Evidence<'_>,
    ) -> Result<Counted, Refusal> {
        let strike = Strike {
            account: account.id.clone(),
            email: account
                .email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
            rule: self.lock.over(&account.profile.lock),
            identity,
            door: "mail",
            peer: evidence.peer.clone(),
            host: self.host.clone(),
            now: evidence.now,
        };
        let store = self.store.clone();
        let counted = self
            .store
            .write(move |tx| lockout::count(tx, store.ids(), &strike));
        counted.await.map_err(|e| unavailable(&e))
    }
}

/// The account whose sender this is, and the address that says so: the reverse-path, else From.
fn select(submission: &Submission, directory: &Directory) -> Option<(Arc<Account>, Address)> {
    let candidates = [Some(&submission.reverse_path), submission.from.as_ref()];
    candidates.into_iter().flatten().find_map(|address| {
        let account = directory.by_sender(address)?;
        Some((Arc::clone(account), address.clone()))
    })
}

/// Whether the lock stops this mail before its password is looked at.
fn stops_here(account: &Account) -> bool {
    let by = match account.password_in_body {
        true => Use::SendByPassword,
        false => Use::SendByAddress,
    };
    by.stops_while_locked()
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
