//! TLS and logins, from outside: our own client, and the clients that customers have.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use faxgate::account::scram;
use faxgate::secret::Secret;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::run_with_input;
use crate::gateway::wait_for;

const TO: &str = "0312345678@fax.example";

fn start(made: &Made) -> Gateway {
    Gateway::start(Setup::new(&[Account::tanaka(), Account::suzuki()]).tls(made))
}

fn without_password() -> Mail {
    Mail::new("tanaka@customer.example", TO, "Please see to it.\r\n")
}

#[test]
fn a_login_makes_the_password_line_unnecessary_at_all_three_ports() {
    let made = Made::shared();
    let gateway = start(made);
    let sessions = [
        Smtp::starttls(gateway.smtp, made),
        Smtp::starttls(gateway.submission.unwrap(), made),
        Smtp::connect_tls(gateway.smtp_tls.unwrap(), made),
    ];
    for mut session in sessions {
        session.say("EHLO client.example");
        assert!(session.log_in("tanaka", RIGHT).starts_with("235 2.7.0"));
        let reply = session.mail(&without_password());
        assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
        // A line with the password is not needed, and removed all the same.
        let reply = session.mail(&Mail::wrong(TO));
        assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
    }
    assert_eq!(gateway.settled(6).len(), 6);
    assert_eq!(gateway.strikes("tanaka"), 0);
    assert_eq!(
        gateway.metric("faxgate_smtp_logins_total{result=\"accepted\"}"),
        Some(3.0)
    );
}

#[test]
fn an_account_that_logged_in_sends_from_its_own_addresses_only() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = Smtp::starttls(gateway.smtp, made);
    session.log_in("TANAKA", RIGHT);
    for sender in ["suzuki@customer.example", "stranger@elsewhere.example", ""] {
        let reply = session.say(&format!("MAIL FROM:<{sender}>"));
        assert!(reply.starts_with("550 5.7.1"), "{sender}: {reply}");
    }
    // From may say what it likes: the reverse-path was proved.
    let mail = without_password().header("From", "suzuki@customer.example");
    assert!(session.mail(&mail).starts_with("250"));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["account"], "tanaka");
}

#[test]
fn a_login_in_clear_is_refused_and_the_password_is_not_looked_at() {
    let gateway = start(Made::shared());
    let mut session = Smtp::hello(gateway.smtp);
    for _ in 0..4 {
        assert!(
            session
                .log_in("tanaka", "kaki8wrong")
                .starts_with("530 5.7.0")
        );
    }
    assert_eq!(gateway.strikes("tanaka"), 0);
}

#[test]
fn three_wrong_logins_lock_the_mails_too() {
    let made = Made::shared();
    let gateway = start(made);
    for _ in 0..3 {
        let mut session = Smtp::starttls(gateway.smtp, made);
        assert!(
            session
                .log_in("tanaka", "kaki8wrong")
                .starts_with("535 5.7.8")
        );
    }
    assert!(gateway.is_locked("tanaka"));
    gateway.refuses(&Mail::right(TO));
    let mut session = Smtp::starttls(gateway.smtp, made);
    let reply = session.log_in("tanaka", RIGHT);
    assert_eq!(reply, "535 5.7.8 Authentication failed");
    let notice = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(
        notice[0].body().contains("SMTP認証"),
        "{}",
        notice[0].body()
    );
    gateway.unlock("tanaka");
    assert!(session.log_in("tanaka", RIGHT).starts_with("235"));
}

#[test]
fn mails_and_logins_count_together_and_a_right_login_forgives() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = Smtp::starttls(gateway.smtp, made);
    gateway.refuses(&Mail::wrong(TO));
    assert!(session.log_in("tanaka", "kaki8wrong").starts_with("535"));
    assert_eq!(gateway.strikes("tanaka"), 2);
    assert!(session.log_in("tanaka", RIGHT).starts_with("235"));
    assert_eq!(gateway.strikes("tanaka"), 0);
    // The lock ends a session that was logged in at its next MAIL.
    gateway.lock_by_mail();
    let reply = session.say("MAIL FROM:<tanaka@customer.example>");
    assert_eq!(reply, "535 5.7.8 Authentication failed");
    assert!(session.mail(&without_password()).starts_with("550 5.7.8"));
}

#[test]
fn unknown_login_ids_and_accounts_without_a_password_answer_alike() {
    let made = Made::shared();
    let gateway = start(made);
    for login_id in ["nobody", "suzuki", "tanaka"] {
        let mut session = Smtp::starttls(gateway.smtp, made);
        let reply = session.log_in(login_id, "kaki8wrong");
        assert_eq!(reply, "535 5.7.8 Authentication failed", "{login_id}");
    }
    assert_eq!(
        (gateway.strikes("suzuki"), gateway.strikes("tanaka")),
        (0, 1)
    );
}

