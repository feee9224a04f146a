//! The address of a recipient: a fax number or a contact list.

use thiserror::Error;

use crate::config::Gateway;
use crate::fax::Destination;
use crate::fax::NumberError;
use crate::fax::SubAddress;
use crate::smtp::Address;

/// Most characters of the name of a contact list.
const MAX_LIST_NAME: usize = 64;

/// Whom a mail is addressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One destination, and whom it is for behind the number.
    Fax(Destination, Option<SubAddress>),
    /// A contact list of the account, its name in lower case. Whether it exists is known only once the
    /// account is.
    List(String),
}

/// Why an address is no recipient of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecipientError {
    /// The domain is not one of the gateway's.
    #[error("the domain is not served here")]
    ForeignDomain,
    /// The local part is no telephone number.
    #[error("{0}")]
    Number(#[from] NumberError),
    /// What is behind the number is no sub-address.
    #[error("a sub-address is /T33S= and 1 to 20 digits, # and *")]
    SubAddress,
    /// The local part cannot be the name of a list.
    #[error("a list name has at most 64 letters, digits and - _ . characters")]
    ListName,
}

/// What `address` stands for.
///
/// # Errors
/// [`RecipientError`] says what is wrong with it.
pub fn recipient(address: &Address, gateway: &Gateway) -> Result<Recipient, RecipientError> {
    let local = unquoted(address.local());
    let is = |domain: &String| domain.eq_ignore_ascii_case(address.domain());
    if gateway.domains.iter().any(is) {
        let (number, sub_address) = parts(&local);
        let destination = Destination::parse(number, &gateway.country)?;
        let sub_address = match sub_address {
            Some(text) => Some(SubAddress::parse(text).ok_or(RecipientError::SubAddress)?),
            None => None,
        };
        Ok(Recipient::Fax(destination, sub_address))
    } else if gateway.list_domains.iter().any(is) {
        list_name(&local).map(Recipient::List)
    } else {
        Err(RecipientError::ForeignDomain)
    }
}

/// The number in a local part, plain or after `FAX=` (RFC 3191 section 2), and what follows `/T33S=` (RFC 3192
/// section 2). Other qualifiers stay in the number and make it none: what they ask for would not be done.
fn parts(local: &str) -> (&str, Option<&str>) {
    let local = local.trim();
    let local = after(local, "fax=").unwrap_or(local);
    let cut = local.split_once('/');
    let sub_address = cut.and_then(|(number, behind)| Some((number, after(behind, "t33s=")?)));
    match sub_address {
        Some((number, sub_address)) => (number, Some(sub_address)),
        None => (local, None),
    }
}

/// What follows `prefix`, in any case.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn list_name(local: &str) -> Result<String, RecipientError> {
    let fits = (1..=MAX_LIST_NAME).contains(&local.chars().count());
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '・');
    if fits && local.chars().all(allowed) {
        Ok(local.to_lowercase())
    } else {
        Err(RecipientError::ListName)
    }
}

