//! Contact lists in the browser: made, edited, imported, exported, and mailed to like those of the file.

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;

const PROBE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

fn start() -> Gateway {
    let sato = Account::new("sato").password(RIGHT);
    Gateway::start(Setup::new(&[Account::tanaka(), sato]).web())
}

/// Sends a form made for this browser; it must be answered so.
fn post(browser: &mut Browser, path: &str, fields: &[(&str, &str)], code: u16) -> String {
    let csrf = browser.get("/lists").csrf();
    let mut fields = fields.to_vec();
    fields.push(("csrf", &csrf));
    let answer = browser.post(path, &fields);
    assert_eq!(answer.code, code, "{path} {fields:?}: {}", answer.body());
    match code {
        303 => answer.header("location").unwrap().to_owned(),
        _ => answer.body(),
    }
}

fn page(browser: &mut Browser, path: &str) -> String {
    let answer = browser.get(path);
    assert_eq!(answer.code, 200, "{path}: {}", answer.body());
    answer.body()
}

fn import(
    browser: &mut Browser,
    list: &str,
    file: &[u8],
    fields: &[(&str, &str)],
) -> (u16, String) {
    let csrf = browser.get("/lists").csrf();
    let mut fields = fields.to_vec();
    fields.push(("csrf", &csrf));
    let answer = browser.upload(&format!("/lists/{list}/import"), &fields, file);
    let told = match answer.header("location") {
        Some(location) => location.to_owned(),
        None => answer.body(),
    };
    (answer.code, told)
}

fn members(gateway: &Gateway, list: &str) -> Option<u64> {
    let account = gateway.account("tanaka");
    let lists = account["lists"].as_array().unwrap();
    let found = lists.iter().find(|l| l["name"] == list);
    found.map(|list| list["members"].as_u64().unwrap())
}

fn destinations(jobs: &[serde_json::Value]) -> Vec<String> {
    let mut all: Vec<String> = jobs
        .iter()
        .map(|job| job["destination"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

#[test]
fn a_list_made_in_the_browser_is_mailed_to_and_dialled_and_stopped_by_the_lock() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let to = post(&mut browser, "/lists", &[("name", "Branches")], 303);
    assert_eq!(to, "/lists/Branches");
    for (number, name) in [("03-9999-0001", "Ueno"), ("+81 3 9999 0002", "Ginza")] {
        let fields = [("number", number), ("name", name)];
        post(&mut browser, "/lists/Branches/members", &fields, 303);
    }
    let mail = || Mail::right("branches@list.fax.example");
    gateway.accepts(&mail());
    let jobs = gateway.settled(2);
    assert_eq!(destinations(&jobs), ["0081399990001", "0081399990002"]);
    assert!(jobs.iter().all(|job| job["status"] == 0), "{jobs:?}");
    assert_eq!(gateway.calls().len(), 2);
    // The same as for a list of the file (C4); whoever is logged in may go on editing.
    gateway.lock("tanaka");
    gateway.accepts(&mail());
    let jobs = gateway.settled(3);
    assert!(jobs.iter().any(|job| job["status"] == 6002), "{jobs:?}");
    let shown = page(&mut browser, "/lists");
    assert!(shown.contains("This account is locked"), "{shown}");
    let fields = [("number", "03-9999-0003")];
    post(&mut browser, "/lists/branches/members", &fields, 303);
    assert_eq!(members(&gateway, "Branches"), Some(3));
}

#[test]
fn members_are_added_changed_and_removed_and_a_number_is_there_once() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(page(&mut browser, "/lists").contains("/lists/shops"));
    post(&mut browser, "/lists", &[("name", "b")], 303);
    assert_eq!(members(&gateway, "b"), None, "nobody can send to nobody");
    let add = |browser: &mut Browser, number: &str, code: u16| {
        post(
            browser,
            "/lists/b/members",
            &[("number", number), ("name", "N")],
            code,
        )
    };
    add(&mut browser, "03-9999-0001", 303);
    add(&mut browser, "03-9999-0002", 303);
    let told = add(&mut browser, "0081 3 9999 0001", 422);
    assert!(
        told.contains("in the list already") && told.contains("aria-invalid"),
        "{told}"
    );
    assert!(
        told.contains("0081 3 9999 0001"),
        "what was typed stays: {told}"
    );
    assert!(add(&mut browser, "12", 422).contains("too short"));
    let shown = page(&mut browser, "/lists/b?edit=2");
    assert!(shown.contains("value=\"03-9999-0002\""), "{shown}");
    let fields = [("number", "06-9999-0002"), ("name", "Umeda")];
    post(&mut browser, "/lists/b/members/2", &fields, 303);
    let shown = page(&mut browser, "/lists/b");
    assert!(
        shown.contains("06-9999-0002") && shown.contains("Umeda"),
        "{shown}"
    );
    post(&mut browser, "/lists/b/remove", &[("member", "1")], 303);
    assert_eq!(members(&gateway, "b"), Some(1));
    let shown = page(&mut browser, "/lists/b/delete");
    assert!(shown.contains("Delete the list?") && members(&gateway, "b").is_some());
    assert_eq!(post(&mut browser, "/lists/b/delete", &[], 303), "/lists");
    assert_eq!(members(&gateway, "b"), None);
    assert_eq!(browser.get("/lists/b").code, 404);
}

#[test]
fn names_are_those_the_file_could_have_and_does_not() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    for (name, told) in [
        ("shops", "already"),
        ("SHOPS", "already"),
        ("a b", "cannot be the name"),
        ("a@b", "cannot be the name"),
        ("..", "cannot be the name"),
        ("", "cannot be the name"),
        (PROBE, "cannot be the name"),
        (&"x".repeat(65), "cannot be the name"),
    ] {
        let shown = post(&mut browser, "/lists", &[("name", name)], 422);
        assert!(shown.contains(told), "{name}: {shown}");
        assert!(!shown.contains("<script>"), "{shown}");
    }
    // In a script of its own, and with what has a meaning in an address.
    let to = post(&mut browser, "/lists", &[("name", "支店/東?#%")], 303);
    assert_eq!(to, "/lists/%E6%94%AF%E5%BA%97%2F%E6%9D%B1%3F%23%25");
    assert!(page(&mut browser, &to).contains("<h1>支店/東?#%</h1>"));
    // The list of the file is shown and not edited.
    let shown = page(&mut browser, "/lists/shops");
    assert!(
        shown.contains("Shinjuku") && !shown.contains("/lists/shops/members"),
        "{shown}"
    );
    post(
        &mut browser,
        "/lists/shops/members",
        &[("number", "03-9999-0001")],
        404,
    );
    post(&mut browser, "/lists/shops/delete", &[], 404);
    // A list that the file takes the name of is out of force, and can still be deleted.
    post(&mut browser, "/lists", &[("name", "later")], 303);
    post(
        &mut browser,
        "/lists/later/members",
        &[("number", "03-9999-0001")],
        303,
    );
    let before = gateway.events_of_reload();
    let tanaka = Account::tanaka().list("Later", &[("03-8888-0001", "y")]);
    gateway.write_accounts(&[tanaka]);
    crate::gateway::wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
    gateway.accepts(&Mail::right("later@list.fax.example"));
    assert_eq!(destinations(&gateway.settled(1)), ["0081388880001"]);
    assert!(page(&mut browser, "/lists").contains("hidden: the administrator"));
    let fields = [("number", "03-9999-0002"), ("member", "1")];
    for change in ["members", "members/1", "remove"] {
        post(
            &mut browser,
            &format!("/lists/later/{change}"),
            &fields,
            404,
        );
    }
    assert_eq!(import(&mut browser, "later", b"0399990003,x", &[]).0, 404);
    post(&mut browser, "/lists/later/delete", &[], 303);
    assert!(!page(&mut browser, "/lists").contains("hidden: the administrator"));
}

