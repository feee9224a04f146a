//! The SIP endpoint: the sockets, the stack, and who gets a request that comes in.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::dialog::DialogId;
use rsipstack::dialog::dialog::Dialog;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::Auth;
use rsipstack::sip::Header;
use rsipstack::sip::HostWithPort;
use rsipstack::sip::Method;
use rsipstack::sip::Param;
use rsipstack::sip::Scheme;
use rsipstack::sip::StatusCode;
use rsipstack::sip::Transport;
use rsipstack::sip::Uri;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::transaction::CallIdFormat;
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::Endpoint;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::TransportLayer;
use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::tls::TlsConfig;
use rsipstack::transport::udp::UdpConnection;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio_rustls::rustls;

use super::challenge::Interpreter;
use super::guard::Guard;
use super::guard::GuardedSocket;
use super::guard::Inspector;
use super::guard::wire;
use super::incoming;
use super::media::local_towards;
use super::switchboard::Switchboard;
use super::trunk::Trunk;
use crate::config::Sip;
use crate::config::Wire;

/// What we do (RFC 3261 section 20.5).
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";
/// Requests that are answered at a time; what comes on top is lost, and sent again by its sender.
const REQUESTS_AT_ONCE: usize = 1024;
/// A call rings longer than this nowhere.
const RING_LIMIT: Duration = Duration::from_secs(600);

/// A trunk that has not taken our connection by then is away.
const CONNECTING: Duration = Duration::from_secs(8);

/// The sockets and the stack.
pub(super) struct Station {
    /// The dialogs of all calls.
    pub(super) dialogs: Arc<DialogLayer>,
    /// Where SIP reaches us, as we say it in our messages.
    pub(super) advertised: SocketAddr,
    pub(super) guard: Arc<Guard>,
    endpoint: Endpoint,
    token: CancellationToken,
}

impl Station {
    /// Opens the sockets. Nothing is read from them before [`Self::serve`].
    ///
    /// # Errors
    /// What the system says, such as that the port is taken.
    pub(super) async fn open(
        config: &Sip,
        guard: Guard,
        first: Option<&Arc<Trunk>>,
        authorities: Vec<u8>,
    ) -> io::Result<Self> {
        let guard = Arc::new(guard);
        let token = CancellationToken::new();
        let socket = UdpSocket::bind(config.listen).await?;
        let bound = socket.local_addr()?;
        // The stack would only log that it could not listen.
        drop(TcpListener::bind(bound)?);
        let advertised = SocketAddr::new(own_address(config, bound.ip(), first), bound.port());
        let guarded = GuardedSocket {
            socket,
            guard: Arc::clone(&guard),
        };
        let udp = UdpConnection::from_socket(
            Arc::new(guarded),
            Some(advertised),
            Some(token.child_token()),
        );
        let tcp = TcpListenerConnection::new(bound, Some(advertised));
        let layer = TransportLayer::new(token.clone());
        layer.add_transport(udp.await.map_err(io::Error::other)?.into());
        layer.add_transport(tcp.await.map_err(io::Error::other)?.into());
        layer.set_tls_config(TlsConfig {
            ca_certs: Some(authorities),
            ..TlsConfig::default()
        });
        let friends = Arc::clone(&guard);
        // A connection is for trunks only: strangers are told off over UDP, where they cost nothing.
        layer.set_whitelist(move |source| {
            let known = friends.trunk_at(source, Wire::Tcp).is_some();
            async move { known }
        });
        let endpoint = EndpointBuilder::new()
            .with_user_agent("faxgate")
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            .with_inspector(Box::new(Interpreter))
            .with_transport_inspector(Box::new(Inspector(Arc::clone(&guard))))
            .with_option(EndpointOption {
                callid_format: CallIdFormat::Uuid,
                timerc: RING_LIMIT,
                ..EndpointOption::default()
            })
            .build();
        Ok(Self {
            dialogs: Arc::new(DialogLayer::new(Arc::clone(&endpoint.inner))),
            advertised,
            guard,
            endpoint,
            token,
        })
    }

    /// Requests that come in.
    ///
    /// # Errors
    /// They were taken already.
    pub(super) fn requests(&self) -> io::Result<TransactionReceiver> {
        let requests = self.endpoint.incoming_transactions();
        requests.map_err(io::Error::other)
    }

    /// Reads from the sockets until [`Self::close`].
    pub(super) async fn serve(&self) {
        if let Err(error) = self.endpoint.inner.serve().await {
            tracing::error!(%error, "the SIP endpoint ended");
        }
    }

    /// The stack.
    pub(super) fn endpoint(&self) -> &EndpointInnerRef {
        &self.endpoint.inner
    }

