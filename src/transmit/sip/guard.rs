//! Who may knock: before a message reaches the SIP stack, its source is looked at and it is read once where
//! failing to read it harms nobody.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use rsipstack::dialog::DialogId;
use rsipstack::platform::net::UdpSocket as StackSocket;
use rsipstack::sip::Header;
use rsipstack::sip::Method;
use rsipstack::sip::SipMessage;
use rsipstack::sip::Transport;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::prelude::ToTypedHeader;
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transaction::key::TransactionKey;
use rsipstack::transaction::key::TransactionRole;
use rsipstack::transport::TransportEvent;
use tokio::net::UdpSocket;

use super::pace::Pace;
use super::trunk::Trunk;
use crate::config::Wire;
use crate::time::Clock;

/// Messages a second from all trunks together; what follows is lost, and sent again by its sender.
const FRIENDS: u32 = 1000;
const FRIENDS_AT_ONCE: u32 = 4000;
/// Messages a second from everybody else together: enough to tell somebody that has mistyped an address.
const STRANGERS: u32 = 10;
const STRANGERS_AT_ONCE: u32 = 50;

/// The look at the source.
pub(super) struct Guard {
    trunks: Vec<Arc<Trunk>>,
    friends: Mutex<Pace>,
    strangers: Mutex<Pace>,
    clock: Arc<dyn Clock>,
}

impl Guard {
    /// Friends are the proxies of `trunks`.
    pub(super) fn new(trunks: Vec<Arc<Trunk>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            trunks,
            friends: Mutex::new(Pace::new(FRIENDS, FRIENDS_AT_ONCE)),
            strangers: Mutex::new(Pace::new(STRANGERS, STRANGERS_AT_ONCE)),
            clock,
        }
    }

    /// The trunk whose proxy is there and speaks over `wire`.
    pub(super) fn trunk_at(&self, source: IpAddr, wire: Wire) -> Option<&Arc<Trunk>> {
        let mut trunks = self.trunks.iter();
        trunks.find(|trunk| trunk.is_at(source) && trunk.is_heard_over(wire))
    }

    /// Whether a message from there is read; in a flood it is not.
    pub(super) fn lets_in(&self, source: IpAddr, wire: Wire) -> bool {
        let pace = match self.trunk_at(source, wire) {
            Some(_) => &self.friends,
            None => &self.strangers,
        };
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.take(self.clock.now()).is_ok()
    }
}

/// The socket of the stack: what the guard does not let in was never received.
pub(super) struct GuardedSocket {
    /// The socket.
    pub(super) socket: UdpSocket,
    /// The guard.
    pub(super) guard: Arc<Guard>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = rsipstack::Result<T>> + Send + 'a>>;

impl StackSocket for GuardedSocket {
    fn recv_from<'a, 'b, 'c>(&'a self, buffer: &'b mut [u8]) -> Answer<'c, (usize, SocketAddr)>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            loop {
                let (length, source) = self.socket.recv_from(buffer).await?;
                let message = buffer.get(..length).unwrap_or_default();
                // Spaces and line ends keep the way through a NAT open (RFC 5626 section 3.5.1).
                let keeps_open = message.iter().all(u8::is_ascii_whitespace);
                let is_let_in = self.guard.lets_in(source.ip(), Wire::Udp);
                if !is_let_in || !(keeps_open || is_readable(message)) {
                    continue;
                }
                if self.guard.trunk_at(source.ip(), Wire::Udp).is_some() {
                    return Ok((length, source));
                }
                // The stack never hears of strangers: telling them off costs one datagram and no memory.
                if let Some(answer) = refusal(message) {
                    metrics::counter!("faxgate_calls_in_total", "result" => "stranger")
                        .increment(1);
                    let _ = self.socket.send_to(answer.as_bytes(), source).await;
                }
            }
        })
    }

    fn send_to<'a, 'b, 'c>(&'a self, message: &'b [u8], to: SocketAddr) -> Answer<'c, usize>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move { Ok(self.socket.send_to(message, to).await?) })
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}

/// The look at messages from streams, which come to the stack as they are.
pub(super) struct Inspector(pub(super) Arc<Guard>);

impl TransportEventInspector for Inspector {
    fn handle<'a, 'b>(
        &'a self,
        event: TransportEvent,
    ) -> Pin<Box<dyn Future<Output = Option<TransportEvent>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            match &event {
                TransportEvent::Incoming(message, connection, from) if connection.is_reliable() => {
                    let source = from.get_socketaddr().ok()?;
                    let wire = wire(&connection.transport());
                    (self.0.lets_in(source.ip(), wire) && is_whole(message)).then_some(event)
                }
                TransportEvent::Incoming(..)
                | TransportEvent::New(_)
                | TransportEvent::Closed(_) => Some(event),
            }
        })
    }
}

/// What carried a message, of what we have.
pub(super) fn wire(transport: &Transport) -> Wire {
    match (*transport == Transport::Tls, *transport == Transport::Tcp) {
        (true, _) => Wire::Tls,
        (false, true) => Wire::Tcp,
        (false, false) => Wire::Udp,
    }
}

/// A 403 of a server that keeps nothing (RFC 3261 section 8.2.7); none to what is no request, or never answered.
fn refusal(message: &[u8]) -> Option<String> {
    let SipMessage::Request(request) = SipMessage::try_from(message).ok()? else {
        return None;
    };
    if request.method == Method::Ack {
        return None;
    }
    let mut answer = "SIP/2.0 403 Forbidden\r\n".to_owned();
    for header in request.headers.iter() {
        if let Header::To(to) = header {
            let tag = if to.tag().ok()?.is_some() {
                ""
            } else {
                ";tag=none"
            };
            answer.push_str(&format!("{header}{tag}\r\n"));
        } else if matches!(
            header,
            Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_)
        ) {
            answer.push_str(&format!("{header}\r\n"));
        }
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    Some(answer)
}