/// 20,000 members; every number twice at the beginning, in two forms.
fn big(bad: bool) -> String {
    let mut text = "番号,名前\r\n".to_owned();
    for n in 0..20_000 {
        text += &format!("03{:08},支店{n}\r\n", 10_000_000 + n);
        if n < 50 {
            text += &format!("\"+81 3 {:08}\",同じ番号\r\n", 10_000_000 + n);
        }
    }
    if bad {
        text += "abc,悪い行\r\n12,短い\r\n";
    }
    text
}

#[test]
fn an_import_of_20000_members_reports_bad_rows_and_drops_duplicates_in_both_charsets() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    post(&mut browser, "/lists", &[("name", "all")], 303);
    let text = big(true);
    let (sjis, ..) = encoding_rs::SHIFT_JIS.encode(&text);
    let (code, told) = import(&mut browser, "all", &sjis, &[("mode", "append")]);
    assert_eq!(code, 422, "{told}");
    for row in ["20052", "20053", "too short"] {
        assert!(told.contains(row), "{row}: {told}");
    }
    assert_eq!(members(&gateway, "all"), None, "nothing was changed");
    let fields = [("mode", "append"), ("skip_bad", "yes")];
    let (code, to) = import(&mut browser, "all", &sjis, &fields);
    assert_eq!(
        (code, to.as_str()),
        (303, "/lists/all?added=20000&duplicates=50&skipped=2")
    );
    let shown = page(&mut browser, &to);
    for text in [
        "20000",
        "already: 50",
        "wrong: 2",
        "支店0",
        "支店199",
        "?from=200",
    ] {
        assert!(shown.contains(text), "{text}");
    }
    assert!(!shown.contains("支店200<"));
    let last = page(&mut browser, "/lists/all?from=19800");
    assert!(last.contains("支店19999") && !last.contains("rel=\"next\""));
    for from in [i64::MAX, i64::MIN] {
        page(&mut browser, &format!("/lists/all?from={from}"));
        let fields = [("number", "12"), ("from", &from.to_string())];
        post(&mut browser, "/lists/all/members", &fields, 422);
    }
    assert_eq!(members(&gateway, "all"), Some(20_000));
    let utf8 = format!("\u{feff}{}", big(false));
    let (_, to) = import(&mut browser, "all", utf8.as_bytes(), &[("mode", "append")]);
    assert_eq!(to, "/lists/all?added=0&duplicates=20050&skipped=0");
    let (code, told) = import(
        &mut browser,
        "all",
        b"06-9999-0001,x",
        &[("mode", "append")],
    );
    assert!(
        code == 422 && told.contains("at most 20,000"),
        "{code}: {told}"
    );
    let (_, to) = import(
        &mut browser,
        "all",
        b"",
        &[("mode", "replace"), ("text", "06-9999-0001,x")],
    );
    assert_eq!(to, "/lists/all?added=1&duplicates=0&skipped=0");
    assert_eq!(members(&gateway, "all"), Some(1));
    assert_eq!(import(&mut browser, "all", b"", &[]).0, 422);
    let huge = vec![b'a'; 2 * 1024 * 1024 + 1];
    assert_eq!(import(&mut browser, "all", &huge, &[]).0, 413);
}

