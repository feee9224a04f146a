//! What can be done with faxes in the account web: export, send again, cancel, follow, submissions, received ones.

use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const BUSY: &str = "00999-9999-6017@fax.example";
const FINE: &str = "00999-9999-0@fax.example";
const INBOX: &str = "inbox@customer.example";

fn start() -> Gateway {
    Gateway::start(setup())
}

fn setup() -> Setup {
    let sato = Account::new("sato").password(RIGHT);
    Setup::new(&[Account::tanaka(), sato]).web()
}

fn two_pages(to: &str) -> Mail {
    Mail::right(to)
        .subject("Order 4711")
        .attach("two.pdf", "application/pdf", &paper::pdf(2))
}

/// A fax of two pages that was sent; its id.
fn sent(gateway: &Gateway) -> String {
    gateway.accepts(&two_pages(NUMBER));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    text(&jobs[0]["id"])
}

/// A fax that waits for a day far ahead; its id.
fn waiting(gateway: &Gateway) -> String {
    let day = crate::gateway::now().in_tz("Asia/Tokyo").unwrap().date();
    let day = day.checked_add(jiff::Span::new().days(20)).unwrap();
    gateway.accepts(&Mail::right(NUMBER).subject(&format!("later /d {day} 10:00")));
    text(&gateway.jobs().last().unwrap()["id"])
}

/// A submission to three numbers: one sent, one busy, one real and sent. The id of its batch.
fn submission(gateway: &Gateway) -> String {
    gateway.accepts(&two_pages(NUMBER).and_to(BUSY).and_to(FINE));
    text(&gateway.settled(3)[0]["batch"])
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

fn page(browser: &mut Browser, path: &str) -> String {
    let answer = browser.get(path);
    assert_eq!(answer.code, 200, "{path}: {}", answer.body());
    answer.body()
}

fn receive(gateway: &Gateway) -> String {
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, paper::tiff(2)).unwrap();
    let file = file.to_str().unwrap();
    let to = ["received", "inject", "--to", "03-4567-0001"];
    gateway.must(&[&to[..], &["--from", "+81 6 1111 3333", file]].concat());
    text(&gateway.json(&["received", "list"])[0]["id"])
}

#[test]
fn a_fax_is_sent_again_to_its_number_or_another_one() {
    let gateway = start();
    let id = sent(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(page(&mut browser, &format!("/sent/{id}")).contains("value=\"03-1234-5678\""));
    let path = format!("/sent/{id}/resend");
    let fields = [("number", "03-1234-5678"), ("form", "f1")];
    let answer = browser.act(&path, &fields);
    assert_eq!(answer.code, 303, "{}", answer.body());
    let jobs = gateway.settled(2);
    let again = format!("/sent/{}", text(&jobs[1]["id"]));
    assert_eq!(answer.header("location"), Some(again.as_str()));
    assert_eq!(jobs[1]["destination"], jobs[0]["destination"]);
    assert_eq!(jobs[1]["status"], 0);
    assert!(page(&mut browser, &again).contains("Sent again on request"));

    let twice = browser.act(&path, &fields);
    assert_eq!(twice.header("location"), Some(again.as_str()), "one order");
    let other = browser.act(&path, &[("number", "06-1111-2222"), ("form", "f2")]);
    assert_eq!(other.code, 303);
    let jobs = gateway.settled(3);
    assert_eq!(jobs[2]["destination"], "0081611112222");
    let calls = gateway.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls.iter().all(|call| call["pages"] == 2), "{calls:?}");
}

