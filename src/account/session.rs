//! Sessions of people in the account web, and the tokens of their forms.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::account::credential::Passwords;
use crate::account::directory::Directory;
use crate::account::lockout::InstallationKey;
use crate::config::Account;
use crate::record::Log;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::sessions;
use crate::storage::sessions::SessionRow;
use crate::time::Timestamp;

/// 256 random bits that a browser keeps in a cookie: whoever has them is who got them. Never shown, never
/// stored; storage knows their hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(String);

/// Hexadecimal digits of a cookie.
const DIGITS: usize = 64;

impl Cookie {
    /// A new one; `None` if the system has no randomness.
    pub fn random() -> Option<Self> {
        let mut bits = [0; DIGITS / 2];
        getrandom::fill(&mut bits).ok()?;
        Some(Self(hex(&bits)))
    }

    /// The one that a browser sends; `None` if it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        let fits = text.len() == DIGITS && text.bytes().all(is_digit);
        fits.then(|| Self(text.to_owned()))
    }

    /// Its text, for the browser that it is made for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(…)")
    }
}

/// Opens, finds and ends sessions.
pub struct Sessions {
    /// Durable state.
    pub store: Store,
    /// Names credentials, and forms.
    pub key: InstallationKey,
    /// A session ends when it was not used in this time.
    pub idle: Duration,
    /// A session ends this long after it was opened.
    pub lasts: Duration,
}

/// A session that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whose it is.
    pub account: Arc<Account>,
    /// When its password was last typed.
    pub proved_at: Timestamp,
    /// The passwords of the account that are in force.
    pub passwords: Passwords,
}

