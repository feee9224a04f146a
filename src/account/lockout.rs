//! Keeps the lock in storage: reads it, counts a wrong password, locks and unlocks.
//!
//! What counts and what locks is decided in [`crate::lock`]; here it becomes one transaction, which
//! every door shares (rows C3, I12).

use std::path::Path;

use crate::account::credential;
use crate::account::credential::Passwords;
use crate::account::credential::keyed;
use crate::config::Account;
use crate::config::ScramVerifier;
use crate::lock::LockRule;
use crate::lock::Reach;
use crate::lock::Strikes;
use crate::record::Log;
use crate::smtp::TrustTier;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::blobs;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::time::Timestamp;

/// A mail is counted once within this time, however often it is retried (promise P4).
pub const COUNTED_ONCE_MS: i64 = 24 * 3_600_000;

/// The secret that names counted mails; made at first start, kept outside the database.
#[derive(Clone)]
pub struct InstallationKey([u8; 32]);

impl InstallationKey {
    /// Reads the key in `data_dir`, or makes it.
    ///
    /// # Errors
    /// What the system says; a key of another length is an error too.
    pub fn load_or_create(data_dir: &Path) -> std::io::Result<Self> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = data_dir.join("installation.key");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let key = <[u8; 32]>::try_from(bytes.as_slice());
                return key
                    .map(Self)
                    .map_err(|_| std::io::Error::other("installation.key is damaged"));
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        let temporary = path.with_extension("tmp");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&key)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        blobs::sync_folder_of(&path)?;
        Ok(Self(key))
    }

    /// The identity of a wrong password: account, the password in force by its version, and the mail it came in.
    /// The version is part of it, so that the same mail is judged afresh once the password was changed.
    pub fn strike_identity<'a>(
        &self,
        account: &'a Account,
        version: &'a [u8; 32],
        mail: impl IntoIterator<Item = &'a [u8]>,
    ) -> [u8; 32] {
        let about = [account.id.as_bytes(), &version[..]];
        keyed(&self.0, about.into_iter().chain(mail))
    }

    /// Names a login ID that no account has, when a wrong login under it is counted.
    pub fn shadow(&self, login_id: &str) -> [u8; 32] {
        let login_id = login_id.to_lowercase();
        keyed(&self.0, [&b"shadow"[..], login_id.as_bytes()])
    }

    /// Names all credentials of the account in their present state, for the account web; unlike
    /// [`Credentials::version`](crate::account::credential::Credentials::version) the same after a restart.
    pub(super) fn credentials(
        &self,
        account: &Account,
        passwords: &Passwords,
        now: Timestamp,
    ) -> [u8; 32] {
        let asked_for = account.profile.doors(now).web;
        credential::version(&self.0, account, passwords, asked_for)
    }

    /// What a form carries that was made for the browser with this cookie.
    pub(super) fn csrf(&self, cookie: &str) -> [u8; 32] {
        keyed(&self.0, [&b"csrf"[..], cookie.as_bytes()])
    }

    /// What resets of passwords are made of, and named by; `purpose` keeps one thing apart from another.
    pub(super) fn reset<'a>(
        &self,
        purpose: &'a str,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> [u8; 32] {
        let purpose = [&b"reset"[..], purpose.as_bytes()];
        keyed(&self.0, purpose.into_iter().chain(pieces))
    }

    /// What is stored of the code that was mailed to `address`, which `account` wants as a sender.
    pub(super) fn sender_code(&self, account: &str, address: &str, code: &str) -> [u8; 32] {
        let pieces = ["sender", account, address, code];
        keyed(&self.0, pieces.map(str::as_bytes))
    }

    /// Salt and iterations for a SCRAM login ID that has none: for one login ID always the same, so
    /// that nobody learns by asking twice (RFC 5802 section 9).
    pub fn made_up_salt(&self, login_id: &str) -> (Vec<u8>, u32) {
        let login_id = login_id.to_lowercase();
        let mut salt = keyed(&self.0, [&b"scram-salt"[..], login_id.as_bytes()]).to_vec();
        salt.truncate(ScramVerifier::SALT_BYTES);
        (salt, ScramVerifier::ITERATIONS)
    }
}

/// What counting a wrong password came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// This mail had been counted before.
    Before,
    /// The account was locked already; nothing changed.
    WhileLocked,
    /// It was counted.
    Now,
    /// It was counted, and it locked the account.
    Locks,
}

/// A wrong password, as it is counted.
#[derive(Clone, Debug)]
pub struct Strike {
    /// The account's id.
    pub account: String,
    /// Where its notices go.
    pub email: Option<String>,
    /// The rule in force.
    pub rule: LockRule,
    /// Names the mail; see [`InstallationKey::strike_identity`].
    pub identity: [u8; 32],
    /// The door: `mail` or `smtp-auth`.
    pub door: &'static str,
    /// The client's address, for the notice.
    pub peer: String,
    /// How far the sender of a mail was believed, for the notice; `None` at a login.
    pub tier: Option<TrustTier>,
    /// What it counts towards locking.
    pub reach: Reach,
    /// Host name in Message-IDs.
    pub host: String,
    /// When the password came.
    pub now: Timestamp,
}

