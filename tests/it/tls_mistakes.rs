//! Clients that begin TLS wrongly, or never, cost a closed connection and a line in a counter.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use faxgate::ingress;
use faxgate::ingress::Service;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;
use crate::recording_door::Recorder;
use crate::recording_door::TokioClock;
use crate::recording_door::limits;

const TO: &str = "0312345678@fax.example";

fn handshakes(gateway: &Gateway, result: &str) -> f64 {
    let name = format!("faxgate_smtp_tls_handshakes_total{{result={result:?}}}");
    gateway.metric(&name).unwrap_or(0.0)
}

/// Sends `bytes` and returns everything that comes until the gateway closes.
fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The gateway takes a login and a mail.
fn still_well(gateway: &Gateway) {
    let mut session = Smtp::starttls(gateway.smtp, Made::shared());
    assert!(session.log_in("tanaka", RIGHT).starts_with("235"));
    let reply = session.mail(&Mail::new("tanaka@customer.example", TO, "An offer.\r\n"));
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

#[test]
fn commands_in_the_packet_of_starttls_are_never_executed() {
    let gateway =
        Gateway::start(Setup::new(&[Account::tanaka(), Account::suzuki()]).tls(Made::shared()));
    let forged = format!(
        "MAIL FROM:<suzuki@customer.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\nSubject: injected\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    for injected in ["NOOP\r\n", "Q", "\0", &forged] {
        let bytes = format!("EHLO client.example\r\nSTARTTLS\r\n{injected}");
        for port in [gateway.smtp, gateway.submission.unwrap()] {
            let answer = answer_to(port, bytes.as_bytes());
            let (_, after) = answer.split_once("ENHANCEDSTATUSCODES\r\n").unwrap();
            assert!(
                !after.contains("250 ") && !after.contains("221 "),
                "{injected:?}: {after:?}"
            );
        }
    }
    assert!(gateway.jobs().is_empty());
    still_well(&gateway);
    assert_eq!(gateway.settled(1).len(), 1);
}

#[test]
fn garbage_instead_of_a_handshake_closes_and_is_counted() {
    let gateway = Gateway::start(Setup::new(&[Account::tanaka()]).tls(Made::shared()));
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    let kinds: [&[u8]; 6] = [
        b"MAIL FROM:<tanaka@customer.example>\r\nRCPT TO:<0312345678@fax.example>\r\n",
        b"GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n",
        &[0; 600],
        &[0xff; 600],
        &[0x16, 0x03, 0x01, 0xff, 0xff, 0x01, 0x00],
        hello,
    ];
    let mut failed = 0.0;
    for garbage in kinds {
        let mut stream = TcpStream::connect(gateway.smtp).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
            .write_all(b"EHLO client.example\r\nSTARTTLS\r\n")
            .unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"Ready to start TLS\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
        stream.write_all(garbage).unwrap();
        let mut rest = Vec::new();
        // An alert or a reset, and nothing of SMTP.
        let _ = stream.read_to_end(&mut rest);
        assert!(
            !String::from_utf8_lossy(&rest).contains(" 2."),
            "{garbage:?}: {rest:?}"
        );
        answer_to(gateway.smtp_tls.unwrap(), garbage);
        failed += 2.0;
        wait_for("two more handshakes to have failed", || {
            (handshakes(&gateway, "failed") == failed).then_some(())
        });
    }
    still_well(&gateway);
    assert_eq!(handshakes(&gateway, "done"), 1.0);
}

#[test]
fn clients_that_never_begin_or_finish_a_handshake_are_closed_by_time_and_counted() {
    let setup = Setup::new(&[Account::tanaka()]).tls(Made::shared());
    let gateway = Gateway::start(setup.set("smtp", "command_timeout", "\"1s\""));
    let begun = b"\x16\x03\x01\x02\x00\x01\x00";
    let (tls, clear) = (gateway.smtp_tls.unwrap(), gateway.smtp);
    for silent in [&b""[..], begun] {
        assert_eq!(answer_to(tls, silent), "");
    }
    assert!(answer_to(clear, b"EHLO a\r\nSTARTTLS\r\n").ends_with("Ready to start TLS\r\n"));
    assert_eq!(handshakes(&gateway, "late"), 3.0);
    let open = wait_for("the connections to be given back", || {
        gateway
            .metric("faxgate_smtp_connections")
            .filter(|open| *open == 0.0)
    });
    assert_eq!(open, 0.0);
    still_well(&gateway);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_handshake_is_half_a_minute_however_the_client_trickles() {
    for trickle in [false, true] {
        let (mut client, server) = tokio::io::duplex(1024);
        let service = Service {
            name: "gw.example".into(),
            limits: limits(),
            tls: Some(Made::shared().server()),
            door: Recorder::default(),
            clock: Arc::new(TokioClock::default()),
            shutdown: watch::channel(false).1,
        };
        let begun = Instant::now();
        let session = tokio::spawn(async move {
            ingress::attend_tls(&service, server, "192.0.2.1".parse().unwrap()).await;
            begun.elapsed()
        });
        // A record of 512 bytes whose bytes come one a second.
        let mut record = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
            .iter()
            .chain(std::iter::repeat(&0));
        while trickle && !session.is_finished() {
            let _ = client.write_all(&[*record.next().unwrap()]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let waited = session.await.unwrap();
        assert_eq!(waited.as_secs(), 30, "{trickle}");
        let mut heard = Vec::new();
        let _ = client.read_to_end(&mut heard).await;
        assert!(heard.is_empty());
    }
}
