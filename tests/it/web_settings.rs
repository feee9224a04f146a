//! Settings that a customer changes in the browser: beside the accounts file, in force at once, at every door.

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const PROBE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
const NEW: &str = "New.Person@elsewhere.example";

fn start() -> Gateway {
    let sato = Account::new("sato")
        .password(RIGHT)
        .set(
            "senders",
            "[\"sato@customer.example\", \"*@whole.example\"]",
        )
        .set("email", "\"sato@customer.example\"");
    Gateway::start(Setup::new(&[Account::tanaka(), sato]).web())
}

/// Sends a form made for this browser; what answers it.
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

fn reload(gateway: &Gateway, accounts: &[Account]) {
    let before = gateway.events_of_reload();
    gateway.write_accounts(accounts);
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
}

/// The code in the newest mail to `address`.
fn code(gateway: &Gateway, address: &str, count: usize) -> String {
    let mails = gateway.sink.wait_for(address, count);
    let body = mails.last().unwrap().body();
    let (_, rest) = body.split_once("確認コード: ").unwrap();
    rest.chars().take(8).collect()
}

const STATION: [(&str, &str); 3] = [
    ("station_id", "+81 3 9999 0000"),
    ("time_zone", "America/New_York"),
    ("language", ""),
];

#[test]
fn a_change_is_in_force_at_once_marked_over_a_restart_and_until_the_file_is_edited() {
    let mut gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(!page(&mut browser, "/settings").contains("Changed here"));
    assert_eq!(
        post(&mut browser, "/settings/general", &STATION, 303),
        "/settings"
    );
    let shown = page(&mut browser, "/settings");
    for text in [
        "+81 3 9999 0000",
        "Changed here",
        "by tanaka",
        "value: +81 3 1234 5678",
        "Times are those of America/New_York",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(
        !shown.contains("&#60;") && shown.contains("<div class=\"changed-here\">"),
        "{shown}"
    );
    let id = |gateway: &Gateway| gateway.account("tanaka")["station_id"].clone();
    assert_eq!(
        id(&gateway),
        "+81 3 9999 0000",
        "a command beside the gateway"
    );
    let changed = gateway.account("tanaka")["changed_in_web"].clone();
    assert_eq!(
        (&changed[0]["key"], &changed[0]["by"]),
        (&"station_id".into(), &"tanaka".into())
    );
    assert_eq!(changed[0]["file"], "\"+81 3 1234 5678\"");
    gateway.terminate();
    gateway.serve();
    assert!(page(&mut browser, "/settings").contains("+81 3 9999 0000"));
    // Another key of the file leaves it in force; its own ends it, without a restart.
    reload(&gateway, &[Account::tanaka().set("max_calls", "3")]);
    assert_eq!(id(&gateway), "+81 3 9999 0000");
    reload(
        &gateway,
        &[Account::tanaka().set("station_id", "\"+81 6 1\"")],
    );
    let shown = page(&mut browser, "/settings");
    assert!(
        shown.contains("+81 6 1") && !shown.contains("+81 3 9999 0000"),
        "{shown}"
    );
    assert!(
        shown.contains("America/New_York"),
        "the other key is still changed"
    );
    post(&mut browser, "/settings/undo", &[("key", "time_zone")], 303);
    let shown = page(&mut browser, "/settings");
    assert!(shown.contains("Times are those of Asia/Tokyo"), "{shown}");
    assert!(!shown.contains("Changed here"), "{shown}");
    let acts = gateway.events("acted");
    let said = |act: &serde_json::Value| act["detail"].as_str().unwrap().to_owned();
    let details: Vec<String> = acts.iter().map(said).collect();
    assert!(
        details
            .iter()
            .any(|d| d.contains("settings-changed") && d.contains("station_id, time_zone")),
        "{details:?}"
    );
}

#[test]
fn pages_and_notices_are_in_the_language_that_was_chosen() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let fields = [("station_id", "+81 3 1234 5678"), ("language", "ja")];
    post(&mut browser, "/settings/general", &fields, 303);
    let shown = page(&mut browser, "/settings");
    assert!(
        shown.contains("<html lang=\"ja\">") && shown.contains("この画面で変更"),
        "{shown}"
    );
    let fields = [("station_id", "+81 3 1234 5678"), ("language", "en")];
    post(&mut browser, "/settings/general", &fields, 303);
    browser.further = vec![("Accept-Language".into(), "ja".into())];
    assert!(page(&mut browser, "/settings").contains("<html lang=\"en\">"));
    // The gateway's own language is Japanese.
    let fields = [
        ("forward_to", "a@elsewhere.example"),
        ("forward_format", "pdf"),
    ];
    post(&mut browser, "/settings/forwarding", &fields, 303);
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert_eq!(
        mails[0].subject(),
        "The settings of the account were changed (tanaka)"
    );
    assert!(
        mails[0].body().contains("forward_to"),
        "{}",
        mails[0].body()
    );
}

