//! Users in the account web: who sees and does what to whom (rows T2, T5, T7, T8).

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::RIGHT;
use crate::gateway::Setup;

const PROBE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
const WRONG: &str = "kaki8wrong";

/// Two companies of two, and those who belong to none.
const PEOPLE: [(&str, &str, &str); 6] = [
    ("a-member", "customer", "a"),
    ("a-admin", "company-admin", "a"),
    ("b-member", "customer", "b"),
    ("b-admin", "company-admin", "b"),
    ("op", "operator", ""),
    ("desk", "help-desk", ""),
];

fn account(id: &str, role: &str, company: &str) -> Account {
    let account = Account::new(id)
        .password(RIGHT)
        .set("login_id", &format!("\"L.{id}\""))
        .set("role", &format!("{role:?}"));
    match company {
        "" => account,
        company => account.set("company", &format!("{company:?}")),
    }
}

fn accounts() -> Vec<Account> {
    let all = PEOPLE.iter();
    all.map(|(id, role, company)| account(id, role, company))
        .collect()
}

fn start() -> Gateway {
    Gateway::start(Setup::new(&accounts()).web())
}

fn enter(gateway: &Gateway, id: &str) -> Browser {
    gateway.logged_in(&format!("L.{id}"), RIGHT)
}

fn page(browser: &mut Browser, path: &str) -> String {
    let answer = browser.get(path);
    assert_eq!(answer.code, 200, "{path}: {}", answer.body());
    answer.body()
}

/// Sends a form of ours; its status code and where it leads or what it says.
fn send(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let csrf = browser.get("/people/me").csrf();
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend(fields);
    let answer = browser.post(path, &all);
    let to = answer.header("location").map(str::to_owned);
    (answer.code, to.unwrap_or_else(|| answer.body()))
}

fn wrong_logins(gateway: &Gateway, id: &str) {
    let mut browser = gateway.browser();
    for _ in 0..3 {
        browser.log_in(&format!("L.{id}"), WRONG);
    }
    assert!(gateway.is_locked(id));
}

/// Every form of a user's page, filled in so that it changes nothing: where it is one's right it is refused for
/// its content (422).
const FORMS: [(char, &str, (&str, &str)); 4] = [
    ('p', "", ("phone", "ask Sato")),
    ('e', "/email", ("email", "nowhere")),
    ('u', "/unlock", ("reason", "")),
    ('l', "/lock", ("reason", "")),
];

fn rights(browser: &mut Browser, subject: &str) -> String {
    let base = format!("/people/{subject}");
    let mut rights = String::new();
    for (letter, path) in [('s', ""), ('a', "/audit")] {
        match browser.get(&format!("{base}{path}")).code {
            200 => rights.push(letter),
            code => assert_eq!(code, 404, "{base}{path}"),
        }
    }
    for (letter, path, field) in FORMS {
        let path = format!("{base}{path}");
        match send(browser, &path, &[field]).0 {
            422 => rights.push(letter),
            code => assert_eq!(code, 404, "{path}"),
        }
        assert_eq!(
            browser.post(&path, &[field]).code,
            403,
            "{path} without its token"
        );
    }
    rights
}

