//! Logging in at the account web: the one lock (rows I8, C3), sessions, forms.

use crate::certificates::Made;
use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const WRONG: &str = "kaki8wrong";

fn start() -> Gateway {
    let accounts = [Account::tanaka(), Account::suzuki()];
    Gateway::start(Setup::new(&accounts).web())
}

/// Status codes of wrong logins one after the other.
fn wrong_logins(gateway: &Gateway, login_id: &str, times: usize) -> Vec<u16> {
    let mut browser = gateway.browser();
    let mut codes = Vec::new();
    for _ in 0..times {
        codes.push(browser.log_in(login_id, WRONG).code);
    }
    codes
}

fn is_in(browser: &mut Browser) -> bool {
    let answer = browser.get("/sent");
    assert!([200, 303].contains(&answer.code), "{}", answer.body());
    answer.code == 200
}

#[test]
fn a_right_login_leads_to_the_history_under_a_new_session() {
    let gateway = start();
    let mut browser = gateway.browser();
    let first = browser.get("/sent");
    assert_eq!(
        (first.code, first.header("location")),
        (303, Some("/login"))
    );
    let planted = "0".repeat(64);
    browser.cookies.insert("faxgate".into(), planted.clone());
    let answer = browser.log_in("TANAKA", RIGHT);
    assert_eq!(
        (answer.code, answer.header("location")),
        (303, Some("/sent"))
    );
    let session = browser.cookies["faxgate"].clone();
    assert_ne!(session, planted, "a session that was planted is not used");
    let line = answer.header("set-cookie").unwrap();
    for part in ["faxgate=", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(is_in(&mut browser));
    let mut again = browser.clone();
    assert_eq!(again.get("/login").code, 303, "no form for whoever is in");
    again.cookies.remove("faxgate");
    again.log_in("tanaka", RIGHT);
    assert_ne!(again.cookies["faxgate"], session, "each login has its own");
    let database = std::fs::read(gateway.path("var/faxgate.sqlite3-wal")).unwrap_or_default();
    let main = std::fs::read(gateway.path("var/faxgate.sqlite3")).unwrap();
    for bytes in [database, main] {
        let found = memchr::memmem::find(&bytes, session.as_bytes());
        assert!(found.is_none(), "the cookie itself is stored");
    }
}

#[test]
fn c3_who_hangs_up_while_the_password_is_checked_is_counted_all_the_same() {
    let gateway = start();
    let mut browser = gateway.browser();
    wait_for("the lock", || {
        browser.log_in_and_hang_up("tanaka", WRONG);
        gateway.is_locked("tanaka").then_some(())
    });
}

#[test]
fn i8_three_wrong_logins_lock_every_door_and_say_until_when() {
    let made = Made::shared();
    let accounts = [Account::tanaka(), Account::suzuki()];
    let gateway = Gateway::start(Setup::new(&accounts).web().tls(made));
    assert_eq!(wrong_logins(&gateway, "tanaka", 3), [401, 401, 423]);
    let account = gateway.account("tanaka");
    assert_eq!(account["locked"], true);
    let mut browser = gateway.browser();
    let answer = browser.log_in("tanaka", RIGHT);
    assert_eq!(answer.code, 423, "the right one too");
    let until: jiff::Timestamp = account["locked_until"].as_str().unwrap().parse().unwrap();
    let until = until.in_tz("Asia/Tokyo").unwrap();
    let shown = until.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let body = answer.body();
    assert!(body.contains(&shown), "{shown}: {body}");
    assert!(body.contains("faxes are received"), "{body}");
    gateway.refuses(&Mail::right(NUMBER));
    let mut smtp = Smtp::starttls(gateway.smtp, made);
    assert!(smtp.log_in("tanaka", RIGHT).starts_with("535"));
    let notices = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert!(notices[0].body().contains("ウェブ画面のログイン"));
    gateway.unlock("tanaka");
    gateway.logged_in("tanaka", RIGHT);
    gateway.accepts(&Mail::right(NUMBER));
}

#[test]
fn c3_three_wrong_mails_lock_the_web_and_wrong_ones_of_both_count_together() {
    let gateway = start();
    gateway.lock_by_mail();
    let mut browser = gateway.browser();
    assert_eq!(browser.log_in("tanaka", RIGHT).code, 423);
    gateway.unlock("tanaka");
    assert_eq!(wrong_logins(&gateway, "tanaka", 2), [401, 401]);
    gateway.refuses(&Mail::wrong(NUMBER));
    assert!(gateway.is_locked("tanaka"));
    gateway.unlock("tanaka");
    assert_eq!(wrong_logins(&gateway, "tanaka", 2), [401, 401]);
    gateway.logged_in("tanaka", RIGHT);
    assert_eq!(gateway.strikes("tanaka"), 0, "a right one forgives");
}

#[test]
fn a_session_from_before_the_lock_goes_on_and_says_that_it_stands() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    gateway.lock("tanaka");
    let answer = browser.get("/sent");
    assert_eq!(answer.code, 200);
    assert!(answer.body().contains("This account is locked"));
}

