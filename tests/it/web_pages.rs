//! The pages of the account web: one's own faxes and nobody else's, shown as they are and run as nothing.

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;

const NUMBER: &str = "0312345678@fax.example";
const PROBE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

fn start() -> Gateway {
    let sato = Account::new("sato").password(RIGHT);
    let tanaka = Account::tanaka().set("forward_to", "[\"inbox@customer.example\"]");
    let setup = Setup::new(&[tanaka, sato, Account::suzuki()]);
    Gateway::start(setup.web())
}

fn receive(gateway: &Gateway, from: &str) -> String {
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, paper::tiff(2)).unwrap();
    let file = file.to_str().unwrap();
    gateway.must(&[
        "received",
        "inject",
        "--to",
        "03-4567-0001",
        "--from",
        from,
        file,
    ]);
    let list = gateway.json(&["received", "list"]);
    list[0]["id"].as_str().unwrap().to_owned()
}

/// One fax of two pages that `tanaka` has sent; its id.
fn sent(gateway: &Gateway) -> String {
    let mail = Mail::right(NUMBER).subject("Order 4711").attach(
        "two.pdf",
        "application/pdf",
        &paper::pdf(2),
    );
    gateway.accepts(&mail);
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    jobs[0]["id"].as_str().unwrap().to_owned()
}

fn page(browser: &mut Browser, path: &str) -> String {
    let answer = browser.get(path);
    assert_eq!(answer.code, 200, "{path}: {}", answer.body());
    answer.body()
}

#[test]
fn a_fax_that_was_sent_is_in_the_history_with_its_way_and_its_pages() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(
        page(&mut browser, "/sent").contains("@fax.example"),
        "what to do first"
    );
    let id = sent(&gateway);
    let list = page(&mut browser, "/sent");
    for text in [
        &format!("/sent/{id}"),
        "03-1234-5678",
        "+81312345678",
        "Order 4711",
    ] {
        assert!(list.contains(text), "{text}: {list}");
    }
    let one = page(&mut browser, &format!("/sent/{id}"));
    for text in [
        "Order 4711",
        "Accepted by mail",
        "Turned into pages",
        "Calling",
        "The call ended",
        "Finished",
        &format!("/sent/{id}/pages/1.png"),
        &format!("/sent/{id}/pages/2.png"),
    ] {
        assert!(one.contains(text), "{text}: {one}");
    }
    let picture = browser.get(&format!("/sent/{id}/pages/2.png"));
    assert_eq!(
        (picture.code, picture.header("content-type")),
        (200, Some("image/png"))
    );
    let picture = image::load_from_memory(&picture.bytes)
        .unwrap()
        .into_luma8();
    assert_eq!(picture.width(), 1728);
    assert!(
        picture.pixels().any(|pixel| pixel.0 == [0]),
        "an empty page"
    );
    for path in [
        "pages/0.png",
        "pages/99.png",
        "pages/x.png",
        "pages/1",
        "other",
    ] {
        assert_eq!(
            browser.get(&format!("/sent/{id}/{path}")).code,
            404,
            "{path}"
        );
    }
    browser.further = vec![("Accept-Language".into(), "ja".into())];
    let japanese = page(&mut browser, &format!("/sent/{id}"));
    assert!(japanese.contains("送信完了") && japanese.contains("<html lang=\"ja\">"));
}

#[test]
fn the_history_is_filtered_and_turned_over_by_its_url() {
    let gateway = start();
    gateway.accepts(&Mail::right(NUMBER).subject("first"));
    gateway.settled(1);
    gateway.change_state(
        "INSERT INTO batch(id, account, identity, door, proof, tier, verification, reference, message_id, reply_to,
             page_options, stopped, published, jobs, settled, created_at, sent)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         SELECT id - 2000 + i - ((86400000 * (i / 60)) << 10), account, identity, door, proof, tier, verification, reference, message_id, reply_to,
             page_options, stopped, published, jobs, settled, created_at - 86400000 * (i / 60), sent FROM batch, n;
         INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts, next_at,
             fence, created_at, settled_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         SELECT job.id + i - ((86400000 * (i / 60)) << 10), batch - 2000 + i - ((86400000 * (i / 60)) << 10), account, class, '00816' || (10000000 + i), 'c' || i, 11,
             CASE WHEN i % 10 = 0 THEN 6017 ELSE 0 END, 1, 0, 1, created_at - 86400000 * (i / 60), 1
         FROM job, n;",
    );
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let rows = |text: &str| text.matches("><a href=\"/sent/").count();
    let mut path = "/sent".to_owned();
    let mut counts = Vec::new();
    loop {
        let text = page(&mut browser, &path);
        counts.push(rows(&text));
        let Some((_, rest)) = text.split_once("rel=\"next\" href=\"") else {
            break;
        };
        path = rest.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    assert_eq!(counts, [50, 50, 21], "every fax once");
    let day = |back: i64| {
        let day = crate::gateway::now().in_tz("Asia/Tokyo").unwrap().date();
        day.checked_sub(jiff::Span::new().days(back))
            .unwrap()
            .to_string()
    };
    for (query, expected) in [
        ("status=failed".to_owned(), 12),
        ("status=6017".to_owned(), 12),
        ("status=in-progress".to_owned(), 0),
        ("number=06-1000-0007".to_owned(), 1),
        ("number=%2B81+6+1000+0007".to_owned(), 1),
        ("number=0312".to_owned(), 1),
        ("number=61000011".to_owned(), 10),
        (format!("from={}&to={}", day(2), day(2)), 1),
        (format!("status=failed&to={}", day(1)), 7),
    ] {
        let found = rows(&page(&mut browser, &format!("/sent?{query}")));
        assert_eq!(found, expected, "{query}");
    }
    for query in [
        "from=yesterday",
        "number=abc",
        "status=lost",
        "to=2026-02-30",
    ] {
        let answer = browser.get(&format!("/sent?{query}"));
        assert_eq!(answer.code, 400, "{query}");
        assert!(answer.body().contains("cannot be searched"), "{query}");
    }
}

