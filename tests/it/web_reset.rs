//! Forgotten passwords (rows I3 to I8, T1 to T4, T7, W3): asked for at the account web, mailed, used once.

use std::path::Path;
use std::path::PathBuf;

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Delivered;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;

const NUMBER: &str = "0312345678@fax.example";
const OWN: &str = "tanaka@customer.example";
const INBOX: &str = "inbox@customer.example";
const STRANGER: &str = "stranger@elsewhere.example";
const NEW: &str = "Ringo9tree";
const SUBJECT: &str = "InterFAXパスワード";

/// As the published service: mismatches are told.
const TELLING: &[u8] = b"[policy]\nmin_length = 7\n[reset]\ndisclose_mismatch = true\n";

fn start() -> Gateway {
    let accounts = [Account::tanaka(), Account::suzuki()];
    Gateway::start(Setup::new(&accounts).web())
}

/// A gateway with an account `tanaka` of this profile.
fn start_with(profile: &str) -> Gateway {
    let account = Account::tanaka().set("profile", &format!("{profile:?}"));
    let account = match profile {
        // Where the body asks for a password of its own, this story has none.
        "wakwak" => account.set("password_in_body", "false"),
        _ => account,
    };
    let setup = Setup::new(&[account]).web();
    let setup = setup.set("gateway", "profiles", "\"kinds\"");
    Gateway::start(setup.file("kinds/telling.toml", TELLING))
}

/// Asks for a reset; the status code, and where the answer leads or what it says.
fn ask(browser: &mut Browser, login_id: &str, email: &str) -> (u16, String) {
    let csrf = browser.get("/reset").csrf();
    let fields = [("login_id", login_id), ("email", email), ("csrf", &csrf)];
    let answer = browser.post("/reset", &fields);
    let said = answer.header("location").map(str::to_owned);
    (answer.code, said.unwrap_or_else(|| answer.body()))
}

/// The path of the link in a mail, from its text.
fn link(mail: &Delivered) -> String {
    let body = mail.body();
    let at = body.find("/reset/").unwrap();
    let is_part = |c: &char| c.is_ascii_alphanumeric() || "-_/".contains(*c);
    body[at..].chars().take_while(is_part).collect()
}

/// The link that is mailed to `to` on request.
fn mailed(gateway: &Gateway, to: &str) -> String {
    let before = resets(gateway, to).len();
    ask(&mut gateway.browser(), "tanaka", to);
    let mails = crate::gateway::wait_for("the reset mail", || {
        let mails = resets(gateway, to);
        (mails.len() > before).then_some(mails)
    });
    link(mails.last().unwrap())
}

fn resets(gateway: &Gateway, to: &str) -> Vec<Delivered> {
    let mut mails = gateway.sink.mails_to(to);
    mails.retain(|mail| mail.body().contains("/reset/"));
    mails
}

