//! The other ways in: logins in every mechanism, chunks, and every command that takes a word.

use faxgate::account::scram;
use faxgate::secret::Secret;

use super::CORE;
use super::NUMBER;
use super::ways::way;
use crate::certificates::Made;
use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::base64;

/// Says the canary at every door; what the gateway answered to it.
pub(super) fn all(gateway: &Gateway, made: &Made) -> String {
    let mut said = String::new();
    for wrong in ["", "-wrong"] {
        for mechanism in [plain, login, scram_of] {
            let mut session = Smtp::starttls(gateway.submission.unwrap(), made);
            said += &mechanism(&mut session, &format!("{CORE}{wrong}"));
        }
    }
    said += &in_clear(gateway);
    said += &in_commands(gateway);
    said += &in_chunks(gateway);
    said += &broken_off(gateway, made);
    said += &in_a_browser(gateway);
    said
}

/// The password where it belongs, right and wrong, and in every other field and place of a form.
fn in_a_browser(gateway: &Gateway) -> String {
    let wrong = format!("{CORE}-wrong");
    let mut said = String::new();
    let mut browser = gateway.browser();
    for (login_id, password, code) in [
        ("tanaka", CORE, 303),
        ("tanaka", &wrong, 401),
        ("nobody", CORE, 401),
    ] {
        let answer = browser.log_in(login_id, password);
        assert_eq!(answer.code, code, "{}", answer.body());
        said += &answer.body();
        said += &format!("{:?}", answer.headers);
        said += &browser.get("/sent").body();
        browser.cookies.remove("faxgate");
    }
    let fields = [("password", CORE), ("login_id", "tanaka"), ("csrf", CORE)];
    said += &browser.post("/login", &fields).body();
    said += &browser.post("/logout", &[("csrf", CORE)]).body();
    said += &browser
        .post(&format!("/login?password={CORE}"), &fields)
        .body();
    said += &browser
        .ask("POST", "/login", Some(&format!("password={CORE}&%")))
        .body();
    said += &browser.ask("POST", "/sent", Some(CORE)).body();
    said += &browser.get(&format!("/{CORE}")).body();
    browser
        .further
        .push(("Authorization".into(), base64(CORE.as_bytes())));
    said + &browser.get("/login").body()
}

fn plain(session: &mut Smtp, password: &str) -> String {
    let reply = session.log_in("tanaka", password);
    let right = password == CORE;
    assert!(
        reply.starts_with(if right { "235 " } else { "535 " }),
        "{reply}"
    );
    // Given twice, with a stranger's name, with a foreign identity, and after the answer.
    let foreign = base64(format!("{password}\0{password}\0{password}").as_bytes());
    let mut said = reply;
    for line in [
        format!("AUTH PLAIN {foreign}"),
        format!("AUTH PLAIN {password}"),
        password.to_owned(),
    ] {
        said += &session.say(&line);
    }
    said
}

fn login(session: &mut Smtp, password: &str) -> String {
    let mut said = session.say("AUTH LOGIN");
    said += &session.say(&base64(b"tanaka"));
    let reply = session.say(&base64(password.as_bytes()));
    let right = password == CORE;
    assert!(
        reply.starts_with(if right { "235 " } else { "535 " }),
        "{reply}"
    );
    // The name and the password in each other's place, and an answer that is no base64.
    said += &session.say(&format!("AUTH LOGIN {}", base64(password.as_bytes())));
    said += &session.say(&base64(b"tanaka"));
    said += &session.say("AUTH LOGIN");
    said += &session.say(password);
    said + &reply
}

/// A password never crosses the network by SCRAM; a bad client sends it all the same.
fn scram_of(session: &mut Smtp, password: &str) -> String {
    let first = base64(format!("n,,n=tanaka,r={password}").as_bytes());
    // Our own answer repeats the client's nonce, as RFC 5802 asks.
    let challenge = session.say(&format!("AUTH SCRAM-SHA-256 {first}"));
    assert!(challenge.starts_with("334 "), "{challenge}");
    let proof = base64(format!("c=biws,r=x,p={}", base64(password.as_bytes())).as_bytes());
    session.say(&proof)
}

fn in_clear(gateway: &Gateway) -> String {
    let mut session = Smtp::hello(gateway.smtp);
    let mut said = session.log_in("tanaka", CORE);
    assert!(said.starts_with("530 5.7.0"), "{said}");
    said += &session.say(&format!("AUTH LOGIN {}", base64(CORE.as_bytes())));
    said
}

