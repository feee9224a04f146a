//! All pages: accessible in both languages and themes, at every width, and light to load.

use serde_json::Value as Json;
use serde_json::json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::wait_for;

use super::stage::batch_about;
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

/// Whoever looks: the number before the first picture, the login ID, the pages.
fn visitor(first: u32, login_id: Option<&str>, pages: &[Json]) -> Json {
    json!({ "first": first, "login_id": login_id, "password": RIGHT, "pages": pages })
}

/// What is open to all.
fn open_pages() -> Vec<Json> {
    vec![
        page("login", "/login"),
        json!({ "name": "wrong-login", "login": ["nobody-*", "kaki8wrong"], "status": 401 }),
        json!({ "name": "locked", "login": ["sato", RIGHT], "status": 423 }),
        json!({ "name": "not-found", "path": "/nothing", "status": 404 }),
        page("reset", "/reset"),
        page("reset-asked", "/reset?asked=1"),
        json!({ "name": "reset-over", "path": "/reset/AAAA", "status": 410 }),
    ]
}

/// The pages of a customer.
fn own_pages(gateway: &Gateway) -> Vec<Json> {
    let fax = |subject: &str| format!("/sent/{}", fax_about(gateway, subject));
    let received = gateway.json(&["received", "list"]);
    let received = received[0]["id"].as_str().unwrap();
    vec![
        page("sent", "/sent"),
        page("sent-nothing-found", "/sent?number=0399998888"),
        json!({ "name": "sent-bad-search", "path": "/sent?from=yesterday", "status": 400 }),
        page("job", &fax("Delivery note 4711")),
        page("job-failed", &fax("請求書")),
        page("job-waits", &fax("Invitation")),
        page(
            "batch",
            &format!("/batches/{}", batch_about(gateway, "Catalogue")),
        ),
        page("received", "/received"),
        page("fax", &format!("/received/{received}")),
        page("send", "/send"),
        page("lists", "/lists"),
        page("list", "/lists/shops"),
        page("settings", "/settings"),
        page("me", "/people/me"),
        page("settings-senders", "/settings/senders"),
        page("password", "/password"),
        page("confirm", "/confirm?to=/settings"),
        json!({ "name": "not-found-inside", "path": "/sent/1", "status": 404 }),
    ]
}

/// The pages of a company's admin.
fn admin_pages() -> Vec<Json> {
    vec![
        page("people", "/people"),
        page("people-none-found", "/people?q=nobody"),
        page("person", "/people/tanaka"),
        page("person-locked", "/people/sato"),
        page("person-audit", "/people/tanaka/audit"),
    ]
}

/// The pages of an operator.
fn operator_pages() -> Vec<Json> {
    vec![
        page("admin", "/admin"),
        page("admin-accounts", "/admin/accounts"),
        page("admin-account", "/admin/accounts/tanaka"),
        page("admin-locks", "/admin/locks"),
        page("admin-queue", "/admin/queue"),
        page("admin-refused", "/admin/refused"),
        page("admin-configuration", "/admin/configuration"),
        page("admin-audit", "/admin/audit"),
    ]
}

/// A gateway with something on each page.
fn full() -> Gateway {
    let of_company = |account: Account| account.set("company", "\"shoji\"");
    let with_role = |id: &str, role: &str| {
        let account = Account::new(id).password(RIGHT);
        account.set("role", &format!("{role:?}"))
    };
    let sato = Account::new("sato").password(RIGHT);
    let gateway = office(&[
        of_company(tanaka()),
        of_company(sato),
        of_company(with_role("mori", "company-admin")),
        with_role("ono", "operator"),
    ]);
    let later = super::today()
        .checked_add(jiff::Span::new().days(2))
        .unwrap();
    let invitation = format!("Invitation /d {{{later} 09:30}}");
    let number = "03-1111-2222@fax.example";
    gateway.accepts(&Mail::right(number).subject(&invitation));
    let two = Mail::right(number).and_to("06-1111-3333@fax.example");
    gateway.accepts(&two.subject("Catalogue"));
    wait_for("the catalogue to arrive", || {
        let jobs = gateway.jobs();
        let mut both = jobs.iter().filter(|job| job["reference"] == "Catalogue");
        both.all(|job| job["status"] == 0).then_some(())
    });
    gateway.lock("sato");
    gateway
}

fn look(language: &str) {
    let gateway = full();
    let mut views = views_of("tanaka");
    let in_language = |view: &Json| view["language"] == language;
    views.as_array_mut().unwrap().retain(in_language);
    let visitors = [
        visitor(0, None, &open_pages()),
        visitor(20, Some("tanaka"), &own_pages(&gateway)),
        visitor(80, Some("mori"), &admin_pages()),
        visitor(100, Some("ono"), &operator_pages()),
    ];
    play(
        &gateway,
        "pages",
        json!({ "views": views, "visitors": visitors }),
    );
}

#[test]
fn every_page_is_accessible_in_english_in_both_themes_and_at_every_width() {
    look("en");
}

#[test]
fn every_page_is_accessible_in_japanese_in_both_themes_and_at_every_width() {
    look("ja");
}
