//! `faxgate account`: accounts and their locks. Works while the gateway serves.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::json;

use crate::account::directory::Directory;
use crate::account::lockout;
use crate::account::lockout::InstallationKey;
use crate::account::overlay::Changed;
use crate::account::overlay::Setting;
use crate::account::reset;
use crate::account::reset::Asker;
use crate::account::reset::NotStarted;
use crate::account::reset::Request;
use crate::account::reset::Started;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::config::Account;
use crate::config::Loaded;
use crate::config::SenderPattern;
use crate::lock::Locks;
use crate::lock::Strikes;
use crate::lock::ends_by_time;
use crate::storage::Store;
use crate::storage::accounts;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::events::EventRow;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;

/// Subcommands of `account`.
#[derive(clap::Subcommand)]
pub(crate) enum Sub {
    /// All accounts.
    List,
    /// One account: settings, lock, what happened to it.
    Show {
        /// The account's id.
        id: String,
    },
    /// Lock an account by hand for as long as its lock lasts; no notice is mailed.
    Lock {
        /// The account's id.
        id: String,
    },
    /// Mail the account's registered address the way to a new password; nobody here sees it.
    Reset {
        /// The account's id.
        id: String,
    },
    /// Unlock an account; what was held for it goes out at once.
    Unlock {
        /// The account's id.
        id: String,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
    },
}

/// Runs a subcommand.
pub(crate) fn run(sub: &Sub, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let store = open_store(&loaded.config)?;
    let directory = Directory::beside(&loaded.accounts.accounts, &store)?;
    let now = SystemClock.now();
    match sub {
        Sub::List => {
            let strikes = store.read_here(accounts::all_strikes)?;
            let rows = directory.iter().map(|account| {
                let strikes = strikes.iter().find(|(id, _)| *id == account.id);
                summary(
                    account,
                    strikes.map(|(_, strikes)| *strikes).unwrap_or_default(),
                    now,
                )
            });
            let columns = ["id", "profile", "locked", "locked_until", "email"];
            output::table(&rows.collect::<Vec<_>>(), &columns, json)
        }
        Sub::Show { id } => {
            let account = find(&directory, id)?;
            let (locks, events) = store.read_here(|tx| {
                let locks = accounts::locks(tx, id)?;
                Ok((locks, events::list(tx, id, About::Account)?))
            })?;
            let mut shown = detail(&account, &locks, &events, now);
            shown["changed_in_web"] = changed(&directory, id);
            output::object(&shown, json)
        }
        Sub::Lock { id } => {
            let account = find(&directory, id)?;
            let rule = loaded.config.lock.over(&account.profile.lock);
            let (writer, id) = (store.clone(), id.clone());
            let until = block_on(async move {
                let ids = writer.clone();
                let locked = writer.write(move |tx| lockout::lock(tx, ids.ids(), &id, &rule, now));
                Ok(locked.await?)
            })?;
            output::line(&match ends_by_time(until) {
                true => format!("locked until {}", until.rfc3339()),
                false => "locked until a reset or an unlock: time does not end it".to_owned(),
            })
        }
        Sub::Reset { id } => reset_password(&loaded, &store, find(&directory, id)?, now),
        Sub::Unlock { id, reason } => {
            find(&directory, id)?;
            if reason.trim().is_empty() {
                return Err(Failure::new(Exit::Usage, "--reason must say something"));
            }
            let (writer, id, reason) = (store.clone(), id.clone(), reason.clone());
            let released = block_on(async move {
                let ids = writer.clone();
                let released =
                    writer.write(move |tx| lockout::unlock(tx, ids.ids(), &id, &reason, now));
                Ok(released.await?)
            })?;
            output::line(&format!("unlocked; {released} held mails go out now"))
        }
    }
}

