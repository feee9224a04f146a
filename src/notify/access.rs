//! The mail that tells somebody of a change to their own access.

use super::Header;
use super::Mail;
use super::header::Charset;
use super::letter::Auto;
use super::letter::Letter;
use super::letter::Part;
use super::template::fill;
use super::template::plain;
use crate::config::Language;
use crate::time::Timestamp;
use crate::time::Zone;

/// A change to somebody's access.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessFacts {
    /// The account.
    pub account: String,
    /// What its owner types to log in.
    pub login_id: String,
    /// What was done, in one word of the audit trail.
    pub what: String,
    /// Who did it; empty for the reader.
    pub by: String,
    /// Address of the client; empty if there was none.
    pub peer: String,
    /// Why, or what exactly; may be empty.
    pub detail: String,
    /// When.
    pub at: Timestamp,
    /// The zone in which that is told.
    pub zone: Zone,
    /// The language.
    pub language: Language,
}

/// Tells an account's owner what was changed, by whom and from where. It has no secret in it and no link.
pub fn access_notice(facts: &AccessFacts, header: &Header) -> Mail {
    let template = match facts.language {
        Language::Ja => include_str!("templates/access.ja.txt"),
        Language::En => include_str!("templates/access.en.txt"),
    };
    let what = told(&facts.what, facts.language);
    let when = facts.at.local(&facts.zone);
    let zone = facts.zone.to_string();
    let values = [
        ("what", what),
        ("account", facts.account.as_str()),
        ("login_id", &facts.login_id),
        ("when", &when),
        ("zone", &zone),
        ("by", &facts.by),
        ("peer", &facts.peer),
        ("detail", &facts.detail),
    ];
    let text = fill(template, &values, plain);
    let letter = Letter {
        subject: format!("{what} ({})", facts.account),
        charset: Charset::Utf8,
        auto: Auto::Generated,
        body: Part::text("text/plain", &text, Charset::Utf8),
    };
    letter.write(header)
}

/// An act in words; one that is not known stays as it is.
fn told(word: &str, language: Language) -> &str {
    let known = [
        (
            "password-changed",
            "The password was changed",
            "パスワードが変更されました",
        ),
        (
            "password-reset",
            "The password was reset",
            "パスワードが再設定されました",
        ),
        (
            "locked",
            "The account was locked by an operator",
            "運用管理者がアカウントをロックしました",
        ),
        (
            "unlocked",
            "The account was unlocked",
            "アカウントのロックが解除されました",
        ),
        (
            "email-changed",
            "The registered e-mail address was changed",
            "登録メールアドレスが変更されました",
        ),
        (
            "settings-changed",
            "The settings of the account were changed",
            "アカウントの設定が変更されました",
        ),
    ];
    let found = known.into_iter().find(|(known, ..)| *known == word);
    match (found, language) {
        (Some((_, _, ja)), Language::Ja) => ja,
        (Some((_, en, _)), Language::En) => en,
        (None, Language::Ja | Language::En) => word,
    }
}
