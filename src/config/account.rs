//! `[[account]]`: one customer.

mod explained;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::de::DeValue;

use super::accounts::Context;
use super::certificate;
use super::claims::Kind;
use super::credential::CredentialKind;
use super::forms;
use super::forms::Bad;
use super::gateway;
use super::gateway::Language;
use super::list::ContactList;
use super::phc;
use super::profile::Profile;
use super::queue;
use super::result_mail::ResultMail;
use super::role::ROLES;
use super::role::Role;
use super::scram::ScramVerifier;
use super::section::Entry;
use super::section::Section;
use super::smtp;
use crate::fax::FaxNumber;
use crate::fax::StationId;
use crate::smtp::Address;
use crate::time::Timestamp;
use crate::time::Zone;

pub use explained::Written;

/// `[[account]]`
#[derive(Clone, PartialEq)]
pub struct Account {
    /// The account's name: history, logs and the command line use it.
    pub id: String,
    /// Where it is written.
    pub written: Written,
    /// What a person types to log in.
    pub login_id: String,
    /// Where notices go: `email`, else the first exact sender. Never a forwarding address.
    pub email: Option<Address>,
    /// Whether the file names no `email`, so that it is the first sender.
    pub email_is_sender: bool,
    /// The profile in force.
    pub profile: Arc<Profile>,
    /// What its person may do in the account web.
    pub role: Role,
    /// The company it is a member of: its company admins see and help it.
    pub company: Option<String>,
    /// Who may send.
    pub senders: Vec<SenderPattern>,
    /// Argon2id hashes in PHC form, one of a kind.
    pub passwords: BTreeMap<CredentialKind, String>,
    /// Whether the passwords written here are initial ones, which a person must replace first (row I1).
    pub password_initial: bool,
    /// What proves a SCRAM-SHA-256 login.
    pub scram: Option<ScramVerifier>,
    /// SHA-256 of client certificates (DER) that prove a session.
    pub client_certificates: Vec<[u8; 32]>,
    /// Whether mails must carry the password.
    pub password_in_body: bool,
    /// Whether its senders must be proved: one that is not verified is refused like a forged one.
    pub require_verified: bool,
    /// Our identifier on the line (TSI).
    pub station_id: Option<StationId>,
    /// The number that far ends are shown; `None` is the line's own.
    pub calling_number: Option<FaxNumber>,
    /// Numbers whose faxes are received for this account.
    pub numbers: Vec<FaxNumber>,
    /// Where received faxes are mailed.
    pub forward_to: Vec<Address>,
    /// `pdf` or `tiff` attachments of forwarded faxes.
    pub forward_format: ForwardFormat,
    /// What is mailed about results.
    pub result_mail: ResultMail,
    /// Calls at a time; `None` takes the queue's.
    pub max_calls: Option<usize>,
    /// Messages a minute; `None` or 0 is no limit.
    pub max_messages_per_minute: Option<u32>,
    /// Contact lists.
    pub lists: Vec<Arc<ContactList>>,
    /// The zone in which it reads times; `None` takes the gateway's.
    pub time_zone: Option<Zone>,
    /// The language of its pages and notices; `None` takes the browser's, or the gateway's.
    pub language: Option<Language>,
}

/// One entry of `senders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderPattern {
    /// This address.
    Exact(Address),
    /// `*@domain`: any address of exactly this domain, in lower case.
    Domain(String),
}

/// How a received fax is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardFormat {
    /// PDF.
    #[default]
    Pdf,
    /// TIFF-F as received.
    Tiff,
}

impl ForwardFormat {
    /// Every form under its word.
    pub const WORDS: [(&str, Self); 2] = [("pdf", Self::Pdf), ("tiff", Self::Tiff)];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Tiff => "tiff",
        }
    }
}

/// The id only: a hash and customers' addresses have no place in a log.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut account = f.debug_struct("Account");
        account.field("id", &self.id).finish_non_exhaustive()
    }
}

impl Account {
    /// The contact list called `name`, in any case.
    pub fn list(&self, name: &str) -> Option<&Arc<ContactList>> {
        let name = name.to_lowercase();
        self.lists
            .iter()
            .find(|list| list.name.to_lowercase() == name)
    }

    /// Whether it has a company admin to turn to; everybody else turns to the help desk (row T8).
    pub fn has_admin(&self) -> bool {
        self.company.is_some() && self.role == Role::Customer
    }

    /// The hash of this kind in the accounts file; where it has none of its own, that of the kind that it was
    /// before a split (row W1).
    pub fn hash(&self, kind: CredentialKind) -> Option<&str> {
        let before = || self.passwords.get(&self.profile.begins_as(kind)?);
        let own = self.passwords.get(&kind);
        own.or_else(before).map(String::as_str)
    }

    /// The kinds of its passwords that its person may change online at `now`.
    pub fn changeable(&self, now: Timestamp) -> Vec<CredentialKind> {
        let mut kinds = self.profile.changeable(now);
        kinds.retain(|kind| self.hash(*kind).is_some());
        kinds
    }

