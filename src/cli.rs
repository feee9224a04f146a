//! The command line: one file for each subcommand, exit codes of sysexits.

mod account;
mod audit;
mod check_config;
mod demo;
mod explain;
mod hash_password;
mod job;
mod output;
mod received;
mod refused;
mod serve;

use std::io::IsTerminal;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Config;
use crate::config::Loaded;
use crate::storage::Store;

/// A fax and e-mail gateway: mail in, fax out, result mailed, one lock over every door.
#[derive(Parser)]
#[command(name = "faxgate", version, about, disable_help_subcommand = true)]
struct Command {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "config/faxgate.toml"
    )]
    config: PathBuf,
    /// Print listings as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    subcommand: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Show, lock and unlock accounts.
    #[command(subcommand)]
    Account(account::Sub),
    /// Show the audit trail, and find out whether somebody has changed it.
    #[command(subcommand)]
    Audit(audit::Sub),
    /// Check all configuration files and report every mistake.
    CheckConfig,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Run a gateway in a scratch folder and show what it does.
    Demo(demo::Options),
    /// Say what would happen to a mail and why, without doing it.
    Explain(explain::Options),
    /// Hash a password for `accounts.toml`; reads one line or prompts twice.
    HashPassword(hash_password::Options),
    /// Show, cancel and resend jobs.
    #[command(subcommand)]
    Job(job::Sub),
    /// Print the manual page.
    Man,
    /// Show received faxes, or put one in.
    #[command(subcommand)]
    Received(received::Sub),
    /// Show mails that were refused lately, and why.
    Refused(refused::Options),
    /// Run the gateway.
    Serve,
}

/// How a command ends (sysexits.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 64: the command was used wrongly.
    Usage = 64,
    /// 65: the input is wrong.
    Input = 65,
    /// 66: a file cannot be read.
    NoInput = 66,
    /// 67: there is no such account, job or number.
    Unknown = 67,
    /// 69: a service is unavailable.
    Unavailable = 69,
    /// 70: trouble of ours.
    Software = 70,
    /// 78: the configuration is wrong.
    Config = 78,
}

/// A failed command: what to say, and how to end.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl ToString) -> Self {
        Self {
            exit,
            text: text.to_string(),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Software, format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Software, error)
    }
}

impl From<crate::storage::StorageError> for Failure {
    fn from(error: crate::storage::StorageError) -> Self {
        Self::new(Exit::Unavailable, error)
    }
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            // A broken pipe is the only way this can fail, and then nobody reads it.
            let _ = error.print();
            let asked = !error.use_stderr();
            return ExitCode::from(if asked { 0 } else { Exit::Usage as u8 });
        }
    };
    match dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.text);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    let Command {
        config,
        json,
        subcommand,
    } = command;
    start_logging(&subcommand);
    serve::forbid_core_dumps();
    match subcommand {
        Sub::Account(sub) => account::run(&sub, &config, json),
        Sub::Audit(sub) => audit::run(&sub, &config, json),
        Sub::CheckConfig => check_config::run(&config, json),
        Sub::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Command::command(), "faxgate", &mut out);
            output::bytes(&out)
        }
        Sub::Demo(options) => demo::run(&options),
        Sub::Explain(options) => explain::run(&options, &config, json),
        Sub::HashPassword(options) => hash_password::run(&options),
        Sub::Job(sub) => job::run(&sub, &config, json),
        Sub::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Command::command()).render(&mut out)?;
            output::bytes(&out)
        }
        Sub::Received(sub) => received::run(&sub, &config, json),
        Sub::Refused(options) => refused::run(&options, &config, json),
        Sub::Serve => serve::run(&config),
    }
}

/// Logs go to standard error; `RUST_LOG` says how much. `serve` writes JSON lines; the demonstration and
/// the administrative commands speak for themselves and log errors only.
fn start_logging(subcommand: &Sub) {
    let serves = matches!(subcommand, Sub::Serve);
    // The watcher of account files says itself what we say better.
    let usual = if serves { "info,notify=off" } else { "error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    // The SIP stack logs whole messages, with numbers and answers to challenges: never, whatever `RUST_LOG` says.
    let ours = filter_fn(|event| !event.target().starts_with("rsipstack"));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let all = tracing_subscriber::registry().with(filter);
    match serves {
        true => all
            .with(log.json().flatten_event(true).with_filter(ours))
            .init(),
        false => {
            let log = log.with_ansi(std::io::stderr().is_terminal());
            all.with(log.with_filter(ours)).init();
        }
    }
}

/// Reads all configuration files for a gateway that starts: no mistake is put up with.
fn load_strictly(config: &Path) -> Result<Loaded, Failure> {
    crate::config::load(config).map_err(|mistakes| Failure::new(Exit::Config, mistakes))
}

/// Reads all configuration files for a command beside a gateway, which goes on with the last good
/// accounts: mistakes of theirs are warnings, and the accounts without one are there.
fn load(config: &Path) -> Result<Loaded, Failure> {
    /// As many are shown; `check-config` shows all.
    const SHOWN: usize = 10;
    let (loaded, mistakes) = crate::config::load_for_commands(config)
        .map_err(|mistakes| Failure::new(Exit::Config, mistakes))?;
    if !mistakes.is_empty() {
        let told = "the account files have mistakes; accounts with one are left out";
        output::complain(&format!("warning: {told}"));
    }
    for mistake in mistakes.iter().take(SHOWN) {
        output::complain(&format!("warning: {mistake}"));
    }
    if let Some(more) = mistakes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        output::complain(&format!("warning: {more} more; see faxgate check-config"));
    }
    Ok(loaded)
}

/// Opens the durable state beside a gateway that may be serving it.
fn open_store(config: &Config) -> Result<Store, Failure> {
    let folder = &config.gateway.data_dir;
    let opened = Store::open_beside(folder);
    opened.map_err(|e| {
        Failure::new(
            Exit::Unavailable,
            format!("[gateway] data_dir {}: {e}", folder.display()),
        )
    })
}

/// Runs `work` on an event loop of this command.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn the_configuration_file_is_taken_before_and_after_every_subcommand() {
        for line in [
            ["faxgate", "--config", "a.toml", "account", "list"],
            ["faxgate", "account", "--config", "a.toml", "list"],
            ["faxgate", "account", "list", "--config", "a.toml"],
        ] {
            let command = Command::try_parse_from(line).unwrap();
            assert_eq!(command.config, PathBuf::from("a.toml"));
        }
    }
}
