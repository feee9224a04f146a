//! Sending from the browser: composed, seen as pages, sent by the way of every door.

use std::path::Path;
use std::path::PathBuf;

use faxgate::fax::FaxFile;
use faxgate::render;
use image::ImageFormat;
use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::wait_for;

const PROBE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

fn setup() -> Setup {
    let sato = Account::new("sato").password(RIGHT);
    let rules = "[\"81\"]";
    Setup::new(&[Account::tanaka(), sato])
        .web()
        .set("destinations", "allow", rules)
        .set("destinations", "deny", "[\"0990\"]")
        // Without the line above each page the far end gets what was seen, bit by bit.
        .set("render", "header", "\"\"")
}

fn start() -> Gateway {
    Gateway::start(setup())
}

type File<'a> = (&'a str, &'a str, &'a str, &'a [u8]);

/// Fills in the form; `fields` come on top of an empty one.
fn fill(browser: &mut Browser, fields: &[(&str, &str)], files: &[File<'_>]) -> (u16, String) {
    let form = browser.get("/send");
    assert_eq!(form.code, 200, "{}", form.body());
    let csrf = form.csrf();
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend(fields);
    let answer = browser.send_files("/send", &all, files);
    let place = answer.header("location").map(str::to_owned);
    (answer.code, place.unwrap_or_else(|| answer.body()))
}

/// Composes a fax; the path of its preview.
fn draft(browser: &mut Browser, fields: &[(&str, &str)], files: &[File<'_>]) -> String {
    let (code, path) = fill(browser, fields, files);
    assert_eq!(code, 303, "{path}");
    assert!(path.starts_with("/send/"), "{path}");
    path
}

fn page(browser: &mut Browser, path: &str) -> String {
    let answer = browser.get(path);
    assert_eq!(answer.code, 200, "{path}: {}", answer.body());
    answer.body()
}

/// Presses a button of the preview.
fn press(browser: &mut Browser, path: &str, button: &str) -> (u16, String) {
    let csrf = browser.get(path).csrf();
    let answer = browser.post(&format!("{path}/{button}"), &[("csrf", &csrf)]);
    let place = answer.header("location").map(str::to_owned);
    (answer.code, place.unwrap_or_else(|| answer.body()))
}

/// The pictures of the pages of a preview.
fn pictures(browser: &mut Browser, path: &str, pages: u32) -> Vec<Vec<u8>> {
    let picture = |n: u32| {
        let answer = browser.get(&format!("{path}/pages/{n}.png"));
        assert_eq!(answer.code, 200, "{n}");
        answer.bytes
    };
    (1..=pages).map(picture).collect()
}

/// The same pictures of what the far end of a job got.
fn far_end(gateway: &Gateway, job: &Json, pages: u32) -> Vec<Vec<u8>> {
    let id = job["id"].as_str().unwrap();
    let tiff = std::fs::read(gateway.path("calls").join(format!("{id}.tiff"))).unwrap();
    render::png_pages(&FaxFile { tiff, pages }, 100).unwrap()
}

#[test]
fn t27_what_was_seen_is_what_is_sent_bit_by_bit() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let pdf = paper::pdf(2);
    let png = paper::picture(ImageFormat::Png);
    let path = draft(
        &mut browser,
        &[
            ("number", "03-1234-5678"),
            ("text", "見積書を送ります。\r\nRegards"),
            ("reference", "Offer 4711"),
            ("resolution", "standard"),
        ],
        &[
            ("file", "two.pdf", "application/pdf", &pdf),
            ("file", "photo.png", "image/png", &png),
        ],
    );
    let preview = page(&mut browser, &path);
    for text in [
        "03-1234-5678",
        "+81312345678",
        "first time to this number",
        "Offer 4711",
        "two.pdf",
        "photo.png",
        "tanaka@customer.example",
        "Line time",
        "standard",
    ] {
        assert!(preview.contains(text), "{text}: {preview}");
    }
    assert_eq!(
        preview.matches("loading=\"lazy\"").count(),
        4,
        "text, two pages, a picture"
    );
    let seen = pictures(&mut browser, &path, 4);
    assert_eq!(gateway.jobs().len(), 0, "nothing is sent before the button");

    let (code, place) = press(&mut browser, &path, "send");
    assert_eq!(code, 303, "{place}");
    let jobs = gateway.settled(1);
    assert_eq!(place, format!("/sent/{}", jobs[0]["id"].as_str().unwrap()));
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    assert_eq!(jobs[0]["destination"], "0081312345678");
    assert!(far_end(&gateway, &jobs[0], 4) == seen, "other pages");
    let one = page(&mut browser, &place);
    for text in [
        "Accepted from the browser",
        "Turned into pages",
        "Offer 4711",
    ] {
        assert!(one.contains(text), "{text}: {one}");
    }
    assert_eq!(
        one.matches("Turned into pages").count(),
        1,
        "once, for the preview"
    );
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(
        mails[0].subject().contains("0081312345678"),
        "{}",
        mails[0].subject()
    );

    browser.further = vec![("Accept-Language".into(), "ja".into())];
    let again = draft(
        &mut browser,
        &[("number", "+81312345678"), ("text", "x")],
        &[],
    );
    let again = page(&mut browser, &again);
    assert!(!again.contains("初めて送信する番号"), "{again}");
    assert!(
        again.contains("送信する") && again.contains("1件あたりの通信時間"),
        "{again}"
    );
}

#[test]
fn the_header_line_is_all_that_is_added_to_what_was_seen() {
    let gateway =
        Gateway::start(setup().set("render", "header", "\"{From} -> {To} {Page}/{TotalPages}\""));
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", "x")],
        &[],
    );
    let seen = pictures(&mut browser, &path, 1);
    let (_, place) = press(&mut browser, &path, "send");
    let jobs = gateway.settled(1);
    assert!(
        far_end(&gateway, &jobs[0], 1) == seen,
        "the header line was seen, too"
    );
    assert!(pictures(&mut browser, &place, 1) == seen);
    let far = &gateway.pages(&jobs[0])[0];
    assert!(paper::has_header(far));
    let kept = files(&gateway.path("var/blobs"));
    let kept: Vec<_> = kept
        .iter()
        .filter(|path| path.to_str().unwrap().ends_with("-pages"))
        .collect();
    assert_eq!(kept.len(), 1, "the draft's own are gone: {kept:?}");
    let plain = &paper::pages_of(&std::fs::read(kept[0]).unwrap())[0];
    let strip = 36;
    for y in strip..plain.bitmap.height() {
        assert_eq!(far.bitmap.row(y), plain.bitmap.row(y - strip), "row {y}");
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

#[test]
fn p4_a_draft_is_sent_once_however_often_the_button_is_pressed() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", "once")],
        &[],
    );
    let csrf = browser.get(&path).csrf();
    let button = format!("{path}/send");
    let press = |mut browser: Browser| {
        let answer = browser.post(&button, &[("csrf", &csrf)]);
        (answer.code, answer.header("location").map(str::to_owned))
    };
    let places: Vec<_> = std::thread::scope(|scope| {
        let pressed: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| press(browser.clone())))
            .collect();
        pressed.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let first = places[0].clone();
    assert_eq!(first.0, 303);
    assert!(places.iter().all(|place| *place == first), "{places:?}");
    gateway.settled(1);
    assert_eq!(browser.get(&path).header("location"), first.1.as_deref());
    assert_eq!((gateway.jobs().len(), gateway.calls().len()), (1, 1));
    for gone in [format!("{path}/change"), format!("{path}/pages/1.png")] {
        assert_eq!(browser.get(&gone).code, 404, "{gone}");
    }
}

