use std::path::Path;

use super::*;
use crate::account::directory::Directory;
use crate::config::Config;
use crate::config::ForwardFormat;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::config::ResultMail;
use crate::config::When;
use crate::fax::StationId;
use crate::smtp::Address;
use crate::storage::Store;
use crate::storage::tests::scratch;
use crate::time::Zone;

const T0: Timestamp = Timestamp::from_ms(1_795_339_800_000);

const TWO: &str = r#"
    [[account]]
    id = "tanaka"
    senders = ["tanaka@customer.example"]
    station_id = "+81 3 1111 2222"
    [[account.list]]
    name = "Shops"
    members = [{ number = "03-1111-2222" }]

    [[account]]
    id = "suzuki"
    senders = ["suzuki@other.example", "*@whole.example"]
"#;

fn accounts(toml: &str) -> Accounts {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("accounts.toml"), toml).unwrap();
    let main = folder.path().join("faxgate.toml");
    Accounts::load(Path::new(&main), &Config::default()).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

async fn keep(store: &Store, toml: &str, account: &str, changes: &[Setting], now: Timestamp) {
    let written = Directory::new(&accounts(toml));
    let written = Arc::clone(written.by_id(account).unwrap());
    let changes = changes.to_vec();
    let own = store.clone();
    let kept = store.write(move |tx| {
        set(
            tx,
            own.ids(),
            &written,
            &changes,
            "somebody",
            "192.0.2.1",
            now,
        )
    });
    kept.await.unwrap();
}

fn in_force(store: &Store, toml: &str) -> Directory {
    Directory::beside(&accounts(toml), store).unwrap()
}

#[tokio::test]
async fn a_change_is_in_force_until_its_key_is_edited_in_the_file() {
    let (_dir, store) = scratch();
    let id = StationId::parse("+81 3 9999 0000");
    keep(&store, TWO, "tanaka", &[Setting::StationId(id.clone())], T0).await;
    let of = |toml: &str| {
        let directory = in_force(&store, toml);
        let account = directory.by_id("tanaka").unwrap();
        (
            account.station_id.clone(),
            directory.changed("tanaka").to_vec(),
        )
    };
    let changed = Changed {
        key: Key::StationId,
        by: "somebody".into(),
        at: T0,
    };
    assert_eq!(of(TWO), (id.clone(), vec![changed]));
    let other_key = TWO.replace("\"Shops\"", "\"Stores\"");
    assert_eq!(of(&other_key).0, id, "another key was edited");
    let edited = TWO.replace("+81 3 1111 2222", "+81 6 1111 2222");
    let written = StationId::parse("+81 6 1111 2222");
    assert_eq!(of(&edited), (written, Vec::new()));
    let directory = in_force(&store, TWO);
    let as_written = directory.as_written("tanaka").unwrap();
    assert_eq!(as_written.station_id, StationId::parse("+81 3 1111 2222"));
}

#[tokio::test]
async fn a_change_of_a_part_begins_with_what_is_stored_or_with_an_edited_file() {
    let (_dir, store) = scratch();
    let home = vec![address("home@provider.example")];
    keep(&store, TWO, "tanaka", &[Setting::Senders(home.clone())], T0).await;
    let now = |toml: &str| {
        let written = Directory::new(&accounts(toml));
        let written = written.by_id("tanaka").unwrap();
        let now = store.read_here(|tx| current(tx, written, Key::Senders));
        now.unwrap()
    };
    assert_eq!(now(TWO), Setting::Senders(home));
    let edited = TWO.replace("tanaka@customer.example", "t@customer.example");
    let written = vec![address("t@customer.example")];
    assert_eq!(now(&edited), Setting::Senders(written));
}

#[tokio::test]
async fn the_value_of_the_file_is_no_change() {
    let (_dir, store) = scratch();
    for text in ["123", "+81 3 1111 2222"] {
        let id = Setting::StationId(StationId::parse(text));
        keep(&store, TWO, "tanaka", &[id], T0).await;
    }
    assert_eq!(in_force(&store, TWO).changed("tanaka"), []);
}

#[tokio::test]
async fn an_address_for_notices_survives_an_edit_of_senders() {
    let (_dir, store) = scratch();
    let email = address("new@customer.example");
    let change = Setting::Email(Some(email.clone()));
    keep(&store, TWO, "tanaka", &[change], T0).await;
    let edited = TWO.replace("tanaka@customer.example", "t@customer.example");
    let directory = in_force(&store, &edited);
    assert_eq!(directory.by_id("tanaka").unwrap().email, Some(email));
}

#[tokio::test]
async fn t7_an_address_that_an_admin_registered_is_none_in_another_company_or_role() {
    let (_dir, store) = scratch();
    let member = TWO.replace("id = \"tanaka\"", "id = \"tanaka\"\ncompany = \"acme\"");
    let registered = Some(address("admin@acme.example"));
    let change = Setting::Email(registered.clone());
    keep(&store, &member, "tanaka", &[change], T0).await;
    let email = |toml: &str| {
        let directory = in_force(&store, toml);
        directory.by_id("tanaka").unwrap().email.clone()
    };
    assert_eq!(email(&member), registered);
    let written = Some(address("tanaka@customer.example"));
    for (before, after) in [
        ("\"acme\"", "\"beta\""),
        ("company = \"acme\"", "role = \"operator\""),
        ("\"acme\"", "\"acme\"\nrole = \"company-admin\""),
    ] {
        assert_eq!(email(&member.replace(before, after)), written, "{after}");
    }
}

