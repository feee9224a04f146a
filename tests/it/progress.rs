//! Calls as they go on, how the next one of a job goes on from there, and whom a fax is for behind its number.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Stdio;

use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";

/// A gateway on which calls to [`NUMBER`] go like `script`, one after the other.
fn scripted(script: &str) -> Gateway {
    let setup = Setup::new(&[Account::suzuki()]);
    let number = "\"+81312345678\"";
    Gateway::start(setup.set("transport.loopback.numbers", number, script))
}

/// A fax of three pages; its job.
fn three_pages(gateway: &Gateway) -> String {
    let mail = Mail::plain(NUMBER).attach("a.tiff", "image/tiff", &paper::tiff(3));
    gateway.accepts(&mail);
    gateway.jobs()[0]["id"].as_str().unwrap().to_owned()
}

fn sleeping(gateway: &Gateway) {
    wait_for("the first call to fail for now", || {
        (gateway.jobs()[0]["state"] == "sleeping").then_some(())
    });
}

fn shown(gateway: &Gateway, id: &str) -> Json {
    gateway.json(&["job", "show", id])
}

/// `faxgate job watch` beside the gateway.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(gateway: &Gateway, arguments: &[&str]) -> Self {
        let mut command = gateway.faxgate();
        command.args(["job", "watch"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// All that comes until it ends by itself.
    fn rest(mut self) -> Vec<String> {
        let mut rest = Vec::new();
        rest.extend(std::iter::from_fn(|| self.line()));
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

#[test]
fn a_job_is_watched_from_another_process_until_it_is_settled() {
    let gateway = scripted("[\"busy\", \"good\"]");
    let id = three_pages(&gateway);
    sleeping(&gateway);
    let mut people = Watching::start(&gateway, &[&id]);
    let mut programs = Watching::start(&gateway, &[&id, "--json"]);
    let begin = people.line().unwrap();
    assert!(begin.contains("being sent, page 0 of 3"), "{begin}");
    let begin: Json = serde_json::from_str(&programs.line().unwrap()).unwrap();
    assert_eq!(
        (&begin["event"], &begin["state"]),
        (&"state".into(), &"sleeping".into())
    );
    gateway.let_waiting_end();
    let text = people.rest().join("\n");
    for told in ["call 2", "page 1 of 3", "page 3 of 3", "settled: sent"] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    let events: Vec<Json> = programs
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let pages: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "page")
        .map(|event| (event["page"].as_i64(), event["of"].as_i64()))
        .collect();
    assert_eq!(
        pages,
        [(Some(1), Some(3)), (Some(2), Some(3)), (Some(3), Some(3))]
    );
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["state"]),
        (&"settled".into(), &"done".into())
    );
    if spandsp::is_available() {
        assert!(last["rate"].as_i64().unwrap() >= 2_400, "{last}");
        assert!(text.contains("bit/s"), "{text}");
    }
    let over = Watching::start(&gateway, &[&id]).rest();
    assert!(over[0].contains("sent, page 3 of 3"), "{over:?}");
}

#[test]
fn watching_ends_with_the_job_even_if_no_event_told_of_it() {
    let gateway = scripted("\"busy\"");
    let id = three_pages(&gateway);
    sleeping(&gateway);
    let mut watching = Watching::start(&gateway, &[&id]);
    assert!(watching.line().unwrap().contains("being sent"));
    gateway.change_state("UPDATE job SET state = 14, status = 5 WHERE state = 5;");
    let rest = watching.rest();
    assert_eq!(rest.len(), 1, "{rest:?}");
}

#[test]
fn a_job_that_nobody_knows_cannot_be_watched() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let output = gateway.command(&["job", "watch", "5"]);
    assert_ne!(output.code, 0);
}

