//! What hostile or broken clients send, from outside: each has a clear answer, others are served
//! meanwhile, and the process stays as small as it was.

mod made;

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

/// The gateway itself never converts a document, so its memory is that of the mails being read: far
/// less than any of these would take unpacked.
const MOST_KIB: u64 = 400 * 1024;
const NUMBER: &str = "0312345678@fax.example";

fn resident_kib(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.unwrap().split_whitespace().next();
    kib.unwrap().parse().unwrap()
}

/// It serves others, is small, and nothing in it panicked.
fn still_well(gateway: &Gateway) {
    let begun = Instant::now();
    gateway.accepts(&Mail::plain("0399999999@fax.example"));
    assert!(begun.elapsed() < Duration::from_secs(30));
    let kib = resident_kib(gateway);
    assert!(kib < MOST_KIB, "it took {kib} KiB");
    let log = gateway.log_text();
    assert!(!log.contains("panicked") && !log.contains("session failed"));
}

fn send(gateway: &Gateway, message: &[u8]) -> String {
    let mut session = Smtp::hello(gateway.smtp);
    let envelope = Mail::new("suzuki@customer.example", NUMBER, "");
    session.envelope(&envelope).unwrap();
    session.message(message)
}

/// A mail of `suzuki` with this head (each line ended) and body.
fn raw(head: &str, body: &str) -> Vec<u8> {
    // Equal mails without a Message-ID would be one mail that came twice (promise P4).
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "From: suzuki@customer.example\r\nMessage-ID: <hostile-{count}@customer.example>\r\n\
         MIME-Version: 1.0\r\n{head}\r\n{body}"
    )
    .into_bytes()
}

#[expect(clippy::too_many_lines, reason = "a table: one entry for each mail")]
#[test]
fn mails_that_are_made_to_be_hard_are_answered_at_once() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let text = "Content-Type: text/plain; charset=";
    let parts = "--b\r\n\r\nA part.\r\n".repeat(10_000);
    let mixed = "Content-Type: multipart/mixed; boundary=b\r\n";
    let cases = [
        (
            "10,000 parts",
            raw(mixed, &format!("{parts}--b--\r\n")),
            "552 5.3.4 Too many MIME parts",
        ),
        (
            "1,000 deep",
            made::nested(1_000),
            "554 5.6.0 MIME parts nested too deeply",
        ),
        (
            "no text and no document",
            raw("", ""),
            "550 5.6.0 Nothing to send",
        ),
        ("nothing at all", Vec::new(), "554 5.6.0 No mail header"),
        (
            "no header",
            b"Just some text.\r\n".to_vec(),
            "554 5.6.0 No mail header",
        ),
        (
            "a header of 1 MB",
            raw(
                &format!("X-A: {}\r\n", "a".repeat(900)).repeat(1_200),
                "a\r\n",
            ),
            "552 5.3.4 Header too long",
        ),
        (
            "UTF-7",
            raw(&format!("{text}utf-7\r\n"), "+AHA-assword: x\r\n"),
            "554 5.6.0 Charset not accepted",
        ),
        ("NUL", raw("", "a\0b\r\n"), "550 5.6.0 Message has a NUL"),
        (
            "a lone line feed",
            raw("", "a\nb\r\n"),
            "550 5.6.0 Message has a CR or LF alone",
        ),
        (
            "unknown option",
            raw("Subject: x /zz\r\n", "a\r\n"),
            "550 5.5.4 Subject option not understood: /zz",
        ),
        (
            "unknown charset",
            raw(&format!("{text}x-nobody-knows\r\n"), "An offer.\r\n"),
            "250 2.0.0 ",
        ),
        (
            "a boundary that never comes",
            raw(mixed, "An offer.\r\n"),
            "550 5.6.0 Nothing to send",
        ),
        (
            "a multipart without boundary",
            raw("Content-Type: multipart/mixed\r\n", "An offer.\r\n"),
            "550 5.6.0 Nothing to send",
        ),
        (
            "broken base64",
            raw("Content-Transfer-Encoding: base64\r\n", "QW4gb2Zm*!ZXI\r\n"),
            "250 2.0.0 ",
        ),
        (
            "a type that is none",
            raw("Content-Type: ;;;=\r\n", "An offer.\r\n"),
            "250 2.0.0 ",
        ),
        (
            "controls in the subject",
            raw(
                "Subject: a\x07b\x1b[2J=?utf-8?Q?=0D=0ABcc:_x=40y.example?=\r\n",
                "An offer.\r\n",
            ),
            "250 2.0.0 ",
        ),
    ];
    for (name, message, expected) in &cases {
        let reply = send(&gateway, message);
        assert!(reply.starts_with(expected), "{name}: {reply}");
    }
    let accepted = cases
        .iter()
        .filter(|case| case.2.starts_with("250"))
        .count();
    for job in gateway.settled(accepted) {
        assert_eq!(job["status"], 0, "{job:#}");
        let reference = job["reference"].as_str().unwrap();
        assert!(!reference.contains(char::is_control), "{reference:?}");
    }
    for mail in gateway.sink.wait_for("suzuki@customer.example", accepted) {
        assert_eq!(mail.header("Bcc"), None);
    }
    still_well(&gateway);
}

