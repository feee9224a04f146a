//! Forged mails in numbers: no mail goes out for them, and nobody waits for the DNS of another (threats T1, T12).

use std::net::SocketAddr;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::verification::ELSEWHERE;
use crate::verification::HERE;
use crate::verification::NUMBER;
use crate::verification::POLICY;
use crate::verification::SHOPS;
use crate::verification::at;
use crate::verification::mail;
use crate::verification::verifying;
use crate::verification::zone::Server;
use crate::verification::zone::Zone;

const SESSIONS: usize = 16;

/// Sends `mails` over several sessions at a time; the replies, each with the mail's number.
fn flood(smtp: SocketAddr, mails: usize, of: fn(usize) -> Mail) -> Vec<(usize, String)> {
    let send = |first: usize| {
        let mut session = Smtp::hello(smtp);
        let numbers = (first..mails).step_by(SESSIONS);
        numbers
            .map(|n| (n, session.mail(&of(n))))
            .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SESSIONS)
            .map(|n| scope.spawn(move || send(n)))
            .collect();
        senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap())
            .collect()
    })
}

/// How many mails of ours were ever written, sent or not, by kind.
fn mails_written(gateway: &Gateway) -> Vec<(String, i64)> {
    let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
    let mut query = database
        .prepare("SELECT dedup, COUNT(*) FROM outbox GROUP BY dedup")
        .unwrap();
    let rows = query
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .unwrap();
    let kind = |dedup: &str| dedup.split(':').next().unwrap_or_default().to_owned();
    rows.map(|row| row.map(|(dedup, count)| (kind(&dedup), count)).unwrap())
        .collect()
}

fn quick(accounts: &[Account], dns: &Server) -> Setup {
    verifying(accounts, dns).set("smtp", "refusal_floor", "\"1ms\"")
}

#[test]
fn ten_thousand_forged_mails_make_no_mail_no_strike_and_no_job() {
    let dns = Zone::default()
        .text("customer.example", ELSEWHERE)
        .text("_dmarc.customer.example", POLICY)
        .serve();
    let accounts = [Account::tanaka(), at("open", "open.example")];
    let gateway = Gateway::start(quick(&accounts, &dns));
    gateway.lock("tanaka");
    let of = |n: usize| {
        let to = if n.is_multiple_of(2) { NUMBER } else { SHOPS };
        match n % 4 {
            0 | 1 => Mail::wrong(to),
            // Nobody has these: of a domain that publishes nothing, and of one that does.
            2 => mail(&format!("nobody{n}@open.example"), to, "kaki8wrong"),
            _ => mail(&format!("nobody{n}@customer.example"), to, "kaki8wrong"),
        }
    };
    for (n, reply) in flood(gateway.smtp, 10_000, of) {
        let code = if n % 4 == 2 {
            "550 5.7.8 "
        } else {
            "550 5.7.26 "
        };
        assert!(reply.starts_with(code), "{n}: {reply}");
    }
    gateway.unlock("tanaka");
    assert_eq!(gateway.strikes("tanaka"), 0);
    assert_eq!(gateway.strikes("open"), 0);
    assert_eq!(gateway.jobs().len(), 0);
    assert_eq!(mails_written(&gateway), []);
    // The operator is told enough of them: 120 at once, then two a second.
    let told = gateway.json(&["refused", "--limit", "20000"]);
    let told = told.as_array().unwrap().len();
    assert!((120..5_000).contains(&told), "{told}");
}

#[test]
fn a_thousand_mails_that_may_be_forged_make_one_lock_notice_and_one_mail_for_the_list() {
    let dns = Zone::default().serve();
    let gateway = Gateway::start(quick(&[Account::tanaka()], &dns));
    let of = |n: usize| {
        let to = if n.is_multiple_of(2) { NUMBER } else { SHOPS };
        mail("tanaka@customer.example", to, &format!("kaki8wrong{n}"))
    };
    for (n, reply) in flood(gateway.smtp, 1_000, of) {
        // What is for the list after the lock is taken, and ends with 6002.
        let refused = reply.starts_with("550 5.7.8 ");
        assert!(
            refused || (n % 2 == 1 && reply.starts_with("250 ")),
            "{n}: {reply}"
        );
    }
    assert!(gateway.is_locked("tanaka"));
    let mut written = mails_written(&gateway);
    written.sort();
    assert_eq!(written.len(), 2, "one notice, one mail: {written:?}");
    assert!(written.contains(&("lock".to_owned(), 1)), "{written:?}");
}

#[test]
fn one_slow_zone_never_slows_another_sender() {
    let dns = Zone::default()
        .silent("slow.example")
        .text("quick.example", HERE)
        .serve();
    let accounts = [at("slow", "slow.example"), at("quick", "quick.example")];
    let gateway = Gateway::start(quick(&accounts, &dns));
    let smtp = gateway.smtp;
    let (done, waits) = std::sync::mpsc::channel();
    // More than are verified at a time for one client and one domain: others would be told 451 as well.
    for n in 0..40 {
        let done = done.clone();
        std::thread::spawn(move || {
            let mail = mail("slow@slow.example", NUMBER, &format!("kaki8wrong{n}"));
            let _ = done.send(Smtp::hello(smtp).mail(&mail));
        });
    }
    for _ in 0..20 {
        gateway.accepts(&mail("quick@quick.example", NUMBER, crate::gateway::RIGHT));
    }
    for _ in 0..40 {
        let reply = waits.recv().unwrap();
        assert!(reply.starts_with("451 4.4.3 "), "{reply}");
    }
    assert_eq!(gateway.strikes("slow"), 0);
}