#[test]
fn a_scram_login_is_proved_by_a_client_that_is_not_ours() {
    let made = Made::shared();
    let verifier = scram::verifier(&Secret::new(RIGHT.to_owned())).unwrap();
    let tanaka = Account::tanaka().set("scram", &format!("{:?}", verifier.text()));
    let gateway = Gateway::start(Setup::new(&[tanaka]).tls(made));
    let send = |password: &str| {
        let mut msmtp = Command::new("msmtp");
        msmtp.args(["--host=127.0.0.1", "--tls=on", "--auth=scram-sha-256"]);
        msmtp.arg(format!("--port={}", gateway.smtp.port()));
        msmtp.arg(format!(
            "--tls-trust-file={}",
            gateway.path("cert.pem").display()
        ));
        msmtp.args([
            "--user=tanaka",
            "--from=tanaka@customer.example",
            "--file=/dev/null",
        ]);
        msmtp.arg(format!("--passwordeval=printf %s {password}"));
        msmtp.arg(TO);
        let message = String::from_utf8(without_password().message()).unwrap();
        run_with_input(msmtp, &message.replace("\r\n", "\n"))
    };
    let output = send(RIGHT);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(gateway.settled(1).len(), 1);
    let output = send("kaki8wrong");
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("535"), "{}", output.stderr);
    assert_eq!(gateway.strikes("tanaka"), 1);
}

#[test]
fn hash_password_prints_a_scram_verifier_before_the_hash() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mut command = gateway.faxgate();
    command.args(["hash-password", "--scram"]);
    let output = run_with_input(command, &format!("{RIGHT}\n"));
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", output.stdout);
    assert!(lines[0].starts_with("SCRAM-SHA-256$15000:"));
    assert!(lines[1].starts_with("$argon2id$"));
}

#[test]
fn strangers_and_accounts_without_a_verifier_are_asked_the_same_every_time() {
    let made = Made::shared();
    let gateway = start(made);
    let salt_of = |login_id: &str| {
        let mut session = Smtp::starttls(gateway.smtp, made);
        let first = crate::gateway::base64(format!("n,,n={login_id},r=nonce").as_bytes());
        let reply = session.say(&format!("AUTH SCRAM-SHA-256 {first}"));
        let text = reply.strip_prefix("334 ").unwrap().to_owned();
        let text = String::from_utf8(unbase64(&text)).unwrap();
        let (nonce, rest) = text.split_once(",s=").unwrap();
        assert!(nonce.starts_with("r=nonce") && nonce.len() > 30, "{text}");
        (nonce.to_owned(), rest.to_owned())
    };
    let (first_nonce, first) = salt_of("nobody");
    let (second_nonce, second) = salt_of("Nobody");
    assert_eq!(first, second);
    assert_ne!(first_nonce, second_nonce);
    assert!(first.ends_with(",i=15000"), "{first}");
    assert_ne!(salt_of("tanaka").1, first);
}

fn unbase64(text: &str) -> Vec<u8> {
    let mut command = Command::new("base64");
    command.arg("-d");
    run_with_input(command, text).stdout.into_bytes()
}

#[test]
fn commands_injected_before_tls_are_never_answered() {
    let made = Made::shared();
    let gateway = start(made);
    let mut session = Smtp::hello(gateway.smtp);
    session.write(b"STARTTLS\r\nMAIL FROM:<tanaka@customer.example>\r\nNOOP\r\n");
    let reply = session.reply();
    assert_eq!(reply, "554 5.5.0 Sent more before TLS began");
    assert_eq!(session.reply(), "");
    // In a packet of its own it is a broken handshake.
    let mut session = Smtp::hello(gateway.smtp);
    assert!(session.say("STARTTLS").starts_with("220"));
    session.write(b"NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n");
    let after = session.reply();
    assert!(!after.contains("250"), "{after:?}");
}

#[test]
fn garbage_and_half_open_handshakes_hinder_nobody() {
    let made = Made::shared();
    let gateway = start(made);
    let port = gateway.smtp_tls.unwrap();
    let half_open: Vec<TcpStream> = (0..150)
        .map(|_| TcpStream::connect(port).unwrap())
        .collect();
    for mut stream in half_open.iter().take(50) {
        stream.write_all(b"\x16\x03\x01\x02\x00").unwrap();
    }
    for garbage in [&b"EHLO client.example\r\n"[..], &[0; 600], &[0xff; 600]] {
        let mut stream = TcpStream::connect(port).unwrap();
        stream.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        // Closed with an alert or a reset, whatever was still on its way.
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"220"), "{answer:?}");
    }
    let mut session = Smtp::connect_tls(port, made);
    session.say("EHLO client.example");
    session.log_in("tanaka", RIGHT);
    assert!(session.mail(&without_password()).starts_with("250"));
    drop(half_open);
    let failed = "faxgate_smtp_tls_handshakes_total{result=\"failed\"}";
    wait_for("the failed handshakes to be counted", || {
        gateway.metric(failed).filter(|count| *count >= 3.0)
    });
}