    /// The account in `section`; `None` only where the profile is unknown, which is reported.
    pub(super) fn read(section: &mut Section<'_, '_>, context: &mut Context<'_>) -> Option<Self> {
        let id = section.required("id", "a name of your choice, such as \"tanaka\"", name);
        let login_id = section.or("login_id", id.clone(), login_id);
        let before = section.mistakes().len();
        let senders = senders(section, context);
        let all_senders = section.mistakes().len() == before;
        let email = email(section, &senders, all_senders);
        let profile = profile(section, context);
        let passwords = CredentialKind::ALL.into_iter().filter_map(|kind| {
            let hash = section.optional(kind.as_str(), password)?;
            Some((kind, hash))
        });
        let passwords = passwords.collect();
        let password_in_body = section.or("password_in_body", false, forms::boolean);
        let numbers = numbers(section, context);
        let client_certificates = certificate::all(section, context);
        let result_mail = section.table("result_mail", |section| {
            ResultMail::read(section, context.config.gateway.language)
        });
        let account = Self {
            written: context.written(section),
            login_id,
            email,
            email_is_sender: !section.has("email"),
            profile: profile?,
            role: section.or("role", Role::Customer, |value| forms::word(value, &ROLES)),
            company: section.optional("company", name),
            password_initial: section.or("password_initial", false, forms::boolean),
            senders,
            passwords,
            scram: section.optional("scram", scram),
            client_certificates,
            password_in_body,
            require_verified: section.or("require_verified", false, forms::boolean),
            station_id: section.optional("station_id", station_id),
            calling_number: section.optional("calling_number", |value| number(value, context)),
            numbers,
            forward_to: section.list("forward_to", Vec::new(), forms::address),
            forward_format: section.or("forward_format", ForwardFormat::Pdf, |value| {
                forms::word(value, &ForwardFormat::WORDS)
            }),
            result_mail,
            max_calls: section.optional("max_calls", queue::calls),
            max_messages_per_minute: section.optional("max_messages_per_minute", smtp::messages),
            lists: ContactList::read_all(section, context),
            time_zone: section.optional("time_zone", gateway::time_zone),
            language: section.optional("language", gateway::language),
            id,
        };
        account.check(section);
        // An id that is missing or wrong has been reported; its stand-in is nobody's.
        if !account.id.is_empty() {
            account.claim_names(section, context);
        }
        Some(account)
    }

    /// What no key can know alone.
    fn check(&self, section: &mut Section<'_, '_>) {
        if self.role == Role::CompanyAdmin && !section.has("company") {
            let problem = "a company admin has no company";
            section.mistake("role", problem, "company = \"…\" as well");
        }
        let site = self.profile.doors(Timestamp::from_ms(i64::MIN)).web;
        if self.password_initial && !self.profile.is_changed_online(site) {
            let problem = "nobody could replace it: people do not change this password online";
            let accepted = "false, or a profile whose change.online names it";
            section.mistake("password_initial", problem, accepted);
        }
        // At both ends of time: before a split and after it.
        let ends = [i64::MIN, i64::MAX].map(Timestamp::from_ms);
        let mut asked = ends.map(|now| self.profile.doors(now).body).into_iter();
        let missing = asked.find(|kind| self.password_in_body && !self.is_written(section, *kind));
        if let Some(kind) = missing {
            let asked_for = kind.as_str();
            let accepted = &format!("{asked_for} = \"…\" as well, from faxgate hash-password");
            section.mistake(
                "password_in_body",
                "there is no password to check",
                accepted,
            );
        }
    }

    /// Whether `section` has a password of this kind, perhaps with a mistake in it.
    fn is_written(&self, section: &Section<'_, '_>, kind: CredentialKind) -> bool {
        let before = self.profile.begins_as(kind);
        section.has(kind.as_str()) || before.is_some_and(|before| section.has(before.as_str()))
    }

    fn claim_names(&self, section: &mut Section<'_, '_>, context: &mut Context<'_>) {
        let at = |section: &Section<'_, '_>, key: &str| (section.key_path(key), section.place(key));
        let (id_at, login_key) = (at(section, "id"), "login_id");
        let own_id = context.claim(section, (Kind::Id, self.id.clone()), id_at);
        // A login ID that only repeats the id is reported once, as id.
        if own_id || section.has(login_key) {
            let key = if section.has(login_key) {
                login_key
            } else {
                "id"
            };
            let login_at = at(section, key);
            // Login IDs are typed by people: `Tanaka` is not somebody else.
            let login_id = self.login_id.to_lowercase();
            context.claim(section, (Kind::LoginId, login_id), login_at);
        }
    }
}

fn senders(section: &mut Section<'_, '_>, context: &mut Context<'_>) -> Vec<SenderPattern> {
    let entries = section.entries("senders", sender).unwrap_or_default();
    let claimed = |pattern: &SenderPattern| match pattern {
        SenderPattern::Exact(address) => (Kind::Sender, address.key()),
        SenderPattern::Domain(domain) => (Kind::SenderDomain, domain.clone()),
    };
    claim_each(section, context, entries, claimed)
}

