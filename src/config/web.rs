//! `[web]`: the account web.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use toml::Table;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::network;
use super::network::Network;
use super::section::Section;
use super::show;

/// `[web]`: the account web.
#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// Addresses to listen on, in clear.
    pub listen: Vec<SocketAddr>,
    /// How browsers reach it; never taken from a request.
    pub base_url: BaseUrl,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// A session ends when nothing was asked for in this time.
    pub session_idle: Duration,
    /// A session ends this long after the login.
    pub session_lasts: Duration,
    /// Most requests a minute from one address; 0 for no limit.
    pub max_requests_per_minute: u32,
    /// Most logins a minute from one address; 0 for no limit.
    pub max_logins_per_minute: u32,
    /// Most resets of a password asked for a minute from one address; 0 for no limit.
    pub max_resets_per_minute: u32,
}

/// Scheme, host and port under which browsers reach the account web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    secure: bool,
    /// Host and perhaps a port, in lower case.
    authority: String,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Web {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self {
            listen: vec![listen],
            base_url: BaseUrl::of(listen),
            trusted_proxies: Vec::new(),
            session_idle: 30 * MINUTE,
            session_lasts: 12 * HOUR,
            max_requests_per_minute: 300,
            max_logins_per_minute: 10,
            max_resets_per_minute: 6,
        }
    }
}

impl Web {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        let listen = section.filled_list("listen", default.listen, forms::socket);
        let own = listen
            .first()
            .copied()
            .map_or(default.base_url, BaseUrl::of);
        let web = Self {
            base_url: section.or("base_url", own, base_url),
            listen,
            trusted_proxies: section.list("trusted_proxies", Vec::new(), network::network),
            session_idle: section.or("session_idle", default.session_idle, |value| {
                forms::duration(value, MINUTE..=DAY)
            }),
            session_lasts: section.or("session_lasts", default.session_lasts, |value| {
                forms::duration(value, MINUTE..=30 * DAY)
            }),
            max_requests_per_minute: section.or(
                "max_requests_per_minute",
                default.max_requests_per_minute,
                per_minute,
            ),
            max_logins_per_minute: section.or(
                "max_logins_per_minute",
                default.max_logins_per_minute,
                per_minute,
            ),
            max_resets_per_minute: section.or(
                "max_resets_per_minute",
                default.max_resets_per_minute,
                per_minute,
            ),
        };
        web.check_clear(section);
        web
    }

    /// Passwords must not cross a network in clear.
    fn check_clear(&self, section: &mut Section<'_, '_>) {
        let open = self.listen.iter().find(|at| !at.ip().is_loopback());
        if let Some(open) = open.filter(|_| !self.base_url.secure) {
            let problem = format!("passwords would come to {open} in clear");
            let accepted = "addresses of this machine (127.0.0.1, [::1]); others behind a proxy that takes \
                            TLS off, with base_url = \"https://…\"";
            section.mistake("listen", &problem, accepted);
        }
    }

    /// What the operator should know of it: one line; `None`: nothing.
    pub fn warning(&self) -> Option<String> {
        let url = &self.base_url;
        if !url.secure {
            let clear =
                || format!("base_url {url} sends passwords in clear over the network; use https");
            return (!url.is_this_machine()).then(clear);
        }
        let alike = "is behind a proxy that trusted_proxies does not name: all browsers count as one address";
        self.trusted_proxies
            .is_empty()
            .then(|| format!("base_url {url} {alike}"))
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("listen", show::texts(&self.listen)),
            ("base_url", show::text(&self.base_url)),
            ("trusted_proxies", show::texts(&self.trusted_proxies)),
            ("session_idle", show::duration(self.session_idle)),
            ("session_lasts", show::duration(self.session_lasts)),
            (
                "max_requests_per_minute",
                show::number(self.max_requests_per_minute),
            ),
            (
                "max_logins_per_minute",
                show::number(self.max_logins_per_minute),
            ),
            (
                "max_resets_per_minute",
                show::number(self.max_resets_per_minute),
            ),
        ])
    }
}

