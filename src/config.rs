//! Configuration: text becomes checked values. Nothing else reads files, variables or defaults.
//!
//! [`load`] reads `faxgate.toml`, the profiles and the accounts, and answers with everything or with
//! every [`Mistake`] in them; [`load_for_commands`] puts up with mistakes of accounts. One file per section; `config/faxgate.toml` documents the keys.

mod account;
mod accounts;
mod certificate;
mod claims;
mod credential;
mod destinations;
mod dns;
mod effective;
mod forms;
mod gateway;
mod list;
pub mod list_file;
mod lock;
mod mail;
mod mistake;
mod monitor;
mod network;
mod password;
mod phc;
mod profile;
mod queue;
mod relay;
mod render;
mod result_mail;
mod retention;
mod retry;
mod role;
mod salvage;
mod scram;
mod section;
mod show;
mod smtp;
mod source;
mod tls;
mod transport;
mod verify;
mod web;

use std::path::Path;
use std::path::PathBuf;

pub use account::Account;
pub use account::ForwardFormat;
pub use account::SenderPattern;
pub use account::Written;
pub use accounts::Accounts;
pub use accounts::LoadedAccounts;
pub use credential::CredentialKind;
pub use credential::Doors;
pub use destinations::Destinations;
pub use dns::Dns;
pub use effective::Effective;
pub use effective::Origin;
pub use effective::Setting;
pub use effective::Spot;
pub use gateway::Gateway;
pub use gateway::Language;
pub use list::Contact;
pub use list::ContactList;
pub use list::MAX_MEMBERS;
pub use lock::LockOverride;
pub use mail::Mail;
pub use mail::Smarthost;
pub use mistake::Mistake;
pub use mistake::Mistakes;
pub use monitor::Monitor;
pub use network::Network;
pub use password::Password;
pub use phc::is_weak as is_weak_hash;
pub use profile::AfterReset;
pub use profile::Policy;
pub use profile::Profile;
pub use profile::Reset;
pub use profile::ResetAddress;
pub use profile::ResetMethod;
pub use profile::Split;
pub use queue::Queue;
pub use relay::Relay;
pub use render::Render;
pub use result_mail::ResultFormat;
pub use result_mail::ResultMail;
pub use result_mail::When;
pub use retention::Retention;
pub use retry::Retry;
pub use role::Role;
pub use scram::ScramVerifier;
pub use smtp::Smtp;
pub use tls::KeyPair;
pub use tls::PairError;
pub use tls::PairTexts;
pub use tls::Tls;
pub use transport::Hylafax;
pub use transport::Interfax;
pub use transport::Kind as TransportKind;
pub use transport::Loopback;
pub use transport::NumberFormat;
pub use transport::PasswordFile;
pub use transport::Phase;
pub use transport::PortRange;
pub use transport::Route;
pub use transport::Script;
pub use transport::Sip;
pub use transport::SipUri;
pub use transport::Spool;
pub use transport::Transport;
pub use transport::Trunk;
pub use transport::Wire;
pub use verify::OnTemporaryError;
pub use verify::Verify;
pub use web::BaseUrl;
pub use web::Web;

use section::Section;
use source::NamedBy;
use source::Source;

/// Everything `faxgate.toml` says, checked, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[smtp]`
    pub smtp: Smtp,
    /// `[tls]`; none where it names no files.
    pub tls: Option<Tls>,
    /// `[verify]`; `None` where there is no such table: then nobody is verified and no DNS query is made.
    pub verify: Option<Verify>,
    /// `[dns]`
    pub dns: Dns,
    /// `[[relay]]`
    pub relays: Vec<Relay>,
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
    /// `[web]`; `None` where there is no such table: then there is no web door.
    pub web: Option<Web>,
    /// `[monitor]`
    pub monitor: Monitor,
    /// `[retention]`
    pub retention: Retention,
}

/// All configuration files, read and checked together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The main file.
    pub config: Config,
    /// The accounts, and the files they were read from.
    pub accounts: LoadedAccounts,
}

/// Reads the main file at `path`, the profiles and the accounts.
///
/// # Errors
/// All mistakes in all these files.
pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
    let (loaded, mistakes) = load_for_commands(path)?;
    mistakes.none_or(loaded)
}

/// Like [`load`], but puts up with mistakes in the profiles, the accounts and their list files.
///
/// For commands beside a gateway that goes on with the last good ones: there are the accounts without a
/// mistake of their own, and beside them all mistakes.
///
/// # Errors
/// All mistakes in all these files, if there is one in the main file.
pub fn load_for_commands(path: &Path) -> Result<(Loaded, Mistakes), Mistakes> {
    let mut mistakes = Mistakes::default();
    let Some(source) = Source::read(path, &NamedBy::default(), &mut mistakes) else {
        return Err(mistakes);
    };
    let config = match read(&source, &mut mistakes) {
        Some(config) => config,
        None => {
            // The accounts are checked all the same, as far as the text says where they are.
            let guessed = source.guess(read_sections);
            if !Accounts::path(path, &guessed).exists() {
                return Err(mistakes);
            }
            guessed
        }
    };
    let main_is_wrong = !mistakes.is_empty();
    let accounts = accounts::read(path, &config, &mut mistakes);
    let mistakes = mistakes.in_order();
    if main_is_wrong {
        return Err(mistakes);
    }
    Ok((Loaded { config, accounts }, mistakes))
}

