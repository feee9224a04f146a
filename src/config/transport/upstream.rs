//! `[transport.hylafax]`, `[transport.interfax]`, `[transport.spool]`: others who send for us.

use std::path::PathBuf;
use std::time::Duration;

use toml::Table;
use toml::de::DeValue;

use super::PasswordFile;
use super::host_and_port;
use crate::config::forms;
use crate::config::forms::Bad;
use crate::config::section::Section;
use crate::config::show;

/// `[transport.hylafax]`: a HylaFAX server.
#[derive(Clone, Debug, PartialEq)]
pub struct Hylafax {
    /// Host name or address, and port (4559 if none is said).
    pub server: String,
    /// Who we are there.
    pub user: String,
    /// Our password, if it asks for one.
    pub password_file: Option<PasswordFile>,
    /// Jobs that are there at a time at most.
    pub lines: usize,
    /// How often it is asked how jobs are, and for received faxes.
    pub poll: Duration,
    /// Whether received faxes are fetched, and removed there once they are ours.
    pub receive: bool,
    /// The number that received faxes were called at: the protocol does not tell. Empty where `receive` is false.
    pub number: String,
}

/// `[transport.interfax]`: InterFAX, or a gateway that speaks its REST protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Interfax {
    /// `https://host`, or `http://` for a machine of our own.
    pub url: String,
    /// Our user name there.
    pub user: String,
    /// Our password.
    pub password_file: Option<PasswordFile>,
    /// Faxes that are there at a time at most.
    pub lines: usize,
    /// How often it is asked how faxes are.
    pub poll: Duration,
}

/// `[transport.spool]`: a folder that another program empties.
#[derive(Clone, Debug, PartialEq)]
pub struct Spool {
    /// The folder; relative to the working directory.
    pub directory: PathBuf,
    /// How often it is looked for results.
    pub poll: Duration,
    /// A fax without a result after this time has failed.
    pub give_up: Duration,
}

const POLLS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(600);

impl Hylafax {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let receive = section.or("receive", false, forms::boolean);
        let number = section.or("number", String::new(), forms::text);
        if receive && number.is_empty() {
            section.mistake(
                "receive",
                "the number that is called there is missing",
                "number = \"0312345678\" as well",
            );
        }
        Self {
            server: section.or("server", "127.0.0.1:4559".to_owned(), server),
            user: section.or("user", "faxgate".to_owned(), forms::text),
            password_file: PasswordFile::optional(section, "password_file"),
            lines: section.or("lines", 8, |value| forms::number(value, 1..=1000)),
            poll: section.or("poll", Duration::from_secs(5), |value| {
                forms::duration(value, POLLS)
            }),
            receive,
            number,
        }
    }

    pub(super) fn show(&self) -> Table {
        let mut shown = show::table([
            ("server", show::text(&self.server)),
            ("user", show::text(&self.user)),
            ("lines", show::number(self.lines)),
            ("poll", show::duration(self.poll)),
            ("receive", self.receive.into()),
        ]);
        if !self.number.is_empty() {
            shown.insert("number".to_owned(), show::text(&self.number));
        }
        with_password(shown, self.password_file.as_ref())
    }
}

impl Interfax {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let user = section.required("user", "user = \"name\"", forms::text);
        let password_file = PasswordFile::optional(section, "password_file");
        if !section.has("password_file") {
            let accepted = "a file whose first line is the password";
            section.mistake("password_file", "this key is missing", accepted);
        }
        Self {
            url: section.or("url", "https://rest.interfax.net".to_owned(), url),
            user,
            password_file,
            lines: section.or("lines", 8, |value| forms::number(value, 1..=1000)),
            poll: section.or("poll", Duration::from_secs(5), |value| {
                forms::duration(value, POLLS)
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        let shown = show::table([
            ("url", show::text(&self.url)),
            ("user", show::text(&self.user)),
            ("lines", show::number(self.lines)),
            ("poll", show::duration(self.poll)),
        ]);
        with_password(shown, self.password_file.as_ref())
    }
}

impl Spool {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            directory: section.or("directory", "var/spool".into(), forms::path),
            poll: section.or("poll", Duration::from_secs(1), |value| {
                forms::duration(value, POLLS)
            }),
            give_up: section.or("give_up", Duration::from_secs(3600), |value| {
                let range = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);
                forms::duration(value, range)
            }),
        }
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("directory", show::text(self.directory.display())),
            ("poll", show::duration(self.poll)),
            ("give_up", show::duration(self.give_up)),
        ])
    }
}

fn with_password(mut shown: Table, file: Option<&PasswordFile>) -> Table {
    if let Some(file) = file {
        shown.insert("password_file".to_owned(), show::text(file));
    }
    shown
}

fn server(value: &DeValue<'_>) -> Result<String, Bad> {
    let text = forms::text(value)?;
    let accepted = "a host and perhaps a port, such as \"127.0.0.1:4559\"";
    match host_and_port(&text, 4559) {
        Some((host, port)) if host.contains(':') => Ok(format!("[{host}]:{port}")),
        Some((host, port)) => Ok(format!("{host}:{port}")),
        None => Err(Bad::new("this is no address of a server", accepted)),
    }
}

fn url(value: &DeValue<'_>) -> Result<String, Bad> {
    let accepted =
        "https:// and a host, or http:// and an address of your own network; no user, no query";
    let bad = || Bad::new("this is no address of such a service", accepted);
    let text = forms::text(value)?;
    let text = text.trim_end_matches('/');
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(bad)?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#');
    match rest.is_empty() || rest.contains(odd) {
        true => Err(bad()),
        false => Ok(text.to_owned()),
    }
}
