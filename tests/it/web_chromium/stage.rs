//! A story of a browser: a gateway with faxes in it, and the script in `fixtures/browser` that plays the person.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value as Json;
use serde_json::json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::mail_servers::private::foreign;

/// Faxes that `office` has sent for `tanaka`.
pub(crate) const SENT: usize = 5;

/// A gateway with an account web; `tanaka` has sent and received some faxes.
pub(crate) fn office(accounts: &[Account]) -> Gateway {
    let gateway = Gateway::start(Setup::new(accounts).web());
    for (subject, number, pages) in [
        ("御見積書 2026-118", "03-1111-2222", 2),
        ("注文書 (11月分)", "06-1111-3333", 1),
        ("Delivery note 4711", "03-1234-5678", 3),
        ("請求書", "00999-9999-6017", 1),
        ("Price list", "052-222-1234", 1),
    ] {
        let document = paper::pdf(pages);
        let mail = Mail::right(&format!("{number}@fax.example"));
        let mail = mail.subject(subject);
        gateway.accepts(&mail.attach("a.pdf", "application/pdf", &document));
    }
    gateway.settled(SENT);
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, paper::tiff(2)).unwrap();
    let file = file.to_str().unwrap();
    let received = ["received", "inject", "--to", "03-4567-0001"];
    gateway.must(&[&received[..], &["--from", "+81 6 1111 3333", file]].concat());
    gateway
}

/// Both languages in both themes; the person logs in as `login_id` of each.
pub(crate) fn views(login_id: impl Fn(&str, &str) -> String) -> Json {
    let mut views = Vec::new();
    for language in ["en", "ja"] {
        for theme in ["light", "dark"] {
            views.push(json!({
                "language": language,
                "theme": theme,
                "login_id": login_id(language, theme),
                "password": RIGHT,
            }));
        }
    }
    views.into()
}

/// All four views for one account.
pub(crate) fn views_of(login_id: &str) -> Json {
    views(|_, _| login_id.to_owned())
}

/// The id of the fax whose subject is `subject`.
pub(crate) fn fax_about(gateway: &Gateway, subject: &str) -> String {
    field_of(gateway, subject, "id")
}

/// The id of the submission whose subject is `subject`.
pub(crate) fn batch_about(gateway: &Gateway, subject: &str) -> String {
    field_of(gateway, subject, "batch")
}

fn field_of(gateway: &Gateway, subject: &str, field: &str) -> String {
    let jobs = gateway.jobs();
    let job = jobs.iter().find(|job| job["reference"] == subject);
    job.unwrap()[field].as_str().unwrap().to_owned()
}

/// Plays `fixtures/browser/<script>.mjs` with `plan`; it must come to its end.
pub(crate) fn play(gateway: &Gateway, script: &str, plan: Json) {
    play_answering(gateway, script, plan, |question, _| {
        panic!("nobody knows {question}")
    });
}

/// The same, answering what the script asks: a question and what it is about.
pub(crate) fn play_answering(
    gateway: &Gateway,
    script: &str,
    mut plan: Json,
    mut answer: impl FnMut(&str, &Json) -> Json,
) {
    let modules = foreign("browser/node_modules");
    plan["address"] = format!("http://{}", gateway.web.unwrap()).into();
    plan["modules"] = modules.to_str().unwrap().into();
    plan["chromium"] = "/usr/bin/chromium".into();
    plan["out"] = screenshots(&modules).to_str().unwrap().into();
    if plan["story"].is_null() {
        plan["story"] = script.into();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/browser");
    let mut child = Command::new("node")
        .arg(folder.join(format!("{script}.mjs")))
        .env("STAGE", plan.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}; ./test --deps installs it"));
    let mut answers = child.stdin.take().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match serde_json::from_str::<Json>(&line) {
            Ok(asked) if asked["ask"].is_string() => {
                let told = answer(asked["ask"].as_str().unwrap(), &asked["of"]);
                writeln!(answers, "{told}").unwrap();
            }
            _ => println!("{line}"),
        }
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "{script}.mjs: {status}");
}

/// Where pictures of the pages are kept: `screenshots` beside `foreign`.
fn screenshots(modules: &Path) -> PathBuf {
    let target = modules.ancestors().nth(3).unwrap();
    target.join("screenshots")
}
