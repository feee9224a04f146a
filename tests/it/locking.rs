//! Who may send, wrong passwords, and the lock they lead to (rows C2, C3, I12).

use std::time::Duration;
use std::time::Instant;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";

fn tanaka() -> Gateway {
    Gateway::with(&[Account::tanaka()])
}

#[test]
fn c2_missing_wrong_contradicting_unknown_and_locked_are_answered_alike() {
    let gateway = Gateway::with(&[Account::tanaka(), Account::suzuki()]);
    let from = |body: &str| Mail::new("tanaka@customer.example", NUMBER, body);
    let mails = [
        ("missing", from("Please see to it.\r\n")),
        ("wrong", Mail::wrong(NUMBER)),
        (
            "contradicting",
            from(&format!(
                "password: {RIGHT}\r\npassword: other8one\r\n\r\nx\r\n"
            )),
        ),
        (
            "unknown",
            Mail::new(
                "nobody@customer.example",
                NUMBER,
                "password: x\r\n\r\nx\r\n",
            ),
        ),
    ];
    let mut replies: Vec<_> = mails
        .iter()
        .map(|(name, mail)| (*name, gateway.mail(mail)))
        .collect();
    assert_eq!(
        gateway.strikes("tanaka"),
        1,
        "only the wrong one is counted"
    );
    gateway.lock("tanaka");
    replies.push(("locked", gateway.mail(&Mail::right(NUMBER))));
    for (name, reply) in &replies {
        assert_eq!(*reply, replies[0].1, "{name}");
    }
    assert!(replies[0].1.starts_with("550 5.7.8 "), "{}", replies[0].1);
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn c2_a_refusal_comes_at_a_fixed_time_after_the_message() {
    let gateway = tanaka();
    for mail in [
        Mail::wrong(NUMBER),
        Mail::new("nobody@customer.example", NUMBER, "x\r\n"),
        Mail::new("tanaka@customer.example", NUMBER, "x\r\n"),
    ] {
        let mut session = Smtp::hello(gateway.smtp);
        session.envelope(&mail).unwrap();
        let begun = Instant::now();
        let reply = session.message(&mail.message());
        // A lower bound only: the machine may be slow, the gateway must not be fast.
        assert!(begun.elapsed() >= Duration::from_millis(250), "{reply}");
        assert!(reply.starts_with("550 5.7.8 "), "{reply}");
    }
}

#[test]
fn c2_the_password_is_found_under_every_name_and_is_on_no_page() {
    let gateway = Gateway::with(&[Account::tanaka(), Account::suzuki()]);
    let lines = [
        format!("password: {RIGHT}"),
        format!("PASSWORD：　{RIGHT}  "),
        format!("パスワード:{RIGHT}"),
        format!("#passwd={RIGHT}"),
        format!("faxpassword: {RIGHT}"),
    ];
    for line in &lines {
        // What is quoted is removed too, and is nobody's password.
        let body = format!("{line}\r\n\r\nThe same page.\r\n> password: older8one\r\n");
        gateway.accepts(&Mail::new("tanaka@customer.example", NUMBER, &body).subject("x /hn"));
    }
    let plain = "\r\nThe same page.\r\n";
    gateway.accepts(&Mail::new("suzuki@customer.example", NUMBER, plain).subject("x /hn"));
    let quoted = format!("> password: {RIGHT}\r\n{plain}");
    gateway.refuses(&Mail::new("tanaka@customer.example", NUMBER, &quoted));
    let jobs = gateway.settled(lines.len() + 1);
    let pages = gateway.pages(&jobs[lines.len()]);
    for job in &jobs {
        assert!(gateway.pages(job) == pages, "a page has more on it: {job}");
    }
    assert_eq!(gateway.strikes("tanaka"), 0);
}

#[test]
fn c2_a_password_that_nobody_asked_for_is_removed_and_not_checked() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let text = |line: &str| format!("{line}\r\n\r\nThe same page.\r\n");
    for line in ["password: kaki8wrong", "password: other8one"] {
        let mail = Mail::new("suzuki@customer.example", NUMBER, &text(line));
        gateway.accepts(&mail.subject("x /hn"));
    }
    let bare = Mail::new("suzuki@customer.example", NUMBER, &text(""));
    gateway.accepts(&bare.subject("x /hn"));
    let jobs = gateway.settled(3);
    let pages: Vec<_> = jobs.iter().map(|job| gateway.pages(job)).collect();
    assert!(pages[0] == pages[2] && pages[1] == pages[2]);
    assert_eq!(gateway.strikes("suzuki"), 0);
}

#[test]
fn c3_an_unlock_begins_the_count_anew() {
    let gateway = tanaka();
    gateway.lock_by_mail();
    gateway.unlock("tanaka");
    assert_eq!(gateway.strikes("tanaka"), 0);
    gateway.refuses(&Mail::wrong(NUMBER));
    gateway.refuses(&Mail::wrong(NUMBER));
    assert!(!gateway.is_locked("tanaka"));
    gateway.refuses(&Mail::wrong(NUMBER));
    assert!(gateway.is_locked("tanaka"));
}

