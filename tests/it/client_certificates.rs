//! Clients that have a certificate, from outside.

use std::process::Command;
use std::sync::Arc;

use crate::certificates::Authority;
use crate::certificates::Made;
use crate::certificates::Shown;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::run_with_input;
use crate::gateway::wait_for;

const TO: &str = "0312345678@fax.example";
const FROM_TANAKA: &str = "MAIL FROM:<tanaka@customer.example>";

fn without_password() -> Mail {
    Mail::new("tanaka@customer.example", TO, "Please see to it.\r\n")
}

fn tanaka(shown: &[&Shown]) -> Account {
    let prints: Vec<String> = shown.iter().map(|shown| shown.fingerprint()).collect();
    Account::tanaka().set("client_certificate", &format!("{prints:?}"))
}

fn start(authority: &Authority, shown: &[&Shown]) -> Gateway {
    let setup = Setup::new(&[tanaka(shown), Account::suzuki()]);
    let setup = setup.tls(Made::shared());
    let setup = setup.set("tls", "client_ca", "\"ca.pem\"");
    Gateway::start(setup.file("ca.pem", authority.certificate.as_bytes()))
}

fn session(gateway: &Gateway, shown: &Shown) -> Smtp {
    Smtp::starttls_as(gateway.smtp, Made::shared().client_showing(shown))
}

fn offers_external(session: &mut Smtp) -> bool {
    let reply = session.say("EHLO client.example");
    assert!(reply.contains("250-AUTH PLAIN LOGIN"), "{reply}");
    reply.contains("LOGIN EXTERNAL\r")
}

#[test]
fn a_known_certificate_is_a_login_with_and_without_a_command() {
    let authority = Authority::new();
    let shown = authority.issue(2100);
    let gateway = start(&authority, &[&shown]);
    for auth in [
        None,
        Some("AUTH EXTERNAL ="),
        Some("AUTH EXTERNAL dGFuYWth"),
    ] {
        let mut session = session(&gateway, &shown);
        assert!(offers_external(&mut session));
        if let Some(auth) = auth {
            assert!(session.say(auth).starts_with("235 2.7.0"), "{auth}");
        }
        let reply = session.mail(&without_password());
        assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
        let reply = session.say("MAIL FROM:<suzuki@customer.example>");
        assert!(reply.starts_with("550 5.7.1"), "{reply}");
    }
    // In two steps, and for somebody else.
    let mut session = session(&gateway, &shown);
    assert_eq!(
        session.say("AUTH EXTERNAL c3V6dWtp"),
        "535 5.7.8 Authentication failed"
    );
    assert_eq!(session.say("AUTH EXTERNAL"), "334");
    assert!(session.say("").starts_with("235"));
    assert_eq!(gateway.settled(3).len(), 3);
    assert_eq!(gateway.strikes("suzuki"), 0);
}

#[test]
fn a_session_that_is_resumed_is_judged_like_its_first() {
    let authority = Authority::new();
    let (shown, other) = (authority.issue(2100), authority.issue(2100));
    let gateway = start(&authority, &[&shown]);
    for (shown, known) in [(&shown, true), (&other, false)] {
        // One client: from the second time on it has a ticket.
        let client = Made::shared().client_showing(shown);
        for _ in 0..3 {
            let port = gateway.smtp_tls.unwrap();
            let mut session = Smtp::connect_tls_as(port, Arc::clone(&client));
            assert_eq!(offers_external(&mut session), known);
        }
    }
}

#[test]
fn issuers_are_followed_as_their_file_changes() {
    let (first, second) = (Authority::new(), Authority::new());
    let (old, new) = (first.issue(2100), second.issue(2100));
    let gateway = start(&first, &[&old, &new]);
    assert!(offers_external(&mut session(&gateway, &old)));
    assert!(!offers_external(&mut session(&gateway, &new)));
    std::fs::write(gateway.path("new.pem"), &second.certificate).unwrap();
    std::fs::rename(gateway.path("new.pem"), gateway.path("ca.pem")).unwrap();
    wait_for("the issuers to be in force", || {
        offers_external(&mut session(&gateway, &new)).then_some(())
    });
    assert!(!offers_external(&mut session(&gateway, &old)));
}

