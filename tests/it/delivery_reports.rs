//! What clients ask to be told of each recipient (RFC 3461) and get as reports (RFC 3464).

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use mail_parser::MessageParser;
use mail_parser::MimeHeaders;
use serde_json::Value as Json;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Delivered;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const BUSY: &str = "00999-9999-6017@fax.example";
const DENIED: &str = "0990123456@fax.example";
const SUZUKI: &str = "suzuki@customer.example";
const TANAKA: &str = "tanaka@customer.example";

fn suzuki() -> Gateway {
    Gateway::with(&[Account::suzuki()])
}

fn english() -> Account {
    Account::suzuki().set("result_mail", "{ format = \"html-en\" }")
}

/// Mails `mail` with these parameters of MAIL, and to these recipients with theirs.
fn ask(gateway: &Gateway, mail: &Mail, of_mail: &str, recipients: &[(&str, &str)]) -> String {
    let mut session = Smtp::hello(gateway.smtp);
    let mut commands = vec![format!("MAIL FROM:<{}> {of_mail}", mail.sender)];
    let to = |(address, asked): &(&str, &str)| format!("RCPT TO:<{address}> {asked}");
    commands.extend(recipients.iter().map(to));
    commands.push("DATA".into());
    for command in commands {
        let reply = session.say(command.trim_end());
        assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
    }
    session.message(&mail.message())
}

#[track_caller]
fn accepted(reply: &str) {
    assert!(reply.starts_with("250 2.0.0 Ok: queued as "), "{reply}");
}

/// A report: the fields of the mail and of each recipient, the text, and what came back with it.
struct Report {
    text: String,
    of_mail: BTreeMap<String, String>,
    recipients: Vec<BTreeMap<String, String>>,
    kind: String,
    original: String,
}

impl Report {
    fn read(mail: &Delivered) -> Self {
        assert_eq!(mail.from, "", "the reverse-path is null");
        assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-replied");
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        let root = parsed.parts[0].content_type().unwrap();
        assert_eq!(root.subtype(), Some("report"), "{}", mail.text());
        assert_eq!(root.attribute("report-type"), Some("delivery-status"));
        assert_eq!(parsed.parts.len(), 4, "{}", mail.text());
        let content = |n: usize| String::from_utf8(parsed.parts[n].contents().to_vec()).unwrap();
        let fields = content(2).replace("\r\n", "\n");
        let group = |text: &str| {
            let fields = text.lines().map(|line| line.split_once(": ").unwrap());
            fields.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
        };
        let mut groups: Vec<_> = fields.trim_end().split("\n\n").map(group).collect();
        let kind = parsed.parts[3].content_type().unwrap();
        Self {
            text: mail.body(),
            of_mail: groups.remove(0),
            recipients: groups,
            kind: format!("{}/{}", kind.ctype(), kind.subtype().unwrap()),
            original: content(3),
        }
    }

    /// A field of the only recipient.
    fn field(&self, name: &str) -> &str {
        assert_eq!(self.recipients.len(), 1);
        self.recipients[0].get(name).map_or("", String::as_str)
    }
}

/// The only report to an address.
fn report_to(gateway: &Gateway, address: &str) -> Report {
    let mails = gateway.sink.wait_for(address, 1);
    assert_eq!(mails.len(), 1);
    Report::read(&mails[0])
}

/// Waits until all mails about all jobs have gone, and returns how many there are to an address.
fn mails_to(gateway: &Gateway, address: &str) -> usize {
    // Told after the others, if there are any.
    accepted(&gateway.mail(&Mail::new("last@customer.example", BUSY, "x\r\n")));
    gateway.sink.wait_for("last@customer.example", 1);
    wait_for("the outbox to be empty", || {
        let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
        let count = "SELECT COUNT(*) FROM outbox WHERE state = 0";
        let left: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
        (left == 0).then_some(())
    });
    gateway.sink.mails_to(address).len()
}