#[test]
fn c1_the_account_is_found_by_reverse_path_then_from_and_exact_before_wildcard() {
    let wide = Account::new("wide").set("senders", "[\"*@branch.customer.example\"]");
    let wide = wide.set("email", "\"wide@customer.example\"");
    let exact = Account::new("exact").set("senders", "[\"boss@branch.customer.example\"]");
    let gateway = Gateway::with(&[wide, exact, Account::suzuki()]);
    let text = "Please see to it.\r\n";
    // Reverse-path, From, account.
    let cases = [
        (
            "suzuki@customer.example",
            "boss@branch.customer.example",
            "suzuki",
        ),
        ("bounces@relay.example", "suzuki@customer.example", "suzuki"),
        (
            "clerk@branch.customer.example",
            "clerk@branch.customer.example",
            "wide",
        ),
        (
            "BOSS@Branch.Customer.Example",
            "x@elsewhere.example",
            "exact",
        ),
    ];
    for (path, from, account) in cases {
        let mail = Mail::new(from, NUMBER, text).reverse_path(path);
        gateway.accepts(&mail.subject(&format!("{account} {path}")));
    }
    let jobs = gateway.settled(cases.len());
    for (path, _, account) in cases {
        let reference = format!("{account} {path}");
        let job = jobs
            .iter()
            .find(|job| job["reference"] == reference.as_str());
        assert_eq!(job.unwrap()["account"], account, "{path}");
    }
    gateway.refuses(&Mail::new("x@sub.branch.customer.example", NUMBER, text));
}

#[test]
fn c3_three_wrong_passwords_lock_the_account_for_one_hour_and_send_one_notice() {
    let account = Account::tanaka().set("email", "\"owner@customer.example\"");
    let gateway = Gateway::with(&[account]);
    for strike in 1..=2 {
        gateway.refuses(&Mail::wrong(NUMBER));
        assert_eq!(gateway.strikes("tanaka"), strike);
        assert!(!gateway.is_locked("tanaka"));
    }
    let before = crate::gateway::now();
    gateway.refuses(&Mail::wrong(NUMBER));
    let shown = gateway.account("tanaka");
    assert_eq!(shown["locked"], true);
    let until: jiff::Timestamp = shown["locked_until"].as_str().unwrap().parse().unwrap();
    let hour = jiff::Span::new().hours(1);
    // RFC 3339 with whole seconds.
    assert!(
        until >= before + hour - jiff::Span::new().seconds(1),
        "{until}"
    );
    assert!(until <= crate::gateway::now() + hour, "{until}");
    let notices = gateway.sink.wait_for("owner@customer.example", 1);
    assert_eq!(notices[0].subject(), "アカウントをロックしました (tanaka)");
    assert_eq!(notices[0].from, "");
    gateway.refuses(&Mail::right(NUMBER));
    gateway.refuses(&Mail::wrong(NUMBER));
    // A mail that is written later has been sent: there is no further notice before it.
    gateway.accepts_after_unlock();
    gateway.sink.wait_for("tanaka@customer.example", 1);
    assert_eq!(gateway.sink.mails_to("owner@customer.example").len(), 1);
    assert!(gateway.sink.mails_to("inbox@customer.example").is_empty());
}

impl Gateway {
    fn accepts_after_unlock(&self) {
        self.unlock("tanaka");
        self.accepts(&Mail::right(NUMBER));
        self.settled(1);
    }
}

#[test]
fn c3_a_lock_ends_by_itself() {
    let setup = Setup::new(&[Account::tanaka()]).set("lock", "lasts", "\"3s\"");
    let gateway = Gateway::start(setup);
    for _ in 0..3 {
        gateway.refuses(&Mail::wrong(NUMBER));
    }
    let locked = gateway.events("locked").remove(0);
    let detail: serde_json::Value =
        serde_json::from_str(locked["detail"].as_str().unwrap()).unwrap();
    let until: jiff::Timestamp = detail["until"].as_str().unwrap().parse().unwrap();
    wait_for("the end of the lock", || {
        let reply = gateway.mail(&Mail::right(NUMBER));
        reply.starts_with("250").then_some(())
    });
    assert!(crate::gateway::now() >= until, "let in before {until}");
    let shown = gateway.account("tanaka");
    assert_eq!(shown["locked_until"], serde_json::Value::Null);
    assert_eq!(shown["strikes"], 0);
}

#[test]
fn c3_a_strike_while_locked_changes_nothing() {
    let gateway = tanaka();
    gateway.lock_by_mail();
    let locked = gateway.account("tanaka");
    for _ in 0..3 {
        gateway.refuses(&Mail::wrong(NUMBER));
    }
    let after = gateway.account("tanaka");
    assert_eq!(after["locked_until"], locked["locked_until"]);
    assert_eq!(after["strikes"], locked["strikes"]);
    assert_eq!(gateway.events("struck").len(), 3);
}

