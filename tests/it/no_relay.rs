//! Nothing leaves that nobody here asked for: no mail is relayed, and no forged mail is answered by another.

use std::collections::VecDeque;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;

/// Senders and recipients that scanners for open relays try: foreign, null, ours, literal and local senders, and
/// every way to hide another domain in a recipient. (`customer.example` is the domain of an account.)
const FORMS: [(&str, &str); 33] = [
    ("spam@abuse.example", "victim@victim.example"),
    ("spam", "victim@victim.example"),
    ("", "victim@victim.example"),
    ("spam@fax.example", "victim@victim.example"),
    ("spam@gw.example", "victim@victim.example"),
    ("spam@[127.0.0.1]", "victim@victim.example"),
    ("postmaster@fax.example", "victim@victim.example"),
    ("postmaster", "victim@victim.example"),
    ("spam@localhost", "victim@victim.example"),
    ("suzuki@customer.example", "victim@victim.example"),
    ("0312345678@fax.example", "victim@victim.example"),
    ("spam@fax.example", "victim%victim.example@fax.example"),
    ("spam@fax.example", "victim%victim.example@gw.example"),
    ("spam@fax.example", "victim%victim.example@[127.0.0.1]"),
    ("spam@fax.example", "\"victim@victim.example\""),
    ("spam@fax.example", "\"victim%victim.example\""),
    ("spam@fax.example", "victim@victim.example@fax.example"),
    ("spam@fax.example", "\"victim@victim.example\"@fax.example"),
    ("spam@fax.example", "victim@victim.example@[127.0.0.1]"),
    ("spam@fax.example", "@fax.example:victim@victim.example"),
    (
        "spam@fax.example",
        "@gw.example,@fax.example:victim@victim.example",
    ),
    ("spam@fax.example", "@[127.0.0.1]:victim@victim.example"),
    ("spam@fax.example", "victim.example!victim"),
    ("spam@fax.example", "victim.example!victim@fax.example"),
    ("spam@fax.example", "victim.example!victim@[127.0.0.1]"),
    (
        "spam@fax.example",
        "gw.example!victim%victim.example@fax.example",
    ),
    (
        "spam@fax.example",
        "victim.example!victim%gw.example@fax.example",
    ),
    (
        "suzuki@customer.example",
        "0312345678%victim.example@fax.example",
    ),
    (
        "suzuki@customer.example",
        "0312345678@victim.example@fax.example",
    ),
    (
        "suzuki@customer.example",
        "\"0312345678@victim.example\"@fax.example",
    ),
    (
        "suzuki@customer.example",
        "victim%victim.example@list.fax.example",
    ),
    (
        "suzuki@customer.example",
        "victim.example!victim@list.fax.example",
    ),
    ("suzuki@customer.example", "victim@[127.0.0.1]"),
];

fn rows(gateway: &Gateway, table: &str) -> i64 {
    let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
    let count = format!("SELECT count(*) FROM {table}");
    database.query_row(&count, [], |row| row.get(0)).unwrap()
}

/// No mail has left, none waits to leave, and there is no job.
fn nothing_leaves(gateway: &Gateway) {
    for table in ["outbox", "job", "batch"] {
        assert_eq!(rows(gateway, table), 0, "{table}");
    }
    assert_eq!(gateway.sink.mails().len(), 0);
    assert!(gateway.calls().is_empty());
}

#[test]
fn every_form_that_scanners_for_open_relays_try_is_refused_at_rcpt() {
    let made = Made::shared();
    let setup = Setup::new(&[Account::suzuki(), Account::tanaka()]).tls(made);
    let gateway = Gateway::start(setup);
    for (sender, recipient) in FORMS {
        let mut session = Smtp::hello(gateway.smtp);
        session.say(&format!("MAIL FROM:<{sender}>"));
        let reply = session.say(&format!("RCPT TO:<{recipient}>"));
        assert!(reply.starts_with('5'), "{sender} {recipient}: {reply}");
        let reply = session.say("DATA");
        assert!(reply.starts_with('5'), "{sender} {recipient}: {reply}");
    }
    // Whoever has logged in may send faxes, and relays no more than others.
    let mut session = Smtp::starttls(gateway.smtp, made);
    assert!(session.log_in("tanaka", RIGHT).starts_with("235"));
    for (_, recipient) in FORMS {
        assert!(
            session
                .say("MAIL FROM:<tanaka@customer.example>")
                .starts_with("250")
        );
        let reply = session.say(&format!("RCPT TO:<{recipient}>"));
        assert!(reply.starts_with('5'), "{recipient}: {reply}");
        session.say("RSET");
    }
    nothing_leaves(&gateway);
}