#[test]
fn p4_a_crash_before_the_answer_sends_nothing_twice() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", "once")],
        &[],
    );
    let blobs = gateway.path("var/blobs");
    let kept = files(&blobs).into_iter();
    let kept: Vec<_> = kept
        .map(|path| (std::fs::read(&path).unwrap(), path))
        .collect();
    assert_eq!(kept.len(), 2, "documents and pages");
    let (_, place) = press(&mut browser, &path, "send");
    gateway.settled(1);
    // The fax was stored, and what the draft became was not: as after a crash between the two.
    for (bytes, path) in kept {
        std::fs::write(path, bytes).unwrap();
    }
    gateway.change_state("UPDATE draft SET batch = NULL");
    assert_eq!(press(&mut browser, &path, "send"), (303, place));
    assert_eq!((gateway.jobs().len(), gateway.calls().len()), (1, 1));
    assert_eq!(files(&blobs).len(), 1, "the pages of the one fax");
}

#[test]
fn slow_uploads_of_one_account_keep_no_other_from_sending() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let csrf = browser.get("/send").csrf();
    let slow = [(); 2].map(|()| browser.begin_files("/send", &csrf));
    let fields = [("number", "0312345678"), ("text", "x")];
    wait_for("the account to have its share", || {
        let (code, text) = fill(&mut browser, &fields, &[]);
        (code == 503).then_some(text)
    });
    let mut other = gateway.logged_in("sato", RIGHT);
    draft(&mut other, &fields, &[]);
    drop(slow);
    wait_for("the places to be free again", || {
        (fill(&mut browser, &fields, &[]).0 == 303).then_some(())
    });
}