#[test]
fn c3_the_window_runs_from_the_first_strike() {
    let setup = Setup::new(&[Account::tanaka()]).set("lock", "within", "\"1s\"");
    let gateway = Gateway::start(setup);
    gateway.refuses(&Mail::wrong(NUMBER));
    // Whatever the machine does, a new window has begun once the first strike is no longer counted on.
    let begun = Instant::now();
    wait_for("the end of the window", || {
        (begun.elapsed() > Duration::from_millis(1100)).then_some(())
    });
    gateway.refuses(&Mail::wrong(NUMBER));
    assert_eq!(gateway.strikes("tanaka"), 1);
    assert!(!gateway.is_locked("tanaka"));
}

#[test]
fn c3_the_right_password_clears_the_strikes() {
    let gateway = tanaka();
    for _ in 0..3 {
        gateway.refuses(&Mail::wrong(NUMBER));
        gateway.refuses(&Mail::wrong(NUMBER));
        assert_eq!(gateway.strikes("tanaka"), 2);
        gateway.accepts(&Mail::right(NUMBER));
        assert_eq!(gateway.strikes("tanaka"), 0);
    }
    assert!(!gateway.is_locked("tanaka"));
    assert_eq!(gateway.settled(3).len(), 3);
}

#[test]
fn c3_keys_of_the_configuration_override_the_profile() {
    let setup = Setup::new(&[Account::tanaka()]).set("lock", "strikes", "1");
    let gateway = Gateway::start(setup);
    gateway.refuses(&Mail::wrong(NUMBER));
    assert!(gateway.is_locked("tanaka"));
}

#[test]
fn i12_one_mail_retried_ten_times_is_one_strike() {
    let gateway = tanaka();
    let mail = Mail::wrong(NUMBER);
    for _ in 0..10 {
        gateway.refuses(&mail);
    }
    assert_eq!(gateway.strikes("tanaka"), 1);
    assert_eq!(gateway.events("struck").len(), 1);
}

#[test]
fn i12_one_mail_to_fifty_recipients_is_one_strike_however_a_relay_splits_it() {
    let gateway = tanaka();
    let mut mail = Mail::wrong(NUMBER);
    for n in 0..49 {
        mail = mail.and_to(&format!("03123400{n:02}@fax.example"));
    }
    gateway.refuses(&mail);
    let recipients = mail.recipients.clone();
    for half in recipients.chunks(25) {
        let half: Vec<&str> = half.iter().map(String::as_str).collect();
        gateway.refuses(&mail.clone().only_to(&half));
    }
    assert_eq!(gateway.strikes("tanaka"), 1);
}

#[test]
fn i12_three_wrong_passwords_among_twenty_at_a_time_are_counted_and_lock_once() {
    let gateway = tanaka();
    // A check that waits too long for its place is asked to come again, and does.
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let mail = Mail::wrong(NUMBER);
                wait_for("a final answer", || {
                    let reply = gateway.mail(&mail);
                    assert!(
                        reply.starts_with("550 5.7.8 ") || reply.starts_with("451 "),
                        "{reply}"
                    );
                    reply.starts_with("550").then_some(())
                });
            });
        }
    });
    assert!(gateway.is_locked("tanaka"));
    assert_eq!(gateway.events("struck").len(), 3);
    assert_eq!(gateway.events("locked").len(), 1);
    gateway.sink.wait_for("tanaka@customer.example", 1);
    gateway.accepts_after_unlock();
    let mails = gateway.sink.wait_for("tanaka@customer.example", 2);
    let locks = mails
        .iter()
        .filter(|mail| mail.subject().contains("ロック"));
    assert_eq!(locks.count(), 1);
}

#[test]
fn i12_the_same_mail_is_judged_afresh_after_the_password_was_changed() {
    let gateway = tanaka();
    let mail = Mail::password(NUMBER, "tomorrow8ok");
    gateway.refuses(&mail);
    assert_eq!(gateway.strikes("tanaka"), 1);
    gateway.write_accounts(&[Account::tanaka().password("tomorrow8ok")]);
    wait_for("the new password", || {
        gateway.mail(&mail).starts_with("250").then_some(())
    });
    assert_eq!(gateway.strikes("tanaka"), 0);
    // The old one has ended.
    gateway.refuses(&Mail::right(NUMBER));
    assert_eq!(gateway.strikes("tanaka"), 1);
}

#[test]
fn i12_a_proven_sender_is_locked_like_everybody() {
    let gateway = tanaka();
    gateway.accepts(&Mail::right(NUMBER));
    gateway.lock_by_mail();
    gateway.refuses(&Mail::right(NUMBER));
    gateway.settled(1);
}

#[test]
fn c3_a_lock_survives_a_crash() {
    let mut gateway = tanaka();
    gateway.lock_by_mail();
    let locked = gateway.account("tanaka");
    gateway.kill();
    gateway.serve();
    assert_eq!(
        gateway.account("tanaka")["locked_until"],
        locked["locked_until"]
    );
    gateway.refuses(&Mail::right(NUMBER));
}
