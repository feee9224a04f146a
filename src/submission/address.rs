//! The address of a recipient: a fax number or a contact list.

use thiserror::Error;

use crate::config::Gateway;
use crate::fax::Destination;
use crate::fax::NumberError;
use crate::smtp::Address;

/// Most characters of the name of a contact list.
const MAX_LIST_NAME: usize = 64;

/// Whom a mail is addressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One destination.
    Fax(Destination),
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
        let destination = Destination::parse(number_in(&local), &gateway.country)?;
        Ok(Recipient::Fax(destination))
    } else if gateway.list_domains.iter().any(is) {
        list_name(&local).map(Recipient::List)
    } else {
        Err(RecipientError::ForeignDomain)
    }
}

/// The number in a local part, plain or after `FAX=` (RFC 3191 section 2). Qualifiers such as
/// `/T33S=` (RFC 3192) stay in it and make it no number: a fax to the wrong extension is worse than none.
fn number_in(local: &str) -> &str {
    let local = local.trim();
    match local.get(..4) {
        Some(service) if service.eq_ignore_ascii_case("fax=") => &local[4..],
        Some(_) | None => local,
    }
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
                Ok(Recipient::Fax(to)) => assert_eq!(to.canonical(), "0081312345678", "{local}"),
                other => panic!("{local}: {other:?}"),
            }
        }
        let abroad = read("+1(212)555-9999@fax.example");
        assert!(matches!(abroad, Ok(Recipient::Fax(to)) if to.canonical() == "0012125559999"));
    }

    #[test]
    fn the_simulator_is_a_destination() {
        assert_eq!(
            read("00999-9999-6017@fax.example"),
            Ok(Recipient::Fax(Destination::Simulator(6017)))
        );
    }

    #[test]
    fn what_is_no_number_is_refused_and_nothing_of_it_is_dropped() {
        for local in [
            "FAX=+81312345678/T33S=123",
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