    /// Connects to a trunk over TCP or TLS unless we are; over UDP there is nothing to do.
    ///
    /// The stack would send nothing and not say why.
    ///
    /// # Errors
    /// Why it cannot be reached, for the operator.
    pub(super) async fn reach(&self, trunk: &Trunk) -> Result<(), String> {
        let target = trunk.target();
        let Some(target) = target.filter(|_| trunk.transport() != Transport::Udp) else {
            return Ok(());
        };
        let lookup = self.endpoint.inner.transport_layer.lookup(&target, None);
        match tokio::time::timeout(CONNECTING, lookup).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(_) => Err("it does not take a connection".to_owned()),
        }
    }

    /// Closes the sockets.
    pub(super) fn close(&self) {
        self.token.cancel();
    }

    /// Where a trunk reaches us about a call or as `user`.
    pub(super) fn contact(&self, trunk: &Trunk, user: Option<&str>) -> Uri {
        let transport = trunk.transport();
        let params = match transport == Transport::Udp {
            true => Vec::new(),
            false => vec![Param::Transport(transport)],
        };
        Uri {
            scheme: Some(Scheme::Sip),
            auth: user.map(|user| Auth {
                user: user.to_owned(),
                password: None,
            }),
            host_with_port: HostWithPort::from(self.advertised),
            params,
            ..Uri::default()
        }
    }

    /// The dialog that a request belongs to. One that has just been answered is registered a moment after its ACK
    /// left, and the far end may be faster.
    async fn dialog(&self, request: &Transaction) -> Option<Dialog> {
        const MOMENTS: u32 = 25;
        let id = DialogId::try_from(request).ok()?;
        for _ in 0..MOMENTS {
            let found = self.dialogs.get_dialog(&id);
            let ours = self.dialogs.get_client_dialog_by_call_id(&id.call_id);
            if found.is_some() || ours.is_empty() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.close();
    }
}

/// Why a trunk took no connection.
fn unreachable(error: &rsipstack::Error) -> String {
    let rsipstack::Error::IoError(error) = error else {
        return format!("it cannot be reached: {error}");
    };
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!("its certificate is not accepted: {why}")
        }
        Some(_) | None => format!("it takes no connection: {error}"),
    }
}

/// Hands every request to whom it is for.
pub(super) async fn attend(switchboard: Arc<Switchboard>, mut requests: TransactionReceiver) {
    let room = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    while let Some(request) = requests.recv().await {
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let switchboard = Arc::clone(&switchboard);
        tokio::spawn(async move {
            if let Err(error) = answer(switchboard, request).await {
                tracing::debug!(%error, "a request could not be answered");
            }
            drop(place);
        });
    }
}

async fn answer(switchboard: Arc<Switchboard>, mut request: Transaction) -> rsipstack::Result<()> {
    let station = &switchboard.station;
    let in_dialog = request.original.to_header()?.tag()?.is_some();
    if in_dialog {
        return match station.dialog(&request).await {
            Some(mut dialog) => dialog.handle(&mut request).await,
            None => refuse(request, StatusCode::CallTransactionDoesNotExist).await,
        };
    }
    let connection = request.connection.as_ref();
    let carrier = connection.map_or(Wire::Udp, |connection| wire(&connection.transport()));
    let source = connection.and_then(|connection| connection.get_remote_addr());
    let source = source.and_then(|source| source.get_socketaddr().ok());
    let trunk = source.and_then(|source| station.guard.trunk_at(source.ip(), carrier).cloned());
    let Some(trunk) = trunk else {
        let source = source.map(|source| source.ip().to_string());
        tracing::info!(source, method = %request.original.method, "a stranger was refused");
        return refuse(request, StatusCode::Forbidden).await;
    };
    match request.original.method {
        Method::Invite => {
            incoming::handle(Arc::clone(&switchboard), trunk, request).await;
            Ok(())
        }
        Method::Options => {
            let headers = vec![
                Header::Allow(ALLOW.into()),
                Header::Accept("application/sdp".into()),
            ];
            request.reply_with(StatusCode::OK, headers, None).await
        }
        // Nothing of these was asked for; a NOTIFY of a voice box is usual, and is not repeated after this.
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Info
        | Method::Message
        | Method::Notify
        | Method::PRack
        | Method::Publish
        | Method::Refer
        | Method::Register
        | Method::Subscribe
        | Method::Update => {
            let headers = vec![Header::Allow(ALLOW.into())];
            request
                .reply_with(StatusCode::MethodNotAllowed, headers, None)
                .await
        }
    }
}

/// Refuses a request and waits until the sender knows.
pub(super) async fn refuse(mut request: Transaction, code: StatusCode) -> rsipstack::Result<()> {
    request.reply(code).await?;
    // An INVITE is answered again until it is acknowledged.
    while request.receive().await.is_some() {}
    Ok(())
}

/// The address in our messages.
fn own_address(config: &Sip, bound: IpAddr, first: Option<&Arc<Trunk>>) -> IpAddr {
    if let Some(address) = config.media_address {
        return address;
    }
    if !bound.is_unspecified() {
        return bound;
    }
    let towards = first.and_then(|trunk| trunk.address());
    towards
        .and_then(|address| local_towards(address).ok())
        .unwrap_or(bound)
}