fn numbers(section: &mut Section<'_, '_>, context: &mut Context<'_>) -> Vec<FaxNumber> {
    let parse = |value: &DeValue<'_>| number(value, context);
    let entries = section.entries("numbers", parse).unwrap_or_default();
    let claimed = |number: &FaxNumber| (Kind::Number, number.canonical());
    claim_each(section, context, entries, claimed)
}

fn number(value: &DeValue<'_>, context: &Context<'_>) -> Result<FaxNumber, Bad> {
    FaxNumber::parse(&forms::text(value)?, &context.config.gateway.country)
        .map_err(|error| Bad::new(error.to_string(), "a number such as \"+81345670001\""))
}

pub(super) fn claim_each<T>(
    section: &mut Section<'_, '_>,
    context: &mut Context<'_>,
    entries: Vec<Entry<T>>,
    claimed: impl Fn(&T) -> (Kind, String),
) -> Vec<T> {
    let mut values = Vec::with_capacity(entries.len());
    for entry in entries {
        context.claim(section, claimed(&entry.value), (entry.key, entry.place));
        values.push(entry.value);
    }
    values
}

/// Where notices go. There must be such an address: the lock notice and news of 6002 have no other way.
/// It is not asked for while a sender with a mistake, so not `all_senders`, may be meant to be it.
fn email(
    section: &mut Section<'_, '_>,
    senders: &[SenderPattern],
    all_senders: bool,
) -> Option<Address> {
    let email = section.optional("email", forms::address);
    let first = senders.iter().find_map(|sender| match sender {
        SenderPattern::Exact(address) => Some(address.clone()),
        SenderPattern::Domain(_) => None,
    });
    if all_senders && first.is_none() && !section.has("email") {
        let problem = "this key is missing, and no sender is an exact address";
        section.mistake("email", problem, "one mail address, for notices");
    }
    email.or(first)
}

fn profile(section: &mut Section<'_, '_>, context: &Context<'_>) -> Option<Arc<Profile>> {
    let default = context.profiles.get(Profile::DEFAULT).cloned();
    section.or("profile", default, |value| {
        let name = forms::text(value)?;
        let found = context.profiles.get(&name).cloned();
        if found.is_none() {
            let names: Vec<String> = context
                .profiles
                .keys()
                .map(|n| format!("\"{n}\""))
                .collect();
            return Err(Bad::new("there is no such profile", names.join(", ")));
        }
        Ok(found)
    })
}

/// An id, a login ID or the name of a list: something to be typed, also on a command line.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Bad> {
    let accepted = "1 to 64 characters without spaces";
    let name = forms::text(value)?;
    match is_name(&name) {
        true => Ok(name),
        false => Err(Bad::new("this cannot be a name", accepted)),
    }
}

/// A login ID: a name, or a mail address, which may be longer (row R1).
fn login_id(value: &DeValue<'_>) -> Result<String, Bad> {
    match forms::address(value) {
        Ok(address) if !address.as_str().chars().any(char::is_whitespace) => {
            forms::text(value).map(|text| text.trim().to_owned())
        }
        Ok(_) | Err(_) => name(value),
    }
}

/// Whether `name` can be typed as an id or the name of a list.
pub(super) fn is_name(name: &str) -> bool {
    let fits = name.chars().count() <= 64 && !name.chars().any(char::is_whitespace);
    fits && !name.starts_with('-')
}

fn sender(value: &DeValue<'_>) -> Result<SenderPattern, Bad> {
    let accepted =
        "an address (\"tanaka@customer.example\") or all of a domain (\"*@customer.example\")";
    let text = forms::text(value)?;
    if let Some(domain) = text.strip_prefix("*@") {
        let domain = domain.to_lowercase();
        return if forms::is_domain(&domain) {
            Ok(SenderPattern::Domain(domain))
        } else {
            Err(Bad::new("there is no domain after *@", accepted))
        };
    }
    match Address::parse(&text) {
        Some(_) if text.contains('*') => {
            Err(Bad::new("* stands for a whole local part only", accepted))
        }
        Some(address) => Ok(SenderPattern::Exact(address)),
        None => Err(Bad::new("this is no mail address", accepted)),
    }
}

/// The value is never repeated in the message: it may be a password in clear.
fn password(value: &DeValue<'_>) -> Result<String, Bad> {
    let accepted = "an Argon2id hash, the last line of faxgate hash-password";
    let text = value
        .as_str()
        .ok_or_else(|| Bad::new("this is no Argon2id hash", accepted))?;
    match phc::check(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(problem) => Err(Bad::new(problem, accepted)),
    }
}

/// The value is never repeated in the message either.
fn scram(value: &DeValue<'_>) -> Result<ScramVerifier, Bad> {
    let accepted =
        "a SCRAM-SHA-256 verifier, the last line but one of faxgate hash-password --scram";
    let text = value.as_str().unwrap_or_default();
    ScramVerifier::parse(text).map_err(|problem| Bad::new(problem, accepted))
}

fn station_id(value: &DeValue<'_>) -> Result<StationId, Bad> {
    StationId::parse(&forms::text(value)?).ok_or_else(|| {
        let accepted = "at most 20 digits, spaces and + (T.30)";
        Bad::new("this is no station identifier", accepted)
    })
}
