//! What is right, what is remembered, and who waits for whom.

use super::*;

fn account(id: &str, password: &str) -> Account {
    let text = format!(
        "[[account]]\nid = \"{id}\"\nsenders = [\"{id}@customer.example\"]\npassword = \"{}\"\n",
        hash(&Secret::new(password.into())).unwrap()
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("faxgate.toml"), "[gateway]\n").unwrap();
    std::fs::write(dir.path().join("accounts.toml"), text).unwrap();
    let loaded = crate::config::load(&dir.path().join("faxgate.toml")).unwrap();
    Account::clone(&loaded.accounts.accounts.accounts[0])
}

fn credentials(wait: Duration) -> Credentials {
    Credentials::new([7; 32], 2, wait)
}

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

/// The passwords of `account` where nothing is stored.
fn written(account: &Account) -> Passwords {
    let (_folder, store) = crate::storage::tests::scratch();
    store.read_here(|tx| Passwords::read(tx, account)).unwrap()
}

async fn check(credentials: &Credentials, account: &Account, password: &str) -> Option<bool> {
    let turn = credentials.turn(account).await.unwrap();
    let password = Secret::new(password.into());
    let candidate = Candidate::Password(CredentialKind::Password, &password);
    let passwords = written(account);
    let checked = credentials.check(turn, account, candidate, &passwords, NOW);
    match checked.await.check {
        Check::Right(_) => Some(true),
        Check::Wrong => Some(false),
        Check::Failed => None,
    }
}

#[tokio::test]
async fn only_the_right_password_is_right_and_only_it_is_remembered() {
    let (account, credentials) = (
        account("a", "kaki8sample"),
        credentials(Duration::from_secs(60)),
    );
    let proven = |password: &str, now| {
        let password = Secret::new(password.into());
        credentials.is_proven(
            &account,
            Candidate::Password(CredentialKind::Password, &password),
            &written(&account),
            now,
        )
    };
    assert_eq!(
        check(&credentials, &account, "kaki8samplE").await,
        Some(false)
    );
    assert!(!proven("kaki8samplE", NOW) && !proven("kaki8sample", NOW));
    assert_eq!(
        check(&credentials, &account, "kaki8sample").await,
        Some(true)
    );
    assert!(proven("kaki8sample", NOW) && !proven("kaki8samplE", NOW));
    assert!(
        !proven("kaki8sample", NOW.plus(REMEMBERED)),
        "forgotten after its time"
    );
    let changed = Account {
        passwords: BTreeMap::from([(
            CredentialKind::Password,
            hash(&Secret::new("kaki8sample".into())).unwrap(),
        )]),
        ..account.clone()
    };
    let password = Secret::new("kaki8sample".into());
    assert!(
        !credentials.is_proven(
            &changed,
            Candidate::Password(CredentialKind::Password, &password),
            &written(&changed),
            NOW
        ),
        "another stored hash is another version"
    );
}

#[tokio::test]
async fn a_stronger_hash_never_takes_the_place_of_a_password_that_was_changed_meanwhile() {
    const KIND: CredentialKind = CredentialKind::Password;
    let (_folder, store) = crate::storage::tests::scratch();
    let account = account("a", "kaki8sample");
    let written = account.hash(KIND).unwrap().to_owned();
    let stronger = |instead_of: &str, hash: &str| Stronger {
        instead_of: instead_of.to_owned(),
        hash: hash.to_owned(),
    };
    let late = stronger(&written, "of the old password");
    let first = stronger(&written, "changed");
    let next = stronger("changed", "changed and stronger");
    let seen = store.write(move |tx| {
        let mut seen = Vec::new();
        for one in [&first, &late, &next] {
            let stored = strengthen(tx, &account, KIND, one, NOW)?;
            seen.push((stored, in_force(tx, &account, KIND)?.unwrap()));
        }
        Ok(seen)
    });
    let expected = [
        (true, "changed".to_owned()),
        (false, "changed".to_owned()),
        (true, "changed and stronger".to_owned()),
    ];
    assert_eq!(seen.await.unwrap(), expected);
}

#[tokio::test]
async fn an_overlong_password_is_wrong_without_being_hashed() {
    let long = "x1".repeat(65);
    let account = account("a", &long);
    let credentials = credentials(Duration::from_secs(60));
    assert_eq!(check(&credentials, &account, &long).await, Some(false));
    assert!(
        is_right(
            account.hash(CredentialKind::Password).unwrap(),
            &Secret::new(long)
        ),
        "though it would be right"
    );
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_does_not_come_in_time_is_given_up() {
    let (a, b) = (account("a", "kaki8sample"), account("b", "kaki8sample"));
    let credentials = credentials(Duration::from_secs(2));
    let held = credentials.turn(&a).await.unwrap();
    assert!(
        credentials.turn(&a).await.is_none(),
        "one check of an account at a time"
    );
    assert!(
        credentials.turn(&b).await.is_none(),
        "one core of two is for repeat senders"
    );
    drop(held);
    assert!(credentials.turn(&b).await.is_some());
}
