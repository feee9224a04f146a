//! Mail servers that are not ours relay in over STARTTLS with a login: Postfix, Exim and OpenSMTPD of Debian.

mod exim;
mod opensmtpd;
mod postfix;
pub(crate) mod private;

use faxgate::account::scram;
use faxgate::secret::Secret;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

use private::Server;

const TO: &str = "0312345678@fax.example";
const WRONG: &str = "kaki8wrong";

/// Starts a server that logs in to this gateway as `tanaka` with this password.
type Start = fn(&Gateway, &str) -> Server;

fn gateway(account: Account) -> Gateway {
    Gateway::start(Setup::new(&[account]).tls(Made::shared()))
}

fn offer() -> Mail {
    Mail::new("tanaka@customer.example", TO, "Please see to it.\r\n")
}

/// Hands a mail to the server, which takes it whatever we think of it later.
fn submit(server: &Server) {
    let reply = Smtp::hello(server.smtp).mail(&offer());
    assert!(reply.starts_with("250"), "{reply}");
}

fn logins(gateway: &Gateway, result: &str) -> f64 {
    let name = format!("faxgate_smtp_logins_total{{result={result:?}}}");
    gateway.metric(&name).unwrap_or(0.0)
}

/// The right password: the mail becomes a fax, and its result is mailed.
fn relays(start: Start, account: Account) {
    let gateway = gateway(account);
    let server = start(&gateway, RIGHT);
    submit(&server);
    let jobs = wait_for("the job of the relayed mail", || {
        if let Some(failure) = server.failure() {
            panic!("{failure}");
        }
        let jobs = gateway.jobs();
        (!jobs.is_empty() && jobs.iter().all(|job| job["completed"].is_string())).then_some(jobs)
    });
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(jobs[0]["account"], "tanaka");
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(mails[0].subject().contains("0081312345678"));
    assert_eq!(logins(&gateway, "accepted"), 1.0);
    assert_eq!(gateway.strikes("tanaka"), 0);
}

/// A wrong password: nothing is faxed, the mail waits at the server, and an attempt is one strike.
fn waits(start: Start) {
    let gateway = gateway(Account::tanaka());
    let server = start(&gateway, WRONG);
    submit(&server);
    server.wait_for_deferral(1);
    assert_eq!(gateway.strikes("tanaka"), 1, "{}", server.log());
    // The server tries again: one more, however many mechanisms it tries.
    server.retry();
    server.wait_for_deferral(2);
    assert_eq!(gateway.strikes("tanaka"), 2, "{}", server.log());
    assert!(!gateway.is_locked("tanaka"));
    assert!(gateway.jobs().is_empty());
    assert!(gateway.sink.mails().is_empty());
    // Somebody corrects it: the mail that waited is sent, and what was counted is forgiven.
    server.correct(RIGHT);
    server.retry();
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(gateway.strikes("tanaka"), 0);
}

#[test]
fn postfix_relays_with_the_right_password() {
    relays(postfix::start, Account::tanaka());
}

/// Postfix takes SCRAM where it is offered and nothing else when that fails, so it is offered only if somebody has a
/// verifier (as the story above shows: `tanaka` there has none).
#[test]
fn postfix_relays_by_scram_where_the_account_can() {
    let verifier = scram::verifier(&Secret::new(RIGHT.to_owned())).unwrap();
    let tanaka = Account::tanaka().set("scram", &format!("{:?}", verifier.text()));
    let gateway = gateway(tanaka.clone());
    let mut session = Smtp::starttls(gateway.smtp, Made::shared());
    let offered = session.say("EHLO client.example");
    assert!(
        offered.contains("250-AUTH PLAIN LOGIN SCRAM-SHA-256\r"),
        "{offered}"
    );
    relays(postfix::start, tanaka);
}

#[test]
fn postfix_keeps_the_mail_while_the_password_is_wrong() {
    waits(postfix::start);
}

#[test]
fn exim_relays_with_the_right_password() {
    relays(exim::start, Account::tanaka());
}

#[test]
fn exim_keeps_the_mail_while_the_password_is_wrong() {
    waits(exim::start);
}

#[test]
fn opensmtpd_relays_with_the_right_password() {
    relays(opensmtpd::start, Account::tanaka());
}

#[test]
fn opensmtpd_keeps_the_mail_while_the_password_is_wrong() {
    waits(opensmtpd::start);
}
