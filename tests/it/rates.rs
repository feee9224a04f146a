//! How many messages a minute, from outside.

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::Smtp;

const TO: &str = "0312345678@fax.example";
const MAIL: &str = "MAIL FROM:<suzuki@customer.example>";

#[test]
fn an_address_sends_so_many_messages_a_minute_over_all_its_sessions() {
    let setup = Setup::new(&[Account::suzuki()]).set("smtp", "max_messages_per_minute", "3");
    let gateway = Gateway::start(setup);
    let mut sessions: Vec<Smtp> = (0..4).map(|_| Smtp::hello(gateway.smtp)).collect();
    let last = sessions.pop();
    for mut session in sessions {
        assert!(session.say(MAIL).starts_with("250"));
        assert!(session.say("QUIT").starts_with("221"));
    }
    let mut last = last.unwrap();
    let reply = last.say(MAIL);
    assert_eq!(
        reply,
        "450 4.7.1 Too many messages from your address, try later"
    );
    // It may wait and go on: the session lives.
    assert!(last.say("NOOP").starts_with("250"));
}

#[test]
fn a_relay_is_no_address_of_one_sender() {
    let setup = Setup::new(&[Account::suzuki()])
        .set("smtp", "max_messages_per_minute", "1")
        .further("[[relay]]\nnetworks = [\"127.0.0.1\"]\n");
    let gateway = Gateway::start(setup);
    let mut session = Smtp::hello(gateway.smtp);
    for _ in 0..3 {
        assert!(session.say(MAIL).starts_with("250"));
        assert!(session.say("RSET").starts_with("250"));
    }
}

#[test]
fn an_account_sends_so_many_messages_a_minute_and_others_are_not_touched() {
    let limited = Account::tanaka().set("max_messages_per_minute", "2");
    let gateway = Gateway::start(Setup::new(&[limited, Account::suzuki()]));
    // What is not proved uses nothing up.
    gateway.refuses(&Mail::wrong(TO));
    gateway.accepts(&Mail::right(TO));
    gateway.accepts(&Mail::right(TO));
    let third = Mail::right(TO);
    let reply = Smtp::hello(gateway.smtp).mail(&third);
    assert_eq!(reply, "450 4.7.1 Too many messages, try later");
    gateway.accepts(&Mail::plain(TO));
    assert_eq!(gateway.settled(3).len(), 3);
}
