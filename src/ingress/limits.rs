//! How many may talk to us at a time, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::smtp::network;

/// The places for connections.
pub(super) struct Places {
    most: usize,
    most_per_address: usize,
    taken: Mutex<Taken>,
}

/// One connection's place; dropping it gives the place back.
pub(super) struct Place {
    places: Arc<Places>,
    network: IpAddr,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All places are taken.
    Everywhere,
    /// This address has as many as it may.
    ForAddress,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl Places {
    /// `most` places, of which one address takes at most `most_per_address`.
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a client at `peer`; a `relay` may take as many as there are.
    ///
    /// # Errors
    /// [`Full`] says which limit is reached.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr, relay: bool) -> Result<Place, Full> {
        let network = network(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return Err(Full::Everywhere);
        }
        let here = taken.by_network.entry(network).or_default();
        if *here >= self.most_per_address && !relay {
            // An entry of zero would stay for ever: this happens only where the limit itself is zero.
            return Err(Full::ForAddress);
        }
        *here += 1;
        taken.all += 1;
        Ok(Place {
            places: Arc::clone(self),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(here) = taken.by_network.get_mut(&self.network) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_given_back_can_be_taken_again() {
        let places = Places::new(2, 2);
        let first = places.take(ip("192.0.2.1"), false).ok().unwrap();
        let _second = places.take(ip("192.0.2.2"), false).ok().unwrap();
        assert_eq!(
            places.take(ip("192.0.2.3"), false).err(),
            Some(Full::Everywhere)
        );
        drop(first);
        assert!(places.take(ip("192.0.2.3"), false).is_ok());
    }

    #[test]
    fn one_address_does_not_take_the_places_of_others() {
        let places = Places::new(10, 1);
        let held = places.take(ip("192.0.2.1"), false).ok().unwrap();
        assert_eq!(
            places.take(ip("192.0.2.1"), false).err(),
            Some(Full::ForAddress)
        );
        assert_eq!(
            places.take(ip("::ffff:192.0.2.1"), false).err(),
            Some(Full::ForAddress)
        );
        assert!(places.take(ip("192.0.2.2"), false).is_ok());
        drop(held);
        assert!(places.taken.lock().unwrap().by_network.is_empty());
    }

    #[test]
    fn a_relay_takes_as_many_places_as_there_are() {
        let places = Places::new(3, 1);
        let relay = || places.take(ip("192.0.2.1"), true);
        let held = [relay().ok().unwrap(), relay().ok().unwrap()];
        assert_eq!(
            places.take(ip("192.0.2.1"), false).err(),
            Some(Full::ForAddress)
        );
        let _third = relay().ok().unwrap();
        assert_eq!(relay().err(), Some(Full::Everywhere));
        drop(held);
    }

    #[test]
    fn addresses_of_one_ipv6_host_count_together() {
        let places = Places::new(10, 1);
        let _held = places.take(ip("2001:db8::1"), false).ok().unwrap();
        assert_eq!(
            places.take(ip("2001:db8::ffff:2"), false).err(),
            Some(Full::ForAddress)
        );
        assert!(places.take(ip("2001:db8:0:1::1"), false).is_ok());
    }
}
