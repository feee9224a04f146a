//! Faxes that arrive: stored, forwarded, held while the account is locked (row C5).

use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::wait_for;

const INBOX: &str = "inbox@customer.example";

impl Gateway {
    /// Puts a fax of two pages in for `tanaka`; exit 0 means that it is durable.
    fn receive(&self) {
        let file = self.path("fax.tiff");
        std::fs::write(&file, paper::tiff(2)).unwrap();
        let file = file.to_str().unwrap();
        let from = "+81 6 1111 3333";
        self.must(&[
            "received",
            "inject",
            "--to",
            "03-4567-0001",
            "--from",
            from,
            file,
        ]);
    }

    fn received(&self) -> Vec<Json> {
        self.json(&["received", "list"]).as_array().unwrap().clone()
    }

    fn forwarded(&self, count: usize) {
        wait_for(&format!("{count} forwarded faxes"), || {
            let faxes = self.received();
            let done = faxes.iter().filter(|fax| fax["state"] == "forwarded");
            (done.count() == count).then_some(())
        });
    }
}

fn tanaka() -> Gateway {
    Gateway::with(&[Account::tanaka(), Account::suzuki()])
}

#[test]
fn c5_a_received_fax_is_forwarded_as_pdf() {
    let gateway = tanaka();
    gateway.receive();
    let mails = gateway.sink.wait_for(INBOX, 1);
    assert_eq!(mails[0].from, "");
    assert_eq!(mails[0].subject(), "FAXを受信しました <- (+81 6 1111 3333)");
    let attachments = mails[0].attachments();
    let (name, kind, bytes) = &attachments[0];
    assert_eq!(kind, "application/pdf");
    assert!(name.ends_with(".pdf"), "{name}");
    assert!(bytes.starts_with(b"%PDF-"));
    gateway.forwarded(1);
    let fax = &gateway.received()[0];
    assert_eq!(
        (&fax["account"], &fax["pages"]),
        (&"tanaka".into(), &2.into())
    );
    assert_eq!(fax["number"], "0081345670001");
}

#[test]
fn c5_a_received_fax_is_forwarded_as_tiff_to_everybody_who_wants_it() {
    let account = Account::tanaka().set("forward_format", "\"tiff\"").set(
        "forward_to",
        "[\"inbox@customer.example\", \"boss@customer.example\"]",
    );
    let gateway = Gateway::with(&[account]);
    gateway.receive();
    for recipient in [INBOX, "boss@customer.example"] {
        let mails = gateway.sink.wait_for(recipient, 1);
        let attachments = mails[0].attachments();
        let (_, kind, bytes) = &attachments[0];
        assert_eq!(kind, "image/tiff");
        assert!(paper::pages_of(bytes) == paper::pages_of(&paper::tiff(2)));
    }
}

#[test]
fn effect_table_receiving_works_while_locked() {
    let gateway = tanaka();
    gateway.lock("tanaka");
    gateway.receive();
    assert_eq!(gateway.received().len(), 1);
    assert_eq!(gateway.received()[0]["account"], "tanaka");
}

#[test]
fn effect_table_forwarding_is_held_while_locked_with_the_reason_visible_and_done_after() {
    let gateway = tanaka();
    gateway.lock_by_mail();
    gateway.receive();
    let fax = gateway.received().remove(0);
    assert_eq!(fax["state"], "held");
    let until = gateway.account("tanaka")["locked_until"].clone();
    assert_eq!(fax["held_until"], until);
    let reason = fax["reason"].as_str().unwrap();
    assert!(reason.contains("account locked"), "{reason}");
    let shown = gateway.json(&["received", "show", fax["id"].as_str().unwrap()]);
    let timeline = shown["timeline"].as_array().unwrap();
    assert!(
        timeline.iter().any(|event| event["event"] == "held"),
        "{shown}"
    );
    wait_for("the metric of held mails", || {
        (gateway.metric("faxgate_mails_held") == Some(1.0)).then_some(())
    });
    // Another account's mails go out meanwhile: the outbox has been looked at.
    gateway.accepts(&Mail::plain("0312345678@fax.example"));
    gateway.sink.wait_for("suzuki@customer.example", 1);
    assert!(gateway.sink.mails_to(INBOX).is_empty());
    gateway.unlock("tanaka");
    let mails = gateway.sink.wait_for(INBOX, 1);
    assert!(mails[0].body().contains("ロック"), "{}", mails[0].body());
    gateway.forwarded(1);
}