#[test]
fn a_list_goes_to_all_its_members_and_several_numbers_are_one_batch() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = draft(&mut browser, &[("list", "shops"), ("text", "to all")], &[]);
    let preview = page(&mut browser, &path);
    assert!(preview.contains("shops</strong> (2 members)"), "{preview}");
    let (code, place) = press(&mut browser, &path, "send");
    assert_eq!(code, 303);
    assert!(place.starts_with("/batches/"), "{place}");
    assert_eq!(browser.get(&place).code, 200);
    let jobs = gateway.settled(2);
    assert!(jobs.iter().all(|job| job["status"] == 0), "{jobs:?}");

    let numbers = "03-1234-5678\r\n+81 3 1234 5679\r\n\r\n0312345678\r\n";
    let path = draft(&mut browser, &[("number", numbers), ("text", "two")], &[]);
    press(&mut browser, &path, "send");
    let jobs = gateway.settled(4);
    let batches: std::collections::BTreeSet<_> =
        jobs.iter().map(|job| job["batch"].to_string()).collect();
    assert_eq!(batches.len(), 2, "each number once: {jobs:?}");
}

#[test]
fn c4_while_locked_nothing_is_sent_from_the_browser_and_a_list_is_6002_with_a_mail() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let one = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", "x")],
        &[],
    );
    let list = draft(&mut browser, &[("list", "shops"), ("text", "to all")], &[]);
    let csrf = browser.get(&list).csrf();
    gateway.lock("tanaka");
    let (code, text) = press(&mut browser, &one, "send");
    assert_eq!(code, 423, "{text}");
    assert!(
        text.contains("Nothing was sent: the account is locked until"),
        "{text}"
    );
    assert_eq!(gateway.jobs().len(), 0);

    let (code, place) = press(&mut browser, &list, "send");
    assert_eq!(code, 303, "{place}");
    let jobs = gateway.settled(1);
    assert_eq!(place, format!("/sent/{}", jobs[0]["id"].as_str().unwrap()));
    assert_eq!(jobs[0]["destination"], "shops");
    assert_eq!(
        (&jobs[0]["status"], &jobs[0]["state"]),
        (&6002.into(), &"failed".into())
    );
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(mails.iter().any(|mail| mail.html().contains("6002")));
    assert_eq!(gateway.calls().len(), 0);
    let again = browser.post(&format!("{list}/send"), &[("csrf", &csrf)]);
    assert_eq!(again.header("location"), Some(place.as_str()), "once");
    assert_eq!(gateway.jobs().len(), 1);

    gateway.unlock("tanaka");
    let (code, _) = press(&mut browser, &one, "send");
    assert_eq!(code, 303, "judged afresh");
    assert_eq!(gateway.settled(2).len(), 2);
}