#[test]
fn a_number_that_cannot_be_called_is_told_beside_its_field() {
    let gateway = Gateway::start(setup().set("destinations", "deny", "[\"050\"]"));
    let id = sent(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    for (number, said) in [
        ("no number", "This is no fax number"),
        ("12", "This is no fax number"),
        ("050-1234-5678", "not allowed here"),
    ] {
        let answer = browser.act(&format!("/sent/{id}/resend"), &[("number", number)]);
        let body = answer.body();
        assert_eq!(answer.code, 422, "{number}: {body}");
        assert!(body.contains(said) && body.contains("aria-invalid=\"true\""));
        assert!(body.contains(&format!("value=\"{number}\"")), "{body}");
    }
    gateway.settled(1);
}

#[test]
fn i10_while_locked_nothing_is_sent_again_from_the_web() {
    let gateway = start();
    let batch = submission(&gateway);
    let id = text(&gateway.jobs()[0]["id"]);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    gateway.lock("tanaka");
    for (path, fields) in [
        (format!("/sent/{id}/resend"), vec![]),
        (format!("/sent/{id}/resend"), vec![("number", "0611112222")]),
        (format!("/batches/{batch}/resend"), vec![("what", "failed")]),
        (format!("/batches/{batch}/resend"), vec![("what", "all")]),
    ] {
        let answer = browser.act(&path, &fields);
        assert_eq!(answer.code, 423, "{path}");
        assert!(answer.body().contains("Nothing was sent"), "{path}");
    }
    gateway.settled(3);
    gateway.unlock("tanaka");
    assert_eq!(browser.act(&format!("/sent/{id}/resend"), &[]).code, 303);
    gateway.settled(4);
}

#[test]
fn a_waiting_fax_is_cancelled_and_a_finished_one_is_not() {
    let gateway = start();
    let id = waiting(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = format!("/sent/{id}");
    assert!(page(&mut browser, &path).contains("Cancel this fax"));
    let early = browser.act(&format!("{path}/resend"), &[]);
    assert_eq!(early.code, 409, "not finished");
    let answer = browser.act(&format!("{path}/cancel"), &[]);
    assert_eq!(
        (answer.code, answer.header("location")),
        (303, Some(path.as_str()))
    );
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 403);
    assert!(page(&mut browser, &path).contains("cancelled"));
    assert_eq!(browser.act(&format!("{path}/cancel"), &[]).code, 409);
    gateway.sink.wait_for("tanaka@customer.example", 1);
}

#[test]
fn the_pictures_and_the_result_are_the_pages_that_were_sent() {
    let gateway = start();
    let id = sent(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let file = faxgate::fax::FaxFile {
        tiff: std::fs::read(gateway.path(&format!("calls/{id}.tiff"))).unwrap(),
        pages: 2,
    };
    for n in [1, 2] {
        let picture = browser.get(&format!("/sent/{id}/pages/{n}.png"));
        let line = faxgate::render::png_page(&file, n).unwrap().unwrap();
        assert!(picture.bytes == line, "page {n} is not what was sent");
    }
    let pdf = browser.get(&format!("/sent/{id}/result.pdf"));
    assert_eq!(pdf.header("content-type"), Some("application/pdf"));
    let pdf = String::from_utf8_lossy(&pdf.bytes).into_owned();
    assert!(
        pdf.starts_with("%PDF-") && pdf.contains("/Count 3"),
        "a page and two"
    );
}

#[test]
fn a_submission_is_one_line_with_totals_and_only_its_failed_faxes_are_sent_again() {
    let gateway = start();
    let batch = submission(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let list = page(&mut browser, "/sent");
    let path = format!("/batches/{batch}");
    assert_eq!(list.matches(&format!("href=\"{path}\"")).count(), 1);
    assert!(
        !list.contains("><a href=\"/sent/"),
        "no line for each: {list}"
    );
    for shown in ["3 numbers", "sent 2", "failed 1", "all 3"] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    let failed = page(&mut browser, "/sent?status=failed");
    assert_eq!(failed.matches("><a href=\"/sent/").count(), 1);
    assert!(failed.contains(&path), "a fax leads to its submission");

    let rows = |text: &str| text.matches("><a href=\"/sent/").count();
    for (query, expected) in [("", 3), ("?status=failed", 1), ("?status=sent", 2)] {
        let children = page(&mut browser, &format!("{path}{query}"));
        assert_eq!(rows(&children), expected, "{query}: {children}");
    }
    let answer = browser.act(&format!("{path}/resend"), &[("what", "failed")]);
    assert_eq!(answer.code, 303, "{}", answer.body());
    let jobs = gateway.settled(4);
    assert_eq!(jobs[3]["destination"], jobs[1]["destination"]);
    let answer = browser.act(&format!("{path}/resend"), &[("what", "all")]);
    let again = answer.header("location").unwrap().to_owned();
    gateway.settled(7);
    assert_eq!(rows(&page(&mut browser, &again)), 3);
    assert_eq!(browser.act(&format!("{path}/cancel"), &[]).code, 409);
}

#[test]
fn all_that_is_in_progress_of_a_submission_is_cancelled_at_once() {
    let gateway = start();
    let day = crate::gateway::now().in_tz("Asia/Tokyo").unwrap().date();
    let day = day.checked_add(jiff::Span::new().days(20)).unwrap();
    let mail = Mail::right(NUMBER).subject(&format!("later /d {day} 10:00"));
    gateway.accepts(&mail.and_to(BUSY).and_to(FINE));
    let batch = text(&gateway.jobs()[0]["batch"]);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(page(&mut browser, "/sent").contains("in progress 3"));
    let answer = browser.act(&format!("/batches/{batch}/cancel"), &[]);
    assert_eq!(answer.code, 303, "{}", answer.body());
    let jobs = gateway.settled(3);
    assert!(jobs.iter().all(|job| job["status"] == 403), "{jobs:?}");
    gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(gateway.calls().is_empty());
}

#[test]
fn an_export_has_exactly_the_rows_of_its_filter_and_no_formula() {
    let gateway = start();
    gateway.accepts(&Mail::right(NUMBER).subject("=HYPERLINK(\"http://x.example\")"));
    gateway.settled(1);
    gateway.change_state(
        "INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts, next_at,
             fence, created_at, settled_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1300)
         SELECT job.id + i, batch, account, class, '00816' || (10000000 + i), '@c' || i, 11,
             CASE WHEN i % 10 = 0 THEN 6017 ELSE 0 END, 1, 0, 1, created_at, 1 FROM job, n;",
    );
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let exported = |browser: &mut Browser, kind: &str, query: &str| {
        let answer = browser.get(&format!("/sent/export.{kind}?{query}"));
        assert_eq!(answer.code, 200, "{query}");
        let name = answer.header("content-disposition").unwrap().to_owned();
        assert!(name.starts_with("attachment; filename=\"faxes-"), "{name}");
        assert!(name.ends_with(&format!(".{kind}\"")), "{name}");
        answer.body()
    };
    for (query, expected) in [
        ("", 1301),
        ("status=failed", 130),
        ("status=sent", 1171),
        ("status=in-progress", 0),
        ("number=06-1000-0007", 1),
        ("number=61000011", 10),
        ("from=2020-01-01&to=2020-01-31", 0),
    ] {
        let lines = exported(&mut browser, "jsonl", query);
        let lines: Vec<Json> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), expected, "{query}");
        let csv = exported(&mut browser, "csv", query);
        let csv = csv.strip_prefix('\u{feff}').unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), expected, "{query}");
        for (row, line) in rows.iter().zip(&lines) {
            assert_eq!(row[0], text(&line["id"]));
            assert_eq!(
                row[6].parse::<i64>().unwrap(),
                line["status"].as_i64().unwrap()
            );
            let cells = row.iter().enumerate().filter(|(column, _)| *column != 6);
            for (_, cell) in cells {
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{cell}"
                );
            }
            assert!(row[5].starts_with("'=HYPERLINK("), "{row:?}");
        }
    }
    assert_eq!(browser.get("/sent/export.csv?from=yesterday").code, 400);
    let mut other = gateway.logged_in("sato", RIGHT);
    assert_eq!(exported(&mut other, "jsonl", ""), "");
}

