//! T17: two companies, four roles, every route there is: what belongs to somebody else is not there (404), a form that
//! we did not make changes nothing (403), and a stranger is sent to the login.

use crate::gateway::Account;
use crate::gateway::Browser;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::routes;
use crate::gateway::routes::Route;

/// Routes that anybody may ask for.
const PUBLIC: [&str; 5] = ["/", "/login", "/reset", "/reset/{token}", "/assets/{name}"];

/// What `tanaka`, of the company acme, has: nobody of the company beta may see it.
struct World {
    gateway: Gateway,
    job: String,
    batch: String,
    received: String,
    draft: String,
    /// The browser that composed the draft: it is there in no other.
    own: Browser,
}

impl World {
    fn new() -> Self {
        let beta = |id: &str, role: &str| {
            let account = Account::new(id).password(RIGHT);
            let account = account.set("role", &format!("{role:?}"));
            account.set("company", "\"beta\"")
        };
        let accounts = [
            Account::tanaka().set("company", "\"acme\""),
            beta("customer", "customer"),
            beta("admin", "company-admin"),
            beta("operator", "operator"),
            beta("desk", "help-desk"),
        ];
        let gateway = Gateway::start(Setup::new(&accounts).web());
        let number = "0312345678@fax.example";
        gateway.accepts(&Mail::right(number));
        let job = gateway.settled(1).remove(0);
        let file = gateway.path("fax.tiff");
        std::fs::write(&file, paper::tiff(1)).unwrap();
        let file = file.to_str().unwrap();
        gateway.must(&["received", "inject", "--to", "03-4567-0001", file]);
        let received = gateway.json(&["received", "list"]);
        let mut own = gateway.logged_in("tanaka", RIGHT);
        let csrf = own.get("/send").csrf();
        let fields = [
            ("csrf", csrf.as_str()),
            ("number", "0312345678"),
            ("text", "hello"),
        ];
        let composed = own.send_files("/send", &fields, &[]);
        assert_eq!(composed.code, 303, "{}", composed.body());
        let draft = composed.header("location").unwrap();
        Self {
            draft: draft.rsplit('/').next().unwrap().to_owned(),
            job: job["id"].as_str().unwrap().to_owned(),
            batch: job["batch"].as_str().unwrap().to_owned(),
            received: received[0]["id"].as_str().unwrap().to_owned(),
            own,
            gateway,
        }
    }

    /// The path of what is `tanaka`'s; a new kind of thing must be named here.
    fn path(&self, route: &Route) -> String {
        let mut path = route.path.clone();
        for (begins, name, value) in [
            ("/sent/", "{id}", self.job.as_str()),
            ("/batches/", "{id}", &self.batch),
            ("/received/", "{id}", &self.received),
            ("/people/", "{id}", "tanaka"),
            ("/admin/accounts/", "{id}", "tanaka"),
            ("/lists/", "{name}", "shops"),
            ("/lists/", "{position}", "1"),
            ("/send/", "{draft}", &self.draft),
            ("/reset/", "{token}", "none"),
            ("/assets/", "{name}", "faxgate.css"),
            ("/", "{page}", "1"),
        ] {
            if path.starts_with(begins) {
                path = path.replace(name, value);
            }
        }
        assert!(!path.contains('{'), "{path}: say here whose it is");
        path
    }

    /// Sends a form with this token, as its page would.
    fn post(&self, browser: &mut Browser, path: &str, csrf: &str) -> u16 {
        let fields = [
            ("csrf", csrf),
            ("reason", "asked"),
            ("number", "0312345678"),
        ];
        let has_files = path == "/send" || path.ends_with("/import");
        let answer = match has_files {
            true => browser.send_files(path, &fields, &[]),
            false => browser.post(path, &fields),
        };
        answer.code
    }
}

/// All routes but that of style and scripts, which are nobody's.
fn own_routes() -> Vec<Route> {
    let mut routes = routes::all();
    routes.retain(|route| !route.path.starts_with("/assets/"));
    routes
}

/// Whether the page is one that people of this role have for others' accounts too; `web_people` and `web_admin` tell
/// what they may do there.
fn is_in_office(role: &str, route: &Route) -> bool {
    let office = route.path.starts_with("/people") || route.path.starts_with("/admin");
    office && matches!(role, "operator" | "desk")
}

#[test]
fn t17_what_belongs_to_another_company_is_not_there_for_any_role_on_any_route() {
    let world = World::new();
    let routes = own_routes();
    assert!(routes.len() > 50, "{}", routes.len());
    for role in ["customer", "admin", "operator", "desk"] {
        let mut browser = world.gateway.logged_in(role, RIGHT);
        let csrf = browser.get("/settings").csrf();
        let named = routes.iter().filter(|route| route.path.contains('{'));
        for route in named.filter(|route| !PUBLIC.contains(&route.path.as_str())) {
            if is_in_office(role, route) {
                continue;
            }
            let path = world.path(route);
            if route.get {
                assert_eq!(browser.get(&path).code, 404, "{role} GET {path}");
            }
            if route.post {
                let code = world.post(&mut browser, &path, &csrf);
                assert_eq!(code, 404, "{role} POST {path}");
            }
        }
    }
    // What was asked for is there: its owner sees it, unharmed.
    let mut own = world.own.clone();
    for route in [
        "/sent/{id}",
        "/batches/{id}",
        "/received/{id}",
        "/send/{draft}",
        "/lists/{name}",
    ] {
        let found = routes.iter().find(|known| known.path == route).unwrap();
        assert_eq!(own.get(&world.path(found)).code, 200, "{route}");
    }
    assert_eq!(world.gateway.jobs().len(), 1, "nothing was sent");
}

#[test]
fn t17_the_pages_of_an_office_are_not_there_for_others() {
    let world = World::new();
    let may = |role: &str, path: &str| match role {
        "operator" => true,
        "desk" => matches!(path, "/people" | "/admin/locks" | "/admin/refused"),
        "admin" => path == "/people",
        _ => false,
    };
    for role in ["customer", "admin", "operator", "desk"] {
        let mut browser = world.gateway.logged_in(role, RIGHT);
        for route in own_routes() {
            let office = route.path.starts_with("/admin") || route.path == "/people";
            if !office || route.path.contains('{') {
                continue;
            }
            let code = browser.get(&route.path).code;
            let expected = if may(role, &route.path) { 200 } else { 404 };
            assert_eq!(code, expected, "{role} GET {}", route.path);
        }
    }
}

#[test]
fn t13_no_form_without_its_token_and_no_page_without_a_login() {
    let world = World::new();
    let mut own = world.gateway.logged_in("tanaka", RIGHT);
    let mut stranger = world.gateway.browser();
    for route in own_routes() {
        let path = world.path(&route);
        // A link that never was says so, whoever asks (`web_reset` has its forms).
        if route.post && route.path != "/reset/{token}" {
            let bare = own.ask("POST", &path, None).code;
            assert_eq!(bare, 403, "POST {path} with nothing at all");
            for csrf in ["", "0123"] {
                let code = world.post(&mut own, &path, csrf);
                // Who has logged in meets the login form no more, and the log-out button of nobody leads to the login.
                assert_eq!(code, 403, "POST {path} with the token {csrf:?}");
            }
        }
        if PUBLIC.contains(&route.path.as_str()) {
            continue;
        }
        let answer = match route.get {
            true => stranger.get(&path),
            false => stranger.post(&path, &[]),
        };
        let to = answer.header("location");
        assert_eq!(
            (answer.code, to),
            (303, Some("/login")),
            "a stranger at {path}"
        );
    }
    assert_eq!(own.get("/sent").code, 200, "still logged in");
}
