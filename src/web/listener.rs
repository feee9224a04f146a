//! Connections: where they come from, how many, how long, and a stop in good order.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::web::Site;
use crate::web::guard::network;
use crate::web::router;

/// Connections at a time; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 1000;
/// Connections at a time from one address; beyond, they are closed at once.
const MOST_FROM_ONE: usize = 100;
/// A request's header must have come in this time; a connection may be quiet as long.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// Most bytes of a request's header.
const BUFFER: usize = 32 * 1024;
/// A connection is closed after this time, whatever it does: longer than the slowest upload, which may not
/// be the first thing on its connection.
const LONGEST: Duration = Duration::from_secs(1800);
/// How long requests that go on may take when the gateway stops.
const GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
const BACKLOG: u32 = 512;

/// The client that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Listens on `addresses`, also at once after a crash (`SO_REUSEADDR`). Needs a tokio runtime.
///
/// # Errors
/// The first address that cannot be had, with its reason.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let listen = |address: &SocketAddr| {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(*address)?;
        socket.listen(BACKLOG)
    };
    let named = |address: &SocketAddr| {
        listen(address).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    };
    addresses.iter().map(named).collect()
}

/// Answers on `listener` until `stopping` turns true; requests that go on are finished.
pub async fn serve(listener: TcpListener, site: Arc<Site>, mut stopping: watch::Receiver<bool>) {
    let proxies = site.web.trusted_proxies.clone();
    let live = Arc::clone(&site.faxes.live);
    let router = router(site);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let crowd = Arc::new(Crowd::default());
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let is_proxy = proxies.iter().any(|proxy| proxy.contains(peer));
        let Some(one) = Crowd::enter(&crowd, network(peer), is_proxy) else {
            continue;
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(Peer(peer))));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // How a client breaks off is nobody's concern.
            let _ = tokio::time::timeout(LONGEST, connection).await;
            drop((place, one));
        });
    }
    drop(listener);
    // Streams have no end of their own.
    live.close();
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("not every request could be finished");
    }
}

/// The next connection; `None` if there was none, after a pause that keeps a full process from spinning.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Only latency is at stake.
            let _ = stream.set_nodelay(true);
            Some((stream, peer.ip().to_canonical(), place))
        }
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// How many connections each network has.
#[derive(Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// One connection of a network; dropping it counts it off.
struct One {
    crowd: Arc<Crowd>,
    network: IpAddr,
}

impl Crowd {
    /// One more connection of `network`; `None` if it has as many as it may, which a proxy never has.
    fn enter(this: &Arc<Self>, network: IpAddr, is_proxy: bool) -> Option<One> {
        let mut counts = this.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= MOST_FROM_ONE && !is_proxy {
            return None;
        }
        *count += 1;
        Some(One {
            crowd: Arc::clone(this),
            network,
        })
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_the_connections_and_a_proxy_has_more() {
        let crowd = Arc::new(Crowd::default());
        let one = IpAddr::from([192, 0, 2, 1]);
        let enter = |network, is_proxy| Crowd::enter(&crowd, network, is_proxy);
        let mut held: Vec<One> = (0..MOST_FROM_ONE)
            .filter_map(|_| enter(one, false))
            .collect();
        assert_eq!(held.len(), MOST_FROM_ONE);
        assert!(enter(one, false).is_none());
        assert!(enter(one, true).is_some() && enter(IpAddr::from([192, 0, 2, 2]), false).is_some());
        held.pop();
        assert!(enter(one, false).is_some());
        held.clear();
        assert!(crowd.0.lock().unwrap().is_empty(), "nothing is kept");
    }
}
