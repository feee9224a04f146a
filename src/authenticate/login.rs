//! Logins at a door (SMTP AUTH): a login ID and its proof, under the same lock as every password.

use std::sync::Arc;

use crate::account::certificate;
use crate::account::credential::Candidate;
use crate::account::credential::Passwords;
use crate::account::directory::Directory;
use crate::authenticate::Authenticator;
use crate::authenticate::Guess;
use crate::config::Account;
use crate::config::CredentialKind;
use crate::lock::Locks;
use crate::lock::Reach;
use crate::lock::Use;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Identity;
use crate::smtp::Login;
use crate::smtp::LoginProof;
use crate::smtp::ScramChallenge;
use crate::smtp::TrustTier;
use crate::time::Timestamp;

/// A login that was proved.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Whose it is.
    pub account: Arc<Account>,
    /// The passwords that were in force when it was proved: what it opens ends when one of them changes.
    pub passwords: Passwords,
    /// What a SCRAM client is shown in return (`ServerSignature`).
    pub signature: Option<[u8; 32]>,
}

/// Why an account that has logged in may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The account is gone, or has other credentials than those that proved the login.
    Changed,
    /// The lock stops it.
    Locked,
    /// The address is not one of its senders.
    ForeignSender,
    /// The lock could not be read.
    Storage,
}

/// A door at which one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginDoor {
    /// SMTP AUTH.
    Smtp,
    /// The account web.
    Web,
}

impl LoginDoor {
    /// Its word in strikes, events and notices.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp-auth",
            Self::Web => "web",
        }
    }

    /// The password of the account that it asks for at `now`.
    pub fn kind(self, account: &Account, now: Timestamp) -> CredentialKind {
        let doors = account.profile.doors(now);
        match self {
            Self::Smtp => doors.smtp,
            Self::Web => doors.web,
        }
    }
}

