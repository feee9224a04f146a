//! Where datagrams of the far end come from, and where ours go.

use std::net::IpAddr;
use std::net::SocketAddr;

/// The far end's address. Behind a translator of addresses (NAT) it may be another than its session description says: the first
/// stranger is believed as long as nothing came from there, and a second one never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    said: SocketAddr,
    heard: Option<SocketAddr>,
}

impl Peer {
    /// A far end whose session description says this.
    pub(super) fn new(said: SocketAddr) -> Self {
        Self {
            said: canonical(said),
            heard: None,
        }
    }

    /// Another session description. What was heard stays if it says the same.
    pub(super) fn adapt(&mut self, said: SocketAddr) {
        if self.said != canonical(said) {
            *self = Self::new(said);
        }
    }

    /// Whether a datagram from there may be the far end's.
    pub(super) fn may_be(&self, from: SocketAddr) -> bool {
        let from = canonical(from);
        from == self.said || self.heard.is_none_or(|heard| heard == from)
    }

    /// A sound datagram came from there.
    pub(super) fn hear(&mut self, from: SocketAddr) {
        if self.may_be(from) {
            self.heard = Some(canonical(from));
        }
    }

    /// Where to send; `None` on hold (RFC 3264 section 8.4, the address 0.0.0.0) as long as nothing came.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let usable = |address: &SocketAddr| !address.ip().is_unspecified() && address.port() != 0;
        self.heard.or(Some(self.said)).filter(usable)
    }
}

/// An IPv4 address in the clothes of IPv6 is the IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = address.ip().to_canonical();
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_stranger_is_believed_and_no_second_one() {
        let mut peer = Peer::new(address("10.0.0.1:4000"));
        assert_eq!(peer.address(), Some(address("10.0.0.1:4000")));
        peer.hear(address("192.0.2.1:5000"));
        assert_eq!(peer.address(), Some(address("192.0.2.1:5000")));
        peer.hear(address("192.0.2.2:5000"));
        assert!(!peer.may_be(address("192.0.2.2:5000")));
        assert_eq!(peer.address(), Some(address("192.0.2.1:5000")));
    }

    #[test]
    fn who_was_negotiated_is_always_believed_and_shuts_strangers_out() {
        let mut peer = Peer::new(address("10.0.0.1:4000"));
        peer.hear(address("192.0.2.1:5000"));
        peer.hear(address("[::ffff:10.0.0.1]:4000"));
        assert_eq!(peer.address(), Some(address("10.0.0.1:4000")));
        assert!(!peer.may_be(address("192.0.2.1:5000")));
        peer.adapt(address("10.0.0.1:4000"));
        assert!(!peer.may_be(address("192.0.2.1:5000")));
        peer.adapt(address("10.0.0.1:4002"));
        assert!(peer.may_be(address("192.0.2.1:5000")));
    }

    #[test]
    fn nothing_is_sent_on_hold() {
        assert_eq!(Peer::new(address("0.0.0.0:4000")).address(), None);
        assert_eq!(Peer::new(address("10.0.0.1:0")).address(), None);
    }
}