impl Config {
    /// Reads the main file at `path` alone.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let config = Source::read(path, &NamedBy::default(), &mut mistakes)
            .and_then(|source| read(&source, &mut mistakes))
            .unwrap_or_default();
        mistakes.none_or(config)
    }

    /// Reads `text` as if it were the file at `path`.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let source = Source::new(path, text.to_owned());
        let config = read(&source, &mut mistakes).unwrap_or_default();
        mistakes.none_or(config)
    }

    /// The configuration in force as TOML, every key with its value; read again it is the same. No
    /// key of the main file is a secret: passwords are hashes and stand in the accounts.
    pub fn effective(&self) -> String {
        self.tree().to_string()
    }

    /// Every section with every key.
    fn tree(&self) -> toml::Table {
        let sections = [
            ("gateway", self.gateway.show()),
            ("smtp", self.smtp.show()),
            ("tls", Tls::show(self.tls.as_ref())),
            ("dns", self.dns.show()),
            ("password", self.password.show()),
            ("lock", self.lock.show()),
            ("destinations", self.destinations.show()),
            ("retry", self.retry.show()),
            ("queue", self.queue.show()),
            ("render", self.render.show()),
            ("mail", self.mail.show()),
            ("transport", self.transport.show()),
            ("monitor", self.monitor.show()),
            ("retention", self.retention.show()),
        ];
        let sections = sections
            .into_iter()
            .map(|(name, table)| (name.to_owned(), toml::Value::Table(table)));
        let mut tree = sections.collect::<toml::Table>();
        if let Some(verify) = &self.verify {
            tree.insert("verify".to_owned(), toml::Value::Table(verify.show()));
        }
        if let Some(web) = &self.web {
            tree.insert("web".to_owned(), toml::Value::Table(web.show()));
        }
        if !self.relays.is_empty() {
            let relays = self.relays.iter().map(|relay| relay.show().into());
            tree.insert("relay".to_owned(), toml::Value::Array(relays.collect()));
        }
        tree
    }
}

/// `None` only where the text is no TOML.
fn read(source: &Source, mistakes: &mut Mistakes) -> Option<Config> {
    let tree = source.tree(mistakes)?;
    Some(section::read_tree(source, &tree, mistakes, read_sections))
}

fn read_sections(root: &mut Section<'_, '_>) -> Config {
    let gateway = root.table("gateway", Gateway::read);
    let tls = root.table("tls", Tls::read);
    let verified = root.has("verify");
    let with_web = root.has("web");
    Config {
        smtp: root.table("smtp", |section| Smtp::read(section, tls.is_some())),
        tls,
        verify: Some(root.table("verify", Verify::read)).filter(|_| verified),
        dns: root.table("dns", Dns::read),
        relays: root.tables("relay", Relay::read),
        password: root.table("password", Password::read),
        lock: root.table("lock", LockOverride::read),
        destinations: root.table("destinations", |section| {
            Destinations::read(section, &gateway.country)
        }),
        retry: root.table("retry", Retry::read),
        queue: root.table("queue", Queue::read),
        render: root.table("render", Render::read),
        mail: root.table("mail", |section| Mail::read(section, &gateway.domains)),
        transport: root.table("transport", |section| {
            Transport::read(section, &gateway.country)
        }),
        web: Some(root.table("web", Web::read)).filter(|_| with_web),
        monitor: root.table("monitor", Monitor::read),
        retention: root.table("retention", Retention::read),
        gateway,
    }
}

/// `path` as it is meant in `file`: relative to the folder of that file.
fn beside(file: &Path, path: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) => folder.join(path),
        None => path.to_owned(),
    }
}

/// Feeds arbitrary bytes to every parser here: main file, accounts, profile, list file. Must not panic.
pub fn fuzz_config(bytes: &[u8]) {
    let path = Path::new("fuzz.toml");
    let mut mistakes = Mistakes::default();
    if let Some(source) = Source::from_bytes(path, bytes, &mut mistakes) {
        let config = read(&source, &mut mistakes).unwrap_or_else(|| source.guess(read_sections));
        if mistakes.is_empty() {
            let shown = Config::parse(path, &config.effective());
            debug_assert_eq!(shown.as_ref(), Ok(&config), "what is shown reads back");
        }
        accounts::fuzz(&source, &config, &mut mistakes);
        profile::fuzz(&source, &mut mistakes);
    }
    list_file::fuzz(bytes, &mut mistakes);
    drop(mistakes.to_string());
}

#[cfg(test)]
mod tests;
