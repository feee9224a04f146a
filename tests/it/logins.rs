//! What a login is worth while the session lasts, from outside.

use faxgate::account::scram;
use faxgate::secret::Secret;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::base64;
use crate::gateway::wait_for;

const FROM_TANAKA: &str = "MAIL FROM:<tanaka@customer.example>";
const OVER: &str = "421 4.7.0 The login has ended, log in again";

fn start(made: &Made) -> Gateway {
    Gateway::start(Setup::new(&[Account::tanaka(), Account::suzuki()]).tls(made))
}

/// A session that has logged in as `tanaka`.
fn logged_in(gateway: &Gateway, made: &Made) -> Smtp {
    let mut session = Smtp::starttls(gateway.smtp, made);
    assert!(session.log_in("tanaka", RIGHT).starts_with("235"));
    session
}

/// Puts other accounts into force.
fn replace(gateway: &Gateway, accounts: &[Account]) {
    let before = gateway.events_of_reload();
    gateway.write_accounts(accounts);
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
}

#[test]
fn a_program_that_falls_back_from_plain_to_login_strikes_once() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = Smtp::starttls(gateway.smtp, made);
    let wrong = "kaki8wrong";
    assert!(session.log_in("tanaka", wrong).starts_with("535 5.7.8"));
    session.say("AUTH LOGIN");
    session.say(&base64(b"tanaka"));
    assert!(session.say(&base64(wrong.as_bytes())).starts_with("535"));
    assert_eq!(gateway.strikes("tanaka"), 1);
    assert!(session.log_in("tanaka", "kaki9wrong").starts_with("535"));
    assert_eq!(gateway.strikes("tanaka"), 2, "another password");
    assert!(!gateway.is_locked("tanaka"));
    let mut session = Smtp::starttls(gateway.smtp, made);
    assert!(session.log_in("tanaka", wrong).starts_with("535"));
    assert!(gateway.is_locked("tanaka"), "another session");
}

#[test]
fn a_changed_password_ends_sessions_at_their_next_mail() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = logged_in(&gateway, made);
    let mut other = logged_in(&gateway, made);
    let changed = Account::tanaka().password("kaki9sample");
    replace(&gateway, &[changed, Account::suzuki()]);
    assert_eq!(session.say(FROM_TANAKA), OVER);
    assert_eq!(session.reply(), "", "closed");
    // A session has no way around that.
    assert!(other.say("RSET").starts_with("250"));
    assert!(other.log_in("tanaka", "kaki9sample").starts_with("503"));
    assert_eq!(other.say(FROM_TANAKA), OVER);
    let mut session = Smtp::starttls(gateway.smtp, made);
    assert!(session.log_in("tanaka", RIGHT).starts_with("535"));
    assert!(session.log_in("tanaka", "kaki9sample").starts_with("235"));
    assert!(session.say(FROM_TANAKA).starts_with("250"));
}

#[test]
fn i7_a_changed_password_ends_a_mail_that_is_on_its_way() {
    let made = Made::shared();
    let gateway = start(made);
    let mail = Mail::new(
        "tanaka@customer.example",
        "0312345678@fax.example",
        "Hello.\r\n",
    );
    let mut session = logged_in(&gateway, made);
    assert_eq!(session.envelope(&mail), Ok(()));
    let changed = Account::tanaka().password("kaki9sample");
    replace(&gateway, &[changed, Account::suzuki()]);
    let reply = session.message(&mail.message());
    assert!(reply.starts_with("451 "), "{reply}");
    let mut session = Smtp::starttls(gateway.smtp, made);
    assert!(session.log_in("tanaka", "kaki9sample").starts_with("235"));
    let reply = session.mail(&mail);
    assert!(reply.starts_with("250 "), "{reply}");
}

#[test]
fn a_changed_verifier_and_a_removed_account_end_sessions_too() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = logged_in(&gateway, made);
    let verifier = scram::verifier(&Secret::new(RIGHT.to_owned())).unwrap();
    let changed = Account::tanaka().set("scram", &format!("{:?}", verifier.text()));
    replace(&gateway, &[changed, Account::suzuki()]);
    assert_eq!(session.say(FROM_TANAKA), OVER);
    let mut session = logged_in(&gateway, made);
    replace(&gateway, &[Account::suzuki()]);
    assert_eq!(session.say(FROM_TANAKA), OVER);
}

#[test]
fn accounts_read_again_without_a_change_end_no_session() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = logged_in(&gateway, made);
    let renamed = Account::tanaka().set("station_id", "\"+81 3 9999 9999\"");
    replace(&gateway, &[renamed, Account::suzuki()]);
    assert!(session.say(FROM_TANAKA).starts_with("250"));
}

#[test]
fn a_mail_server_may_say_auth_in_mail() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = logged_in(&gateway, made);
    for parameter in ["AUTH=<>", "AUTH=tanaka@customer.example SIZE=100"] {
        let reply = session.say(&format!("{FROM_TANAKA} {parameter}"));
        assert!(reply.starts_with("250 2.1.0"), "{parameter}: {reply}");
        session.say("RSET");
    }
}
