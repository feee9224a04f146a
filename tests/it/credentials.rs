//! Credentials: of several kinds, and hashes that follow the times (row W4, threat T15).

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::PasswordHasher;
use argon2::Version;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::hash_of;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";

/// A hash by parameters of years ago.
fn weak_hash(password: &str) -> String {
    let params = Params::new(4096, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2
        .hash_password(password.as_bytes())
        .unwrap()
        .to_string()
}

/// The hashes that the gateway keeps beside the accounts file, with their versions.
fn kept(gateway: &Gateway) -> Vec<(String, i64)> {
    let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
    let mut query = database
        .prepare("SELECT hash, version FROM credential")
        .unwrap();
    let rows = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.map(|row| row.unwrap()).collect()
}

fn with_hash(hash: &str) -> Account {
    Account::tanaka().set("password", &format!("{hash:?}"))
}

#[test]
fn a_weak_hash_is_replaced_at_the_next_right_password_and_no_other() {
    let mut gateway = Gateway::with(&[with_hash(&weak_hash(RIGHT))]);
    gateway.refuses(&Mail::wrong(NUMBER));
    assert_eq!(kept(&gateway), [], "a wrong password changes nothing");
    gateway.accepts(&Mail::right(NUMBER));
    let now = kept(&gateway);
    assert!(
        now[0].0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{now:?}"
    );
    gateway.terminate();
    gateway.serve();
    gateway.accepts(&Mail::right(NUMBER));
    gateway.refuses(&Mail::wrong(NUMBER));
    assert_eq!(kept(&gateway), now, "it is replaced once");
    let shown = gateway.must(&["check-config"]).stderr;
    assert!(
        shown.contains("weaker than today's"),
        "the file is told of still: {shown}"
    );
}

#[test]
fn a_password_that_the_administrator_writes_ends_what_was_kept() {
    let gateway = Gateway::with(&[with_hash(&weak_hash(RIGHT))]);
    gateway.accepts(&Mail::right(NUMBER));
    let before = gateway.events_of_reload();
    gateway.write_accounts(&[with_hash(&hash_of("Ringo!9tree"))]);
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
    gateway.accepts(&Mail::password(NUMBER, "Ringo!9tree"));
    gateway.refuses(&Mail::right(NUMBER));
}

#[test]
fn a_profile_says_which_password_each_door_asks_for() {
    let made = Made::shared();
    let account = Account::tanaka()
        .set("profile", "\"office\"")
        .set("mail_password", &format!("{:?}", hash_of("mikan7mail")))
        .set("smtp_password", &format!("{:?}", hash_of("budou6smtp")));
    let profile = b"[doors]\nbody = \"mail_password\"\nsmtp = \"smtp_password\"\n";
    let setup = Setup::new(&[account])
        .tls(made)
        .file("profiles/office.toml", profile)
        .set("gateway", "profiles", "\"profiles\"");
    let gateway = Gateway::start(setup);
    gateway.accepts(&Mail::password(NUMBER, "mikan7mail"));
    for other in [RIGHT, "budou6smtp"] {
        gateway.refuses(&Mail::password(NUMBER, other));
    }
    gateway.unlock("tanaka");
    for (password, code) in [
        ("budou6smtp", "235 "),
        (RIGHT, "535 "),
        ("mikan7mail", "535 "),
    ] {
        let reply = Smtp::starttls(gateway.smtp, made).log_in("tanaka", password);
        assert!(reply.starts_with(code), "{password}: {reply}");
    }
    assert_eq!(gateway.strikes("tanaka"), 2, "one lock over all kinds");
}
