//! `[transport]`: how calls are made.

mod loopback;
mod password_file;
mod sip;
mod upstream;

use toml::Table;
use toml::Value;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;

pub use loopback::Loopback;
pub use loopback::Phase;
pub use loopback::Script;
pub use password_file::PasswordFile;
pub use sip::NumberFormat;
pub use sip::PortRange;
pub use sip::Sip;
pub use sip::SipUri;
pub use sip::Trunk;
pub use sip::Wire;
pub use upstream::Hylafax;
pub use upstream::Interfax;
pub use upstream::Spool;

/// `[transport]`: how calls are made.
///
/// A kind is open if its table is there, whether or not numbers are sent over it: it may receive.
#[derive(Clone, Debug, PartialEq)]
pub struct Transport {
    /// Where numbers go that no route names; `None` is nowhere, if there are routes and nothing else was said.
    pub kind: Option<Kind>,
    /// `[[transport.route]]`: where numbers go that begin so; the longest prefix counts.
    pub routes: Vec<Route>,
    /// `[transport.loopback]`
    pub loopback: Loopback,
    /// `[transport.sip]`
    pub sip: Option<Sip>,
    /// `[transport.hylafax]`
    pub hylafax: Option<Hylafax>,
    /// `[transport.interfax]`
    pub interfax: Option<Interfax>,
    /// `[transport.spool]`
    pub spool: Option<Spool>,
}

/// The kinds of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A HylaFAX server.
    Hylafax,
    /// Another gateway that speaks the REST protocol of InterFAX, or InterFAX itself.
    Interfax,
    /// No line: calls end in a folder.
    Loopback,
    /// Telephone lines over SIP.
    Sip,
    /// A folder that another program empties.
    Spool,
}

/// `[[transport.route]]`: where some numbers go.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// First digits, country code first; an empty one is every number.
    pub prefix: String,
    /// Where they go.
    pub kind: Kind,
}

const KINDS: [(&str, Kind); 5] = [
    ("loopback", Kind::Loopback),
    ("sip", Kind::Sip),
    ("hylafax", Kind::Hylafax),
    ("interfax", Kind::Interfax),
    ("spool", Kind::Spool),
];

impl Kind {
    /// The word in the configuration, in the journal and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hylafax => "hylafax",
            Self::Interfax => "interfax",
            Self::Loopback => "loopback",
            Self::Sip => "sip",
            Self::Spool => "spool",
        }
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            kind: Some(Kind::Loopback),
            routes: Vec::new(),
            loopback: Loopback::default(),
            sip: None,
            hylafax: None,
            interfax: None,
            spool: None,
        }
    }
}

impl Transport {
    pub(super) fn read(section: &mut Section<'_, '_>, country: &CountryCode) -> Self {
        let said = section.optional("kind", |value| forms::word(value, &KINDS));
        let routes = section.tables("route", |route| Route::read(route, country));
        let names = |kind| said == Some(kind) || routes.iter().any(|route| route.kind == kind);
        // All their keys have a default: to name the kind is enough.
        let (hylafax, spool) = (names(Kind::Hylafax), names(Kind::Spool));
        let transport = Self {
            kind: said.or_else(|| routes.is_empty().then_some(Kind::Loopback)),
            routes,
            loopback: section.table("loopback", |table| Loopback::read(table, country)),
            sip: table_if(false, section, "sip", Sip::read),
            hylafax: table_if(hylafax, section, "hylafax", Hylafax::read),
            interfax: table_if(false, section, "interfax", Interfax::read),
            spool: table_if(spool, section, "spool", Spool::read),
        };
        transport.check(section);
        transport
    }