#[test]
fn login_ids_that_nobody_has_are_answered_like_accounts() {
    let gateway = start();
    let answers = |login_id: &str| {
        let mut browser = gateway.browser();
        let one = |_| {
            let answer = browser.log_in(login_id, WRONG);
            let body = answer.body().replace(login_id, "ID");
            let csrf = browser.get("/login").csrf();
            (answer.code, without_time(&body.replace(&csrf, "CSRF")))
        };
        (0..5).map(one).collect::<Vec<_>>()
    };
    let known = answers("tanaka");
    let codes: Vec<u16> = known.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [401, 401, 423, 423, 423]);
    // `suzuki` has no password to log in with.
    for login_id in ["nobody", "suzuki", "<b>nobody</b>"] {
        let answered = answers(login_id);
        match login_id.contains('<') {
            true => assert_eq!(answered[2], known[2]),
            false => assert_eq!(answered, known, "{login_id}"),
        }
    }
    let other_case = wrong_logins(&gateway, "NOBODY", 1);
    assert_eq!(other_case, [423], "the case of an ID does not count");
    gateway.change_state("UPDATE shadow_strikes SET first_at = 0, locked_until = 1;");
    assert_eq!(wrong_logins(&gateway, "nobody", 1), [401], "it ends");
}

/// Without the text of a point in time.
fn without_time(body: &str) -> String {
    let mut parts = body.split("<time");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once("</time>").unwrap().1
    })
}

#[test]
fn i12_wrong_logins_at_the_same_time_are_counted_one_by_one() {
    let gateway = start();
    for login_id in ["tanaka", "nobody"] {
        let mut codes: Vec<u16> = std::thread::scope(|scope| {
            let logins = (0..10).map(|_| scope.spawn(|| wrong_logins(&gateway, login_id, 1)));
            let logins: Vec<_> = logins.collect();
            logins
                .into_iter()
                .flat_map(|login| login.join().unwrap())
                .collect()
        });
        codes.sort_unstable();
        assert_eq!(codes[..3], [401, 401, 423], "{login_id}: {codes:?}");
        let later = codes[3..].iter().all(|code| [423, 503].contains(code));
        assert!(later, "{login_id}: {codes:?}");
    }
    assert_eq!(gateway.events("struck").len(), 3);
}

#[test]
fn c3_a_login_that_cannot_be_counted_is_no_answer() {
    let gateway = start();
    for table in ["strikes", "shadow_strikes"] {
        gateway.change_state(&format!(
            "CREATE TRIGGER full_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END;"
        ));
    }
    assert_eq!(wrong_logins(&gateway, "tanaka", 2), [503, 503]);
    assert_eq!(wrong_logins(&gateway, "nobody", 2), [503, 503]);
    gateway.change_state("DROP TRIGGER full_strikes; DROP TRIGGER full_shadow_strikes;");
    assert_eq!(wrong_logins(&gateway, "tanaka", 3), [401, 401, 423]);
}