fn sleeping(gateway: &Gateway) {
    wait_for("the first call to fail", || {
        (gateway.jobs()[0]["state"] == "sleeping").then_some(())
    });
}

#[test]
fn a_success_is_reported_with_what_the_client_calls_it() {
    let gateway = Gateway::with(&[english()]);
    let mail = Mail::plain(NUMBER).subject("=?utf-8?B?6KaL56mN5pu4?= /rs");
    let asked = "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Sales+2BEast@customer.example";
    accepted(&ask(
        &gateway,
        &mail,
        "RET=HDRS ENVID=order+20+2B7",
        &[(NUMBER, asked)],
    ));
    let report = report_to(&gateway, SUZUKI);
    assert!(
        report.text.contains("Your fax was sent."),
        "{}",
        report.text
    );
    assert_eq!(report.of_mail["Original-Envelope-Id"], "order +7");
    assert_eq!(report.of_mail["Reporting-MTA"], "dns; gw.example");
    assert!(report.of_mail.contains_key("Arrival-Date"));
    assert_eq!(
        report.field("Original-Recipient"),
        "rfc822; Sales+East@customer.example"
    );
    assert_eq!(report.field("Final-Recipient"), format!("rfc822; {NUMBER}"));
    assert_eq!(report.field("Action"), "delivered");
    assert_eq!(report.field("Status"), "2.0.0");
    assert!(!report.field("Last-Attempt-Date").is_empty());
    assert_eq!(report.kind, "text/rfc822-headers");
    let id = String::from_utf8(mail.message()).unwrap();
    let id = id.lines().find(|line| line.starts_with("Message-ID: "));
    for line in [
        id.unwrap(),
        "Date: Thu, 05 Mar 2026 10:00:00 +0900",
        "From: suzuki@customer.example",
        "To: 0312345678@fax.example",
        "Subject: =?UTF-8?B?6KaL56mN5pu4?=",
    ] {
        assert!(
            report.original.contains(line),
            "{line}: {}",
            report.original
        );
    }
}

#[test]
fn a_failure_is_reported_in_the_language_of_the_account() {
    for (account, words) in [(Account::suzuki(), "話し中"), (english(), "busy")] {
        let gateway = Gateway::with(&[account]);
        accepted(&ask(
            &gateway,
            &Mail::plain(BUSY),
            "",
            &[(BUSY, "NOTIFY=FAILURE")],
        ));
        let report = report_to(&gateway, SUZUKI);
        assert!(report.text.contains(words), "{}", report.text);
        assert_eq!(report.field("Action"), "failed");
        assert_eq!(report.field("Status"), "4.4.1");
        assert_eq!(report.field("Diagnostic-Code"), "x-faxgate; 6017 busy");
        assert_eq!(report.field("Original-Recipient"), "");
    }
}

#[test]
fn what_is_never_called_is_reported_at_once() {
    let gateway = suzuki();
    let list = "nosuchlist@list.fax.example";
    let asked = [(DENIED, "NOTIFY=FAILURE"), (list, "NOTIFY=FAILURE")];
    accepted(&ask(&gateway, &Mail::plain(DENIED), "", &asked));
    let mails = gateway.sink.wait_for(SUZUKI, 2);
    let reports: Vec<Report> = mails.iter().map(Report::read).collect();
    let of = |address: &str| {
        let address = format!("rfc822; {address}");
        let mut found = reports.iter();
        found
            .find(|report| report.field("Final-Recipient") == address)
            .unwrap()
    };
    assert_eq!(of(DENIED).field("Status"), "5.7.1");
    assert_eq!(of(list).field("Status"), "5.1.1");
    assert_eq!(of(list).field("Last-Attempt-Date"), "", "nobody was called");
    assert_eq!(gateway.calls().len(), 0);
}

