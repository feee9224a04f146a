//! Decides who sent a submission and how that was proved: the only place that hands its password on.

pub mod judge;
pub mod login;
pub mod person;
pub mod session;
mod temporary;

use std::sync::Arc;

use crate::account::credential;
use crate::account::credential::Candidate;
use crate::account::credential::Check;
use crate::account::credential::Credentials;
use crate::account::credential::Passwords;
use crate::account::credential::Stronger;
use crate::account::directory::Directory;
use crate::account::lockout;
use crate::account::lockout::Counted;
use crate::account::lockout::InstallationKey;
use crate::account::lockout::Strike;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::config::LockOverride;
use crate::config::Relay;
use crate::lock::Locks;
use crate::lock::Reach;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Proof;
use crate::smtp::TrustTier;
use crate::storage::Store;
use crate::storage::accounts;
use crate::submission;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Timestamp;
use judge::Judgement;
use judge::Origin;

/// An account proved to be the sender, or one whose lists the lock stops. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Sender {
    account: Arc<Account>,
    address: Address,
    tier: TrustTier,
    standing: Standing,
}

/// How a sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The account is locked and asks for a password, which was therefore not looked at: nothing of
    /// the mail may be sent, but its lists are answered with 6002 (row C4).
    LockedUnproved,
    /// Proved while lists are locked, by a lock that does not stop this sender: numbers go, lists do not.
    ListsLocked(Proof),
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

    /// How far it is believed.
    pub fn tier(&self) -> TrustTier {
        self.tier
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
    /// `[verify] unproven_strikes_close`: what wrong passwords of senders lock that are not proved.
    pub unproven_reach: Reach,
    /// `[[relay]]`: machines whose word is proof.
    pub relays: Vec<Relay>,
    /// Host name in Message-IDs of notices.
    pub host: String,
}

/// What is known of a mail when its sender is judged.
pub struct Evidence<'a> {
    /// The submission, its password still in it.
    pub submission: &'a Submission,
    /// Where it goes.
    pub recipients: &'a [Recipient],
    /// The message as it came, which names itself when a wrong password is counted.
    pub mail: &'a [u8],
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// The present time.
    pub now: Timestamp,
}

/// A refused sender: what is answered, and what the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What is answered.
    pub refusal: Refusal,
    /// The account that the mail named, and how far it was believed to come from there.
    pub account: Option<(String, TrustTier)>,
    /// Why, in words for the operator: the client does not get them.
    pub reason: &'static str,
}

/// A refusal, and why in words for the operator.
type No = (Refusal, &'static str);

/// One offer of a proof, at whatever door.
struct Guess<'a> {
    candidate: Candidate<'a>,
    /// What it is counted under if it is wrong.
    identity: [u8; 32],
    door: &'static str,
    peer: String,
    /// How far the sender of a mail is believed; `None` at a login, before which nobody is.
    tier: Option<TrustTier>,
    /// What a wrong one locks.
    reach: Reach,
    /// Whether an initial password opens this door: only the one at which it is replaced (row I1).
    takes_initial: bool,
    now: Timestamp,
}

impl Guess<'_> {
    /// Whom a lock stops here: a login only if the lock stops everybody.
    fn stopped_as(&self) -> TrustTier {
        self.tier.unwrap_or(TrustTier::Proven)
    }
}

/// A guess that was right, and nothing has changed since.
struct Proved {
    /// Our own signature for a SCRAM client.
    signature: Option<[u8; 32]>,
    /// What was in force when it was compared.
    passwords: Passwords,
}

impl Authenticator {
    /// Who sent it: reverse-path first, then From; locked first, then the password.
    ///
    /// # Errors
    /// [`Denied`], with [`Refusal::NotAuthenticated`] for everything a stranger must not tell apart,
    /// [`Refusal::Forged`] and [`Refusal::Undecided`] where the account takes only what is proved,
    /// [`Refusal::Busy`] when checks queue for too long, [`Refusal::Storage`] when a wrong password
    /// could not be counted (promise P6).
    pub async fn sender(
        &self,
        evidence: &Evidence<'_>,
        directory: &Directory,
    ) -> Result<Sender, Denied> {
        let (submission, origin) = (evidence.submission, &evidence.origin);
        let selected = judge::select(submission, origin, &self.relays, directory);
        let selected = selected.ok_or(Denied {
            refusal: Refusal::NotAuthenticated,
            account: None,
            reason: "no account has this sender",
        })?;
        let standing = self.standing(&selected, evidence).await;
        let standing = standing.map_err(|(refusal, reason)| Denied {
            refusal,
            account: Some((selected.account.id.clone(), selected.tier)),
            reason,
        })?;
        Ok(Sender {
            account: selected.account,
            address: selected.address,
            tier: selected.tier,
            standing,
        })
    }