/// Whether `message` can be read, with all that the stack reads of it later in places where failing would stop
/// the whole endpoint.
pub(super) fn is_readable(message: &[u8]) -> bool {
    let read = catch_unwind(|| SipMessage::try_from(message).ok());
    read.ok()
        .flatten()
        .is_some_and(|message| is_whole(&message))
}

fn is_whole(message: &SipMessage) -> bool {
    let looked = catch_unwind(AssertUnwindSafe(|| look(message)));
    looked.ok().flatten().is_some()
}

/// All that routing a message needs.
fn look(message: &SipMessage) -> Option<()> {
    message.via_header().ok()?.typed().ok()?;
    message.to_header().ok()?.tag().ok()?;
    match message {
        SipMessage::Request(request) => {
            TransactionKey::from_request(request, TransactionRole::Server).ok()?;
            DialogId::try_from((request, TransactionRole::Server)).ok()?;
        }
        SipMessage::Response(response) => {
            TransactionKey::from_response(response, TransactionRole::Client).ok()?;
            let _ = response.has_multiple_vias();
        }
    }
    // What is not there is not needed; what is there must not break the stack.
    let _ = message.contact_header().map(ToTypedHeader::typed);
    let _ = message.to_string();
    Some(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config;
    use crate::time::SystemClock;

    const INVITE: &str = "INVITE sip:0312345678@192.0.2.9 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n\
        From: \"A\" <sip:a@192.0.2.1>;tag=x1\r\n\
        To: <sip:0312345678@192.0.2.9>\r\n\
        Call-ID: c1@192.0.2.1\r\n\
        CSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.1:5060>\r\n\
        Record-Route: <sip:192.0.2.1;lr>\r\n\
        Max-Forwards: 70\r\n\
        Content-Length: 0\r\n\r\n";

    #[test]
    fn a_message_is_let_in_and_half_a_message_is_not() {
        assert!(is_readable(INVITE.as_bytes()));
        for line in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let without: String = INVITE
                .split_inclusive("\r\n")
                .filter(|one| !one.starts_with(&format!("{line}:")))
                .collect();
            assert!(!is_readable(without.as_bytes()), "{line}");
        }
        for bad in [
            &b""[..],
            b"\0\0\0\0",
            b"GET / HTTP/1.0\r\n\r\n",
            b"INVITE\r\n\r\n",
        ] {
            assert!(!is_readable(bad));
        }
    }

    #[test]
    fn a_stranger_is_told_off_in_its_own_words() {
        let answer = refusal(INVITE.as_bytes()).unwrap();
        assert!(answer.starts_with(
            "SIP/2.0 403 Forbidden\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n"
        ));
        assert!(
            answer.contains("To: <sip:0312345678@192.0.2.9>;tag=none\r\n"),
            "{answer}"
        );
        assert!(answer.contains("CSeq: 1 INVITE\r\n") && answer.len() < INVITE.len());
        assert_eq!(refusal(INVITE.replace("INVITE", "ACK").as_bytes()), None);
        assert_eq!(refusal(answer.as_bytes()), None);
    }

    #[test]
    fn nobody_speaks_in_the_clear_for_a_trunk_with_tls() {
        let trunk = |proxy: &str| {
            let config = config::Trunk {
                name: "one".into(),
                proxy: config::SipUri::parse(proxy).unwrap(),
                domain: None,
                user: None,
                password_file: None,
                ca_file: None,
                register: false,
                lines: 1,
                calls_per_second: 1,
                number_format: config::NumberFormat::E164,
            };
            Arc::new(Trunk::new(config, Path::new("/"), Arc::default()).unwrap())
        };
        let heard = |trunks: Vec<Arc<Trunk>>| {
            let guard = Guard::new(trunks, Arc::new(SystemClock));
            let source = "192.0.2.1".parse().unwrap();
            [Wire::Udp, Wire::Tcp, Wire::Tls].map(|wire| guard.trunk_at(source, wire).is_some())
        };
        let encrypted = trunk("sip:192.0.2.1:5061;transport=tls");
        assert_eq!(heard(vec![Arc::clone(&encrypted)]), [false, false, true]);
        // A long message of a trunk that uses datagrams comes over a connection (RFC 3261 section 18.1.1).
        let plain = trunk("sip:192.0.2.1");
        assert_eq!(heard(vec![encrypted, plain]), [true, true, true]);
    }

    #[test]
    fn strangers_are_heard_until_they_flood() {
        let guard = Guard::new(Vec::new(), Arc::new(SystemClock));
        let source = "198.51.100.7".parse().unwrap();
        assert!(guard.lets_in(source, Wire::Udp));
        let heard = (0..10_000)
            .filter(|_| guard.lets_in(source, Wire::Udp))
            .count();
        assert!(heard < 1_000, "{heard}");
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = is_readable(&bytes);
        }

        #[test]
        fn no_damaged_message_breaks_the_reader(
            damage in prop::collection::vec((0_usize..INVITE.len(), any::<u8>()), 1..12), cut in 0_usize..INVITE.len(),
        ) {
            let mut bytes = INVITE.as_bytes().to_vec();
            for (at, byte) in damage {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = is_readable(&bytes);
            bytes.truncate(cut);
            let _ = is_readable(&bytes);
        }
    }
}
