//! So many at a time of one client and one domain: a slow zone makes nobody else wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Messages of one client and one domain that are verified at a time.
const AT_A_TIME: usize = 16;

/// Who waits: the client and the domain of its reverse-path.
type Key = (IpAddr, String);

/// The turns of all clients.
#[derive(Default)]
pub(super) struct Turns {
    taken: Arc<Mutex<HashMap<Key, Arc<Semaphore>>>>,
}

/// A turn; dropping it lets the next one go on.
pub(super) struct Turn {
    taken: Arc<Mutex<HashMap<Key, Arc<Semaphore>>>>,
    key: Key,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// A turn within `wait`.
    pub(super) async fn take(&self, peer: IpAddr, domain: &str, wait: Duration) -> Option<Turn> {
        let key = (peer, domain.to_owned());
        let places = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let places = taken
                .entry(key.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(AT_A_TIME)));
            Arc::clone(places)
        };
        // Made first: whoever gives up while waiting cleans up like everybody else.
        let mut turn = Turn {
            taken: Arc::clone(&self.taken),
            key,
            permit: None,
        };
        turn.permit = Some(timeout(wait, places.acquire_owned()).await.ok()?.ok()?);
        Some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own is the last one: nobody else has a turn or waits for one.
        let last = |places: &Arc<Semaphore>| Arc::strong_count(places) == 1;
        if taken.get(&self.key).is_some_and(last) {
            taken.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_domain_makes_only_itself_wait() {
        let turns = Turns::default();
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        let wait = Duration::from_secs(3);
        let mut held = Vec::new();
        for _ in 0..AT_A_TIME {
            held.push(turns.take(peer, "slow.example", wait).await.unwrap());
        }
        assert!(turns.take(peer, "slow.example", wait).await.is_none());
        assert!(turns.take(peer, "other.example", wait).await.is_some());
        let other = "192.0.2.2".parse().unwrap();
        assert!(turns.take(other, "slow.example", wait).await.is_some());
        held.pop();
        assert!(turns.take(peer, "slow.example", wait).await.is_some());
        drop(held);
        assert!(turns.taken.lock().unwrap().is_empty());
    }
}
