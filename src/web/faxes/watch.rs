//! Who follows faxes live, and the one task that tells them of changes.
//!
//! However many follow, the event log is read once, and not at all while nobody does.

use std::collections::HashMap;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::watch;

use crate::account::session::Cookie;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::events;
use crate::storage::sessions;

/// How often the event log is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Changes that a slow follower may be behind; beyond, it reads the state anew.
const BEHIND: usize = 256;
/// Events read at a time.
const AT_A_TIME: usize = 2_000;
/// Identifiers looked at again, those of one second: a command beside the gateway may write an event that has an
/// older identifier than one that was read already.
const AGAIN: i64 = 1_000 << 10;
/// Streams at a time of one session: a tab each.
const MOST_OF_SESSION: usize = 10;
/// Streams at a time of one network: an office behind one address.
const MOST_OF_NETWORK: usize = 50;
/// Streams at a time: half of the connections that the door has.
const MOST: usize = 500;

/// Something happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Change {
    /// The event.
    pub(in crate::web) event: i64,
    /// The account's id.
    pub(in crate::web) account: String,
    /// The batch.
    pub(in crate::web) batch: i64,
    /// The job; `None`: all of the batch.
    pub(in crate::web) job: Option<i64>,
}

/// Who follows.
pub(in crate::web) struct Live {
    store: Store,
    changes: broadcast::Sender<Arc<Change>>,
    closing: watch::Sender<bool>,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    total: usize,
    /// By the hash of the cookie.
    sessions: HashMap<[u8; 32], usize>,
    networks: HashMap<IpAddr, usize>,
    /// Whether the task runs.
    watching: bool,
}

/// A place to follow from; dropping it frees it.
pub(in crate::web) struct Place {
    live: Arc<Live>,
    session: [u8; 32],
    network: IpAddr,
    /// What happens from now on.
    pub(in crate::web) changes: broadcast::Receiver<Arc<Change>>,
    /// Turns true when the gateway stops.
    pub(in crate::web) closing: watch::Receiver<bool>,
}

impl Live {
    /// Nobody follows yet.
    pub(in crate::web) fn new(store: Store) -> Self {
        Self {
            store,
            changes: broadcast::Sender::new(BEHIND),
            closing: watch::Sender::new(false),
            places: Mutex::default(),
        }
    }

    /// A place for a browser; `None` if it or its network has as many as it may.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(in crate::web) fn enter(
        this: &Arc<Self>,
        cookie: &Cookie,
        network: IpAddr,
    ) -> Result<Option<Place>, StorageError> {
        let session = sessions::name_of(cookie.expose());
        let mut places = this.places();
        let of_session = places.sessions.get(&session).copied().unwrap_or(0);
        let of_network = places.networks.get(&network).copied().unwrap_or(0);
        if of_session >= MOST_OF_SESSION || of_network >= MOST_OF_NETWORK || places.total >= MOST {
            return Ok(None);
        }
        // Before the first look: what happens from here on is told.
        let changes = this.changes.subscribe();
        if !places.watching {
            let newest = this.store.read_here(events::newest)?;
            places.watching = true;
            tokio::spawn(Watcher::new(Arc::clone(this), newest).run());
        }
        places.total += 1;
        *places.sessions.entry(session).or_default() += 1;
        *places.networks.entry(network).or_default() += 1;
        drop(places);
        Ok(Some(Place {
            live: Arc::clone(this),
            session,
            network,
            changes,
            closing: this.closing.subscribe(),
        }))
    }

    /// Ends all streams: the gateway stops.
    pub(in crate::web) fn close(&self) {
        self.closing.send_replace(true);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.live.places();
        places.total = places.total.saturating_sub(1);
        if let Some(count) = places.sessions.get_mut(&self.session) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = places.networks.get_mut(&self.network) {
            *count = count.saturating_sub(1);
        }
        places.sessions.retain(|_, count| *count > 0);
        places.networks.retain(|_, count| *count > 0);
    }
}

/// Reads the event log for all.
struct Watcher {
    live: Arc<Live>,
    after: i64,
    /// What of the events after `after` was told.
    told: HashSet<i64>,
}

impl Watcher {
    fn new(live: Arc<Live>, newest: i64) -> Self {
        Self {
            live,
            after: newest,
            told: HashSet::new(),
        }
    }

