//! The mail door over real sockets: limits, slow peers, a stop in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use faxgate::config::Smtp;
use faxgate::ingress;
use faxgate::ingress::Service;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::recording_door::Recorder;
use crate::recording_door::TokioClock;
use crate::recording_door::limits;

/// A running mail door on a port of its own.
struct Running {
    address: SocketAddr,
    door: Arc<Recorder>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

fn start(limits: Smtp) -> Running {
    start_at("127.0.0.1:0".parse().unwrap(), limits)
}

fn start_at(address: SocketAddr, limits: Smtp) -> Running {
    let listeners = ingress::bind(&[address]).unwrap();
    let address = listeners[0].local_addr().unwrap();
    let (stop, shutdown) = watch::channel(false);
    let door = Arc::new(Recorder::default());
    let service = Service {
        name: "gw.example".into(),
        limits,
        tls: None,
        door: Arc::clone(&door),
        clock: Arc::new(TokioClock::default()),
        shutdown,
    };
    Running {
        address,
        door,
        stop,
        serving: tokio::spawn(ingress::serve(listeners, Arc::new(service))),
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(running: &Running) -> Self {
        Self(BufReader::new(
            TcpStream::connect(running.address).await.unwrap(),
        ))
    }

    /// Connected and past MAIL and RCPT.
    async fn with_envelope(running: &Running) -> Self {
        let mut client = Self::connect(running).await;
        client.expect("220 gw.example").await;
        client.send("HELO a\r\n").await;
        client.expect("250 ").await;
        client
            .send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<0312345678@fax.example>\r\n")
            .await;
        client.expect("250 2.1.0").await;
        client.expect("250 2.1.5").await;
        client
    }

    async fn in_data(running: &Running) -> Self {
        let mut client = Self::with_envelope(running).await;
        client.send("DATA\r\n").await;
        client.expect("354").await;
        client
    }

    async fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    /// The next line; empty once the server has closed.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line
    }

    async fn expect(&mut self, start: &str) {
        let line = self.line().await;
        assert!(line.starts_with(start), "{line:?} instead of {start:?}");
    }
}

#[tokio::test]
async fn slow_and_undecided_peers_delay_nobody() {
    let running = start(limits());
    let mut slow = Client::in_data(&running).await;
    slow.send("half a line").await;
    let mut held = Client::in_data(&running).await;
    held.send("X-Verdict: held\r\n\r\n.\r\n").await;
    let mut good = Client::in_data(&running).await;
    good.send("good\r\n.\r\n").await;
    good.expect("250 2.0.0 Ok: queued as batch-1").await;
    running.door.gate.add_permits(1);
    held.expect("250 2.0.0 Ok: queued as batch-2").await;
    slow.send(" and the rest\r\n.\r\n").await;
    slow.expect("250 2.0.0 Ok: queued as batch-3").await;
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let running = start(Smtp {
        max_connections_per_address: 1,
        ..limits()
    });
    let mut first = Client::connect(&running).await;
    first.expect("220").await;
    let mut second = Client::connect(&running).await;
    second
        .expect("421 4.7.0 Too many connections from your address")
        .await;
    second.expect("").await;
    first.send("QUIT\r\n").await;
    first.expect("221").await;
    first.expect("").await;
    // The place is given back just after the connection closes.
    let mut reply = String::new();
    while !reply.starts_with("220") {
        reply = Client::connect(&running).await.line().await;
    }
}

#[tokio::test]
async fn all_together_have_so_many_connections_and_no_more() {
    let running = start(Smtp {
        max_connections: 1,
        ..limits()
    });
    let mut first = Client::connect(&running).await;
    first.expect("220").await;
    let mut second = Client::connect(&running).await;
    second.expect("421 4.3.2 Too many connections").await;
}

#[tokio::test]
async fn a_stop_ends_idle_sessions_and_finishes_messages() {
    let running = start(limits());
    let mut idle = Client::connect(&running).await;
    idle.expect("220").await;
    let mut between = Client::with_envelope(&running).await;
    let mut sending = Client::in_data(&running).await;
    sending.send("half").await;
    running.stop.send(true).unwrap();
    for waiting in [&mut idle, &mut between] {
        waiting.expect("421 4.3.2 Service stops").await;
    }
    sending.send(" and whole\r\n.\r\n").await;
    sending.expect("250 2.0.0").await;
    sending.expect("421 4.3.2").await;
    running.serving.await.unwrap();
    assert_eq!(
        running.door.expected(|m| m.raw.clone()).unwrap(),
        b"half and whole\r\n"
    );
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_port_is_bound_again_at_once() {
    let running = start(limits());
    let mut client = Client::connect(&running).await;
    client.expect("220").await;
    running.stop.send(true).unwrap();
    running.serving.await.unwrap();
    // The server closed first, so its side of the connection lingers in TIME_WAIT.
    client.expect("421").await;
    let again = start_at(running.address, limits());
    Client::connect(&again).await.expect("220").await;
}

/// A service without listeners.
fn service() -> Service<Recorder> {
    Service {
        name: "gw.example".into(),
        limits: limits(),
        tls: None,
        door: Recorder::default(),
        clock: Arc::new(TokioClock::default()),
        shutdown: watch::channel(false).1,
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_given_up() {
    let (mut client, server) = tokio::io::duplex(64);
    let begun = Instant::now();
    let session = tokio::spawn(async move {
        ingress::attend(&service(), server, "192.0.2.1".parse().unwrap()).await;
        begun.elapsed()
    });
    while client.write_all(b"HELP\r\n").await.is_ok() {}
    let waited = session.await.unwrap();
    assert!(waited >= Duration::from_secs(300) && waited < Duration::from_secs(302));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_cut_off_can_finish_and_read_why() {
    let (mut client, server) = tokio::io::duplex(1024);
    let session = tokio::spawn(async move {
        ingress::attend(&service(), server, "192.0.2.1".parse().unwrap()).await;
    });
    client.write_all(&[b'x'; 100_000]).await.unwrap();
    let mut replies = String::new();
    client.shutdown().await.unwrap();
    client.read_to_string(&mut replies).await.unwrap();
    assert!(
        replies.ends_with("500 5.5.2 Line too long\r\n"),
        "{replies}"
    );
    session.await.unwrap();
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let service = service();
    let (_client, server) = tokio::io::duplex(1);
    let session = ingress::attend(&service, server, "192.0.2.1".parse().unwrap());
    let size = size_of_val(&session);
    assert!(size <= 1_024, "{size} bytes besides the read buffer");
}
