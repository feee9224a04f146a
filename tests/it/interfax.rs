//! Faxes that another service sends for us, over the REST protocol of InterFAX.

pub(crate) mod upstream;

use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::base64;
use crate::gateway::wait_for;

use upstream::HELD;
use upstream::HUGE;
use upstream::LOST;
use upstream::Upstream;

const NUMBER: &str = "0312345678@fax.example";
const PASSWORD: &str = "up-stream-5ecret";

/// A gateway's configuration with this service as its only line.
pub(crate) fn setup(upstream: &Upstream) -> Setup {
    let table = "transport.interfax";
    Setup::new(&[Account::tanaka(), Account::suzuki()])
        .set("transport", "kind", "\"interfax\"")
        .set(table, "url", &format!("\"http://{}\"", upstream.address))
        .set(table, "user", "\"faxgate\"")
        .set(table, "password_file", "\"interfax.password\"")
        .set(table, "poll", "\"100ms\"")
        .file("interfax.password", format!("{PASSWORD}\n").as_bytes())
}

/// All lines of the journal in `data_dir`.
pub(crate) fn journal(gateway: &Gateway) -> Vec<Json> {
    let text = std::fs::read_to_string(gateway.path("var/calls.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn first_line(gateway: &Gateway) -> Json {
    wait_for("a call in the journal", || {
        journal(gateway).into_iter().next()
    })
}

fn files(gateway: &Gateway, folder: &str) -> usize {
    std::fs::read_dir(gateway.path(folder)).unwrap().count()
}

#[test]
fn a_fax_is_handed_over_asked_for_and_told_of() {
    let upstream =
        Upstream::start()
            .submit(&["created"])
            .ask(&["in_process", "in_process", "sent"]);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::right(NUMBER));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    let handed = upstream.submissions();
    assert_eq!(handed.len(), 1);
    let query = |key| handed[0].query(key);
    assert_eq!(query("faxNumber"), Some("0081312345678"));
    assert_eq!(query("retriesToPerform"), Some("1"));
    assert_eq!(query("pageHeader"), Some("N"));
    assert_eq!(query("csid"), Some("%2B81%203%201234%205678"));
    assert_eq!(query("resolution"), Some("fine"));
    let reference = format!("{}-1", jobs[0]["id"].as_str().unwrap());
    assert_eq!(query("reference"), Some(reference.as_str()));
    let head = &handed[0].head;
    assert!(head.contains("content-type: image/tiff\r\n"), "{head}");
    let login = base64(format!("faxgate:{PASSWORD}").as_bytes());
    assert!(head.contains(&format!("authorization: Basic {}\r\n", login.trim())));
    assert!(handed[0].body.starts_with(b"II*\0"));

    let lines = journal(&gateway);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["transport"], "interfax");
    assert_eq!(line["job"], jobs[0]["id"]);
    assert_eq!(line["number"], "0081312345678");
    assert_eq!(line["local_id"], "+81 3 1234 5678");
    assert_eq!(line["remote_id"], "+81 3 9999 0000");
    assert_eq!((&line["pages"], &line["status"]), (&1.into(), &0.into()));
    assert_eq!(
        files(&gateway, "var/interfax") + files(&gateway, "var/dialling"),
        0
    );
    assert!(!gateway.log_text().contains(PASSWORD));
    assert!(!gateway.log_text().contains(login.trim()));
}

#[test]
fn a_fax_whose_answer_was_lost_is_found_by_its_reference_and_not_handed_over_again() {
    for answer in [LOST, "internal_error", "portal"] {
        let upstream = Upstream::start()
            .submit(&[answer])
            .search(&["none", "found_another", "internal_error", "xml", "found"])
            .ask(&["sent"]);
        let gateway = Gateway::start(setup(&upstream));
        gateway.accepts(&Mail::plain(NUMBER));
        assert_eq!(gateway.settled(1)[0]["status"], 0, "{answer}");
        assert_eq!(upstream.submissions().len(), 1, "{answer}");
    }
}

#[test]
fn a_service_that_cannot_search_is_asked_for_its_list() {
    let upstream = Upstream::start()
        .submit(&[LOST])
        .search(&["not_found"])
        .list(&["found"])
        .ask(&["sent"]);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(upstream.submissions().len(), 1);
}

#[test]
fn a_fax_that_the_service_never_got_is_tried_again_later_under_another_reference() {
    let upstream = Upstream::start()
        .submit(&[LOST, "created"])
        .search(&["none"])
        .ask(&["sent"]);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    let line = first_line(&gateway);
    assert_eq!(
        (&line["outcome"], &line["status"]),
        (&"retry".into(), &6041.into())
    );
    wait_for("the second try", || {
        gateway.let_waiting_end();
        (upstream.submissions().len() == 2).then_some(())
    });
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    let references: Vec<_> = upstream
        .submissions()
        .iter()
        .map(|handed| handed.query("reference").unwrap().to_owned())
        .collect();
    assert!(references[0].ends_with("-1") && references[1].ends_with("-2"));
}

