//! People change their passwords (rows I1, I2, I7, I9, I11, R1, T8, W1, W2), under the one lock.

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::hash_of;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const NEW: &str = "Ringo!9tree";

fn start(account: Account) -> Gateway {
    Gateway::start(Setup::new(&[account]).web().tls(Made::shared()))
}

fn smtp(gateway: &Gateway, login_id: &str, password: &str) -> String {
    Smtp::starttls(gateway.smtp, Made::shared()).log_in(login_id, password)
}

/// Fills in the form of `/password` and sends it.
fn change(browser: &mut Browser, kind: &str, current: &str, new: &str) -> (u16, String, String) {
    let csrf = browser.get("/password").csrf();
    let fields = [
        ("csrf", csrf.as_str()),
        ("kind", kind),
        ("current", current),
        ("password", new),
        ("password_again", new),
    ];
    let answer = browser.post("/password", &fields);
    let to = answer.header("location").unwrap_or_default().to_owned();
    (answer.code, to, answer.body())
}

fn changed(browser: &mut Browser, kind: &str, current: &str, new: &str) {
    let (code, to, body) = change(browser, kind, current, new);
    assert_eq!((code, to.as_str()), (303, "/settings"), "{body}");
}

#[test]
fn i7_a_change_ends_the_old_password_at_every_door_and_other_sessions() {
    let mut gateway = start(Account::tanaka());
    gateway.accepts(&Mail::right(NUMBER));
    let mut own = gateway.logged_in("tanaka", RIGHT);
    let mut other = gateway.logged_in("tanaka", RIGHT);
    let mut open = Smtp::starttls(gateway.smtp, Made::shared());
    assert!(open.log_in("tanaka", RIGHT).starts_with("235 "));
    let before = own.cookies["faxgate"].clone();
    changed(&mut own, "", RIGHT, NEW);
    assert_ne!(own.cookies["faxgate"], before, "a new session");
    let body = own.get("/settings").body();
    assert!(
        body.contains("role=\"status\">The password is changed"),
        "{body}"
    );
    assert_eq!(other.get("/sent").header("location"), Some("/login"));
    let reply = open.say("MAIL FROM:<tanaka@customer.example>");
    assert!(
        !reply.starts_with("250"),
        "what it had opened is over: {reply}"
    );
    gateway.refuses(&Mail::right(NUMBER));
    assert!(smtp(&gateway, "tanaka", RIGHT).starts_with("535 "));
    assert_eq!(gateway.strikes("tanaka"), 2);
    gateway.accepts(&Mail::password(NUMBER, NEW));
    assert!(smtp(&gateway, "tanaka", NEW).starts_with("235 "));
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    let told = mails
        .iter()
        .any(|mail| mail.subject().contains("パスワードが変更されました"));
    assert!(told, "the owner is told");
    let events = gateway.account("tanaka")["events"].to_string();
    assert!(events.contains("password-changed"), "{events}");
    gateway.terminate();
    gateway.serve();
    gateway.logged_in("tanaka", NEW);
    gateway.refuses(&Mail::right(NUMBER));
}

#[test]
fn i9_a_rejected_password_says_why_beside_its_field_and_uses_up_no_strike() {
    let gateway = start(Account::tanaka());
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    for (new, reason) in [
        ("Ringo9", "needs at least 7 characters"),
        ("Ringo!9treeRingo!", "may have at most 16 characters"),
        ("ringotree", "needs at least one digit"),
        ("Ringo^9tree", "only these symbols are allowed: ! @ # $ %"),
        ("TANAKA", "must not be the login ID"),
        ("Password1", "everybody tries first"),
        (RIGHT, "must not be the one in use"),
    ] {
        let (code, _, body) = change(&mut browser, "", RIGHT, new);
        assert_eq!(code, 422, "{new}");
        assert!(body.contains(reason), "{new}: {body}");
        assert!(
            body.contains("aria-invalid=\"true\"") && !body.contains(new),
            "{body}"
        );
    }
    let csrf = browser.get("/password").csrf();
    let fields = [
        ("csrf", csrf.as_str()),
        ("current", RIGHT),
        ("password", NEW),
        ("password_again", "Ringo!9treE"),
    ];
    let answer = browser.post("/password", &fields);
    assert!(answer.code == 422 && answer.body().contains("not the same"));
    assert_eq!(gateway.strikes("tanaka"), 0);
    let nothing = [
        ("current", RIGHT),
        ("password", NEW),
        ("password_again", NEW),
    ];
    assert_eq!(browser.post("/password", &nothing).code, 403, "no token");
    gateway.accepts(&Mail::right(NUMBER));
}

