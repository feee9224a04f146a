//! A temporary password at the login of a person (row W3): it becomes the password when it is first used.

use std::sync::Arc;

use crate::account::credential;
use crate::account::reset;
use crate::account::reset::temporary;
use crate::account::reset::temporary::Due;
use crate::authenticate::Authenticator;
use crate::authenticate::person::TurnedAway;
use crate::authenticate::unavailable;
use crate::config::Account;
use crate::secret::Secret;
use crate::smtp::Login;
use crate::smtp::LoginProof;
use crate::time::Timestamp;

impl Authenticator {
    /// Makes the temporary password of this login the account's, or ends one whose time is over; then the login
    /// is judged like every other. That this takes longer is hidden by the door's fixed time.
    pub(super) async fn settle_temporary(
        &self,
        login: &Login,
        account: &Arc<Account>,
        now: Timestamp,
    ) -> Result<(), TurnedAway> {
        let LoginProof::Password(password) = &login.proof else {
            return Ok(());
        };
        let read = self
            .store
            .read_here(|tx| temporary::due(tx, &self.key, account, password, now));
        let due = read.map_err(|error| {
            unavailable(&error);
            TurnedAway::Storage
        })?;
        let Some(due) = due else { return Ok(()) };
        let hashed = match due {
            Due::Take(_) => hash(password.clone()).await?,
            Due::End(_) => hash(unknown()?).await?,
        };
        let (store, key) = (self.store.clone(), self.key.clone());
        let (this, peer) = (Arc::clone(account), login.peer.to_string());
        let settled = self.store.write(move |tx| {
            let (who, what) = ((&*this, peer.as_str()), (&due, hashed.as_str()));
            temporary::settle(tx, store.ids(), &key, who, what, now)
        });
        let settled = settled.await.map_err(|error| {
            unavailable(&error);
            TurnedAway::Storage
        });
        settled.map(|_| ())
    }
}

/// A password that nobody knows.
fn unknown() -> Result<Secret, TurnedAway> {
    let bits = reset::nonce().ok_or(TurnedAway::Storage)?;
    let text = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(text))
}

async fn hash(password: Secret) -> Result<String, TurnedAway> {
    let work = tokio::task::spawn_blocking(move || credential::hash(&password));
    let hashed = work.await.map_err(|_| TurnedAway::Storage)?;
    hashed.map_err(|_| TurnedAway::Storage)
}