#[test]
fn only_what_was_asked_for_is_told() {
    // NOTIFY, and which of success and failure is told.
    for (notify, success, failure) in [
        ("NEVER", 0, 0),
        ("SUCCESS", 1, 0),
        ("FAILURE", 0, 1),
        ("DELAY", 0, 0),
        ("SUCCESS,FAILURE,DELAY", 1, 1),
    ] {
        let gateway = Gateway::with(&[Account::suzuki(), Account::new("last")]);
        let asked = format!("NOTIFY={notify}");
        for (address, told) in [(NUMBER, success), (BUSY, failure)] {
            let before = gateway.sink.mails_to(SUZUKI).len();
            let settled = gateway.jobs().len() + 1;
            accepted(&ask(
                &gateway,
                &Mail::plain(address),
                "",
                &[(address, &asked)],
            ));
            gateway.settled(settled);
            let mails = gateway.sink.wait_for(SUZUKI, before + told);
            assert_eq!(mails.len(), before + told, "{notify} {address}");
        }
        assert_eq!(mails_to(&gateway, SUZUKI), success + failure, "{notify}");
    }
}

#[test]
fn beside_each_other_each_recipient_gets_what_was_asked_for_it() {
    let gateway = suzuki();
    let mail = Mail::plain(NUMBER);
    let other = "0387654321@fax.example";
    accepted(&ask(
        &gateway,
        &mail,
        "ENVID=x",
        &[
            (NUMBER, ""),
            (other, "NOTIFY=SUCCESS"),
            (BUSY, "NOTIFY=NEVER"),
        ],
    ));
    gateway.settled(3);
    let mails = gateway.sink.wait_for(SUZUKI, 2);
    assert_eq!(mails.len(), 2);
    let is_report = |mail: &&Delivered| mail.text().contains("multipart/report");
    let (reports, results): (Vec<_>, Vec<_>) = mails.iter().partition(is_report);
    let report = Report::read(reports[0]);
    assert_eq!(report.field("Final-Recipient"), format!("rfc822; {other}"));
    // The result mail knows of its own recipient only, of which nothing failed.
    assert_eq!(
        results[0].subject(),
        "FAX送信が成功しました -> (0081312345678)"
    );
    let batch = gateway.jobs()[0]["batch"].as_str().unwrap().to_owned();
    let id = results[0].header("Message-ID").unwrap();
    assert_eq!(id, format!("<result.{batch}.1@gw.example>"));
    // The same mail again is the same batch, whatever is asked now.
    accepted(&ask(&gateway, &mail, "", &[(BUSY, "NOTIFY=FAILURE")]));
    assert_eq!(gateway.jobs().len(), 3);
}

#[test]
fn a_list_is_one_recipient_whose_members_are_told_by_number() {
    let gateway = suzuki();
    let list = "branches@list.fax.example";
    let asked = "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;branches@customer.example";
    accepted(&ask(
        &gateway,
        &Mail::plain(list),
        "ENVID=l",
        &[(list, asked)],
    ));
    gateway.settled(2);
    let report = report_to(&gateway, SUZUKI);
    let finals: Vec<_> = report
        .recipients
        .iter()
        .map(|r| &r["Final-Recipient"])
        .collect();
    assert_eq!(
        finals,
        [
            "rfc822; 0081322220001@fax.example",
            "rfc822; 0081322220002@fax.example"
        ]
    );
    for recipient in &report.recipients {
        assert_eq!(recipient["Action"], "delivered");
        assert_eq!(
            recipient["Original-Recipient"],
            "rfc822; branches@customer.example"
        );
    }
    assert!(report.original.contains("To: branches@list.fax.example"));
}

#[test]
fn of_a_list_only_those_members_are_told_that_were_asked_about() {
    let mixed = Account::new("suzuki").list(
        "mixed",
        &[("03-2222-0001", "Ueno"), ("00999-9999-6001", "Nobody")],
    );
    let gateway = Gateway::with(&[mixed]);
    let list = "mixed@list.fax.example";
    accepted(&ask(
        &gateway,
        &Mail::plain(list),
        "",
        &[(list, "NOTIFY=FAILURE")],
    ));
    let report = report_to(&gateway, SUZUKI);
    assert_eq!(report.field("Status"), "5.1.1");
    assert_eq!(
        report.field("Final-Recipient"),
        "rfc822; 0099999996001@fax.example"
    );
    assert!(!report.text.contains("Ueno"), "{}", report.text);
}

