//! Where media of a call reaches us: an even UDP port for each call.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use crate::config::PortRange;

/// The ports of media, handed out in turn so that a late packet of one call does not meet the next.
#[derive(Debug)]
pub(super) struct MediaPorts {
    first: u16,
    /// How many even ports there are.
    count: u32,
    turn: AtomicU32,
}

impl MediaPorts {
    /// The even ports of `range`.
    pub(super) fn new(range: PortRange) -> Self {
        let first = range.first.saturating_add(range.first % 2);
        let count = u32::from(range.last.saturating_sub(first)) / 2 + 1;
        Self {
            first,
            count,
            turn: AtomicU32::new(0),
        }
    }

    /// A socket on the next even port that is free at `address`.
    ///
    /// # Errors
    /// What the system says of the last port, if none is free.
    pub(super) fn bind(&self, address: IpAddr) -> io::Result<UdpSocket> {
        let mut trouble = io::Error::other("there is no port for media");
        for _ in 0..self.count {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.count;
            let port = u32::from(self.first) + turn * 2;
            let port = u16::try_from(port).map_err(io::Error::other)?;
            match UdpSocket::bind((address, port)) {
                Ok(socket) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => trouble = error,
                Err(error) => return Err(error),
            }
        }
        Err(trouble)
    }
}

/// Our address on the way to `remote`, as the system routes it; nothing is sent.
///
/// # Errors
/// What the system says, such as that there is no way.
pub(super) fn local_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn media_ports_are_even_and_taken_in_turn() {
        // Whatever else listens on this machine: three of these are free in turn.
        let ports = MediaPorts::new(PortRange {
            first: 41_001,
            last: 41_099,
        });
        let sockets: Vec<_> = (0..3).map(|_| ports.bind(HERE).unwrap()).collect();
        let bound: Vec<_> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        assert!(bound.iter().all(|port| port % 2 == 0), "{bound:?}");
        assert!(bound.is_sorted_by(|a, b| a < b), "{bound:?}");
    }

    #[test]
    fn when_all_ports_are_taken_there_is_no_line() {
        let taken = UdpSocket::bind((HERE, 0)).unwrap();
        let port = taken.local_addr().unwrap().port() & !1;
        // The even port of this pair is taken now, by us or by somebody else.
        let _even = UdpSocket::bind((HERE, port));
        let ports = MediaPorts::new(PortRange {
            first: port,
            last: port + 1,
        });
        assert!(ports.bind(HERE).is_err());
    }

    #[test]
    fn the_way_to_this_machine_is_this_machine() {
        let here = local_towards((HERE, 5060).into()).unwrap();
        assert_eq!(here, HERE);
    }
}