#[test]
fn another_account_s_faxes_are_as_if_they_were_not_there() {
    let gateway = start();
    let id = sent(&gateway);
    let fax = receive(&gateway, "+81 6 1111 3333");
    let mut own = gateway.logged_in("tanaka", RIGHT);
    let mut other = gateway.logged_in("sato", RIGHT);
    let mut nobody = gateway.browser();
    for path in [
        format!("/sent/{id}"),
        format!("/sent/{id}/pages/1.png"),
        format!("/received/{fax}"),
        format!("/received/{fax}/pages/1.png"),
        format!("/received/{fax}/fax.pdf"),
    ] {
        assert_eq!(own.get(&path).code, 200, "{path}");
        let foreign = other.get(&path);
        let missing = other.get(&path.replace(&id, "7").replace(&fax, "7"));
        assert_eq!((foreign.code, missing.code), (404, 404), "{path}");
        assert_eq!(foreign.body(), missing.body(), "{path}");
        let stranger = nobody.get(&path);
        assert_eq!(
            (stranger.code, stranger.header("location")),
            (303, Some("/login"))
        );
    }
    for path in ["/sent", "/received"] {
        let text = page(&mut other, path);
        assert!(!text.contains(&id) && !text.contains(&fax), "{path}");
    }
    assert!(!page(&mut other, "/settings").contains("tanaka"));
}

#[test]
fn what_strangers_write_is_shown_and_never_run() {
    let gateway = start();
    let mail = Mail::right(NUMBER).subject(&format!("A {PROBE}")).attach(
        &format!("{PROBE}.xyz"),
        "application/x-unknown",
        b"x",
    );
    gateway.accepts(&mail);
    let jobs = gateway.settled(1);
    let id = jobs[0]["id"].as_str().unwrap();
    let fax = receive(&gateway, "<script>x</script>");
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut shown = String::new();
    for path in [
        "/sent".to_owned(),
        format!("/sent/{id}"),
        "/received".to_owned(),
        format!("/received/{fax}"),
    ] {
        shown += &page(&mut browser, &path);
    }
    let probe = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/sent?number={probe}&from={probe}&to={probe}&status={probe}&before={probe}"),
        format!("/sent/{probe}"),
        format!("/{probe}"),
    ] {
        shown += &browser.get(&path).body();
    }
    let mut stranger = gateway.browser();
    shown += &stranger.log_in(PROBE, "kaki8wrong").body();
    assert!(
        shown.contains("&#60;script&#62;"),
        "nothing was shown: {shown}"
    );
    for bad in ["<script>", "<img src=x", "onerror=alert(2)>\""] {
        assert!(!shown.contains(bad), "{bad} in {shown}");
    }
}

#[test]
fn c5_a_held_fax_says_why_and_until_when_and_can_be_looked_at() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let empty = page(&mut browser, "/received");
    assert!(empty.contains("03-4567-0001"), "the number to send to");
    gateway.lock("tanaka");
    let fax = receive(&gateway, "+81 6 1111 3333");
    let until = gateway.account("tanaka")["locked_until"]
        .as_str()
        .unwrap()
        .to_owned();
    let list = page(&mut browser, "/received");
    let one = page(&mut browser, &format!("/received/{fax}"));
    for text in [&list, &one] {
        assert!(text.contains("held: the account is locked"), "{text}");
        assert!(
            text.contains(&format!("datetime=\"{until}\"")),
            "{until}: {text}"
        );
        assert!(text.contains("+81 6 1111 3333"), "{text}");
    }
    let pdf = browser.get(&format!("/received/{fax}/fax.pdf"));
    assert!(pdf.bytes.starts_with(b"%PDF-"));
    let disposition = format!("attachment; filename=\"fax-{fax}.pdf\"");
    assert_eq!(
        pdf.header("content-disposition"),
        Some(disposition.as_str())
    );
    let picture = browser.get(&format!("/received/{fax}/pages/2.png"));
    assert!(image::load_from_memory(&picture.bytes).is_ok());
    gateway.unlock("tanaka");
    gateway.sink.wait_for("inbox@customer.example", 1);
    crate::gateway::wait_for("the fax to be forwarded", || {
        page(&mut browser, "/received")
            .contains(">forwarded<")
            .then_some(())
    });
}

