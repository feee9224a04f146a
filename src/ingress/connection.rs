//! One connection: reads and writes for a session, each within its time.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio::time::timeout_at;
use tracing::Instrument;
use zeroize::Zeroize;

use crate::ingress::Door;
use crate::ingress::LoginVerdict;
use crate::ingress::Service;
use crate::ingress::Verdict;
use crate::ingress::metric;
use crate::ingress::reply;
use crate::ingress::reply::Reply;
use crate::ingress::session::Arrived;
use crate::ingress::session::Claim;
use crate::ingress::session::Close;
use crate::ingress::session::Event;
use crate::ingress::session::Session;
use crate::ingress::wire::Wire;
use crate::smtp::Login;
use crate::smtp::ReceivedMessage;
use crate::time::Timestamp;

/// Talks SMTP on `io` with the client at `peer` until either side ends it.
///
/// While it waits for a command it holds about a kilobyte; the buffers of DATA come and go with it.
pub async fn attend<D, IO>(service: &Service<D>, io: IO, peer: IpAddr)
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let wire = Wire::Clear(io);
    converse(service, wire, peer).await;
}

/// The same where TLS begins with the connection (RFC 8314 section 3).
pub async fn attend_tls<D, IO>(service: &Service<D>, io: IO, peer: IpAddr)
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut wire = Wire::Clear(io);
    // Boxed: the future of a handshake is large, and an idle session must be small.
    let mut shutdown = service.shutdown.clone();
    if Box::pin(secure(service, &mut wire, peer, &mut shutdown)).await {
        converse(service, wire, peer).await;
    }
}

async fn converse<D, IO>(service: &Service<D>, wire: Wire<IO>, peer: IpAddr)
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    metrics::counter!(metric::SESSIONS).increment(1);
    let is_secure = matches!(wire, Wire::Tls(_));
    let mut connection = Connection {
        service,
        io: wire,
        peer,
        began_at: service.clock.now(),
        session: Session::new(service, peer, is_secure),
        buffer: Buffer::of(IDLE_READ),
        deadline: Instant::now() + service.limits.command_timeout,
        data_began: None,
        shutdown: service.shutdown.clone(),
    };
    let end = connection.run().await;
    connection.part(end).await;
    let tally = connection.session.tally();
    tracing::debug!(
        %peer,
        ?end,
        commands = tally.commands,
        messages = tally.messages,
        mistakes = tally.mistakes,
        "session ended"
    );
}

/// Begins TLS within its time; whether it succeeded.
async fn secure<D, IO>(
    service: &Service<D>,
    wire: &mut Wire<IO>,
    peer: IpAddr,
    shutdown: &mut watch::Receiver<bool>,
) -> bool
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Some(tls) = &service.tls else {
        return false;
    };
    let limit = HANDSHAKE.min(service.limits.command_timeout);
    let done = tokio::select! {
        biased;
        () = stopped(shutdown) => return false,
        done = timeout(limit, wire.secure(tls)) => done,
    };
    let result = match &done {
        Ok(Ok(())) => "done",
        Ok(Err(error)) => {
            tracing::info!(%peer, %error, "TLS handshake failed");
            "failed"
        }
        Err(_) => {
            tracing::info!(%peer, "TLS handshake took too long");
            "late"
        }
    };
    metrics::counter!(metric::HANDSHAKES, "result" => result).increment(1);
    result == "done"
}

struct Connection<'s, D, IO> {
    service: &'s Service<D>,
    io: Wire<IO>,
    peer: IpAddr,
    began_at: Timestamp,
    session: Session<'s, D>,
    buffer: Buffer,
    /// When the command, or the whole message, must have arrived.
    deadline: Instant,
    data_began: Option<Instant>,
    shutdown: watch::Receiver<bool>,
}

/// What follows what was read.
enum Step {
    /// The next read.
    Read,
    /// The end.
    Close(Close),
    /// TLS.
    StartTls,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As the dialogue says.
    Closed(Close),
    /// The client is gone, or does not read what we write.
    Gone,
    /// Its time is over.
    Late,
    /// The service stops.
    Stopping,
}

