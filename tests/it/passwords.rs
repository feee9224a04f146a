//! Passwords: made against the policy, kept as hashes only (rows I3, I9).

use std::path::Path;
use std::process::Command;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Output;
use crate::gateway::RIGHT;
use crate::gateway::hash_of;
use crate::gateway::run_with_input;

const NUMBER: &str = "0312345678@fax.example";

fn hash_password(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faxgate"));
    command.arg("hash-password").args(arguments);
    // No configuration is needed.
    command.current_dir(std::env::temp_dir());
    run_with_input(command, input)
}

#[test]
fn i9_a_password_against_the_policy_is_refused_with_the_reason() {
    for (password, reason) in [
        ("kaki8", "at least 7 characters"),
        ("kaki8kaki8kaki8kk", "at most 16 characters"),
        ("kakikaki", "at least one digit"),
        ("12345678", "at least one letter"),
        ("kaki8kaki?", "! @ # $ %"),
        ("password1", ""),
    ] {
        let output = hash_password(&[], &format!("{password}\n"));
        assert_eq!(output.code, 65, "{password}");
        assert!(
            output.stderr.contains(reason),
            "{password}: {}",
            output.stderr
        );
        assert!(
            !output.stderr.contains(password),
            "the password is repeated"
        );
        assert_eq!(output.stdout, "");
    }
    let standard = hash_password(&["--profile", "standard"], "kaki8sample\n");
    assert_eq!(standard.code, 65);
    assert_eq!(
        hash_password(&["--profile", "nosuch"], "kaki8sample\n").code,
        64
    );
}

#[test]
fn i9_a_password_from_a_pipe_is_hashed_and_works() {
    let output = hash_password(&[], "Ringo!9tree\n");
    assert_eq!(output.code, 0, "{}", output.stderr);
    let hash = output.stdout.lines().last().unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let account = Account::tanaka().set("password", &format!("{hash:?}"));
    let gateway = Gateway::with(&[account]);
    // Letters are case-sensitive.
    gateway.refuses(&Mail::password(NUMBER, "ringo!9tree"));
    gateway.accepts(&Mail::password(NUMBER, "Ringo!9tree"));
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn i3_only_hashes_are_kept_and_nothing_shows_a_password() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.accepts(&Mail::right(NUMBER));
    gateway.refuses(&Mail::wrong(NUMBER));
    gateway.settled(1);
    gateway.sink.wait_for("tanaka@customer.example", 1);
    for file in files(gateway.folder()) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [RIGHT, "kaki8wrong"] {
            let kept = memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
            assert!(!kept, "{} in {}", secret, file.display());
        }
    }
    let accounts = std::fs::read_to_string(gateway.path("accounts.toml")).unwrap();
    assert!(accounts.contains(&hash_of(RIGHT)));
    // No command shows even the hash.
    let shown = gateway
        .must(&["account", "show", "tanaka", "--json"])
        .stdout;
    assert!(!shown.contains("argon2"), "{shown}");
    let in_clear = Account::tanaka().set("password", "\"kaki8sample\"");
    gateway.write_accounts(&[in_clear]);
    assert_eq!(
        gateway.command(&["check-config"]).code,
        78,
        "a password in clear is a mistake"
    );
}