#[test]
fn a_form_without_its_token_does_nothing() {
    let gateway = start();
    let mut browser = gateway.browser();
    let mut other = gateway.browser();
    let foreign = other.get("/login").csrf();
    let own = browser.get("/login").csrf();
    let login = [("login_id", "tanaka"), ("password", WRONG)];
    for csrf in [None, Some(""), Some("x"), Some(foreign.as_str())] {
        let mut fields = login.to_vec();
        fields.extend(csrf.map(|csrf| ("csrf", csrf)));
        assert_eq!(browser.post("/login", &fields).code, 403, "{csrf:?}");
    }
    let mut bare = gateway.browser();
    let fields = [login[0], login[1], ("csrf", &own)];
    assert_eq!(bare.post("/login", &fields).code, 403, "without its cookie");
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "https://evil.example"),
    ] {
        let mut foreign = browser.clone();
        foreign.further.push((name.into(), value.into()));
        assert_eq!(foreign.post("/login", &fields).code, 403, "{name}");
    }
    assert_eq!(gateway.strikes("tanaka"), 0, "none of them was looked at");
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert_eq!(browser.post("/logout", &[]).code, 403);
    assert_eq!(browser.get("/logout").code, 405, "no change by a link");
    assert!(is_in(&mut browser));
}

#[test]
fn a_session_ends_at_logout_for_whoever_has_its_cookie() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut thief = browser.clone();
    let mut other = gateway.logged_in("tanaka", RIGHT);
    let csrf = browser.get("/sent").csrf();
    let answer = browser.post("/logout", &[("csrf", &csrf)]);
    assert_eq!(
        (answer.code, answer.header("location")),
        (303, Some("/login"))
    );
    assert!(!browser.cookies.contains_key("faxgate"));
    assert!(!is_in(&mut thief));
    assert!(is_in(&mut other), "only this one");
}

#[test]
fn whoever_is_logged_in_sees_the_other_sessions_and_ends_them() {
    let sato = Account::new("sato").password(RIGHT);
    let gateway = Gateway::start(Setup::new(&[Account::tanaka(), sato]).web());
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let mut lost = gateway.logged_in("tanaka", RIGHT);
    let mut other = gateway.logged_in("sato", RIGHT);
    let settings = browser.get("/settings");
    let body = settings.body();
    assert_eq!(body.matches("127.0.0.1").count(), 2, "{body}");
    assert_eq!(body.matches("this browser").count(), 1, "{body}");
    let csrf = settings.csrf();
    for wrong in ["", &other.get("/settings").csrf()] {
        let answer = browser.post("/settings/sessions", &[("csrf", wrong)]);
        assert_eq!(answer.code, 403);
    }
    assert!(is_in(&mut lost));
    let answer = browser.post("/settings/sessions", &[("csrf", &csrf)]);
    assert_eq!(answer.code, 303);
    assert!(is_in(&mut browser) && !is_in(&mut lost) && is_in(&mut other));
    let ended = gateway.events("logged-out");
    assert!(ended.iter().any(|event| event["account"] == "tanaka"));
}

#[test]
fn i7_a_changed_password_ends_sessions_and_a_restart_does_not() {
    let mut gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert_eq!(gateway.terminate(), Some(0));
    gateway.serve();
    assert!(is_in(&mut browser));
    let before = gateway.events_of_reload();
    let changed = Account::tanaka().password("kaki9sample");
    gateway.write_accounts(&[changed, Account::suzuki()]);
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
    assert!(!is_in(&mut browser));
    gateway.logged_in("tanaka", "kaki9sample");
}