impl Authenticator {
    /// Whose login it is: locked first, then the proof. A wrong one is a strike, but the same wrong
    /// password again in one session is not another: programs fall back from PLAIN to LOGIN with it by
    /// themselves. (Proofs of SCRAM never repeat, so that each of them counts.)
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
        self.login_at(LoginDoor::Smtp, login, directory, now).await
    }

    /// The same at any door.
    ///
    /// # Errors
    /// As for [`Authenticator::login`].
    pub async fn login_at(
        &self,
        door: LoginDoor,
        login: &Login,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<LoggedIn, Refusal> {
        let account = directory.by_login_id(&login.login_id);
        let kind = account.map_or(CredentialKind::Password, |account| door.kind(account, now));
        let candidate = match &login.proof {
            LoginProof::Password(password) => Candidate::Password(kind, password),
            LoginProof::Scram { signed, proof } => Candidate::Scram {
                kind,
                signed,
                proof,
            },
            LoginProof::Certificate(certificate) => {
                return self.external(login, certificate, directory, now);
            }
        };
        let Some(account) = account.filter(|account| candidate.can_be_of(account)) else {
            // Nobody's, or of an account without such a credential: nothing can be guessed here, so
            // nothing is counted, and nothing is hashed either. A stranger with made-up login IDs
            // would take the turns of customers; the door answers at a fixed time, which hides that.
            return Err(Refusal::NotAuthenticated);
        };
        let passwords = self.passwords_of_open(account, now)?;
        let guess = Guess {
            candidate,
            identity: self.identity(door, login, account, &passwords.version(kind)),
            door: door.as_str(),
            peer: login.peer.to_string(),
            tier: None,
            // Whoever guesses here guesses at what proves a sender.
            reach: Reach::Everything,
            takes_initial: door == LoginDoor::Web,
            now,
        };
        let checked = self.check(account, &guess, passwords).await;
        let proved = checked.map_err(|(refusal, _)| refusal)?;
        Ok(LoggedIn {
            account: Arc::clone(account),
            passwords: proved.passwords,
            signature: proved.signature,
        })
    }

    /// A login by a certificate. It counts no strikes, because nobody guesses a certificate, and
    /// forgives none, because it proves nothing about the password.
    fn external(
        &self,
        login: &Login,
        certificate: &[u8],
        directory: &Directory,
        now: Timestamp,
    ) -> Result<LoggedIn, Refusal> {
        let account = directory.by_certificate(&certificate::fingerprint(certificate));
        let asked = login.login_id.to_lowercase();
        let own =
            |account: &&Arc<Account>| asked.is_empty() || account.login_id.to_lowercase() == asked;
        let account = account.filter(own).ok_or(Refusal::NotAuthenticated)?;
        Ok(LoggedIn {
            passwords: self.passwords_of_open(account, now)?,
            account: Arc::clone(account),
            signature: None,
        })
    }

    /// What a wrong login is counted under: never stored but as an HMAC (promise P4).
    fn identity(
        &self,
        door: LoginDoor,
        login: &Login,
        account: &Account,
        version: &[u8; 32],
    ) -> [u8; 32] {
        let session = login.session.to_le_bytes();
        let (signed, proof) = match &login.proof {
            LoginProof::Password(password) => ("password", password.expose().as_bytes()),
            LoginProof::Scram { signed, proof } => (signed.as_str(), &proof[..]),
            LoginProof::Certificate(certificate) => ("certificate", &certificate[..]),
        };
        let about = [door.as_str().as_bytes(), &session, signed.as_bytes(), proof];
        self.key.strike_identity(account, version, about)
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

    /// What a session that a login opens keeps of it: of what was in force when it was proved.
    pub fn identity_of(&self, logged_in: &LoggedIn, now: Timestamp) -> Identity {
        self.named(&logged_in.account, &logged_in.passwords, now)
    }

    /// What a session keeps that a certificate opened; `None` if storage does not answer.
    pub fn identity_of_holder(&self, account: &Account, now: Timestamp) -> Option<Identity> {
        let (_, passwords) = self.state(account).ok()?;
        Some(self.named(account, &passwords, now))
    }

    /// What names `account` and these credentials of it.
    pub(super) fn named(
        &self,
        account: &Account,
        passwords: &Passwords,
        now: Timestamp,
    ) -> Identity {
        Identity {
            account: account.id.clone(),
            credentials: self.credentials.version(account, passwords, now),
        }
    }

    /// Judges a mail of an account that has logged in: by the credentials that are in force, not locked,
    /// and one of its senders.
    ///
    /// # Errors
    /// [`Stopped`] says why not.
    pub fn may_send_as(
        &self,
        identity: &Identity,
        reverse_path: Option<&Address>,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<(), Stopped> {
        let account = directory.by_id(&identity.account).ok_or(Stopped::Changed)?;
        let (locks, passwords) = self.state(account).map_err(|_| Stopped::Storage)?;
        if self.named(account, &passwords, now) != *identity {
            return Err(Stopped::Changed);
        }
        if stop_logins(&locks, now) {
            return Err(Stopped::Locked);
        }
        let owner = reverse_path.and_then(|address| directory.by_sender(address));
        match owner.is_some_and(|owner| owner.id == account.id) {
            true => Ok(()),
            false => Err(Stopped::ForeignSender),
        }
    }

    /// The passwords in force of an account that no lock stops from logging in.
    fn passwords_of_open(&self, account: &Account, now: Timestamp) -> Result<Passwords, Refusal> {
        let (locks, passwords) = self.state(account).map_err(|(refusal, _)| refusal)?;
        match stop_logins(&locks, now) {
            true => Err(Refusal::NotAuthenticated),
            false => Ok(passwords),
        }
    }
}

/// Whether a lock stops logins: one that stops proven senders too.
fn stop_logins(locks: &Locks, now: Timestamp) -> bool {
    Use::LogIn.stops_while_locked() && locks.stop(TrustTier::Proven, now)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::account::credential;
    use crate::account::credential::Credentials;
    use crate::account::lockout::InstallationKey;
    use crate::account::scram;
    use crate::config::Accounts;
    use crate::config::Config;
    use crate::config::LockOverride;
    use crate::config::ScramVerifier;
    use crate::secret::Secret;
    use crate::storage::tests::scratch;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    struct Scene {
        authenticator: Authenticator,
        directory: Directory,
        _folder: tempfile::TempDir,
    }

    /// One account, `tanaka`; a check that has no place at once is given up.
    fn scene() -> Scene {
        let (folder, store) = scratch();
        let password = Secret::new("kaki8sample".into());
        let text = format!(
            "[[account]]\nid = \"tanaka\"\nsenders = [\"tanaka@customer.example\"]\n\
             password = \"{}\"\nscram = \"{}\"\n",
            credential::hash(&password).unwrap(),
            scram::verifier(&password).unwrap().text()
        );
        std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
        let main = folder.path().join("faxgate.toml");
        let accounts = Accounts::load(Path::new(&main), &Config::default()).unwrap();
        Scene {
            authenticator: Authenticator {
                store,
                credentials: Credentials::new([7; 32], 1, Duration::ZERO),
                key: InstallationKey::load_or_create(folder.path()).unwrap(),
                lock: LockOverride::default(),
                unproven_reach: Reach::default(),
                relays: Vec::new(),
                host: "fax.example".into(),
            },
            directory: Directory::new(&accounts),
            _folder: folder,
        }
    }

    fn login(login_id: &str, password: &str, session: u64) -> Login {
        Login {
            login_id: login_id.into(),
            proof: LoginProof::Password(Secret::new(password.into())),
            session,
            peer: "192.0.2.1".parse().unwrap(),
            received_at: NOW,
        }
    }

    async fn strikes_after(scene: &Scene, logins: &[(&str, u64)]) -> u32 {
        for (password, session) in logins {
            let login = login("tanaka", password, *session);
            let judged = scene.authenticator.login(&login, &scene.directory, NOW);
            assert_eq!(judged.await.err(), Some(Refusal::NotAuthenticated));
        }
        let store = &scene.authenticator.store;
        let locks = store.read(|tx| crate::storage::accounts::locks(tx, "tanaka"));
        locks.await.unwrap().everything.count
    }

    #[tokio::test]
    async fn a_login_id_that_nobody_has_takes_no_turn_of_a_customer() {
        let scene = scene();
        let account = scene.directory.by_id("tanaka").unwrap();
        let held = scene.authenticator.credentials.turn(account).await;
        assert!(held.is_some(), "all turns are taken");
        for (login_id, refusal) in [
            ("nobody", Refusal::NotAuthenticated),
            ("tanaka", Refusal::Busy),
        ] {
            let login = login(login_id, "kaki8wrong", 1);
            let judged = scene.authenticator.login(&login, &scene.directory, NOW);
            assert_eq!(judged.await.err(), Some(refusal), "{login_id}");
        }
    }

    #[tokio::test]
    async fn a_change_ends_what_the_password_before_was_coming_to() {
        let scene = scene();
        let account = scene.directory.by_id("tanaka").unwrap();
        let (authenticator, kind) = (&scene.authenticator, CredentialKind::Password);
        let login = login("tanaka", "kaki8sample", 1);
        let before = authenticator
            .login(&login, &scene.directory, NOW)
            .await
            .unwrap();
        let unchanged = || authenticator.is_unchanged(account, kind, &before.passwords);
        assert!(unchanged().is_ok());
        let identity = authenticator.identity_of(&before, NOW);
        let path = Address::parse("tanaka@customer.example");
        let sends = || authenticator.may_send_as(&identity, path.as_ref(), &scene.directory, NOW);
        assert_eq!(sends(), Ok(()));
        let (this, hash) = (
            Arc::clone(account),
            credential::hash(&Secret::new("ringo9tree".into())),
        );
        let hash = hash.unwrap();
        let change = authenticator
            .store
            .write(move |tx| credential::change(tx, &this, kind, &hash, false, NOW));
        change.await.unwrap();
        assert_eq!(
            unchanged().err().map(|(refusal, _)| refusal),
            Some(Refusal::Busy)
        );
        assert_eq!(sends(), Err(Stopped::Changed));
        let again = authenticator.login(&login, &scene.directory, NOW).await;
        assert_eq!(
            again.err(),
            Some(Refusal::NotAuthenticated),
            "remembered no more"
        );
    }

    #[tokio::test]
    async fn i7_a_verifier_of_the_password_before_proves_nothing_more() {
        let scene = scene();
        let account = scene.directory.by_id("tanaka").unwrap();
        let (store, kind) = (&scene.authenticator.store, CredentialKind::Password);
        let keeps = || {
            let read = store.read_here(|tx| Passwords::read(tx, account));
            read.unwrap().keep_scram(kind)
        };
        assert!(keeps());
        let this = Arc::clone(account);
        let change = store.write(move |tx| credential::change(tx, &this, kind, "x", false, NOW));
        change.await.unwrap();
        assert!(!keeps());
    }

    #[tokio::test]
    async fn the_same_wrong_password_in_one_session_is_one_strike() {
        let twice = [("kaki8wrong", 1), ("kaki8wrong", 1)];
        assert_eq!(strikes_after(&scene(), &twice).await, 1);
    }

    #[tokio::test]
    async fn other_passwords_and_other_sessions_are_strikes_of_their_own() {
        let two_passwords = [("kaki8wrong", 1), ("kaki9wrong", 1)];
        assert_eq!(strikes_after(&scene(), &two_passwords).await, 2);
        let two_sessions = [("kaki8wrong", 1), ("kaki8wrong", 2)];
        assert_eq!(strikes_after(&scene(), &two_sessions).await, 2);
    }

    #[tokio::test]
    async fn a_challenge_has_the_same_form_whether_somebody_has_the_login_id() {
        let scene = scene();
        let asked = |login_id| {
            let challenge = scene.authenticator.challenge(login_id, &scene.directory);
            challenge
                .map(|asked| (asked.salt, asked.iterations))
                .unwrap()
        };
        let (known, stranger) = (asked("tanaka"), asked("nobody"));
        assert_eq!(known.0.len(), stranger.0.len());
        assert_eq!(known.1, stranger.1);
        assert_eq!(stranger, asked("Nobody"), "asked twice, the same");
        assert_ne!(stranger, asked("nobody2"));
        assert_eq!(known.1, ScramVerifier::ITERATIONS);
    }
}