#[test]
fn what_is_wrong_is_told_beside_its_field_and_nothing_is_kept() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let text = ("text", "x");
    let large = "0312345678\n".repeat(2);
    for (fields, expected) in [
        (vec![("number", "12"), text], "12: the number is too short"),
        (
            vec![("number", "03-ab"), text],
            "03-ab: a number has digits",
        ),
        (
            vec![("number", "0990-123456"), text],
            "0990-123456: faxes to this number are not allowed here",
        ),
        (
            vec![("number", "+1 212 555 0100"), text],
            "+1 212 555 0100: faxes to this number are not allowed here",
        ),
        (vec![text], "Give a number or choose a list."),
        (vec![("list", "nobody"), text], "There is no such list."),
        (
            vec![("list", "shops"), ("number", &large), text],
            "Numbers and a list cannot go together",
        ),
        (vec![("number", "0312345678")], "There is nothing to fax"),
        (
            vec![("number", "0312345678"), ("text", "password: abcdefgh")],
            "There is nothing to fax",
        ),
        (
            vec![
                ("number", "0312345678"),
                ("result_to", "a@other.example"),
                text,
            ],
            "none of the account&#39;s addresses",
        ),
    ] {
        let (code, body) = fill(&mut browser, &fields, &[]);
        assert_eq!(code, 422, "{fields:?}: {body}");
        assert!(body.contains(expected), "{expected}: {body}");
        assert!(body.contains("aria-invalid=\"true\""), "{body}");
        let number = fields.iter().find(|(name, _)| *name == "number");
        if let Some((_, typed)) = number {
            assert!(body.contains(typed.trim()), "it is typed once only: {body}");
        }
    }
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn a_file_that_cannot_be_faxed_is_told_before_anything_is_sent() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let to = [("number", "0312345678")];
    for (name, kind, bytes, expected) in [
        (
            "plan.pdf",
            "application/pdf",
            b"%PDF-1.7 and no more".as_slice(),
            "plan.pdf: it cannot be read",
        ),
        (
            "run.exe",
            "application/x-msdownload",
            b"MZ",
            "run.exe: files of this kind cannot be faxed",
        ),
        (
            "nothing.pdf",
            "application/pdf",
            b"",
            "nothing.pdf: it has no pages",
        ),
    ] {
        let (code, body) = fill(&mut browser, &to, &[("file", name, kind, bytes)]);
        assert_eq!(code, 422, "{name}: {body}");
        assert!(body.contains(expected), "{expected}: {body}");
    }
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn names_of_files_are_text_and_never_run_or_lead_anywhere() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let name = format!("../../etc/{PROBE}\r\n.txt");
    let path = draft(
        &mut browser,
        &[
            ("number", "0312345678"),
            ("reference", PROBE),
            ("text", PROBE),
        ],
        &[("file", &name, "text/plain", b"x")],
    );
    for page in [
        page(&mut browser, &path),
        page(&mut browser, &format!("{path}/change")),
    ] {
        assert!(
            !page.contains("<script>") && !page.contains("<img src=x"),
            "{page}"
        );
        assert!(!page.contains("../"), "{page}");
    }
    let (_, place) = press(&mut browser, &path, "send");
    gateway.settled(1);
    let page = page(&mut browser, &place);
    assert!(
        !page.contains("<script>") && !page.contains("<img src=x"),
        "{page}"
    );
}

