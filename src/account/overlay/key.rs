//! The keys of an account that people may change, and their values as storage keeps them.

use std::fmt;

use serde_json::Value as Json;
use serde_json::json;

use crate::config::Account;
use crate::config::ForwardFormat;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::config::ResultMail;
use crate::config::Role;
use crate::config::SenderPattern;
use crate::config::When;
use crate::fax::StationId;
use crate::smtp::Address;
use crate::time::Zone;

/// A key of `[[account]]` that may be changed in the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// `email`
    Email,
    /// `senders`, of which exact addresses may be changed.
    Senders,
    /// `forward_to`
    ForwardTo,
    /// `forward_format`
    ForwardFormat,
    /// `result_mail`
    ResultMail,
    /// `station_id`
    StationId,
    /// `time_zone`
    TimeZone,
    /// `language`
    Language,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// Where notices go.
    Email(Option<Address>),
    /// All exact addresses that may send; domains stay as the file says.
    Senders(Vec<Address>),
    /// Where received faxes are mailed.
    ForwardTo(Vec<Address>),
    /// How they are attached.
    ForwardFormat(ForwardFormat),
    /// What is mailed about results.
    ResultMail(ResultMail),
    /// Our identifier on the line; `None` sends none.
    StationId(Option<StationId>),
    /// The zone of times; `None` is the gateway's.
    TimeZone(Option<Zone>),
    /// The language; `None` is the browser's, or the gateway's.
    Language(Option<Language>),
}

impl Key {
    /// All keys.
    pub const ALL: [Self; 8] = [
        Self::Email,
        Self::Senders,
        Self::ForwardTo,
        Self::ForwardFormat,
        Self::ResultMail,
        Self::StationId,
        Self::TimeZone,
        Self::Language,
    ];

    /// The key in the accounts file, in storage and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Senders => "senders",
            Self::ForwardTo => "forward_to",
            Self::ForwardFormat => "forward_format",
            Self::ResultMail => "result_mail",
            Self::StationId => "station_id",
            Self::TimeZone => "time_zone",
            Self::Language => "language",
        }
    }

    /// The key of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == word)
    }

    /// What the file says under this key: an edit of it is one that changes this.
    pub(super) fn written(self, account: &Account) -> Json {
        match self {
            Self::Email => registered(account),
            Self::Senders => account.senders.iter().map(sender).collect(),
            Self::ForwardTo
            | Self::ForwardFormat
            | Self::ResultMail
            | Self::StationId
            | Self::TimeZone
            | Self::Language => Setting::of(account, self).json(),
        }
    }
}

/// The address to which resets go, as the file has it. Whoever may register one takes part in the account; with
/// another company or role its admins are others, so those of before must not have had the last word.
fn registered(account: &Account) -> Json {
    let email = match account.email_is_sender {
        // Only a sender's address that stands for it; that one may be edited.
        true => Json::Null,
        false => Setting::of(account, Key::Email).json(),
    };
    match (account.role, &account.company) {
        (Role::Customer, None) => email,
        (role, company) => json!([email, role.as_str(), company]),
    }
}

/// The value as JSON, for operators; nothing in it is a secret.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.json())
    }
}

impl Setting {
    /// What `account` has under `key`.
    pub fn of(account: &Account, key: Key) -> Self {
        match key {
            Key::Email => Self::Email(account.email.clone()),
            Key::Senders => Self::Senders(exact(account)),
            Key::ForwardTo => Self::ForwardTo(account.forward_to.clone()),
            Key::ForwardFormat => Self::ForwardFormat(account.forward_format),
            Key::ResultMail => Self::ResultMail(account.result_mail.clone()),
            Key::StationId => Self::StationId(account.station_id.clone()),
            Key::TimeZone => Self::TimeZone(account.time_zone.clone()),
            Key::Language => Self::Language(account.language),
        }
    }

