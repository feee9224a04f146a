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

/// Nothing was changed: a password is old (row I2). The detail is its age in days.
const REMINDER: &str = "password-old";

/// Tells an account's owner what was changed, by whom and from where. It has no secret in it and no link.
pub fn access_notice(facts: &AccessFacts, header: &Header) -> Mail {
    let template = match (facts.what.as_str(), facts.language) {
        (REMINDER, Language::Ja) => include_str!("templates/reminder.ja.txt"),
        (REMINDER, Language::En) => include_str!("templates/reminder.en.txt"),
        (_, Language::Ja) => include_str!("templates/access.ja.txt"),
        (_, Language::En) => include_str!("templates/access.en.txt"),
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
        ("detail", noted(&facts.detail, facts.language)),
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
            REMINDER,
            "Please change your password",
            "パスワード変更のお願い",
        ),
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

/// A kind of password in words; every other detail is for people already.
fn noted(detail: &str, language: Language) -> &str {
    let known = [
        ("password", "login password", "ログインパスワード"),
        (
            "mail_password",
            "password in the text of mails",
            "メール本文のパスワード",
        ),
        (
            "smtp_password",
            "password of programs that log in",
            "接続パスワード",
        ),
    ];
    let found = known.into_iter().find(|(known, ..)| *known == detail);
    match (found, language) {
        (Some((_, _, ja)), Language::Ja) => ja,
        (Some((_, en, _)), Language::En) => en,
        (None, Language::Ja | Language::En) => detail,
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;
    use crate::smtp::Address;

    fn text(what: &str, detail: &str, language: Language) -> (String, String) {
        let header = Header {
            from: Address::parse("faxgate@fax.example").unwrap(),
            to: vec![Address::parse("tanaka@customer.example").unwrap()],
            message_id: "access.1@fax.example".into(),
            date: Timestamp::default(),
            zone: Zone::utc(),
            in_reply_to: None,
        };
        let facts = AccessFacts {
            account: "tanaka".into(),
            login_id: "tanaka-login".into(),
            what: what.into(),
            by: String::new(),
            peer: String::new(),
            detail: detail.into(),
            at: Timestamp::default(),
            zone: Zone::utc(),
            language,
        };
        let mail = access_notice(&facts, &header);
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        let subject = parsed.subject().unwrap().to_owned();
        (subject, parsed.body_text(0).unwrap().into_owned())
    }

    #[test]
    fn i2_a_reminder_says_how_old_the_password_is_and_not_that_anything_changed() {
        let (subject, body) = text(REMINDER, "92", Language::Ja);
        assert_eq!(subject, "パスワード変更のお願い (tanaka)");
        assert!(
            body.contains("92日") && body.contains("tanaka-login"),
            "{body}"
        );
        let (_, body) = text(REMINDER, "92", Language::En);
        assert!(
            body.contains("92 days") && !body.contains("Something changed"),
            "{body}"
        );
        assert!(!body.contains(['{', '}']));
    }

    #[test]
    fn i7_a_change_is_told_with_the_kind_of_password_in_words() {
        let (subject, body) = text("password-changed", "smtp_password", Language::Ja);
        assert_eq!(subject, "パスワードが変更されました (tanaka)");
        assert!(body.contains("接続パスワード"), "{body}");
    }
}
