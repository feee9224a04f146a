//! Resets under a set clock: who may ask, what ends them, what storage gives away.

use std::sync::Arc;

use super::*;
use crate::account::credential;
use crate::account::credential::is_right;
use crate::account::directory::Directory;
use crate::account::lockout;
use crate::account::reset::link::Change;
use crate::account::reset::link::Found;
use crate::account::reset::link::Saved;
use crate::account::reset::temporary::Due;
use crate::config::ResetMethod;
use crate::lock::LockRule;
use crate::storage::Store;
use crate::storage::tests::scratch;

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const OWN: &str = "tanaka@customer.example";
const MINUTE: Duration = Duration::from_secs(60);

/// An account, its storage and its key.
struct Stage {
    dir: tempfile::TempDir,
    store: Store,
    key: InstallationKey,
    account: Arc<Account>,
    directory: Arc<Directory>,
}

impl Stage {
    /// An account with this reset in its profile.
    fn new(reset: &str) -> Self {
        let (dir, store) = scratch();
        let at = |name: &str| dir.path().join(name);
        let hash = credential::hash(&Secret::new("kaki8sample".into())).unwrap();
        let account = format!(
            "[[account]]\nid = \"tanaka\"\nlogin_id = \"T.Tanaka\"\nprofile = \"own\"\npassword = \"{hash}\"\n\
             senders = [\"*@wild.example\", \"{OWN}\", \"two@customer.example\"]\nforward_to = [\"inbox@customer.example\"]\n\
             result_mail = {{ to = [\"log@customer.example\"] }}\n"
        );
        let policy =
            "[policy]\nneeds_letter = true\nneeds_digit = true\nmin_length = 7\nmax_length = 16\n";
        std::fs::create_dir(at("kinds")).unwrap();
        std::fs::write(at("kinds/own.toml"), format!("{policy}{reset}")).unwrap();
        std::fs::write(at("accounts.toml"), account).unwrap();
        std::fs::write(at("faxgate.toml"), "[gateway]\nprofiles = \"kinds\"\n").unwrap();
        let loaded = crate::config::load(&at("faxgate.toml")).unwrap();
        let directory = Directory::new(&loaded.accounts.accounts);
        Self {
            key: InstallationKey::load_or_create(dir.path()).unwrap(),
            account: Arc::clone(directory.by_id("tanaka").unwrap()),
            directory: Arc::new(directory),
            dir,
            store,
        }
    }

    async fn start(&self, asker: Asker<'static>, nonce: u8, now: Timestamp) -> Started {
        let (store, key, account) = (
            self.store.clone(),
            self.key.clone(),
            Arc::clone(&self.account),
        );
        let started = self.store.write(move |tx| {
            let request = Request {
                account: &account,
                asker,
                peer: "192.0.2.1",
                key: &key,
                nonce: [nonce; 32],
                host: "fax.example",
                now,
            };
            start(tx, store.ids(), &request)
        });
        started.await.unwrap()
    }

    async fn ask(&self, email: &'static str, nonce: u8, now: Timestamp) -> Started {
        self.start(Asker::Stranger(email), nonce, now).await
    }

    /// What the mail of the reset with this nonce carries.
    fn carried(&self, nonce: u8, now: Timestamp) -> Secret {
        let temporary = self.account.profile.reset.method == ResetMethod::TemporaryPassword;
        secret::carried(&self.key, &self.account, (&[nonce; 32], now), temporary)
    }

    fn find(&self, nonce: u8, now: Timestamp) -> Found {
        let token = self.carried(nonce, now);
        let (key, directory) = (&self.key, &self.directory);
        let found = self
            .store
            .read_here(|tx| link::find(tx, key, directory, &token, now));
        found.unwrap()
    }

    fn is_open(&self, nonce: u8, now: Timestamp) -> bool {
        matches!(self.find(nonce, now), Found::Open(_))
    }

    /// Saves a password behind the link; whether that was done.
    async fn save(&self, nonce: u8, hash: &'static str, now: Timestamp) -> bool {
        let Found::Open(link) = self.find(nonce, now) else {
            return false;
        };
        let (store, key) = (self.store.clone(), self.key.clone());
        let changed = self.store.write(move |tx| {
            let change = Change {
                hash,
                peer: "192.0.2.1",
                host: "fax.example",
                now,
            };
            link::change(tx, store.ids(), &key, &link, &change)
        });
        matches!(changed.await.unwrap(), Saved::Done(_))
    }

