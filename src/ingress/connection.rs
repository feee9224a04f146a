//! One connection: reads and writes for a session, each within its time.

mod buffer;

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
use crate::ingress::session::Secured;
use crate::ingress::session::Session;
use crate::ingress::wire::Wire;
use crate::refusal::Refusal;
use crate::smtp::Login;
use crate::smtp::ReceivedMessage;

use buffer::Buffer;
use buffer::IDLE_READ;

/// Talks SMTP on `io` with the client at `peer` until either side ends it.
///
/// While it waits for a command it holds about a kilobyte; the buffers of DATA come and go with it.
pub async fn attend<D, IO>(service: &Service<D>, io: IO, peer: IpAddr)
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let wire = Wire::Clear(io);
    converse(service, wire, peer, None).await;
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
    let secured = Box::pin(secure(service, &mut wire, peer, &mut shutdown)).await;
    if secured.is_some() {
        converse(service, wire, peer, secured).await;
    }
}

async fn converse<D, IO>(
    service: &Service<D>,
    wire: Wire<IO>,
    peer: IpAddr,
    secured: Option<Box<Secured>>,
) where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    metrics::counter!(metric::SESSIONS).increment(1);
    let mut connection = Connection {
        service,
        io: wire,
        peer,
        session: Session::new(service, peer, secured),
        buffer: Buffer::of(IDLE_READ),
        deadline: Instant::now() + service.limits.command_timeout,
        content: None,
        number: None,
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

/// Begins TLS within its time; what it showed, if it succeeded.
async fn secure<D, IO>(
    service: &Service<D>,
    wire: &mut Wire<IO>,
    peer: IpAddr,
    shutdown: &mut watch::Receiver<bool>,
) -> Option<Box<Secured>>
where
    D: Door,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let tls = service.tls.as_ref()?;
    let limit = HANDSHAKE.min(service.limits.command_timeout);
    let done = tokio::select! {
        biased;
        () = stopped(shutdown) => return None,
        done = timeout(limit, wire.secure(tls, service.clock.now())) => done,
    };
    let result = match &done {
        Ok(Ok(_)) => "done",
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
    let certificate = done.ok()?.ok()?.map(Vec::into_boxed_slice);
    Some(Box::new(Secured { certificate }))
}

struct Connection<'s, D, IO> {
    service: &'s Service<D>,
    io: Wire<IO>,
    peer: IpAddr,
    session: Session<'s, D>,
    buffer: Buffer,
    /// When the command, or the whole message, must have arrived.
    deadline: Instant,
    /// The content that is arriving, and when it began.
    content: Option<(u32, Instant)>,
    number: Option<u64>,
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

/// The service stops.
struct Stopping;

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
            if tally.refusals != before.refusals && Box::pin(self.tarpit()).await.is_err() {
                return End::Stopping;
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

    /// Makes a client wait that was refused something: programs that try many things hurry.
    async fn tarpit(&mut self) -> Result<(), Stopping> {
        let pause = self.service.limits.tarpit;
        if pause.is_zero() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => Err(Stopping),
            () = tokio::time::sleep(pause) => Ok(()),
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
        let secured = Box::pin(handshake).await;
        let done = secured.is_some();
        if let Some(secured) = secured {
            self.session.secured(secured);
        }
        done
    }

    /// Asks the door about a login.
    async fn log_in(&mut self, claim: Claim) -> LoginVerdict {
        let Some(session) = self.number() else {
            let (refusal, not_before) = (Refusal::Busy, None);
            return LoginVerdict::Refused {
                refusal,
                not_before,
            };
        };
        let received_at = self.service.clock.now();
        let incident = format!("{:x}", received_at.as_ms());
        let span = tracing::info_span!("login", incident, peer = %self.peer);
        let login = Login {
            login_id: claim.login_id,
            proof: claim.proof,
            session,
            peer: self.peer,
            received_at,
        };
        let verdict = self.service.door.login(login).instrument(span).await;
        let result = match &verdict {
            LoginVerdict::Accepted { identity, .. } => {
                tracing::info!(peer = %self.peer, account = identity.account, "login accepted");
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

    /// What names this session in logins, drawn at the first one; `None` without randomness.
    fn number(&mut self) -> Option<u64> {
        if self.number.is_none() {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).ok()?;
            self.number = Some(u64::from_le_bytes(bytes));
        }
        self.number
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
            authenticated: arrived.identity,
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

    /// A command in time gives time for the next one; single bytes of one do not. A whole message has
    /// its time from its beginning on, in however many chunks it comes.
    fn restart_clocks(&mut self) {
        let now = Instant::now();
        let limits = &self.service.limits;
        let arriving = self.session.content_number();
        if let Some((number, began)) = self.content
            && arriving != Some(number)
        {
            metrics::histogram!(metric::DATA_SECONDS).record((now - began).as_secs_f64());
            self.content = None;
        }
        self.deadline = now + limits.command_timeout;
        if let Some(number) = arriving {
            let (_, began) = *self.content.get_or_insert((number, now));
            let end = began + limits.data_timeout;
            self.deadline = match self.session.in_data() {
                true => end,
                false => end.min(self.deadline),
            };
        }
    }

    /// Says the last words and closes.
    async fn part(&mut self, end: End) {
        match end {
            End::Gone => return,
            End::Late if self.session.content_number().is_some() => self.session.say(&reply::SLOW),
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

/// Returns once the service stops.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left to say so.
        std::future::pending::<()>().await;
    }
}

/// Longest time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Longest wait for a client that we closed on to close as well.
const LINGER: Duration = Duration::from_secs(2);
/// Most reads in that time.
const LINGER_READS: usize = 256;
