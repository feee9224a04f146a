//! Numbers find their line, and calls of every line stand in one journal.

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::wait_for;
use crate::interfax;
use crate::interfax::journal;
use crate::interfax::upstream::Upstream;

const NUMBER: &str = "0312345678@fax.example";

/// Japan by the loopback, its numbers of 03-8 by another service, everything else by nothing.
const ROUTES: &str = "
[[transport.route]]
prefix = \"81\"
kind = \"loopback\"
[[transport.route]]
prefix = \"03-8\"
kind = \"interfax\"
";

#[test]
fn the_longest_prefix_leads_a_number_to_its_line_and_others_nowhere() {
    let upstream = Upstream::start().submit(&["created"]).ask(&["sent"]);
    let setup = interfax::setup(&upstream)
        .without("transport", "kind")
        .set("destinations", "allow", "[\"81\", \"1\"]")
        .further(ROUTES);
    let gateway = Gateway::start(setup);
    let mail = Mail::plain(NUMBER)
        .and_to("03-8765-4321@fax.example")
        .and_to("+1(212)555-9999@fax.example");
    gateway.accepts(&mail);
    let jobs = gateway.settled(3);
    let status = |number: &str| {
        let job = jobs.iter().find(|job| job["destination"] == number);
        job.unwrap()["status"].as_i64().unwrap()
    };
    assert_eq!(status("0081312345678"), 0);
    assert_eq!(status("0081387654321"), 0);
    assert_eq!(status("0012125559999"), 6003);
    let lines = journal(&gateway);
    let mut ways: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {}", line["number"], line["transport"]))
        .collect();
    ways.sort();
    assert_eq!(
        ways,
        [
            "\"0081312345678\" \"loopback\"",
            "\"0081387654321\" \"interfax\""
        ]
    );
    let handed = upstream.submissions();
    assert_eq!(handed.len(), 1);
    assert_eq!(handed[0].query("faxNumber"), Some("0081387654321"));
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert_eq!(
        mails[0].subject(),
        "FAX送信が失敗しました -> (3件中2件成功)"
    );
    assert!(mails[0].body().contains("6003"), "{}", mails[0].body());
}

#[test]
fn calls_of_the_loopback_stand_in_both_journals_with_every_field() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.accepts(&Mail::right(NUMBER));
    let jobs = gateway.settled(1);
    let lines = journal(&gateway);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    for (key, value) in [
        ("job", jobs[0]["id"].clone()),
        ("attempt", 1.into()),
        ("transport", "loopback".into()),
        ("number", "0081312345678".into()),
        ("local_id", "+81 3 1234 5678".into()),
        ("pages", 1.into()),
        ("status", 0.into()),
        ("outcome", "sent".into()),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    for key in ["line", "remote_id", "started", "ended"] {
        assert!(line[key].is_string(), "{key}");
    }
    assert_eq!(gateway.calls()[0]["job"], line["job"]);
    assert_eq!(
        gateway.metric("faxgate_lines_in_use{transport=\"loopback\"}"),
        Some(0.0)
    );
}

#[test]
fn p3_a_call_that_stands_in_the_journal_is_settled_from_there_after_a_kill() {
    let mut gateway =
        Gateway::start(Setup::new(&[Account::suzuki()]).set("transport.loopback", "speed", "1"));
    gateway.accepts(&Mail::plain(NUMBER));
    let job = wait_for("the call", || {
        let notes = std::fs::read_dir(gateway.path("var/dialling")).ok()?;
        let name = notes.flatten().next()?.file_name();
        let name = name.to_str()?.strip_suffix("-1.json")?.to_owned();
        Some(name)
    });
    gateway.kill();
    let line = format!(
        "{{\"job\":\"{job}\",\"attempt\":1,\"transport\":\"loopback\",\"number\":\"0081312345678\",\"local_id\":\"\",\
         \"remote_id\":\"FAR END\",\"pages\":1,\"outcome\":\"sent\",\"status\":0,\"started\":\"2026-11-22T00:00:00Z\",\
         \"ended\":\"2026-11-22T00:01:00Z\"}}\n"
    );
    std::fs::write(gateway.path("var/calls.jsonl"), line).unwrap();
    gateway.serve();
    let jobs = gateway.settled(1);
    assert_eq!(
        (&jobs[0]["status"], &jobs[0]["id"]),
        (&0.into(), &job.into())
    );
    assert_eq!(journal(&gateway).len(), 1, "it was not called again");
    assert_eq!(gateway.calls().len(), 0);
    assert_eq!(
        std::fs::read_dir(gateway.path("var/dialling"))
            .unwrap()
            .count(),
        0
    );
    gateway.sink.wait_for("suzuki@customer.example", 1);
}