#[test]
fn t5_t7_two_companies_and_four_roles_see_and_do_what_is_theirs_and_nothing_else() {
    let gateway = start();
    // Columns: the subjects in the order of PEOPLE; `-` is nothing at all.
    let table = [
        ("a-member", "spe - - - - -"),
        ("a-admin", "sapeu sape - - - -"),
        ("b-member", "- - spe - - -"),
        ("b-admin", "- - sapeu sape - -"),
        ("op", "sapeul sapeul sapeul sapeul sape sapeul"),
        ("desk", "sa sau sa sau sa sap"),
    ];
    for (actor, row) in table {
        let mut browser = enter(&gateway, actor);
        let cell = |(subject, ..): &(&str, &str, &str)| match rights(&mut browser, subject) {
            none if none.is_empty() => "-".to_owned(),
            some => some,
        };
        let cells: Vec<String> = PEOPLE.iter().map(cell).collect();
        assert_eq!(cells.join(" "), row, "{actor}");
        let missing = rights(&mut browser, "nobody");
        assert_eq!(missing, "", "{actor}");
        let list = browser.get("/people").code;
        let expected = if actor.ends_with("member") { 404 } else { 200 };
        assert_eq!(list, expected, "{actor}");
    }
    let mut admin = enter(&gateway, "a-admin");
    for path in ["", "/audit"] {
        let foreign = admin.get(&format!("/people/b-member{path}")).body();
        let missing = admin.get(&format!("/people/nobody{path}")).body();
        assert_eq!(foreign, missing, "nobody learns who is elsewhere");
    }
    let mut stranger = gateway.browser();
    for path in [
        "/people",
        "/people/me",
        "/people/a-member",
        "/people/a-member/audit",
    ] {
        let answer = stranger.get(path);
        assert_eq!(
            (answer.code, answer.header("location")),
            (303, Some("/login"))
        );
    }
    for path in ["unlock", "lock"] {
        let answer = admin.get(&format!("/people/a-member/{path}"));
        assert_eq!(answer.code, 405, "no change by a link");
    }
    assert!(
        gateway.events("acted").is_empty(),
        "nothing was done by all that"
    );
}

#[test]
fn t7_a_reset_is_started_for_members_by_their_admin_and_for_admins_by_the_help_desk() {
    let gateway = start();
    for (actor, may) in [
        ("a-member", ""),
        ("a-admin", "a-member"),
        ("b-admin", "b-member"),
        ("op", "a-member a-admin b-member b-admin desk"),
        ("desk", "a-admin b-admin"),
    ] {
        let mut browser = enter(&gateway, actor);
        for (subject, ..) in PEOPLE {
            let path = format!("/people/{subject}/reset");
            let expected = if may.split(' ').any(|id| id == subject) {
                303
            } else {
                404
            };
            assert_eq!(
                browser.post(&path, &[]).code,
                403,
                "{path} without its token"
            );
            assert_eq!(
                send(&mut browser, &path, &[]).0,
                expected,
                "{actor}: {subject}"
            );
        }
        assert_eq!(send(&mut browser, "/people/nobody/reset", &[]).0, 404);
    }
    let of_desk = gateway.sink.wait_for("desk@customer.example", 1);
    assert!(
        of_desk[0].body().contains("/reset/"),
        "{}",
        of_desk[0].body()
    );
    assert!(gateway.sink.mails_to("op@customer.example").is_empty());
}

