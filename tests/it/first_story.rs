//! The shortest story: a mail becomes a fax, and its result is mailed.

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;

#[test]
fn c1_a_mail_with_the_right_password_becomes_a_fax_and_its_result_is_mailed() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.accepts(&Mail::right("0312345678@fax.example"));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["destination"], "0081312345678");
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(
        mails[0].subject().contains("(0081312345678)"),
        "{}",
        mails[0].subject()
    );
    assert_eq!(gateway.calls().len(), 1);
}