    async fn standing(
        &self,
        selected: &judge::Selected,
        evidence: &Evidence<'_>,
    ) -> Result<Standing, No> {
        let (account, now) = (&selected.account, evidence.now);
        let (locks, passwords) = self.state(account)?;
        let password = &evidence.submission.password;
        self.is_same(account, &passwords, evidence)?;
        match judge::judge(selected, &locks, evidence.recipients, password, now) {
            Judgement::Refused(refusal, reason) => Err((refusal, reason)),
            Judgement::Stands(standing) => Ok(standing),
            Judgement::Check(password, standing) => {
                let mail = submission::strike_material(evidence.mail, password);
                let kind = account.profile.doors(now).body;
                let version = passwords.version(kind);
                let guess = Guess {
                    candidate: Candidate::Password(kind, password),
                    identity: self.key.strike_identity(account, &version, [&mail[..]]),
                    door: "mail",
                    peer: evidence.origin.peer.to_string(),
                    tier: Some(selected.tier),
                    reach: self.reach(selected.tier),
                    takes_initial: false,
                    now,
                };
                self.check(account, &guess, passwords).await?;
                Ok(standing)
            }
        }
    }

    /// A mail may come for long minutes after its sender was accepted: credentials that were changed meanwhile end it
    /// too (row I7).
    fn is_same(
        &self,
        account: &Account,
        passwords: &Passwords,
        evidence: &Evidence<'_>,
    ) -> Result<(), No> {
        let now = self.named(account, passwords, evidence.now);
        let logged_in = evidence.origin.logged_in;
        match logged_in.is_none_or(|identity| *identity == now) {
            true => Ok(()),
            false => Err((
                Refusal::Busy,
                "the credentials were changed while the mail came",
            )),
        }
    }

    /// The counter of a sender of this tier.
    fn reach(&self, tier: TrustTier) -> Reach {
        match tier {
            TrustTier::Proven => Reach::Everything,
            TrustTier::Unverified | TrustTier::Forged | TrustTier::Undecided => self.unproven_reach,
        }
    }

    /// Judges a guess; `passwords` are those that were in force when it came.
    async fn check(
        &self,
        account: &Arc<Account>,
        guess: &Guess<'_>,
        passwords: Passwords,
    ) -> Result<Proved, No> {
        const BUSY: No = (Refusal::Busy, "too many passwords wait to be checked");
        let (candidate, now) = (guess.candidate, guess.now);
        let known = self
            .credentials
            .is_proven(account, candidate, &passwords, now);
        if known {
            return self.right(account, guess, (None, passwords)).await;
        }
        let turn = self.credentials.turn(account).await;
        let turn = turn.ok_or(BUSY)?;
        let passwords = self.in_force(account, guess).await?;
        let checked = self
            .credentials
            .check(turn, account, candidate, &passwords, now);
        let checked = checked.await;
        if let Some(stronger) = &checked.stronger {
            self.strengthen(account, guess, stronger).await;
        }
        self.is_unchanged(account, candidate.kind(), &passwords)?;
        match checked.check {
            Check::Right(signature) => self.right(account, guess, (signature, passwords)).await,
            Check::Failed => Err(BUSY),
            // It may be anybody's: a temporary error never counts.
            Check::Wrong if guess.tier == Some(TrustTier::Undecided) => {
                let reason = "the password is wrong; not counted, because DNS gave no answer";
                Err((Refusal::NotAuthenticated, reason))
            }
            Check::Wrong => {
                self.count(account, guess).await?;
                Err((Refusal::NotAuthenticated, "the password is wrong"))
            }
        }
    }