#[test]
fn c3_a_wrong_current_password_is_a_strike_like_a_wrong_login() {
    let gateway = start(Account::tanaka());
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let nothing = change(&mut browser, "", "", NEW).0;
    assert_eq!((nothing, gateway.strikes("tanaka")), (422, 0), "no guess");
    let spaces = change(&mut browser, "", "   ", NEW).0;
    assert_eq!((spaces, gateway.strikes("tanaka")), (401, 1), "a guess");
    gateway.unlock("tanaka");
    let mut codes = Vec::new();
    for wrong in ["kaki8wrong", "kaki9wrong", "kaki7wrong", RIGHT] {
        codes.push(change(&mut browser, "", wrong, NEW).0);
    }
    assert_eq!(
        codes,
        [401, 401, 423, 423],
        "while locked the right one too"
    );
    assert!(gateway.is_locked("tanaka"));
    gateway.refuses(&Mail::right(NUMBER));
    gateway.unlock("tanaka");
    gateway.accepts(&Mail::right(NUMBER));
}

#[test]
fn a_password_typed_again_takes_nothing_from_the_logins_of_an_address_and_has_a_limit_too() {
    let setup = Setup::new(&[Account::tanaka()]).web();
    let gateway = Gateway::start(setup.set("web", "max_logins_per_minute", "3"));
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    gateway.logged_in("tanaka", RIGHT);
    gateway.logged_in("tanaka", RIGHT);
    assert_eq!(gateway.browser().log_in("tanaka", RIGHT).code, 429);
    let csrf = browser.get("/confirm").csrf();
    let fields = [("csrf", csrf.as_str()), ("password", RIGHT)];
    let codes: Vec<u16> = (0..4)
        .map(|_| browser.post("/confirm", &fields).code)
        .collect();
    assert_eq!(codes, [303, 303, 303, 429]);
}

#[test]
fn i1_an_initial_password_opens_the_change_page_only_and_no_mail_door() {
    let gateway = start(Account::tanaka().set("password_initial", "true"));
    assert!(gateway.mail(&Mail::right(NUMBER)).starts_with("550 5.7.8 "));
    assert!(smtp(&gateway, "tanaka", RIGHT).starts_with("535 "));
    assert_eq!(gateway.strikes("tanaka"), 0, "it is the right one");
    let mut browser = gateway.browser();
    assert_eq!(browser.log_in("tanaka", RIGHT).code, 303);
    for path in ["/sent", "/received", "/settings", "/confirm?to=/sent"] {
        let answer = browser.get(path);
        assert_eq!(
            (answer.code, answer.header("location")),
            (303, Some("/password")),
            "{path}"
        );
    }
    let page = browser.get("/password");
    assert!(
        page.code == 200 && page.body().contains("issued to you"),
        "{}",
        page.body()
    );
    let (code, _, body) = change(&mut browser, "", RIGHT, RIGHT);
    assert!(code == 422 && body.contains("issued to you"), "{body}");
    let mut leaving = browser.clone();
    let csrf = leaving.get("/password").csrf();
    changed(&mut browser, "", RIGHT, NEW);
    assert_eq!(leaving.post("/logout", &[("csrf", &csrf)]).code, 303);
    assert_eq!(browser.get("/sent").code, 200);
    gateway.accepts(&Mail::password(NUMBER, NEW));
    assert!(smtp(&gateway, "tanaka", NEW).starts_with("235 "));
    let (code, _, body) = change(&mut browser, "", NEW, RIGHT);
    assert_eq!(code, 422, "never again the one that was issued: {body}");
}

#[test]
fn i11_the_services_that_use_a_password_are_shown_before_it_changes() {
    let gateway = start(Account::tanaka());
    let body = gateway.logged_in("tanaka", RIGHT).get("/password").body();
    for place in [
        "in the text of mails",
        "SMTP AUTH",
        "this site",
        "would lock",
    ] {
        assert!(body.contains(place), "{place}: {body}");
    }
    let gateway = start(Account::tanaka().set("password_in_body", "false"));
    let body = gateway.logged_in("tanaka", RIGHT).get("/password").body();
    assert!(!body.contains("in the text of mails"), "{body}");
}