/// An open session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Whether it is the one that asks.
    pub is_own: bool,
    /// The client's address at login.
    pub peer: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was last seen, within a part of the idle limit.
    pub seen_at: Timestamp,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The system has no randomness.
    #[error("the system has no randomness")]
    NoRandomness,
    /// It could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Sessions {
    /// Opens a session for `account`, which has just been proved while these `passwords` were in force: if any of
    /// them was changed meanwhile, the session has ended already. Always under a new cookie, so that nobody can
    /// have planted it.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub async fn open(
        &self,
        account: &Account,
        passwords: &Passwords,
        peer: String,
        now: Timestamp,
    ) -> Result<Cookie, NotOpened> {
        let cookie = Cookie::random().ok_or(NotOpened::NoRandomness)?;
        let row = SessionRow {
            name: sessions::name_of(cookie.expose()),
            account: account.id.clone(),
            credentials: self.key.credentials(account, passwords, now),
            peer,
            opened_at: now,
            seen_at: now,
            proved_at: now,
        };
        let (store, idle_since) = (self.store.clone(), now.minus(self.idle));
        let opened = self.store.write(move |tx| {
            sessions::open(tx, &row, idle_since)?;
            Log::new(tx, store.ids(), now).logged_in(&row.account, &row.peer)
        });
        opened.await?;
        Ok(cookie)
    }

    /// Whose session it is, as long as the account has the credentials that opened it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn find(
        &self,
        cookie: &Cookie,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Option<Found>, StorageError> {
        self.look(cookie, directory, now, true).await
    }

    /// The same for what a browser asks by itself, which does not count as use: it keeps nobody logged in.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn find_unused(
        &self,
        cookie: &Cookie,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Option<Found>, StorageError> {
        self.look(cookie, directory, now, false).await
    }

    async fn look(
        &self,
        cookie: &Cookie,
        directory: &Directory,
        now: Timestamp,
        is_use: bool,
    ) -> Result<Option<Found>, StorageError> {
        let name = sessions::name_of(cookie.expose());
        let limits = (self.idle, self.lasts);
        let found = self.store.read_here(|tx| {
            let Some(row) = sessions::find(tx, &name, limits, now)? else {
                return Ok(None);
            };
            let Some(account) = directory.by_id(&row.account) else {
                return Ok(Some((row, None)));
            };
            let passwords = Passwords::read(tx, account)?;
            let credentials = self.key.credentials(account, &passwords, now);
            let same: bool = credentials.ct_eq(&row.credentials).into();
            Ok(Some((row, same.then_some((account, passwords)))))
        })?;
        let Some((row, in_force)) = found else {
            return Ok(None);
        };
        let Some((account, passwords)) = in_force else {
            self.store.write(move |tx| sessions::end(tx, &name)).await?;
            return Ok(None);
        };
        // Not at every request: a look at a page must not cost a write to the disk.
        if is_use && now.since(row.seen_at) >= self.idle / 20 {
            self.store
                .write(move |tx| sessions::seen(tx, &name, now))
                .await?;
        }
        Ok(Some(Found {
            account: Arc::clone(account),
            proved_at: row.proved_at,
            passwords,
        }))
    }

    /// Whether the session with this cookie goes on, without its being used: what a browser does by itself keeps
    /// nobody logged in.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn goes_on(
        &self,
        cookie: &Cookie,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let name = sessions::name_of(cookie.expose());
        let limits = (self.idle, self.lasts);
        self.store.read_here(|tx| {
            let Some(row) = sessions::find(tx, &name, limits, now)? else {
                return Ok(false);
            };
            let Some(account) = directory.by_id(&row.account) else {
                return Ok(false);
            };
            let passwords = Passwords::read(tx, account)?;
            let credentials = self.key.credentials(account, &passwords, now);
            Ok(credentials.ct_eq(&row.credentials).into())
        })
    }

    /// The password of the session with this cookie was typed again.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn proved(&self, cookie: &Cookie, now: Timestamp) -> Result<(), StorageError> {
        let name = sessions::name_of(cookie.expose());
        self.store
            .write(move |tx| sessions::proved(tx, &name, now))
            .await
    }

    /// The open sessions of `account`, the newest first; `cookie` says which of them asks.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn list(
        &self,
        account: &Account,
        cookie: &Cookie,
        now: Timestamp,
    ) -> Result<Vec<Open>, StorageError> {
        let limits = (self.idle, self.lasts);
        let read = self.store.read_here(|tx| {
            let rows = sessions::of_account(tx, &account.id, limits, now)?;
            Ok((rows, Passwords::read(tx, account)?))
        });
        let (rows, passwords) = read?;
        let (own, credentials) = (
            sessions::name_of(cookie.expose()),
            self.key.credentials(account, &passwords, now),
        );
        let in_force = rows
            .into_iter()
            .filter(|row| row.credentials == credentials);
        let open = in_force.map(|row| Open {
            is_own: row.name == own,
            peer: row.peer,
            opened_at: row.opened_at,
            seen_at: row.seen_at,
        });
        Ok(open.collect())
    }

    /// Ends a session, if there is one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn end(&self, cookie: &Cookie, now: Timestamp) -> Result<(), StorageError> {
        let (store, name) = (self.store.clone(), sessions::name_of(cookie.expose()));
        let limits = (self.idle, self.lasts);
        let ended = self.store.write(move |tx| {
            let Some(row) = sessions::find(tx, &name, limits, now)? else {
                return Ok(());
            };
            sessions::end(tx, &name)?;
            Log::new(tx, store.ids(), now).logged_out(&row.account, 1)
        });
        ended.await
    }

    /// Ends all sessions of `account` but the one with this cookie.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn end_others(
        &self,
        account: &Account,
        cookie: &Cookie,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let (store, id) = (self.store.clone(), account.id.clone());
        let name = sessions::name_of(cookie.expose());
        let ended = self.store.write(move |tx| {
            let count = sessions::end_others(tx, &id, &name)?;
            Log::new(tx, store.ids(), now).logged_out(&id, count)
        });
        ended.await
    }

    /// What a form carries that is made for the browser with this cookie: another site can have a browser
    /// send the cookie, but cannot know this.
    pub fn csrf(&self, cookie: &Cookie) -> String {
        hex(&self.key.csrf(cookie.expose()))
    }

    /// Whether a form was made for the browser with this cookie.
    pub fn is_csrf(&self, cookie: &Cookie, given: &str) -> bool {
        let expected = self.csrf(cookie);
        expected.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::credential;
    use crate::config::Accounts;
    use crate::config::Config;
    use crate::secret::Secret;
    use crate::storage::tests::scratch;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    fn directory(password: &str) -> Directory {
        let folder = tempfile::tempdir().unwrap();
        let hash = credential::hash(&Secret::new(password.into())).unwrap();
        let text = format!(
            "[[account]]\nid = \"tanaka\"\nsenders = [\"t@x.example\"]\npassword = \"{hash}\"\n"
        );
        std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
        let main = folder.path().join("faxgate.toml");
        Directory::new(&Accounts::load(&main, &Config::default()).unwrap())
    }

    fn sessions(store: &Store, folder: &std::path::Path) -> Sessions {
        Sessions {
            store: store.clone(),
            key: InstallationKey::load_or_create(folder).unwrap(),
            idle: Duration::from_secs(1800),
            lasts: Duration::from_secs(36_000),
        }
    }

    async fn opened(sessions: &Sessions, account: &Account) -> Cookie {
        let read = sessions.store.read_here(|tx| Passwords::read(tx, account));
        let passwords = read.unwrap();
        let opened = sessions.open(account, &passwords, "::1".into(), NOW);
        opened.await.unwrap()
    }

    async fn is_open(sessions: &Sessions, cookie: &Cookie, directory: &Directory) -> bool {
        let found = sessions.find(cookie, directory, NOW).await;
        found.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_session_lasts_over_a_restart_until_it_is_ended() {
        let (folder, store) = scratch();
        let directory = directory("kaki8sample");
        let account = directory.by_id("tanaka").unwrap();
        let cookie = opened(&sessions(&store, folder.path()), account).await;
        let again = sessions(&store, folder.path());
        assert!(is_open(&again, &cookie, &directory).await);
        let stranger = Cookie::random().unwrap();
        assert!(!is_open(&again, &stranger, &directory).await);
        again.end(&cookie, NOW).await.unwrap();
        assert!(!is_open(&again, &cookie, &directory).await);
    }

    #[tokio::test]
    async fn what_a_browser_asks_by_itself_keeps_nobody_logged_in() {
        let (folder, store) = scratch();
        let directory = directory("kaki8sample");
        let account = directory.by_id("tanaka").unwrap();
        let sessions = sessions(&store, folder.path());
        let minute = |n: u32| NOW.plus(Duration::from_secs(60) * n);
        for (is_use, is_open_later) in [(true, true), (false, false)] {
            let cookie = opened(&sessions, account).await;
            let found = match is_use {
                true => sessions.find(&cookie, &directory, minute(20)).await,
                false => sessions.find_unused(&cookie, &directory, minute(20)).await,
            };
            assert!(found.unwrap().is_some());
            let later = sessions.find(&cookie, &directory, minute(31)).await;
            assert_eq!(later.unwrap().is_some(), is_open_later);
        }
    }

    #[tokio::test]
    async fn i7_other_credentials_end_a_session_for_good() {
        let (folder, store) = scratch();
        let before = directory("kaki8sample");
        let account = before.by_id("tanaka").unwrap();
        let sessions = sessions(&store, folder.path());
        let cookie = opened(&sessions, account).await;
        assert!(!is_open(&sessions, &cookie, &directory("kaki9sample")).await);
        assert!(!is_open(&sessions, &cookie, &before).await, "for good");
    }

    #[tokio::test]
    async fn a_form_belongs_to_one_cookie() {
        let (folder, store) = scratch();
        let sessions = sessions(&store, folder.path());
        let (a, b) = (Cookie::random().unwrap(), Cookie::random().unwrap());
        assert!(sessions.is_csrf(&a, &sessions.csrf(&a)));
        for wrong in [sessions.csrf(&b), String::new(), a.expose().to_owned()] {
            assert!(!sessions.is_csrf(&a, &wrong));
        }
        assert!(!format!("{a:?}").contains(a.expose()));
    }

    #[test]
    fn a_cookie_is_sixty_four_hexadecimal_digits() {
        let cookie = Cookie::random().unwrap();
        assert_eq!(Cookie::parse(cookie.expose()), Some(cookie.clone()));
        for bad in [
            "",
            "a",
            &cookie.expose().replace(|_| true, "A"),
            &"é".repeat(32),
        ] {
            assert_eq!(Cookie::parse(bad), None, "{bad}");
        }
    }
}
