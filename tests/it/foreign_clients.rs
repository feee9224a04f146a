//! Mail programs that are not ours hand mails over (row C1): swaks, curl and Python's smtplib.

use std::io::Write;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::RIGHT;

const SENDER: &str = "tanaka@customer.example";
const NUMBER: &str = "03-1234-5678@fax.example";

fn run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; ./test --deps installs it"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn sent(gateway: &Gateway, output: &Output) {
    assert!(output.status.success(), "{output:?}");
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["destination"], "0081312345678");
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
}

#[test]
fn c1_swaks_sends_a_fax_and_is_told_of_a_wrong_password() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let server = gateway.smtp.to_string();
    let arguments = ["--server", &server, "--from", SENDER, "--to", NUMBER];
    let body = |password: &str| format!("password: {password}\nHello");
    let with = |text: &str| {
        let body = ["--header", "Subject: offer", "--body", text];
        run("swaks", &[&arguments[..], &body[..]].concat(), b"")
    };
    let refused = with(&body("wrong1pass"));
    assert_eq!(
        refused.status.code(),
        Some(26),
        "swaks: rejected at the end of DATA"
    );
    assert!(String::from_utf8_lossy(&refused.stdout).contains("550 5.7.8"));
    assert_eq!(gateway.strikes("tanaka"), 1);
    sent(&gateway, &with(&body(RIGHT)));
    assert_eq!(gateway.strikes("tanaka"), 0);
}

#[test]
fn c1_curl_sends_a_fax() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let server = format!("smtp://{}", gateway.smtp);
    let mail =
        format!("From: {SENDER}\r\nSubject: offer\r\n\r\nパスワード: {RIGHT}\r\nこんにちは\r\n");
    let output = run(
        "curl",
        &[
            "--silent",
            "--show-error",
            &server,
            "--mail-from",
            SENDER,
            "--mail-rcpt",
            NUMBER,
            "--upload-file",
            "-",
        ],
        mail.as_bytes(),
    );
    sent(&gateway, &output);
}

#[test]
fn c1_python_sends_a_fax() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let script = format!(
        "import smtplib\n\
         from email.message import EmailMessage\n\
         mail = EmailMessage()\n\
         mail['From'] = '{SENDER}'\n\
         mail['To'] = '{NUMBER}'\n\
         mail['Subject'] = '御見積書'\n\
         mail.set_content('password: {RIGHT}\\nこんにちは', charset='iso-2022-jp')\n\
         with smtplib.SMTP('{}', {}) as server:\n\
         \x20   server.send_message(mail)\n",
        gateway.smtp.ip(),
        gateway.smtp.port(),
    );
    let output = run("python3", &["-"], script.as_bytes());
    sent(&gateway, &output);
    assert_eq!(gateway.jobs()[0]["reference"], "御見積書");
}
