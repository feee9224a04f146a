//! The mail by which the owner of an address confirms that an account may send under it.

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

/// A code for an address.
#[derive(Clone, PartialEq)]
pub struct SenderCodeFacts {
    /// What the account's owner types to log in.
    pub login_id: String,
    /// The code. A secret of who reads the mails of the address.
    pub code: String,
    /// Until when it counts.
    pub until: Timestamp,
    /// The zone in which that is told.
    pub zone: Zone,
    /// The language.
    pub language: Language,
}

/// Gives the code to whoever reads the mails of the address; nobody there need have asked for it.
pub fn sender_code(facts: &SenderCodeFacts, header: &Header) -> Mail {
    let (template, subject) = match facts.language {
        Language::Ja => (
            include_str!("templates/sender-code.ja.txt"),
            "送信元アドレスの確認コード",
        ),
        Language::En => (
            include_str!("templates/sender-code.en.txt"),
            "Code to confirm a sender address",
        ),
    };
    let until = facts.until.local(&facts.zone);
    let zone = facts.zone.to_string();
    let values = [
        ("login_id", facts.login_id.as_str()),
        ("code", &facts.code),
        ("until", &until),
        ("zone", &zone),
    ];
    let letter = Letter {
        subject: subject.to_owned(),
        charset: Charset::Utf8,
        auto: Auto::Generated,
        body: Part::text("text/plain", &fill(template, &values, plain), Charset::Utf8),
    };
    letter.write(header)
}