#[test]
fn any_other_certificate_is_as_none() {
    let authority = Authority::new();
    let (known, unknown) = (authority.issue(2100), authority.issue(2100));
    let (expired, foreign) = (authority.issue(2021), Authority::new().issue(2100));
    // An account names all but one of them.
    let gateway = start(&authority, &[&known, &expired, &foreign]);
    for shown in [&unknown, &expired, &foreign] {
        let mut session = session(&gateway, shown);
        assert!(!offers_external(&mut session));
        let reply = session.say("AUTH EXTERNAL =");
        assert_eq!(reply, "504 5.5.4 Mechanism not offered");
        assert!(session.mail(&without_password()).starts_with("550 5.7.8"));
        // It may still log in, or write the password into the mail.
        assert!(session.mail(&Mail::right(TO)).starts_with("250"));
        assert!(session.log_in("tanaka", RIGHT).starts_with("235"));
    }
    let mut none = Smtp::starttls(gateway.smtp, Made::shared());
    assert!(!offers_external(&mut none));
    assert!(none.say("AUTH EXTERNAL =").starts_with("504"));
    assert!(offers_external(&mut session(&gateway, &known)));
}

#[test]
fn the_lock_is_judged_at_every_mail_of_a_certificate() {
    let authority = Authority::new();
    let shown = authority.issue(2100);
    let gateway = start(&authority, &[&shown]);
    let mut silent = session(&gateway, &shown);
    let mut spoken = session(&gateway, &shown);
    assert!(spoken.say("AUTH EXTERNAL =").starts_with("235"));
    gateway.lock_by_mail();
    for _ in 0..2 {
        let reply = silent.say(FROM_TANAKA);
        assert_eq!(reply, "535 5.7.8 Authentication failed");
    }
    assert_eq!(spoken.say(FROM_TANAKA), "535 5.7.8 Authentication failed");
    assert!(silent.say("AUTH EXTERNAL =").starts_with("535 5.7.8"));
    gateway.unlock("tanaka");
    assert!(silent.say(FROM_TANAKA).starts_with("250"));
}

#[test]
fn a_certificate_taken_from_an_account_ends_what_it_proved() {
    let authority = Authority::new();
    let (shown, other) = (authority.issue(2100), authority.issue(2100));
    let gateway = start(&authority, &[&shown]);
    let mut silent = session(&gateway, &shown);
    let mut spoken = session(&gateway, &shown);
    assert!(spoken.say("AUTH EXTERNAL =").starts_with("235"));
    let before = gateway.events_of_reload();
    gateway.write_accounts(&[tanaka(&[&other]), Account::suzuki()]);
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
    assert!(spoken.say(FROM_TANAKA).starts_with("421 4.7.0"));
    assert!(silent.mail(&without_password()).starts_with("550 5.7.8"));
    assert!(offers_external(&mut session(&gateway, &other)));
}

#[test]
fn python_shows_its_certificate_and_sends() {
    let authority = Authority::new();
    let shown = authority.issue(2100);
    let gateway = start(&authority, &[&shown]);
    std::fs::write(gateway.path("client.pem"), &shown.certificate).unwrap();
    std::fs::write(gateway.path("client-key.pem"), &shown.key).unwrap();
    let path = |name: &str| gateway.path(name).to_str().unwrap().to_owned();
    let script = format!(
        "import smtplib, ssl\n\
         context = ssl.create_default_context(cafile={:?})\n\
         context.check_hostname = False\n\
         context.load_cert_chain({:?}, {:?})\n\
         for external in (False, True):\n\
         \x20   with smtplib.SMTP('127.0.0.1', {}) as session:\n\
         \x20       session.starttls(context=context)\n\
         \x20       session.ehlo()\n\
         \x20       if external: session.auth('EXTERNAL', lambda challenge=None: '')\n\
         \x20       session.sendmail('tanaka@customer.example', ['{TO}'], 'Subject: offer\\n\\n' + str(session))\n",
        path("cert.pem"),
        path("client.pem"),
        path("client-key.pem"),
        gateway.smtp.port(),
    );
    let mut python = Command::new("python3");
    python.args(["-c", &script]);
    let output = run_with_input(python, "");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(gateway.settled(2).len(), 2);
}