    /// Every kind that numbers are sent over has its table, and no prefix is named twice.
    fn check(&self, section: &mut Section<'_, '_>) {
        for kind in self.kinds() {
            let missing = match kind {
                Kind::Hylafax | Kind::Loopback | Kind::Spool => false,
                Kind::Sip => self.sip.is_none(),
                Kind::Interfax => self.interfax.is_none(),
            };
            if missing {
                let problem = format!("the table [transport.{}] is missing", kind.as_str());
                let accepted = "that table, with its keys";
                let key = if self.kind == Some(kind) && section.has("kind") {
                    "kind"
                } else {
                    "route"
                };
                section.mistake(key, &problem, accepted);
            }
        }
        let mut prefixes: Vec<_> = self.routes.iter().map(|route| &route.prefix).collect();
        prefixes.sort_unstable();
        if prefixes.windows(2).any(|pair| pair.first() == pair.last()) {
            section.mistake(
                "route",
                "two routes have the same prefix",
                "each prefix once",
            );
        }
    }

    /// The kinds that numbers are sent over, each once.
    pub fn kinds(&self) -> Vec<Kind> {
        let routed = self.routes.iter().map(|route| route.kind);
        let mut kinds: Vec<_> = self.kind.into_iter().chain(routed).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Where `number` goes; `None` is nowhere.
    pub fn route(&self, number: &FaxNumber) -> Option<Kind> {
        let fits = |route: &&Route| number.digits().starts_with(&route.prefix);
        let longest = self.routes.iter().filter(fits);
        let longest = longest.max_by_key(|route| route.prefix.len());
        longest.map(|route| route.kind).or(self.kind)
    }

    pub(super) fn show(&self) -> Table {
        let mut shown = show::table([("loopback", Value::Table(self.loopback.show()))]);
        let mut insert = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                shown.insert(key.to_owned(), value);
            }
        };
        insert("kind", self.kind.map(|kind| show::text(kind.as_str())));
        let routes: Vec<Value> = self.routes.iter().map(|r| r.show().into()).collect();
        insert("route", (!routes.is_empty()).then_some(routes.into()));
        insert("sip", self.sip.as_ref().map(|sip| sip.show().into()));
        insert(
            "hylafax",
            self.hylafax.as_ref().map(|table| table.show().into()),
        );
        insert(
            "interfax",
            self.interfax.as_ref().map(|table| table.show().into()),
        );
        insert(
            "spool",
            self.spool.as_ref().map(|table| table.show().into()),
        );
        shown
    }
}

/// The host and the port of `host:port`, or `port` where none is said; an IPv6 address in brackets loses them.
fn host_and_port(text: &str, port: u16) -> Option<(&str, u16)> {
    let (host, said) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            let said = match after {
                "" => None,
                after => Some(after.strip_prefix(':')?),
            };
            return Some((host, port_or(said, port)?));
        }
        None => match text.split_once(':') {
            Some((host, said)) => (host, Some(said)),
            None => (text, None),
        },
    };
    forms::is_domain(host).then_some((host, port_or(said, port)?))
}

fn port_or(said: Option<&str>, port: u16) -> Option<u16> {
    match said {
        Some(said) => said.parse().ok().filter(|port| *port > 0),
        None => Some(port),
    }
}

/// What `read` makes of the table at `key`, if it is there or `needed`.
fn table_if<'t, T>(
    needed: bool,
    section: &mut Section<'_, 't>,
    key: &'static str,
    read: impl FnOnce(&mut Section<'_, 't>) -> T,
) -> Option<T> {
    match needed || section.has(key) {
        true => Some(section.table(key, read)),
        false => section.optional(key, |_| Ok(())).and(None),
    }
}

impl Route {
    fn read(section: &mut Section<'_, '_>, country: &CountryCode) -> Self {
        let accepted = "prefix = \"81\"";
        Self {
            prefix: section.required("prefix", accepted, |value| prefix(value, country)),
            kind: section
                .required("kind", "kind = \"sip\"", |value| {
                    forms::word(value, &KINDS).map(Some)
                })
                .unwrap_or(Kind::Loopback),
        }
    }

    fn show(&self) -> Table {
        show::table([
            ("prefix", show::text(&self.prefix)),
            ("kind", show::text(self.kind.as_str())),
        ])
    }
}