#[test]
fn a_source_route_to_a_number_here_is_that_number_and_nobody_else() {
    // RFC 5321 section 4.1.1.3: the route is ignored.
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mail = Mail::plain("@victim.example:0312345678@fax.example");
    gateway.accepts(&mail);
    assert_eq!(gateway.settled(1)[0]["destination"], "0081312345678");
    let sent = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert_eq!(sent.len(), gateway.sink.mails().len());
}

const FORGED: usize = 10_000;
const SESSIONS: usize = 8;

/// Forged mails of people who are no senders, each kind of them in turn.
fn forged(number: usize) -> Mail {
    let body = match number % 3 {
        0 => "password: kaki8wrong\r\n\r\nBuy now.\r\n",
        1 => "Buy now.\r\n",
        _ => "FAXPASSWORD: kaki8sample\r\n\r\nBuy now.\r\n",
    };
    let to = [
        "0312345678@fax.example",
        "shops@list.fax.example",
        "+81312345678@fax.example",
    ];
    let sender = match number % 4 {
        0 => format!("victim{number}@victim.example"),
        1 => format!("stranger{number}@customer.example"),
        2 => "victim@victim.example".to_owned(),
        _ => String::new(),
    };
    let mail = Mail::new(&sender, to[number % to.len()], body);
    match number % 5 {
        0 => mail
            .header("From", "victim@victim.example")
            .header("Reply-To", "victim@victim.example"),
        1 => mail.header("Disposition-Notification-To", "victim@victim.example"),
        2 => mail.header("Return-Receipt-To", "victim@victim.example"),
        _ => mail,
    }
}

/// Sends every so many-th forged mail in one session, the commands of the next mail with the end of the one before;
/// how many were refused after their end.
fn forge(gateway: &Gateway, first: usize) -> usize {
    let mut session = Smtp::hello(gateway.smtp);
    let mut waiting: VecDeque<Mail> = (first..FORGED).step_by(SESSIONS).map(forged).collect();
    let envelope = |mail: &Mail| {
        format!(
            "MAIL FROM:<{}>\r\nRCPT TO:<{}>\r\nDATA\r\n",
            mail.sender, mail.recipients[0]
        )
    };
    session.write(envelope(&waiting[0]).as_bytes());
    let mut refused = 0;
    while let Some(mail) = waiting.pop_front() {
        for code in ["250 ", "250 ", "354 "] {
            let reply = session.reply();
            assert!(reply.starts_with(code), "{}: {reply}", mail.sender);
        }
        let mut wire = mail.message();
        wire.extend_from_slice(b".\r\n");
        wire.extend_from_slice(waiting.front().map(envelope).unwrap_or_default().as_bytes());
        session.write(&wire);
        let reply = session.reply();
        assert!(reply.starts_with("550 5.7."), "{}: {reply}", mail.sender);
        refused += 1;
    }
    refused
}

#[test]
fn ten_thousand_forged_mails_of_strangers_make_no_mail_at_all() {
    // Without the floor under the time of a refusal this takes seconds instead of minutes.
    let setup =
        Setup::new(&[Account::tanaka(), Account::suzuki()]).set("smtp", "refusal_floor", "\"0s\"");
    let gateway = Gateway::start(setup);
    let refused: usize = std::thread::scope(|scope| {
        let forge = |first| {
            let gateway = &gateway;
            scope.spawn(move || forge(gateway, first))
        };
        let sessions: Vec<_> = (0..SESSIONS).map(forge).collect();
        sessions
            .into_iter()
            .map(|session| session.join().unwrap())
            .sum()
    });
    assert_eq!(refused, FORGED);
    nothing_leaves(&gateway);
    assert_eq!(rows(&gateway, "strike_identity"), 0);
    // The one who may send is answered by the only mail.
    gateway.accepts(&Mail::plain("0312345678@fax.example"));
    gateway.sink.wait_for("suzuki@customer.example", 1);
    assert_eq!(gateway.sink.mails().len(), 1);
}