    /// Its key.
    pub fn key(&self) -> Key {
        match self {
            Self::Email(_) => Key::Email,
            Self::Senders(_) => Key::Senders,
            Self::ForwardTo(_) => Key::ForwardTo,
            Self::ForwardFormat(_) => Key::ForwardFormat,
            Self::ResultMail(_) => Key::ResultMail,
            Self::StationId(_) => Key::StationId,
            Self::TimeZone(_) => Key::TimeZone,
            Self::Language(_) => Key::Language,
        }
    }

    /// Gives `account` this value. Senders are left to whoever knows all accounts.
    pub(super) fn apply(&self, account: &mut Account) {
        match self.clone() {
            Self::Email(email) => account.email = email,
            Self::Senders(_) => {}
            Self::ForwardTo(addresses) => account.forward_to = addresses,
            Self::ForwardFormat(format) => account.forward_format = format,
            Self::ResultMail(settings) => account.result_mail = settings,
            Self::StationId(id) => account.station_id = id,
            Self::TimeZone(zone) => account.time_zone = zone,
            Self::Language(language) => account.language = language,
        }
    }

    pub(super) fn json(&self) -> Json {
        match self {
            Self::Email(email) => json!(email.as_ref().map(Address::as_str)),
            Self::Senders(addresses) | Self::ForwardTo(addresses) => texts(addresses),
            Self::ForwardFormat(format) => json!(format.as_str()),
            Self::ResultMail(settings) => json!({
                "when": settings.when.as_str(),
                "format": settings.format.as_str(),
                "attach_pages": settings.attach_pages,
                "to": texts(&settings.to),
            }),
            Self::StationId(id) => json!(id.as_ref().map(StationId::as_str)),
            Self::TimeZone(zone) => json!(zone.as_ref().map(ToString::to_string)),
            Self::Language(language) => json!(language.map(Language::as_str)),
        }
    }

    /// The value of `key` that storage keeps as `text`; `None` if it is none, or none any more.
    pub(super) fn read(key: Key, text: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(text).ok()?;
        Some(match key {
            Key::Email => Self::Email(optional(&json, Address::parse)?),
            Key::Senders => Self::Senders(addresses(&json)?),
            Key::ForwardTo => Self::ForwardTo(addresses(&json)?),
            Key::ForwardFormat => Self::ForwardFormat(word(&json, &ForwardFormat::WORDS)?),
            Key::ResultMail => Self::ResultMail(ResultMail {
                when: word(json.get("when")?, &When::WORDS)?,
                format: word(json.get("format")?, &ResultFormat::WORDS)?,
                attach_pages: json.get("attach_pages")?.as_bool()?,
                to: addresses(json.get("to")?)?,
            }),
            Key::StationId => Self::StationId(optional(&json, StationId::parse)?),
            Key::TimeZone => Self::TimeZone(optional(&json, Zone::named)?),
            Key::Language => {
                let of_word = |text: &str| word(&json!(text), &Language::WORDS);
                Self::Language(optional(&json, of_word)?)
            }
        })
    }
}

/// The exact addresses among the senders of `account`.
fn exact(account: &Account) -> Vec<Address> {
    let senders = account.senders.iter().filter_map(|sender| match sender {
        SenderPattern::Exact(address) => Some(address.clone()),
        SenderPattern::Domain(_) => None,
    });
    senders.collect()
}

fn sender(pattern: &SenderPattern) -> Json {
    match pattern {
        SenderPattern::Exact(address) => json!(address.as_str()),
        SenderPattern::Domain(domain) => json!(format!("*@{domain}")),
    }
}

fn texts(addresses: &[Address]) -> Json {
    addresses.iter().map(Address::as_str).collect()
}

fn addresses(json: &Json) -> Option<Vec<Address>> {
    let texts = json.as_array()?.iter();
    texts.map(|text| Address::parse(text.as_str()?)).collect()
}

/// Null, or what `parse` makes of a text.
fn optional<T>(json: &Json, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match json.as_str() {
        Some(text) => parse(text).map(Some),
        None => json.is_null().then_some(None),
    }
}

fn word<T: Copy>(json: &Json, words: &[(&str, T)]) -> Option<T> {
    let text = json.as_str()?;
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning)
}