/// A quoted local part without its quotes and backslashes (RFC 5321 section 4.1.2, Quoted-string).
fn unquoted(local: &str) -> String {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return local.to_owned();
    };
    let mut text = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Language;
    use crate::fax::CountryCode;
    use crate::time::Zone;

    fn gateway() -> Gateway {
        Gateway {
            name: "fax.example".into(),
            domains: vec!["fax.example".into()],
            list_domains: vec!["list.fax.example".into()],
            data_dir: PathBuf::new(),
            country: CountryCode::parse("81").unwrap(),
            time_zone: Zone::utc(),
            language: Language::Ja,
            accounts: PathBuf::new(),
            profiles: None,
        }
    }

    fn read(address: &str) -> Result<Recipient, RecipientError> {
        recipient(&Address::parse(address).unwrap(), &gateway())
    }

    #[test]
    fn a_number_is_accepted_in_every_form_a_person_types() {
        for local in [
            "0312345678",
            "03-1234-5678",
            "+81-3-1234-5678",
            "+81312345678",
            "00-81-3-1234-5678",
            "0081312345678",
            "\"03 1234 5678\"",
            "\"+81 (3) 1234-5678\"",
            "\"\\03-1234-5678\"",
            "FAX=+81312345678",
            "fax=+81-3-1234-5678",
            "Fax=0312345678",
            "\"FAX=+81 3 1234 5678\"",
        ] {
            match read(&format!("{local}@FAX.Example")) {
                Ok(Recipient::Fax(to, None)) => {
                    assert_eq!(to.canonical(), "0081312345678", "{local}");
                }
                other => panic!("{local}: {other:?}"),
            }
        }
        let abroad = read("+1(212)555-9999@fax.example");
        assert!(matches!(abroad, Ok(Recipient::Fax(to, _)) if to.canonical() == "0012125559999"));
    }

    #[test]
    fn the_simulator_is_a_destination() {
        assert_eq!(
            read("00999-9999-6017@fax.example"),
            Ok(Recipient::Fax(Destination::Simulator(6017), None))
        );
    }

    #[test]
    fn what_is_no_number_is_refused_and_nothing_of_it_is_dropped() {
        for local in [
            "FAX=+81312345678/sub=123",
            "FAX=+81312345678/postd=1",
            "VOICE=+81312345678",
            "shops",
            "\"\"",
            "FAX=",
            "03-1234-5678x",
        ] {
            let got = read(&format!("{local}@fax.example"));
            assert!(matches!(got, Err(RecipientError::Number(_))), "{local}");
        }
        let long = read("1234567890123456789012345678901234567890@fax.example");
        assert_eq!(long, Err(RecipientError::Number(NumberError::TooLong)));
    }

    #[test]
    fn a_sub_address_follows_the_number() {
        for (local, sub_address) in [
            ("FAX=+81312345678/T33S=123", "123"),
            ("0312345678/T33S=12", "12"),
            ("fax=+81-3-1234-5678/t33s=7#*", "7#*"),
            ("\"03 1234 5678/T33S=0\"", "0"),
        ] {
            match read(&format!("{local}@fax.example")) {
                Ok(Recipient::Fax(to, Some(sub))) => {
                    assert_eq!(to.canonical(), "0081312345678", "{local}");
                    assert_eq!(sub.as_str(), sub_address, "{local}");
                }
                other => panic!("{local}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_bad_sub_address_is_refused_not_dropped() {
        for behind in [
            "",
            "12a",
            "12/T33S=3",
            "1 2",
            "123456789012345678901",
            "12-3",
        ] {
            let got = read(&format!("\"0312345678/T33S={behind}\"@fax.example"));
            assert_eq!(got, Err(RecipientError::SubAddress), "{behind}");
        }
    }

    #[test]
    fn a_foreign_domain_is_refused_also_a_subdomain() {
        for domain in [
            "other.example",
            "x.fax.example",
            "fax.example.org",
            "ax.example",
        ] {
            let got = read(&format!("0312345678@{domain}"));
            assert_eq!(got, Err(RecipientError::ForeignDomain), "{domain}");
        }
    }

    #[test]
    fn a_list_has_a_name_without_regard_to_case() {
        for (local, name) in [
            ("Shops", "shops"),
            ("tokyo-2026_a.b", "tokyo-2026_a.b"),
            ("営業部リスト", "営業部リスト"),
            ("\"shops\"", "shops"),
        ] {
            let got = read(&format!("{local}@list.fax.example"));
            assert_eq!(got, Ok(Recipient::List(name.into())));
        }
        for local in ["\"a b\"", "a/b", "a%b", "\"\"", &"x".repeat(65)] {
            let got = read(&format!("{local}@list.fax.example"));
            assert_eq!(got, Err(RecipientError::ListName), "{local}");
        }
    }
}
