//! STARTTLS (RFC 3207).

use super::Close;
use super::Event;
use super::Line;
use super::Session;
use crate::ingress::Door;
use crate::ingress::reply;

/// What a handshake showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ingress) struct Secured {
    /// The client's certificate (DER), if it has one that is good.
    pub(in crate::ingress) certificate: Option<Box<[u8]>>,
}

impl<D: Door> Session<'_, D> {
    /// RFC 3207. What was sent behind the command came in clear from anybody on the way and must not
    /// be answered inside TLS (CVE-2011-0411): a client that sends it is not waited for.
    pub(super) fn start_tls(&mut self, followed: bool) -> Option<Event> {
        if self.secured.is_some() {
            return self.mistake(&reply::TLS_ALREADY);
        }
        if self.service.tls.is_none() {
            return self.mistake(&reply::NOT_OFFERED);
        }
        if followed {
            self.say(&reply::TLS_EARLY);
            return Some(Event::Close(Close::Broken));
        }
        self.say(&reply::TLS_READY);
        Some(Event::StartTls)
    }

    /// TLS has begun: whatever was said before it counts no longer (RFC 3207 section 4.2).
    pub(in crate::ingress) fn secured(&mut self, secured: Box<Secured>) {
        self.secured = Some(secured);
        self.greeted = false;
        self.identity = None;
        self.exchange = None;
        self.transaction = None;
        self.line = Line::default();
    }
}
