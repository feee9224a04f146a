//! What is in force when: changes, a split at its boundary, initial passwords, weak hashes.

use super::*;
use crate::account::credential::hash;
use crate::secret::Secret;
use crate::storage::Store;
use crate::storage::tests::scratch;

const KEY: [u8; 32] = [7; 32];
const WEB: CredentialKind = CredentialKind::Password;
const SMTP: CredentialKind = CredentialKind::SmtpPassword;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The last second before the split of the profile `wakwak`, and its first.
fn boundary() -> (Timestamp, Timestamp) {
    (
        at("2027-01-14T23:59:59+09:00"),
        at("2027-01-15T00:00:00+09:00"),
    )
}

fn account(keys: &str) -> Account {
    let text = format!("[[account]]\nid = \"tanaka\"\nsenders = [\"t@x.example\"]\n{keys}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("faxgate.toml"), "[gateway]\n").unwrap();
    std::fs::write(dir.path().join("accounts.toml"), text).unwrap();
    let loaded = crate::config::load(&dir.path().join("faxgate.toml")).unwrap();
    Account::clone(&loaded.accounts.accounts.accounts[0])
}

fn hashed(password: &str) -> String {
    hash(&Secret::new(password.into())).unwrap()
}

fn with(profile: &str) -> Account {
    let hash = hashed("kaki8sample");
    account(&format!("profile = \"{profile}\"\npassword = \"{hash}\"\n"))
}

async fn changed(
    store: &Store,
    account: &Account,
    kind: CredentialKind,
    hash: &str,
    now: Timestamp,
) {
    let (this, hash) = (account.clone(), hash.to_owned());
    let changed = store.write(move |tx| change(tx, &this, kind, &hash, false, now));
    changed.await.unwrap();
}

fn read(store: &Store, account: &Account) -> Passwords {
    store.read_here(|tx| Passwords::read(tx, account)).unwrap()
}

/// The hashes that the doors ask for at `now`: web, SMTP.
fn at_doors(store: &Store, account: &Account, now: Timestamp) -> (String, String) {
    let (passwords, doors) = (read(store, account), account.profile.doors(now));
    let hash = |kind| passwords.of(kind).unwrap().hash.clone();
    (hash(doors.web), hash(doors.smtp))
}

#[tokio::test]
async fn w1_after_the_split_both_begin_as_the_old_password_and_each_changes_on_its_own() {
    let ((_dir, store), account) = (scratch(), with("wakwak"));
    let (before, after) = boundary();
    let old = account.hash(WEB).unwrap().to_owned();
    for now in [before, after] {
        assert_eq!(at_doors(&store, &account, now), (old.clone(), old.clone()));
    }
    changed(&store, &account, WEB, "support", after).await;
    assert_eq!(at_doors(&store, &account, after), ("support".into(), old));
    changed(&store, &account, SMTP, "connection", after).await;
    let each = ("support".to_owned(), "connection".to_owned());
    assert_eq!(at_doors(&store, &account, after), each);
    changed(&store, &account, WEB, "support 2", after).await;
    let each = ("support 2".to_owned(), "connection".to_owned());
    assert_eq!(at_doors(&store, &account, after), each);
}

#[tokio::test]
async fn w1_the_connection_password_may_change_first_and_leaves_the_other_alone() {
    let ((_dir, store), account) = (scratch(), with("wakwak"));
    let (_, after) = boundary();
    let old = account.hash(WEB).unwrap().to_owned();
    changed(&store, &account, SMTP, "connection", after).await;
    assert_eq!(
        at_doors(&store, &account, after),
        (old, "connection".into())
    );
}

#[tokio::test]
async fn w2_in_the_last_second_before_the_split_one_change_counts_for_both() {
    let ((_dir, store), account) = (scratch(), with("wakwak"));
    let (before, after) = boundary();
    changed(&store, &account, WEB, "one", before).await;
    for now in [before, after] {
        assert_eq!(
            at_doors(&store, &account, now),
            ("one".into(), "one".into())
        );
    }
    changed(&store, &account, WEB, "support", after).await;
    let each = ("support".to_owned(), "one".to_owned());
    assert_eq!(at_doors(&store, &account, after), each);
}

#[tokio::test]
async fn w1_what_the_administrator_writes_after_the_split_is_in_force_for_both() {
    let ((_dir, store), old) = (scratch(), with("wakwak"));
    let (_, after) = boundary();
    changed(&store, &old, WEB, "support", after).await;
    let new = with("wakwak");
    let written = new.hash(WEB).unwrap().to_owned();
    assert_eq!(at_doors(&store, &new, after), (written.clone(), written));
}

#[tokio::test]
async fn i7_a_change_of_any_password_names_other_credentials_and_a_stronger_hash_does_not() {
    let ((_dir, store), account) = (scratch(), with("interfax"));
    let now = boundary().0;
    let named = |passwords: &Passwords| version(&KEY, &account, passwords, WEB);
    let before = read(&store, &account);
    let (this, weaker) = (account.clone(), account.hash(WEB).unwrap().to_owned());
    let stronger = Stronger {
        instead_of: weaker,
        hash: "stronger".into(),
    };
    let kept = store.write(move |tx| strengthen(tx, &this, WEB, &stronger, now));
    assert!(kept.await.unwrap());
    let same = read(&store, &account);
    assert_eq!(same.of(WEB).unwrap().hash, "stronger");
    assert_eq!(
        (named(&same), same.of(WEB).unwrap().changed_at),
        (named(&before), None)
    );
    changed(&store, &account, WEB, "other", now).await;
    let after = read(&store, &account);
    assert_ne!(named(&after), named(&before));
    assert_ne!(after.version(WEB), before.version(WEB));
    assert_eq!(after.of(WEB).unwrap().changed_at, Some(now));
    changed(&store, &account, WEB, "third", now).await;
    assert_ne!(named(&read(&store, &account)), named(&after));
    assert_ne!(
        named(&before),
        version(&KEY, &account, &before, SMTP),
        "another is asked for"
    );
}

#[tokio::test]
async fn a_weak_hash_of_an_account_as_it_was_read_before_never_ends_a_newer_password() {
    let ((_dir, store), old) = (scratch(), with("interfax"));
    let (new, now) = (with("interfax"), boundary().0);
    changed(&store, &new, WEB, "newer", now).await;
    let stronger = Stronger {
        instead_of: old.hash(WEB).unwrap().to_owned(),
        hash: "stronger".into(),
    };
    let late = store.write(move |tx| strengthen(tx, &old, WEB, &stronger, now));
    assert!(!late.await.unwrap());
    assert_eq!(read(&store, &new).of(WEB).unwrap().hash, "newer");
}

#[tokio::test]
async fn w1_a_stronger_hash_of_a_shared_password_is_kept_for_both() {
    let ((_dir, store), account) = (scratch(), with("wakwak"));
    let (_, after) = boundary();
    let before = read(&store, &account).version(SMTP);
    let (this, stronger) = (
        account.clone(),
        Stronger {
            instead_of: account.hash(SMTP).unwrap().to_owned(),
            hash: "stronger".into(),
        },
    );
    let kept = store.write(move |tx| strengthen(tx, &this, SMTP, &stronger, after));
    assert!(kept.await.unwrap());
    let both = ("stronger".to_owned(), "stronger".to_owned());
    assert_eq!(at_doors(&store, &account, after), both);
    assert_eq!(read(&store, &account).version(SMTP), before);
}

#[tokio::test]
async fn i1_an_initial_password_is_so_until_it_is_replaced() {
    let (_dir, store) = scratch();
    let hash = hashed("kaki8sample");
    let account = account(&format!("password = \"{hash}\"\npassword_initial = true\n"));
    assert!(read(&store, &account).is_initial(WEB));
    let now = boundary().0;
    let (this, weaker) = (account.clone(), hash);
    let stronger = Stronger {
        instead_of: weaker,
        hash: "stronger".into(),
    };
    let kept = store.write(move |tx| strengthen(tx, &this, WEB, &stronger, now));
    assert!(kept.await.unwrap());
    assert!(read(&store, &account).is_initial(WEB), "another hash of it");
    changed(&store, &account, WEB, "own", now).await;
    assert!(!read(&store, &account).is_initial(WEB));
    let this = account.clone();
    let issued = store.write(move |tx| change(tx, &this, WEB, "issued", true, now));
    issued.await.unwrap();
    assert!(read(&store, &account).is_initial(WEB));
}

#[tokio::test]
async fn r2_w4_a_password_that_is_not_changed_online_is_never_initial() {
    let (_dir, store) = scratch();
    let (mail, ftp) = (hashed("Kaki8mail"), hashed("Kaki8ftp"));
    let account = account(&format!(
        "login_id = \"tanaka@rim.example\"\nprofile = \"rimnet\"\nmail_password = \"{mail}\"\n\
         ftp_password = \"{ftp}\"\npassword_initial = true\n"
    ));
    assert_eq!(account.login_id, "tanaka@rim.example");
    let passwords = read(&store, &account);
    assert!(passwords.is_initial(CredentialKind::MailPassword));
    assert!(!passwords.is_initial(CredentialKind::FtpPassword));
    let now = boundary().0;
    assert_eq!(account.changeable(now), [CredentialKind::MailPassword]);
}

#[tokio::test]
async fn i7_a_change_ends_the_sessions_of_the_account_and_no_others() {
    use crate::storage::sessions::SessionRow;
    let ((_dir, store), account) = (scratch(), with("interfax"));
    let now = boundary().0;
    let row = |id: &str, name: u8| SessionRow {
        name: [name; 32],
        account: id.to_owned(),
        credentials: [0; 32],
        peer: String::new(),
        opened_at: now,
        seen_at: now,
        proved_at: now,
    };
    let rows = [row("tanaka", 1), row("tanaka", 2), row("suzuki", 3)];
    let opened = store.write(move |tx| {
        for row in &rows {
            sessions::open(tx, row, Timestamp::default())?;
        }
        Ok(())
    });
    opened.await.unwrap();
    changed(&store, &account, WEB, "other", now).await;
    let left = store.read_here(|tx| tx.query("SELECT account FROM web_session", &[]));
    let left: Vec<String> = left
        .unwrap()
        .iter()
        .map(|row| row.text(0).to_owned())
        .collect();
    assert_eq!(left, ["suzuki"]);
}

#[tokio::test]
async fn i7_what_the_administrator_ended_stays_dead_when_the_file_is_as_it_was_before() {
    let (_dir, store) = scratch();
    let (first, second) = (with("standard"), with("standard"));
    let now = boundary().0;
    changed(&store, &first, WEB, "leaked", now).await;
    let leaked = read(&store, &first).version(WEB);
    for (written, is_kept) in [(&first, true), (&second, false)] {
        let accounts = [Arc::new(written.clone())];
        let read_in = store.write(move |tx| end_replaced(tx, &accounts));
        read_in.await.unwrap();
        let kept = read(&store, &first).of(WEB).unwrap().hash == "leaked";
        assert_eq!(kept, is_kept);
    }
    let own = first.hash(WEB).unwrap();
    assert_eq!(read(&store, &first).of(WEB).unwrap().hash, own);
    changed(&store, &first, WEB, "new", now).await;
    let passwords = read(&store, &first);
    assert_eq!(passwords.of(WEB).unwrap().hash, "new");
    assert_ne!(passwords.version(WEB), leaked, "what that proved is over");
}

#[tokio::test]
async fn an_account_or_a_line_that_is_missing_for_a_while_ends_no_password() {
    let (_dir, store) = scratch();
    let account = with("standard");
    changed(&store, &account, WEB, "own", boundary().0).await;
    let mut bare = account.clone();
    bare.passwords.clear();
    for written in [Vec::new(), vec![Arc::new(bare)]] {
        let read_in = store.write(move |tx| end_replaced(tx, &written));
        read_in.await.unwrap();
        assert_eq!(read(&store, &account).of(WEB).unwrap().hash, "own");
    }
}
