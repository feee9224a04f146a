//! All pages: accessible in both languages and themes, at every width, and light to load.

use serde_json::Value as Json;
use serde_json::json;

use crate::gateway::Account;
use crate::gateway::RIGHT;

use super::stage::fax_about;
use super::stage::office;
use super::stage::play;
use super::stage::views_of;
use super::tanaka;

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
