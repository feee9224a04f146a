//! What a lock stops for mails: the effect table (section 6), and 6002 for lists (row C4).

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;

const NUMBER: &str = "0312345678@fax.example";
const SHOPS: &str = "shops@list.fax.example";
const BRANCHES: &str = "branches@list.fax.example";

fn status(job: &serde_json::Value) -> i64 {
    job["status"].as_i64().unwrap()
}

#[test]
fn effect_table_a_mail_with_the_password_is_refused_while_locked_and_counts_nothing() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.lock_by_mail();
    let locked = gateway.account("tanaka");
    gateway.refuses(&Mail::right(NUMBER));
    gateway.refuses(&Mail::wrong(NUMBER));
    // Several numbers without a list are not a list.
    gateway.refuses(&Mail::right(NUMBER).and_to("0387654321@fax.example"));
    assert_eq!(
        gateway.account("tanaka")["locked_until"],
        locked["locked_until"]
    );
    assert_eq!(gateway.events("struck").len(), 3);
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn effect_table_a_mail_of_an_address_only_account_to_numbers_works_while_locked() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    gateway.lock("suzuki");
    gateway.accepts(&Mail::plain(NUMBER).and_to("0387654321@fax.example"));
    let jobs = gateway.settled(2);
    assert!(jobs.iter().all(|job| status(job) == 0), "{jobs:?}");
    assert_eq!(gateway.calls().len(), 2);
    assert!(gateway.is_locked("suzuki"));
}

#[test]
fn effect_table_a_list_of_an_address_only_account_is_rejected_with_6002() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    gateway.lock("suzuki");
    gateway.accepts(&Mail::plain(BRANCHES).and_to(NUMBER));
    let jobs = gateway.settled(2);
    let list = jobs
        .iter()
        .find(|job| job["destination"] == "branches")
        .unwrap();
    let number = jobs
        .iter()
        .find(|job| job["destination"] == "0081312345678")
        .unwrap();
    assert_eq!((status(list), status(number)), (6002, 0));
    assert_eq!(gateway.calls().len(), 1);
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert!(mails[0].html().contains("6002"), "{}", mails[0].text());
}

#[test]
fn c4_a_list_of_a_locked_account_ends_with_6002_and_a_mail() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.lock("tanaka");
    gateway.accepts(&Mail::right(SHOPS));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["destination"], "shops");
    assert_eq!(
        (&jobs[0]["state"], status(&jobs[0])),
        (&"failed".into(), 6002)
    );
    assert_eq!(jobs[0]["reason"], "account locked");
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert_eq!(mails[0].subject(), "FAX送信が失敗しました -> (shops)");
    assert!(mails[0].html().contains("6002"), "{}", mails[0].text());
    assert_eq!(gateway.calls().len(), 0);
}

#[test]
fn c4_a_list_is_answered_alike_whatever_the_password_says() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.lock_by_mail();
    let missing = Mail::new("tanaka@customer.example", SHOPS, "Please see to it.\r\n");
    for mail in [Mail::right(SHOPS), Mail::wrong(SHOPS), missing] {
        gateway.accepts(&mail);
    }
    let jobs = gateway.settled(3);
    assert!(jobs.iter().all(|job| status(job) == 6002), "{jobs:?}");
    assert_eq!(gateway.events("struck").len(), 3, "those that locked it");
}

#[test]
fn c4_there_is_one_mail_for_each_account_list_and_hour() {
    let accounts = [
        Account::suzuki().list("shops", &[("03-1111-2222", "Shinjuku")]),
        Account::tanaka(),
    ];
    let gateway = Gateway::with(&accounts);
    gateway.lock("suzuki");
    gateway.lock("tanaka");
    for _ in 0..3 {
        gateway.accepts(&Mail::plain(BRANCHES));
    }
    gateway.accepts(&Mail::plain(SHOPS));
    gateway.accepts(&Mail::right(SHOPS));
    let jobs = gateway.settled(5);
    assert!(jobs.iter().all(|job| status(job) == 6002), "{jobs:?}");
    let mut subjects: Vec<_> = gateway
        .sink
        .wait_for("suzuki@customer.example", 2)
        .iter()
        .map(|mail| mail.subject())
        .collect();
    subjects.sort();
    let failed = |list: &str| format!("FAX送信が失敗しました -> ({list})");
    assert_eq!(subjects, [failed("branches"), failed("shops")]);
    gateway.sink.wait_for("tanaka@customer.example", 1);
    // An hour later it is told again.
    gateway.let_an_hour_pass();
    gateway.accepts(&Mail::plain(BRANCHES));
    gateway.sink.wait_for("suzuki@customer.example", 3);
}

impl Gateway {
    fn let_an_hour_pass(&self) {
        self.change_state("UPDATE list_notice SET at = at - 3600000");
    }
}

#[test]
fn c4_it_is_told_to_an_account_that_never_wants_result_mails() {
    let account = Account::suzuki().set("result_mail", "{ when = \"never\" }");
    let gateway = Gateway::with(&[account]);
    gateway.lock("suzuki");
    gateway.accepts(&Mail::plain(BRANCHES));
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert!(mails[0].html().contains("6002"), "{}", mails[0].text());
}

#[test]
fn c4_numbers_beside_a_list_of_a_password_account_fail_with_account_locked() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.lock("tanaka");
    gateway.accepts(&Mail::right(SHOPS).and_to(NUMBER));
    let jobs = gateway.settled(2);
    for job in &jobs {
        assert_eq!(
            (&job["state"], &job["reason"]),
            (&"failed".into(), &"account locked".into())
        );
    }
    assert_eq!(gateway.calls().len(), 0);
}

#[test]
fn c4_the_same_mail_is_judged_afresh_and_sent_after_the_unlock() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.lock("tanaka");
    let mail = Mail::right(SHOPS).and_to(NUMBER);
    let before = gateway.mail(&mail);
    gateway.settled(2);
    gateway.unlock("tanaka");
    let after = gateway.mail(&mail);
    assert!(after.starts_with("250 ") && after != before, "{after}");
    let jobs = gateway.settled(5);
    let sent = jobs.iter().filter(|job| status(job) == 0).count();
    assert_eq!(sent, 3, "two members and a number");
    assert_eq!(gateway.calls().len(), 3);
    // From now on it is a duplicate.
    assert_eq!(gateway.mail(&mail), after);
    assert_eq!(gateway.jobs().len(), 5);
}

#[test]
fn c4_what_was_accepted_before_the_lock_goes_on() {
    let setup = Setup::new(&[Account::tanaka()]).set("transport.loopback", "speed", "20");
    let gateway = Gateway::start(setup);
    gateway.accepts(&Mail::right(SHOPS));
    gateway.lock("tanaka");
    let jobs = gateway.settled(2);
    assert!(jobs.iter().all(|job| status(job) == 0), "{jobs:?}");
}

#[test]
fn c4_a_list_that_the_locked_account_does_not_have_is_no_way_around_the_password() {
    let gateway = Gateway::with(&[Account::tanaka(), Account::suzuki()]);
    gateway.lock("tanaka");
    gateway.refuses(&Mail::right(BRANCHES));
    gateway.refuses(&Mail::right(BRANCHES).and_to(NUMBER));
    assert_eq!(gateway.jobs().len(), 0);
}