    fn hash(&self) -> String {
        let account = &self.account;
        let read = self
            .store
            .read_here(|tx| credential::in_force(tx, account, kind(account, NOW)));
        read.unwrap().unwrap()
    }

    async fn lock(&self) {
        let store = self.store.clone();
        let rule = LockRule {
            lasts: HOUR,
            ..self.account.profile.lock
        };
        let locked = self
            .store
            .write(move |tx| lockout::lock(tx, store.ids(), "tanaka", &rule, NOW));
        locked.await.unwrap();
    }

    fn is_locked(&self, now: Timestamp) -> bool {
        let strikes = self.store.read_here(|tx| accounts::strikes(tx, "tanaka"));
        strikes.unwrap().is_locked(now)
    }

    /// What a login with this password finds due, and what it leaves behind.
    async fn log_in(&self, password: &Secret, now: Timestamp) -> Option<Due> {
        let (key, account) = (&self.key, &self.account);
        let due = self
            .store
            .read_here(|tx| temporary::due(tx, key, account, password, now));
        let due = due.unwrap()?;
        let hash = credential::hash(password).unwrap();
        let (store, key, this, what) = (
            self.store.clone(),
            self.key.clone(),
            Arc::clone(&self.account),
            due.clone(),
        );
        let settled = self.store.write(move |tx| {
            let (who, what) = ((&*this, "192.0.2.1"), (&what, hash.as_str()));
            temporary::settle(tx, store.ids(), &key, who, what, now)
        });
        settled.await.unwrap().then_some(due)
    }
}

fn mailed(to: &str) -> Started {
    Started::Mailed(Address::parse(to).unwrap())
}

#[tokio::test]
async fn i4_exact_senders_and_forwards_may_ask_and_get_the_mail_themselves() {
    let stage = Stage::new("[reset]\naddress = \"senders-and-forwards\"\n");
    for (nonce, (typed, expected)) in (1..).zip([
        ("Tanaka@Customer.Example", Some(OWN)),
        (" inbox@customer.example ", Some("inbox@customer.example")),
        ("any@wild.example", None),
        ("log@customer.example", None),
        ("stranger@elsewhere.example", None),
        ("", None),
    ]) {
        let now = NOW.plus(HOUR * u32::from(nonce));
        let expected = expected.map_or(Started::Not(NotStarted::NoMatch), mailed);
        assert_eq!(stage.ask(typed, nonce, now).await, expected, "{typed}");
    }
}

#[tokio::test]
async fn t1_only_the_registered_address_may_ask_where_the_profile_says_so() {
    let stage = Stage::new("[reset]\naddress = \"registered\"\n");
    let other = stage.ask("two@customer.example", 1, NOW).await;
    assert_eq!(other, Started::Not(NotStarted::NoMatch));
    assert_eq!(stage.ask(OWN, 2, NOW).await, mailed(OWN));
}

#[tokio::test]
async fn t3_a_link_ends_at_its_second_and_after_one_use() {
    let stage = Stage::new("[reset]\nlasts = \"1h\"\n");
    stage.ask(OWN, 1, NOW).await;
    stage.ask(OWN, 2, NOW.plus(MINUTE)).await;
    let last = NOW.plus(HOUR - Duration::from_millis(1));
    for _ in 0..10 {
        assert!(stage.is_open(1, last), "looking uses nothing up");
    }
    assert!(!stage.is_open(1, NOW.plus(HOUR)), "ended");
    assert!(stage.is_open(2, NOW.plus(HOUR)), "each has its own end");
    assert!(stage.save(1, "$first", last).await);
    assert_eq!(stage.hash(), "$first");
    assert!(!stage.save(1, "$second", last).await, "used up");
    assert!(!stage.save(2, "$second", last).await, "void with the other");
    assert_eq!(stage.hash(), "$first");
}