#[test]
fn what_the_service_says_of_a_call_is_what_we_say() {
    let upstream = Upstream::start().submit(&["created"]).ask(&["busy"]);
    let gateway = Gateway::start(setup(&upstream).set("retry", "attempts", "1"));
    gateway.accepts(&Mail::plain(NUMBER));
    assert_eq!(gateway.settled(1)[0]["status"], 6017);
    assert_eq!(first_line(&gateway)["cause"], "busy");
    let upstream = Upstream::start().submit(&["no_recipient"]);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    assert_eq!(gateway.settled(1)[0]["status"], 6001);
    assert!(
        first_line(&gateway)["detail"]
            .as_str()
            .unwrap()
            .contains("-112")
    );
}

#[test]
fn answers_that_are_none_are_asked_for_again() {
    let odd = [
        "xml",
        "cut_off",
        "portal",
        HUGE,
        LOST,
        "internal_error",
        "found",
        "sent",
    ];
    let upstream = Upstream::start().submit(&["created"]).ask(&odd);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(upstream.submissions().len(), 1);
    assert!(
        gateway.memory_kib() < 200 * 1024,
        "{}",
        gateway.memory_kib()
    );
}

#[test]
fn a_service_that_is_asked_too_often_is_left_alone_for_a_while() {
    let upstream = Upstream::start()
        .submit(&["created"])
        .ask(&["too_many", "sent"]);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(upstream.submissions().len(), 1);
}

#[test]
fn a_wrong_password_is_told_to_operators_and_not_tried_until_the_account_there_is_locked() {
    let upstream = Upstream::start()
        .submit(&["unauthorized"])
        .list(&["unauthorized"]);
    let gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    let text = wait_for("the trouble", || {
        let (status, text) = gateway.page("/readyz");
        (status == 503).then_some(text)
    });
    assert!(
        text.contains("lines: interfax: ") && text.contains("401 (-1003)"),
        "{text}"
    );
    wait_for("the fax to wait", || {
        let failed =
            gateway.metric("faxgate_calls_total{transport=\"interfax\",result=\"not-called\"}");
        failed.filter(|count| *count >= 1.0)
    });
    assert!(upstream.asked().len() < 3, "{:?}", upstream.asked());
    assert_eq!(journal(&gateway).len(), 0);
    assert_ne!(gateway.jobs()[0]["state"], "failed");
    assert!(!text.contains(PASSWORD));
}

#[test]
fn another_address_is_not_followed() {
    let upstream = Upstream::start()
        .submit(&["elsewhere"])
        .list(&["elsewhere"]);
    let gateway = Gateway::start(setup(&upstream));
    let text = wait_for("the trouble", || {
        let (status, text) = gateway.page("/readyz");
        (status == 503).then_some(text)
    });
    assert!(text.contains("not followed"), "{text}");
}

#[test]
fn p3_a_fax_that_was_handed_over_before_a_kill_ends_once() {
    let upstream = Upstream::start().submit(&["created"]).ask(&["in_process"]);
    let mut gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    wait_for("the fax to be asked for", || {
        let asked = upstream.asked();
        asked
            .iter()
            .any(|target| target.ends_with("/279415116"))
            .then_some(())
    });
    gateway.kill();
    let upstream = upstream.ask(&["in_process", "sent"]);
    gateway.serve();
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(upstream.submissions().len(), 1);
    let lines = journal(&gateway);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["number"], "0081312345678");
    assert_eq!(lines[0]["pages"], 1);
    assert_eq!(
        files(&gateway, "var/interfax") + files(&gateway, "var/dialling"),
        0
    );
}

#[test]
fn p3_a_kill_before_the_answer_leads_to_a_search_and_not_to_a_second_fax() {
    let upstream = Upstream::start().submit(&[HELD, "created"]);
    let mut gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    wait_for("the fax to be handed over", || {
        (upstream.submissions().len() == 1).then_some(())
    });
    gateway.kill();
    let upstream = upstream.search(&["found"]).ask(&["sent"]);
    gateway.serve();
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(upstream.submissions().len(), 1);
    assert_eq!(journal(&gateway).len(), 1);
}

#[test]
fn p3_a_kill_before_anything_arrived_leads_to_the_same_fax_again() {
    let upstream = Upstream::start().submit(&[HELD, "created"]).ask(&["sent"]);
    let mut gateway = Gateway::start(setup(&upstream));
    gateway.accepts(&Mail::plain(NUMBER));
    wait_for("the fax to be handed over", || {
        (upstream.submissions().len() == 1).then_some(())
    });
    gateway.kill();
    let upstream = upstream.search(&["none"]);
    gateway.serve();
    assert_eq!(gateway.settled(1)[0]["status"], 0);
    assert_eq!(upstream.submissions().len(), 2);
    assert_eq!(journal(&gateway).len(), 1);
}