#[test]
fn the_next_call_sends_the_pages_that_were_not_confirmed_under_their_numbers() {
    let gateway = scripted("[\"fail after page 1\", \"good\"]");
    let id = three_pages(&gateway);
    sleeping(&gateway);
    let first = shown(&gateway, &id);
    assert_eq!(first["pages_sent"], 1, "{first}");
    assert_eq!(first["status"], -3, "it goes on");
    assert_eq!(
        first["attempts"][0]["cause"], "no-response-after-page",
        "{first}"
    );
    gateway.let_waiting_end();
    let jobs = gateway.settled(1);
    assert_eq!(
        (&jobs[0]["status"], &jobs[0]["pages_sent"]),
        (&0.into(), &3.into())
    );
    let calls = shown(&gateway, &id)["attempts"].clone();
    assert_eq!(
        (&calls[0]["first_page"], &calls[0]["pages_sent"]),
        (&0.into(), &1.into())
    );
    assert_eq!(
        (&calls[1]["first_page"], &calls[1]["pages_sent"]),
        (&1.into(), &3.into())
    );
    let pages: Vec<_> = gateway
        .events("page")
        .iter()
        .map(|event| event["detail"].to_string())
        .collect();
    assert_eq!(pages.len(), 3, "no page was confirmed twice: {pages:?}");
}

#[test]
fn a_call_that_is_lost_three_times_without_a_page_is_given_up() {
    let gateway = scripted("\"cut in phase C\"");
    let id = three_pages(&gateway);
    for calls in 1..=2 {
        wait_for("a call to be lost", || {
            let job = gateway.jobs().remove(0);
            (job["state"] == "sleeping" && job["attempt_count"] == calls).then_some(())
        });
        gateway.let_waiting_end();
    }
    let job = gateway.settled(1).remove(0);
    assert_eq!(job["attempt_count"], 3, "of four that are allowed");
    let reason = shown(&gateway, &id)["reason"].clone();
    assert!(reason.as_str().unwrap().contains("three calls"), "{reason}");
}

#[test]
fn the_page_of_a_fax_shows_the_phases_of_its_call() {
    let setup = Setup::new(&[Account::tanaka()]).web();
    let gateway = Gateway::start(setup);
    gateway.accepts(&Mail::right(NUMBER));
    let job = gateway.settled(1).remove(0);
    let mut browser = gateway.logged_in("tanaka", crate::gateway::RIGHT);
    let page = browser.get(&format!("/sent/{}", job["id"].as_str().unwrap()));
    let text = page.body();
    assert!(
        text.contains("ページの受信を確認しました") || text.contains("Page confirmed"),
        "{text}"
    );
    if spandsp::is_available() {
        assert!(text.contains("T.38") && text.contains("bit/s"), "{text}");
    }
}

#[test]
fn what_is_behind_the_number_goes_with_the_fax() {
    let setup = Setup::new(&[Account::suzuki()])
        .set("transport", "kind", "\"spool\"")
        .set("transport.spool", "directory", "\"spool\"");
    let gateway = Gateway::start(setup);
    let mail = Mail::plain("FAX=+81312345678/T33S=12@fax.example")
        .and_to("0312345678/t33s=34#@fax.example")
        .and_to("03-1234-5678/T33S=12@fax.example");
    gateway.accepts(&mail);
    gateway.accepts(&mail);
    let mut subs: Vec<_> = gateway
        .jobs()
        .iter()
        .map(|job| {
            assert_eq!(job["destination"], "0081312345678");
            job["sub_address"].as_str().unwrap().to_owned()
        })
        .collect();
    subs.sort();
    assert_eq!(subs, ["12", "34#"], "two jobs, however often it is mailed");
    let table = gateway.must(&["job", "list"]).stdout;
    assert!(table.contains("0081312345678 sub 12"), "{table}");
    let ordered = wait_for("the order to the other program", || {
        let files = std::fs::read_dir(gateway.path("spool")).ok()?;
        let mut files = files.map(|file| file.unwrap().path());
        let order = files.find(|file| file.extension().is_some_and(|e| e == "json"))?;
        serde_json::from_slice::<Json>(&std::fs::read(order).ok()?).ok()
    });
    assert_eq!(ordered["sub_address"], "12");
    assert_eq!(ordered["first_page"], 0);
}