#[test]
fn a_delay_is_reported_once_and_the_end_after_it() {
    let gateway = Gateway::with(&[english()]);
    // The line is away: its folder is not there.
    let (line, away) = (gateway.path("calls"), gateway.path("calls-away"));
    std::fs::rename(&line, &away).unwrap();
    let asked = [(NUMBER, "NOTIFY=SUCCESS,DELAY")];
    accepted(&ask(&gateway, &Mail::plain(NUMBER), "ENVID=late", &asked));
    let report = report_to(&gateway, SUZUKI);
    sleeping(&gateway);
    assert!(
        report.text.contains("will be tried again"),
        "{}",
        report.text
    );
    assert_eq!(report.of_mail["Original-Envelope-Id"], "late");
    assert_eq!(report.field("Action"), "delayed");
    assert_eq!(report.field("Status"), "4.4.0");
    assert!(
        report
            .field("Diagnostic-Code")
            .starts_with("x-faxgate; 6041 ")
    );
    assert!(!report.field("Will-Retry-Until").is_empty());
    // A second call that fails is not told again.
    gateway.let_waiting_end();
    wait_for("the second call to fail", || {
        let job: &Json = &gateway.jobs()[0];
        (job["state"] == "sleeping" && job["attempt_count"] == 2).then_some(())
    });
    std::fs::rename(&away, &line).unwrap();
    gateway.let_waiting_end();
    gateway.settled(1);
    let mails = gateway.sink.wait_for(SUZUKI, 2);
    assert_eq!(mails.len(), 2);
    assert_eq!(Report::read(&mails[1]).field("Action"), "delivered");
}

#[test]
fn a_whole_mail_comes_back_as_its_pages_and_never_with_its_password() {
    let setup = Setup::new(&[Account::tanaka()]).set("retry", "attempts", "1");
    let gateway = Gateway::start(setup);
    std::fs::rename(gateway.path("calls"), gateway.path("calls-away")).unwrap();
    let mail = Mail::right(NUMBER).subject(&format!("password: {RIGHT}"));
    let asked = [(NUMBER, "NOTIFY=FAILURE"), (DENIED, "NOTIFY=FAILURE")];
    accepted(&ask(&gateway, &mail, "RET=FULL ENVID=full", &asked));
    let mails = gateway.sink.wait_for(TANAKA, 2);
    for mail in &mails {
        assert!(!mail.text().contains(RIGHT), "{}", mail.text());
        assert!(!mail.text().contains("Please see to it"), "{}", mail.text());
        let encoded = crate::gateway::base64(RIGHT.as_bytes());
        assert!(!mail.text().contains(encoded.trim_end_matches('=')));
    }
    let find = |address: &str| {
        let line = format!("Final-Recipient: rfc822; {address}\r\n");
        mails
            .iter()
            .find(|mail| mail.text().contains(&line))
            .unwrap()
    };
    let called = find(NUMBER);
    let parsed = MessageParser::default().parse(&called.message).unwrap();
    let inner = parsed.parts.iter().find_map(|part| part.message());
    let inner = inner.unwrap_or_else(|| panic!("{}", called.text()));
    assert!(inner.attachment(0).unwrap().contents().starts_with(b"%PDF"));
    // Nothing was drawn yet for the one that was never called; or it was: both are no body.
    assert_eq!(Report::read(find(DENIED)).field("Action"), "failed");
}