#[test]
fn a_list_shows_whom_one_may_see_and_a_search_counts_neither_case_nor_width() {
    let gateway = start();
    let mut member = enter(&gateway, "a-member");
    let fields = [("name", "田中 太郎"), ("kana", "タナカ タロウ")];
    assert_eq!(send(&mut member, "/people/me", &fields).0, 303);
    let found = |browser: &mut Browser, query: &str| {
        let text = page(browser, &format!("/people{query}"));
        let shown = PEOPLE.iter().map(|(id, ..)| *id);
        let shown = shown.filter(|id| text.contains(&format!("href=\"/people/{id}\"")));
        shown.collect::<Vec<_>>().join(" ")
    };
    let mut admin = enter(&gateway, "a-admin");
    assert_eq!(found(&mut admin, ""), "a-member a-admin");
    let mut op = enter(&gateway, "op");
    assert_eq!(
        found(&mut op, ""),
        "a-member a-admin b-member b-admin op desk"
    );
    let mut desk = enter(&gateway, "desk");
    for query in ["", "?q=", "?q=+", "?q=m", "?locked=1"] {
        assert_eq!(found(&mut desk, query), "", "{query}");
        let text = page(&mut desk, &format!("/people{query}"));
        assert!(text.contains("at least two letters"), "{text}");
    }
    for (query, expected) in [
        ("?q=L.A-ADMIN", "a-admin"),
        ("?q=MEMBER%40customer", "a-member b-member"),
        // ｔａｎａ in full width is not there; タナカ in half width is; たなか too; a part of the name.
        ("?q=%EF%BE%80%EF%BE%85%EF%BD%B6", "a-member"),
        ("?q=%E3%81%9F%E3%81%AA%E3%81%8B", "a-member"),
        ("?q=%E7%94%B0%E4%B8%AD%E5%A4%AA", "a-member"),
        ("?q=%EF%BC%A2%EF%BC%8D%EF%BD%8D", "b-member"),
        ("?q=nobody", ""),
        ("?q=%25%25", ""),
    ] {
        for browser in [&mut desk, &mut op] {
            assert_eq!(found(browser, query), expected, "{query}");
        }
    }
    assert_eq!(found(&mut admin, "?q=b-"), "", "not in the own company");
    let text = page(&mut admin, "/people");
    for part in ["L.a-member", "田中 太郎", "company admin", "ok", "<time"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_list_is_turned_over_by_its_url_and_can_show_locked_ones_only() {
    let mut all = accounts();
    all.extend((0..120).map(|n| account(&format!("m{n:03}"), "customer", "a")));
    let gateway = Gateway::start(Setup::new(&all).web());
    wrong_logins(&gateway, "m007");
    gateway.lock("b-member");
    let mut admin = enter(&gateway, "a-admin");
    let rows = |text: &str| text.matches("<a href=\"/people/").count();
    let (mut path, mut counts) = ("/people".to_owned(), Vec::new());
    loop {
        let text = page(&mut admin, &path);
        counts.push(rows(&text));
        let Some((_, rest)) = text.split_once("rel=\"next\" href=\"") else {
            break;
        };
        path = rest.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    assert_eq!(counts, [50, 50, 22], "every user once");
    let locked = page(&mut admin, "/people?locked=1");
    assert!(
        locked.contains("/people/m007") && rows(&locked) == 1,
        "{locked}"
    );
    assert!(locked.contains("locked until") && locked.contains("an admin of the own company"));
}

#[test]
fn t5_a_user_edits_the_own_data_and_learns_beside_each_field_what_is_wrong() {
    let gateway = start();
    let mut member = enter(&gateway, "a-member");
    assert!(page(&mut member, "/settings").contains("href=\"/people/me\""));
    let wrong = [
        ("name", "田中 太郎"),
        ("kana", "Tanaka"),
        ("phone", "ask Sato"),
        ("department", &"営".repeat(101)),
        ("address", "東京\u{202e}都"),
    ];
    let (code, text) = send(&mut member, "/people/me", &wrong);
    assert_eq!(code, 422, "{text}");
    for part in [
        "aria-describedby=\"phone-remark\" aria-invalid=\"true\"",
        "is-error\" id=\"phone-remark\">Error: this is no telephone number",
        "is-error\" id=\"department-remark\">Error: too long",
        "is-error\" id=\"address-remark\">Error: it has characters",
        "is-warning\" id=\"kana-remark\">Warning:",
        "value=\"田中 太郎\"",
        "value=\"ask Sato\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = page(&mut member, "/people/me");
    assert!(
        !text.contains("太郎") && !text.contains("remark"),
        "nothing was saved: {text}"
    );
    let doubtful = [
        ("name", "田中 太郎"),
        ("kana", "Tanaka"),
        ("english_name", "Taro Tanaka"),
        ("department", "営業部"),
        ("postcode", "100-001"),
        ("address", "東京都千代田区"),
        ("phone", "０３－１２３４－５６７８"),
        ("fax", ""),
    ];
    let (code, to) = send(&mut member, "/people/me", &doubtful);
    assert_eq!((code, to.as_str()), (303, "/people/me?done=saved"));
    let text = page(&mut member, &to);
    for part in [
        "Saved.",
        "is-warning\" id=\"postcode-remark\">Warning: saved, but a postcode in Japan has seven digits",
        "aria-describedby=\"kana-remark\">",
        "value=\"営業部\"",
        "value=\"100-001\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("aria-invalid") && !text.contains("phone-remark"));
    member.further = vec![("Accept-Language".into(), "ja".into())];
    let text = page(&mut member, "/people/me");
    assert!(text.contains("警告：") && text.contains("ご本人の情報"));
    let mut admin = enter(&gateway, "a-admin");
    let (code, _) = send(&mut admin, "/people/a-member", &[("department", "総務部")]);
    assert_eq!(code, 303);
    let text = page(&mut member, "/people/me");
    assert!(
        text.contains("総務部") && text.contains("東京都千代田区"),
        "{text}"
    );
    let audit = page(&mut admin, "/people/a-member/audit");
    for part in [
        "User data changed",
        "Name, Reading (kana), Name in Latin letters",
        ">Department<",
        ">a-admin<",
    ] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    assert!(
        !audit.contains("太郎") && !audit.contains("総務部"),
        "no values: {audit}"
    );
}

#[test]
fn t7_an_admin_unlocks_a_member_with_a_reason_and_the_member_is_told() {
    let gateway = start();
    wrong_logins(&gateway, "a-member");
    let mut admin = enter(&gateway, "a-admin");
    let text = page(&mut admin, "/people/a-member");
    assert!(text.contains("locked until") && text.contains("/people/a-member/unlock"));
    let unlock = "/people/a-member/unlock";
    for (reason, why) in [
        ("", "fill this in"),
        ("...", "fill this in"),
        (&"x".repeat(201), "too long"),
    ] {
        let (code, text) = send(&mut admin, unlock, &[("reason", reason)]);
        assert_eq!(code, 422, "{reason}");
        assert!(
            text.contains("aria-describedby=\"reason-remark\"") && text.contains(why),
            "{text}"
        );
    }
    assert!(gateway.is_locked("a-member"));
    let reason = "asked by telephone & called back";
    let (code, to) = send(&mut admin, unlock, &[("reason", reason)]);
    assert_eq!((code, to.as_str()), (303, "/people/a-member?done=unlocked"));
    assert!(!gateway.is_locked("a-member"));
    assert!(page(&mut admin, &to).contains("Unlocked."));
    enter(&gateway, "a-member");
    let mails = gateway.sink.wait_for("a-member@customer.example", 2);
    let told = mails
        .iter()
        .find(|mail| mail.subject().contains("ロックが解除されました"));
    let told = told.unwrap().body();
    assert!(
        told.contains(reason) && told.contains("L.a-admin"),
        "{told}"
    );
    let (code, to) = send(&mut admin, unlock, &[("reason", reason)]);
    assert_eq!(
        (code, to.as_str()),
        (303, "/people/a-member?done=not-locked")
    );
    let audit = page(&mut admin, "/people/a-member/audit");
    let text = "asked by telephone &#38; called back";
    for part in ["Unlocked", "Lock began", "Logged in", text, ">a-admin<"] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    let own = page(&mut admin, "/people/a-admin/audit");
    assert!(
        own.contains(text),
        "what it did stands in its own trail too"
    );
}

#[test]
fn t8_an_admin_is_unlocked_by_the_help_desk_and_a_member_is_sent_to_the_admin() {
    let gateway = start();
    wrong_logins(&gateway, "a-admin");
    wrong_logins(&gateway, "a-member");
    let mut desk = enter(&gateway, "desk");
    let list = page(&mut desk, "/people?q=a-");
    assert!(list.contains("an admin of the own company") && list.contains("the help desk"));
    let member = page(&mut desk, "/people/a-member");
    assert!(
        member.contains("The help desk starts resets of admins only"),
        "{member}"
    );
    assert!(!member.contains("/unlock") && !member.contains("<input id=\"email\""));
    let why = [("reason", "called back")];
    assert_eq!(send(&mut desk, "/people/a-member/unlock", &why).0, 404);
    assert!(gateway.is_locked("a-member"));
    assert_eq!(send(&mut desk, "/people/a-admin/unlock", &why).0, 303);
    assert!(!gateway.is_locked("a-admin"));
    enter(&gateway, "a-admin");
}

#[test]
fn t2_t7_a_reset_goes_to_the_registered_address_and_its_starter_learns_nothing() {
    let gateway = start();
    let mut admin = enter(&gateway, "a-admin");
    let (code, to) = send(&mut admin, "/people/a-member/reset", &[]);
    assert_eq!((code, to.as_str()), (303, "/people/a-member?done=reset"));
    let text = page(&mut admin, &to);
    assert!(
        text.contains("on its way to the registered address"),
        "{text}"
    );
    let mails = gateway.sink.wait_for("a-member@customer.example", 1);
    let body = mails[0].body();
    let (_, token) = body.split_once("/reset/").unwrap();
    let is_of_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let token: String = token.chars().take_while(is_of_token).collect();
    assert!(token.len() >= 43, "{body}");
    let audit = page(&mut admin, "/people/a-member/audit");
    assert!(
        audit.contains("Reset started") && audit.contains(">a-admin<"),
        "{audit}"
    );
    for text in [text, audit, gateway.log_text()] {
        assert!(!text.contains(&token));
    }
    let mut starts = || send(&mut admin, "/people/a-member/reset", &[]).1;
    let asked: Vec<String> = (0..5).map(|_| starts()).collect();
    assert_eq!(asked[3], "/people/a-member?done=reset", "the fifth");
    assert_eq!(asked[4], "/people/a-member?done=reset-too-many");
    gateway.sink.wait_for("a-member@customer.example", 5);
    gateway.change_state("UPDATE password_reset SET asked_at = asked_at - 3600000;");
    gateway.lock("a-member");
    let (code, to) = send(&mut admin, "/people/a-member/reset", &[]);
    assert_eq!(
        (code, to.as_str()),
        (303, "/people/a-member?done=reset-locked")
    );
    assert!(page(&mut admin, &to).contains("Unlock it first"));
    enter(&gateway, "a-admin");
}

#[test]
fn t5_a_change_of_the_e_mail_address_is_told_to_the_old_and_the_new_one() {
    let gateway = start();
    let mut member = enter(&gateway, "a-member");
    let email = "/people/me/email";
    for (typed, why) in [
        ("", "please fill this in"),
        ("nowhere", "this is no e-mail address"),
        ("a@b.example, c@d.example", "this is no e-mail address"),
        ("0312345678@fax.example", "this is no e-mail address"),
        (&format!("{}@x.example", "a".repeat(300)), "too long"),
    ] {
        let (code, text) = send(&mut member, email, &[("email", typed)]);
        assert_eq!(code, 422, "{typed}");
        let remark = "aria-describedby=\"email-remark\" aria-invalid=\"true\"";
        assert!(
            text.contains(remark) && text.contains(why),
            "{typed}: {text}"
        );
    }
    let same = [("email", "a-member@customer.example")];
    assert_eq!(send(&mut member, email, &same).1, "/people/me?done=same");
    let new = [("email", "taro@new.example")];
    let (code, to) = send(&mut member, email, &new);
    assert_eq!((code, to.as_str()), (303, "/people/me?done=email"));
    let text = page(&mut member, &to);
    assert!(text.contains("value=\"taro@new.example\""), "{text}");
    for told in ["a-member@customer.example", "taro@new.example"] {
        let mails = gateway.sink.wait_for(told, 1);
        assert_eq!(mails.len(), 1);
        assert!(
            mails[0]
                .subject()
                .contains("メールアドレスが変更されました")
        );
    }
    assert_eq!(gateway.account("a-member")["email"], "taro@new.example");
    let mut admin = enter(&gateway, "a-admin");
    assert!(page(&mut admin, "/people?q=taro%40new").contains("L.a-member"));
    let audit = page(&mut admin, "/people/a-member/audit");
    assert!(
        audit.contains("Settings changed") && audit.contains(">E-mail address<"),
        "{audit}"
    );
    assert!(!audit.contains("taro@"), "{audit}");
    send(&mut admin, "/people/a-member/reset", &[]);
    gateway.sink.wait_for("taro@new.example", 2);
    gateway.change_state("UPDATE web_session SET proved_at = proved_at - 1860000;");
    let (code, to) = send(&mut member, email, &[("email", "thief@x.example")]);
    assert_eq!((code, to.as_str()), (303, "/confirm?to=/people/me"));
    let mut desk = enter(&gateway, "desk");
    assert!(page(&mut desk, "/people/me").contains("Ask an operator"));
    for path in [email, "/people/a-admin/email", "/people/desk/email"] {
        assert_eq!(send(&mut desk, path, &new).0, 404, "{path}");
    }
    assert_eq!(gateway.account("a-member")["email"], "taro@new.example");
}

#[test]
fn t4_t8_a_lock_that_time_does_not_end_says_so_and_a_reset_may_be_started_while_it_stands() {
    let profile = b"[lock]\nlasts = \"until-reset\"\n[reset]\nwhile_locked = true\n";
    let of_profile = |id, role| account(id, role, "a").set("profile", "\"own\"");
    let mut all = vec![
        of_profile("a-member", "customer"),
        of_profile("a-admin", "company-admin"),
        of_profile("new", "customer").set("password_initial", "true"),
    ];
    all.extend([account("desk", "help-desk", "")]);
    let gateway = Gateway::start(
        Setup::new(&all)
            .web()
            .set("gateway", "profiles", "\"profiles\"")
            .file("profiles/own.toml", profile),
    );
    let mut admin = enter(&gateway, "a-admin");
    gateway.lock("a-member");
    gateway.lock("a-admin");
    let list = page(&mut admin, "/people");
    assert!(
        list.contains("initial password, not replaced yet"),
        "{list}"
    );
    assert!(list.contains("locked until it is unlocked or its password is reset"));
    assert!(list.contains("the help desk") && list.contains("an admin of the own company"));
    let (_, rows) = list.split_once("<table").unwrap();
    assert!(!rows.contains("9999"), "{rows}");
    let mut desk = enter(&gateway, "desk");
    let (code, to) = send(&mut desk, "/people/a-admin/reset", &[]);
    assert_eq!((code, to.as_str()), (303, "/people/a-admin?done=reset"));
    gateway.sink.wait_for("a-admin@customer.example", 1);
    assert!(
        gateway.is_locked("a-admin"),
        "the reset ends it when it is used"
    );
}

#[test]
fn t7_an_operator_locks_by_hand_and_the_user_is_told() {
    let gateway = start();
    let mut op = enter(&gateway, "op");
    let why = [("reason", "lost telephone")];
    let (code, to) = send(&mut op, "/people/b-admin/lock", &why);
    assert_eq!((code, to.as_str()), (303, "/people/b-admin?done=locked"));
    assert!(gateway.is_locked("b-admin"));
    let mails = gateway.sink.wait_for("b-admin@customer.example", 1);
    assert!(mails[0].body().contains("lost telephone"));
    let audit = page(&mut op, "/people/b-admin/audit");
    assert!(audit.contains("Locked by hand"), "{audit}");
}

#[test]
fn what_touches_access_needs_a_password_typed_lately() {
    let gateway = start();
    wrong_logins(&gateway, "a-member");
    let mut admin = enter(&gateway, "a-admin");
    gateway.change_state("UPDATE web_session SET proved_at = proved_at - 1860000;");
    let text = page(&mut admin, "/people/a-member");
    assert!(text.contains("/confirm?to=/people/a-member") && !text.contains("name=\"reason\""));
    let (code, to) = send(
        &mut admin,
        "/people/a-member/unlock",
        &[("reason", "asked")],
    );
    assert_eq!((code, to.as_str()), (303, "/confirm?to=/people/a-member"));
    assert!(gateway.is_locked("a-member"));
}

#[test]
fn everybody_sees_the_own_last_logins() {
    let gateway = start();
    for _ in 0..2 {
        enter(&gateway, "a-member");
    }
    let mut member = enter(&gateway, "a-member");
    let text = page(&mut member, "/people/me");
    assert_eq!(
        text.matches("<td data-name=\"From\">127.0.0.1</td>")
            .count(),
        3,
        "{text}"
    );
    let mut admin = enter(&gateway, "a-admin");
    assert!(!page(&mut admin, "/people/a-member").contains("127.0.0.1"));
    assert_eq!(member.get("/people/me/audit").code, 404);
}

#[test]
fn what_people_write_of_themselves_is_shown_and_never_run() {
    let mut all = accounts();
    let odd = Account::new("x<b>/?&").password(RIGHT);
    let odd = odd.set("login_id", "\"L.<i>odd</i>\"");
    all.push(Account::new("me"));
    all.push(odd.set("senders", "[\"odd@customer.example\"]"));
    let gateway = Gateway::start(Setup::new(&all).web());
    let mut op = enter(&gateway, "op");
    let odd = "/people/x%3Cb%3E%2F%3F%26";
    assert!(page(&mut op, "/people/%6D%65").contains("me@customer.example"));
    assert!(page(&mut op, "/people/me").contains("op@customer.example"));
    let mut shown = String::new();
    let names = [
        "name",
        "kana",
        "english_name",
        "department",
        "address",
        "postcode",
    ];
    for field in names {
        let value: String = PROBE
            .chars()
            .take(20 * if field == "postcode" { 1 } else { 5 })
            .collect();
        let (code, to) = send(&mut op, odd, &[(field, &value)]);
        assert_eq!((code, to), (303, format!("{odd}?done=saved")), "{field}");
    }
    for (path, field) in [("", "phone"), ("", "fax"), ("/email", "email")] {
        let (code, text) = send(&mut op, &format!("{odd}{path}"), &[(field, PROBE)]);
        assert_eq!(code, 422, "{field}");
        shown += &text;
    }
    let long = format!("{PROBE}{}", "x".repeat(200));
    shown += &send(&mut op, &format!("{odd}/lock"), &[("reason", &long)]).1;
    assert_eq!(
        send(&mut op, &format!("{odd}/lock"), &[("reason", PROBE)]).0,
        303
    );
    let probe = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        odd.to_owned(),
        format!("{odd}?done={probe}"),
        format!("{odd}/audit"),
        format!("{odd}/audit?before={probe}"),
        "/people".to_owned(),
        "/people/op/audit".to_owned(),
        format!("/people?q={probe}&locked={probe}&after={probe}"),
    ] {
        shown += &page(&mut op, &path);
    }
    assert!(
        shown.contains("&#60;script&#62;"),
        "nothing was shown: {shown}"
    );
    for bad in [
        "<script>",
        "<img src=x",
        "onerror=alert(2)>\"",
        "<i>odd",
        "x<b>",
    ] {
        assert!(!shown.contains(bad), "{bad} in {shown}");
    }
}

#[test]
fn t5_nobody_fills_the_mailboxes_of_strangers_by_registering_their_addresses() {
    let gateway = start();
    let mut member = enter(&gateway, "a-member");
    for n in 0..10 {
        let fields = [("email", &*format!("stranger{n}@other.example"))];
        let to = send(&mut member, "/people/me/email", &fields).1;
        assert_eq!(to, "/people/me?done=email");
    }
    let to = send(
        &mut member,
        "/people/me/email",
        &[("email", "s10@other.example")],
    )
    .1;
    assert_eq!(to, "/people/me?done=email-too-many");
    let text = page(&mut member, &to);
    assert!(text.contains("changed often enough today"), "{text}");
    let email = &gateway.account("a-member")["email"];
    assert_eq!(email, "stranger9@other.example");
    // Others have a number of their own.
    let mut admin = enter(&gateway, "a-admin");
    let to = send(
        &mut admin,
        "/people/me/email",
        &[("email", "me@other.example")],
    )
    .1;
    assert_eq!(to, "/people/me?done=email");
}
