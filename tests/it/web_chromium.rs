//! The account web in a real browser: by keyboard alone, in both languages and themes, with and without scripts.
//! Pictures of what was seen are left in `screenshots` in the target folder.

mod pages;
pub(crate) mod stage;

use serde_json::Value as Json;
use serde_json::json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::now;
use crate::gateway::paper;
use crate::gateway::wait_for;

use stage::SENT;
use stage::fax_about;
use stage::office;
use stage::play;
use stage::play_answering;
use stage::views;
use stage::views_of;

fn tanaka() -> Account {
    Account::tanaka().set("email", "\"tanaka@customer.example\"")
}

fn today() -> jiff::civil::Date {
    now().in_tz("Asia/Tokyo").unwrap().date()
}

/// Who is changed by a journey is another person in each view: `en-light`.
fn own(language: &str, theme: &str) -> String {
    format!("{language}-{theme}")
}

/// The accounts of these persons.
fn persons() -> Vec<Account> {
    let views = views(own);
    let ids = views.as_array().unwrap().iter();
    ids.map(|view| {
        let id = view["login_id"].as_str().unwrap();
        let email = format!("\"{id}@customer.example\"");
        Account::new(id).password(RIGHT).set("email", &email)
    })
    .collect()
}

/// One view only: neither language nor theme has anything to do with scripts.
fn first_of(mut views: Json) -> Json {
    views.as_array_mut().unwrap().truncate(1);
    views
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
        "day": today().to_string(),
    });
    play(&gateway, "history", plan);
}

#[test]
fn without_scripts_passwords_are_changed_and_reset() {
    let gateway = Gateway::start(Setup::new(&persons()).web());
    let story = "without-scripts-5-password";
    let mut views = views(own);
    let forgetful = Json::from(vec![views.as_array_mut().unwrap().pop().unwrap()]);
    let plan = json!({ "views": first_of(views), "script": false, "story": story });
    play(&gateway, "password", plan);
    let mut plan = reset_plan("without-scripts-6-reset", forgetful);
    plan["script"] = false.into();
    play_answering(&gateway, "reset", plan, |_, address| {
        reset_link(&gateway, address)
    });
}

#[test]
fn without_scripts_a_fax_is_sent_and_its_end_is_seen() {
    let gateway = slow(&[tanaka()]);
    let mut plan = send_plan(&gateway, first_of(views_of("tanaka")));
    plan["script"] = false.into();
    plan["story"] = "without-scripts-3-send".into();
    play(&gateway, "send", plan);
}

/// A gateway whose calls take their time, so that one sees them.
fn slow(accounts: &[Account]) -> Gateway {
    let setup = Setup::new(accounts).web();
    Gateway::start(setup.set("transport.loopback", "speed", "40"))
}

fn send_plan(gateway: &Gateway, views: Json) -> Json {
    let document = gateway.path("offer.pdf");
    std::fs::write(&document, paper::pdf(2)).unwrap();
    json!({ "views": views, "story": "3-send", "document": document.to_str().unwrap() })
}

#[test]
fn journey_3_somebody_sends_a_fax_after_a_preview_and_sees_it_arrive() {
    let gateway = slow(&[tanaka()]);
    play(&gateway, "send", send_plan(&gateway, views_of("tanaka")));
}

#[test]
fn journey_4_somebody_cancels_a_fax_and_sends_another_again() {
    let gateway = slow(&[tanaka()]);
    let document = paper::pdf(1);
    let mail = Mail::right("03-1234-5678@fax.example").subject("Delivery note 4711");
    gateway.accepts(&mail.attach("a.pdf", "application/pdf", &document));
    gateway.settled(1);
    let fax = fax_about(&gateway, "Delivery note 4711");
    let later = today().checked_add(jiff::Span::new().days(2)).unwrap();
    for n in 1..=4 {
        let subject = format!("Invitation {n} /d {{{later} 09:30}}");
        gateway.accepts(&Mail::right("03-1111-2222@fax.example").subject(&subject));
    }
    let plan = json!({ "views": views_of("tanaka"), "story": "4-cancel-resend", "fax": fax });
    play(&gateway, "cancel-resend", plan);
}

#[test]
fn journey_5_somebody_changes_the_password() {
    let gateway = Gateway::start(Setup::new(&persons()).web());
    let plan = json!({ "views": views(own), "story": "5-password" });
    play(&gateway, "password", plan);
}

/// Answers with the link in the newest reset mail to `address`.
fn reset_link(gateway: &Gateway, address: &Json) -> Json {
    let address = address.as_str().unwrap();
    let path = wait_for("the reset mail", || {
        let mails = gateway.sink.mails_to(address);
        let body = mails.last()?.body();
        let (_, rest) = body.split_once("/reset/")?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
        Some(format!("/reset/{}", &rest[..end.unwrap_or(rest.len())]))
    });
    path.into()
}

fn reset_plan(story: &str, mut views: Json) -> Json {
    for view in views.as_array_mut().unwrap() {
        let id = view["login_id"].as_str().unwrap();
        view["email"] = format!("{id}@customer.example").into();
    }
    json!({ "views": views, "story": story })
}

#[test]
fn journey_6_somebody_resets_a_forgotten_password_by_mail() {
    let gateway = Gateway::start(Setup::new(&persons()).web());
    let plan = reset_plan("6-reset", views(own));
    play_answering(&gateway, "reset", plan, |_, address| {
        reset_link(&gateway, address)
    });
}

#[test]
fn journey_7_somebody_makes_a_list_and_imports_members() {
    let gateway = Gateway::start(Setup::new(&[tanaka()]).web());
    let table = gateway.path("members.csv");
    let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("052-222-1234,名古屋店\r\n");
    std::fs::write(&table, bytes).unwrap();
    let plan = json!({
        "views": views_of("tanaka"),
        "story": "7-lists",
        "table": table.to_str().unwrap(),
    });
    play(&gateway, "lists", plan);
}

#[test]
fn journey_8_a_company_admin_unlocks_a_member() {
    let mut accounts = persons();
    for account in &mut accounts {
        *account = account.clone().set("company", "\"shoji\"");
    }
    let admin = Account::new("mori").password(RIGHT);
    let admin = admin.set("role", "\"company-admin\"");
    accounts.push(admin.set("company", "\"shoji\""));
    let gateway = Gateway::start(Setup::new(&accounts).web());
    let views = views(own);
    for view in views.as_array().unwrap() {
        let id = view["login_id"].as_str().unwrap();
        for _ in 0..3 {
            gateway.browser().log_in(id, "kaki8wrong");
        }
        assert!(gateway.is_locked(id));
    }
    let plan = json!({ "views": views, "story": "8-unlock", "admin": "mori" });
    play(&gateway, "unlock", plan);
}

#[test]
fn without_scripts_the_journeys_are_the_same() {
    let gateway = office(&[tanaka()]);
    let mut plan = json!({
        "views": first_of(views_of("tanaka")),
        "script": false,
        "story": "without-scripts-1-login",
        "faxes": SENT,
        "number": "06-1111-3333",
        "day": today().to_string(),
    });
    play(&gateway, "login", plan.clone());
    plan["story"] = "without-scripts-2-history".into();
    play(&gateway, "history", plan);
}
