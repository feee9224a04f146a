//! What all calls share.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::watch;

use super::endpoint::Station;
use super::incoming::Arrivals;
use super::media::MediaPorts;
use super::media::local_towards;
use super::trunk::Trunk;
use crate::config::Sip;
use crate::fax::CountryCode;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Inbound;
use crate::transmit::line::CallLimits;
use crate::transmit::line::Pacing;
use crate::transmit::line::Workers;

/// What all calls share.
pub(super) struct Switchboard {
    /// `[transport.sip]`.
    pub(super) config: Sip,
    /// Whose national numbers are understood.
    pub(super) country: CountryCode,
    /// Where `now` comes from.
    pub(super) clock: Arc<dyn Clock>,
    /// Who takes faxes that come in.
    pub(super) inbound: Arc<dyn Inbound>,
    /// Turns true when the gateway stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// Starts the processes that send and receive.
    pub(super) workers: Workers,
    /// How fast pages go.
    pub(super) pacing: Pacing,
    /// When a call that was answered is given up.
    pub(super) limits: CallLimits,
    /// What calls that come in share.
    pub(super) arrivals: Arrivals,
    /// All trunks, in order.
    pub(super) trunks: Vec<Arc<Trunk>>,
    /// The sockets and the stack.
    pub(super) station: Station,
    /// Ports of media, one for each call.
    pub(super) ports: MediaPorts,
    /// Told when a line is freed, and when a trunk goes out of service or comes back.
    pub(super) changed: Arc<Notify>,
}

impl Switchboard {
    /// The present point in time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A socket for the media of a call over `trunk`, and where it is reached from there.
    ///
    /// # Errors
    /// What the system says, such as that there is no way to the trunk or no port is free.
    pub(super) fn media(&self, trunk: &Trunk) -> io::Result<(std::net::UdpSocket, SocketAddr)> {
        let proxy = trunk.address();
        let proxy = proxy.ok_or_else(|| io::Error::other("the trunk has no address"))?;
        let local: IpAddr = local_towards(proxy)?;
        let socket = self.ports.bind(local)?;
        let port = socket.local_addr()?.port();
        let shown = self.config.media_address.unwrap_or(local);
        Ok((socket, SocketAddr::new(shown, port)))
    }

    /// Returns once the gateway stops.
    pub(super) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // Nobody who could say so any more: it stops.
        let _ = stopping.wait_for(|stops| *stops).await;
    }
}
