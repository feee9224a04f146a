//! `/confirm`: the password once more, before something that others could misuse.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use serde::Deserialize;

use super::words;
use super::words::Words;
use crate::web::Site;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::proof;
use crate::web::proof::Unproved;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    f: Frame,
    p: &'static Words,
    csrf: String,
    to: String,
    wrong: Option<&'static str>,
}

/// What the URL says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// Where one wants to go.
    #[serde(default)]
    to: String,
}

/// `GET /confirm`
pub(super) async fn form(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Response {
    shown(&site, &visitor, &asked.to, StatusCode::OK, |_| None)
}

/// `POST /confirm`
pub(super) async fn confirm(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    let to = fields.text("to");
    let proved = proof::again(&site, &visitor, client, fields.secret("password")).await;
    match proved {
        Ok(_) => {}
        Err(Unproved::Answered(answer)) => return *answer,
        Err(Unproved::Wrong) => {
            let status = StatusCode::UNAUTHORIZED;
            return shown(&site, &visitor, &to, status, |p| Some(p.wrong_current));
        }
    }
    let noted = site.sessions.proved(&visitor.cookie, site.now()).await;
    match visitor.found(&site, Tab::Settings, noted.map(Some)) {
        Ok(()) => Redirect::to(local(&to)).into_response(),
        Err(trouble) => *trouble,
    }
}

fn shown(
    site: &Site,
    visitor: &Visitor,
    to: &str,
    status: StatusCode,
    wrong: fn(&Words) -> Option<&'static str>,
) -> Response {
    let f = visitor.frame(site, Tab::Settings);
    let p = words::of(f.language);
    let page = ConfirmPage {
        csrf: site.sessions.csrf(&visitor.cookie),
        to: local(to).to_owned(),
        wrong: wrong(p),
        p,
        f,
    };
    page::answer(status, &page)
}

/// `to`, if it is a page of this site; else the history. Browsers take `//host` and `/\\host` for other sites.
fn local(to: &str) -> &str {
    let plain = to
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_local = plain && to.starts_with('/') && !to.starts_with("//");
    if is_local { to } else { "/sent" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_site_are_gone_on_to() {
        for to in ["/people", "/people?a=b&c=%20", "/"] {
            assert_eq!(local(to), to);
        }
        for to in [
            "",
            "people",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a b",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.example",
            "/日本",
        ] {
            assert_eq!(local(to), "/sent", "{to:?}");
        }
    }
}