#[test]
fn an_export_reads_back_and_computes_nothing() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    post(&mut browser, "/lists", &[("name", "a")], 303);
    for (number, name) in [
        ("03-9999-0001", "=1+1"),
        ("+1 212 555 0100", "新宿, \"2F\""),
    ] {
        let fields = [("number", number), ("name", name)];
        post(&mut browser, "/lists/a/members", &fields, 303);
    }
    let utf8 = browser.get("/lists/a/export.csv");
    assert_eq!(utf8.header("content-type"), Some("text/csv; charset=utf-8"));
    let expected =
        "\u{feff}number,name\r\n03-9999-0001,'=1+1\r\n'+12125550100,\"新宿, \"\"2F\"\"\"\r\n";
    assert_eq!(utf8.body(), expected);
    let sjis = browser.get("/lists/a/export.csv?charset=shift_jis");
    assert_eq!(encoding_rs::SHIFT_JIS.decode(&sjis.bytes).0, expected[3..]);
    for bytes in [&utf8.bytes, &sjis.bytes] {
        post(&mut browser, "/lists", &[("name", "b")], 303);
        let (_, to) = import(&mut browser, "b", bytes, &[]);
        assert_eq!(to, "/lists/b?added=2&duplicates=0&skipped=0");
        let again = browser.get("/lists/b/export.csv");
        assert_eq!(again.bytes, utf8.bytes);
        post(&mut browser, "/lists/b/delete", &[], 303);
    }
}

#[test]
fn lists_are_nobody_else_s_and_forms_need_their_token() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    post(&mut browser, "/lists", &[("name", "mine")], 303);
    let fields = [("number", "03-9999-0001"), ("name", PROBE)];
    post(&mut browser, "/lists/mine/members", &fields, 303);
    let shown = page(&mut browser, "/lists/mine");
    assert!(
        !shown.contains("<script>") && shown.contains("&#60;script"),
        "{shown}"
    );
    let mut other = gateway.logged_in("sato", RIGHT);
    for path in ["", "?edit=1", "/delete", "/import", "/export.csv"] {
        assert_eq!(other.get(&format!("/lists/mine{path}")).code, 404, "{path}");
        assert_eq!(
            other.get(&format!("/lists/shops{path}")).code,
            404,
            "{path}"
        );
    }
    let changes = ["members", "members/1", "members/first", "remove", "delete"];
    for change in changes {
        let fields = [("number", "03-9999-0002"), ("member", "1")];
        post(&mut other, &format!("/lists/mine/{change}"), &fields, 404);
    }
    assert_eq!(import(&mut other, "mine", b"0399990002,x", &[]).0, 404);
    for change in changes {
        let answer = browser.post(&format!("/lists/mine/{change}"), &[("csrf", "wrong")]);
        assert_eq!(answer.code, 403, "{change}");
    }
    let answer = browser.upload("/lists/mine/import", &[("csrf", "wrong")], b"0399990002,x");
    assert_eq!(answer.code, 403);
    assert_eq!(browser.post("/lists", &[("name", "x")]).code, 403);
    assert_eq!(members(&gateway, "mine"), Some(1));
    assert_eq!(
        gateway.browser().get("/lists").header("location"),
        Some("/login")
    );
    // What storage has survives the end of the process.
    let mut gateway = gateway;
    gateway.terminate();
    gateway.serve();
    assert_eq!(members(&gateway, "mine"), Some(1));
    gateway.accepts(&Mail::right("mine@list.fax.example"));
    assert_eq!(destinations(&gateway.settled(1)), ["0081399990001"]);
}
