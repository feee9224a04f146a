//! What verifying a sender costs: processor time of SPF, DKIM (RSA, 2048 bits) and DMARC with a warm cache.
//!
//!     cargo bench --bench verify
//!
//! Beside it, in the same run, stands what the gateway does with a mail anyway before it asks whose it is: parsing
//! and looking for the password. Ends with 1 when a mail costs more than 1 ms.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark"
)]

#[path = "../tests/it/verification/zone.rs"]
#[allow(dead_code, unreachable_pub, reason = "the stories publish more")]
mod zone;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use faxgate::config::Config;
use faxgate::ingress::Verifier;
use faxgate::smtp::Address;
use faxgate::smtp::Envelope;
use faxgate::smtp::ForwardPath;
use faxgate::smtp::ReceivedMessage;
use faxgate::smtp::TrustTier;
use faxgate::submission;
use faxgate::time::Timestamp;
use mail_auth::common::crypto::RsaKey;
use mail_auth::common::crypto::Sha256;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use zone::Zone;

const MAILS: u32 = 1_000;
const AIM: Duration = Duration::from_millis(1);
const SENDER: &str = "tanaka@customer.example";

fn main() {
    let key = openssl(&["genpkey", "-algorithm", "RSA", "-outform", "DER"], &[]);
    let public = openssl(
        &["pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
        &key,
    );
    let public = String::from_utf8(openssl(&["base64", "-A"], &public)).unwrap();
    let dns = Zone::default()
        .text("customer.example", "v=spf1 ip4:127.0.0.1 -all")
        .text("_dmarc.customer.example", "v=DMARC1; p=reject")
        .text(
            "a._domainkey.customer.example",
            &format!("v=DKIM1; p={public}"),
        )
        .serve();
    let text = format!("[verify]\n[dns]\nservers = [\"{}\"]\n", dns.address);
    let config = Config::parse(Path::new("bench.toml"), &text).unwrap();
    let verifier = Verifier::of(&config).unwrap().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut missed = false;
    for size in [1_000, 100_000] {
        let mails: Vec<Vec<u8>> = (0..MAILS).map(|n| signed(&key, n, size)).collect();
        let verify = |mail: &Vec<u8>| {
            let mut message = received(mail);
            let author = submission::author(&message.raw, &config.smtp);
            let found = runtime.block_on(verifier.verify(&mut message, author.as_ref()));
            assert_eq!(found.tier, TrustTier::Proven, "{}", found.text);
        };
        verify(&mails[0]);
        let verifying = processor_time(|| mails.iter().for_each(verify)) / MAILS;
        let rules = submission::Rules {
            password: &config.password,
            limits: &config.smtp,
            zone: &config.gateway.time_zone,
            now: Timestamp::from_ms(0),
        };
        let parsing = processor_time(|| {
            for mail in &mails {
                assert!(submission::parse(&received(mail), &rules).is_ok());
            }
        }) / MAILS;
        let word = if verifying <= AIM { "met" } else { "missed" };
        missed |= verifying > AIM;
        println!(
            "{size} bytes: verifying {verifying:?} a mail (aim: at most {AIM:?}, {word}); parsing it {parsing:?}"
        );
    }
    println!(
        "names asked for by {} mails: {}",
        2 * MAILS,
        dns.asked().len()
    );
    std::process::exit(i32::from(missed));
}

fn signed(key: &[u8], number: u32, size: usize) -> Vec<u8> {
    let line = "The quick brown fox jumps over the lazy dog, and so on to the end.\r\n";
    let body = line.repeat(size / line.len());
    let message = format!(
        "From: Tanaka <{SENDER}>\r\nTo: 0312345678@fax.example\r\nSubject: order\r\nDate: Sun, 22 Nov 2026 10:00:00 +0900\r\n\
         Message-ID: <{number}@customer.example>\r\n\r\npassword: sakura-7\r\n\r\n{body}"
    );
    let key =
        RsaKey::<Sha256>::from_key_der(PrivateKeyDer::try_from(key.to_vec()).unwrap()).unwrap();
    let signature = DkimSigner::from_key(key)
        .domain("customer.example")
        .selector("a")
        .headers(["From", "To", "Subject", "Message-ID", "Date"])
        .sign(message.as_bytes())
        .unwrap();
    [signature.to_header().as_bytes(), message.as_bytes()].concat()
}

fn received(mail: &[u8]) -> ReceivedMessage {
    ReceivedMessage {
        envelope: Envelope {
            reverse_path: Address::parse(SENDER),
            recipients: Address::parse("0312345678@fax.example")
                .into_iter()
                .map(ForwardPath::from)
                .collect(),
            ..Envelope::default()
        },
        raw: mail.to_vec().into(),
        peer: "127.0.0.1".parse().unwrap(),
        received_at: Timestamp::from_ms(0),
        authenticated: None,
    }
}

/// Processor time of the whole process, all its threads included, while `work` runs.
fn processor_time(work: impl FnOnce()) -> Duration {
    let before = processor_clock();
    work();
    processor_clock() - before
}

fn processor_clock() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    let nanoseconds = stats.filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok());
    Duration::from_nanos(nanoseconds.sum())
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}
