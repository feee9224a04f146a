//! `[transport.sip]`: telephone lines over SIP.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Table;
use toml::Value;
use toml::de::DeValue;

use super::PasswordFile;
use super::host_and_port;
use crate::config::forms;
use crate::config::forms::Bad;
use crate::config::section::Section;
use crate::config::show;

/// `[transport.sip]`: telephone lines over SIP (RFC 3261), faxes over T.38 or G.711.
#[derive(Clone, Debug, PartialEq)]
pub struct Sip {
    /// Where SIP is spoken, over UDP and TCP.
    pub listen: SocketAddr,
    /// The address in our SDP, where media reaches us; `None` is the one that leads to the far end.
    pub media_address: Option<IpAddr>,
    /// The UDP ports of media: an even one for each call.
    pub media_ports: PortRange,
    /// Calls that come in at a time at most.
    pub lines_in: usize,
    /// Whether T.38 is offered and taken.
    pub t38: bool,
    /// `[[transport.sip.trunk]]`: over whom calls go, in this order.
    pub trunks: Vec<Trunk>,
}

/// `[[transport.sip.trunk]]`: a provider, or a telephone exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    /// Its name in logs, metrics and the journal.
    pub name: String,
    /// Where all its requests go.
    pub proxy: SipUri,
    /// The domain of our address there; the proxy's host if none is said.
    pub domain: Option<String>,
    /// Our user name there; `None`: it knows us by our address.
    pub user: Option<String>,
    /// Our password (digest, RFC 8760).
    pub password_file: Option<PasswordFile>,
    /// Whose certificates are taken over TLS besides those that the system trusts: a file in PEM, relative to the
    /// configuration file's folder.
    pub ca_file: Option<PathBuf>,
    /// Whether we register there, so that calls come in.
    pub register: bool,
    /// Calls at a time at most, both ways.
    pub lines: usize,
    /// Calls that begin in a second at most.
    pub calls_per_second: u32,
    /// How numbers are written there.
    pub number_format: NumberFormat,
}

/// The address of a proxy: `sip:host:port;transport=udp`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipUri {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port: 5060, or 5061 with TLS, if none is said.
    pub port: u16,
    /// What carries the requests.
    pub wire: Wire,
}

/// What carries SIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Datagrams.
    #[default]
    Udp,
    /// A connection.
    Tcp,
    /// A connection with TLS.
    Tls,
}

/// How numbers are written to a trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+81312345678`.
    #[default]
    E164,
    /// `81312345678`.
    Digits,
    /// `0312345678` within the gateway's country, `00` and the country code abroad.
    National,
}

/// UDP ports, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

const FORMATS: [(&str, NumberFormat); 3] = [
    ("e164", NumberFormat::E164),
    ("digits", NumberFormat::Digits),
    ("national", NumberFormat::National),
];

impl Sip {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let listen = SocketAddr::from(([0, 0, 0, 0], 5060));
        let ports = PortRange {
            first: 20_000,
            last: 20_999,
        };
        let sip = Self {
            listen: section.or("listen", listen, forms::socket),
            media_address: section.optional("media_address", ip),
            media_ports: section.or("media_ports", ports, port_range),
            lines_in: section.or("lines_in", 30, |value| forms::number(value, 0..=10_000)),
            t38: section.or("t38", true, forms::boolean),
            trunks: section.tables("trunk", Trunk::read),
        };
        if sip.trunks.is_empty() {
            let accepted = "at least one [[transport.sip.trunk]]";
            section.mistake("trunk", "there is no trunk", accepted);
        }
        let mut names: Vec<_> = sip.trunks.iter().map(|trunk| &trunk.name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            section.mistake("trunk", "two trunks have the same name", "each name once");
        }
        sip
    }

    pub(super) fn show(&self) -> Table {
        let trunks: Vec<Value> = self.trunks.iter().map(|t| t.show().into()).collect();
        let mut shown = show::table([
            ("listen", show::text(self.listen)),
            ("media_ports", show::text(self.media_ports)),
            ("lines_in", show::number(self.lines_in)),
            ("t38", self.t38.into()),
            ("trunk", trunks.into()),
        ]);
        if let Some(address) = self.media_address {
            shown.insert("media_address".to_owned(), show::text(address));
        }
        shown
    }
}