impl<D, IO> Connection<'_, D, IO>
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    async fn run(&mut self) -> End {
        loop {
            // One write for all replies of a pipelined group (RFC 2920 section 3.2).
            if let Err(end) = self.flush().await {
                return end;
            }
            let before = self.session.tally();
            let read = match self.read().await {
                Ok(read) => read,
                Err(end) => return end,
            };
            let buffer = std::mem::take(&mut self.buffer);
            let step = self.digest(buffer.bytes.get(..read).unwrap_or_default());
            let step = step.await;
            self.buffer = buffer;
            let tally = self.session.tally();
            if tally.logins != before.logins {
                self.buffer.wipe();
            }
            match step {
                Step::Read => {}
                Step::Close(close) => return End::Closed(close),
                Step::StartTls if self.start_tls().await => {}
                Step::StartTls => return End::Gone,
            }
            if tally != before {
                self.restart_clocks();
            }
        }
    }

    /// Lets the session take all of `bytes`.
    async fn digest(&mut self, bytes: &[u8]) -> Step {
        let mut rest = bytes;
        loop {
            match self.session.receive(&mut rest) {
                Event::More => return Step::Read,
                Event::Close(close) => return Step::Close(close),
                Event::StartTls => return Step::StartTls,
                Event::Login(claim) => {
                    let verdict = Box::pin(self.log_in(*claim)).await;
                    if let Some(close) = self.session.judged(verdict) {
                        return Step::Close(close);
                    }
                }
                Event::Message(arrived) => {
                    // Boxed: the door's future is large, and an idle session must be small.
                    let reply = Box::pin(self.hand_over(*arrived)).await;
                    self.session.answer(&reply);
                }
            }
        }
    }

    /// Writes the answer to STARTTLS in clear and begins TLS; whether it succeeded.
    async fn start_tls(&mut self) -> bool {
        if self.flush().await.is_err() {
            return false;
        }
        let handshake = secure(self.service, &mut self.io, self.peer, &mut self.shutdown);
        // Boxed: the future of a handshake is large, and an idle session must be small.
        let done = Box::pin(handshake).await;
        if done {
            self.session.secured();
        }
        done
    }

    /// Asks the door about a login.
    async fn log_in(&mut self, claim: Claim) -> LoginVerdict {
        let received_at = self.service.clock.now();
        let incident = format!("{:x}", received_at.as_ms());
        let span = tracing::info_span!("login", incident, peer = %self.peer);
        let login = Login {
            login_id: claim.login_id,
            proof: claim.proof,
            peer: self.peer,
            session_began_at: self.began_at,
            received_at,
        };
        let verdict = self.service.door.login(login).instrument(span).await;
        let result = match &verdict {
            LoginVerdict::Accepted { account, .. } => {
                tracing::info!(peer = %self.peer, account, "login accepted");
                "accepted"
            }
            LoginVerdict::Refused {
                refusal,
                not_before,
            } => {
                tracing::info!(peer = %self.peer, incident, ?refusal, "login refused");
                if let Some(until) = *not_before {
                    self.service.clock.wait_until(until).await;
                }
                "refused"
            }
        };
        metrics::counter!(metric::LOGINS, "result" => result).increment(1);
        verdict
    }

    /// Gives the message to the door and words its verdict.
    async fn hand_over(&mut self, arrived: Arrived) -> Reply {
        let received_at = self.service.clock.now();
        // The same for all lines that are logged while the door judges, and for the client.
        let incident = format!("{:x}", received_at.as_ms());
        let sender = arrived.envelope.reverse_path.as_ref();
        let sender = sender.map_or_else(|| "<>".to_owned(), |address| address.shortened());
        let span = tracing::info_span!("message", incident, peer = %self.peer);
        let message = ReceivedMessage {
            envelope: arrived.envelope,
            raw: arrived.raw,
            peer: self.peer,
            received_at,
            authenticated: arrived.account,
        };
        let door = &self.service.door;
        match door.message(message).instrument(span).await {
            Verdict::Accepted { batch } => reply::queued(&batch),
            Verdict::Refused {
                refusal,
                not_before,
            } => {
                let reply = reply::refusal(&refusal, &incident);
                let (code, status) = (reply.code(), reply.status());
                tracing::info!(peer = %self.peer, sender, incident, code, status, "message refused");
                if let Some(until) = not_before {
                    self.service.clock.wait_until(until).await;
                }
                reply
            }
        }
    }

    async fn read(&mut self) -> Result<usize, End> {
        let in_data = self.session.in_data();
        self.buffer.suit(in_data);
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown), if !in_data => Err(End::Stopping),
            read = timeout_at(self.deadline, self.io.read(&mut self.buffer.bytes)) => match read {
                Err(_) => Err(End::Late),
                Ok(Err(_) | Ok(0)) => Err(End::Gone),
                Ok(Ok(read)) => {
                    self.buffer.filled(read);
                    Ok(read)
                }
            },
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        let replies = self.session.take_replies();
        if replies.is_empty() {
            return Ok(());
        }
        let written = async {
            self.io.write_all(&replies).await?;
            self.io.flush().await
        };
        match timeout(self.service.limits.command_timeout, written).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }

    /// A command in time gives time for the next one; single bytes of one do not.
    fn restart_clocks(&mut self) {
        let now = Instant::now();
        if let Some(began) = self.data_began.take() {
            metrics::histogram!(metric::DATA_SECONDS).record((now - began).as_secs_f64());
        }
        let limits = &self.service.limits;
        if self.session.in_data() {
            self.data_began = Some(now);
            self.deadline = now + limits.data_timeout;
        } else {
            self.deadline = now + limits.command_timeout;
        }
    }

    /// Says the last words and closes.
    async fn part(&mut self, end: End) {
        match end {
            End::Gone => return,
            End::Late if self.session.in_data() => self.session.say(&reply::SLOW),
            End::Late => self.session.say(&reply::IDLE),
            End::Stopping => self.session.say(&reply::STOPPING),
            End::Closed(_) => {}
        }
        if self.flush().await.is_err() {
            return;
        }
        // Under TLS this writes, and the client may not read.
        match timeout(LINGER, self.io.shutdown()).await {
            Ok(Ok(())) => {}
            _ => return,
        }
        if end == End::Closed(Close::Broken) {
            // Closing with bytes unread resets the connection, and the client never sees why.
            let _ = timeout(LINGER, self.drain()).await;
        }
    }

    async fn drain(&mut self) {
        for _ in 0..LINGER_READS {
            match self.io.read(&mut self.buffer.bytes).await {
                Ok(read) if read > 0 => self.buffer.filled(read),
                _ => return,
            }
        }
    }
}