#[tokio::test]
async fn a_link_of_several_uses_outlives_its_own_changes_only() {
    let stage = Stage::new("[reset]\nuses = 2\n");
    stage.ask(OWN, 1, NOW).await;
    assert!(stage.save(1, "$first", NOW).await && stage.save(1, "$second", NOW).await);
    assert!(!stage.save(1, "$third", NOW).await);
    stage.ask(OWN, 2, NOW).await;
    let this = Arc::clone(&stage.account);
    let change = stage
        .store
        .write(move |tx| credential::change(tx, &this, kind(&this, NOW), "$online", false, NOW));
    change.await.unwrap();
    assert!(
        !stage.is_open(2, NOW),
        "any change of the password voids it"
    );
}

#[tokio::test]
async fn i8_a_lock_makes_a_reset_wait_and_t4_lets_it_unlock() {
    let waits = Stage::new("[reset]\nwhile_locked = false\n");
    waits.ask(OWN, 1, NOW).await;
    waits.lock().await;
    let until = NOW.plus(HOUR);
    let refused = Started::Not(NotStarted::Locked(until));
    assert_eq!(waits.ask(OWN, 2, NOW).await, refused);
    assert_eq!(waits.start(Asker::Other("boss"), 3, NOW).await, refused);
    assert!(matches!(waits.find(1, NOW), Found::Locked(at) if at == until));
    assert!(!waits.save(1, "$new", NOW).await && waits.is_locked(NOW));
    let unlocks = Stage::new("[reset]\nwhile_locked = true\n");
    unlocks.lock().await;
    assert_eq!(unlocks.ask(OWN, 1, NOW).await, mailed(OWN));
    assert!(unlocks.is_locked(NOW), "asking does not unlock");
    assert!(unlocks.save(1, "$new", NOW).await && !unlocks.is_locked(NOW));
}

#[tokio::test]
async fn six_mails_an_hour_that_nobody_uses_go_to_an_account_and_administrators_are_not_counted() {
    let stage = Stage::new("[reset]\n");
    assert_eq!(stage.ask(OWN, 1, NOW).await, mailed(OWN));
    assert!(stage.save(1, "$used", NOW).await);
    for nonce in 2..=7 {
        assert_eq!(stage.ask(OWN, nonce, NOW).await, mailed(OWN));
    }
    let many = Started::Not(NotStarted::TooMany);
    assert_eq!(stage.ask(OWN, 8, NOW).await, many);
    assert_eq!(stage.start(Asker::Other("boss"), 9, NOW).await, mailed(OWN));
    assert_eq!(stage.ask(OWN, 10, NOW.plus(HOUR)).await, mailed(OWN));
}

#[tokio::test]
async fn t1_five_wrong_owners_end_a_link() {
    let stage = Stage::new("[reset]\nasks = [\"login_id\", \"email\"]\n");
    stage.ask(OWN, 1, NOW).await;
    let Found::Open(link) = stage.find(1, NOW) else {
        panic!("not open")
    };
    assert!(link.is_answered("t.tanaka", "TANAKA@customer.example"));
    for (id, email) in [
        ("", ""),
        ("T.Tanaka", ""),
        ("", OWN),
        ("tanaka", OWN),
        ("T.Tanaka", "two@customer.example"),
    ] {
        assert!(!link.is_answered(id, email), "{id} {email}");
        assert!(stage.is_open(1, NOW));
        let link = link.clone();
        let tried = stage.store.write(move |tx| link::tried(tx, &link));
        tried.await.unwrap();
    }
    assert!(!stage.is_open(1, NOW));
}

