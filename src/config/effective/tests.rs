//! What operators read is what is in force, with the line it comes from, and no secret.

use std::collections::BTreeSet;

use super::*;
use crate::config::Account;
use crate::config::Loaded;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$Ym9keWJvZHlib2R5Ym9keWJvZHlib2R5Ym9keWJvZHk";
const MAIN: &str = "# ours\n[gateway]\nname = \"fax.example\"\n\n[[relay]]\nnetworks = [\"192.0.2.0/24\", \"::1\"]\n";

fn accounts() -> String {
    format!(
        "[[account]]\nid = \"suzuki\"\nsenders = [\"suzuki@customer.example\"]\n\n\
         [[account]]\nid = \"tanaka\"\nsenders = [\"tanaka@customer.example\", \"*@branch.example\"]\n\
         password = \"{HASH}\"\nresult_mail = {{ when = \"failure\" }}\n\
         [[account.list]]\nname = \"shops\"\nmembers = [{{ number = \"03-1111-2222\" }}]\n"
    )
}

struct Files {
    folder: tempfile::TempDir,
    loaded: Loaded,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("faxgate.toml"), MAIN).unwrap();
        std::fs::write(folder.path().join("accounts.toml"), accounts()).unwrap();
        let loaded = crate::config::load(&folder.path().join("faxgate.toml")).unwrap();
        Self { folder, loaded }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn main(&self) -> Effective {
        self.loaded.config.explained(&self.path("faxgate.toml"))
    }

    fn account(&self, id: &str) -> Effective {
        let accounts = &self.loaded.accounts.accounts.accounts;
        let account = accounts.iter().find(|account| account.id == id).unwrap();
        account.explained(&self.path("faxgate.toml"), &self.loaded.config)
    }
}