#[test]
fn reasons_come_as_one_types_and_change_nothing() {
    let gateway = start(Account::tanaka());
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let csrf = browser.get("/password").csrf();
    let mut check = |password: &str, csrf: &str| {
        let answer = browser.post("/password/check", &[("csrf", csrf), ("password", password)]);
        (answer.code, answer.body())
    };
    let (code, body) = check("Ringo9", &csrf);
    assert!(code == 200 && body.contains("at least 7"), "{body}");
    assert!(
        !body.contains("<html") && !body.contains("Ringo9"),
        "a piece: {body}"
    );
    assert!(check(NEW, &csrf).1.contains("keeps the rules"));
    assert_eq!(check("", &csrf).1.trim(), "");
    assert!(
        check(RIGHT, &csrf).1.contains("keeps the rules"),
        "says nothing of the one in use"
    );
    assert_eq!(check(NEW, "").0, 403);
    assert_eq!(gateway.strikes("tanaka"), 0);
    gateway.accepts(&Mail::right(NUMBER));
}

/// A profile that splits `password` at `at`.
fn split(at: &str) -> String {
    format!(
        "[policy]\nmin_length = 6\n[split]\nat = \"{at}\"\n[split.doors]\nsmtp = \"smtp_password\"\n\
         [change]\nonline = [\"password\", \"smtp_password\"]\n"
    )
}

fn start_split(at: &str) -> Gateway {
    let account = Account::tanaka().set("profile", "\"own\"");
    let setup = Setup::new(&[account])
        .web()
        .tls(Made::shared())
        .set("gateway", "profiles", "\"kinds\"")
        .file("kinds/own.toml", split(at).as_bytes());
    Gateway::start(setup)
}

#[test]
fn w2_before_the_split_one_change_counts_at_both_doors() {
    let gateway = start_split("2999-01-01T00:00:00Z");
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let body = browser.get("/password").body();
    assert!(
        body.contains("SMTP AUTH") && !body.contains("kind=smtp_password"),
        "{body}"
    );
    assert_eq!(
        change(&mut browser, "smtp_password", RIGHT, NEW).0,
        404,
        "not yet its own"
    );
    changed(&mut browser, "", RIGHT, NEW);
    gateway.logged_in("tanaka", NEW);
    assert!(smtp(&gateway, "tanaka", NEW).starts_with("235 "));
    assert!(smtp(&gateway, "tanaka", RIGHT).starts_with("535 "));
}

#[test]
fn w1_after_the_split_each_password_changes_without_the_other() {
    let gateway = start_split("2020-01-01T00:00:00Z");
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(
        smtp(&gateway, "tanaka", RIGHT).starts_with("235 "),
        "both begin as the old one"
    );
    let body = browser.get("/password").body();
    assert!(body.contains("kind=smtp_password"), "{body}");
    changed(&mut browser, "password", RIGHT, NEW);
    gateway.logged_in("tanaka", NEW);
    assert_eq!(gateway.browser().log_in("tanaka", RIGHT).code, 401);
    assert!(
        smtp(&gateway, "tanaka", RIGHT).starts_with("235 "),
        "the connection password stays"
    );
    changed(&mut browser, "smtp_password", NEW, "budou6connection");
    gateway.logged_in("tanaka", NEW);
    assert!(smtp(&gateway, "tanaka", "budou6connection").starts_with("235 "));
    for old in [RIGHT, NEW] {
        assert!(smtp(&gateway, "tanaka", old).starts_with("535 "), "{old}");
    }
}

#[test]
fn t8_the_lock_of_twx21_ends_by_no_time_and_says_whom_to_ask() {
    let account = Account::tanaka()
        .set("profile", "\"twx21\"")
        .set("company", "\"umi\"");
    let gateway = start(account);
    let mut browser = gateway.browser();
    let mut codes = Vec::new();
    for n in 0..5 {
        codes.push(browser.log_in("tanaka", &format!("kaki{n}wrong")).code);
    }
    assert_eq!(codes, [401, 401, 401, 401, 423]);
    let body = browser.log_in("tanaka", RIGHT).body();
    assert!(body.contains("time does not end this lock"), "{body}");
    assert!(
        body.contains("a member asks the admin of the company"),
        "{body}"
    );
    assert!(!body.contains("9999"), "{body}");
    gateway.change_state("UPDATE strikes SET first_at = first_at - 864000000000;");
    assert!(gateway.is_locked("tanaka"), "years later");
    let notice = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(
        notice[0].body().contains("貴社の管理者"),
        "{}",
        notice[0].body()
    );
    gateway.unlock("tanaka");
    gateway.logged_in("tanaka", RIGHT);
}