#[tokio::test]
async fn w3_a_temporary_password_leaves_the_old_one_alone_until_it_is_used() {
    let stage = Stage::new("[reset]\nmethod = \"temporary-password\"\n");
    let old = stage.hash();
    assert_eq!(
        stage.ask("", 1, NOW).await,
        mailed(OWN),
        "by login ID alone"
    );
    let wrong = stage.ask("two@customer.example", 2, NOW).await;
    assert_eq!(wrong, Started::Not(NotStarted::NoMatch));
    let password = stage.carried(1, NOW);
    let rule = policy(&stage.account, NOW);
    let breaches = crate::account::policy::check(rule, Some("T.Tanaka"), password.expose());
    assert_eq!(breaches, [], "it fits the policy");
    assert_eq!(stage.hash(), old);
    assert_eq!(
        stage.log_in(&Secret::new("kaki8sample".into()), NOW).await,
        None
    );
    assert!(matches!(
        stage.log_in(&password, NOW).await,
        Some(Due::Take(_))
    ));
    assert!(is_right(&stage.hash(), &password), "it is the password now");
    let stored = stage
        .store
        .read_here(|tx| Passwords::read(tx, &stage.account));
    assert!(stored.unwrap().is_initial(kind(&stage.account, NOW)));
    assert_eq!(
        stage.log_in(&password, NOW).await,
        None,
        "nothing more is due"
    );
    let ended = NOW.plus(HOUR);
    assert!(matches!(
        stage.log_in(&password, ended).await,
        Some(Due::End(_))
    ));
    assert_eq!(stage.log_in(&password, ended).await, None);
}

/// A temporary password that was used and has ended, and a second one.
async fn ended_and_second() -> (Stage, Timestamp) {
    let stage = Stage::new("[reset]\nmethod = \"temporary-password\"\n");
    stage.ask("", 1, NOW).await;
    let first = stage.carried(1, NOW);
    assert!(stage.log_in(&first, NOW).await.is_some());
    let ended = NOW.plus(HOUR);
    assert_eq!(stage.ask("", 2, ended).await, mailed(OWN));
    (stage, ended)
}

#[tokio::test]
async fn w3_a_second_temporary_password_takes_the_place_of_one_that_has_ended() {
    let (stage, ended) = ended_and_second().await;
    let second = stage.carried(2, ended);
    let due = stage.log_in(&second, ended).await;
    assert!(matches!(due, Some(Due::Take(_))), "{due:?}");
    assert!(is_right(&stage.hash(), &second));
}

#[tokio::test]
async fn w3_whoever_types_another_password_first_does_not_void_a_second_temporary_one() {
    let (stage, ended) = ended_and_second().await;
    let anything = Secret::new("kaki8wrong".into());
    let due = stage.log_in(&anything, ended).await;
    assert!(matches!(due, Some(Due::End(_))), "{due:?}");
    let first = stage.carried(1, NOW);
    assert_eq!(stage.log_in(&first, ended).await, None);
    let second = stage.carried(2, ended);
    let due = stage.log_in(&second, ended).await;
    assert!(matches!(due, Some(Due::Take(_))), "{due:?}");
    assert!(is_right(&stage.hash(), &second));
}

#[tokio::test]
async fn w3_a_temporary_password_that_ended_before_its_use_is_wrong() {
    let stage = Stage::new("[reset]\nmethod = \"temporary-password\"\n");
    let old = stage.hash();
    stage.ask(OWN, 1, NOW).await;
    let password = stage.carried(1, NOW);
    assert_eq!(stage.log_in(&password, NOW.plus(HOUR)).await, None);
    assert_eq!(stage.hash(), old);
}

#[tokio::test]
async fn resets_on_paper_and_accounts_without_an_address_get_no_mail() {
    let stage = Stage::new("[reset]\nmethod = \"none\"\n");
    let paper = Started::Not(NotStarted::OnPaper);
    assert_eq!(stage.ask(OWN, 1, NOW).await, paper);
    assert_eq!(stage.start(Asker::Other("boss"), 2, NOW).await, paper);
}

#[tokio::test]
async fn what_a_mail_carries_is_in_no_file_and_only_the_key_derives_it() {
    let stage = Stage::new("[reset]\n");
    stage.ask(OWN, 1, NOW).await;
    let token = stage.carried(1, NOW);
    assert_eq!(token.expose().len(), 43);
    assert!(secret::is_token(token.expose()));
    for entry in std::fs::read_dir(stage.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let found = memchr::memmem::find(&bytes, token.expose().as_bytes());
        assert!(found.is_none(), "{}", path.display());
    }
    let other = tempfile::tempdir().unwrap();
    let key = InstallationKey::load_or_create(other.path()).unwrap();
    let guess = secret::carried(&key, &stage.account, (&[1; 32], NOW), false);
    assert_ne!(guess.expose(), token.expose());
}
