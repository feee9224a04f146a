//! So many at a time of one client, and of one client and one domain: a slow zone makes nobody else wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::smtp::network;

/// Messages of one client and one domain that are verified at a time.
const OF_DOMAIN: usize = 16;
/// Messages of one client, whatever they claim: domains cost a stranger nothing.
const OF_CLIENT: usize = 64;

/// Who waits: the client, and the domain of its reverse-path or all of them.
type Key = (IpAddr, Option<String>);
type Taken = Arc<Mutex<HashMap<Key, Arc<Semaphore>>>>;

/// The turns of all clients.
#[derive(Default)]
pub(super) struct Turns {
    taken: Taken,
}

/// A turn; dropping it lets the next one go on.
pub(super) struct Turn {
    _of_client: Place,
    _of_domain: Place,
}

/// One place among those of a key.
struct Place {
    taken: Taken,
    key: Key,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// A turn within `wait`.
    pub(super) async fn take(&self, peer: IpAddr, domain: &str, wait: Duration) -> Option<Turn> {
        let client = network(peer);
        let places = async {
            // First of the domain: who waits for a slow one takes nothing from the client's others.
            let of_domain = self.place((client, Some(domain.to_owned())), OF_DOMAIN);
            let of_domain = of_domain.await?;
            Some(Turn {
                _of_client: self.place((client, None), OF_CLIENT).await?,
                _of_domain: of_domain,
            })
        };
        timeout(wait, places).await.ok()?
    }

    async fn place(&self, key: Key, most: usize) -> Option<Place> {
        let places = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let places = taken
                .entry(key.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(most)));
            Arc::clone(places)
        };
        // Made first: whoever gives up while waiting cleans up like everybody else.
        let mut place = Place {
            taken: Arc::clone(&self.taken),
            key,
            permit: None,
        };
        place.permit = Some(places.acquire_owned().await.ok()?);
        Some(place)
    }
}

impl Drop for Place {
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
        for _ in 0..OF_DOMAIN {
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

    #[tokio::test(start_paused = true)]
    async fn many_domains_of_one_client_are_many_of_one_client() {
        let turns = Turns::default();
        let wait = Duration::from_secs(3);
        let peer = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut held = Vec::new();
        for n in 0..OF_CLIENT {
            let (peer, domain) = (peer(&format!("2001:db8::{n:x}")), format!("{n}.example"));
            held.push(turns.take(peer, &domain, wait).await.unwrap());
        }
        let same = peer("2001:db8::ffff");
        assert!(turns.take(same, "new.example", wait).await.is_none());
        let other = peer("2001:db8:0:1::1");
        assert!(turns.take(other, "new.example", wait).await.is_some());
        held.pop();
        assert!(turns.take(same, "new.example", wait).await.is_some());
        drop(held);
        assert!(turns.taken.lock().unwrap().is_empty());
    }
}
