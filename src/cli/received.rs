//! `faxgate received`: faxes that arrived. Works while the gateway serves.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value as Json;
use serde_json::json;

use crate::account::directory::Directory;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::config::Loaded;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::fax::PageOptions;
use crate::fax::StationId;
use crate::lock;
use crate::receive;
use crate::receive::Forwarding;
use crate::receive::ReceiveError;
use crate::receive::Reception;
use crate::render;
use crate::render::Renderer;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::received;
use crate::storage::received::ReceivedRow;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;
use crate::transmit::InboundFax;

/// Subcommands of `received`.
#[derive(clap::Subcommand)]
pub(crate) enum Sub {
    /// The newest received faxes.
    List {
        /// Of this account only.
        #[arg(long)]
        account: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// One received fax: its timeline and mails.
    Show {
        /// The received fax.
        id: i64,
    },
    /// Put a TIFF in as if it had arrived by line; done when it is durable, also when it is held.
    Inject {
        /// The number it was sent to.
        #[arg(long, value_name = "NUMBER")]
        to: String,
        /// The identifier of the sender.
        #[arg(long, value_name = "ID", default_value = "")]
        from: String,
        /// The TIFF file.
        file: PathBuf,
        /// As if the call had been cut off after these pages.
        #[arg(long)]
        partial: bool,
    },
}

/// Runs a subcommand.
pub(crate) fn run(sub: &Sub, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let store = open_store(&loaded.config)?;
    let now = SystemClock.now();
    match sub {
        Sub::List { account, limit } => {
            let rows = store.read_here(|tx| {
                let rows = received::list(tx, account.as_deref(), *limit)?;
                rows.iter()
                    .map(|row| shown(tx, row, now))
                    .collect::<Result<Vec<_>, _>>()
            })?;
            let columns = [
                "id", "account", "number", "pages", "partial", "state", "reason", "received",
            ];
            output::table(&rows, &columns, json)
        }
        Sub::Show { id } => {
            let found = store.read_here(|tx| {
                let Some(row) = received::one(tx, *id)? else {
                    return Ok(None);
                };
                let mut value = shown(tx, &row, now)?;
                let mails = outbox::about(tx, Kind::Forward, *id)?;
                let events = events::list(tx, &row.account, About::Received(*id))?;
                value["mails"] = json!(mails.iter().map(output::mail).collect::<Vec<_>>());
                value["timeline"] = json!(events.iter().map(output::event).collect::<Vec<_>>());
                Ok(Some(value))
            })?;
            let unknown = || Failure::new(Exit::Unknown, format!("no received fax {id}"));
            output::object(&found.ok_or_else(unknown)?, json)
        }
        Sub::Inject {
            to,
            from,
            file,
            partial,
        } => inject(&loaded, store, (to, from), file, !partial),
    }
}

fn inject(
    loaded: &Loaded,
    store: Store,
    (to, from): (&str, &str),
    file: &Path,
    complete: bool,
) -> Result<(), Failure> {
    let country = &loaded.config.gateway.country;
    let number = FaxNumber::parse(to, country)
        .map_err(|e| Failure::new(Exit::Input, format!("{to}: {e}")))?;
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|e| Failure::new(Exit::NoInput, named(&e)))?;
    let fax = fax_of(bytes, file, loaded).map_err(|e| Failure::new(Exit::Input, e))?;
    let clock = Arc::new(SystemClock);
    let call = format!("inject:{}", store.ids().next(clock.now()));
    let directory = Directory::beside(&loaded.accounts.accounts, &store)?;
    let reception = Reception {
        store,
        accounts: Arc::new(ArcSwap::from_pointee(directory)),
        host: loaded.config.gateway.name.clone(),
        clock,
        mail: Arc::default(),
    };
    let inbound = InboundFax {
        call,
        number,
        remote_id: StationId::from_far_end(from.as_bytes()),
        fax,
        complete,
    };
    let id = block_on(async move {
        reception.take(inbound).await.map_err(|error| match error {
            ReceiveError::UnknownNumber => Failure::new(Exit::Unknown, error),
            ReceiveError::Unreadable => Failure::new(Exit::Input, error),
            ReceiveError::Storage(error) => error.into(),
        })
    })?;
    output::line(&format!("received {id}"))
}

/// A fax as machines send it is taken as it is; any other TIFF becomes one as documents do.
fn fax_of(bytes: Vec<u8>, file: &Path, loaded: &Loaded) -> Result<FaxFile, String> {
    if let Ok(fax) = render::check_received(&bytes) {
        return Ok(fax);
    }
    let document = Document {
        name: Some(file.display().to_string()),
        kind: DocumentKind::Tiff,
        media_type: "image/tiff".to_owned(),
        bytes,
    };
    let exe = std::env::current_exe().map_err(|e| e.to_string())?;
    let renderer = Renderer::new(exe, &loaded.config.render);
    let rendered =
        block_on(async move { Ok(renderer.pages(&[document], &PageOptions::default()).await) });
    match rendered {
        Ok(rendered) => rendered.map_err(|e| e.to_string()),
        Err(failure) => Err(failure.text),
    }
}

fn shown(
    tx: &mut dyn Transaction,
    row: &ReceivedRow,
    now: Timestamp,
) -> Result<Json, StorageError> {
    let (state, reason, held_until) = match receive::forwarding(tx, row, now)? {
        Forwarding::Held(until) => {
            let reason = match lock::ends_by_time(until) {
                true => format!("account locked until {}", until.rfc3339()),
                false => "account locked until a reset or an unlock".to_owned(),
            };
            ("held", Some(reason), Some(until))
        }
        Forwarding::Waiting => ("waiting", None, None),
        Forwarding::Failed(error) => ("failed", error, None),
        Forwarding::Nowhere => ("kept", Some("nobody to forward to".to_owned()), None),
        Forwarding::Done => ("forwarded", None, None),
    };
    Ok(json!({
        "id": row.id.to_string(),
        "account": row.account,
        "number": row.number,
        "remote_id": row.remote_id,
        "pages": row.pages,
        "partial": row.partial,
        "state": state,
        "reason": reason,
        "held_until": held_until.map(Timestamp::rfc3339),
        "received": row.received_at.rfc3339(),
    }))
}