impl BaseUrl {
    fn of(listen: SocketAddr) -> Self {
        Self {
            secure: false,
            authority: listen.to_string(),
        }
    }

    /// The URL in `text`; `None` unless it is a scheme, a host and perhaps a port.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_lowercase();
        let (host, port) = split_port(&authority)?;
        let host_is_good = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => forms::is_domain(host),
        };
        let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok());
        (host_is_good && port_is_good).then_some(Self { secure, authority })
    }

    /// Whether browsers come by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host and perhaps a port, in lower case.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether browsers reach it at this machine only.
    pub fn is_this_machine(&self) -> bool {
        let host = split_port(&self.authority).map_or("", |(host, _)| host);
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether `Host` of a request may mean us. At this machine only addresses, `localhost` and the configured
    /// name do: a name of somebody else's that resolves here (DNS rebinding) would make that site's pages ours.
    pub fn is_meant_by(&self, host: &str) -> bool {
        if !self.is_this_machine() || host.eq_ignore_ascii_case(&self.authority) {
            return true;
        }
        let name = split_port(host).map_or("", |(name, _)| name);
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        name.eq_ignore_ascii_case("localhost") || address.is_ok()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// Host and port; an address of IPv6 stands in brackets.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end)?;
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => rest.is_empty().then_some((host, None)),
    }
}

fn base_url(value: &DeValue<'_>) -> Result<BaseUrl, Bad> {
    let accepted = "http or https, a host and perhaps a port, such as \"https://fax.example\"";
    BaseUrl::parse(&forms::text(value)?)
        .ok_or_else(|| Bad::new("this is no URL of a host", accepted))
}

fn per_minute(value: &DeValue<'_>) -> Result<u32, Bad> {
    forms::number(value, 0..=1_000_000)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("x.toml"), text).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn the_table_web_opens_the_web_door_and_never_in_clear_to_a_network() {
        assert_eq!(parse("[web]").unwrap().web, Some(Web::default()));
        let own = parse("[web]\nlisten = [\"127.0.0.1:81\"]").unwrap().web;
        assert_eq!(own.unwrap().base_url.to_string(), "http://127.0.0.1:81");
        let open = "[web]\nlisten = [\"127.0.0.1:81\", \"192.0.2.1:80\"]";
        for text in [open, &format!("{open}\nbase_url = \"http://fax.example\"")] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("to 192.0.2.1:80 in clear"), "{error}");
        }
        assert!(parse(&format!("{open}\nbase_url = \"https://fax.example\"")).is_ok());
    }

    #[test]
    fn a_base_url_is_a_scheme_a_host_and_perhaps_a_port() {
        for (text, shown) in [
            ("https://Fax.Example", Some("https://fax.example")),
            ("https://fax.example/", Some("https://fax.example")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("https://fax.example/web", None),
            ("https://fax.example?x", None),
            ("https://me@fax.example", None),
            ("https://fax.example:x", None),
            ("https://[::1", None),
            ("https://[::1]x", None),
            ("ftp://fax.example", None),
            ("fax.example", None),
            ("https://", None),
        ] {
            let parsed = BaseUrl::parse(text).map(|url| url.to_string());
            assert_eq!(parsed.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn passwords_in_clear_and_proxies_without_a_name_are_worth_a_warning() {
        for (url, warned) in [
            ("http://fax.example", true),
            ("http://192.0.2.1:8080", true),
            ("https://fax.example", true),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("http://localhost:8080", false),
        ] {
            let web = Web {
                base_url: BaseUrl::parse(url).unwrap(),
                ..Web::default()
            };
            assert_eq!(web.warning().is_some(), warned, "{url}");
        }
        let behind_a_proxy = Web {
            base_url: BaseUrl::parse("https://fax.example").unwrap(),
            trusted_proxies: vec![Network::parse("127.0.0.1").unwrap()],
            ..Web::default()
        };
        assert_eq!(behind_a_proxy.warning(), None);
    }
}
