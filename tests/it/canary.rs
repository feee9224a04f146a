//! A password comes in every way there is and is then looked for in everything the gateway keeps, says
//! or sends, in every form that a program may give it (row C2, promise P5).

mod cores;
mod doors;
mod failures;
mod forms;
mod ways;

use std::path::Path;

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::base64;
use crate::gateway::wait_for;

use forms::Form;
use ways::PLAIN;
use ways::way;
use ways::ways;

/// In every password of the story, right or wrong. The `=` and `+` are written otherwise in
/// quoted-printable and in URLs.
const CORE: &str = "Canary=bird+93";
const NUMBER: &str = "0312345678@fax.example";

#[test]
fn the_search_finds_what_it_looks_for_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for form in forms::of(CORE) {
        let path = folder.path().join("planted");
        std::fs::write(
            &path,
            [b"before ", form.bytes.as_slice(), b" after"].concat(),
        )
        .unwrap();
        let found = hits(folder.path(), &forms::of(CORE));
        assert!(
            found.iter().any(|hit| hit.contains(form.name)),
            "{}",
            form.name
        );
    }
    // As another encoder writes it, wherever in the text it stands, across lines too.
    for before in ["", "a", "ab", &"long ".repeat(13)] {
        let text = base64(format!("{before}{CORE}{}", "x".repeat(99)).as_bytes());
        std::fs::write(folder.path().join("planted"), text).unwrap();
        assert!(
            !hits(folder.path(), &forms::of(CORE)).is_empty(),
            "{before:?}"
        );
    }
    std::fs::write(folder.path().join("planted"), "Canary bird 93").unwrap();
    assert!(hits(folder.path(), &forms::of(CORE)).is_empty());
}

#[test]
fn c2_no_password_is_kept_logged_or_sent_in_any_form() {
    let accounts = [
        Account::tanaka().password(CORE),
        Account::suzuki(),
        Account::new("sato").password(CORE),
    ];
    let made = Made::shared();
    let setup = Setup::new(&accounts).set("lock", "strikes", "100");
    let mut gateway = Gateway::start(setup.web().tls(made).log("trace"));
    for way in ways() {
        let reply = way.send(&gateway);
        assert!(reply.starts_with(way.expected), "{}: {reply}", way.name);
    }
    let said = doors::all(&gateway, made);
    assert_eq!(
        forms::found(said.as_bytes(), &forms::of(CORE)),
        Vec::<&str>::new()
    );
    all_settled(&gateway);
    storage_fails(&gateway);
    killed_midway(&mut gateway);
    let jobs = all_settled(&gateway);
    assert!(jobs.len() >= 8, "{jobs:#?}");
    wait_for("the result mails", || {
        let mails = gateway.sink.mails_to("tanaka@customer.example");
        (mails.len() >= 6).then_some(())
    });
    let forms = forms::of(CORE);
    nothing_is_shown(&gateway, &jobs, &forms);
    nothing_was_mailed(&gateway, &forms);
    assert_eq!(hits(gateway.folder(), &forms), Vec::<String>::new());
    assert_eq!(gateway.terminate(), Some(0));
    assert_eq!(hits(gateway.folder(), &forms), Vec::<String>::new());
    let log = gateway.log_text();
    assert!(
        log.contains("\"level\":\"TRACE\""),
        "it does not log everything"
    );
}

fn all_settled(gateway: &Gateway) -> Vec<serde_json::Value> {
    wait_for("all jobs to be settled", || {
        let jobs = gateway.jobs();
        let settled = jobs.iter().all(|job| job["completed"].is_string());
        settled.then_some(jobs)
    })
}

/// The folder of files is gone while a large mail comes.
fn storage_fails(gateway: &Gateway) {
    let (blobs, away) = (gateway.path("var/blobs"), gateway.path("var/away"));
    std::fs::rename(&blobs, &away).unwrap();
    let text = format!(
        "password: {CORE}\r\n\r\n{}",
        "It is long.\r\n".repeat(5_000)
    );
    let reply = way("storage fails", "451 ", PLAIN, text).send(gateway);
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    std::fs::rename(away, blobs).unwrap();
}

/// The process is killed while a mail arrives, and again when one has just arrived.
fn killed_midway(gateway: &mut Gateway) {
    let text = format!("password: {CORE}\r\n\r\nPlease see to it.\r\n");
    for end in ["", "\r\n.\r\n"] {
        let way = way("killed", "250 ", PLAIN, &text);
        let mut session = Smtp::hello(gateway.smtp);
        session.envelope(&way.envelope).unwrap();
        session.write(&way.message);
        session.write(end.as_bytes());
        gateway.kill();
        gateway.serve();
    }
}

fn nothing_is_shown(gateway: &Gateway, jobs: &[serde_json::Value], forms: &[Form]) {
    let mut said = String::new();
    for job in jobs {
        let id = job["id"].as_str().unwrap();
        for arguments in [&["job", "show", id][..], &["job", "show", id, "--json"]] {
            said += &gateway.must(arguments).stdout;
        }
    }
    assert!(said.contains("timeline"));
    for account in ["tanaka", "sato", "suzuki"] {
        said += &gateway.must(&["account", "show", account, "--json"]).stdout;
    }
    said += &gateway.page("/metrics").1;
    said += &gateway.page("/readyz").1;
    // The mail stands outside what is searched.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mail.eml");
    for way in ways() {
        std::fs::write(&file, &way.message).unwrap();
        let file = file.to_str().unwrap();
        let from = way.envelope.sender.as_str();
        for form in [&[][..], &["--json"]] {
            let arguments = [&["explain", file, "--from", from, "--to", NUMBER], form].concat();
            let output = gateway.command(&arguments);
            said += &output.stdout;
            said += &output.stderr;
        }
    }
    assert!(
        said.contains("password"),
        "explain says nothing of passwords"
    );
    assert_eq!(forms::found(said.as_bytes(), forms), Vec::<&str>::new());
}

fn nothing_was_mailed(gateway: &Gateway, forms: &[Form]) {
    for mail in gateway.sink.mails() {
        let mut all = mail.message.clone();
        all.extend(mail.subject().as_bytes());
        all.extend(mail.body().as_bytes());
        all.extend(mail.html().as_bytes());
        for (name, _, content) in mail.attachments() {
            all.extend(name.as_bytes());
            all.extend(content);
        }
        assert_eq!(forms::found(&all, forms), Vec::<&str>::new());
    }
}

/// The files below `folder` in which a form stands, and which.
fn hits(folder: &Path, forms: &[Form]) -> Vec<String> {
    let mut hits = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            hits.extend(self::hits(&path, forms));
            continue;
        }
        // A temporary file may be gone by now.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = forms::found(&bytes, forms);
        hits.extend(
            found
                .iter()
                .map(|form| format!("{form} in {}", path.display())),
        );
    }
    hits
}
