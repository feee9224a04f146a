//! Mail programs that are not ours log in: what they send arrives, and a wrong password is one strike whatever they
//! try next.

use std::process::Command;

use serde_json::json;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Output;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::run_with_input;
use crate::mail_servers::private::foreign;

const TO: &str = "0312345678@fax.example";
const FROM: &str = "tanaka@customer.example";
const WRONG: &str = "kaki8wrong";

fn start() -> Gateway {
    Gateway::start(Setup::new(&[Account::tanaka()]).tls(Made::shared()))
}

/// The port where TLS begins with the connection, or the one with STARTTLS.
fn port(gateway: &Gateway, implicit: bool) -> u16 {
    match implicit {
        true => gateway.smtp_tls.unwrap().port(),
        false => gateway.submission.unwrap().port(),
    }
}

fn certificate(gateway: &Gateway) -> String {
    gateway.path("cert.pem").to_str().unwrap().to_owned()
}

/// Tries each of `ways` with the right password, then each with a wrong one.
fn try_all<W: Copy>(ways: &[W], send: impl Fn(&Gateway, W, &str) -> Output) -> Vec<Output> {
    let gateway = start();
    for way in ways {
        let output = send(&gateway, *way, RIGHT);
        assert_eq!(output.code, 0, "{output:?}");
    }
    let jobs = gateway.settled(ways.len());
    assert!(jobs.iter().all(|job| job["status"] == 0), "{jobs:?}");
    gateway.sink.wait_for(FROM, ways.len());
    let refused = |way: &W| {
        let output = send(&gateway, *way, WRONG);
        assert_ne!(output.code, 0, "{output:?}");
        assert_eq!(gateway.strikes("tanaka"), 1, "{output:?}");
        gateway.unlock("tanaka");
        output
    };
    let refused = ways.iter().map(refused).collect();
    assert_eq!(gateway.jobs().len(), ways.len());
    refused
}

#[test]
fn swaks_logs_in_by_each_mechanism_it_has() {
    let ways = [
        ("PLAIN", false),
        ("LOGIN", false),
        ("PLAIN", true),
        ("LOGIN", true),
    ];
    let refused = try_all(&ways, |gateway, (auth, implicit), password| {
        let mut swaks = Command::new("swaks");
        swaks.arg(if implicit { "-tlsc" } else { "-tls" });
        swaks.args(["--tls-verify", "--tls-ca-path", &certificate(gateway)]);
        swaks.args(["--server", "127.0.0.1", "--from", FROM, "--to", TO]);
        swaks.args([
            "--auth",
            auth,
            "--auth-user",
            "tanaka",
            "--auth-password",
            password,
        ]);
        swaks.args(["--port", &port(gateway, implicit).to_string()]);
        swaks.args(["--body", &format!("offer {auth} {implicit}")]);
        run_with_input(swaks, "")
    });
    for output in refused {
        assert_eq!(output.code, 28, "swaks: no authentication");
        assert!(output.stdout.contains("535 5.7.8 Authentication failed"));
    }
}

#[test]
fn python_logs_in_and_a_wrong_password_tried_by_two_mechanisms_is_one_strike() {
    let refused = try_all(&[false, true], |gateway, implicit, password| {
        let (certificate, port) = (certificate(gateway), port(gateway, implicit));
        let open = match implicit {
            true => "smtplib.SMTP_SSL('127.0.0.1', port, context=context)",
            false => "smtplib.SMTP('127.0.0.1', port)",
        };
        let starttls = if implicit {
            "pass"
        } else {
            "session.starttls(context=context)"
        };
        let script = format!(
            "import smtplib, ssl\n\
             from email.message import EmailMessage\n\
             port = {port}\n\
             context = ssl.create_default_context(cafile={certificate:?})\n\
             mail = EmailMessage()\n\
             mail['From'], mail['To'], mail['Subject'] = '{FROM}', '{TO}', '御見積書'\n\
             mail.set_content('こんにちは {implicit}')\n\
             with {open} as session:\n\
             \x20   {starttls}\n\
             \x20   session.login('tanaka', '{password}')\n\
             \x20   session.send_message(mail)\n"
        );
        let mut python = Command::new("python3");
        python.arg("-c").arg(script);
        run_with_input(python, "")
    });
    for output in refused {
        let told = "SMTPAuthenticationError: (535, b'5.7.8 Authentication failed')";
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
}

#[test]
fn curl_logs_in_by_each_mechanism_it_has() {
    let ways = [("PLAIN", false), ("LOGIN", false), ("*", true)];
    let refused = try_all(&ways, |gateway, (auth, implicit), password| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--ssl-reqd",
            "--upload-file",
            "-",
        ]);
        curl.args([
            "--cacert",
            &certificate(gateway),
            "--login-options",
            &format!("AUTH={auth}"),
        ]);
        curl.args(["--user", &format!("tanaka:{password}")]);
        curl.args(["--mail-from", FROM, "--mail-rcpt", TO]);
        let scheme = if implicit { "smtps" } else { "smtp" };
        curl.arg(format!("{scheme}://127.0.0.1:{}", port(gateway, implicit)));
        run_with_input(
            curl,
            &format!("Subject: offer\r\n\r\n{auth} {implicit}\r\n"),
        )
    });
    for output in refused {
        assert_eq!(output.code, 67, "curl: login denied: {}", output.stderr);
    }
}

#[test]
fn nodemailer_logs_in_and_sends_a_document() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/nodemailer/send.cjs");
    let modules = foreign("nodemailer/node_modules");
    let ways = [("PLAIN", false), ("LOGIN", false), ("PLAIN", true)];
    let refused = try_all(&ways, |gateway, (auth, implicit), password| {
        let ask = json!({
            "transport": {
                "host": "127.0.0.1",
                "port": port(gateway, implicit),
                "secure": implicit,
                "requireTLS": true,
                "tls": { "ca": Made::shared().certificate, "servername": "gw.example" },
                "auth": { "user": "tanaka", "pass": password },
                "authMethod": auth,
            },
            "mail": {
                "from": FROM,
                "to": TO,
                "subject": "御見積書",
                "text": format!("こんにちは {auth} {implicit}"),
                "attachments": [{ "filename": "見積.txt", "content": "計 1,000円" }],
            },
        });
        let mut node = Command::new("node");
        node.args([script, &ask.to_string()])
            .env("NODE_PATH", &modules);
        run_with_input(node, "")
    });
    for output in refused {
        assert!(output.stdout.starts_with("EAUTH 535 "), "{}", output.stdout);
    }
}
