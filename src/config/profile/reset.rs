//! `[reset]` of a profile: how somebody who forgot the password gets in again (rows I4 to I8, T1 to T4, W3).

use std::time::Duration;

use toml::de::DeValue;

use crate::config::forms;
use crate::config::forms::Bad;
use crate::config::gateway::Language;
use crate::config::section::Section;

/// `[reset]`
#[derive(Clone, Debug, PartialEq)]
pub struct Reset {
    /// What the mail brings.
    pub method: ResetMethod,
    /// How long that can be used.
    pub lasts: Duration,
    /// How often a link changes the password.
    pub uses: u32,
    /// Whether a locked account may be reset, which unlocks it; else it must wait (rows I8, T4).
    pub while_locked: bool,
    /// Whether whoever asks is told that ID and address do not match (row I5).
    pub disclose_mismatch: bool,
    /// Whether the page behind the link asks for the login ID (row T1).
    pub asks_login_id: bool,
    /// Whether the page behind the link asks for the address (row T1).
    pub asks_email: bool,
    /// Where one is after the change.
    pub after: AfterReset,
    /// Which addresses may ask, and get the mail.
    pub address: ResetAddress,
    /// The mail's subject; `None` for the gateway's own.
    pub subject: Option<String>,
    /// The mail's language; `None` for the gateway's.
    pub language: Option<Language>,
}

/// `method`: what the mail brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetMethod {
    /// A link to a page that takes a new password.
    #[default]
    Link,
    /// A temporary password, which must be replaced at its first use.
    TemporaryPassword,
    /// Nothing is mailed: the reset is on paper, or by the administrator.
    None,
}

/// `after`: where one is after the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterReset {
    /// At the login page.
    #[default]
    Login,
    /// Logged in.
    LoggedIn,
}

/// `address`: which addresses of an account may ask for a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetAddress {
    /// The one for notices, `email`.
    #[default]
    Registered,
    /// Any that the account lists exactly as a sender, or as a place where received faxes go (row I4).
    SendersAndForwards,
}

const METHODS: [(&str, ResetMethod); 3] = [
    ("link", ResetMethod::Link),
    ("temporary-password", ResetMethod::TemporaryPassword),
    ("none", ResetMethod::None),
];
const AFTER: [(&str, AfterReset); 2] = [
    ("login", AfterReset::Login),
    ("logged-in", AfterReset::LoggedIn),
];
const ADDRESSES: [(&str, ResetAddress); 2] = [
    ("registered", ResetAddress::Registered),
    ("senders-and-forwards", ResetAddress::SendersAndForwards),
];
const LANGUAGES: [(&str, Language); 2] = [("ja", Language::Ja), ("en", Language::En)];
const FIELDS: [(&str, Field); 2] = [("login_id", Field::LoginId), ("email", Field::Email)];

/// What a link may live: shorter, and slow mail is too late; longer, and it lies about in mailboxes.
const LASTS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);
/// Subjects are one line.
const MOST_CHARACTERS: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    LoginId,
    Email,
}

impl Reset {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let hour = Duration::from_secs(3600);
        let asks = section.list("asks", Vec::new(), |value| forms::word(value, &FIELDS));
        Self {
            method: section.or("method", ResetMethod::Link, |value| {
                forms::word(value, &METHODS)
            }),
            lasts: section.or("lasts", hour, |value| forms::duration(value, LASTS)),
            uses: section.or("uses", 1, |value| forms::number(value, 1..=10)),
            while_locked: section.or("while_locked", false, forms::boolean),
            disclose_mismatch: section.or("disclose_mismatch", false, forms::boolean),
            asks_login_id: asks.contains(&Field::LoginId),
            asks_email: asks.contains(&Field::Email),
            after: section.or("after", AfterReset::Login, |value| {
                forms::word(value, &AFTER)
            }),
            address: section.or("address", ResetAddress::Registered, |value| {
                forms::word(value, &ADDRESSES)
            }),
            subject: section.optional("subject", subject),
            language: section.optional("language", |value| forms::word(value, &LANGUAGES)),
        }
    }
}

fn subject(value: &DeValue<'_>) -> Result<String, Bad> {
    let text = forms::text(value)?;
    let fits = text.chars().count() <= MOST_CHARACTERS && !text.chars().any(char::is_control);
    fits.then_some(text).ok_or_else(|| {
        let accepted = "one line of at most 100 characters";
        Bad::new("this is no subject of a mail", accepted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;

    #[test]
    fn i4_the_interfax_reset_is_as_published() {
        let reset = Profile::built_in("interfax").unwrap().reset;
        assert_eq!(reset.method, ResetMethod::Link);
        assert_eq!(reset.address, ResetAddress::SendersAndForwards);
        assert_eq!(reset.subject.as_deref(), Some("InterFAXパスワード"));
        assert_eq!(reset.after, AfterReset::LoggedIn);
        assert_eq!((reset.uses, reset.lasts.as_secs()), (1, 3600));
        assert!(!reset.while_locked && !reset.disclose_mismatch);
        assert!(!reset.asks_login_id && !reset.asks_email);
    }

    #[test]
    fn t1_t3_t4_w3_the_other_resets_are_as_published() {
        let reset = |name| Profile::built_in(name).unwrap().reset;
        let company = reset("twx21");
        assert_eq!((company.uses, company.lasts.as_secs()), (1, 3600));
        assert!(company.asks_login_id && company.asks_email && company.while_locked);
        assert_eq!(company.after, AfterReset::Login);
        assert_eq!(company.address, ResetAddress::Registered);
        let support = reset("wakwak");
        assert_eq!(support.method, ResetMethod::TemporaryPassword);
        assert_eq!(support.address, ResetAddress::Registered);
        assert_eq!(reset("rimnet").method, ResetMethod::None);
    }

    #[test]
    fn the_standard_reset_goes_to_the_registered_address_and_back_to_the_login() {
        let reset = Profile::built_in("standard").unwrap().reset;
        assert_eq!(reset.method, ResetMethod::Link);
        assert_eq!(reset.address, ResetAddress::Registered);
        assert_eq!(reset.after, AfterReset::Login);
        assert!(!reset.disclose_mismatch);
    }
}
