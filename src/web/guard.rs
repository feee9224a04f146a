//! What holds for every request: limits by address and time, foreign sites, headers of every answer.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use crate::config;
use crate::config::BaseUrl;
use crate::config::Network;
use crate::web::PATIENCE;
use crate::web::PATIENCE_WITH_FILES;
use crate::web::Site;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::listener::Peer;

/// Where a request comes from, as limits count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// The browser's address.
    pub(super) address: IpAddr,
    /// The network that limits count by.
    pub(super) network: IpAddr,
}

/// Refuses requests of an address that asks too much, and those that another site makes.
pub(super) async fn limit(
    State(site): State<Arc<Site>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    if !is_for_us(&site.web, peer, request.headers()) {
        let misdirected = Trouble::Malformed(StatusCode::MISDIRECTED_REQUEST);
        return error::page(&site, request.headers(), misdirected);
    }
    let address = client(peer, request.headers(), &site.web.trusted_proxies);
    let network = network(address);
    let most = site.web.max_requests_per_minute;
    if !site.requests.take(network, most, site.now()) {
        return error::page(&site, request.headers(), Trouble::TooMany);
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let own = &site.web.base_url;
    if changes && is_cross_site(request.headers(), own, is_reset(&request)) {
        return error::page(&site, request.headers(), Trouble::CrossSite);
    }
    let headers = request.headers().clone();
    request.extensions_mut().insert(Client { address, network });
    let patience = match changes && request.uri().path() == "/send" {
        true => PATIENCE_WITH_FILES,
        false => PATIENCE,
    };
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => error::page(&site, &headers, Trouble::Unavailable),
    }
}

/// The browser's address: what the nearest proxy that is not ours says, from the right; anybody can write the
/// rest of the line.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let is_ours = |address: &IpAddr| proxies.iter().any(|proxy| proxy.contains(*address));
    let mut nearest = peer;
    let lines = headers.get_all("x-forwarded-for").into_iter();
    let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let hops = texts.iter().flat_map(|text| text.split(','));
    let hops: Vec<&str> = hops.map(str::trim).collect();
    for hop in hops.iter().rev() {
        if !is_ours(&nearest) {
            break;
        }
        let Ok(address) = hop.parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
    }
    nearest
}

/// Whether a request may be answered at all. Where proxies are named that take TLS off, nobody else of the network is
/// answered, because that would be in clear.
fn is_for_us(web: &config::Web, peer: IpAddr, headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    // Only a browser can be led here by a foreign name, and a browser says that it is one (Fetch Metadata).
    let is_browser = headers.contains_key("sec-fetch-site");
    if is_browser && !host.is_none_or(|host| web.base_url.is_meant_by(host)) {
        return false;
    }
    let peer = peer.to_canonical();
    let proxies = &web.trusted_proxies;
    !web.base_url.is_secure()
        || proxies.is_empty()
        || peer.is_loopback()
        || proxies.iter().any(|proxy| proxy.contains(peer))
}

/// An address of IPv6 counts with all of its /64: one customer has as many as that.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let bits = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(bits))
        }
    }
}

/// Whether a page of another site made the browser send this. Browsers say so themselves (Fetch Metadata);
/// older ones name the page's origin. What says neither is no browser, and has no cookies to steal.
///
/// A page with `no-referrer` has no origin that an older browser would name; its form carries a token all the same.
fn is_cross_site(headers: &HeaderMap, own: &BaseUrl, is_without_origin: bool) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    if is_without_origin && origin == "null" {
        return false;
    }
    let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
    let is_own = authority.eq_ignore_ascii_case(own.authority());
    let is_host = text(header::HOST)
        .is_some_and(|host| host.eq_ignore_ascii_case(authority) && own.is_meant_by(host));
    !(is_own || is_host)
}

/// Whether the address of what is asked for may be the secret of a reset.
fn is_reset(request: &Request) -> bool {
    request.uri().path().starts_with("/reset")
}

