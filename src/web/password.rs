//! `/password` and `/confirm`: people change their passwords (rows I1, I7, I9, I11, R1, W2), and type one again before
//! something sensitive.

mod change;
mod confirm;
pub(super) mod uses;
mod words;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;

use crate::account::age::Overdue;
use crate::account::policy;
use crate::config::CredentialKind;
use crate::config::Language;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Reminder;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;
use words::Words;

/// The pages of this area.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/password", get(form).post(change::change))
        .route("/password/check", post(check))
        .route("/confirm", get(confirm::form).post(confirm::confirm))
}

/// What the link to `/password` is called.
pub(super) fn link(language: Language) -> &'static str {
    words::of(language).title
}

/// How long a change is told of.
const TOLD: Duration = Duration::from_secs(300);

/// That a password of `visitor` has just been changed: what to do next, for the page that one is led to.
pub(super) fn just_changed(
    visitor: &Visitor,
    now: Timestamp,
    language: Language,
) -> Option<&'static str> {
    let mut kinds = visitor.account.changeable(now).into_iter();
    let lately = |at: Timestamp| now.since(at) < TOLD;
    let is_new = kinds.any(|kind| {
        let current = visitor.passwords.of(kind);
        current
            .and_then(|current| current.changed_at)
            .is_some_and(lately)
    });
    is_new.then(|| words::of(language).changed)
}

/// That a password is old, above every page (row I2).
pub(super) fn reminder(old: Overdue, language: Language) -> Reminder {
    let days = old.days;
    Reminder {
        text: match language {
            Language::En => {
                format!("Your password has been in use for {days} days. Please change it.")
            }
            Language::Ja => {
                format!(
                    "現在のパスワードは設定から{days}日が経過しています。変更をお願いいたします。"
                )
            }
        },
        link: link(language),
    }
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    f: Frame,
    p: &'static Words,
    csrf: String,
    /// Whether nothing else may be done before.
    must: bool,
    /// The passwords to choose from, if there are several.
    kinds: Vec<Choice>,
    /// The one that is changed; `None`: none may be.
    entry: Option<Entry>,
}

/// A password to choose.
struct Choice {
    kind: &'static str,
    name: &'static str,
    here: bool,
    initial: bool,
}

/// The form for one kind of password.
struct Entry {
    kind: &'static str,
    name: &'static str,
    current: &'static str,
    places: Vec<&'static str>,
    rules: Vec<String>,
    wrong: Wrong,
}

/// What is wrong with the fields, in words.
#[derive(Default)]
struct Wrong {
    current: Option<&'static str>,
    password: Vec<String>,
    again: Option<&'static str>,
}

impl Wrong {
    fn is_anything(&self) -> bool {
        self.current.is_some() || !self.password.is_empty() || self.again.is_some()
    }
}

/// What the URL says.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// Which password.
    #[serde(default)]
    kind: String,
}

/// `GET /password`
async fn form(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Response {
    let now = site.now();
    match chosen(&visitor, &asked.kind, now) {
        Some(kind) => answer(&site, &visitor, (kind, Wrong::default()), StatusCode::OK),
        None if asked.kind.is_empty() => {
            let page = shell(&site, &visitor, None);
            page::answer(StatusCode::OK, &page)
        }
        None => visitor.trouble(&site, Tab::Settings, Trouble::NotFound),
    }
}

/// The kind of password that `word` names, or the first of those that may be changed: that of this site, where it
/// may. An initial one of this site goes before all others.
fn chosen(visitor: &Visitor, word: &str, now: Timestamp) -> Option<CredentialKind> {
    let (account, site) = (&visitor.account, visitor.account.profile.doors(now).web);
    let kinds = account.changeable(now);
    let own = kinds.contains(&site).then_some(site);
    if visitor.must_change(now) {
        return own;
    }
    if word.is_empty() {
        return own.or_else(|| kinds.first().copied());
    }
    CredentialKind::of_word(word).filter(|kind| kinds.contains(kind))
}

/// The page with the form for one kind.
fn answer(
    site: &Site,
    visitor: &Visitor,
    (kind, wrong): (CredentialKind, Wrong),
    status: StatusCode,
) -> Response {
    let mut page = shell(site, visitor, Some(kind));
    let (account, now) = (&visitor.account, site.now());
    let rules = policy::rules(account.profile.policy(kind)).into_iter();
    let is_of_site = account.profile.doors(now).web == kind;
    page.entry = Some(Entry {
        kind: kind.as_str(),
        name: uses::name(kind, page.f.t),
        current: match is_of_site {
            true => page.p.current,
            false => page.p.current_of_site,
        },
        places: uses::places(account, kind, page.f.t, now),
        rules: rules.map(|rule| rule.told(page.f.language)).collect(),
        wrong,
    });
    page::answer(status, &page)
}

fn shell(site: &Site, visitor: &Visitor, here: Option<CredentialKind>) -> PasswordPage {
    let f = visitor.frame(site, Tab::Settings);
    let now = site.now();
    let must = visitor.must_change(now);
    let choice = |kind: CredentialKind| Choice {
        kind: kind.as_str(),
        name: uses::name(kind, f.t),
        here: here == Some(kind),
        initial: visitor.passwords.is_initial(kind),
    };
    let kinds = visitor.account.changeable(now).into_iter();
    let kinds: Vec<Choice> = kinds.map(choice).collect();
    PasswordPage {
        p: words::of(f.language),
        csrf: site.sessions.csrf(&visitor.cookie),
        must,
        kinds: if must || kinds.len() < 2 {
            Vec::new()
        } else {
            kinds
        },
        entry: None,
        f,
    }
}

/// Why the policy refuses `password` as a new one of this kind, in words.
fn reasons(
    visitor: &Visitor,
    kind: CredentialKind,
    password: &str,
    language: Language,
) -> Vec<String> {
    let account = &visitor.account;
    let policy = account.profile.policy(kind);
    let breaches = policy::check(policy, Some(&account.login_id), password);
    let told = breaches.iter().map(|breach| breach.told(language));
    told.collect()
}

#[derive(Template)]
#[template(path = "password_reasons.html")]
struct Reasons {
    p: &'static Words,
    reasons: Vec<String>,
    /// Whether anything was typed.
    is_typed: bool,
}

/// `POST /password/check`: the reasons against what has been typed so far, as a piece of the page. Changes nothing, and
/// says nothing of the passwords in use.
async fn check(State(site): State<Arc<Site>>, Post { visitor, fields }: Post) -> Response {
    let language = visitor.frame(&site, Tab::Settings).language;
    let Some(kind) = chosen(&visitor, &fields.text("kind"), site.now()) else {
        return visitor.trouble(&site, Tab::Settings, Trouble::NotFound);
    };
    let password = fields.secret("password");
    let is_typed = !password.expose().is_empty();
    let reasons = match is_typed {
        true => reasons(&visitor, kind, password.expose(), language),
        false => Vec::new(),
    };
    let piece = Reasons {
        p: words::of(language),
        reasons,
        is_typed,
    };
    page::answer(StatusCode::OK, &piece)
}