#[test]
fn a_fax_is_followed_to_its_final_status() {
    let gateway = start();
    let id = waiting(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let shown = page(&mut browser, &format!("/sent/{id}"));
    for attribute in [
        &format!("sse-connect=\"/sent/{id}/live\""),
        "sse-close=\"done\"",
        "<noscript><meta http-equiv=\"refresh\"",
        "htmx:sseError",
    ] {
        assert!(shown.contains(attribute), "{attribute}: {shown}");
    }
    let mut one = browser.follow(&format!("/sent/{id}/live"));
    assert!(
        one.text
            .to_lowercase()
            .contains("content-type: text/event-stream")
    );
    one.until("event: status\n");
    let mut all = browser.follow("/sent/live");
    all.until(": begun");
    gateway.change_state("UPDATE job SET next_at = 0 WHERE state = 0");
    let text = one.end();
    for event in [
        "event: progress\n",
        "event: actions\n",
        "event: done\n",
        "\nid: ",
    ] {
        assert!(text.contains(event), "{event}: {text}");
    }
    assert!(
        text.contains("data: <strong class=\"sent\">sent</strong>"),
        "{text}"
    );
    all.until(&format!("event: job-{id}\n"));
    all.until("<span class=\"sent\">sent</span>");
    let settled = page(&mut browser, &format!("/sent/{id}"));
    assert!(!settled.contains("sse-connect") && !settled.contains("http-equiv"));
    let polled = page(&mut browser, &format!("/sent/{id}/state"));
    assert!(polled.contains(">sent<") && !polled.contains("<html"));
}

#[test]
fn who_comes_back_is_told_what_was_missed() {
    let gateway = start();
    let id = sent(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    browser.further.push(("Last-Event-ID".into(), "1".into()));
    let mut all = browser.follow("/sent/live?after=999999999999999");
    all.until(&format!("event: job-{id}\n"));
    let mut other = gateway.logged_in("sato", RIGHT);
    other.further.push(("Last-Event-ID".into(), "1".into()));
    let mut foreign = other.follow("/sent/live");
    foreign.until(": begun");
    assert!(!foreign.text.contains("event: "), "{}", foreign.text);
}

#[test]
fn streams_end_with_the_session_and_with_the_gateway_and_are_few_for_each_browser() {
    let mut gateway = start();
    let id = waiting(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut streams: Vec<_> = (0..10)
        .map(|_| browser.follow(&format!("/sent/{id}/live")))
        .collect();
    assert!(streams[9].text.starts_with("HTTP/1.1 200"));
    assert_eq!(browser.get(&format!("/sent/{id}/live")).code, 429);
    drop(streams.pop());
    wait_for("a place that was left", || {
        let again = browser.follow("/sent/live");
        again.text.starts_with("HTTP/1.1 200").then_some(())
    });
    let csrf = browser.get("/sent").csrf();
    assert_eq!(browser.post("/logout", &[("csrf", &csrf)]).code, 303);
    for stream in &mut streams {
        stream.end();
    }
    let browser = gateway.logged_in("tanaka", RIGHT);
    let mut stream = browser.follow(&format!("/sent/{id}/live"));
    assert_eq!(gateway.terminate(), Some(0));
    stream.end();
    let slow = "not every request could be finished";
    assert!(!gateway.log_text().contains(slow));
}

#[test]
fn two_hundred_viewers_take_little_memory() {
    let gateway = Gateway::start(setup().set("web", "trusted_proxies", "[\"127.0.0.0/8\"]"));
    let id = waiting(&gateway);
    let mut browsers: Vec<Browser> = (0..20)
        .map(|n| {
            let mut browser = gateway.browser();
            let address = format!("192.0.2.{n}");
            browser.further.push(("X-Forwarded-For".into(), address));
            assert_eq!(browser.log_in("tanaka", RIGHT).code, 303);
            browser
        })
        .collect();
    // The pages once, so that what all share is there before it is measured.
    page(&mut browsers[0], &format!("/sent/{id}"));
    page(&mut browsers[0], "/sent");
    drop(browsers[0].follow("/sent/live"));
    let before = gateway.memory_kib();
    let mut streams = Vec::new();
    for browser in &browsers {
        for n in 0..10 {
            let path = match n % 2 {
                0 => format!("/sent/{id}/live"),
                _ => "/sent/live".to_owned(),
            };
            streams.push(browser.follow(&path));
        }
    }
    gateway.change_state("UPDATE job SET next_at = 0 WHERE state = 0");
    for stream in &mut streams {
        assert!(stream.text.starts_with("HTTP/1.1 200"), "{}", stream.text);
        stream.until("class=\"sent\">sent<");
    }
    let grown = gateway.memory_kib().saturating_sub(before);
    println!("200 live viewers take {} MiB", grown / 1024);
    assert!(grown < 50 * 1024, "{grown} KiB");
}

#[test]
fn another_account_s_faxes_cannot_be_touched_and_no_form_works_without_its_token() {
    let gateway = start();
    let batch = submission(&gateway);
    let id = text(&gateway.jobs()[0]["id"]);
    let fax = receive(&gateway);
    gateway.sink.wait_for(INBOX, 1);
    let mut own = gateway.logged_in("tanaka", RIGHT);
    let mut other = gateway.logged_in("sato", RIGHT);
    let mut nobody = gateway.browser();
    for path in [
        format!("/batches/{batch}"),
        format!("/sent/{id}/live"),
        format!("/sent/{id}/state"),
        format!("/sent/{id}/result.pdf"),
        format!("/received/{fax}/fax.tiff"),
    ] {
        let foreign = other.get(&path);
        let missing = path
            .replace(&id, "7")
            .replace(&batch, "7")
            .replace(&fax, "7");
        let missing = other.get(&missing);
        assert_eq!((foreign.code, missing.code), (404, 404), "{path}");
        assert_eq!(foreign.body(), missing.body(), "{path}");
        assert_eq!(nobody.get(&path).header("location"), Some("/login"));
        assert_eq!(own.get(&path).code, 200, "{path}");
    }
    for path in [
        format!("/sent/{id}/resend"),
        format!("/sent/{id}/cancel"),
        format!("/batches/{batch}/resend"),
        format!("/batches/{batch}/cancel"),
        format!("/received/{fax}/forward"),
        format!("/received/{fax}/read"),
    ] {
        assert_eq!(other.act(&path, &[]).code, 404, "{path}");
        assert_eq!(own.post(&path, &[]).code, 403, "{path}");
        let foreign = other.get("/sent").csrf();
        assert_eq!(own.post(&path, &[("csrf", &foreign)]).code, 403, "{path}");
        assert_eq!(own.get(&path).code, 405, "{path}: no change by GET");
        assert_eq!(nobody.post(&path, &[]).header("location"), Some("/login"));
    }
    gateway.settled(3);
    assert_eq!(gateway.sink.mails_to(INBOX).len(), 1);
}

#[test]
fn a_received_fax_is_marked_as_read_and_fetched_as_tiff() {
    let gateway = start();
    let fax = receive(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = format!("/received/{fax}");
    page(&mut browser, &path);
    assert!(
        page(&mut browser, "/received").contains("unread"),
        "looking is not marking"
    );
    assert_eq!(
        browser
            .act(&format!("{path}/read"), &[("read", "yes")])
            .code,
        303
    );
    assert!(!page(&mut browser, "/received").contains("unread"));
    assert_eq!(
        browser.act(&format!("{path}/read"), &[("read", "no")]).code,
        303
    );
    assert!(page(&mut browser, "/received").contains("unread"));
    let tiff = browser.get(&format!("{path}/fax.tiff"));
    assert_eq!(tiff.header("content-type"), Some("image/tiff"));
    assert_eq!(
        faxgate::render::check_received(&tiff.bytes).unwrap().pages,
        2
    );
}

#[test]
fn c5_a_received_fax_is_mailed_again_but_not_while_the_account_is_locked() {
    let gateway = start();
    let fax = receive(&gateway);
    gateway.sink.wait_for(INBOX, 1);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = format!("/received/{fax}/forward");
    wait_for("the first mail to be noted", || {
        page(&mut browser, "/received")
            .contains(">forwarded<")
            .then_some(())
    });
    assert_eq!(browser.act(&path, &[]).code, 303);
    gateway.sink.wait_for(INBOX, 2);
    wait_for("the second mail to be noted", || {
        page(&mut browser, "/received")
            .contains(">forwarded<")
            .then_some(())
    });
    gateway.lock("tanaka");
    assert_eq!(browser.act(&path, &[]).code, 303);
    assert!(page(&mut browser, "/received").contains("held: the account is locked"));
    assert_eq!(browser.act(&path, &[]).code, 409, "one waits already");
    assert_eq!(gateway.sink.mails_to(INBOX).len(), 2);
    gateway.unlock("tanaka");
    gateway.sink.wait_for(INBOX, 3);
}

#[test]
fn c1_the_result_of_a_fax_sent_again_does_not_go_to_an_address_that_was_removed() {
    let tanaka = Account::tanaka()
        .set("email", "\"boss@customer.example\"")
        .set(
            "senders",
            "[\"tanaka@customer.example\", \"new@customer.example\"]",
        );
    let gateway = Gateway::start(Setup::new(&[tanaka]).web());
    let id = sent(&gateway);
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let again = |browser: &mut Browser| {
        let answer = browser.act(&format!("/sent/{id}/resend"), &[]);
        page(browser, answer.header("location").unwrap())
    };
    assert!(again(&mut browser).contains("tanaka@customer.example"));
    let csrf = browser.get("/settings").csrf();
    let fields = [
        ("csrf", csrf.as_str()),
        ("address", "tanaka@customer.example"),
    ];
    assert_eq!(browser.post("/settings/senders/remove", &fields).code, 303);
    let text = again(&mut browser);
    assert!(!text.contains("tanaka@customer.example"), "{text}");
    assert!(text.contains("new@customer.example"), "{text}");
}