#[test]
fn what_cannot_be_behind_a_number_is_refused() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    for address in [
        "0312345678/T33S=@fax.example",
        "0312345678/T33S=12a@fax.example",
        "FAX=+81312345678/T33S=123456789012345678901@fax.example",
        "0312345678/postd=1@fax.example",
    ] {
        let reply = gateway.mail(&Mail::plain(address));
        assert!(reply.starts_with("550 5.1.3 "), "{address}: {reply}");
    }
}

#[test]
fn a_job_for_which_no_line_is_in_service_waits_and_says_why() {
    let setup = Setup::new(&[Account::suzuki()])
        .set("transport", "kind", "\"spool\"")
        .set("transport.spool", "directory", "\"spool\"");
    let gateway = Gateway::start(setup);
    let (line, away) = (gateway.path("spool"), gateway.path("spool-away"));
    std::fs::rename(&line, &away).unwrap();
    gateway.accepts(&Mail::plain(NUMBER));
    sleeping(&gateway);
    let job = gateway.jobs().remove(0);
    assert_eq!(
        (&job["attempt_count"], &job["status"]),
        (&0.into(), &(-2).into())
    );
    assert!(job["reason"].as_str().unwrap().contains("spool"), "{job}");
    let shown = shown(&gateway, job["id"].as_str().unwrap());
    assert_eq!(shown["attempts"], serde_json::json!([]));
    let waits = |looks: f64| {
        wait_for("the job to find no line", || {
            let waits = gateway.jobs()[0]["state"] == "sleeping";
            let found = gateway.metric("faxgate_fax_not_called_total");
            (waits && found? >= looks).then_some(())
        });
    };
    for looks in [1.0, 2.0, 3.0] {
        waits(looks);
        gateway.let_waiting_end();
    }
    waits(4.0);
    for told_once in ["dialled", "not-called"] {
        assert_eq!(gateway.events(told_once).len(), 1, "{told_once}");
    }
    std::fs::rename(&away, &line).unwrap();
    gateway.let_waiting_end();
    wait_for("the call", || {
        let job = gateway.jobs().remove(0);
        (job["state"] == "active" && job["attempt_count"] == 1).then(|| {
            assert_eq!(job["reason"], Json::Null, "why it waited is over");
        })
    });
}

#[test]
fn a_number_is_not_redialled_beyond_fifteen_calls_whichever_job_asks() {
    let setup = Setup::new(&[Account::suzuki()])
        .set("retry", "attempts", "6")
        .set("transport.loopback.numbers", "\"+81312345678\"", "\"busy\"");
    let gateway = Gateway::start(setup);
    for subject in ["one", "two", "three"] {
        gateway.accepts(&Mail::plain(NUMBER).subject(subject));
    }
    let calls = |jobs: &[Json]| -> i64 {
        let counts = jobs
            .iter()
            .map(|job| job["attempt_count"].as_i64().unwrap());
        counts.sum()
    };
    let jobs = wait_for("the jobs to be given up", || {
        let jobs = gateway.jobs();
        let over = jobs.iter().all(|job| job["state"] == "failed");
        if !over {
            gateway.let_waiting_end();
        }
        (jobs.len() == 3 && over).then_some(jobs)
    });
    assert_eq!(calls(&jobs), 15, "{jobs:?}");
    let redialled = gateway.events("dialled").len();
    assert_eq!(redialled, 15);
    let mut reasons = jobs.iter().map(|job| {
        assert_eq!(job["status"], 6017, "{job}");
        shown(&gateway, job["id"].as_str().unwrap())["reason"].to_string()
    });
    assert!(reasons.any(|reason| reason.contains("15 times")));
}
