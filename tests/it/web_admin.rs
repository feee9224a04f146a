//! The operators' pages: why a mail was refused, who is locked and by which door, what is in force and where it is
//! written, who did what - for operators and nobody else (row T8, threat T28).

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::wait_for;
use crate::verification;
use crate::verification::zone::Zone;

const NUMBER: &str = "0312345678@fax.example";
const WRONG: &str = "kaki8wrong";
const PAGES: [&str; 10] = [
    "/admin",
    "/admin/accounts",
    "/admin/accounts/tanaka",
    "/admin/configuration",
    "/admin/locks",
    "/admin/refused",
    "/admin/queue",
    "/admin/audit",
    "/admin/audit.csv",
    "/admin/audit.jsonl",
];

fn with_role(id: &str, role: &str) -> Account {
    let account = Account::new(id).password(RIGHT);
    account
        .set("role", &format!("{role:?}"))
        .set("company", "\"acme\"")
}

fn people() -> Vec<Account> {
    vec![
        Account::tanaka(),
        Account::suzuki(),
        with_role("boss", "company-admin"),
        with_role("desk", "help-desk"),
        with_role("op", "operator"),
    ]
}

fn start() -> Gateway {
    Gateway::start(Setup::new(&people()).web())
}

fn page(browser: &mut Browser, path: &str) -> String {
    let answer = browser.get(path);
    assert_eq!(answer.code, 200, "{path}: {}", answer.body());
    answer.body()
}

fn has(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// The row of a table that tells of a key.
fn setting<'t>(text: &'t str, key: &str) -> &'t str {
    let (_, rest) = text
        .split_once(&format!("<code>{key}</code>"))
        .unwrap_or_else(|| panic!("{key} is not in {text}"));
    rest.split_once("</tr>").unwrap().0
}

