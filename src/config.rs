//! Configuration: text becomes checked values. Nothing else reads files, variables or defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::fax::CountryCode;
use crate::fax::FaxNumber;
use crate::fax::Resolution;
use crate::fax::StationId;
use crate::lock::LockRule;
use crate::smtp::Address;
use crate::time::Zone;

/// Everything `faxgate.toml` says, checked, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[smtp]`
    pub smtp: Smtp,
    /// `[password]`
    pub password: Password,
    /// `[lock]`
    pub lock: LockOverride,
    /// `[destinations]`
    pub destinations: Destinations,
    /// `[retry]`
    pub retry: Retry,
    /// `[queue]`
    pub queue: Queue,
    /// `[render]`
    pub render: Render,
    /// `[mail]`
    pub mail: Mail,
    /// `[transport]`
    pub transport: Transport,
    /// `[monitor]`
    pub monitor: Monitor,
    /// `[retention]`
    pub retention: Retention,
}

/// `[gateway]`: who we are.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Host name in the SMTP greeting and in Message-IDs.
    pub name: String,
    /// Domains whose local parts are fax numbers, in lower case.
    pub domains: Vec<String>,
    /// Domains whose local parts are contact lists, in lower case.
    pub list_domains: Vec<String>,
    /// Folder of the database, documents and keys; relative to the working directory.
    pub data_dir: PathBuf,
    /// Calling code of numbers typed without one.
    pub country: CountryCode,
    /// Zone of dates in mails and header lines.
    pub time_zone: Zone,
    /// Language of notices.
    pub language: Language,
    /// The accounts file, or a folder of them; relative to the configuration file's folder.
    pub accounts: PathBuf,
}

/// A language of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Japanese.
    #[default]
    Ja,
}

/// `[smtp]`: the mail door.
#[derive(Clone, Debug, PartialEq)]
pub struct Smtp {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Largest message in bytes (SIZE, RFC 1870).
    pub max_message: usize,
    /// Most recipients of one message.
    pub max_recipients: usize,
    /// Most bytes in the header of a message.
    pub max_header: usize,
    /// Most MIME parts of a message.
    pub max_parts: usize,
    /// Deepest nesting of MIME parts.
    pub max_depth: usize,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most connections at a time from one address.
    pub max_connections_per_address: usize,
    /// Mistaken commands after which a session is closed.
    pub max_errors: u32,
    /// Longest wait for a command (RFC 5321 section 4.5.3.2.7 asks for five minutes).
    pub command_timeout: Duration,
    /// Longest time for the whole of DATA.
    pub data_timeout: Duration,
    /// Time after receipt at which a refusal for lack of proof is sent, so that its timing says nothing.
    pub refusal_floor: Duration,
    /// Longest wait for a free password check before 451.
    pub password_wait: Duration,
}

/// `[password]`: how the line with the password looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Password {
    /// What such a line begins with.
    pub lines: Vec<String>,
    /// How many lines of a body part may hold it.
    pub search_lines: usize,
}

/// `[lock]`: keys set here override every profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LockOverride {
    /// Wrong passwords that lock.
    pub strikes: Option<u32>,
    /// The time in which they count.
    pub within: Option<Duration>,
    /// How long the lock lasts.
    pub lasts: Option<Duration>,
}

impl LockOverride {
    /// The rule in force for an account whose profile says `profile`.
    pub fn over(&self, profile: &LockRule) -> LockRule {
        LockRule {
            strikes: self.strikes.unwrap_or(profile.strikes),
            within: self.within.unwrap_or(profile.within),
            lasts: self.lasts.unwrap_or(profile.lasts),
        }
    }
}

/// `[destinations]`: where faxes may go.
#[derive(Clone, Debug, PartialEq)]
pub struct Destinations {
    /// Digit prefixes, country code first, of numbers that may be called.
    pub allow: Vec<String>,
    /// Prefixes that may not, country code first (a national prefix has been converted).
    pub deny: Vec<String>,
    /// How long the far end may ring.
    pub ring_timeout: Duration,
}

/// `[retry]`: how often a number is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Calls in all, the first included (1 to 6).
    pub attempts: u32,
    /// Time between two calls (1 to 30 minutes).
    pub interval: Duration,
}

/// `[queue]`: how many at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Calls at a time.
    pub workers: usize,
    /// Calls at a time for one account.
    pub per_account: usize,
    /// How long a claim holds without renewal.
    pub lease: Duration,
}

