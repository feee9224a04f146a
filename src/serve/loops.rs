//! What goes on all the time: dispatching, sweeping, sending mail, forgetting what is too old.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::account::age;
use crate::account::directory::Directory;
use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::monitor::Health;
use crate::notify::outgoing::Outgoing;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::drafts;
use crate::storage::events;
use crate::storage::jobs;
use crate::storage::outbox;
use crate::storage::received;
use crate::time::Clock;
use crate::time::Timestamp;

/// Another process, such as a command, may have changed something: looked for this often.
const LOOK: Duration = Duration::from_millis(300);
const SWEEP: Duration = Duration::from_secs(1);
const MEASURE_EVERY: u32 = 5;
const REMIND: Duration = Duration::from_secs(3600);
const RETAIN: Duration = Duration::from_secs(600);
/// Refused mails that are remembered: enough to answer a customer, too few to fill a disk.
const MOST_REFUSED: usize = 100_000;

/// Waits for `woken` or `at_most`; `false` when the gateway stops.
async fn pause(woken: &Notify, at_most: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = woken.notified() => {}
        () = tokio::time::sleep(at_most) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    !*stopping.borrow()
}

/// Claims jobs and has them dialled, as many at a time as configured.
pub(super) async fn dispatch(
    dispatcher: Arc<Dispatcher>,
    work: Arc<Notify>,
    mut stopping: watch::Receiver<bool>,
) {
    let lines = Arc::new(Semaphore::new(dispatcher.config.queue.workers));
    let mut calls = JoinSet::new();
    loop {
        let Ok(line) = Arc::clone(&lines).acquire_owned().await else {
            break;
        };
        if *stopping.borrow() {
            break;
        }
        while calls.try_join_next().is_some() {}
        let (owner, now) = (dispatcher.owner, dispatcher.clock.now());
        let until = now.plus(dispatcher.config.queue.lease);
        let claimed = dispatcher
            .store
            .write(move |tx| jobs::claim(tx, owner, until))
            .await;
        match claimed {
            Ok(Some(claim)) => {
                let (dispatcher, work) = (Arc::clone(&dispatcher), Arc::clone(&work));
                calls.spawn(async move {
                    dispatcher.run(&claim).await;
                    drop(line);
                    work.notify_one();
                });
            }
            Ok(None) => {
                drop(line);
                if !pause(&work, LOOK, &mut stopping).await {
                    break;
                }
            }
            Err(error) => {
                tracing::error!(%error, "no job could be claimed");
                drop(line);
                if !pause(&Notify::new(), SWEEP, &mut stopping).await {
                    break;
                }
            }
        }
    }
    // Calls that do not end in time are resolved at the next start.
    while calls.join_next().await.is_some() {}
}

/// Renews leases, lets due jobs go on, resolves calls whose lease ran out, measures.
pub(super) async fn sweep(
    dispatcher: Arc<Dispatcher>,
    work: Arc<Notify>,
    health: Arc<Health>,
    mut stopping: watch::Receiver<bool>,
) {
    let never = Notify::new();
    let mut round: u32 = 0;
    let mut resolving = JoinSet::new();
    loop {
        let swept = match round.is_multiple_of(MEASURE_EVERY) {
            true => sweep_once(&dispatcher, &work, &mut resolving)
                .await
                .and(measure(&dispatcher).await),
            false => sweep_once(&dispatcher, &work, &mut resolving).await,
        };
        round = round.wrapping_add(1);
        match swept {
            Ok(()) => health.well("storage"),
            Err(error) => {
                tracing::error!(%error, "sweeping failed");
                health.trouble("storage", error.to_string());
            }
        }
        if !pause(&never, SWEEP, &mut stopping).await {
            break;
        }
    }
}

async fn sweep_once(
    dispatcher: &Arc<Dispatcher>,
    work: &Notify,
    resolving: &mut JoinSet<()>,
) -> Result<(), StorageError> {
    let (owner, now) = (dispatcher.owner, dispatcher.clock.now());
    let until = now.plus(dispatcher.config.queue.lease);
    let at_work = dispatcher.at_work.jobs();
    let swept = dispatcher.store.write(move |tx| {
        jobs::renew(tx, owner, &at_work, until)?;
        Ok((jobs::promote(tx, now)?, jobs::dialled(tx, now)?))
    });
    let (moved, dialled) = swept.await?;
    if moved {
        work.notify_one();
    }
    // Beside the sweep: a transport may have to ask somebody far away, and leases must be renewed meanwhile.
    while resolving.try_join_next().is_some() {}
    if resolving.is_empty() && !dialled.is_empty() {
        let dispatcher = Arc::clone(dispatcher);
        resolving.spawn(async move { dispatcher.resolve(dialled).await });
    }
    Ok(())
}