#[test]
fn r1_r2_the_mail_password_is_changed_by_who_logs_in_with_the_mail_address_and_ftp_never() {
    let (mail, ftp) = (hash_of("Kaki8mail"), hash_of("Kaki8ftp"));
    let account = Account::new("tanaka")
        .set("login_id", "\"tanaka.ichiro@rim.example\"")
        .set("profile", "\"rimnet\"")
        .set("mail_password", &format!("{mail:?}"))
        .set("ftp_password", &format!("{ftp:?}"))
        .set("password_in_body", "true");
    let gateway = start(account);
    let mut browser = gateway.logged_in("Tanaka.Ichiro@rim.example", "Kaki8mail");
    assert!(!browser.get("/password").body().contains("ftp_password"));
    assert_eq!(
        change(&mut browser, "ftp_password", "Kaki8mail", "Ringo9tree").0,
        404
    );
    let (code, _, body) = change(&mut browser, "", "Kaki8mail", "ringo9tree");
    assert!(
        code == 422 && body.contains("one upper-case letter"),
        "{body}"
    );
    changed(&mut browser, "", "Kaki8mail", "Ringo9tree");
    gateway.accepts(&Mail::password(NUMBER, "Ringo9tree"));
    gateway.refuses(&Mail::password(NUMBER, "Kaki8mail"));
}

#[test]
fn a_password_typed_once_more_leads_on_within_this_site_only() {
    let gateway = start(Account::tanaka());
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut confirm = |to: &str, password: &str| {
        let csrf = browser.get("/confirm?to=/settings").csrf();
        let fields = [("csrf", csrf.as_str()), ("to", to), ("password", password)];
        let answer = browser.post("/confirm", &fields);
        (answer.code, answer.header("location").map(str::to_owned))
    };
    assert_eq!(confirm("/settings", RIGHT), (303, Some("/settings".into())));
    assert_eq!(
        confirm("//evil.example", RIGHT),
        (303, Some("/sent".into()))
    );
    assert_eq!(confirm("/settings", "kaki8wrong").0, 401);
    assert_eq!(gateway.strikes("tanaka"), 1);
    assert_eq!(confirm("/settings", "kaki9wrong").0, 401);
    assert_eq!(confirm("/settings", "kaki7wrong").0, 423);
    assert!(gateway.is_locked("tanaka"));
}

#[test]
fn i2_whoever_has_an_old_password_is_reminded_on_pages_and_by_one_mail() {
    let mut gateway = start(Account::tanaka());
    wait_for("the password to be known", || {
        let database = rusqlite::Connection::open(gateway.path("var/faxgate.sqlite3")).unwrap();
        let count = "SELECT COUNT(*) FROM password_age";
        let count: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
        (count > 0).then_some(())
    });
    let shown = |gateway: &Gateway| {
        let body = gateway.logged_in("tanaka", RIGHT).get("/sent").body();
        body.contains("in use for 91 days")
    };
    assert!(!shown(&gateway));
    gateway.terminate();
    gateway.change_state("UPDATE password_age SET since = since - 91 * 86400000;");
    gateway.serve();
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(mails[0].subject().contains("パスワード変更のお願い"));
    assert!(mails[0].body().contains("91日"), "{}", mails[0].body());
    assert!(shown(&gateway));
    gateway.terminate();
    gateway.serve();
    assert!(shown(&gateway));
    assert_eq!(gateway.sink.mails().len(), 1, "once a period");
    changed(&mut gateway.logged_in("tanaka", RIGHT), "", RIGHT, NEW);
    let body = gateway.logged_in("tanaka", NEW).get("/sent").body();
    assert!(!body.contains("in use for"), "{body}");
}

#[test]
fn a_password_that_the_administrator_writes_ends_the_one_that_was_changed() {
    let gateway = start(Account::tanaka());
    changed(&mut gateway.logged_in("tanaka", RIGHT), "", RIGHT, NEW);
    let mut browser = gateway.logged_in("tanaka", NEW);
    let before = gateway.events_of_reload();
    gateway.write_accounts(&[Account::tanaka().password("budou6admin")]);
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
    assert_eq!(browser.get("/sent").header("location"), Some("/login"));
    assert_eq!(gateway.browser().log_in("tanaka", NEW).code, 401);
    gateway.logged_in("tanaka", "budou6admin");
}