#[tokio::test]
async fn a_sender_of_another_account_is_never_granted() {
    let (_dir, store) = scratch();
    let own = ["tanaka@customer.example", "home@provider.example"];
    let others = ["Suzuki@other.example", "anybody@whole.example"];
    let all = own.into_iter().chain(others).map(address).collect();
    keep(&store, TWO, "tanaka", &[Setting::Senders(all)], T0).await;
    // Whoever comes later does not get it either.
    let later = T0.plus(std::time::Duration::from_secs(1));
    let late = Setting::Senders(vec![address("home@provider.example")]);
    keep(&store, TWO, "suzuki", &[late], later).await;
    let directory = in_force(&store, TWO);
    let owner = |text: &str| directory.by_sender(&address(text)).map(|a| a.id.clone());
    for (text, id) in [
        (own[0], Some("tanaka")),
        (own[1], Some("tanaka")),
        // Taken out by its owner; still nobody else's.
        (others[0], None),
        (others[1], Some("suzuki")),
    ] {
        assert_eq!(owner(text).as_deref(), id, "{text}");
    }
    let tanaka = directory.by_id("tanaka").unwrap();
    assert_eq!(tanaka.senders.len(), 2);
    for (text, free) in [
        ("suzuki@other.example", false),
        ("x@whole.example", false),
        ("home@provider.example", true),
        ("free@provider.example", true),
    ] {
        assert_eq!(is_free(&directory, tanaka, &address(text)), free, "{text}");
    }
}

#[tokio::test]
async fn lists_of_the_web_are_found_by_all_and_those_of_the_file_go_first() {
    let (_dir, store) = scratch();
    let made = store.write(|tx| {
        for (id, name) in [(2, "shops"), (4, "Branches"), (6, "empty")] {
            assert!(lists::create(tx, id, "tanaka", name, T0)?);
        }
        lists::add(tx, 2, "0081399990000", "not this")?;
        lists::add(tx, 4, "0081399990001", "one")?;
        lists::add(tx, 4, "0081399990002", "two")
    });
    made.await.unwrap();
    let directory = in_force(&store, TWO);
    let account = directory.by_id("tanaka").unwrap();
    let members = |name: &str| account.list(name).map(|list| list.members.len());
    assert_eq!(members("branches"), Some(2));
    assert_eq!(members("shops"), Some(1));
    assert_eq!(
        account.list("shops").unwrap().members[0]
            .destination
            .canonical(),
        "0081311112222"
    );
    assert_eq!(members("empty"), None);
}

#[tokio::test]
async fn only_what_changed_is_copied_or_read_again() {
    let (_dir, store) = scratch();
    let made = store.write(|tx| {
        lists::create(tx, 4, "tanaka", "Branches", T0)?;
        lists::add(tx, 4, "0081399990001", "one")
    });
    made.await.unwrap();
    let written = accounts(TWO);
    let first = store
        .read_here(|tx| Overlay::read(tx, &Overlay::default()))
        .unwrap();
    let second = store.read_here(|tx| Overlay::read(tx, &first)).unwrap();
    let list = |overlay: &Overlay| Arc::clone(&overlay.lists["tanaka"][0].list);
    assert!(Arc::ptr_eq(&list(&first), &list(&second)));
    let (in_force, overlaid) = first.over(&written);
    assert!(!Arc::ptr_eq(&in_force[0], &written.accounts[0]));
    assert!(Arc::ptr_eq(&in_force[1], &written.accounts[1]));
    assert!(Arc::ptr_eq(
        &overlaid["tanaka"].written,
        &written.accounts[0]
    ));
}

#[test]
fn every_value_reads_back_from_storage() {
    let settings = [
        Setting::Email(None),
        Setting::Email(Some(address("a@x.example"))),
        Setting::Senders(vec![address("a@x.example"), address("b@x.example")]),
        Setting::ForwardTo(Vec::new()),
        Setting::ForwardFormat(ForwardFormat::Tiff),
        Setting::ResultMail(ResultMail {
            when: When::Failure,
            format: ResultFormat::TextJa,
            attach_pages: true,
            to: vec![address("log@x.example")],
        }),
        Setting::StationId(None),
        Setting::StationId(StationId::parse("+81 3")),
        Setting::TimeZone(Zone::named("Europe/Berlin")),
        Setting::TimeZone(None),
        Setting::Language(Some(Language::En)),
        Setting::Language(None),
    ];
    for setting in settings {
        let text = setting.json().to_string();
        let read = Setting::read(setting.key(), &text);
        assert_eq!(read.as_ref(), Some(&setting), "{text}");
    }
    for key in Key::ALL {
        assert_eq!(Key::of_word(key.as_str()), Some(key));
        assert_eq!(Setting::read(key, "{\"no\": 1}"), None, "{key:?}");
    }
}