#[test]
fn a_draft_is_changed_without_choosing_its_files_again() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let (first, second) = (paper::pdf(1), paper::pdf(2));
    let path = draft(
        &mut browser,
        &[
            ("number", "0312345678"),
            ("text", "old"),
            ("reference", "Offer"),
        ],
        &[
            ("file", "one.pdf", "application/pdf", &first),
            ("file", "two.pdf", "application/pdf", &second),
        ],
    );
    let form = browser.get(&format!("{path}/change"));
    let body = form.body();
    for text in ["+81312345678", "old", "Offer", "one.pdf", "two.pdf"] {
        assert!(body.contains(text), "{text}: {body}");
    }
    let id = path.trim_start_matches("/send/").to_owned();
    let csrf = form.csrf();
    let tiff = paper::tiff(3);
    let answer = browser.send_files(
        "/send",
        &[
            ("csrf", &csrf),
            ("draft", &id),
            ("number", "0312345679"),
            ("keep", "1"),
            ("text", ""),
        ],
        &[("file", "three.tif", "image/tiff", &tiff)],
    );
    assert_eq!(answer.code, 303, "{}", answer.body());
    let changed = answer.header("location").unwrap().to_owned();
    let preview = page(&mut browser, &changed);
    assert!(
        !preview.contains("one.pdf") && preview.contains("two.pdf"),
        "{preview}"
    );
    assert_eq!(preview.matches("loading=\"lazy\"").count(), 5);
    assert_eq!(browser.get(&path).code, 404, "it took the other's place");
    assert_eq!(
        press(&mut browser, &changed, "discard"),
        (303, "/send".to_owned())
    );
    assert_eq!(browser.get(&changed).code, 404);
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn a_draft_belongs_to_one_account_and_one_browser() {
    let gateway = start();
    let mut owner = gateway.logged_in("tanaka", RIGHT);
    let path = draft(
        &mut owner,
        &[("number", "0312345678"), ("text", "mine")],
        &[],
    );
    for login in ["sato", "tanaka"] {
        let mut other = gateway.logged_in(login, RIGHT);
        let csrf = other.get("/send").csrf();
        for page in ["", "/change", "/pages/1.png"] {
            assert_eq!(
                other.get(&format!("{path}{page}")).code,
                404,
                "{login} {page}"
            );
        }
        for button in ["send", "discard"] {
            let answer = other.post(&format!("{path}/{button}"), &[("csrf", &csrf)]);
            assert_eq!(answer.code, 404, "{login} {button}");
        }
        let unknown = other.get("/send/1").body();
        assert_eq!(
            other.get(&path).body(),
            unknown,
            "nobody learns that it is there"
        );
    }
    assert_eq!(owner.get(&path).code, 200);
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn a_form_that_we_did_not_make_is_refused_and_no_page_changes_anything() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", "x")],
        &[],
    );
    let fields = [("number", "0312345678"), ("text", "x")];
    let of_other = gateway.logged_in("sato", RIGHT).get("/send").csrf();
    for token in [None, Some("0123"), Some(of_other.as_str())] {
        let mut all: Vec<(&str, &str)> = token.map(|token| ("csrf", token)).into_iter().collect();
        all.extend(fields);
        assert_eq!(
            browser.send_files("/send", &all, &[]).code,
            403,
            "{token:?}"
        );
        assert_eq!(browser.post("/send", &all).code, 403, "{token:?}");
        let all: Vec<_> = token.map(|token| ("csrf", token)).into_iter().collect();
        for button in ["send", "discard"] {
            assert_eq!(browser.post(&format!("{path}/{button}"), &all).code, 403);
        }
    }
    for button in ["send", "discard"] {
        assert_eq!(browser.get(&format!("{path}/{button}")).code, 405);
    }
    let mut foreign = browser.clone();
    foreign
        .further
        .push(("Sec-Fetch-Site".into(), "cross-site".into()));
    let csrf = browser.get(&path).csrf();
    let answer = foreign.post(&format!("{path}/send"), &[("csrf", &csrf)]);
    assert_eq!(answer.code, 403);
    assert_eq!(browser.get(&path).code, 200);
    assert_eq!(
        gateway.browser().get("/send").header("location"),
        Some("/login")
    );
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn a_draft_outlives_a_restart_but_not_an_hour() {
    let mut gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let path = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", "later")],
        &[],
    );
    gateway.terminate();
    gateway.serve();
    assert_eq!(pictures(&mut browser, &path, 1).len(), 1);
    gateway.change_state("UPDATE draft SET created_at = created_at - 3600000");
    let answer = browser.get(&path);
    assert_eq!(answer.code, 404);
    assert!(
        answer.body().contains("This draft is no longer there"),
        "{}",
        answer.body()
    );
    let csrf = browser.get("/send").csrf();
    let answer = browser.post(&format!("{path}/send"), &[("csrf", &csrf)]);
    assert_eq!(answer.code, 404);
    assert!(answer.body().contains("href=\"/send\""));
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn the_browser_and_the_mail_share_what_an_account_may_send_in_a_minute() {
    let tanaka = Account::tanaka().set("max_messages_per_minute", "2");
    let gateway = Gateway::start(Setup::new(&[tanaka]).web());
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let fields = [("number", "0312345678"), ("text", "x")];
    let drafts = [
        draft(&mut browser, &fields, &[]),
        draft(&mut browser, &fields, &[]),
    ];
    gateway.accepts(&Mail::right("0312345678@fax.example"));
    assert_eq!(press(&mut browser, &drafts[0], "send").0, 303);
    let (code, text) = press(&mut browser, &drafts[1], "send");
    assert_eq!(code, 429, "{text}");
    assert!(text.contains("sent too much in a minute"), "{text}");
    // To send again counts as well.
    let id = gateway.settled(2)[0]["id"].as_str().unwrap().to_owned();
    let again = browser.act(&format!("/sent/{id}/resend"), &[]);
    assert_eq!(again.code, 429, "{}", again.body());
    assert_eq!(gateway.jobs().len(), 2);
}