#[test]
fn received_faxes_and_results_go_where_the_customer_says() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let fields = [
        (
            "forward_to",
            "one@elsewhere.example\r\n\r\nTWO@elsewhere.example\r\none@elsewhere.example",
        ),
        ("forward_format", "tiff"),
    ];
    post(&mut browser, "/settings/forwarding", &fields, 303);
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, paper::tiff(1)).unwrap();
    let file = file.to_str().unwrap();
    gateway.must(&["received", "inject", "--to", "03-4567-0001", file]);
    for to in ["one@elsewhere.example", "TWO@elsewhere.example"] {
        let mails = gateway.sink.wait_for(to, 1);
        assert!(mails[0].attachments()[0].0.ends_with(".tiff"));
    }
    assert_eq!(gateway.sink.mails_to("inbox@customer.example").len(), 0);
    let fields = [
        ("when", "always"),
        ("format", "text-en"),
        ("to", "log@elsewhere.example"),
    ];
    post(&mut browser, "/settings/results", &fields, 303);
    let shown = page(&mut browser, "/settings");
    assert!(
        shown.contains("log@elsewhere.example") && shown.contains("text, English"),
        "{shown}"
    );
    gateway.accepts(&Mail::right(NUMBER));
    gateway.settled(1);
    let mails = gateway.sink.wait_for("log@elsewhere.example", 1);
    assert!(mails[0].html().is_empty());
    post(
        &mut browser,
        "/settings/undo",
        &[("key", "result_mail")],
        303,
    );
    assert!(!page(&mut browser, "/settings").contains("text, English"));
    gateway.sink.wait_for("tanaka@customer.example", 3);
}

#[test]
fn a_sender_address_counts_once_its_owner_gave_the_code_back() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let from_new = || Mail::new(NEW, NUMBER, &format!("password: {RIGHT}\r\n\r\nText\r\n"));
    let at = "/settings/senders";
    assert_eq!(post(&mut browser, at, &[("address", NEW)], 303), at);
    let right = code(&gateway, NEW, 1);
    let shown = page(&mut browser, at);
    assert!(shown.contains("new.person@elsewhere.example"), "{shown}");
    assert!(!shown.contains(&right) && !gateway.log_text().contains(&right));
    gateway.refuses(&from_new());
    let confirm = "/settings/senders/confirm";
    let wrong = if right == "00000000" {
        "00000001"
    } else {
        "00000000"
    };
    let told = post(
        &mut browser,
        confirm,
        &[("address", NEW), ("code", wrong)],
        422,
    );
    assert!(told.contains("This is not the code"), "{told}");
    gateway.refuses(&from_new());
    // Nobody else can use it.
    let mut other = gateway.logged_in("sato", RIGHT);
    post(
        &mut other,
        confirm,
        &[("address", NEW), ("code", &right)],
        404,
    );
    post(
        &mut browser,
        confirm,
        &[("address", NEW), ("code", &right)],
        303,
    );
    gateway.accepts(&from_new());
    gateway.settled(1);
    let notices = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(notices.iter().any(|mail| mail.body().contains("senders")));
    let told = post(&mut other, at, &[("address", NEW)], 422);
    assert!(told.contains("cannot be added"), "{told}");
    let remove = "/settings/senders/remove";
    post(
        &mut browser,
        remove,
        &[("address", "tanaka@customer.example")],
        303,
    );
    let from_old = Mail::right(NUMBER);
    gateway.refuses(&from_old);
    post(&mut browser, "/settings/undo", &[("key", "senders")], 303);
    gateway.accepts(&from_old);
    gateway.refuses(&from_new());
}

