//! Passwords: hashing, checking on a bounded pool, and the memory of what was proved lately.

mod stored;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use argon2::Argon2;
use argon2::PasswordHasher;
use argon2::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::account::scram;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::config::is_weak_hash;
use crate::secret::Secret;
use crate::time::Timestamp;

pub use stored::Current;
pub use stored::Passwords;
pub use stored::change;
pub use stored::end_replaced;
pub use stored::in_force;
pub use stored::strengthen;
pub(in crate::account) use stored::version;

/// A longer password is wrong without being hashed: hashing must not be made expensive from outside.
pub const MOST_CHARACTERS: usize = 128;
/// How long a proven password is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Accounts remembered at most; beyond, the memory is emptied and hashing does the work.
const MOST_REMEMBERED: usize = 100_000;

/// A turn to check a password; kept until what the check came to has been counted.
pub struct Turn {
    _of_account: tokio::sync::OwnedMutexGuard<()>,
    _permit: OwnedSemaphorePermit,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is the account's; with our own signature for a SCRAM client.
    Right(Option<[u8; 32]>),
    /// It is not.
    Wrong,
    /// The check itself failed; nothing is known.
    Failed,
}

/// What a check came to, and what it holds until that has been counted.
pub struct Checked {
    /// The result.
    pub check: Check,
    /// A hash of the same password by today's parameters, if it was right and the hash in force is weaker.
    pub stronger: Option<Stronger>,
    _turn: Option<Turn>,
}

/// A hash that is to replace a weaker one.
#[derive(Clone)]
pub struct Stronger {
    /// The hash that was compared with.
    instead_of: String,
    /// The new one.
    hash: String,
}

impl Checked {
    fn by(check: Check, turn: Turn) -> Self {
        Self {
            check,
            stronger: None,
            _turn: Some(turn),
        }
    }
}

/// What became of a new password.
pub enum Renewed {
    /// Its hash.
    Hash(String),
    /// It is one of those that it must not be.
    Used,
    /// It could not be hashed.
    Failed,
}

/// What somebody offers as proof of who it is.
#[derive(Clone, Copy)]
pub enum Candidate<'a> {
    /// A password of this kind.
    Password(CredentialKind, &'a Secret),
    /// A signature of a SCRAM client.
    Scram {
        /// The kind that its door asks for: the verifier is made of that password.
        kind: CredentialKind,
        /// The text that is signed, `AuthMessage`.
        signed: &'a str,
        /// `ClientProof`.
        proof: &'a [u8; 32],
    },
}

impl Candidate<'_> {
    /// The kind of password that it proves.
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::Password(kind, _) | Self::Scram { kind, .. } => *kind,
        }
    }

    /// Whether the account has a credential of this kind. What is stored only ever replaces one that the
    /// accounts file has.
    pub fn can_be_of(&self, account: &Account) -> bool {
        match self {
            Self::Password(kind, _) => account.hash(*kind).is_some(),
            Self::Scram { .. } => account.scram.is_some(),
        }
    }
}

/// The password cannot be hashed.
#[derive(Debug, Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

impl HashError {
    pub(super) fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

struct Proven {
    mac: [u8; 32],
    until: Timestamp,
}

/// Checks passwords. One for the process: it bounds the memory and the processors that checks take.
pub struct Credentials {
    key: [u8; 32],
    proven: Mutex<HashMap<String, BTreeMap<CredentialKind, Proven>>>,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    strangers: Arc<Semaphore>,
    repeat_senders: Arc<Semaphore>,
    wait: Duration,
}

impl Credentials {
    /// Checks run `cores` at a time, one place of which is kept for repeat senders, and wait at most
    /// `wait` for a place. `key` is random and this process's own.
    pub fn new(key: [u8; 32], cores: usize, wait: Duration) -> Self {
        Self {
            key,
            proven: Mutex::default(),
            turns: Mutex::default(),
            strangers: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
            repeat_senders: Arc::new(Semaphore::new(1)),
            wait,
        }
    }

    /// Whether this password was proved for the account within the last minutes. Says nothing about a
    /// password that is wrong: that one always goes on to [`Credentials::check`].
    /// `passwords` are those in force: one that was changed is proven no more.
    pub fn is_proven(
        &self,
        account: &Account,
        candidate: Candidate<'_>,
        passwords: &Passwords,
        now: Timestamp,
    ) -> bool {
        let Candidate::Password(kind, password) = candidate else {
            return false;
        };
        let Ok(proven) = self.proven.lock() else {
            return false;
        };
        let kinds = proven.get(&account.id);
        let entry = kinds.and_then(|kinds| kinds.get(&kind));
        let entry = entry.filter(|entry| now < entry.until);
        entry.is_some_and(|entry| {
            let mac = self.mac(account, (kind, password), passwords);
            mac.ct_eq(&entry.mac).into()
        })
    }

    /// A turn to check: checks of one account go one after the other, so that parallel guesses see each
    /// other's strikes, and all checks together take no more than their share of the processors.
    /// `None`: waited too long.
    pub async fn turn(&self, account: &Account) -> Option<Turn> {
        let turn = {
            let mut turns = self.turns.lock().ok()?;
            if turns.len() >= MOST_REMEMBERED {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(account.id.clone()).or_default())
        };
        let pool = self.pool_of(account);
        let both = async move {
            let of_account = turn.lock_owned().await;
            let permit = pool.acquire_owned().await.ok()?;
            Some(Turn {
                _of_account: of_account,
                _permit: permit,
            })
        };
        tokio::time::timeout(self.wait, both).await.ok()?
    }

