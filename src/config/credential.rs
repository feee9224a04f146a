//! Which of an account's passwords a door asks for: profiles say so, as data (section 7 of the requirements).

use super::forms;
use super::section::Section;

/// A kind of password. Each account has at most one of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialKind {
    /// `password`: the account's own.
    Password,
    /// `mail_password`: for the body of mails only (row W4).
    MailPassword,
    /// `smtp_password`: for programs that log in by SMTP AUTH only.
    SmtpPassword,
}

const KINDS: [(&str, CredentialKind); 3] = [
    ("password", CredentialKind::Password),
    ("mail_password", CredentialKind::MailPassword),
    ("smtp_password", CredentialKind::SmtpPassword),
];

impl CredentialKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Password, Self::MailPassword, Self::SmtpPassword];

    /// Its key in an account, and its name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::MailPassword => "mail_password",
            Self::SmtpPassword => "smtp_password",
        }
    }
}

/// `[doors]` of a profile: the password that each door asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doors {
    /// The body of a mail.
    pub body: CredentialKind,
    /// SMTP AUTH by PLAIN and LOGIN.
    pub smtp: CredentialKind,
    /// The account web.
    pub web: CredentialKind,
}

impl Doors {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let mut kind = |key| {
            section.or(key, CredentialKind::Password, |value| {
                forms::word(value, &KINDS)
            })
        };
        Self {
            body: kind("body"),
            smtp: kind("smtp"),
            web: kind("web"),
        }
    }
}
