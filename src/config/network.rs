//! Ranges of addresses: `192.0.2.7`, `198.51.100.0/24`, `2001:db8::/32`.

use std::fmt;
use std::net::IpAddr;

use toml::de::DeValue;

use super::forms;
use super::forms::Bad;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The range in `text`; `None` if it is none, or has bits beyond its length.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        let network = Self { address, prefix }.canonical();
        (network.begin(network.address) == bits(network.address)).then_some(network)
    }

    /// IPv4 within IPv6 as IPv4: clients are compared so, whichever way they came.
    fn canonical(self) -> Self {
        let address = self.address.to_canonical();
        match self.prefix.checked_sub(96) {
            Some(prefix) if address.is_ipv4() && self.address.is_ipv6() => Self { address, prefix },
            Some(_) | None => self,
        }
    }

    /// Whether `address` is one of them; an IPv4 address within IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.begin(address) == bits(self.address)
    }

    /// The first address of a range of this length with `address` in it.
    fn begin(&self, address: IpAddr) -> u128 {
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let free = width.saturating_sub(u32::from(self.prefix));
        let bits = bits(address);
        bits.checked_shr(free)
            .and_then(|kept| kept.checked_shl(free))
            .unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// A range as a value.
pub(super) fn network(value: &DeValue<'_>) -> Result<Network, Bad> {
    let accepted = "an address or a range, such as \"192.0.2.7\" or \"198.51.100.0/24\"";
    let text = forms::text(value)?;
    Network::parse(&text).ok_or_else(|| Bad::new("this is no range of addresses", accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_its_addresses_and_no_others() {
        for (range, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("198.51.100.0/24", "198.51.100.255", "198.51.101.0"),
            ("198.51.100.0/24", "::ffff:198.51.100.3", "::198.51.100.3"),
            ("0.0.0.0/0", "255.0.0.1", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.255", "192.0.3.0"),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ] {
            let network = Network::parse(range).unwrap();
            assert!(
                network.contains(inside.parse().unwrap()),
                "{range} {inside}"
            );
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{range} {outside}"
            );
            assert_eq!(Network::parse(&network.to_string()), Some(network));
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "192.0.2",
            "192.0.2.0/33",
            "192.0.2.1/24",
            "::ffff:192.0.2.1/120",
            "::ffff:0.0.0.0/90",
            "::1/129",
            "a/8",
            "1.2.3.4/",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