/// Saves a new password behind the link.
fn save(browser: &mut Browser, path: &str, further: &[(&str, &str)], new: &str) -> (u16, String) {
    let shown = browser.get(path);
    assert_eq!(shown.code, 200, "{}", shown.body());
    let csrf = shown.csrf();
    let mut fields = further.to_vec();
    fields.extend([("password", new), ("password_again", new), ("csrf", &csrf)]);
    let answer = browser.post(path, &fields);
    let said = answer.header("location").map(str::to_owned);
    (answer.code, said.unwrap_or_else(|| answer.body()))
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn asked() -> (u16, String) {
    (303, "/reset?asked=1".to_owned())
}

#[test]
fn i4_a_link_to_a_forwarding_address_leads_to_a_new_password_and_in() {
    let gateway = start();
    let mut old = gateway.logged_in("tanaka", RIGHT);
    gateway.accepts(&Mail::right(NUMBER));
    let mut browser = gateway.browser();
    assert!(browser.get("/login").body().contains("href=\"/reset\""));
    let path = mailed(&gateway, INBOX);
    let mail = resets(&gateway, INBOX).pop().unwrap();
    assert_eq!(mail.subject(), SUBJECT);
    let base = format!("http://{}{path}", gateway.web.unwrap());
    assert!(
        mail.body().lines().any(|line| line == base),
        "{}",
        mail.body()
    );
    assert_eq!(save(&mut browser, &path, &[], NEW), (303, "/sent".into()));
    assert_eq!(browser.get("/sent").code, 200, "logged in");
    // I7: the old password and its sessions are dead at once, whatever was remembered of them.
    assert_eq!(old.get("/sent").code, 303);
    assert_eq!(gateway.browser().log_in("tanaka", RIGHT).code, 401);
    gateway.logged_in("tanaka", NEW);
    gateway.refuses(&Mail::right(NUMBER));
    gateway.accepts(&Mail::password(NUMBER, NEW));
    let told = crate::gateway::wait_for("the notice", || {
        let mut mails = gateway.sink.mails_to(OWN);
        mails.retain(|mail| mail.subject().contains("再設定されました"));
        mails.pop()
    });
    assert!(!told.body().contains("/reset/"));
    let acts = gateway.events("acted");
    let what = |word: &str| {
        acts.iter()
            .any(|act| act["detail"].as_str().unwrap().contains(word))
    };
    assert!(what("reset-started") && what("password-reset"), "{acts:?}");
}

#[test]
fn i5_every_answer_is_the_same_and_strangers_get_no_mail() {
    let gateway = start();
    let mut pages = Vec::new();
    let floor = std::time::Duration::from_millis(250);
    for (login_id, email) in [
        ("tanaka", OWN),
        ("tanaka", STRANGER),
        ("nobody", STRANGER),
        ("nobody", OWN),
        ("suzuki", "suzuki@customer.example"),
        ("tanaka", "<b>x</b>"),
    ] {
        let mut browser = gateway.browser();
        let begun = std::time::Instant::now();
        let answer = ask(&mut browser, login_id, email);
        assert!(begun.elapsed() >= floor, "before the fixed time");
        assert_eq!(answer, asked(), "{login_id} {email}");
        pages.push(browser.get("/reset?asked=1").body());
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
    let mail = gateway.sink.wait_for(OWN, 1);
    gateway.lock("tanaka");
    let mut browser = gateway.browser();
    assert_eq!(ask(&mut browser, "tanaka", OWN), asked(), "locked too");
    gateway.unlock("tanaka");
    // The next mail is the last: nothing was sent in between.
    mailed(&gateway, OWN);
    assert_eq!(gateway.sink.mails_to(OWN).len(), mail.len() + 1);
    assert_eq!(gateway.sink.mails().len(), 2);
}

#[test]
fn i5_a_profile_may_tell_that_nothing_matches_and_that_the_account_is_locked() {
    let gateway = start_with("telling");
    let mut browser = gateway.browser();
    for (login_id, email) in [("tanaka", STRANGER), ("nobody", OWN)] {
        let (code, body) = ask(&mut browser, login_id, email);
        assert_eq!(code, 422);
        assert!(body.contains("No mail was sent"), "{body}");
        assert!(body.contains(&format!("value=\"{email}\"")), "{body}");
    }
    gateway.lock("tanaka");
    let (code, body) = ask(&mut browser, "tanaka", OWN);
    assert_eq!(code, 423);
    assert!(body.contains("The lock ends"), "{body}");
    gateway.unlock("tanaka");
    for _ in 0..6 {
        assert_eq!(ask(&mut browser, "tanaka", OWN), asked());
    }
    let (code, body) = ask(&mut browser, "tanaka", OWN);
    assert!(code == 422 && body.contains("Several mails"), "{body}");
}

#[test]
fn i6_looking_at_the_page_uses_nothing_up_and_saving_does() {
    let gateway = start();
    let path = mailed(&gateway, OWN);
    for n in 0..10 {
        let method = if n % 2 == 0 { "GET" } else { "HEAD" };
        assert_eq!(gateway.browser().ask(method, &path, None).code, 200);
    }
    let mut browser = gateway.browser();
    let shown = browser.get(&path);
    assert_eq!(shown.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let token = path.strip_prefix("/reset/").unwrap();
    assert!(!shown.body().contains(token), "the page repeats it");
    let csrf = shown.csrf();
    // A password that is refused uses up neither the link nor a strike.
    for (first, second, said) in [
        ("kaki", "kaki", "at least 7 characters"),
        ("tanaka", "tanaka", "must not be the login ID"),
        (NEW, "Ringo8tree", "not the same"),
    ] {
        let fields = [
            ("password", first),
            ("password_again", second),
            ("csrf", &csrf),
        ];
        let answer = browser.post(&path, &fields);
        assert_eq!(answer.code, 422);
        assert!(answer.body().contains(said), "{}", answer.body());
        assert!(!answer.body().contains(second), "it is repeated");
    }
    assert_eq!(gateway.strikes("tanaka"), 0);
    assert_eq!(save(&mut browser, &path, &[], NEW).0, 303);
    for (mut late, method) in [(browser.clone(), "GET"), (browser, "POST")] {
        let fields = format!("csrf={csrf}&password={NEW}&password_again={NEW}");
        let form = (method == "POST").then_some(fields.as_str());
        let csrf_cookie = late.get("/reset").csrf();
        let form = form.map(|form| form.replace(&csrf, &csrf_cookie));
        let answer = late.ask(method, &path, form.as_deref());
        assert_eq!(answer.code, 410, "{method}");
        assert!(
            answer.body().contains("href=\"/reset\""),
            "{}",
            answer.body()
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[test]
fn i6_a_link_that_ended_or_never_was_leads_back_to_the_start() {
    let gateway = start();
    let path = mailed(&gateway, OWN);
    gateway.change_state("UPDATE password_reset SET ends_at = ends_at - 3600000;");
    let mut browser = gateway.browser();
    let ended = browser.get(&path);
    assert_eq!(ended.code, 410);
    for unknown in [format!("/reset/{}", "A".repeat(43)), "/reset/x%00y".into()] {
        let answer = browser.get(&unknown);
        assert_eq!((answer.code, answer.body()), (410, ended.body()));
    }
}

#[test]
fn i7_a_link_is_void_once_the_password_is_another() {
    let gateway = start();
    let (first, second) = (mailed(&gateway, OWN), mailed(&gateway, OWN));
    assert_ne!(first, second);
    let mut browser = gateway.browser();
    assert_eq!(
        browser.get(&first).code,
        200,
        "a second mail voids no first"
    );
    assert_eq!(save(&mut browser, &second, &[], NEW).0, 303);
    assert_eq!(browser.get(&first).code, 410);
    let third = mailed(&gateway, OWN);
    gateway.write_accounts(&[Account::tanaka().password("kaki9sample")]);
    gateway.hang_up();
    crate::gateway::wait_for("the new accounts", || {
        (gateway.browser().get(&third).code == 410).then_some(())
    });
}

#[test]
fn i8_no_reset_while_locked() {
    let gateway = start();
    let path = mailed(&gateway, OWN);
    let mut browser = gateway.browser();
    let csrf = browser.get(&path).csrf();
    gateway.lock("tanaka");
    assert_eq!(ask(&mut gateway.browser(), "tanaka", OWN), asked());
    let shown = browser.get(&path);
    assert_eq!(shown.code, 423);
    assert!(shown.body().contains("The lock ends"), "{}", shown.body());
    let fields = [("password", NEW), ("password_again", NEW), ("csrf", &csrf)];
    assert_eq!(browser.post(&path, &fields).code, 423);
    assert!(gateway.is_locked("tanaka"));
    gateway.unlock("tanaka");
    assert_eq!(
        save(&mut browser, &path, &[], NEW).0,
        303,
        "it was not used up"
    );
    assert_eq!(resets(&gateway, OWN).len(), 1);
}

#[test]
fn t1_the_page_asks_for_id_and_address_and_leads_to_the_login() {
    let gateway = start_with("twx21");
    let path = mailed(&gateway, OWN);
    let mail = resets(&gateway, OWN).pop().unwrap();
    assert!(!mail.body().contains("ログインID: "), "{}", mail.body());
    let mut browser = gateway.browser();
    let shown = browser.get(&path).body();
    assert!(shown.contains("name=\"login_id\"") && shown.contains("name=\"email\""));
    let wrong = [("login_id", "suzuki"), ("email", OWN)];
    let (code, body) = save(&mut browser, &path, &wrong, NEW);
    assert_eq!(code, 422);
    assert!(body.contains("aria-invalid=\"true\""), "{body}");
    let right = [("login_id", "TANAKA"), ("email", "Tanaka@customer.example")];
    let (code, to) = save(&mut browser, &path, &right, NEW);
    assert_eq!((code, to.as_str()), (303, "/login?reset=done"));
    let page = browser.get(&to).body();
    assert!(page.contains("The password was changed"), "{page}");
    gateway.logged_in("tanaka", NEW);
}

#[test]
fn t3_a_link_works_once_also_for_two_at_the_same_time() {
    let gateway = start_with("twx21");
    let path = mailed(&gateway, OWN);
    let codes: Vec<u16> = std::thread::scope(|scope| {
        let savers = (0..4).map(|n| {
            let (gateway, path) = (&gateway, &path);
            scope.spawn(move || {
                let mut browser = gateway.browser();
                let csrf = browser.get("/reset").csrf();
                let new = format!("{NEW}{n}");
                let fields = [
                    ("login_id", "tanaka"),
                    ("email", OWN),
                    ("password", &new),
                    ("password_again", &new),
                    ("csrf", &csrf),
                ];
                browser.post(path, &fields).code
            })
        });
        let savers: Vec<_> = savers.collect();
        savers
            .into_iter()
            .map(|saver| saver.join().unwrap())
            .collect()
    });
    let saved = codes.iter().filter(|code| **code == 303).count();
    let over = codes.iter().filter(|code| **code == 410).count();
    assert_eq!((saved, over), (1, 3), "{codes:?}");
}

#[test]
fn t4_a_reset_while_locked_unlocks_where_the_profile_says_so() {
    let gateway = start_with("twx21");
    gateway.lock("tanaka");
    let path = mailed(&gateway, OWN);
    assert!(gateway.is_locked("tanaka"), "asking does not unlock");
    let right = [("login_id", "tanaka"), ("email", OWN)];
    assert_eq!(save(&mut gateway.browser(), &path, &right, NEW).0, 303);
    assert!(!gateway.is_locked("tanaka"));
    gateway.logged_in("tanaka", NEW);
}

#[test]
fn t7_an_administrator_starts_a_reset_and_never_sees_what_is_mailed() {
    let gateway = start();
    let output = gateway.must(&["account", "reset", "tanaka"]);
    assert_eq!(output.stdout, "a mail goes to t…@customer.example\n");
    gateway.let_waiting_end();
    let mails = gateway.sink.wait_for(OWN, 1);
    assert!(
        mails[0].body().contains("管理者が開始"),
        "{}",
        mails[0].body()
    );
    let token = link(&mails[0]);
    assert!(!output.stdout.contains(&token) && !output.stderr.contains(&token));
    assert_eq!(save(&mut gateway.browser(), &token, &[], NEW).0, 303);
    let none = gateway.command(&["account", "reset", "suzuki"]);
    assert_eq!(none.code, 69);
    assert!(none.stderr.contains("no password"), "{}", none.stderr);
    assert_eq!(gateway.command(&["account", "reset", "nobody"]).code, 67);
}

#[test]
fn w3_a_temporary_password_works_once_the_old_one_until_then() {
    let gateway = start_with("wakwak");
    let mut browser = gateway.browser();
    assert_eq!(
        ask(&mut browser, "tanaka", ""),
        asked(),
        "by login ID alone"
    );
    let mail = gateway.sink.wait_for(OWN, 1).pop().unwrap();
    let (body, temporary) = (mail.body(), temporary_of(&mail));
    assert!(
        !body.contains("tanaka"),
        "ID and password in one mail: {body}"
    );
    gateway.logged_in("tanaka", RIGHT);
    for file in files(&gateway.path("var")) {
        let bytes = std::fs::read(&file).unwrap();
        let kept = memchr::memmem::find(&bytes, temporary.as_bytes());
        assert!(kept.is_none(), "{}", file.display());
    }
    let mut owner = gateway.browser();
    let answer = owner.log_in("tanaka", &temporary);
    assert_eq!(answer.code, 303, "{}", answer.body());
    let only = owner.get("/sent");
    assert_eq!(
        (only.code, only.header("location")),
        (303, Some("/password"))
    );
    assert_eq!(gateway.browser().log_in("tanaka", RIGHT).code, 401);
    let mut changed = owner.clone();
    gateway.change_state("UPDATE password_reset SET ends_at = asked_at;");
    assert_eq!(gateway.browser().log_in("tanaka", &temporary).code, 401);
    assert_eq!(gateway.strikes("tanaka"), 2, "wrong like any other");
    assert_eq!(changed.get("/password").code, 303, "its session has ended");
    assert_eq!(ask(&mut browser, "tanaka", ""), asked());
    let mail = gateway.sink.wait_for(OWN, 2).pop().unwrap();
    let second = temporary_of(&mail);
    assert_ne!(second, temporary);
    assert_eq!(changed.log_in("tanaka", &second).code, 303);
    let csrf = changed.get("/password").csrf();
    let fields = [
        ("current", second.as_str()),
        ("password", NEW),
        ("password_again", NEW),
        ("csrf", &csrf),
    ];
    assert_eq!(changed.post("/password", &fields).code, 303);
    assert_eq!(changed.get("/sent").code, 200);
    gateway.change_state("UPDATE password_reset SET ends_at = asked_at;");
    gateway.logged_in("tanaka", NEW);
}

/// The temporary password in a mail.
fn temporary_of(mail: &Delivered) -> String {
    let body = mail.body();
    let mut lines = body.lines();
    let line = lines.find_map(|line| line.strip_prefix("仮パスワード: "));
    line.unwrap().trim().to_owned()
}

#[test]
fn i9_a_reset_takes_any_password_but_the_one_that_was_issued() {
    let account = Account::tanaka().set("password_initial", "true");
    let gateway = Gateway::start(Setup::new(&[account]).web());
    let path = mailed(&gateway, OWN);
    let mut browser = gateway.browser();
    let (code, body) = save(&mut browser, &path, &[], RIGHT);
    assert_eq!(code, 422);
    assert!(body.contains("issued at the start"), "{body}");
    assert_eq!(save(&mut browser, &path, &[], NEW).0, 303);
    assert_eq!(browser.get("/sent").code, 200, "it is no initial one");
}

#[test]
fn a_foreign_host_has_no_say_in_the_link_and_the_token_is_kept_nowhere() {
    let accounts = [Account::tanaka()];
    let setup = Setup::new(&accounts).web().log("trace");
    let gateway = Gateway::start(setup.set("web", "base_url", "\"https://fax.example\""));
    let mut browser = gateway.browser();
    for name in ["Host", "X-Forwarded-Host", "X-Host", "Forwarded"] {
        browser.further.push((name.into(), "evil.example".into()));
    }
    let asked = ask(&mut browser, "tanaka", OWN);
    assert_eq!(
        asked,
        (303, "/reset?asked=1".into()),
        "no foreign host here"
    );
    let mail = gateway.sink.wait_for(OWN, 1).pop().unwrap();
    assert!(mail.body().contains("https://fax.example/reset/") && !mail.text().contains("evil"));
    let path = link(&mail);
    let token = path.strip_prefix("/reset/").unwrap();
    assert_eq!(browser.get(&path).code, 200);
    assert_eq!(save(&mut browser, &path, &[], NEW).0, 303);
    for file in files(gateway.folder()) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [token, NEW] {
            let kept = memchr::memmem::find(&bytes, secret.as_bytes());
            assert!(kept.is_none(), "{} in {}", secret, file.display());
        }
    }
}

#[test]
fn a_reset_without_its_form_does_nothing_and_an_address_has_six_a_minute() {
    let setup = Setup::new(&[Account::tanaka()]).web();
    let gateway = Gateway::start(setup.set("web", "max_resets_per_minute", "6"));
    let mut browser = gateway.browser();
    let own = browser.get("/reset").csrf();
    let foreign = gateway.browser().get("/reset").csrf();
    let fields = [("login_id", "tanaka"), ("email", OWN)];
    for csrf in [None, Some(""), Some(foreign.as_str())] {
        let mut fields = fields.to_vec();
        fields.extend(csrf.map(|csrf| ("csrf", csrf)));
        assert_eq!(browser.post("/reset", &fields).code, 403, "{csrf:?}");
    }
    let mut evil = browser.clone();
    evil.further
        .push(("Origin".into(), "https://evil.example".into()));
    let with_own = [fields[0], fields[1], ("csrf", &own)];
    assert_eq!(evil.post("/reset", &with_own).code, 403);
    let missing = browser.post("/reset", &[("csrf", &own)]);
    assert_eq!(missing.code, 422);
    assert!(missing.body().contains("Please type your login ID"));
    for _ in 0..5 {
        assert_eq!(ask(&mut browser, "nobody", STRANGER), asked());
    }
    let many = browser.post("/reset", &with_own);
    assert_eq!((many.code, many.header("retry-after")), (429, Some("60")));
    assert!(gateway.sink.mails().is_empty());
}

#[test]
fn a_mail_that_leaves_after_the_end_of_its_link_does_not_leave() {
    let mut gateway = start();
    gateway.sink.go_away();
    ask(&mut gateway.browser(), "tanaka", OWN);
    crate::gateway::wait_for("the first try", || {
        gateway
            .log_text()
            .contains("a mail was not taken")
            .then_some(())
    });
    gateway.change_state("UPDATE password_reset SET ends_at = ends_at - 3600000;");
    gateway.sink.come_back();
    gateway.let_waiting_end();
    crate::gateway::wait_for("the end of it", || {
        (!gateway.events("not-notified").is_empty()).then_some(())
    });
    assert!(gateway.sink.mails().is_empty());
}

#[test]
fn the_form_of_a_link_needs_its_token_and_sent_twice_it_says_that_the_link_is_over() {
    let gateway = start();
    let path = mailed(&gateway, OWN);
    let mut browser = gateway.browser();
    let csrf = browser.get(&path).csrf();
    let mut save = |csrf: &str| {
        let fields = [("password", NEW), ("password_again", NEW), ("csrf", csrf)];
        browser.post(&path, &fields)
    };
    for wrong in ["", "0123"] {
        assert_eq!(save(wrong).code, 403, "{wrong:?}");
    }
    assert_eq!(save(&csrf).code, 303);
    for replayed in [csrf.as_str(), ""] {
        let again = save(replayed);
        assert_eq!(again.code, 410, "{replayed:?}");
        assert!(again.body().contains("href=\"/reset\""), "{}", again.body());
    }
}
