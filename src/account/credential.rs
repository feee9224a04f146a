//! Passwords: hashing, checking on a bounded pool, and the memory of what was proved lately.

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
use tokio::sync::Semaphore;

use crate::config::Account;
use crate::secret::Secret;
use crate::time::Timestamp;

/// A longer password is wrong without being hashed: hashing must not be made expensive from outside.
pub const MOST_CHARACTERS: usize = 128;
/// How long a proven password is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Accounts remembered at most; beyond, the memory is emptied and hashing does the work.
const MOST_REMEMBERED: usize = 100_000;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The password is the account's.
    Right,
    /// It is not.
    Wrong,
    /// Nothing was checked: too many checks were waiting.
    Busy,
}

/// The password cannot be hashed.
#[derive(Debug, Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

struct Proven {
    mac: [u8; 32],
    until: Timestamp,
}

/// Checks passwords. One for the process: it bounds the memory and the processors that checks take.
pub struct Credentials {
    key: [u8; 32],
    proven: Mutex<HashMap<String, Proven>>,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    strangers: Arc<Semaphore>,
    repeat_senders: Arc<Semaphore>,
    wait: Duration,
}

impl Credentials {
    /// Checks run `cores` at a time and wait at most `wait` for a place. `key` is random and this
    /// process's own.
    pub fn new(key: [u8; 32], cores: usize, wait: Duration) -> Self {
        Self {
            key,
            proven: Mutex::default(),
            turns: Mutex::default(),
            strangers: Arc::new(Semaphore::new(cores.max(1))),
            repeat_senders: Arc::new(Semaphore::new(cores.max(1))),
            wait,
        }
    }

    /// Whether this password was proved for the account within the last minutes. Says nothing about a
    /// password that is wrong: that one always goes on to [`Credentials::check`].
    pub fn is_proven(&self, account: &Account, password: &Secret, now: Timestamp) -> bool {
        let Ok(proven) = self.proven.lock() else {
            return false;
        };
        let entry = proven.get(&account.id).filter(|entry| now < entry.until);
        entry.is_some_and(|entry| self.mac(account, password).ct_eq(&entry.mac).into())
    }

    /// The account's turn: checks of one account go one after the other, so that parallel guesses see
    /// each other's strikes. `None`: waited too long.
    pub async fn turn(&self, account: &Account) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        let turn = {
            let mut turns = self.turns.lock().ok()?;
            if turns.len() >= MOST_REMEMBERED {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(account.id.clone()).or_default())
        };
        tokio::time::timeout(self.wait, turn.lock_owned())
            .await
            .ok()
    }

    /// Hashes `password` and compares. A success is remembered.
    pub async fn check(&self, account: &Account, password: &Secret, now: Timestamp) -> Check {
        let Some(hash) = account.password.clone() else {
            return Check::Wrong;
        };
        if password.expose().chars().count() > MOST_CHARACTERS {
            return Check::Wrong;
        }
        let pool = self.pool_of(account);
        let Ok(Ok(permit)) = tokio::time::timeout(self.wait, pool.acquire_owned()).await else {
            return Check::Busy;
        };
        let candidate = password.clone();
        let checked = tokio::task::spawn_blocking(move || {
            // Held by the work itself: an impatient client must not let another check start.
            let _permit = permit;
            verify(&hash, &candidate)
        });
        match checked.await {
            Ok(true) => {
                self.remember(account, password, now);
                Check::Right
            }
            Ok(false) => Check::Wrong,
            Err(_) => Check::Busy,
        }
    }

    /// Who has proved a password here before does not queue behind strangers' guesses.
    fn pool_of(&self, account: &Account) -> Arc<Semaphore> {
        let known = self
            .proven
            .lock()
            .is_ok_and(|proven| proven.contains_key(&account.id));
        Arc::clone(if known {
            &self.repeat_senders
        } else {
            &self.strangers
        })
    }

    fn remember(&self, account: &Account, password: &Secret, now: Timestamp) {
        let entry = Proven {
            mac: self.mac(account, password),
            until: now.plus(REMEMBERED),
        };
        if let Ok(mut proven) = self.proven.lock() {
            if proven.len() >= MOST_REMEMBERED {
                proven.clear();
            }
            proven.insert(account.id.clone(), entry);
        }
    }

    /// Bound to the stored hash: a changed password is a miss without anybody telling us.
    fn mac(&self, account: &Account, password: &Secret) -> [u8; 32] {
        let stored = account.password.as_deref().unwrap_or_default();
        keyed(
            &self.key,
            [
                account.id.as_bytes(),
                stored.as_bytes(),
                password.expose().as_bytes(),
            ],
        )
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

fn verify(hash: &str, password: &Secret) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else {
        return false;
    };
    Argon2::default()
        .verify_password(password.expose().as_bytes(), &parsed)
        .is_ok()
}
