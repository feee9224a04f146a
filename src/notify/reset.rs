//! The mail that lets somebody in again who forgot the password (rows I4, T1, T7, W3).

use super::Header;
use super::Mail;
use super::header::Charset;
use super::letter::Auto;
use super::letter::Letter;
use super::letter::Part;
use super::template::fill;
use super::template::plain;
use crate::config::Language;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::time::Zone;

/// A reset that was asked for.
pub struct ResetFacts {
    /// The account; empty if the page behind the link asks for the login ID, or the mail has a password.
    pub account: String,
    /// What its owner types to log in; empty as above: a mailbox alone must not be enough.
    pub login_id: String,
    /// What the mail carries.
    pub carries: Carries,
    /// Whether somebody else started it for the account's owner.
    pub by_other: bool,
    /// Address of the client of whoever asked; empty if there was none.
    pub peer: String,
    /// When it ends.
    pub until: Timestamp,
    /// The zone in which that is told.
    pub zone: Zone,
    /// The language.
    pub language: Language,
    /// The subject; `None` for our own.
    pub subject: Option<String>,
}

/// What the mail carries.
pub enum Carries {
    /// The URL of the page that takes a new password.
    Link(Secret),
    /// A temporary password, and the URL of the login page.
    Temporary(Secret, String),
}

/// Gives an account's owner the way back in, says until when, and what to do if somebody else asked.
pub fn reset_mail(facts: &ResetFacts, header: &Header) -> Mail {
    let (template, own_subject) = words(&facts.carries, facts.language);
    let started = match (facts.by_other, facts.language) {
        (false, Language::Ja | Language::En) => "",
        (true, Language::Ja) => "この手続きは、管理者が開始しました。",
        (true, Language::En) => "Your administrator has started this for you.",
    };
    let until = facts.until.local(&facts.zone);
    let zone = facts.zone.to_string();
    let (link, password) = match &facts.carries {
        Carries::Link(url) => (url.expose(), ""),
        Carries::Temporary(password, login) => (login.as_str(), password.expose()),
    };
    let values = [
        ("link", link),
        ("password", password),
        ("until", &until),
        ("zone", &zone),
        ("account", &facts.account),
        ("login_id", &facts.login_id),
        ("peer", &facts.peer),
        ("started", started),
    ];
    let text = fill(template, &values, plain);
    let letter = Letter {
        subject: facts
            .subject
            .clone()
            .unwrap_or_else(|| own_subject.to_owned()),
        charset: Charset::Utf8,
        auto: Auto::Generated,
        body: Part::text("text/plain", &text, Charset::Utf8),
    };
    letter.write(header)
}

/// Template and subject.
fn words(carries: &Carries, language: Language) -> (&'static str, &'static str) {
    match (carries, language) {
        (Carries::Link(_), Language::Ja) => (
            include_str!("templates/reset-link.ja.txt"),
            "パスワード再設定のご案内",
        ),
        (Carries::Link(_), Language::En) => {
            (include_str!("templates/reset-link.en.txt"), "New password")
        }
        (Carries::Temporary(..), Language::Ja) => (
            include_str!("templates/reset-temporary.ja.txt"),
            "仮パスワードのお知らせ",
        ),
        (Carries::Temporary(..), Language::En) => (
            include_str!("templates/reset-temporary.en.txt"),
            "Temporary password",
        ),
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;
    use crate::smtp::Address;

    fn written(carries: Carries, language: Language, by_other: bool) -> (String, String) {
        let to = Address::parse("tanaka@customer.example").unwrap();
        let header = Header {
            from: to.clone(),
            to: vec![to],
            message_id: "reset.1@fax.example".into(),
            date: Timestamp::from_ms(1_800_000_000_000),
            zone: Zone::utc(),
            in_reply_to: None,
        };
        let facts = ResetFacts {
            account: String::new(),
            login_id: String::new(),
            carries,
            by_other,
            peer: String::new(),
            until: Timestamp::from_ms(1_800_003_600_000),
            zone: Zone::utc(),
            language,
            subject: None,
        };
        let mail = reset_mail(&facts, &header);
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        let body = parsed.body_text(0).unwrap().replace("\r\n", "\n");
        (parsed.subject().unwrap().to_owned(), body)
    }

    #[test]
    fn every_reset_mail_is_whole_in_both_languages() {
        let url = "https://fax.example/reset/AbC_-123";
        for language in [Language::Ja, Language::En] {
            let link = Carries::Link(Secret::new(url.into()));
            let (subject, body) = written(link, language, false);
            assert!(body.contains(&format!("\n{url}\n")), "{body}");
            let login = "https://fax.example/login".to_owned();
            let temporary = Carries::Temporary(Secret::new("abc234".into()), login);
            let (other, second) = written(temporary, language, true);
            assert!(second.contains("abc234") && second.contains("/login"));
            assert_ne!(subject, other);
            for body in [body, second] {
                assert!(body.contains("2027-01-15 09:00:00"), "{body}");
                assert!(!body.contains(['{', '}']), "{body}");
                assert!(!body.contains("ID: \n"), "{body}");
            }
        }
    }

    #[test]
    fn t7_the_mail_says_when_an_administrator_has_started_it() {
        let link = || Carries::Link(Secret::new("x".into()));
        assert!(
            written(link(), Language::Ja, true)
                .1
                .contains("管理者が開始")
        );
        assert!(
            !written(link(), Language::Ja, false)
                .1
                .contains("管理者が開始")
        );
    }
}
