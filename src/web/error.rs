//! Pages that say why there is no other.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::web::Site;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::words::Words;

/// Why there is no other page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another site made the browser send it.
    CrossSite,
    /// A form without its token, or with that of another browser.
    Form,
    /// The request cannot be understood, with this status.
    Malformed(StatusCode),
    /// Nothing is there, or nothing for this account: nobody may learn which.
    NotFound,
    /// The address asks too much.
    TooMany,
    /// Storage, or time.
    Unavailable,
}

/// Marks an answer that has a page of ours.
#[derive(Clone, Copy)]
pub(super) struct Told;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    f: Frame,
    title: &'static str,
    text: &'static str,
}

impl Trouble {
    fn status(self) -> StatusCode {
        match self {
            Self::CrossSite | Self::Form => StatusCode::FORBIDDEN,
            Self::Malformed(status) => status,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(self, t: &Words) -> (&'static str, &'static str) {
        match self {
            Self::CrossSite => (t.form_title, t.cross_site),
            Self::Form | Self::Malformed(_) => (t.form_title, t.form),
            Self::NotFound => (t.not_found_title, t.not_found),
            Self::TooMany => (t.too_many_title, t.too_many),
            Self::Unavailable => (t.unavailable_title, t.unavailable),
        }
    }
}

/// The page about `trouble`, in the browser's language.
pub(super) fn page(site: &Site, headers: &HeaderMap, trouble: Trouble) -> Response {
    framed(Frame::stranger(site, headers), trouble)
}

/// The page about `trouble` within `f`.
pub(super) fn framed(f: Frame, trouble: Trouble) -> Response {
    let (title, text) = trouble.words(f.t);
    let mut response = page::answer(trouble.status(), &ErrorPage { f, title, text });
    if trouble == Trouble::TooMany {
        let minute = HeaderValue::from_static("60");
        response.headers_mut().insert(header::RETRY_AFTER, minute);
    }
    response
}

/// A page that says a title and a text in the frame `f`.
pub(super) fn said(
    f: Frame,
    status: StatusCode,
    (title, text): (&'static str, &'static str),
) -> Response {
    page::answer(status, &ErrorPage { f, title, text })
}

/// What no route answers. An address with a slash too many leads to the one without.
pub(super) async fn not_found(
    State(site): State<Arc<Site>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_end_matches('/');
    let is_read = matches!(method, Method::GET | Method::HEAD);
    // `//host` would be an address of another site.
    if is_read && path.len() < uri.path().len() && path.starts_with('/') && !path.starts_with("//")
    {
        return Redirect::to(path).into_response();
    }
    page(&site, &headers, Trouble::NotFound)
}

/// What the framework answers by itself, without a page.
pub(super) fn of_framework(status: StatusCode) -> Option<Trouble> {
    match status {
        StatusCode::NOT_FOUND => Some(Trouble::NotFound),
        // What is no form has no proof that we made it.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Trouble::Form),
        status if status.is_client_error() => Some(Trouble::Malformed(status)),
        status if status.is_server_error() => Some(Trouble::Unavailable),
        _ => None,
    }
}