#[test]
fn a_sender_of_another_account_is_refused_and_five_codes_go_out_in_a_day() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut ask = |address: &str, code: u16| {
        post(
            &mut browser,
            "/settings/senders",
            &[("address", address)],
            code,
        )
    };
    for (address, told) in [
        ("Sato@customer.example", "cannot be added"),
        ("anybody@whole.example", "cannot be added"),
        ("tanaka@customer.example", "one of yours"),
        ("*@customer.example", "no mail address"),
        ("nobody", "no mail address"),
        ("0312345678@fax.example", "fax gateway itself"),
        (PROBE, "no mail address"),
    ] {
        let shown = ask(address, 422);
        assert!(shown.contains(told), "{address}: {shown}");
        assert!(
            shown.contains("id=\"address-error\"") && !shown.contains("<script>"),
            "{shown}"
        );
    }
    for n in 0..5 {
        ask(&format!("n{n}@elsewhere.example"), 303);
    }
    assert!(ask("n5@elsewhere.example", 422).contains("Five codes"));
    let withdrawn = [("address", "n0@elsewhere.example")];
    post(&mut browser, "/settings/senders/withdraw", &withdrawn, 303);
    let shown = page(&mut browser, "/settings/senders");
    assert!(!shown.contains("n0@elsewhere.example") && shown.contains("n4@elsewhere.example"));
    gateway.sink.wait_for("n4@elsewhere.example", 1);
    assert_eq!(gateway.sink.mails_to("n5@elsewhere.example").len(), 0);
    assert_eq!(gateway.sink.mails_to("sato@customer.example").len(), 0);
}

#[test]
fn mistakes_are_told_beside_their_fields_and_nothing_is_changed() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let many: Vec<String> = (0..26).map(|n| format!("n{n}@elsewhere.example")).collect();
    for (path, fields, error) in [
        (
            "general",
            &[("station_id", "TANAKA")][..],
            "station_id-error",
        ),
        (
            "general",
            &[("station_id", &"1".repeat(21))],
            "station_id-error",
        ),
        (
            "general",
            &[("time_zone", "Mars/Olympus")],
            "time_zone-error",
        ),
        ("general", &[("time_zone", PROBE)], "time_zone-error"),
        ("general", &[("language", "fr")], "language-error"),
        (
            "forwarding",
            &[("forward_to", "a@x.example\nnobody")],
            "Line 2",
        ),
        (
            "forwarding",
            &[("forward_to", &many.join("\n"))],
            "At most 25",
        ),
        (
            "forwarding",
            &[("forward_to", "1@list.fax.example")],
            "fax gateway itself",
        ),
        (
            "forwarding",
            &[("forward_format", "gif")],
            "forward_format-error",
        ),
        ("results", &[("when", "sometimes")], "when-error"),
        ("results", &[("when", "always"), ("to", PROBE)], "to-error"),
    ] {
        let shown = post(&mut browser, &format!("/settings/{path}"), fields, 422);
        assert!(
            shown.contains(error) && shown.contains("aria-invalid"),
            "{error}: {shown}"
        );
        assert!(!shown.contains("<script>"), "{shown}");
    }
    assert!(!page(&mut browser, "/settings").contains("Changed here"));
    post(&mut browser, "/settings/undo", &[("key", "password")], 404);
    post(&mut browser, "/settings/undo", &[("key", "email")], 404);
}

#[test]
fn changes_need_their_token_a_fresh_proof_and_touch_one_account_only() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let groups = ["general", "forwarding", "results", "senders", "undo"];
    for path in groups
        .into_iter()
        .chain(["senders/remove", "senders/confirm", "senders/withdraw"])
    {
        let fields = [("csrf", "wrong"), ("station_id", "1"), ("key", "senders")];
        let answer = browser.post(&format!("/settings/{path}"), &fields);
        assert_eq!(answer.code, 403, "{path}");
    }
    assert_eq!(gateway.account("tanaka")["station_id"], "+81 3 1234 5678");
    post(&mut browser, "/settings/general", &STATION, 303);
    let mut other = gateway.logged_in("sato", RIGHT);
    let shown = page(&mut other, "/settings");
    assert!(
        !shown.contains("+81 3 9999 0000") && !shown.contains("Changed here"),
        "{shown}"
    );
    gateway.change_state("UPDATE web_session SET proved_at = 0;");
    for path in ["senders", "forwarding", "results"] {
        let to = format!("/confirm?to=/settings/{path}");
        let answer = browser.get(&format!("/settings/{path}"));
        assert_eq!(
            (answer.code, answer.header("location")),
            (303, Some(to.as_str()))
        );
        let fields = [
            ("forward_to", "thief@elsewhere.example"),
            ("forward_format", "pdf"),
        ];
        assert_eq!(
            post(&mut browser, &format!("/settings/{path}"), &fields, 303),
            to
        );
    }
    let to = post(&mut browser, "/settings/undo", &[("key", "senders")], 303);
    assert_eq!(to, "/confirm?to=/settings");
    assert!(!page(&mut browser, "/settings").contains("thief"));
    page(&mut browser, "/settings/general");
}