/// `[render]`: documents to pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Render {
    /// Resolution when the subject does not say.
    pub resolution: Resolution,
    /// Header line; placeholders `{Date}` `{From}` `{To}` `{Page}` `{TotalPages}`.
    pub header: String,
    /// Whether the body is faxed before the attachments when the subject does not say.
    pub body_with_attachments: bool,
    /// Font size of text in points.
    pub font_size: u8,
    /// Most pages of a fax.
    pub max_pages: u32,
    /// Most pixels of one image.
    pub max_pixels: u64,
    /// Most memory of a converter in bytes.
    pub max_memory: u64,
    /// Most CPU time of a converter.
    pub max_cpu: Duration,
    /// Whether converters may run where the kernel cannot confine them.
    pub allow_unsandboxed: bool,
}

/// `[mail]`: how our own mails leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Where they are handed over: host.
    pub smarthost: Smarthost,
    /// Address in `From`.
    pub from: Address,
    /// How long a mail is tried before it is given up.
    pub give_up: Duration,
}

/// The server that takes our mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smarthost {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `[transport]`: how calls are made.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// No line: calls end in a folder.
    Loopback(Loopback),
}

/// `[transport.loopback]`
#[derive(Clone, Debug, PartialEq)]
pub struct Loopback {
    /// Folder of the pages and of `calls.jsonl`.
    pub directory: PathBuf,
    /// How many times faster than a real line a call is.
    pub speed: u32,
}

/// `[monitor]`: the operators' door.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Address of `/livez`, `/readyz` and `/metrics`; none means no such door.
    pub listen: Option<SocketAddr>,
}

/// `[retention]`: how long things are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// Documents and pages after the job is settled.
    pub pages: Duration,
    /// Jobs and their events.
    pub history: Duration,
}

/// All accounts and profiles in force: one consistent, checked snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    /// In the order of the files.
    pub accounts: Vec<std::sync::Arc<Account>>,
}

/// `[[account]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The account's name: history, logs and the command line use it.
    pub id: String,
    /// What a person types to log in.
    pub login_id: String,
    /// Where notices go: `email`, else the first exact sender. Never a forwarding address.
    pub email: Option<Address>,
    /// The profile in force.
    pub profile: std::sync::Arc<Profile>,
    /// Who may send.
    pub senders: Vec<SenderPattern>,
    /// Argon2id hash in PHC form.
    pub password: Option<String>,
    /// Whether mails must carry the password.
    pub password_in_body: bool,
    /// Our identifier on the line (TSI).
    pub station_id: Option<StationId>,
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
    /// Contact lists.
    pub lists: Vec<ContactList>,
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

/// `result_mail = { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct ResultMail {
    /// On which results a mail is sent.
    pub when: When,
    /// Its form.
    pub format: ResultFormat,
    /// Whether an image of the pages is attached.
    pub attach_pages: bool,
    /// Further recipients, always.
    pub to: Vec<Address>,
}

/// On which results a mail is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Success and failure.
    #[default]
    Always,
    /// Failure only.
    Failure,
    /// Never (but 6002 is always told).
    Never,
    /// Success only.
    Success,
}

/// The six forms of a result mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultFormat {
    /// `csv`
    Csv,
    /// `html-en`
    HtmlEn,
    /// `html-ja`
    #[default]
    HtmlJa,
    /// `text-en`
    TextEn,
    /// `text-ja`, in ISO-2022-JP
    TextJa,
    /// `xml`
    Xml,
}

/// `[[account.list]]`
#[derive(Clone, Debug, PartialEq)]
pub struct ContactList {
    /// The local part of its address, compared without regard to case.
    pub name: String,
    /// Destinations, at most 20,000.
    pub members: Vec<Contact>,
}

/// A member of a contact list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Where to send.
    pub destination: crate::fax::Destination,
    /// Name shown in results; empty if unknown.
    pub name: String,
}

/// What kind of service the account has: rules that are data (section 7 of the requirements).
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name in `accounts.toml`.
    pub name: String,
    /// The rule for a new password.
    pub policy: Policy,
    /// The lock.
    pub lock: LockRule,
}

/// The rule for a new password (row I9).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// At least one letter.
    pub needs_letter: bool,
    /// At least one digit.
    pub needs_digit: bool,
    /// Symbols allowed beside letters and digits; `None` allows every printable character.
    pub symbols: Option<String>,
    /// Words that no password may be, in lower case.
    pub blocked: Vec<String>,
}
