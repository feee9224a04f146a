//! Binds, accepts, limits, and stops in good order.

use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::ingress::Door;
use crate::ingress::Service;
use crate::ingress::connection;
use crate::ingress::limits::Full;
use crate::ingress::limits::Place;
use crate::ingress::limits::Places;
use crate::ingress::metric;
use crate::ingress::reply;

/// Listens on `addresses`, also at once after a crash (`SO_REUSEADDR`). Needs a tokio runtime.
///
/// # Errors
/// The first address that cannot be had, with its reason.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let named = |address: &SocketAddr| {
        listen(*address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    };
    addresses.iter().map(named).collect()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where a service listens.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Sessions begin in clear; STARTTLS is offered if there is a certificate.
    pub clear: Vec<TcpListener>,
    /// TLS begins with the connection.
    pub tls: Vec<TcpListener>,
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(clear: Vec<TcpListener>) -> Self {
        let tls = Vec::new();
        Self { clear, tls }
    }
}

/// Serves SMTP on `listeners` until the service's shutdown signal is true.
///
/// Then nobody new is accepted, sessions between messages get 421, and messages that are arriving are
/// finished, all within [`GRACE`]; what is left after it is dropped without a reply, so that its client
/// tries again.
pub async fn serve<D: Door>(listeners: impl Into<Listeners>, service: Arc<Service<D>>) {
    let listeners = listeners.into();
    let limits = &service.limits;
    let places = Places::new(limits.max_connections, limits.max_connections_per_address);
    let mut loops = JoinSet::new();
    let clear = listeners
        .clear
        .into_iter()
        .map(|listener| (listener, false));
    let tls = listeners.tls.into_iter().map(|listener| (listener, true));
    for (listener, tls) in clear.chain(tls) {
        let hall = Hall {
            service: Arc::clone(&service),
            places: Arc::clone(&places),
            tls,
        };
        loops.spawn(accept(listener, hall));
    }
    while let Some(ended) = loops.join_next().await {
        note(ended);
    }
}

/// What the connections of one listener enter.
struct Hall<D> {
    service: Arc<Service<D>>,
    places: Arc<Places>,
    /// Whether TLS begins with the connection.
    tls: bool,
}

async fn accept<D: Door>(listener: TcpListener, hall: Hall<D>) {
    let mut sessions = JoinSet::new();
    let mut shutdown = hall.service.shutdown.clone();
    let mut failures = 0;
    loop {
        tokio::select! {
            biased;
            () = connection::stopped(&mut shutdown) => break,
            Some(ended) = sessions.join_next() => note(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    failures = 0;
                    admit(stream, peer, &hall, &mut sessions);
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "connection not accepted");
                    sleep(pause_after(failures)).await;
                }
            },
        }
    }
    drop(listener);
    let finished = async {
        while let Some(ended) = sessions.join_next().await {
            note(ended);
        }
    };
    if timeout(GRACE, finished).await.is_err() {
        tracing::warn!(sessions = sessions.len(), "sessions dropped at shutdown");
    }
}

fn admit<D: Door>(stream: TcpStream, peer: SocketAddr, hall: &Hall<D>, sessions: &mut JoinSet<()>) {
    match hall
        .places
        .take(peer.ip(), hall.service.door.is_relay(peer.ip()))
    {
        Ok(place) => {
            let service = Arc::clone(&hall.service);
            sessions.spawn(attend(stream, peer, service, place, hall.tls));
        }
        // A client that expects TLS cannot read a reason in clear.
        Err(_) if hall.tls => metrics::counter!(metric::TURNED_AWAY).increment(1),
        Err(full) => turn_away(stream, peer, full),
    }
}

async fn attend<D: Door>(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service<D>>,
    _place: Place,
    tls: bool,
) {
    // Replies are small and awaited: without this each costs the client a delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let _open = Open::count();
    let address = peer.ip().to_canonical();
    match tls {
        true => connection::attend_tls(&service, stream, address).await,
        false => connection::attend(&service, stream, address).await,
    }
}

/// Counts one connection for as long as it lives, however it ends.
struct Open;

impl Open {
    fn count() -> Self {
        metrics::gauge!(metric::CONNECTIONS).increment(1.0);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!(metric::CONNECTIONS).decrement(1.0);
    }
}

/// Says 421 without waiting: the send buffer of a new connection has room for one line.
fn turn_away(stream: TcpStream, peer: SocketAddr, full: Full) {
    metrics::counter!(metric::TURNED_AWAY).increment(1);
    tracing::info!(peer = %peer.ip(), limit = ?full, "connection refused");
    let reply = match full {
        Full::Everywhere => reply::FULL,
        Full::ForAddress => reply::FULL_FOR_ADDRESS,
    };
    let mut line = Vec::new();
    reply.write(&mut line);
    // A client that is gone already needs no reason.
    let _ = stream
        .into_std()
        .and_then(|mut stream| stream.write_all(&line));
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "session failed");
    }
}

/// How long to wait after the `failures`-th failure in a row. Without files (EMFILE) an accept fails
/// again at once; a client that gave up meanwhile (ECONNABORTED) costs next to nothing.
fn pause_after(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE)
}

/// How long sessions have to end at shutdown.
pub const GRACE: Duration = Duration::from_secs(20);
/// Connections that the system completes before we accept them.
const BACKLOG: u32 = 4096;
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_are_answered_with_longer_pauses() {
        let pauses: Vec<u128> = [1, 2, 3, 9, u32::MAX]
            .map(|failures| pause_after(failures).as_millis())
            .to_vec();
        assert_eq!(pauses, [5, 10, 20, 1_000, 1_000]);
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let taken = first[0].local_addr().unwrap();
        let error = bind(&[taken]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&taken.to_string()));
    }
}