#[test]
fn i11_the_settings_say_which_services_use_a_password_and_show_no_hash() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let text = page(&mut browser, "/settings");
    for shown in [
        "tanaka@customer.example",
        "inbox@customer.example",
        "03-4567-0001",
        "shops (2 members)",
        "+81 3 1234 5678",
        "this site",
        "in the text of mails to fax",
        "SMTP AUTH",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!text.contains("$argon2"), "{text}");
}

#[test]
fn every_answer_tells_browsers_to_run_nothing_and_keep_nothing() {
    let gateway = start();
    let id = sent(&gateway);
    let fax = receive(&gateway, "1");
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut stranger = gateway.browser();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                  connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let mut answers = vec![
        ("stranger's /login".to_owned(), stranger.get("/login")),
        ("stranger's /sent".to_owned(), stranger.get("/sent")),
        ("403".to_owned(), stranger.post("/login", &[])),
        ("401".to_owned(), stranger.log_in("nobody", "kaki8wrong")),
        (
            "413".to_owned(),
            stranger.ask("POST", "/login", Some(&"x".repeat(70_000))),
        ),
    ];
    for path in [
        "/",
        "/sent",
        &format!("/sent/{id}"),
        &format!("/sent/{id}/pages/1.png"),
        "/received",
        &format!("/received/{fax}"),
        &format!("/received/{fax}/fax.pdf"),
        "/settings",
        "/nothing",
        "/sent/1",
        "/logout",
        "/assets/faxgate.css",
        "/assets/other",
    ] {
        answers.push((path.to_owned(), browser.get(path)));
    }
    for (path, answer) in &answers {
        let is_file = path.ends_with(".png") || path.ends_with(".pdf");
        let expected = match is_file {
            true => "default-src 'none'; frame-ancestors 'none'; sandbox",
            false => policy,
        };
        assert_eq!(
            answer.header("content-security-policy"),
            Some(expected),
            "{path}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let cached = match path.as_str() {
            "/assets/faxgate.css" => "no-cache",
            _ => "no-store",
        };
        assert_eq!(answer.header("cache-control"), Some(cached), "{path}");
        assert_eq!(answer.header("server"), None, "{path}");
        if answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
        {
            let body = answer.body();
            assert!(
                !body.contains("<script>") && !body.contains(" style="),
                "{path}"
            );
            assert!(!body.contains("://"), "{path} names another host");
            assert!(answer.bytes.len() < 50_000, "{path} is heavy");
        }
    }
    let codes: Vec<u16> = answers
        .iter()
        .take(5)
        .map(|(_, answer)| answer.code)
        .collect();
    assert_eq!(codes, [200, 303, 403, 401, 413]);
}

#[test]
fn a_gateway_without_the_table_has_no_web_door_and_a_stop_finishes_requests() {
    let mut gateway = start();
    let lines = gateway.log_lines();
    assert!(
        lines
            .iter()
            .any(|line| line["message"] == "the account web is open")
    );
    let idle = std::net::TcpStream::connect(gateway.web.unwrap()).unwrap();
    assert_eq!(
        gateway.terminate(),
        Some(0),
        "a quiet connection holds nothing up"
    );
    drop(idle);
    let gateway = Gateway::with(&[Account::tanaka()]);
    assert!(gateway.web.is_none());
    let lines = gateway.log_lines();
    assert!(
        !lines
            .iter()
            .any(|line| line["message"] == "the account web is open")
    );
}

#[test]
fn the_id_in_the_reply_and_a_slash_too_many_lead_to_the_page() {
    let gateway = start();
    let job = sent(&gateway);
    let batch = gateway.jobs()[0]["batch"].as_str().unwrap().to_owned();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let job = format!("/sent/{job}");
    for (asked, page) in [
        (format!("/sent/{batch}"), job.as_str()),
        ("/sent/".to_owned(), "/sent"),
        ("/settings//".to_owned(), "/settings"),
    ] {
        let answer = browser.get(&asked);
        assert_eq!(
            (answer.code, answer.header("location")),
            (303, Some(page)),
            "{asked}"
        );
    }
    for nowhere in ["//evil.example/", "/nowhere", "//"] {
        assert_eq!(browser.get(nowhere).code, 404, "{nowhere}");
    }
    let mut other = gateway.logged_in("sato", RIGHT);
    assert_eq!(other.get(&format!("/sent/{batch}")).code, 404);
}
