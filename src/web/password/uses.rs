//! What asks for which password of an account (row I11).

use crate::config::Account;
use crate::config::CredentialKind;
use crate::time::Timestamp;
use crate::web::words::Words;

/// A kind of password, and what asks for it.
pub(in crate::web) struct Use {
    /// What it is called.
    pub(in crate::web) kind: &'static str,
    /// What asks for it, in words.
    pub(in crate::web) places: Vec<&'static str>,
}

/// Every password of `account` at `now`.
pub(in crate::web) fn all(account: &Account, t: &Words, now: Timestamp) -> Vec<Use> {
    let kinds = CredentialKind::ALL.into_iter();
    let own = kinds.filter(|kind| {
        let is_own = account.passwords.contains_key(kind);
        is_own || account.profile.changeable(now).contains(kind) && account.hash(*kind).is_some()
    });
    let of = |kind| Use {
        kind: name(kind, t),
        places: places(account, kind, t, now),
    };
    own.map(of).collect()
}

/// What a kind of password is called.
pub(super) fn name(kind: CredentialKind, t: &Words) -> &'static str {
    match kind {
        CredentialKind::Password => t.kind_password,
        CredentialKind::MailPassword => t.kind_mail,
        CredentialKind::SmtpPassword => t.kind_smtp,
        CredentialKind::FtpPassword => t.kind_ftp,
    }
}

/// What asks for the password of this kind at `now`.
pub(super) fn places(
    account: &Account,
    kind: CredentialKind,
    t: &Words,
    now: Timestamp,
) -> Vec<&'static str> {
    let doors = account.profile.doors(now);
    let body = account.password_in_body && doors.body == kind;
    let all = [
        (doors.web == kind, t.used_web),
        (body, t.used_body),
        (doors.smtp == kind, t.used_smtp),
    ];
    let asked = all.into_iter().filter(|(asks, _)| *asks);
    asked.map(|(_, place)| place).collect()
}