#[test]
fn c5_an_unlock_releases_what_was_held_at_once_and_once() {
    let gateway = tanaka();
    gateway.lock("tanaka");
    for _ in 0..3 {
        gateway.receive();
    }
    gateway.unlock("tanaka");
    gateway.sink.wait_for(INBOX, 3);
    gateway.forwarded(3);
    gateway.unlock("tanaka");
    gateway.receive();
    gateway.forwarded(4);
    assert_eq!(gateway.sink.mails_to(INBOX).len(), 4);
    let mut ids: Vec<_> = gateway
        .sink
        .mails()
        .iter()
        .map(|m| m.header("Message-ID"))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn c5_what_was_held_goes_out_when_the_lock_expires() {
    let setup = Setup::new(&[Account::tanaka()]).set("lock", "lasts", "\"3s\"");
    let gateway = Gateway::start(setup);
    gateway.lock("tanaka");
    let until = gateway.account("tanaka")["locked_until"].clone();
    gateway.receive();
    let mails = gateway.sink.wait_for(INBOX, 1);
    let until: jiff::Timestamp = until.as_str().unwrap().parse().unwrap();
    let sent = mails[0].at;
    assert!(sent >= until, "sent {sent}, locked until {until}");
    gateway.forwarded(1);
}

#[test]
fn c5_what_was_held_goes_out_exactly_once_across_restarts() {
    let mut gateway = tanaka();
    gateway.lock("tanaka");
    gateway.receive();
    gateway.kill();
    // Received while nothing serves, too: the command alone stores it.
    gateway.receive();
    gateway.serve();
    let states: Vec<_> = gateway
        .received()
        .iter()
        .map(|fax| fax["state"].clone())
        .collect();
    assert_eq!(states, ["held", "held"]);
    assert!(gateway.sink.mails_to(INBOX).is_empty());
    gateway.terminate();
    gateway.unlock("tanaka");
    gateway.serve();
    gateway.forwarded(2);
    gateway.kill();
    gateway.serve();
    gateway.receive();
    gateway.forwarded(3);
    assert_eq!(gateway.sink.mails_to(INBOX).len(), 3);
}

#[test]
fn c5_what_was_held_goes_out_after_a_lock_that_expired_while_nothing_served() {
    let mut gateway = tanaka();
    gateway.lock("tanaka");
    gateway.receive();
    // Another account's mails go out meanwhile: the outbox has been looked at.
    gateway.accepts(&Mail::plain("0312345678@fax.example"));
    gateway.sink.wait_for("suzuki@customer.example", 1);
    gateway.kill();
    assert!(gateway.sink.mails_to(INBOX).is_empty());
    // The hour is over.
    gateway.change_state(
        "UPDATE strikes SET locked_until = locked_until - 3600000;
         UPDATE outbox SET next_at = next_at - 3600000;",
    );
    assert!(!gateway.is_locked("tanaka"));
    gateway.serve();
    gateway.forwarded(1);
    assert_eq!(gateway.sink.mails_to(INBOX).len(), 1);
}

#[test]
fn c5_a_fax_sent_to_a_number_of_our_own_is_received_by_its_account() {
    let gateway = tanaka();
    gateway.accepts(&Mail::plain("+81-3-4567-0001@fax.example"));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 0);
    gateway.sink.wait_for(INBOX, 1);
    assert_eq!(gateway.received()[0]["account"], "tanaka");
}

#[test]
fn c5_a_number_of_nobody_and_a_file_that_is_no_fax_are_refused() {
    let gateway = tanaka();
    std::fs::write(gateway.path("fax.tiff"), paper::tiff(1)).unwrap();
    std::fs::write(gateway.path("text.tiff"), b"no fax").unwrap();
    let inject = |to: &str, file: &str| {
        let file = gateway.path(file);
        let arguments = ["received", "inject", "--to", to, file.to_str().unwrap()];
        gateway.command(&arguments).code
    };
    assert_eq!(inject("03-9999-9999", "fax.tiff"), 67);
    assert_eq!(inject("03-4567-0001", "text.tiff"), 65);
    assert_eq!(inject("03-4567-0001", "absent.tiff"), 66);
    assert_eq!(inject("no number", "fax.tiff"), 65);
    assert_eq!(gateway.received().len(), 0);
}
