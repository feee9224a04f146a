//! Mail programs and relays: how they speak, how much of it, and what they are told in trouble (rows C1, C3).

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const SIMULATOR: &str = "00999-9999-0@fax.example";

#[test]
fn c1_the_extensions_that_relays_ask_for_are_offered() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mut session = Smtp::connect(gateway.smtp);
    let offered = session.say("EHLO relay.example");
    for keyword in [
        "SIZE 20000000",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
    ] {
        assert!(offered.contains(keyword), "{offered}");
    }
    for (command, code) in [
        ("VRFY tanaka", "252 "),
        ("NOOP", "250 "),
        (
            "MAIL FROM:<suzuki@customer.example> SIZE=1000 BODY=8BITMIME SMTPUTF8",
            "250 ",
        ),
        ("RSET", "250 "),
        ("MAIL FROM:<suzuki@customer.example> SIZE=30000000", "552 "),
        ("QUIT", "221 "),
    ] {
        let reply = session.say(command);
        assert!(reply.starts_with(code), "{command}: {reply}");
    }
    assert_eq!(session.reply(), "", "the session is closed");
}

#[test]
fn c1_a_relay_pipelines_and_sends_several_mails_in_a_session() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mut session = Smtp::hello(gateway.smtp);
    for _ in 0..3 {
        session.write(
            format!("MAIL FROM:<suzuki@customer.example>\r\nRCPT TO:<{SIMULATOR}>\r\nDATA\r\n")
                .as_bytes(),
        );
        for code in ["250 2.1.0", "250 2.1.5", "354 "] {
            let reply = session.reply();
            assert!(reply.starts_with(code), "{reply}");
        }
        let reply = session.message(&Mail::plain(SIMULATOR).message());
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    gateway.settled(3);
}

#[test]
fn c1_lines_that_end_in_anything_but_crlf_are_refused() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mail = Mail::plain(NUMBER);
    for smuggled in [
        "\n.\r\nMAIL FROM:<x@y.example>\r\n",
        "\r.\r\nmore\r\n",
        "\n.\nmore\r\n",
    ] {
        let mut session = Smtp::hello(gateway.smtp);
        session.envelope(&mail).unwrap();
        let mut message = mail.message();
        message.extend_from_slice(smuggled.as_bytes());
        let reply = session.message(&message);
        assert!(reply.starts_with("550 5.6.0"), "{smuggled:?}: {reply}");
        let next = session.say("NOOP");
        assert!(next.starts_with("250"), "one reply for one message: {next}");
    }
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn c1_a_hundred_connections_from_one_address_are_served() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mut sessions: Vec<Smtp> = (0..100).map(|_| Smtp::hello(gateway.smtp)).collect();
    for session in &mut sessions {
        let reply = session.mail(&Mail::plain(SIMULATOR));
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    wait_for("a hundred jobs to be done", || {
        let jobs = gateway.jobs();
        (jobs.len() == 100 && jobs.iter().all(|job| job["state"] == "done")).then_some(())
    });
}

#[test]
fn c1_a_program_that_sends_hardly_any_header_is_served() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mail = Mail::plain(NUMBER).without("Message-ID").without("Date");
    gateway.accepts(&mail.without("To").without("Subject"));
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert_eq!(mails[0].header("In-Reply-To"), None);
}

#[test]
fn c1_the_same_mail_a_day_later_is_another_fax() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mail = Mail::plain(SIMULATOR);
    gateway.accepts(&mail);
    gateway.settled(1);
    gateway.change_state("UPDATE batch SET created_at = created_at - 86400000");
    gateway.accepts(&mail);
    gateway.settled(2);
}

#[test]
fn i12_the_same_mail_a_day_later_is_another_strike() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let mail = Mail::wrong(NUMBER);
    gateway.refuses(&mail);
    gateway.change_state("UPDATE strike_identity SET at = at - 86400001");
    gateway.refuses(&mail);
    assert_eq!(gateway.events("struck").len(), 2);
}

#[test]
fn c3_a_strike_that_cannot_be_recorded_is_no_way_in() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.change_state("ALTER TABLE strikes RENAME TO away");
    for mail in [Mail::wrong(NUMBER), Mail::right(NUMBER)] {
        let reply = gateway.mail(&mail);
        assert!(reply.starts_with("451 4.3.0 "), "{reply}");
        assert!(
            !reply.contains("strikes"),
            "nothing of the inside is told: {reply}"
        );
    }
    gateway.change_state("ALTER TABLE away RENAME TO strikes");
    gateway.accepts(&Mail::right(NUMBER));
    assert_eq!(gateway.jobs().len(), 1);
}

#[test]
fn effect_table_a_delayed_fax_accepted_before_the_lock_is_sent_in_it() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let tomorrow = crate::gateway::now().in_tz("Asia/Tokyo").unwrap();
    let day = tomorrow.date().tomorrow().unwrap();
    let subject = format!("offer /d {{{day} 23:59}}");
    gateway.accepts(&Mail::right("shops@list.fax.example").subject(&subject));
    gateway.lock("tanaka");
    gateway.change_state("UPDATE job SET next_at = 0 WHERE state = 0");
    let jobs = gateway.settled(2);
    assert!(jobs.iter().all(|job| job["status"] == 0), "{jobs:?}");
    assert!(gateway.is_locked("tanaka"));
}
