//! A person at the login page, who is told of a lock: under the same lock as every other door, and under
//! a shadow of it where nobody has the login ID.

use crate::account::directory::Directory;
use crate::authenticate::Authenticator;
use crate::authenticate::login::LoggedIn;
use crate::authenticate::login::LoginDoor;
use crate::authenticate::unavailable;
use crate::config::Account;
use crate::lock::Use;
use crate::refusal::Refusal;
use crate::smtp::Login;
use crate::smtp::TrustTier;
use crate::storage::shadows;
use crate::time::Timestamp;

/// Why a person is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Checks queue for too long; nothing was checked and nothing counted.
    Busy,
    /// Locked until then, by this login or before it; so is a login ID that nobody has.
    Locked(Timestamp),
    /// Storage did not keep what it must; nothing was counted (promise P6).
    Storage,
    /// Not this login ID with this password.
    Wrong,
}

impl Authenticator {
    /// Who it is.
    ///
    /// Unlike other doors this one says that a lock stands, so it must say it of login IDs that nobody has
    /// after as many wrong logins (promise P7).
    ///
    /// # Errors
    /// [`TurnedAway`] says why not.
    pub async fn person(
        &self,
        login: &Login,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<LoggedIn, TurnedAway> {
        if let Some(account) = directory.by_login_id(&login.login_id) {
            self.settle_temporary(login, account, now).await?;
        }
        match self.login_at(LoginDoor::Web, login, directory, now).await {
            Ok(logged_in) => return Ok(logged_in),
            Err(Refusal::Busy) => return Err(TurnedAway::Busy),
            Err(Refusal::NotAuthenticated) => {}
            Err(
                Refusal::Storage
                | Refusal::AutomaticMail
                | Refusal::Forged
                | Refusal::Malformed(_)
                | Refusal::NoSuchList
                | Refusal::Number(_)
                | Refusal::TooMany
                | Refusal::Undecided
                | Refusal::UnknownOption(_),
            ) => return Err(TurnedAway::Storage),
        }
        let account = directory.by_login_id(&login.login_id);
        let account = account.filter(|known| known.hash(LoginDoor::Web.kind(known, now)).is_some());
        let until = match account {
            Some(account) => self.locked_until(account, now)?,
            None => self.shadowed_until(&login.login_id, directory, now).await?,
        };
        Err(until.map_or(TurnedAway::Wrong, TurnedAway::Locked))
    }

    /// The end of the lock that stops logins.
    ///
    /// # Errors
    /// [`TurnedAway::Storage`].
    pub fn locked_until(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, TurnedAway> {
        let locks = self.locks(account).map_err(|_| TurnedAway::Storage)?;
        let stops = Use::LogIn.stops_while_locked() && locks.stop(TrustTier::Proven, now);
        Ok(locks.everything.locked_until.filter(|_| stops))
    }

    async fn shadowed_until(
        &self,
        login_id: &str,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, TurnedAway> {
        let Some(usual) = directory.usual_lock() else {
            // No account at all: there is nobody to tell apart from.
            return Ok(None);
        };
        let (identity, rule) = (self.key.shadow(login_id), self.lock.over(&usual));
        let struck = self
            .store
            .write(move |tx| shadows::strike(tx, &identity, &rule, now));
        let strikes = struck.await.map_err(|error| {
            unavailable(&error);
            TurnedAway::Storage
        })?;
        Ok(strikes.locked_until.filter(|_| strikes.is_locked(now)))
    }
}