/// The line of `accounts.toml` that begins with `begin`, in the account that has the line `id`.
fn line_of(gateway: &Gateway, id: &str, begin: &str) -> usize {
    let text = std::fs::read_to_string(gateway.path("accounts.toml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| *line == id).unwrap();
    let own = lines[..at]
        .iter()
        .rposition(|line| *line == "[[account]]")
        .unwrap();
    let found = lines[own..].iter().position(|line| line.starts_with(begin));
    own + found.unwrap() + 1
}

#[test]
fn for_everybody_but_operators_there_are_no_such_pages() {
    let gateway = start();
    let mut operator = gateway.logged_in("op", RIGHT);
    let mut desk = gateway.logged_in("desk", RIGHT);
    let mut others = [
        gateway.logged_in("tanaka", RIGHT),
        gateway.logged_in("boss", RIGHT),
    ];
    let mut stranger = gateway.browser();
    for path in PAGES {
        assert_eq!(operator.get(path).code, 200, "{path}");
        for other in &mut others {
            let refused = other.get(path);
            assert_eq!(refused.code, 404, "{path}");
            assert!(!refused.body().contains("href=\"/admin"), "{path}");
        }
        let is_open = ["/admin/locks", "/admin/refused"].contains(&path);
        let expected = if is_open { 200 } else { 404 };
        assert_eq!(desk.get(path).code, expected, "help desk, {path}");
        let answer = stranger.get(path);
        assert_eq!(
            (answer.code, answer.header("location")),
            (303, Some("/login"))
        );
        let posted = operator.post(path, &[]);
        assert!(
            !posted.code.to_string().starts_with('2'),
            "{path} {}",
            posted.code
        );
    }
    assert_eq!(operator.get("/admin/accounts/nobody").code, 404);
    let locks = page(&mut desk, "/admin/locks");
    has(
        &locks,
        &[
            "href=\"/admin/refused\"",
            "href=\"/admin/locks\" aria-current=\"page\"",
        ],
    );
    assert!(!locks.contains("href=\"/admin/audit\"") && !locks.contains("href=\"/admin\""));
}

#[test]
fn an_operator_finds_why_a_mail_was_refused_and_what_its_sender_can_do() {
    let dns = Zone::default()
        .text("closed.example", "v=spf1 ip4:192.0.2.1 -all")
        .serve();
    let mut accounts = vec![
        verification::at("closed", "closed.example"),
        with_role("op", "operator"),
    ];
    accounts.push(Account::tanaka());
    let gateway = Gateway::start(verification::verifying(&accounts, &dns).web());
    let mut operator = gateway.logged_in("op", RIGHT);
    has(
        &page(&mut operator, "/admin/refused"),
        &["No mail was refused."],
    );

    let forged = verification::mail("closed@closed.example", NUMBER, RIGHT);
    assert!(gateway.mail(&forged).starts_with("550 5.7.26"));
    gateway.refuses(&Mail::new("nobody@elsewhere.example", NUMBER, "x\r\n"));
    gateway.refuses(&Mail::wrong(NUMBER));
    let all = page(&mut operator, "/admin/refused");
    has(
        &all,
        &[
            "nobody@elsewhere.example",
            "closed@closed.example",
            "No account has this sender address",
        ],
    );
    assert!(
        all.find("tanaka@customer.example") < all.find("closed@closed.example"),
        "the newest first"
    );
    let one = page(
        &mut operator,
        "/admin/refused?sender=%3CClosed%40closed.example%3E",
    );
    has(
        &one,
        &[
            "The sender&#39;s domain says that the mail is not from there.",
            "<code>spf=fail</code>",
            "add the server 127.0.0.1 to the SPF record",
            "href=\"/admin/accounts/closed\"",
            "127.0.0.1",
        ],
    );
    assert!(!one.contains("nobody@elsewhere.example"));
    let of_account = page(&mut operator, "/admin/refused?account=tanaka");
    has(
        &of_account,
        &["The password in the mail is wrong. It was counted."],
    );
    assert!(!of_account.contains("closed.example"));
    let none = page(&mut operator, "/admin/refused?sender=other%40x.example");
    has(&none, &["No refused mail fits"]);
    let bad = operator.get("/admin/refused?sender=nonsense");
    assert_eq!(bad.code, 400);
    has(
        &bad.body(),
        &["This is no mail address", "aria-describedby=\"sender-bad\""],
    );
    has(
        &page(&mut operator, "/admin"),
        &["Ready:", "href=\"/admin/refused\">3<"],
    );
    operator.further = vec![("Accept-Language".into(), "ja".into())];
    has(
        &page(&mut operator, "/admin/refused"),
        &["SPFレコード", "拒否したメール"],
    );
}

#[test]
fn refused_mails_are_turned_over_by_the_url() {
    let gateway = start();
    gateway.change_state(
        "INSERT INTO event(id, at, kind, account, sender, detail)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         SELECT i, strftime('%s', 'now') * 1000, 'refused', '', 's' || i || '@x.example', '{\"reason\":\"<script>\",\"results\":\"<b>; spf=<i>\"}' FROM n",
    );
    let mut operator = gateway.logged_in("op", RIGHT);
    let mut path = "/admin/refused".to_owned();
    let mut counts = Vec::new();
    loop {
        let text = page(&mut operator, &path);
        assert!(
            !text.contains("<script>") && !text.contains("<i>"),
            "what strangers write runs"
        );
        counts.push(text.matches("<section class=\"refused\"").count());
        let Some((_, rest)) = text.split_once("rel=\"next\" href=\"") else {
            break;
        };
        path = rest.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    assert_eq!(counts, [50, 50, 20]);
}

#[test]
fn an_operator_finds_a_lock_the_door_that_caused_it_and_from_where() {
    let gateway = start();
    let mut operator = gateway.logged_in("op", RIGHT);
    has(&page(&mut operator, "/admin/locks"), &["Nobody is locked."]);
    gateway.refuses(&Mail::wrong(NUMBER));
    let mut guesser = gateway.browser();
    for code in [401, 423] {
        assert_eq!(guesser.log_in("tanaka", WRONG).code, code);
    }
    for _ in 0..3 {
        guesser.log_in("nobody-at-all", WRONG);
    }
    gateway.lock("suzuki");
    let until = gateway.account("tanaka")["locked_until"]
        .as_str()
        .unwrap()
        .to_owned();
    let text = page(&mut operator, "/admin/locks");
    has(
        &text,
        &[
            &format!("datetime=\"{until}\""),
            "<dt>Wrong passwords counted</dt><dd>3</dd>",
            "<td data-name=\"Door\">account web</td>",
            "<td data-name=\"Door\">password in a mail</td>",
            "<td data-name=\"From\">127.0.0.1</td>",
            "<td data-name=\"Door\">locked by hand</td>",
            "forwarded when the lock has ended",
            "known by its sender address alone",
            "answered as locked: 1",
            "action=\"/people/tanaka/unlock\"",
            "name=\"reason\"",
        ],
    );
    assert!(!text.contains("nobody-at-all"), "shadows are a count only");
    assert_eq!(text.matches("account web</td>").count(), 2);
    has(
        &page(&mut operator, "/admin"),
        &["href=\"/admin/locks\">2<"],
    );
    let mut desk = gateway.logged_in("desk", RIGHT);
    let text = page(&mut desk, "/admin/locks");
    has(&text, &["password in a mail"]);
    assert!(!text.contains("/unlock\""), "the help desk only reads");
    gateway.unlock("tanaka");
    let text = page(&mut operator, "/admin/locks");
    assert!(!text.contains("tanaka"), "{text}");
}

#[test]
fn every_key_of_an_account_is_shown_with_its_file_and_line_and_no_secret() {
    let gateway = start();
    let mut operator = gateway.logged_in("op", RIGHT);
    let list = page(&mut operator, "/admin/accounts?q=INBOX%40customer");
    has(&list, &["href=\"/admin/accounts/tanaka\"", "not locked"]);
    assert!(!list.contains("suzuki"));
    let by_number = page(&mut operator, "/admin/accounts?q=03-4567-0001");
    has(&by_number, &["href=\"/admin/accounts/tanaka\""]);
    has(
        &page(&mut operator, "/admin/accounts?q=nothing"),
        &["No account fits"],
    );

    let text = page(&mut operator, "/admin/accounts/tanaka");
    let file = gateway.path("accounts.toml");
    let at = |key: &str| {
        let line = line_of(&gateway, "id = \"tanaka\"", key);
        format!("{}:{line}", file.display())
    };
    has(
        setting(&text, "forward_to"),
        &["inbox@customer.example", &at("forward_to")],
    );
    has(
        setting(&text, "station_id"),
        &["+81 3 1234 5678", &at("station_id")],
    );
    has(
        setting(&text, "list[0].name"),
        &["shops", &at("name = \"shops\"")],
    );
    has(
        setting(&text, "password"),
        &["set: argon2id, m=19456,t=2,p=1", &at("password =")],
    );
    has(setting(&text, "forward_format"), &["pdf", "default"]);
    has(setting(&text, "smtp_password"), &["none", "default"]);
    let hash = crate::gateway::hash_of(RIGHT);
    let (_, secret) = hash.rsplit_once('$').unwrap();
    assert!(
        !text.contains(secret) && !text.contains("$argon2"),
        "a hash is shown"
    );
    assert!(!text.contains("something else by now"), "{text}");

    // A mistake keeps the last good accounts in force, and the page says that the file differs.
    let written = std::fs::read_to_string(&file).unwrap();
    let changed = written
        .replace("inbox@customer", "other@customer")
        .replace("+81 3 1234 5678", "x");
    gateway.write_accounts_text(&changed);
    let overview = wait_for("the trouble", || {
        let text = page(&mut operator, "/admin");
        text.contains("Not ready").then_some(text)
    });
    has(
        &overview,
        &[
            "trouble: accounts",
            "the last good ones stay in force",
            "station_id",
        ],
    );
    let text = page(&mut operator, "/admin/accounts/tanaka");
    has(&text, &["something else by now"]);
    has(
        setting(&text, "forward_to"),
        &["inbox@customer.example", "not in force:"],
    );
    has(
        setting(&text, "list[0].name"),
        &["shops", &at("name = \"shops\"")],
    );
}

#[test]
fn accounts_are_turned_over_in_the_order_of_their_ids() {
    let mut accounts: Vec<Account> = (0..120)
        .map(|n| Account::new(&format!("c{n:03}")))
        .collect();
    accounts.reverse();
    accounts.push(with_role("op", "operator"));
    let gateway = Gateway::start(Setup::new(&accounts).web());
    let mut operator = gateway.logged_in("op", RIGHT);
    let mut path = "/admin/accounts?q=c".to_owned();
    let mut counts = Vec::new();
    loop {
        let text = page(&mut operator, &path);
        let first = text
            .split_once("<th scope=\"row\">")
            .unwrap()
            .1
            .split_once("</a>")
            .unwrap()
            .0;
        counts.push((
            text.matches("<th scope=\"row\">").count(),
            first[first.len() - 4..].to_owned(),
        ));
        let Some((_, rest)) = text.split_once("rel=\"next\" href=\"") else {
            break;
        };
        path = rest.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    // `op` has the company `acme`.
    let told: Vec<(usize, &str)> = counts.iter().map(|(n, id)| (*n, id.as_str())).collect();
    assert_eq!(told, [(50, "c000"), (50, "c050"), (21, "c100")]);
}

#[test]
fn every_key_of_the_main_file_is_shown_with_its_line() {
    let gateway = start();
    let mut operator = gateway.logged_in("op", RIGHT);
    let main = gateway.path("faxgate.toml");
    let written = std::fs::read_to_string(&main).unwrap();
    let line = written
        .lines()
        .position(|line| line.starts_with("smarthost"))
        .unwrap()
        + 1;
    let text = page(&mut operator, "/admin/configuration");
    has(
        setting(&text, "mail.smarthost"),
        &["smtp://127.0.0.1:", &format!("{}:{line}", main.display())],
    );
    has(setting(&text, "queue.workers"), &["30", "default"]);
    has(setting(&text, "verify"), &["none", "default"]);
    assert!(!text.contains("since the gateway started"));
    std::fs::write(&main, written.replace("gw.example", "other.example")).unwrap();
    let text = page(&mut operator, "/admin/configuration");
    has(&text, &["since the gateway started"]);
    has(
        setting(&text, "gateway.name"),
        &["gw.example", "not in force:"],
    );
}

#[test]
fn what_waits_is_shown_with_its_account_and_why() {
    let gateway = start();
    let mut operator = gateway.logged_in("op", RIGHT);
    has(
        &page(&mut operator, "/admin/queue"),
        &["No fax waits.", "No mail waits."],
    );
    gateway.accepts(&Mail::right(NUMBER).subject("later"));
    gateway.settled(1);
    gateway.change_state(
        "INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts, next_at,
             fence, created_at)
         SELECT id + 1, batch, account, 1, '00816000001', '', 0, -1, 0, 32503680000000, 0, created_at FROM job;
         INSERT INTO outbox(id, kind, dedup, account, subject_id, recipient, payload, message_id, gated, state,
             attempts, next_at, lease_until, created_at, last_error)
         VALUES(5, 'lock', 'x', 'suzuki', 5, 'suzuki@customer.example', '{}', '<x@x>', 0, 0, 3, 32503680000000, 0, 5,
             'connection refused <b>');",
    );
    let text = page(&mut operator, "/admin/queue");
    has(
        &text,
        &[
            "wait for the time that was asked for",
            "href=\"/admin/accounts/tanaka\"",
            "lists",
            "suzuki@customer.example",
            "connection refused &#60;b&#62;",
        ],
    );
    let overview = page(&mut operator, "/admin");
    has(
        &overview,
        &["href=\"/admin/queue\">1<", "href=\"/admin/queue#outbox\">"],
    );
}

#[test]
fn t28_who_did_what_is_kept_in_a_chain_and_tampering_is_found() {
    let gateway = start();
    let mut operator = gateway.logged_in("op", RIGHT);
    gateway.lock("suzuki");
    gateway.must(&[
        "account",
        "unlock",
        "suzuki",
        "--reason",
        "=cmd|' /C calc'!A0",
    ]);
    let text = page(&mut operator, "/admin/audit");
    has(
        &text,
        &[
            "The chain is whole",
            "lock ended by hand",
            "lock began",
            "logged in",
            "=cmd|",
        ],
    );
    let by_act = page(&mut operator, "/admin/audit?act=unlocked&account=suzuki");
    has(&by_act, &["=cmd|", "<option value=\"unlocked\" selected>"]);
    assert!(
        !by_act.contains("<td data-name=\"Act\">logged in"),
        "{by_act}"
    );
    has(
        &page(&mut operator, "/admin/audit?actor=tanaka"),
        &["No act fits"],
    );
    let by_actor = page(&mut operator, "/admin/audit?actor=op");
    has(&by_actor, &["<td data-name=\"Act\">logged in"]);

    let csv = operator.get("/admin/audit.csv?account=suzuki");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        csv.header("content-disposition"),
        Some("attachment; filename=\"audit.csv\"")
    );
    let csv = csv.body();
    has(&csv, &["\"'=cmd|' /C calc'!A0\""]);
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let lines = operator.get("/admin/audit.jsonl?act=unlocked").body();
    let line: serde_json::Value = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!(line["detail"]["reason"], "=cmd|' /C calc'!A0");

    let verdict = gateway.json(&["audit", "verify"]);
    assert_eq!(verdict["whole"], true, "{verdict}");
    let head = verdict["head"].as_str().unwrap().to_owned();
    let last = gateway.events("logged-in").last().unwrap()["audit"].clone();
    has(&text, &[&format!("<code>{head}</code>")]);
    assert!(
        last.as_str().unwrap().contains(':'),
        "the log has a copy: {last}"
    );
    gateway.must(&[
        "audit",
        "verify",
        "--known",
        &head,
        "--known",
        last.as_str().unwrap(),
    ]);

    gateway.change_state(
        "UPDATE event SET detail = replace(detail, 'cmd', 'xxx') WHERE kind = 'unlocked'",
    );
    let told = gateway.command(&["audit", "verify", "--json"]);
    assert_eq!(told.code, 65, "{told:?}");
    let verdict = told.json();
    assert_eq!(verdict["broken"][0]["fault"], "changed", "{verdict}");
    assert_eq!(verdict["broken"].as_array().unwrap().len(), 1);
    let text = page(&mut operator, "/admin/audit");
    has(
        &text,
        &[
            "The chain is broken",
            "was changed, or the row before it",
            "role=\"alert\"",
        ],
    );
    gateway.change_state("DELETE FROM event WHERE kind = 'unlocked'");
    has(&page(&mut operator, "/admin/audit"), &["is gone"]);
    // The end cut off: what is left fits, but not the copy that was kept.
    gateway.change_state(
        "DELETE FROM audit WHERE n >= (SELECT n FROM audit WHERE act = 'unlocked');
         DELETE FROM event WHERE id > (SELECT MAX(event) FROM audit) AND kind IN ('acted', 'unlocked');",
    );
    gateway.must(&["audit", "verify"]);
    let told = gateway.command(&["audit", "verify", "--known", &head]);
    assert_eq!(told.code, 65, "{told:?}");
}