    /// A right guess. An initial password is right and no strike, but opens one door only.
    async fn right(
        &self,
        account: &Account,
        guess: &Guess<'_>,
        (signature, passwords): (Option<[u8; 32]>, Passwords),
    ) -> Result<Proved, No> {
        if passwords.is_initial(guess.candidate.kind()) && !guess.takes_initial {
            let reason = "the password is an initial one, to be replaced in the account web first";
            return Err((Refusal::NotAuthenticated, reason));
        }
        self.forgive(account, guess).await?;
        Ok(Proved {
            signature,
            passwords,
        })
    }

    /// A password that is changed while the one before is compared ends what that would have come to, be it right
    /// or wrong.
    fn is_unchanged(
        &self,
        account: &Account,
        kind: CredentialKind,
        compared: &Passwords,
    ) -> Result<(), No> {
        let (_, passwords) = self.state(account)?;
        match passwords.version(kind) == compared.version(kind) {
            true => Ok(()),
            false => Err((
                Refusal::Busy,
                "the password was changed while it was checked",
            )),
        }
    }

    fn locks(&self, account: &Account) -> Result<Locks, No> {
        let id = account.id.clone();
        let locks = self.store.read_here(|tx| accounts::locks(tx, &id));
        locks.map_err(|e| unavailable(&e))
    }

    /// The locks of an account, and its passwords in force.
    fn state(&self, account: &Account) -> Result<(Locks, Passwords), No> {
        let state = self.store.read_here(|tx| {
            let locks = accounts::locks(tx, &account.id)?;
            Ok((locks, Passwords::read(tx, account)?))
        });
        state.map_err(|e| unavailable(&e))
    }

    /// What to compare with. A mail that was counted before is refused without hashing, and so is one
    /// whose account was locked while it waited for its turn.
    async fn in_force(&self, account: &Arc<Account>, guess: &Guess<'_>) -> Result<Passwords, No> {
        let (this, identity, tier) = (Arc::clone(account), guess.identity, guess.stopped_as());
        let now = guess.now;
        let judged = self.store.read(move |tx| {
            if lockout::is_counted(tx, &identity, now)?
                || accounts::locks(tx, &this.id)?.stop(tier, now)
            {
                return Ok(None);
            }
            Passwords::read(tx, &this).map(Some)
        });
        let reason = "the same mail was counted before, or the account is locked";
        let judged = judged.await.map_err(|e| unavailable(&e))?;
        judged.ok_or((Refusal::NotAuthenticated, reason))
    }

    /// Keeps a hash by today's parameters. That this fails changes nothing for whoever was right.
    async fn strengthen(&self, account: &Arc<Account>, guess: &Guess<'_>, stronger: &Stronger) {
        let kind = guess.candidate.kind();
        let (this, stronger, now) = (Arc::clone(account), stronger.clone(), guess.now);
        let kept = self
            .store
            .write(move |tx| credential::strengthen(tx, &this, kind, &stronger, now));
        match kept.await {
            Ok(true) => tracing::info!(
                account = account.id,
                kind = kind.as_str(),
                "a weak hash was replaced"
            ),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a weak hash could not be replaced"),
        }
    }

    /// Forgets earlier strikes; refuses if the account was locked while the password was checked.
    async fn forgive(&self, account: &Account, guess: &Guess<'_>) -> Result<(), No> {
        if self.locks(account)?.of(guess.reach).count == 0 {
            return Ok(());
        }
        let (id, who, now) = (
            account.id.clone(),
            (guess.stopped_as(), guess.reach),
            guess.now,
        );
        let open = self
            .store
            .write(move |tx| lockout::forgive(tx, &id, who, now));
        match open.await.map_err(|e| unavailable(&e))? {
            true => Ok(()),
            false => Err((Refusal::NotAuthenticated, "the account is locked")),
        }
    }

    async fn count(&self, account: &Account, guess: &Guess<'_>) -> Result<Counted, No> {
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
            tier: guess.tier,
            reach: guess.reach,
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

fn unavailable(error: &crate::storage::StorageError) -> No {
    tracing::error!(%error, "authentication could not use the storage");
    (Refusal::Storage, "storage did not answer")
}
