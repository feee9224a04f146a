//! `[mail]`: how our own mails leave.

use std::fmt;
use std::time::Duration;

use toml::Table;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;
use crate::smtp::Address;

/// `[mail]`: how our own mails leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Where they are handed over.
    pub smarthost: Smarthost,
    /// Address in `From`; the default is `faxgate@` and the first of `gateway.domains`.
    pub from: Address,
    /// How long a mail is tried before it is given up.
    pub give_up: Duration,
}

/// The server that takes our mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smarthost {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Mail {
    /// What holds when nothing is said, on a gateway that serves `domain`.
    fn at(domain: &str) -> Self {
        Self {
            smarthost: Smarthost {
                host: "127.0.0.1".into(),
                port: 1025,
            },
            from: Address::of_gateway(domain),
            // RFC 5321 section 4.5.4.1: the give-up time needs to be at least four to five days.
            give_up: 5 * DAY,
        }
    }

    pub(super) fn read(section: &mut Section<'_, '_>, domains: &[String]) -> Self {
        let default = match domains.first() {
            Some(domain) => Self::at(domain),
            None => Self::default(),
        };
        Self {
            smarthost: section.or("smarthost", default.smarthost, smarthost),
            from: section.or("from", default.from, forms::address),
            give_up: section.or("give_up", default.give_up, |value| {
                forms::duration(value, Duration::from_secs(1)..=30 * DAY)
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("smarthost", show::text(&self.smarthost)),
            ("from", show::text(&self.from)),
            ("give_up", show::duration(self.give_up)),
        ])
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self::at("fax.example")
    }
}

impl Smarthost {
    /// The server in a `smtp://host:port` address.
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("smtp://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            return Self::new(
                host,
                after
                    .strip_prefix(':')
                    .or_else(|| after.is_empty().then_some("25"))?,
            );
        }
        let (host, port) = rest.split_once(':').unwrap_or((rest, "25"));
        forms::is_domain(host).then(|| Self::new(host, port))?
    }

    fn new(host: &str, port: &str) -> Option<Self> {
        let host = host.to_owned();
        let port = port.parse().ok().filter(|port| *port > 0)?;
        Some(Self { host, port })
    }
}

impl fmt::Display for Smarthost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "smtp://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "smtp://{}:{}", self.host, self.port)
        }
    }
}

fn smarthost(value: &DeValue<'_>) -> Result<Smarthost, Bad> {
    // The text is not repeated: somebody may have put a user and a password into it.
    Smarthost::parse(&forms::text(value)?).ok_or_else(|| {
        let accepted = "smtp://host:port, such as \"smtp://127.0.0.1:1025\"";
        Bad::new("this is no address of a mail server", accepted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smarthost_is_an_address_with_a_port() {
        for (text, shown) in [
            ("smtp://127.0.0.1:1025", Some("smtp://127.0.0.1:1025")),
            ("smtp://mail.example", Some("smtp://mail.example:25")),
            ("smtp://[::1]:26/", Some("smtp://[::1]:26")),
            ("smtp://[::1]", Some("smtp://[::1]:25")),
            ("127.0.0.1:25", None),
            ("smtps://mail.example", None),
            ("smtp://user:secret@mail.example", None),
            ("smtp://mail.example:0", None),
            ("smtp://mail.example:99999", None),
            ("smtp://", None),
            ("smtp://[::1", None),
        ] {
            let parsed = Smarthost::parse(text).map(|host| host.to_string());
            assert_eq!(parsed.as_deref(), shown, "{text}");
        }
    }
}