impl Trunk {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let proxy = "proxy = \"sip:sip.provider.example:5060;transport=udp\"";
        let user = section.optional("user", sip_user);
        let password_file = PasswordFile::optional(section, "password_file");
        let register = section.or("register", user.is_some(), forms::boolean);
        if user.is_none() && (section.has("password_file") || register) {
            let problem = "the user is missing";
            let key = if register {
                "register"
            } else {
                "password_file"
            };
            section.mistake(key, problem, "user = \"name\" as well");
        }
        Self {
            name: section.required("name", "name = \"provider\"", trunk_name),
            proxy: section.required("proxy", proxy, sip_uri),
            domain: section.optional("domain", forms::domain),
            user,
            password_file,
            ca_file: section.optional("ca_file", forms::path),
            register,
            lines: section.or("lines", 30, |value| forms::number(value, 1..=10_000)),
            calls_per_second: section.or("calls_per_second", 5, |value| {
                forms::number(value, 1..=1000)
            }),
            number_format: section.or("number_format", NumberFormat::default(), |value| {
                forms::word(value, &FORMATS)
            }),
        }
    }

    fn show(&self) -> Table {
        let mut shown = show::table([
            ("name", show::text(&self.name)),
            ("proxy", show::text(&self.proxy)),
            ("register", self.register.into()),
            ("lines", show::number(self.lines)),
            ("calls_per_second", show::number(self.calls_per_second)),
            ("number_format", show::text(self.number_format.as_str())),
        ]);
        let mut insert = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                shown.insert(key.to_owned(), value);
            }
        };
        insert("domain", self.domain.as_ref().map(show::text));
        insert("user", self.user.as_ref().map(show::text));
        insert("password_file", self.password_file.as_ref().map(show::text));
        let ca_file = self.ca_file.as_ref();
        insert("ca_file", ca_file.map(|file| show::text(file.display())));
        shown
    }
}

impl NumberFormat {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::E164 => "e164",
            Self::Digits => "digits",
            Self::National => "national",
        }
    }
}

impl Wire {
    /// The word after `transport=` (RFC 3261 section 19.1.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl SipUri {
    /// The address in `text`.
    pub fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match text.strip_prefix("sips:") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("sip:")?),
        };
        let (place, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let wire = match (parameters.to_ascii_lowercase().as_str(), secure) {
            ("", true) | ("transport=tls", _) | ("transport=tcp", true) => Wire::Tls,
            ("" | "transport=udp", false) => Wire::Udp,
            ("transport=tcp", false) => Wire::Tcp,
            (_, _) => return None,
        };
        let default = if wire == Wire::Tls { 5061 } else { 5060 };
        let (host, port) = host_and_port(place, default)?;
        Some(Self {
            host: host.to_owned(),
            port,
            wire,
        })
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (port, wire) = (self.port, self.wire.as_str());
        match self.host.contains(':') {
            true => write!(f, "sip:[{}]:{port};transport={wire}", self.host),
            false => write!(f, "sip:{}:{port};transport={wire}", self.host),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

fn sip_uri(value: &DeValue<'_>) -> Result<SipUri, Bad> {
    // The text is not repeated: somebody may have put a user and a password into it.
    let accepted = "\"sip:host:port;transport=udp\" (or tcp, or tls)";
    SipUri::parse(&forms::text(value)?)
        .ok_or_else(|| Bad::new("this is no address of a SIP proxy", accepted))
}

fn sip_user(value: &DeValue<'_>) -> Result<String, Bad> {
    // RFC 3261 section 25.1: unreserved and user-unreserved characters, nothing that would need escaping.
    let user = forms::text(value)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b);
    match user.len() <= 128 && user.bytes().all(fits) {
        true => Ok(user),
        false => Err(Bad::new(
            "this is no SIP user",
            "the part before @ of our address there",
        )),
    }
}

fn trunk_name(value: &DeValue<'_>) -> Result<String, Bad> {
    let name = forms::text(value)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match name.len() <= 40 && name.bytes().all(fits) {
        true => Ok(name),
        false => Err(Bad::new(
            "this is no name",
            "up to 40 letters, digits, -, _ and .",
        )),
    }
}

fn ip(value: &DeValue<'_>) -> Result<IpAddr, Bad> {
    let accepted = "an address, such as \"192.0.2.7\"";
    let text = forms::text(value)?;
    let address: Option<IpAddr> = text.parse().ok();
    address
        .filter(|address| !address.is_unspecified() && !address.is_multicast())
        .ok_or_else(|| Bad::new("this is no address that others can send to", accepted))
}

fn port_range(value: &DeValue<'_>) -> Result<PortRange, Bad> {
    let accepted = "two ports, such as \"20000-20999\"";
    let text = forms::text(value)?;
    let range = text.split_once('-').and_then(|(first, last)| {
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first >= 1024 && first < last).then_some(PortRange { first, last })
    });
    range.ok_or_else(|| Bad::new("these are no ports", accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_with_what_carries_it() {
        for (text, shown) in [
            ("sip:192.0.2.1", Some("sip:192.0.2.1:5060;transport=udp")),
            (
                "sip:[::1];transport=tls",
                Some("sip:[::1]:5061;transport=tls"),
            ),
            (
                "sip:[::1]:7;transport=TCP",
                Some("sip:[::1]:7;transport=tcp"),
            ),
            ("sips:a.example", Some("sip:a.example:5061;transport=tls")),
            (
                "sip:a.example:5070;transport=udp",
                Some("sip:a.example:5070;transport=udp"),
            ),
            ("a.example", None),
            ("sip:user@a.example", None),
            ("sip:a.example:0", None),
            ("sip:[::1", None),
            ("sips:a.example;transport=udp", None),
            ("sip:a.example;transport=sctp", None),
        ] {
            let parsed = SipUri::parse(text).map(|uri| uri.to_string());
            assert_eq!(parsed.as_deref(), shown, "{text}");
        }
    }
}