const HEADERS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // With `no-referrer` browsers would name no origin with forms.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// Adds to every answer what browsers are to do with it; what the answer says itself stands.
pub(super) async fn headers(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.headers().clone();
    let is_reset = is_reset(&request);
    let response = next.run(request).await;
    let mut response = match error::of_framework(response.status()) {
        Some(trouble) if response.extensions().get::<error::Told>().is_none() => {
            let mut told = error::page(&site, &asked, trouble);
            if let Some(allow) = response.headers().get(header::ALLOW) {
                told.headers_mut().insert(header::ALLOW, allow.clone());
            }
            told
        }
        Some(_) | None => response,
    };
    let headers = response.headers_mut();
    if is_reset {
        // The address of the page is the secret.
        let none = HeaderValue::from_static("no-referrer");
        headers.insert(header::REFERRER_POLICY, none);
    }
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if site.is_secure() {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn only_a_trusted_proxy_names_the_browser_s_address() {
        let proxies = [Network::parse("10.0.0.0/8").unwrap()];
        for (peer, line, expected) in [
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, junk", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let peer = peer.parse().unwrap();
            let found = client(peer, &of(&[("x-forwarded-for", line)]), &proxies);
            assert_eq!(found.to_string(), expected, "{peer} {line}");
        }
    }

    #[test]
    fn a_foreign_name_of_this_machine_and_a_way_around_the_proxy_are_not_answered() {
        let at = |base_url: &str, proxies: &[&str]| config::Web {
            base_url: BaseUrl::parse(base_url).unwrap(),
            trusted_proxies: proxies.iter().map(|p| Network::parse(p).unwrap()).collect(),
            ..config::Web::default()
        };
        let own = at("http://127.0.0.1:8080", &[]);
        let open = at("https://fax.example", &["10.0.0.1"]);
        for (web, peer, host, answered) in [
            (&own, "127.0.0.1", "127.0.0.1:8080", true),
            (&own, "127.0.0.1", "localhost:8080", true),
            (&own, "127.0.0.1", "[::1]:8080", true),
            (&own, "127.0.0.1", "evil.example:8080", false),
            (&open, "10.0.0.1", "fax.example", true),
            (&open, "127.0.0.1", "10.0.0.2", true),
            (&open, "10.0.0.9", "fax.example", false),
            (
                &at("https://fax.example", &[]),
                "10.0.0.9",
                "fax.example",
                true,
            ),
        ] {
            let peer = peer.parse().unwrap();
            let found = |headers: &[(&'static str, &str)]| is_for_us(web, peer, &of(headers));
            let browser = [("host", host), ("sec-fetch-site", "same-origin")];
            assert_eq!(found(&browser), answered, "{peer} {host}");
            let is_program_s_way = answered || web.base_url.is_this_machine();
            assert_eq!(found(&browser[..1]), is_program_s_way, "{peer} {host}");
        }
    }

    #[test]
    fn a_post_of_another_site_is_seen() {
        let own = BaseUrl::parse("https://fax.example").unwrap();
        for (headers, foreign) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("origin", "https://fax.example")], false),
            (&[("origin", "https://evil.example")], true),
            (&[("origin", "null")], true),
            (
                &[
                    ("origin", "http://127.0.0.1:8080"),
                    ("host", "127.0.0.1:8080"),
                ],
                false,
            ),
        ] {
            assert_eq!(
                is_cross_site(&of(headers), &own, false),
                foreign,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_page_without_a_referrer_may_send_its_own_form() {
        let own = BaseUrl::parse("https://fax.example").unwrap();
        let null = of(&[("origin", "null")]);
        assert!(!is_cross_site(&null, &own, true));
        let foreign = of(&[("sec-fetch-site", "cross-site"), ("origin", "null")]);
        assert!(is_cross_site(&foreign, &own, true));
        let evil = of(&[("origin", "https://evil.example")]);
        assert!(is_cross_site(&evil, &own, true));
    }

    #[test]
    fn addresses_of_one_customer_count_together() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }
}
