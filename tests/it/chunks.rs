//! Messages in other forms than DATA and CRLF, from outside.

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::paper;

const TO: &str = "0312345678@fax.example";

#[test]
fn a_document_in_chunks_arrives_bit_exact() {
    let setup = Setup::new(&[Account::suzuki()]).set("render", "header", "\"\"");
    let gateway = Gateway::start(setup);
    let tiff = paper::tiff(2);
    let mail = Mail::plain(TO).attach("a.tif", "image/tiff", &tiff);
    gateway.accepts(&mail);
    let message = mail
        .header("Message-ID", "<chunks@customer.example>")
        .message();
    let mut session = Smtp::hello(gateway.smtp);
    session.say("MAIL FROM:<suzuki@customer.example> BODY=8BITMIME");
    session.say(&format!("RCPT TO:<{TO}>"));
    // In pieces that cut the document, all in one write.
    let mut wire = Vec::new();
    for piece in message.chunks(1_000) {
        wire.extend_from_slice(format!("BDAT {}\r\n", piece.len()).as_bytes());
        wire.extend_from_slice(piece);
    }
    wire.extend_from_slice(b"BDAT 0 LAST\r\n");
    session.write(&wire);
    for piece in message.chunks(1_000) {
        assert_eq!(
            session.reply(),
            format!("250 2.0.0 {} bytes received", piece.len())
        );
    }
    assert!(session.reply().starts_with("250 2.0.0 Ok: queued as"));
    let jobs = gateway.settled(2);
    assert!(jobs.iter().all(|job| job["status"] == 0), "{jobs:?}");
    assert!(gateway.pages(&jobs[0]) == gateway.pages(&jobs[1]));
    assert_eq!(gateway.pages(&jobs[1]).len(), 2);
}

#[test]
fn a_listed_device_may_end_lines_with_lf_and_others_may_not() {
    let device =
        Setup::new(&[Account::suzuki()]).set("smtp", "normalize_bare_lf", "[\"127.0.0.0/8\"]");
    let message = "From: suzuki@customer.example\nSubject: scan\n\nfirst\n.\nMAIL FROM:<x@y>\n.\r\nend\n\r\n.\r\n";
    let send = |gateway: &Gateway| {
        let mut session = Smtp::hello(gateway.smtp);
        session.envelope(&Mail::plain(TO)).unwrap();
        session.write(message.as_bytes());
        let reply = session.reply();
        // What follows is the answer to this and to nothing within the message.
        assert!(session.say("QUIT").starts_with("221"));
        reply
    };
    let gateway = Gateway::start(device);
    assert!(send(&gateway).starts_with("250 2.0.0 Ok"));
    assert_eq!(gateway.settled(1).len(), 1);
    let others = Setup::new(&[Account::suzuki()]);
    let others = others.set("smtp", "normalize_bare_lf", "[\"192.0.2.7\"]");
    assert!(send(&Gateway::start(others)).starts_with("550 5.6.0"));
}
