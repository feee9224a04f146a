//! The account web in a real browser: by keyboard alone, in both languages and themes, with and without scripts.
//! Pictures of what was seen are left in `screenshots` in the target folder.

pub(crate) mod stage;

use serde_json::Value as Json;
use serde_json::json;

use crate::gateway::Account;
use crate::gateway::RIGHT;
use crate::gateway::now;

use stage::SENT;
use stage::fax_about;
use stage::office;
use stage::play;
use stage::views_of;

fn tanaka() -> Account {
    Account::tanaka().set("email", "\"tanaka@customer.example\"")
}

fn today() -> String {
    now().in_tz("Asia/Tokyo").unwrap().date().to_string()
}

#[test]
fn journey_1_somebody_logs_in() {
    let gateway = office(&[tanaka()]);
    let plan = json!({ "views": views_of("tanaka"), "story": "1-login" });
    play(&gateway, "login", plan);
}

#[test]
fn journey_2_somebody_finds_a_fax_by_filters_and_opens_it() {
    let gateway = office(&[tanaka()]);
    let plan = json!({
        "views": views_of("tanaka"),
        "story": "2-history",
        "faxes": SENT,
        "number": "06-1111-3333",
        "day": today(),
    });
    play(&gateway, "history", plan);
}

#[test]
fn without_scripts_the_journeys_are_the_same() {
    let gateway = office(&[tanaka()]);
    let mut views = views_of("tanaka");
    // Neither language nor theme has anything to do with scripts.
    views.as_array_mut().unwrap().truncate(1);
    let mut plan = json!({
        "views": views,
        "script": false,
        "story": "without-scripts-1-login",
        "faxes": SENT,
        "number": "06-1111-3333",
        "day": today(),
    });
    play(&gateway, "login", plan.clone());
    plan["story"] = "without-scripts-2-history".into();
    play(&gateway, "history", plan);
}

#[test]
fn a_first_visit_costs_at_most_150_kb() {
    let gateway = office(&[tanaka()]);
    play(
        &gateway,
        "first-load",
        json!({ "views": views_of("tanaka") }),
    );
}

/// A page that is looked at: how its picture is called, and where it is.
fn page(name: &str, path: &str) -> Json {
    json!({ "name": name, "path": path })
}

#[test]
fn every_page_is_accessible_in_both_languages_and_themes_and_at_every_width() {
    let gateway = office(&[tanaka(), Account::new("sato").password(RIGHT)]);
    gateway.lock("sato");
    let fax = fax_about(&gateway, "Delivery note 4711");
    let failed = fax_about(&gateway, "請求書");
    let received = gateway.json(&["received", "list"]);
    let received = received[0]["id"].as_str().unwrap();
    let strangers = [
        page("login", "/login"),
        json!({ "name": "wrong-login", "login": ["nobody-*", "kaki8wrong"], "status": 401 }),
        json!({ "name": "locked", "login": ["sato", RIGHT], "status": 423 }),
        json!({ "name": "not-found", "path": "/nothing", "status": 404 }),
    ];
    let customers = [
        page("sent", "/sent"),
        page("sent-nothing-found", "/sent?number=0399998888"),
        json!({ "name": "sent-bad-search", "path": "/sent?from=yesterday", "status": 400 }),
        page("job", &format!("/sent/{fax}")),
        page("job-failed", &format!("/sent/{failed}")),
        page("received", "/received"),
        page("fax", &format!("/received/{received}")),
        page("settings", "/settings"),
        json!({ "name": "not-found-inside", "path": "/sent/1", "status": 404 }),
    ];
    let plan = json!({
        "views": views_of("tanaka"),
        "visitors": [
            { "first": 0, "pages": strangers },
            { "first": 20, "login_id": "tanaka", "password": RIGHT, "pages": customers },
        ],
    });
    play(&gateway, "pages", plan);
}
