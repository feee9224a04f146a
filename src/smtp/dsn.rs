//! What a client asks to be told of a mail's recipients (RFC 3461): NOTIFY, ORCPT, RET, ENVID.

use std::fmt;
use std::ops::BitOr;

use super::Address;

/// A recipient of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardPath {
    /// Its address.
    pub address: Address,
    /// What is reported about it; `None`: the client left that to us.
    pub notify: Option<Notify>,
    /// Where the mail was addressed first (ORCPT).
    pub original: Option<TypedAddress>,
}

impl From<Address> for ForwardPath {
    fn from(address: Address) -> Self {
        Self {
            address,
            notify: None,
            original: None,
        }
    }
}

/// On which events a report is sent (RFC 3461 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify(u8);

impl Notify {
    /// On none.
    pub const NEVER: Self = Self(0);
    /// Once the fax was confirmed.
    pub const SUCCESS: Self = Self(1);
    /// Once it is given up.
    pub const FAILURE: Self = Self(2);
    /// When it takes longer than one call.
    pub const DELAY: Self = Self(4);

    /// Whether all of `events` are asked for.
    pub fn wants(self, events: Self) -> bool {
        self.0 & events.0 == events.0
    }

    /// The number that storage keeps.
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// What storage keeps as `number`.
    pub fn from_number(number: i64) -> Self {
        Self(u8::try_from(number & 7).unwrap_or_default())
    }
}

impl BitOr for Notify {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How much of a mail goes back with a report of failure (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// All of it. The body never goes back, because it may have held a password: the pages do.
    Full,
    /// Its header.
    Headers,
}

/// An address with its type, printable ASCII only: `rfc822;0312345678@fax.example` (RFC 3464 section 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedAddress {
    /// The type: letters, digits and hyphens.
    pub kind: String,
    /// The address, in the way of its type.
    pub text: String,
}

impl TypedAddress {
    /// `address` as reports name it: `utf-8` if it is not ASCII (RFC 6533 section 3).
    pub fn of(address: &str) -> Self {
        let kind = if address.is_ascii() {
            "rfc822"
        } else {
            "utf-8"
        };
        Self {
            kind: kind.to_owned(),
            text: in_ascii(address),
        }
    }
}

impl fmt::Display for TypedAddress {
    /// As reports write it: `rfc822; 0312345678@fax.example`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.kind, self.text)
    }
}

/// `text` with `\x{…}` for whatever is not printable ASCII (`utf-8-addr-xtext` of RFC 6533 section 3).
pub fn in_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            c => out.push_str(&format!("\\x{{{:X}}}", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_add_up_and_survive_storage() {
        let both = Notify::SUCCESS | Notify::DELAY;
        assert!(both.wants(Notify::SUCCESS) && both.wants(Notify::DELAY));
        assert!(!both.wants(Notify::FAILURE) && !Notify::NEVER.wants(Notify::DELAY));
        assert_eq!(Notify::from_number(both.number()), both);
        assert_eq!(Notify::from_number(-8), Notify::NEVER);
    }

    #[test]
    fn an_address_that_is_not_ascii_is_named_in_ascii() {
        let plain = TypedAddress::of("0312345678@fax.example");
        assert_eq!(
            (plain.kind.as_str(), plain.text.as_str()),
            ("rfc822", "0312345678@fax.example")
        );
        let wide = TypedAddress::of("支店@list.fax.example");
        assert_eq!(
            (wide.kind.as_str(), wide.text.as_str()),
            ("utf-8", "\\x{652F}\\x{5E97}@list.fax.example")
        );
    }
}