/// Counts what waits. Not at every sweep: a hundred thousand held mails take their time.
async fn measure(dispatcher: &Dispatcher) -> Result<(), StorageError> {
    let now = dispatcher.clock.now();
    let measured = dispatcher
        .store
        .read(move |tx| Ok((jobs::counts_by_state(tx)?, outbox::waiting(tx, now)?)));
    let (counts, (waiting, held)) = measured.await?;
    for state in ["pending", "ready", "active", "sleeping"] {
        let of_state = counts.iter().filter(|(of, _)| of.as_str() == state);
        let count: i64 = of_state.map(|(_, count)| count).sum();
        metrics::gauge!("faxgate_jobs", "state" => state).set(as_float(count));
    }
    metrics::gauge!("faxgate_mails_waiting").set(as_float(waiting));
    metrics::gauge!("faxgate_mails_held").set(as_float(held));
    Ok(())
}

fn as_float(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// Hands due mails over.
pub(super) async fn send_mail(
    outgoing: Arc<Outgoing>,
    woken: Arc<Notify>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let more = match outgoing.run_due().await {
            Ok(count) => count > 0,
            Err(error) => {
                tracing::error!(%error, "the outbox could not be read");
                false
            }
        };
        if *stopping.borrow() {
            break;
        }
        if !more && !pause(&woken, LOOK, &mut stopping).await {
            break;
        }
    }
}

/// Tells people of passwords that are in use for long (row I2).
pub(super) async fn remind(
    store: Store,
    accounts: Arc<ArcSwap<Directory>>,
    host: String,
    clock: Arc<dyn Clock>,
    mail: Arc<Notify>,
    mut stopping: watch::Receiver<bool>,
) {
    let never = Notify::new();
    loop {
        match remind_once(&store, &accounts, &host, clock.now()).await {
            Ok(false) => {}
            Ok(true) => mail.notify_one(),
            Err(error) => tracing::error!(%error, "the age of passwords could not be looked at"),
        }
        if !pause(&never, REMIND, &mut stopping).await {
            break;
        }
    }
}

/// One round over all accounts; whether anything was written.
async fn remind_once(
    store: &Store,
    accounts: &ArcSwap<Directory>,
    host: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    const AT_A_TIME: usize = 200;
    let directory = accounts.load_full();
    let looked = store.read(move |tx| {
        let mut due = Vec::new();
        for account in directory.iter() {
            if age::is_due(tx, account, now)? {
                due.push(Arc::clone(account));
            }
        }
        Ok(due)
    });
    let due = looked.await?;
    for some in due.chunks(AT_A_TIME) {
        let (some, host, ids) = (some.to_vec(), host.to_owned(), store.clone());
        let written = store.write(move |tx| {
            for account in &some {
                age::remind(tx, ids.ids(), account, &host, now)?;
            }
            Ok(())
        });
        written.await?;
    }
    Ok(!due.is_empty())
}

/// Removes pages and history whose time is over.
pub(super) async fn retain(
    store: Store,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    mut stopping: watch::Receiver<bool>,
) {
    let never = Notify::new();
    loop {
        match retain_once(&store, &config, clock.as_ref()).await {
            Ok(false) => {}
            Ok(true) => continue,
            Err(error) => tracing::error!(%error, "old pages or history could not be removed"),
        }
        if !pause(&never, RETAIN, &mut stopping).await {
            break;
        }
    }
}

/// One round of removing; whether there may be more.
async fn retain_once(
    store: &Store,
    config: &Config,
    clock: &dyn Clock,
) -> Result<bool, StorageError> {
    drafts::sweep(store, clock.now()).await?;
    let pages = clock.now().minus(config.retention.pages);
    let history = clock.now().minus(config.retention.history);
    let removed = store.write(move |tx| {
        let mut batches = jobs::expire_batches(tx, pages)?;
        let mut faxes = received::expire(tx, pages)?;
        // Once more with the last trace: a crash may have come between a row and its files.
        let (gone, others) = jobs::purge_history(tx, history)?;
        batches.extend(gone);
        faxes.extend(received::purge(tx, history)?);
        let refused = events::trim_refused(tx, MOST_REFUSED)?;
        Ok((batches, faxes, others + refused))
    });
    let (batches, faxes, others) = removed.await?;
    let more = !batches.is_empty() || !faxes.is_empty() || others > 0;
    let blobs = Arc::clone(store.blobs());
    let removed = tokio::task::spawn_blocking(move || -> Result<(), StorageError> {
        for batch in batches {
            blobs.remove(&jobs::documents_file(batch))?;
            blobs.remove(&jobs::pages_file(batch))?;
        }
        for fax in faxes {
            blobs.remove(&received::pages_file(fax))?;
        }
        Ok(())
    });
    removed.await.map_err(|_| StorageError::Stopped)??;
    Ok(more)
}