#[test]
fn without_pages_a_whole_mail_comes_back_as_its_header() {
    let gateway = suzuki();
    accepted(&ask(
        &gateway,
        &Mail::plain(BUSY),
        "RET=FULL",
        &[(BUSY, "NOTIFY=FAILURE")],
    ));
    let report = report_to(&gateway, SUZUKI);
    assert_eq!(report.kind, "text/rfc822-headers");
    assert!(!report.original.contains("Please see to it"));
}

#[test]
fn p2_what_the_next_server_takes_only_without_pages_is_told_without() {
    let with_pages = "{ when = \"always\", attach_pages = true }";
    let account = Account::suzuki().set("result_mail", with_pages);
    let gateway = Gateway::start(Setup::new(&[account]).set("retry", "attempts", "1"));
    std::fs::rename(gateway.path("calls"), gateway.path("calls-away")).unwrap();
    gateway.sink.take_at_most(8_000);
    let noise: String = (0..400_u64)
        .map(|n| format!("{:x}\r\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let recipients = [(NUMBER, ""), ("0387654321@fax.example", "NOTIFY=FAILURE")];
    let mail = Mail::new(SUZUKI, NUMBER, &noise);
    accepted(&ask(&gateway, &mail, "RET=FULL", &recipients));
    let mails = gateway.sink.wait_for(SUZUKI, 2);
    assert_eq!(gateway.sink.refused(), 2, "each had pages at first");
    let is_report = |mail: &&Delivered| mail.text().contains("multipart/report");
    assert_eq!(mails.iter().filter(is_report).count(), 1);
}

#[test]
fn a_stranger_beside_a_customers_from_gets_nothing() {
    let gateway = suzuki();
    let mail = Mail::plain(BUSY).reverse_path("victim@elsewhere.example");
    accepted(&ask(&gateway, &mail, "", &[(BUSY, "NOTIFY=FAILURE")]));
    let report = report_to(&gateway, SUZUKI);
    assert_eq!(report.field("Action"), "failed");
    assert!(gateway.sink.mails_to("victim@elsewhere.example").is_empty());
}

#[test]
fn a_mail_that_anybody_could_have_written_gets_ten_reports_and_a_result_mail() {
    let gateway = suzuki();
    let denied: Vec<String> = (0..25)
        .map(|n| format!("09901234{n:02}@fax.example"))
        .collect();
    let asked: Vec<(&str, &str)> = denied
        .iter()
        .map(|to| (to.as_str(), "NOTIFY=FAILURE"))
        .collect();
    accepted(&ask(&gateway, &Mail::plain(DENIED), "", &asked));
    let mails = gateway.sink.wait_for(SUZUKI, 11);
    let reports = mails
        .iter()
        .filter(|mail| mail.text().contains("report-type=delivery-status"));
    assert_eq!(reports.count(), 10);
    let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let written = database.query_row("SELECT COUNT(*) FROM outbox", [], count);
    assert_eq!(written.unwrap(), 11, "one result mail tells of the others");
}

#[test]
fn c2_what_a_client_calls_its_mail_never_holds_the_password() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let xtext = RIGHT.replace('+', "+2B").replace('=', "+3D");
    let of_mail = format!("ENVID=job-{xtext}");
    let asked = format!("NOTIFY=FAILURE ORCPT=x-fax;{xtext}");
    let mail = Mail::right(BUSY);
    accepted(&ask(&gateway, &mail, &of_mail, &[(BUSY, &asked)]));
    let report = report_to(&gateway, TANAKA);
    assert_eq!(report.of_mail.get("Original-Envelope-Id"), None);
    assert_eq!(report.field("Original-Recipient"), "");
    let kept = std::fs::read(gateway.path("var/faxgate.sqlite3-wal")).unwrap();
    assert!(memchr::memmem::find(&kept, RIGHT.as_bytes()).is_none());
}

#[test]
fn reports_go_to_the_reverse_path_that_was_proved_and_not_to_reply_to() {
    let senders = "[\"suzuki@customer.example\", \"desk@customer.example\"]";
    let gateway = Gateway::with(&[Account::suzuki().set("senders", senders).set(
        "result_mail",
        "{ when = \"never\", to = [\"archive@customer.example\"] }",
    )]);
    let mail = Mail::plain(BUSY).header("Reply-To", "desk@customer.example");
    accepted(&ask(&gateway, &mail, "", &[(BUSY, "NOTIFY=FAILURE")]));
    report_to(&gateway, SUZUKI);
    assert_eq!(gateway.sink.mails().len(), 1);
}

#[test]
fn a_list_that_the_lock_stopped_is_told_as_ever_and_at_most_once_an_hour() {
    let gateway = Gateway::with(&[Account::tanaka(), Account::new("last")]);
    gateway.lock_by_mail();
    for notify in [
        "NOTIFY=NEVER",
        "NOTIFY=FAILURE",
        "NOTIFY=SUCCESS,FAILURE,DELAY",
    ] {
        let list = "shops@list.fax.example";
        accepted(&ask(
            &gateway,
            &Mail::right(list),
            "ENVID=x",
            &[(list, notify)],
        ));
    }
    mails_to(&gateway, TANAKA);
    let is_result = |mail: &&Delivered| mail.header("Message-ID").unwrap().starts_with("<result.");
    let mails = gateway.sink.mails();
    let to_tanaka = mails.iter().filter(|mail| mail.to == [TANAKA]);
    let results: Vec<_> = to_tanaka.filter(is_result).collect();
    assert_eq!(results.len(), 1);
    assert!(results[0].text().contains("multipart/"));
    assert!(
        !mails
            .iter()
            .any(|mail| mail.text().contains("multipart/report"))
    );
}

#[test]
fn a_report_arrives_once_also_across_a_crash() {
    let mut gateway = suzuki();
    gateway.sink.go_away();
    let asked = [(BUSY, "NOTIFY=FAILURE"), (NUMBER, "NOTIFY=SUCCESS")];
    accepted(&ask(&gateway, &Mail::plain(BUSY), "", &asked));
    let job = gateway.settled(2)[0]["id"].as_str().unwrap().to_owned();
    gateway.kill();
    gateway.sink.come_back();
    gateway.serve();
    gateway.let_waiting_end();
    let mails = gateway.sink.wait_for(SUZUKI, 2);
    let mut ids: Vec<_> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2);
    wait_for("the mails to be noted as sent", || {
        let shown = gateway.json(&["job", "show", &job]);
        let mails = shown["mails"].as_array().unwrap();
        assert_eq!(mails.len(), 2, "{shown}");
        mails
            .iter()
            .all(|mail| mail["state"] == "sent")
            .then_some(())
    });
    gateway.kill();
    gateway.serve();
    gateway.let_waiting_end();
    accepted(&gateway.mail(&Mail::plain(NUMBER)));
    assert_eq!(gateway.sink.wait_for(SUZUKI, 3).len(), 3);
}