    /// Compares with the account's credential of the same kind among those in force. A right password is
    /// remembered.
    pub async fn check(
        &self,
        turn: Turn,
        account: &Account,
        candidate: Candidate<'_>,
        passwords: &Passwords,
        now: Timestamp,
    ) -> Checked {
        match candidate {
            Candidate::Password(kind, password) => {
                let Some(current) = passwords.of(kind) else {
                    return Checked::by(Check::Wrong, turn);
                };
                let checked = hashed(current.hash.clone(), password, turn).await;
                if checked.check == Check::Right(None) {
                    self.remember(account, (kind, password), passwords, now);
                }
                checked
            }
            Candidate::Scram {
                kind,
                signed,
                proof,
            } => {
                let verifier = account.scram.as_ref();
                let verifier = verifier.filter(|_| passwords.keep_scram(kind));
                let signature = verifier.and_then(|verifier| scram::check(verifier, signed, proof));
                let check = signature.map_or(Check::Wrong, |ours| Check::Right(Some(ours)));
                Checked::by(check, turn)
            }
        }
    }

    /// Who has proved a password here before does not queue behind strangers' guesses.
    fn pool_of(&self, account: &Account) -> Arc<Semaphore> {
        let proven = self.proven.lock();
        let known = proven.is_ok_and(|proven| proven.contains_key(&account.id));
        Arc::clone(if known {
            &self.repeat_senders
        } else {
            &self.strangers
        })
    }

    fn remember(
        &self,
        account: &Account,
        (kind, password): (CredentialKind, &Secret),
        passwords: &Passwords,
        now: Timestamp,
    ) {
        let entry = Proven {
            mac: self.mac(account, (kind, password), passwords),
            until: now.plus(REMEMBERED),
        };
        if let Ok(mut proven) = self.proven.lock() {
            if proven.len() >= MOST_REMEMBERED {
                proven.clear();
            }
            let kinds = proven.entry(account.id.clone()).or_default();
            kinds.insert(kind, entry);
        }
    }

    /// Names all credentials of the account in their present state: a session that was proved by others
    /// has ended.
    pub fn version(&self, account: &Account, passwords: &Passwords, now: Timestamp) -> [u8; 32] {
        version(
            &self.key,
            account,
            passwords,
            account.profile.doors(now).smtp,
        )
    }

    /// Bound to the password in force: one that was changed is a miss without anybody telling us.
    fn mac(
        &self,
        account: &Account,
        (kind, password): (CredentialKind, &Secret),
        passwords: &Passwords,
    ) -> [u8; 32] {
        keyed(
            &self.key,
            [
                account.id.as_bytes(),
                kind.as_str().as_bytes(),
                &passwords.version(kind)[..],
                password.expose().as_bytes(),
            ],
        )
    }

    /// Hashes `password` as a new one, unless it is one of those that were hashed to `used`. Nothing is remembered and
    /// nothing counted. `turn` is held until it is done.
    pub async fn renew(turn: Turn, used: Vec<String>, password: &Secret) -> Renewed {
        let password = password.clone();
        let work = tokio::task::spawn_blocking(move || {
            let renewed = match used.iter().any(|hash| verify(hash, &password)) {
                true => Renewed::Used,
                false => hash(&password).map_or(Renewed::Failed, Renewed::Hash),
            };
            drop(turn);
            renewed
        });
        work.await.unwrap_or(Renewed::Failed)
    }
}

/// HMAC-SHA256 over `pieces`, each with its length, so that no two lists of pieces collide.
pub(crate) fn keyed<'a>(key: &[u8; 32], pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    // A 32-byte key is always taken: HMAC accepts keys of every length (RFC 2104 section 2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for piece in pieces {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        mac.update(&length.to_le_bytes());
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// The Argon2id hash of `password` in PHC form: 19 MiB, two passes, one lane, a random salt.
///
/// # Errors
/// [`HashError`] if the system has no randomness.
pub fn hash(password: &Secret) -> Result<String, HashError> {
    let hashed = Argon2::default().hash_password(password.expose().as_bytes());
    hashed
        .map(|hash| hash.to_string())
        .map_err(|e| HashError(e.to_string()))
}

/// Hashes `password` and compares; a right one is hashed once more if the hash is weaker than today's.
/// `turn` is held by the work itself: an impatient client must not let another check start.
async fn hashed(hash: String, password: &Secret, turn: Turn) -> Checked {
    if password.expose().chars().count() > MOST_CHARACTERS {
        return Checked::by(Check::Wrong, turn);
    }
    let candidate = password.clone();
    let work = tokio::task::spawn_blocking(move || match verify(&hash, &candidate) {
        true => Checked {
            stronger: stronger(hash, &candidate),
            ..Checked::by(Check::Right(None), turn)
        },
        false => Checked::by(Check::Wrong, turn),
    });
    work.await.unwrap_or(Checked {
        check: Check::Failed,
        stronger: None,
        _turn: None,
    })
}

fn stronger(weaker: String, password: &Secret) -> Option<Stronger> {
    let hash = is_weak_hash(&weaker).then(|| hash(password).ok()).flatten();
    hash.map(|hash| Stronger {
        instead_of: weaker,
        hash,
    })
}

fn verify(hash: &str, password: &Secret) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else {
        return false;
    };
    Argon2::default()
        .verify_password(password.expose().as_bytes(), &parsed)
        .is_ok()
}

/// Whether `password` is the one that was hashed, outside of any door: for explanations. Counts nothing.
pub fn is_right(hash: &str, password: &Secret) -> bool {
    verify(hash, password)
}

#[cfg(test)]
mod tests;
