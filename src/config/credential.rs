//! Which of an account's passwords a door asks for: profiles say so, as data (section 7 of the requirements).

use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
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
    /// `ftp_password`: for a service beside this gateway; no door asks for it, and nobody changes it online
    /// (rows R2, R4, W4).
    FtpPassword,
}

/// The kinds that doors ask for.
const KINDS: [(&str, CredentialKind); 3] = [
    ("password", CredentialKind::Password),
    ("mail_password", CredentialKind::MailPassword),
    ("smtp_password", CredentialKind::SmtpPassword),
];

impl CredentialKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Password,
        Self::MailPassword,
        Self::SmtpPassword,
        Self::FtpPassword,
    ];

    /// Its key in an account, and its name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::MailPassword => "mail_password",
            Self::SmtpPassword => "smtp_password",
            Self::FtpPassword => "ftp_password",
        }
    }

    /// The kind that storage, an account or a form calls `word`.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// One that a profile may let people change online.
    pub(super) fn changed_online(value: &DeValue<'_>) -> Result<Self, Bad> {
        forms::word(value, &KINDS)
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
    /// What all doors ask for, always in the same order.
    pub fn all(&self) -> [CredentialKind; 3] {
        [self.body, self.smtp, self.web]
    }

    /// The doors in `section`; one that is not named asks for what it asked for `before`.
    pub(super) fn read(section: &mut Section<'_, '_>, before: Option<Self>) -> Self {
        let usual = CredentialKind::Password;
        let before = before.unwrap_or(Self {
            body: usual,
            smtp: usual,
            web: usual,
        });
        let mut kind = |key, before| section.or(key, before, |value| forms::word(value, &KINDS));
        Self {
            body: kind("body", before.body),
            smtp: kind("smtp", before.smtp),
            web: kind("web", before.web),
        }
    }
}