#[test]
fn a_fax_that_is_cancelled_has_failed() {
    let gateway = suzuki();
    let tomorrow = crate::gateway::now().in_tz("Asia/Tokyo").unwrap().date();
    let day = tomorrow.checked_add(jiff::Span::new().days(2)).unwrap();
    let mail = Mail::plain(NUMBER).subject(&format!("offer /d {{{day} 09:30}}"));
    accepted(&ask(&gateway, &mail, "", &[(NUMBER, "NOTIFY=FAILURE")]));
    let id = gateway.jobs()[0]["id"].as_str().unwrap().to_owned();
    gateway.must(&["job", "cancel", &id]);
    let report = report_to(&gateway, SUZUKI);
    assert_eq!(report.field("Status"), "5.0.0");
    assert_eq!(report.field("Diagnostic-Code"), "x-faxgate; 403 cancelled");
}

#[test]
fn a_list_of_more_members_than_one_transaction_holds_is_one_report() {
    let members: String = (6001..=7201)
        .map(|status| format!("009999999{status},member {status}\n"))
        .collect();
    let setup = Setup::new(&[Account::new("suzuki").list_file("all", "all.csv")]);
    let gateway = Gateway::start(setup.file("all.csv", members.as_bytes()));
    let list = "all@list.fax.example";
    let asked = [(list, "NOTIFY=SUCCESS,FAILURE"), (list, "NOTIFY=NEVER")];
    let mail = Mail::plain(list);
    accepted(&ask(&gateway, &mail, "", &asked));
    // Known already: it adds nothing, and nothing is told again.
    accepted(&ask(&gateway, &mail, "", &asked));
    let report = report_to(&gateway, SUZUKI);
    assert_eq!(report.recipients.len(), 1201);
    let last = report.recipients.last().unwrap();
    assert_eq!(last["Final-Recipient"], "rfc822; 0099999997201@fax.example");
    assert_eq!(gateway.sink.mails().len(), 1);
}