/// Whether this mail has been counted within the last day.
///
/// # Errors
/// [`StorageError`].
pub fn is_counted(
    tx: &mut dyn Transaction,
    identity: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StorageError> {
    accounts::is_counted(tx, identity, day_before(now))
}

/// Counts a wrong password; the one that locks writes the lock notice along with it.
///
/// # Errors
/// [`StorageError`]; then nothing was counted and the door must refuse for now (promise P6).
pub fn count(
    tx: &mut dyn Transaction,
    ids: &Ids,
    strike: &Strike,
) -> Result<Counted, StorageError> {
    let now = strike.now;
    if accounts::is_counted(tx, &strike.identity, day_before(now))? {
        return Ok(Counted::Before);
    }
    let locks = accounts::locks(tx, &strike.account)?;
    let before = locks.of(strike.reach);
    if locks.everything.is_locked(now) || before.is_locked(now) {
        return Ok(Counted::WhileLocked);
    }
    let after = before.after_wrong_password(&strike.rule, now);
    accounts::set_strikes(tx, &strike.account, strike.reach, &after)?;
    accounts::count_identity(tx, &strike.identity, &strike.account, now, day_before(now))?;
    let mut log = Log::new(tx, ids, now);
    let from = (strike.door, strike.peer.as_str());
    log.struck(&strike.account, from, strike.tier, after.count)?;
    let Some(until) = after.locked_until else {
        return Ok(Counted::Now);
    };
    log.locked(&strike.account, from, strike.reach, until)?;
    add_notice(tx, ids, strike, until)?;
    let door = strike.door;
    tx.after_commit(Box::new(move || {
        metrics::counter!("faxgate_account_locks_total", "door" => door).increment(1);
    }));
    Ok(Counted::Locks)
}

/// A right password: earlier wrong ones of this counter are forgotten. Whether the account is open to a
/// sender of this tier.
///
/// Those of the other counter stay: strangers must not guess on because the owner goes on working. Nor is
/// a lock forgotten that began meanwhile.
///
/// # Errors
/// [`StorageError`].
pub fn forgive(
    tx: &mut dyn Transaction,
    account: &str,
    (tier, reach): (TrustTier, Reach),
    now: Timestamp,
) -> Result<bool, StorageError> {
    if accounts::locks(tx, account)?.stop(tier, now) {
        return Ok(false);
    }
    accounts::clear_strikes(tx, account, reach)?;
    Ok(true)
}

/// Locks an account by hand, as if the last strike had come now. No notice is sent.
///
/// # Errors
/// [`StorageError`].
pub fn lock(
    tx: &mut dyn Transaction,
    ids: &Ids,
    account: &str,
    rule: &LockRule,
    now: Timestamp,
) -> Result<Timestamp, StorageError> {
    let until = rule.end(now);
    let strikes = Strikes {
        count: rule.strikes,
        first_at: now,
        locked_until: Some(until),
    };
    accounts::set_strikes(tx, account, Reach::Everything, &strikes)?;
    Log::new(tx, ids, now).locked(account, ("command", ""), Reach::Everything, until)?;
    Ok(until)
}

/// Unlocks an account by hand; what was held for it goes out at once.
///
/// # Errors
/// [`StorageError`].
pub fn unlock(
    tx: &mut dyn Transaction,
    ids: &Ids,
    account: &str,
    reason: &str,
    now: Timestamp,
) -> Result<usize, StorageError> {
    for reach in [Reach::Everything, Reach::Unproven] {
        accounts::clear_strikes(tx, account, reach)?;
    }
    Log::new(tx, ids, now).unlocked(account, reason)?;
    outbox::release(tx, account, now)
}

fn add_notice(
    tx: &mut dyn Transaction,
    ids: &Ids,
    strike: &Strike,
    until: Timestamp,
) -> Result<(), StorageError> {
    let Some(email) = &strike.email else {
        return Ok(());
    };
    let id = ids.next(strike.now);
    let payload = serde_json::json!({
        "door": strike.door,
        "peer": strike.peer,
        "tier": strike.tier.map_or("", TrustTier::as_str),
        "reach": strike.reach.as_str(),
        "strikes": strike.rule.strikes,
        "until": until.as_ms(),
    });
    outbox::add(
        tx,
        &MailRow {
            id,
            kind: Kind::Lock,
            dedup: format!("lock:{}:{id}", strike.account),
            account: strike.account.clone(),
            subject_id: id,
            recipient: email.clone(),
            payload: payload.to_string(),
            message_id: format!("<lock.{id}@{}>", strike.host),
            gated: false,
            attempts: 0,
            created_at: strike.now,
        },
    )
}

fn day_before(now: Timestamp) -> Timestamp {
    Timestamp::from_ms(now.as_ms().saturating_sub(COUNTED_ONCE_MS))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::storage::Store;
    use crate::storage::tests::scratch;

    fn strike(identity: u8, now: i64) -> Strike {
        let hour = Duration::from_secs(3600);
        Strike {
            account: "tanaka".into(),
            email: Some("tanaka@customer.example".into()),
            rule: LockRule {
                strikes: 3,
                within: hour,
                lasts: hour,
            },
            identity: [identity; 32],
            door: "mail",
            peer: "192.0.2.1".into(),
            tier: Some(TrustTier::Unverified),
            reach: Reach::Everything,
            host: "fax.example".into(),
            now: Timestamp::from_ms(now),
        }
    }

    #[tokio::test]
    async fn c3_three_different_mails_lock_and_send_one_notice() {
        let (_dir, store) = scratch();
        let mut seen = Vec::new();
        for (identity, now) in [(1, 1_000), (1, 2_000), (2, 3_000), (3, 4_000), (4, 5_000)] {
            let (this, strike) = (store.clone(), strike(identity, now));
            seen.push(
                store
                    .write(move |tx| count(tx, this.ids(), &strike))
                    .await
                    .unwrap(),
            );
        }
        let expected = [
            Counted::Now,
            Counted::Before,
            Counted::Now,
            Counted::Locks,
            Counted::WhileLocked,
        ];
        assert_eq!(seen, expected);
        let now = Timestamp::from_ms(10_000);
        let mails = store
            .write(move |tx| outbox::claim(tx, now, now, 10))
            .await
            .unwrap();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].kind, Kind::Lock);
    }

    #[tokio::test]
    async fn strikes_of_strangers_and_of_proven_senders_are_counted_apart() {
        let (_dir, store) = scratch();
        let mut seen = Vec::new();
        for (identity, reach) in [
            (1, Reach::Unproven),
            (2, Reach::Unproven),
            (3, Reach::Everything),
            (4, Reach::Unproven),
            (5, Reach::Unproven),
            (6, Reach::Everything),
            (7, Reach::Everything),
            (8, Reach::Unproven),
        ] {
            let this = store.clone();
            let strike = Strike {
                reach,
                ..strike(identity, 1_000)
            };
            let counted = store.write(move |tx| count(tx, this.ids(), &strike));
            seen.push(counted.await.unwrap());
        }
        use Counted::Locks;
        use Counted::Now;
        use Counted::WhileLocked;
        assert_eq!(
            seen,
            [Now, Now, Now, Locks, WhileLocked, Now, Locks, WhileLocked]
        );
        let now = Timestamp::from_ms(2_000);
        let locks = |store: &Store| store.read_here(|tx| accounts::locks(tx, "tanaka")).unwrap();
        assert!(locks(&store).everything.is_locked(now) && locks(&store).unproven.is_locked(now));
        let who = (TrustTier::Proven, Reach::Everything);
        let too_early = store.write(move |tx| forgive(tx, "tanaka", who, now));
        assert!(!too_early.await.unwrap(), "a lock is not forgiven");
        let after = Timestamp::from_ms(1_000 + 3_600_000);
        let forgiven = store.write(move |tx| forgive(tx, "tanaka", who, after));
        assert!(forgiven.await.unwrap());
        assert!(!locks(&store).everything.is_locked(now) && locks(&store).unproven.is_locked(now));
        let this = store.clone();
        let unlocked = store.write(move |tx| unlock(tx, this.ids(), "tanaka", "asked", now));
        unlocked.await.unwrap();
        assert_eq!(locks(&store), crate::lock::Locks::default());
    }

    #[tokio::test]
    async fn parallel_strikes_lock_exactly_once() {
        let (_dir, store) = scratch();
        let store = std::sync::Arc::new(store);
        let tasks = (0..50).map(|n| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let (this, strike) = (Store::clone(&store), strike(n, 1_000));
                store
                    .write(move |tx| count(tx, this.ids(), &strike))
                    .await
                    .unwrap()
            })
        });
        let mut results = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            results.push(task.await.unwrap());
        }
        let of = |what| results.iter().filter(|r| **r == what).count();
        assert_eq!(
            (
                of(Counted::Now),
                of(Counted::Locks),
                of(Counted::WhileLocked)
            ),
            (2, 1, 47)
        );
    }

    #[test]
    fn the_installation_key_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let first = InstallationKey::load_or_create(dir.path()).unwrap();
        let second = InstallationKey::load_or_create(dir.path()).unwrap();
        assert_eq!(first.0, second.0);
        let mode = std::fs::metadata(dir.path().join("installation.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join("installation.key"), b"short").unwrap();
        assert!(InstallationKey::load_or_create(dir.path()).is_err());
    }
}
