//! `[smtp]`: the mail door.

use std::net::SocketAddr;
use std::time::Duration;

use toml::Table;

use super::forms;
use super::network;
use super::network::Network;
use super::section::Section;
use super::show;

/// `[smtp]`: the mail door.
#[derive(Clone, Debug, PartialEq)]
pub struct Smtp {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Addresses to listen on for programs that send mail (RFC 6409); may be empty.
    pub listen_submission: Vec<SocketAddr>,
    /// Addresses where TLS begins with the connection (RFC 8314 section 3); may be empty.
    pub listen_tls: Vec<SocketAddr>,
    /// Clients whose bare LF is taken for a line end instead of being refused.
    pub normalize_bare_lf: Vec<Network>,
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
    /// Most messages a minute from one address; 0 for no limit.
    pub max_messages_per_minute: u32,
    /// How long a client waits that was refused something.
    pub tarpit: Duration,
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

const MIN: Duration = Duration::from_secs(60);

impl Default for Smtp {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 2525))],
            listen_submission: Vec::new(),
            listen_tls: Vec::new(),
            normalize_bare_lf: Vec::new(),
            max_message: 20_000_000,
            max_recipients: 500,
            max_header: 256 * 1024,
            max_parts: 1000,
            max_depth: 30,
            max_connections: 2000,
            max_connections_per_address: 200,
            max_messages_per_minute: 0,
            tarpit: Duration::ZERO,
            max_errors: 20,
            command_timeout: 5 * MIN,
            data_timeout: 30 * MIN,
            refusal_floor: Duration::from_millis(250),
            password_wait: Duration::from_secs(2),
        }
    }
}

impl Smtp {
    /// `with_tls`: whether there is a certificate.
    pub(super) fn read(section: &mut Section<'_, '_>, with_tls: bool) -> Self {
        let default = Self::default();
        let waits = Duration::from_secs(1)..=60 * MIN;
        let smtp = Self {
            listen: section.filled_list("listen", default.listen, forms::socket),
            listen_submission: section.list("listen_submission", Vec::new(), forms::socket),
            listen_tls: section.list("listen_tls", Vec::new(), forms::socket),
            normalize_bare_lf: section.list("normalize_bare_lf", Vec::new(), network::network),
            max_message: section.or("max_message", default.max_message, |value| {
                forms::size(value, 64_000..=1_000_000_000)
            }),
            // RFC 5321 section 4.5.3.1.8: at least 100 recipients must be taken; fewer is for tests.
            max_recipients: section.or("max_recipients", default.max_recipients, |value| {
                forms::number(value, 1..=20_000)
            }),
            max_header: section.or("max_header", default.max_header, |value| {
                forms::size(value, 1000..=10_000_000)
            }),
            max_parts: section.or("max_parts", default.max_parts, |value| {
                forms::number(value, 1..=100_000)
            }),
            max_depth: section.or("max_depth", default.max_depth, |value| {
                forms::number(value, 1..=100)
            }),
            max_connections: section.or("max_connections", default.max_connections, connections),
            max_connections_per_address: section.or(
                "max_connections_per_address",
                default.max_connections_per_address,
                connections,
            ),
            max_messages_per_minute: section.or(
                "max_messages_per_minute",
                default.max_messages_per_minute,
                messages,
            ),
            tarpit: section.or("tarpit", default.tarpit, |value| {
                forms::duration(value, Duration::ZERO..=MIN / 2)
            }),
            max_errors: section.or("max_errors", default.max_errors, |value| {
                forms::number(value, 1..=10_000)
            }),
            command_timeout: section.or("command_timeout", default.command_timeout, |value| {
                forms::duration(value, waits.clone())
            }),
            data_timeout: section.or("data_timeout", default.data_timeout, |value| {
                forms::duration(value, waits.clone())
            }),
            refusal_floor: section.or("refusal_floor", default.refusal_floor, |value| {
                forms::duration(value, Duration::ZERO..=MIN)
            }),
            password_wait: section.or("password_wait", default.password_wait, |value| {
                forms::duration(value, Duration::ZERO..=MIN)
            }),
        };
        if !with_tls && !smtp.listen_tls.is_empty() {
            let accepted = "[tls] with certificate and key as well, or [] here";
            section.mistake("listen_tls", "there is no certificate", accepted);
        }
        smtp
    }

    pub(super) fn show(&self) -> Table {
        let per_address = self.max_connections_per_address;
        show::table([
            ("listen", show::texts(&self.listen)),
            ("listen_submission", show::texts(&self.listen_submission)),
            ("listen_tls", show::texts(&self.listen_tls)),
            ("normalize_bare_lf", show::texts(&self.normalize_bare_lf)),
            ("max_message", show::size(self.max_message)),
            ("max_recipients", show::number(self.max_recipients)),
            ("max_header", show::size(self.max_header)),
            ("max_parts", show::number(self.max_parts)),
            ("max_depth", show::number(self.max_depth)),
            ("max_connections", show::number(self.max_connections)),
            ("max_connections_per_address", show::number(per_address)),
            (
                "max_messages_per_minute",
                show::number(self.max_messages_per_minute),
            ),
            ("tarpit", show::duration(self.tarpit)),
            ("max_errors", show::number(self.max_errors)),
            ("command_timeout", show::duration(self.command_timeout)),
            ("data_timeout", show::duration(self.data_timeout)),
            ("refusal_floor", show::duration(self.refusal_floor)),
            ("password_wait", show::duration(self.password_wait)),
        ])
    }
}

/// Messages a minute; 0 for no limit.
pub(super) fn messages(value: &toml::de::DeValue<'_>) -> Result<u32, forms::Bad> {
    forms::number(value, 0..=1_000_000)
}

fn connections(value: &toml::de::DeValue<'_>) -> Result<usize, forms::Bad> {
    forms::number(value, 1..=100_000)
}
