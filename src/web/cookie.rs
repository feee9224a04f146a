//! The two cookies: of a session, and of the form before it.

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header;

use crate::account::session::Cookie;

/// Which cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jar {
    /// Binds the login form to a browser that has not logged in.
    Form,
    /// Whoever has it has logged in.
    Session,
}

impl Jar {
    /// Its name. Browsers take one with `__Host-` only over TLS, for this host alone (RFC 6265bis
    /// section 4.1.3.2), so that no other host can plant it.
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Form, false) => "faxgate-form",
            (Self::Form, true) => "__Host-faxgate-form",
            (Self::Session, false) => "faxgate",
            (Self::Session, true) => "__Host-faxgate",
        }
    }

    /// The cookie that the browser sends.
    pub(super) fn find(self, headers: &HeaderMap, secure: bool) -> Option<Cookie> {
        let name = self.name(secure);
        let lines = headers.get_all(header::COOKIE).into_iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        let mut pairs = texts
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(key, value)| Cookie::parse(value).filter(|_| key == name))
    }

    /// What makes the browser keep it until it is closed.
    pub(super) fn set(self, cookie: &Cookie, secure: bool) -> Option<HeaderValue> {
        self.line(cookie.expose(), "", secure)
    }

    /// What makes the browser forget it.
    pub(super) fn forget(self, secure: bool) -> Option<HeaderValue> {
        self.line("", "; Max-Age=0", secure)
    }

    fn line(self, value: &str, further: &str, secure: bool) -> Option<HeaderValue> {
        let tls = if secure { "; Secure" } else { "" };
        let name = self.name(secure);
        let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{tls}{further}");
        let mut line = HeaderValue::try_from(line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_under_its_own_name_only() {
        let cookie = Cookie::random().unwrap();
        let text = cookie.expose();
        for (line, found) in [
            (format!("faxgate={text}"), true),
            (format!("a=b; faxgate={text};c"), true),
            (format!("faxgate=short; faxgate={text}"), true),
            (format!("xfaxgate={text}"), false),
            (format!("faxgate-form={text}"), false),
            (format!("__Host-faxgate={text}"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, line.parse().unwrap());
            let session = Jar::Session.find(&headers, false);
            assert_eq!(session.is_some(), found, "{line}");
        }
    }

    #[test]
    fn over_tls_the_cookie_is_bound_to_the_host() {
        let cookie = Cookie::random().unwrap();
        let line = Jar::Session.set(&cookie, true).unwrap();
        let text = cookie.expose();
        let expected = format!("__Host-faxgate={text}; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(line.to_str().unwrap(), expected);
        let clear = Jar::Session.set(&cookie, false).unwrap();
        assert!(!clear.to_str().unwrap().contains("Secure"));
    }
}