#[test]
fn a_program_that_has_logged_in_asks_in_the_same_way() {
    let made = Made::shared();
    let gateway = Gateway::start(Setup::new(&[Account::tanaka()]).tls(made));
    let mut session = Smtp::starttls(gateway.submission.unwrap(), made);
    assert!(session.say("EHLO client.example").contains("\n250-DSN\r"));
    assert!(session.log_in("tanaka", RIGHT).starts_with("235 2.7.0"));
    for command in [
        format!("MAIL FROM:<{TANAKA}> ENVID=api7"),
        format!("RCPT TO:<{NUMBER}> NOTIFY=SUCCESS"),
    ] {
        let reply = session.say(&command);
        assert!(reply.starts_with("250"), "{command}: {reply}");
    }
    let message = Mail::new(TANAKA, NUMBER, "Please see to it.\r\n").message();
    session.write(format!("BDAT {} LAST\r\n", message.len()).as_bytes());
    session.write(&message);
    accepted(&session.reply());
    let report = report_to(&gateway, TANAKA);
    assert_eq!(report.of_mail["Original-Envelope-Id"], "api7");
    assert_eq!(report.field("Action"), "delivered");
}

fn python(script: &str, input: &[u8]) -> String {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn python_asks_for_a_report_and_reads_it() {
    let gateway = suzuki();
    let send = format!(
        "import smtplib\n\
         from email.message import EmailMessage\n\
         mail = EmailMessage()\n\
         mail['From'] = '{SUZUKI}'\n\
         mail['To'] = '{BUSY}'\n\
         mail['Subject'] = '御見積書'\n\
         mail.set_content('hello')\n\
         with smtplib.SMTP('{}', {}) as server:\n\
         \x20   server.ehlo()\n\
         \x20   assert server.has_extn('dsn')\n\
         \x20   server.send_message(mail, mail_options=['RET=HDRS', 'ENVID=py+3D1'],\n\
         \x20       rcpt_options=['NOTIFY=FAILURE', 'ORCPT=rfc822;{BUSY}'])\n",
        gateway.smtp.ip(),
        gateway.smtp.port(),
    );
    python(&send, b"");
    let mails = gateway.sink.wait_for(SUZUKI, 1);
    let read = "import sys, email, email.policy\n\
         mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
         assert not mail.defects and mail.get_content_type() == 'multipart/report'\n\
         assert mail.get_param('report-type') == 'delivery-status'\n\
         text, status, original = mail.iter_parts()\n\
         assert not status.defects and not original.defects\n\
         about, recipient = status.get_payload()\n\
         print(about['Original-Envelope-Id'], recipient['Action'], recipient['Status'],\n\
         \x20     recipient['Original-Recipient'], recipient['Final-Recipient'], sep='|')\n\
         print(email.message_from_string(original.get_content(), policy=email.policy.default)['Subject'])\n";
    let said = python(read, &mails[0].message);
    assert_eq!(
        said,
        format!("py=1|failed|4.4.1|rfc822; {BUSY}|rfc822; {BUSY}\n御見積書\n")
    );
}