#[test]
fn a_certificate_is_followed_and_a_bad_one_changes_nothing() {
    let (first, second, third) = (Made::new(), Made::new(), Made::new());
    let gateway = start(&first);
    let port = gateway.smtp_tls.unwrap();
    let open = Smtp::connect_tls(port, &first);
    let write = |name: &str, text: &str| {
        std::fs::write(gateway.path("new.pem"), text).unwrap();
        std::fs::rename(gateway.path("new.pem"), gateway.path(name)).unwrap();
    };
    // A certificate without its key.
    write("cert.pem", &second.certificate);
    wait_for("the refusal to show", || {
        (gateway.page("/readyz").0 == 503).then_some(())
    });
    let (_, page) = gateway.page("/readyz");
    assert!(
        page.contains("tls: tls.key: this key does not belong"),
        "{page}"
    );
    assert_eq!(gateway.metric("faxgate_tls_stale"), Some(1.0));
    assert!(
        gateway
            .log_text()
            .contains("the last good one stays in force")
    );
    Smtp::connect_tls(port, &first);
    // Now with it.
    write("key.pem", &second.key);
    wait_for("the second pair", || {
        (gateway.page("/readyz").0 == 200).then_some(())
    });
    Smtp::connect_tls(port, &second);
    assert_eq!(gateway.metric("faxgate_tls_stale"), Some(0.0));
    // Both at once, and one that goes missing.
    write("key.pem", &third.key);
    write("cert.pem", &third.certificate);
    let in_force = |lines: usize| {
        let said = gateway
            .log_text()
            .matches("the certificate is in force")
            .count();
        (said == lines).then_some(())
    };
    wait_for("the third pair", || in_force(2));
    std::fs::remove_file(gateway.path("key.pem")).unwrap();
    wait_for("the refusal to show", || {
        (gateway.page("/readyz").0 == 503).then_some(())
    });
    Smtp::connect_tls(port, &third);
    drop(open);
}

#[test]
fn an_expired_certificate_serves_on_and_is_told() {
    let made = Made::until(2021);
    let gateway = start(&made);
    let (code, page) = wait_for("the warning", || {
        let (code, page) = gateway.page("/readyz");
        page.contains("warning").then_some((code, page))
    });
    assert_eq!(code, 200);
    assert!(
        page.contains("warning: tls: the certificate has expired at 2021-03-05"),
        "{page}"
    );
    assert!(gateway.log_text().contains("the certificate has expired"));
    let expires = gateway.metric("faxgate_tls_certificate_expires_seconds");
    assert!(expires.unwrap() < crate::gateway::now().as_second() as f64);
    let mut swaks = Command::new("swaks");
    swaks.args(["-tls", "--server", "127.0.0.1", "--quit-after", "EHLO"]);
    swaks.args(["--to", TO, "--port", &gateway.smtp.port().to_string()]);
    let output = run_with_input(swaks, "");
    assert_eq!(output.code, 0, "{}", output.stdout);
    assert!(
        output.stdout.contains("AUTH PLAIN LOGIN\n"),
        "{}",
        output.stdout
    );
}

#[test]
fn a_password_of_a_login_stands_nowhere() {
    let made = Made::shared();
    let setup = Setup::new(&[Account::tanaka()]).tls(made).log("trace");
    let gateway = Gateway::start(setup);
    let mut session = Smtp::starttls(gateway.smtp, made);
    assert!(session.log_in("tanaka", "kaki8canary").starts_with("535"));
    session.say("AUTH LOGIN");
    session.say(&crate::gateway::base64(b"tanaka"));
    assert!(
        session
            .say(&crate::gateway::base64(b"kaki8canary"))
            .starts_with("535")
    );
    gateway.sink.answer(None);
    let spellings = [
        "kaki8canary".to_owned(),
        crate::gateway::base64(b"kaki8canary"),
        crate::gateway::base64(b"\0tanaka\0kaki8canary"),
    ];
    let mut files = vec![gateway.folder().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for spelling in &spellings {
            assert!(!text.contains(spelling.as_str()), "{}", path.display());
        }
    }
}

#[test]
fn an_idle_connection_under_tls_takes_at_most_16_kib() {
    const MANY: u64 = 150;
    let made = Made::shared();
    let setup = Setup::new(&[Account::suzuki()]).tls(made);
    let gateway = Gateway::start(setup);
    let port = gateway.smtp_tls.unwrap();
    let open = |count: u64| -> Vec<Smtp> {
        let session = |_| {
            let mut session = Smtp::connect_tls(port, made);
            session.say("EHLO client.example");
            session
        };
        (0..count).map(session).collect()
    };
    // What the first ones cost is not theirs alone.
    let _first = open(30);
    let before = gateway.memory_kib();
    let _idle = open(MANY);
    let each = gateway.memory_kib().saturating_sub(before) / MANY;
    assert!(each <= 16, "{each} KiB");
}