fn prefix(value: &DeValue<'_>, country: &CountryCode) -> Result<String, Bad> {
    let accepted =
        "the first digits of numbers, country code first (\"81\"), or \"\" for every number";
    let typed = forms::any_text(value)?;
    if typed.is_empty() {
        return Ok(typed);
    }
    let prefix = country.prefix(&typed).filter(|digits| digits.len() <= 15);
    prefix.ok_or_else(|| Bad::new("these are no first digits of numbers", accepted))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn transport(text: &str) -> Result<Transport, String> {
        let config = Config::parse(Path::new("x.toml"), text).map_err(|m| m.to_string())?;
        Ok(config.transport)
    }

    fn number(digits: &str) -> FaxNumber {
        FaxNumber::parse(digits, &CountryCode::JAPAN).unwrap()
    }

    #[test]
    fn the_longest_prefix_says_where_a_number_goes() {
        let text = "[transport.spool]\n[[transport.route]]\nprefix = \"81\"\nkind = \"spool\"\n\
                    [[transport.route]]\nprefix = \"03\"\nkind = \"loopback\"";
        let routed = transport(text).unwrap();
        assert_eq!(routed.route(&number("0312345678")), Some(Kind::Loopback));
        assert_eq!(routed.route(&number("0612345678")), Some(Kind::Spool));
        assert_eq!(routed.route(&number("+12125550100")), None, "nowhere");
        let text = format!("{text}\n[transport]\nkind = \"loopback\"");
        let routed = transport(&text).unwrap();
        assert_eq!(routed.route(&number("+12125550100")), Some(Kind::Loopback));
        let default = transport("").unwrap();
        assert_eq!(default.route(&number("0312345678")), Some(Kind::Loopback));
    }

    #[test]
    fn a_kind_whose_keys_have_defaults_needs_no_table() {
        let spool = transport("[transport]\nkind = \"spool\"").unwrap();
        assert!(spool.spool.is_some() && spool.hylafax.is_none());
        let text = "[[transport.route]]\nprefix = \"\"\nkind = \"hylafax\"";
        let hylafax = transport(text).unwrap().hylafax.unwrap();
        assert_eq!(hylafax.server, "127.0.0.1:4559");
    }

    #[test]
    fn a_kind_that_is_used_has_its_table() {
        for (text, mistake) in [
            ("[transport]\nkind = \"sip\"", "[transport.sip] is missing"),
            (
                "[[transport.route]]\nprefix = \"\"\nkind = \"interfax\"",
                "[transport.interfax] is missing",
            ),
            ("[transport.sip]", "there is no trunk"),
            ("[transport.interfax]\nuser = \"u\"", "this key is missing"),
            (
                "[transport.spool]\n[[transport.route]]\nprefix = \"8\"\nkind = \"spool\"\n\
                 [[transport.route]]\nprefix = \"8\"\nkind = \"spool\"",
                "the same prefix",
            ),
            (
                "[transport.hylafax]\nserver = \"a\"\nreceive = true",
                "the number that is called there is missing",
            ),
        ] {
            let mistakes = transport(text).unwrap_err();
            assert!(mistakes.contains(mistake), "{text}: {mistakes}");
        }
    }

    #[test]
    fn a_trunk_registers_where_it_has_a_user_and_its_password_is_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("p"), "s3cret\nno\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let main = folder.path().join("x.toml");
        let text = "[transport]\nkind = \"sip\"\n[[transport.sip.trunk]]\nname = \"a\"\nproxy = \"sip:192.0.2.1\"\n";
        let read = |more: &str| Config::parse(&main, &format!("{text}{more}"));
        let plain = read("").unwrap().transport.sip.unwrap();
        assert!(!plain.trunks[0].register);
        let known = read("user = \"u\"\npassword_file = \"p\"").unwrap();
        let trunk = &known.transport.sip.as_ref().unwrap().trunks[0];
        assert!(trunk.register);
        let password = trunk.password_file.as_ref().unwrap().read(&main).unwrap();
        assert_eq!(password.expose(), "s3cret");
        assert!(!known.effective().contains("s3cret"));
        for bad in [
            "user = \"u\"\npassword_file = \"empty\"",
            "user = \"u\"\npassword_file = \"none\"",
            "password_file = \"p\"",
            "register = true",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