#[test]
fn recipients_that_no_call_can_reach_are_refused_or_fail() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mut session = Smtp::hello(gateway.smtp);
    session.say("MAIL FROM:<suzuki@customer.example>");
    for (recipient, expected) in [
        (format!("{}@fax.example", "3".repeat(40)), "550 5.1.3 "),
        ("03-no-number@fax.example".to_owned(), "550 5.1.3 "),
        ("0312345678@elsewhere.example".to_owned(), "550 5.7.1 "),
        (format!("{}@fax.example", "9".repeat(3_000)), "5"),
    ] {
        let reply = session.say(&format!("RCPT TO:<{recipient}>"));
        assert!(reply.starts_with(expected), "{recipient:.60}: {reply}");
    }
    for number in 0..500 {
        let reply = session.say(&format!(
            "RCPT TO:<03{:08}@fax.example>",
            20_000_000 + number
        ));
        assert!(reply.starts_with("250 "), "{number}: {reply}");
    }
    let reply = session.say("RCPT TO:<0320000500@fax.example>");
    assert!(reply.starts_with("452 4.5.3 "), "{reply}");
    drop(session);
    // A premium number: accepted, failed, and told.
    gateway.accepts(&Mail::plain("0990123456@fax.example"));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["state"], "failed", "{jobs:#?}");
    assert_eq!(jobs[0]["reason"], "destination not allowed");
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert!(
        mails[0].subject().contains("0081990123456"),
        "{}",
        mails[0].subject()
    );
    assert!(gateway.calls().is_empty());
    still_well(&gateway);
}

#[test]
fn documents_that_cannot_become_pages_fail_with_a_mail_that_names_them_and_why() {
    let gateway = Gateway::with(&[
        Account::suzuki().set("result_mail", "{ when = \"always\", format = \"text-en\" }")
    ]);
    let encrypted = std::fs::read("fixtures/render/02-pdf-encrypted/input.pdf").unwrap();
    let cases = [
        (
            "wide.png",
            "image/png",
            made::black_png(20_000, 20_000),
            "has an image of more than 100000000 pixels",
        ),
        (
            "long.pdf",
            "application/pdf",
            made::pdf_of(100_000),
            "makes the fax longer than 100 pages",
        ),
        ("secret.pdf", "application/pdf", encrypted, "is encrypted"),
        (
            "broken.pdf",
            "application/pdf",
            b"%PDF-1.7 and no more".to_vec(),
            "cannot be read",
        ),
        (
            "run.exe",
            "application/octet-stream",
            b"MZ\x90\0".repeat(99),
            "is of a type that cannot be faxed",
        ),
        (
            "nul\x07\u{202e}gpj.exe",
            "image/png",
            b"no picture".to_vec(),
            "cannot be read",
        ),
    ];
    for (number, (name, media_type, bytes, _)) in cases.iter().enumerate() {
        let mail = Mail::plain(&format!("031234567{number}@fax.example"));
        gateway.accepts(&mail.attach(name, media_type, bytes));
        // Others do not wait for the converter.
        still_well(&gateway);
    }
    let mut jobs = gateway.settled(2 * cases.len());
    jobs.retain(|job| job["destination"] != "0081399999999");
    gateway
        .sink
        .wait_for("suzuki@customer.example", 2 * cases.len());
    for (number, (name, .., why)) in cases.iter().enumerate() {
        named_and_explained(&gateway, &jobs[number], name, why);
    }
    still_well(&gateway);
}

fn named_and_explained(gateway: &Gateway, job: &Json, name: &str, why: &str) {
    assert_eq!(job["state"], "failed", "{job:#}");
    let reason = job["reason"].as_str().unwrap();
    assert!(reason.contains(why), "{name}: {reason}");
    let shown: String = name
        .chars()
        .filter(|c| !c.is_control() && *c != '\u{202e}')
        .collect();
    assert!(reason.contains(&shown), "{reason:?} does not name {shown}");
    let number = job["destination"].as_str().unwrap();
    let mails = gateway.sink.mails_to("suzuki@customer.example");
    let told = mails.iter().filter(|mail| mail.body().contains(number));
    let told: Vec<String> = told.map(|mail| mail.body().replace("\r\n", " ")).collect();
    assert_eq!(told.len(), 1, "{number}");
    assert!(
        told[0].contains(&shown),
        "{} does not name {shown}",
        told[0]
    );
}

#[test]
fn a_message_above_the_limit_is_refused_and_slow_peers_hold_nobody_up() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mut announced = Smtp::hello(gateway.smtp);
    let reply = announced.say("MAIL FROM:<suzuki@customer.example> SIZE=20000001");
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    let mut slow: Vec<Smtp> = (0..100).map(|_| Smtp::hello(gateway.smtp)).collect();
    let envelope = Mail::new("suzuki@customer.example", NUMBER, "");
    for (number, session) in slow.iter_mut().enumerate() {
        match number % 4 {
            0 => session.write(b"MAIL FROM:<suz"),
            1 => session.write(b"R"),
            2 => session.envelope(&envelope).unwrap(),
            _ => {
                session.envelope(&envelope).unwrap();
                session.write(b"Subject: half a li");
            }
        }
    }
    let line = "All of it is too much.\r\n";
    let large = raw("", &line.repeat(20_000_000 / line.len() + 1));
    let reply = send(&gateway, &large);
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    still_well(&gateway);
    // The slow ones are served all the same.
    for (number, session) in slow.iter_mut().enumerate() {
        let reply = match number % 4 {
            0 => {
                session.write(b"uki@customer.example>\r\n");
                session.reply()
            }
            1 => session.say("SET"),
            2 => session.message(&raw("", "Late.\r\n")),
            _ => session.message(b"ne\r\n\r\nLate.\r\n"),
        };
        assert!(reply.starts_with("250 "), "{number}: {reply}");
    }
    wait_for("all jobs to be settled", || {
        let jobs = gateway.jobs();
        let open = jobs.iter().any(|job| !job["completed"].is_string());
        (!open).then_some(())
    });
    still_well(&gateway);
}
