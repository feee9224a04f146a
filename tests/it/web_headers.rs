//! The headers of every route, exactly; and no GET of any role changes anything. The routes are read from the source.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::RIGHT;
use crate::gateway::routes;
use crate::web_chromium::stage::fax_about;
use crate::web_chromium::stage::office;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Of what is no page of ours and may hold what strangers drew.
const PAPER: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
/// What never ends: only its head is asked for.
const STREAMS: [&str; 1] = ["/live"];

/// The headers of every answer, but for what `differs` says.
const EVERY: [(&str, &str); 9] = [
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// What else a route may answer with; its value is its own.
const OWN: [&str; 11] = [
    "allow",
    "connection",
    "content-disposition",
    "content-length",
    "content-type",
    "date",
    "location",
    "set-cookie",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
];

/// The header in which a route differs from all others, when it answers with `code`.
fn differs(path: &str, code: u16) -> Option<(&'static str, &'static str)> {
    match path {
        "/assets/{name}" if code == 200 => Some(("cache-control", "no-cache")),
        path if path.starts_with("/reset") => Some(("referrer-policy", "no-referrer")),
        path if code == 200 && is_paper(path) => Some(("content-security-policy", PAPER)),
        _ => None,
    }
}

fn is_paper(path: &str) -> bool {
    path.ends_with("/{page}") || path.ends_with(".pdf") || path.ends_with(".tiff")
}

/// An account of each role; the first one has the faxes.
fn people() -> Vec<Account> {
    let member = |id: &str, role: &str| {
        let account = Account::new(id).password(RIGHT);
        account.set("role", &format!("{role:?}"))
    };
    vec![
        Account::tanaka().set("company", "\"shoji\""),
        member("mori", "company-admin").set("company", "\"shoji\""),
        member("ono", "operator"),
        member("hara", "help-desk"),
    ]
}

const ROLES: [&str; 4] = ["tanaka", "mori", "ono", "hara"];

/// A real address of the route: of a fax of `tanaka`, as far as there is one.
fn filled(gateway: &Gateway, path: &str) -> String {
    let fax = match path.starts_with("/received") {
        true => gateway.json(&["received", "list"])[0]["id"]
            .as_str()
            .unwrap()
            .to_owned(),
        false => fax_about(gateway, "Delivery note 4711"),
    };
    let path = path.replace("{page}", "1.png");
    let path = path.replace("{name}", "faxgate.css");
    let id = match path.starts_with("/sent") || path.starts_with("/received") {
        true => fax,
        false => "tanaka".to_owned(),
    };
    let mut filled = path.replace("{id}", &id);
    while let Some((before, rest)) = filled.clone().split_once('{') {
        let (_, after) = rest.split_once('}').unwrap();
        filled = format!("{before}1{after}");
    }
    filled
}

fn is_stream(path: &str) -> bool {
    STREAMS.iter().any(|end| path.ends_with(end))
}

#[test]
fn the_headers_of_every_route_are_these_and_no_others() {
    let gateway = office(&people());
    let mut stranger = gateway.browser();
    let mut own = gateway.logged_in("tanaka", RIGHT);
    let mut operator = gateway.logged_in("ono", RIGHT);
    let mut wrong = Vec::new();
    let mut routes: Vec<(String, bool)> = routes::all()
        .into_iter()
        .map(|route| (route.path, route.post))
        .collect();
    assert!(routes.len() > 10, "{routes:?}");
    routes.push(("/nothing".to_owned(), false));
    for (route, is_post) in routes {
        let path = filled(&gateway, &route);
        for (who, browser) in [
            ("nobody", &mut stranger),
            ("tanaka", &mut own),
            ("ono", &mut operator),
        ] {
            let mut methods = vec!["HEAD"];
            if !is_stream(&path) {
                methods.push("GET");
            }
            if is_post && path != "/logout" {
                methods.push("POST");
            }
            for method in methods {
                let form = (method == "POST").then_some("a=b");
                let answer = browser.clone().ask(method, &path, form);
                let place = format!("{method} {path} of {who}: {}", answer.code);
                wrong.extend(compare(&place, &route, answer.code, &answer.headers));
                // A link that never was says so, whoever asks.
                let is_over = answer.code == 410 && route == "/reset/{token}";
                if form.is_some() && !is_over && ![403, 404, 303].contains(&answer.code) {
                    wrong.push(format!("{place}: a form without its token"));
                }
                if method == "HEAD" && !answer.bytes.is_empty() {
                    wrong.push(format!("{place}: it has a body"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is not as it must be.
fn compare(place: &str, route: &str, code: u16, headers: &[(String, String)]) -> Vec<String> {
    let mut expected: BTreeMap<&str, &str> = EVERY.into();
    expected.extend(differs(route, code));
    let mut wrong = Vec::new();
    for (name, value) in headers {
        match expected.remove(name.as_str()) {
            Some(exact) if exact == value => {}
            Some(exact) => wrong.push(format!("{place}: {name} is {value}, not {exact}")),
            None if OWN.contains(&name.as_str()) => {}
            None => wrong.push(format!("{place}: {name} is unknown here")),
        }
    }
    let missing = expected.keys();
    wrong.extend(missing.map(|name| format!("{place}: {name} is missing")));
    wrong
}

#[test]
fn no_role_changes_anything_by_following_links() {
    let gateway = office(&people());
    gateway.sink.wait_for("tanaka@customer.example", 5);
    gateway.sink.wait_for("inbox@customer.example", 1);
    crate::gateway::wait_for("the last mail to be noted", || {
        (gateway.events("notified").len() == 6).then_some(())
    });
    let mut browsers = ROLES.map(|login_id| (login_id, gateway.logged_in(login_id, RIGHT)));
    let before = gateway.content();
    for (login_id, browser) in &mut browsers {
        let seen = crawl(&gateway, browser);
        assert!(seen.len() > 10, "{login_id} has seen {seen:?}");
        let failed: Vec<_> = seen.iter().filter(|(_, code)| **code >= 500).collect();
        assert!(failed.is_empty(), "{login_id}: {failed:?}");
        let linked = |path: &&String| !path.contains('{');
        println!(
            "{login_id}: {:?}",
            seen.keys().filter(linked).collect::<Vec<_>>()
        );
    }
    let after = gateway.content();
    for (table, rows) in &after {
        let known = before.get(table).cloned().unwrap_or_default();
        let new: Vec<_> = rows.difference(&known).collect();
        assert!(*rows == known, "{table} has changed: {new:?}");
    }
}

/// Asks for every route and follows every link within the site; each address with its answer's code.
fn crawl(gateway: &Gateway, browser: &mut Browser) -> BTreeMap<String, u16> {
    /// Of one page with different filters.
    const ALIKE: usize = 8;
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    let routes = routes::all().into_iter().filter(|route| route.get);
    let mut queue: VecDeque<String> = routes.map(|route| filled(gateway, &route.path)).collect();
    let mut seen = BTreeMap::new();
    while let Some(path) = queue.pop_front() {
        let page = path.split('?').next().unwrap();
        if seen.contains_key(&path) || is_stream(page) {
            continue;
        }
        let same = alike.entry(page.to_owned()).or_default();
        *same += 1;
        if *same > ALIKE {
            continue;
        }
        let answer = browser.get(&path);
        seen.insert(path, answer.code);
        queue.extend(answer.header("location").map(str::to_owned));
        if answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
        {
            queue.extend(links(&answer.body()));
        }
    }
    seen
}

/// Where a page leads: links, pictures, and what htmx fetches.
fn links(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    for mark in [" href=\"", " src=\"", " hx-get=\""] {
        for part in body.split(mark).skip(1) {
            let address = part.split('"').next().unwrap().replace("&amp;", "&");
            let address = address.split('#').next().unwrap();
            if address.starts_with('/') {
                found.push(address.to_owned());
            }
        }
    }
    found
}

impl Gateway {
    /// All that is stored, but when sessions were last seen.
    fn content(&self) -> BTreeMap<String, BTreeSet<String>> {
        let database = rusqlite::Connection::open(self.path("var/faxgate.sqlite3")).unwrap();
        let mut tables = database
            .prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
            )
            .unwrap();
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let tables: Vec<String> = tables.map(Result::unwrap).collect();
        let mut content = BTreeMap::new();
        for table in tables {
            let mut all = database
                .prepare(&format!("SELECT * FROM \"{table}\""))
                .unwrap();
            let names: Vec<String> = all.column_names().map(str::to_owned).collect();
            let rows = all.query_map([], |row| {
                let fields = names.iter().enumerate();
                let kept = fields.filter(|(_, name)| *name != "seen_at");
                let values = kept.map(|(at, name)| {
                    let value: rusqlite::types::Value = row.get(at).unwrap();
                    format!("{name}={value:?}")
                });
                Ok(values.collect::<Vec<_>>().join(" "))
            });
            let rows: BTreeSet<String> = rows.unwrap().map(Result::unwrap).collect();
            content.insert(table, rows);
        }
        content
    }
}
