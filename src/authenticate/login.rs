//! Logins at a door (SMTP AUTH): a login ID and its proof, under the same lock as every password.

use std::sync::Arc;

use crate::account::credential::Candidate;
use crate::account::directory::Directory;
use crate::authenticate::Authenticator;
use crate::authenticate::Guess;
use crate::config::Account;
use crate::lock::Use;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Login;
use crate::smtp::LoginProof;
use crate::smtp::ScramChallenge;
use crate::time::Timestamp;

/// A login that was proved.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Whose it is.
    pub account: Arc<Account>,
    /// What a SCRAM client is shown in return (`ServerSignature`).
    pub signature: Option<[u8; 32]>,
}

/// Why an account that has logged in may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The lock stops it, or the account is gone.
    Locked,
    /// The address is not one of its senders.
    ForeignSender,
    /// The lock could not be read.
    Storage,
}

/// The door's word in strikes, events and notices.
const DOOR: &str = "smtp-auth";

impl Authenticator {
    /// Whose login it is: locked first, then the proof. A wrong one is a strike in each session: Exim
    /// tries the same password by every mechanism in turn, which is one guess.
    ///
    /// # Errors
    /// [`Refusal::NotAuthenticated`] for everything a stranger must not tell apart,
    /// [`Refusal::Busy`] when checks queue for too long, [`Refusal::Storage`] when a wrong proof could
    /// not be counted (promise P6).
    pub async fn login(
        &self,
        login: &Login,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<LoggedIn, Refusal> {
        let candidate = match &login.proof {
            LoginProof::Password(password) => Candidate::Password(password),
            LoginProof::Scram { signed, proof } => Candidate::Scram { signed, proof },
        };
        let account = directory.by_login_id(&login.login_id);
        let Some(account) = account.filter(|account| candidate.can_be_of(account)) else {
            // Nobody's, or of an account without such a credential: nothing can be guessed here, so
            // nothing is counted; the work is the same.
            return Err(self.credentials.check_stranger(candidate).await);
        };
        if Use::LogIn.stops_while_locked() && self.is_locked(account, now)? {
            return Err(Refusal::NotAuthenticated);
        }
        let session = login.session_began_at.as_ms().to_le_bytes();
        let peer = login.peer.to_string();
        let proof: &[u8] = match &login.proof {
            LoginProof::Password(password) => password.expose().as_bytes(),
            // Never the same twice, as the nonce is part of what is signed.
            LoginProof::Scram { proof, .. } => proof,
        };
        let about = [DOOR.as_bytes(), &session[..], peer.as_bytes(), proof];
        let guess = Guess {
            candidate,
            identity: self.key.strike_identity(account, about),
            door: DOOR,
            peer,
            now,
        };
        let signature = self.check(account, &guess).await?;
        Ok(LoggedIn {
            account: Arc::clone(account),
            signature,
        })
    }

    /// What a SCRAM client is asked. For a login ID without a verifier it is made up, always the same.
    /// `None` if the system has no randomness.
    pub fn challenge(&self, login_id: &str, directory: &Directory) -> Option<ScramChallenge> {
        let mut nonce = [0; 18];
        getrandom::fill(&mut nonce).ok()?;
        let nonce = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let account = directory.by_login_id(login_id);
        let verifier = account.and_then(|account| account.scram.as_ref());
        let (salt, iterations) = match verifier {
            Some(verifier) => (verifier.salt.clone(), verifier.iterations),
            None => self.key.made_up_salt(login_id),
        };
        Some(ScramChallenge {
            nonce,
            salt,
            iterations,
        })
    }

    /// Judges a mail of an account that has logged in: not locked, and one of its senders.
    ///
    /// # Errors
    /// [`Stopped`] says why not.
    pub fn may_send_as(
        &self,
        account: &str,
        reverse_path: Option<&Address>,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<(), Stopped> {
        let account = directory.by_id(account).ok_or(Stopped::Locked)?;
        let locked = self.is_locked(account, now).map_err(|_| Stopped::Storage)?;
        if Use::LogIn.stops_while_locked() && locked {
            return Err(Stopped::Locked);
        }
        let owner = reverse_path.and_then(|address| directory.by_sender(address));
        match owner.is_some_and(|owner| owner.id == account.id) {
            true => Ok(()),
            false => Err(Stopped::ForeignSender),
        }
    }
}