fn in_commands(gateway: &Gateway) -> String {
    let mut said = String::new();
    for line in [
        format!("EHLO {CORE}"),
        format!("EHLO [{CORE}]"),
        format!("HELO {CORE}.example"),
        format!("PASS {CORE}"),
        CORE.to_owned(),
        format!("MAIL FROM:<tanaka@customer.example> AUTH={CORE}"),
        format!("MAIL FROM:<tanaka@customer.example> ENVID={CORE}"),
        format!("MAIL FROM:<tanaka@customer.example> X-{CORE}"),
        format!("MAIL FROM:<tanaka@customer.example> SIZE={CORE}"),
        format!("VRFY {CORE}"),
        format!("NOOP password: {CORE}"),
        format!("GET /?password={CORE} HTTP/1.1"),
    ] {
        // Some answer by hanging up.
        let mut session = Smtp::hello(gateway.smtp);
        said += &session.say(&line);
    }
    let mut session = Smtp::hello(gateway.smtp);
    said += &session.say("MAIL FROM:<tanaka@customer.example>");
    for parameter in [
        format!("ORCPT=rfc822;{CORE}"),
        format!("NOTIFY={CORE}"),
        CORE.to_owned(),
    ] {
        said += &session.say(&format!("RCPT TO:<{NUMBER}> {parameter}"));
    }
    said += &session.say(&format!("RCPT TO:<{CORE}>"));
    said
}

/// BDAT: whole, in pieces that cut the password, refused, too long, and never ended.
fn in_chunks(gateway: &Gateway) -> String {
    let text = format!("password: {CORE}\r\n\r\nIn chunks.\r\n");
    let way = way("chunks", "250 ", super::PLAIN, text);
    let cut = way.message.len() - 30;
    let mut said = String::new();
    for ends in ["LAST", "", "broken"] {
        let mut session = Smtp::hello(gateway.smtp);
        session.say("MAIL FROM:<tanaka@customer.example>");
        session.say(&format!("RCPT TO:<{NUMBER}>"));
        let (first, second) = way.message.split_at(cut);
        session.write(format!("BDAT {}\r\n", first.len()).as_bytes());
        session.write(first);
        said += &session.reply();
        let length = second.len() + if ends == "broken" { 99 } else { 0 };
        session.write(format!("BDAT {length} {ends}\r\n").as_bytes());
        session.write(second);
        if ends != "broken" {
            let reply = session.reply();
            assert!(reply.starts_with("250 "), "{reply}");
            said += &reply;
        }
    }
    let mut session = Smtp::hello(gateway.smtp);
    session.write(format!("BDAT {} LAST\r\n", way.message.len()).as_bytes());
    session.write(&way.message);
    said += &session.reply();
    said + &session.say(&format!("BDAT {CORE}"))
}

/// Sessions that end in the middle of a login or of a handshake.
fn broken_off(gateway: &Gateway, made: &Made) -> String {
    let mut session = Smtp::starttls(gateway.submission.unwrap(), made);
    let said = session.say("AUTH LOGIN");
    session.write(base64(CORE.as_bytes()).as_bytes());
    drop(session);
    let mut session = Smtp::hello(gateway.smtp);
    session.write(format!("STARTTLS\r\nAUTH PLAIN {}\r\n", base64(CORE.as_bytes())).as_bytes());
    let said = said + &session.reply();
    let mut session = Smtp::hello(gateway.smtp);
    session.say("STARTTLS");
    session.write(format!("password: {CORE}\r\n").as_bytes());
    said + &session.reply()
}

#[test]
fn an_account_with_a_verifier_leaves_no_trace_of_its_password() {
    use crate::gateway::Account;
    use crate::gateway::run_with_input;
    use std::process::Command;

    let made = Made::shared();
    let verifier = scram::verifier(&Secret::new(CORE.to_owned())).unwrap();
    let account = Account::new("tanaka").set("scram", &format!("{:?}", verifier.text()));
    let mut gateway = Gateway::start(Setup::new(&[account]).tls(made).log("trace"));
    for (password, code) in [(CORE.to_owned(), 0), (format!("{CORE}-wrong"), 77)] {
        let mut msmtp = Command::new("msmtp");
        msmtp.args([
            "--host=127.0.0.1",
            "--tls=on",
            "--auth=scram-sha-256",
            "--file=/dev/null",
        ]);
        msmtp.args(["--user=tanaka", "--from=tanaka@customer.example"]);
        msmtp.arg(format!("--port={}", gateway.smtp.port()));
        msmtp.arg(format!(
            "--tls-trust-file={}",
            gateway.path("cert.pem").display()
        ));
        msmtp.arg(format!("--passwordeval=printf %s '{password}'"));
        msmtp.arg(NUMBER);
        let output = run_with_input(msmtp, "Subject: offer\n\nBy SCRAM.\n");
        assert_eq!(output.code, code, "{}", output.stderr);
    }
    assert_eq!(gateway.settled(1).len(), 1);
    let forms = super::forms::of(CORE);
    assert_eq!(gateway.terminate(), Some(0));
    assert_eq!(super::hits(gateway.folder(), &forms), Vec::<String>::new());
}