/// Bytes as they come from the client, wiped before the memory is given back.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// How many bytes from the start were ever written.
    used: usize,
}

impl Buffer {
    fn of(size: usize) -> Self {
        Self {
            bytes: vec![0; size],
            used: 0,
        }
    }

    /// Takes the size that the next read wants: small while idle, larger the more a message fills.
    fn suit(&mut self, in_data: bool) {
        let size = match self.bytes.len() {
            _ if !in_data => IDLE_READ,
            size if size < FIRST_READ => FIRST_READ,
            size if self.used == size => FULL_READ,
            size => size,
        };
        if size != self.bytes.len() {
            *self = Self::of(size);
        }
    }

    /// Forgets what was read: a password may have been in it.
    fn wipe(&mut self) {
        if let Some(used) = self.bytes.get_mut(..self.used) {
            used.zeroize();
        }
        self.used = 0;
    }

    fn filled(&mut self, read: usize) {
        self.used = self.used.max(read);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Returns once the service stops.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left to say so.
        std::future::pending::<()>().await;
    }
}

/// Bytes read at a time while a command is awaited.
const IDLE_READ: usize = 1024;
/// Bytes read at a time at the beginning of a message.
const FIRST_READ: usize = 8 * 1024;
/// Bytes read at a time once a message has filled the first buffer.
const FULL_READ: usize = 64 * 1024;
/// Longest time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Longest wait for a client that we closed on to close as well.
const LINGER: Duration = Duration::from_secs(2);
/// Most reads in that time.
const LINGER_READS: usize = 256;