    async fn run(mut self) {
        let mut closing = self.live.closing.subscribe();
        loop {
            tokio::select! {
                _ = closing.wait_for(|closed| *closed) => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            {
                let mut places = self.live.places();
                if places.total == 0 {
                    places.watching = false;
                    return;
                }
            }
            while match self.look().await {
                Ok(more) => more,
                Err(error) => {
                    tracing::warn!(%error, "the event log could not be read for those who follow it");
                    false
                }
            } {}
        }
    }

    /// Tells what is new; whether there is more.
    async fn look(&mut self) -> Result<bool, StorageError> {
        let after = self.after;
        let read = self.live.store.read(move |tx| {
            let rows = events::after(tx, None, after, AT_A_TIME)?;
            let change = |row: events::EventRow| Change {
                event: row.id,
                account: row.account,
                batch: row.batch.unwrap_or_default(),
                job: row.job,
            };
            Ok(rows.into_iter().map(change).collect::<Vec<_>>())
        });
        let read = read.await?;
        let Some(newest) = read.last().map(|change| change.event) else {
            return Ok(false);
        };
        let more = read.len() >= AT_A_TIME;
        let seen = read.iter().map(|change| change.event).collect();
        for change in read {
            if !self.told.contains(&change.event) {
                // Nobody who listens is no error.
                let _ = self.live.changes.send(Arc::new(change));
            }
        }
        self.told = seen;
        self.after = match more {
            true => newest,
            false => self.after.max(newest - AGAIN),
        };
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Log;
    use crate::record::Subject;
    use crate::storage::Ids;
    use crate::storage::Numbers;
    use crate::time::Timestamp;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn scratch() -> (tempfile::TempDir, Arc<Live>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, Arc::new(Live::new(store)))
    }

    async fn happen(live: &Live, ids: Ids, job: i64, at: i64) {
        let now = Timestamp::from_ms(1_795_339_800_000 + at);
        let written = live
            .store
            .write(move |tx| Log::new(tx, &ids, now).cancelled(Subject::job("tanaka", 1, job)));
        written.await.unwrap();
    }

    #[tokio::test]
    async fn what_happens_after_somebody_entered_is_told_once() {
        let (_dir, live) = scratch();
        happen(&live, Ids::new(Numbers::Gateway), 1, 0).await;
        let cookie = Cookie::random().unwrap();
        let mut place = Live::enter(&live, &cookie, HOME).unwrap().unwrap();
        happen(&live, Ids::new(Numbers::Gateway), 2, 900).await;
        assert_eq!(place.changes.recv().await.unwrap().job, Some(2));
        // A command's event that is written later under an older identifier.
        happen(&live, Ids::new(Numbers::Command), 3, 500).await;
        assert_eq!(place.changes.recv().await.unwrap().job, Some(3));
        happen(&live, Ids::new(Numbers::Gateway), 4, 1_500).await;
        assert_eq!(place.changes.recv().await.unwrap().job, Some(4));
        assert!(place.changes.is_empty());
    }

    #[tokio::test]
    async fn one_browser_and_one_network_cannot_hold_all_places() {
        let (_dir, live) = scratch();
        let mut held = Vec::new();
        let mut enter = |cookie: &Cookie, network| {
            let place = Live::enter(&live, cookie, network).unwrap();
            let entered = place.is_some();
            held.extend(place);
            entered
        };
        let one = Cookie::random().unwrap();
        let entered = (0..20).filter(|_| enter(&one, HOME)).count();
        assert_eq!(entered, MOST_OF_SESSION);
        let others = (0..100).filter(|_| enter(&Cookie::random().unwrap(), HOME));
        assert_eq!(others.count(), MOST_OF_NETWORK - MOST_OF_SESSION);
        let elsewhere = IpAddr::from([192, 0, 2, 2]);
        assert!(enter(&Cookie::random().unwrap(), elsewhere));
        held.clear();
        let places = live.places();
        assert_eq!(places.total, 0);
        assert!(places.sessions.is_empty() && places.networks.is_empty());
    }

    #[tokio::test]
    async fn a_stop_is_seen_by_all_who_follow() {
        let (_dir, live) = scratch();
        let cookie = Cookie::random().unwrap();
        let mut place = Live::enter(&live, &cookie, HOME).unwrap().unwrap();
        live.close();
        assert!(place.closing.wait_for(|closed| *closed).await.is_ok());
    }
}