/// The value of a key and its line: 0 for a default, -1 for a line that says something else by now, -2 for none.
fn of(effective: &Effective, key: &str) -> (Option<String>, i64) {
    let found = effective.settings.iter().find(|setting| setting.key == key);
    let found = found.unwrap_or_else(|| panic!("{key} is not told of"));
    let line = match &found.origin {
        Origin::Default => 0,
        Origin::Written(spot) => i64::try_from(spot.line).unwrap(),
        Origin::Differs(_) => -1,
        Origin::Gone => -2,
    };
    (found.value.clone(), line)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn every_key_of_the_main_file_has_its_value_and_its_line() {
    let files = Files::new();
    let told = files.main();
    assert!(told.is_current);
    for (key, value, line) in [
        ("gateway.name", some("fax.example"), 3),
        ("gateway.domains", some("fax.example"), 0),
        ("relay[0].networks", some("192.0.2.0/24, ::1/128"), 6),
        ("relay[0].accounts", some("*"), 0),
        ("verify", None, 0),
        ("web", None, 0),
        ("lock.strikes", None, 0),
    ] {
        assert_eq!(of(&told, key), (value, line), "{key}");
    }
}

#[test]
fn no_key_of_the_main_file_is_left_out() {
    let told = Files::new().main();
    let told: BTreeSet<&str> = told.settings.iter().map(|s| s.key.as_str()).collect();
    let mut missing = Vec::new();
    for key in crate::config::tests::known_keys() {
        let first = key.replacen("relay.", "relay[0].", 1);
        let above = key.match_indices('.').map(|(dot, _)| &key[..dot]);
        let is_told = above
            .chain([key.as_str(), &first])
            .any(|key| told.contains(key));
        missing.extend((!is_told).then_some(key));
    }
    assert!(
        missing.is_empty(),
        "missing in WITHOUT_DEFAULT: {missing:?}"
    );
}

#[test]
fn a_main_file_that_was_changed_since_the_start_says_so_beside_the_keys() {
    let files = Files::new();
    files.write("faxgate.toml", &MAIN.replace("fax.example", "new.example"));
    let told = files.main();
    assert!(!told.is_current);
    assert_eq!(of(&told, "gateway.name"), (some("fax.example"), -1));
    assert_eq!(of(&told, "relay[0].networks").1, 6);
    files.write(
        "faxgate.toml",
        "[[relay]]\nnetworks = [\"192.0.2.0/24\", \"::1\"]\n",
    );
    assert_eq!(of(&files.main(), "gateway.name").1, -2);
    files.write("faxgate.toml", "[[");
    assert_eq!(of(&files.main(), "relay[0].networks").1, -2);
}

#[test]
fn every_key_of_an_account_has_its_value_and_its_line_and_no_secret() {
    let files = Files::new();
    let told = files.account("tanaka");
    assert!(told.is_current);
    for (key, value, line) in [
        ("id", some("tanaka"), 6),
        ("login_id", some("tanaka"), 0),
        ("email", some("tanaka@customer.example"), 0),
        (
            "senders",
            some("tanaka@customer.example, *@branch.example"),
            7,
        ),
        ("password", some("set: argon2id, m=19456,t=2,p=1"), 8),
        ("mail_password", None, 0),
        ("result_mail.when", some("failure"), 9),
        ("result_mail.format", some("html-ja"), 0),
        ("list[0].name", some("shops"), 11),
        ("list[0].members", some("1"), 12),
        ("max_calls", None, 0),
    ] {
        assert_eq!(of(&told, key), (value, line), "{key}");
    }
    let text = format!("{told:?}");
    assert!(!text.contains("c2Fsd") && !text.contains("Ym9k"), "{text}");
    assert_eq!(of(&files.account("suzuki"), "senders").1, 3);
}

#[test]
fn an_account_that_moved_in_its_file_is_found_again() {
    let files = Files::new();
    files.write("accounts.toml", &format!("# two\n# lines\n{}", accounts()));
    let told = files.account("tanaka");
    assert!(told.is_current);
    assert_eq!(of(&told, "senders").1, 9);
    // Where one was, another one is by now.
    let text = accounts()
        .replace("\"tanaka\"", "\"x\"")
        .replace("\"suzuki\"", "\"tanaka\"");
    files.write("accounts.toml", &text);
    let told = files.account("tanaka");
    assert!(!told.is_current);
    assert_eq!((of(&told, "id").1, of(&told, "senders").1), (2, -1));
}

#[test]
fn what_an_account_s_file_says_by_now_is_not_taken_for_what_is_in_force() {
    let files = Files::new();
    let text = accounts()
        .replace("p=1$", "p=2$")
        .replace("failure", "never");
    files.write("accounts.toml", &text);
    let told = files.account("tanaka");
    assert!(!told.is_current);
    assert_eq!(of(&told, "result_mail.when"), (some("failure"), -1));
    assert_eq!(of(&told, "password").1, -1, "another hash");
    assert_eq!(of(&told, "senders").1, 7);
    std::fs::remove_file(files.path("accounts.toml")).unwrap();
    let told = files.account("tanaka");
    assert!(!told.is_current && of(&told, "senders").1 == -2);
}

/// The keys that the reader asks for: a mistyped one gets them as answer.
fn asked(text: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
    let main = folder.path().join("faxgate.toml");
    let mistakes = crate::config::Accounts::load(&main, &Config::default()).unwrap_err();
    let unknown = mistakes
        .iter()
        .find(|m| m.problem.starts_with("unknown key"));
    let keys = unknown.unwrap().accepted.split(", ");
    keys.map(str::to_owned).collect()
}

#[test]
fn no_key_of_an_account_is_left_out() {
    let files = Files::new();
    let told = files.account("tanaka");
    let told: BTreeSet<&str> = told.settings.iter().map(|s| s.key.as_str()).collect();
    let account = "[[account]]\nid = \"a\"\nsenders = [\"a@x.example\"]\n";
    for key in asked(&format!("{account}zzzzzzzz = 1\n")) {
        match key.as_str() {
            "list" | "result_mail" => {}
            key => assert!(told.contains(key), "{key} is missing in Account::texts"),
        }
    }
    for key in asked(&format!("{account}result_mail = {{ zzzzzzzz = 1 }}\n")) {
        let key = format!("result_mail.{key}");
        assert!(
            told.contains(key.as_str()),
            "{key} is missing in Account::texts"
        );
    }
}

#[test]
fn an_account_knows_where_it_is_written_at_little_cost() {
    let files = Files::new();
    let lines: Vec<(usize, &Account)> = files
        .loaded
        .accounts
        .accounts
        .accounts
        .iter()
        .map(|account| (account.written.line, account.as_ref()))
        .collect();
    assert_eq!((lines[0].0, lines[1].0), (1, 5));
    let (first, second) = (&lines[0].1.written.file, &lines[1].1.written.file);
    assert!(std::sync::Arc::ptr_eq(first, second), "one name for all");
}