fn reset_password(
    loaded: &Loaded,
    store: &Store,
    account: Arc<Account>,
    now: Timestamp,
) -> Result<(), Failure> {
    let gateway = &loaded.config.gateway;
    if loaded.config.web.is_none() {
        let why = "there is no account web: [web] in the configuration opens one";
        return Err(Failure::new(Exit::Unavailable, why));
    }
    let failed = |why: String| Failure::new(Exit::Unavailable, why);
    let key = InstallationKey::load_or_create(&gateway.data_dir);
    let key = key.map_err(|error| failed(format!("installation.key: {error}")))?;
    let nonce = reset::nonce().ok_or_else(|| failed("the system has no randomness".to_owned()))?;
    let (writer, host) = (store.clone(), gateway.name.clone());
    let started = block_on(async move {
        let ids = writer.clone();
        let started = writer.write(move |tx| {
            let request = Request {
                account: &account,
                asker: Asker::Other("command"),
                peer: "",
                key: &key,
                nonce,
                host: &host,
                now,
            };
            reset::start(tx, ids.ids(), &request)
        });
        Ok(started.await?)
    })?;
    match started {
        Started::Mailed(to) => output::line(&format!("a mail goes to {}", to.shortened())),
        Started::Not(why) => Err(Failure::new(Exit::Unavailable, not_started(why))),
    }
}

fn not_started(why: NotStarted) -> String {
    match why {
        NotStarted::Locked(until) if ends_by_time(until) => {
            let until = until.rfc3339();
            format!("the account is locked until {until}; unlock it first")
        }
        NotStarted::Locked(_) => "the account is locked; unlock it first".to_owned(),
        NotStarted::NoAddress | NotStarted::NoMatch => "the account has no email".to_owned(),
        NotStarted::NoPassword => "the account has no password for the account web".to_owned(),
        NotStarted::OnPaper => "its profile resets no password by mail".to_owned(),
        NotStarted::TooMany => "enough mails went out within the hour".to_owned(),
    }
}

/// What of an account stands beside its file, and what the file says.
fn changed(directory: &Directory, id: &str) -> Json {
    let written = directory.as_written(id);
    let shown = |changed: &Changed| {
        let written = written.map(|account| Setting::of(account, changed.key).to_string());
        json!({
            "key": changed.key.as_str(),
            "by": changed.by,
            "at": changed.at.rfc3339(),
            "file": written,
        })
    };
    directory.changed(id).iter().map(shown).collect()
}

fn find(directory: &Directory, id: &str) -> Result<Arc<Account>, Failure> {
    let found = directory.by_id(id);
    found
        .cloned()
        .ok_or_else(|| Failure::new(Exit::Unknown, format!("no account `{id}`")))
}

fn summary(account: &Account, strikes: Strikes, now: Timestamp) -> Json {
    let locked = strikes.is_locked(now);
    json!({
        "id": account.id,
        "login_id": account.login_id,
        "email": account.email.as_ref().map(ToString::to_string),
        "profile": account.profile.name,
        "locked": locked,
        "locked_until": strikes.locked_until.filter(|_| locked).map(Timestamp::rfc3339),
        // After a lock counting begins anew.
        "strikes": if strikes.locked_until.is_some() && !locked { 0 } else { strikes.count },
    })
}

fn detail(account: &Account, locks: &Locks, events: &[EventRow], now: Timestamp) -> Json {
    let mut shown = summary(account, locks.everything, now);
    let unproven = locks.unproven;
    let until = unproven.locked_until.filter(|_| unproven.is_locked(now));
    shown["strikes_of_unproven"] = json!(unproven.count);
    shown["unproven_locked_until"] = json!(until.map(Timestamp::rfc3339));
    shown["require_verified"] = json!(account.require_verified);
    let texts =
        |items: &[crate::smtp::Address]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let senders = account.senders.iter().map(|sender| match sender {
        SenderPattern::Exact(address) => address.to_string(),
        SenderPattern::Domain(domain) => format!("*@{domain}"),
    });
    shown["senders"] = json!(senders.collect::<Vec<_>>());
    shown["password_in_body"] = json!(account.password_in_body);
    shown["station_id"] = json!(account.station_id.as_ref().map(ToString::to_string));
    let calling = account.calling_number.as_ref();
    shown["calling_number"] = json!(calling.map(|number| format!("+{}", number.digits())));
    shown["numbers"] = json!(
        account
            .numbers
            .iter()
            .map(|n| n.canonical())
            .collect::<Vec<_>>()
    );
    shown["forward_to"] = json!(texts(&account.forward_to));
    let lists = account
        .lists
        .iter()
        .map(|list| json!({ "name": list.name, "members": list.members.len() }));
    shown["lists"] = json!(lists.collect::<Vec<_>>());
    shown["events"] = json!(events.iter().map(output::event).collect::<Vec<_>>());
    shown
}