#[test]
fn a_session_ends_when_it_is_idle_and_after_its_whole_time() {
    let gateway = start();
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let minutes = |n: i64| n * 60_000;
    let past = |column: &str, ms: i64| {
        gateway.change_state(&format!(
            "UPDATE web_session SET {column} = {column} - {ms};"
        ));
    };
    past("seen_at", minutes(29));
    assert!(is_in(&mut browser), "seen a while ago");
    past("seen_at", minutes(29));
    assert!(is_in(&mut browser), "seen again by that");
    past("seen_at", minutes(30));
    assert!(!is_in(&mut browser), "idle");
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    past("opened_at", minutes(12 * 60 - 1));
    assert!(is_in(&mut browser));
    past("opened_at", minutes(1));
    assert!(!is_in(&mut browser), "its whole time");
}

#[test]
fn an_address_has_ten_logins_a_minute_and_another_its_own() {
    let setup = Setup::new(&[Account::tanaka()])
        .web()
        .set("web", "max_logins_per_minute", "10")
        .set("web", "trusted_proxies", "[\"127.0.0.1\"]");
    let gateway = Gateway::start(setup);
    let mut browser = gateway.browser();
    for n in 0..10 {
        let login_id = format!("nobody{n}");
        assert_eq!(browser.log_in(&login_id, WRONG).code, 401);
    }
    let answer = browser.log_in("tanaka", RIGHT);
    assert_eq!(
        (answer.code, answer.header("retry-after")),
        (429, Some("60"))
    );
    let forwarded = ("X-Forwarded-For".to_owned(), "198.51.100.7".to_owned());
    browser.further.push(forwarded);
    assert_eq!(browser.log_in("tanaka", RIGHT).code, 303);
}

#[test]
fn a_door_of_the_web_may_ask_for_another_password_than_mails() {
    let profile = b"[doors]\nweb = \"mail_password\"\n";
    let account = Account::tanaka().set("profile", "\"split\"").set(
        "mail_password",
        &format!("{:?}", crate::gateway::hash_of("kaki9sample")),
    );
    let setup = Setup::new(&[account])
        .web()
        .set("gateway", "profiles", "\"profiles\"")
        .file("profiles/split.toml", profile);
    let gateway = Gateway::start(setup);
    assert_eq!(gateway.browser().log_in("tanaka", RIGHT).code, 401);
    gateway.logged_in("tanaka", "kaki9sample");
    gateway.accepts(&Mail::right(NUMBER));
}

#[test]
fn over_tls_in_front_the_cookie_is_bound_to_its_host() {
    let setup = Setup::new(&[Account::tanaka()]).web();
    let gateway = Gateway::start(setup.set("web", "base_url", "\"https://fax.example\""));
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    assert!(browser.cookies.contains_key("__Host-faxgate"));
    let answer = browser.get("/sent");
    assert_eq!(answer.code, 200);
    assert_eq!(
        answer.header("strict-transport-security"),
        Some("max-age=31536000")
    );
}

#[test]
fn whoever_is_logged_in_may_log_in_again_from_the_same_browser() {
    let gateway = start();
    let mut browser = gateway.browser();
    let csrf = browser.get("/login").csrf();
    let log_in = |browser: &mut Browser, csrf: &str, password: &str| {
        let fields = [
            ("login_id", "tanaka"),
            ("password", password),
            ("csrf", csrf),
        ];
        browser.post("/login", &fields).code
    };
    assert_eq!(log_in(&mut browser, &csrf, RIGHT), 303);
    let first = browser.cookies["faxgate"].clone();
    assert_eq!(
        log_in(&mut browser, &csrf, RIGHT),
        303,
        "the same form once more"
    );
    assert_ne!(browser.cookies["faxgate"], first);
    let own = browser.get("/settings").csrf();
    assert_eq!(
        log_in(&mut browser, &own, WRONG),
        401,
        "a form of the session"
    );
    assert!(is_in(&mut browser), "a wrong password ends nothing");
    assert_eq!(log_in(&mut browser, &own, RIGHT), 303);
    assert_eq!(
        log_in(&mut browser, &own, RIGHT),
        403,
        "that session is over"
    );
}