#[test]
fn what_is_larger_than_a_mail_may_be_is_not_taken() {
    let gateway = Gateway::start(setup().set("smtp", "max_message", "\"64 kB\""));
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    for size in [64_001, 450_000] {
        let bytes = vec![b'x'; size];
        let (code, body) = fill(
            &mut browser,
            &[("number", "0312345678")],
            &[("file", "a.txt", "text/plain", &bytes)],
        );
        assert_eq!(code, 413, "{body}");
        assert!(body.contains("too large for one fax"), "{body}");
    }
    let fields = [("number", "0312345678"), ("text", "x")];
    assert!(
        draft(&mut browser, &fields, &[]).starts_with("/send/"),
        "its place is free again"
    );
}

#[test]
fn what_was_typed_is_bounded_because_a_page_repeats_it() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let text = "<".repeat(2 << 20);
    let (code, body) = fill(&mut browser, &[("text", &text)], &[]);
    assert_eq!((code, body.len() < 100_000), (413, true));
    let again = "03-1234-5678\n".repeat(1_001);
    let (code, body) = fill(&mut browser, &[("number", &again), ("text", "x")], &[]);
    assert_eq!(code, 422);
    assert!(body.contains("Too many numbers"), "{body}");
}

#[test]
fn c2_a_password_that_is_pasted_into_the_text_is_kept_nowhere() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let text = "password: Hydrangea7\r\nPlease see to it.";
    let path = draft(
        &mut browser,
        &[("number", "0312345678"), ("text", text)],
        &[],
    );
    assert!(!page(&mut browser, &format!("{path}/change")).contains("Hydrangea7"));
    press(&mut browser, &path, "send");
    gateway.settled(1);
    let holds = |bytes: &[u8]| memchr::memmem::find(bytes, b"Hydrangea7").is_some();
    for path in files(&gateway.path("var")) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!holds(&bytes), "{}", path.display());
    }
    assert!(!gateway.log_text().contains("Hydrangea7"));
}

#[test]
fn the_token_of_a_form_may_stand_behind_its_texts_but_not_behind_its_files() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let csrf = browser.get("/send").csrf();
    let typed = [
        ("number", "0312345678"),
        ("text", "hello"),
        ("csrf", csrf.as_str()),
    ];
    let answer = browser.send_files("/send", &typed, &[]);
    assert_eq!(answer.code, 303, "{}", answer.body());
    let before = &typed[..2];
    let token = ("csrf", "", "text/plain", csrf.as_bytes());
    let file = ("file", "a.txt", "text/plain", &b"hello"[..]);
    assert_eq!(
        browser.send_files("/send", before, &[file, token]).code,
        403
    );
}
