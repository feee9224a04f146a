//! A fax machine at the other end of a trunk that takes T.38 when it is offered, and leaves in the second page.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::thread::JoinHandle;
use std::time::Duration;

use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Pacing;
use spandsp::Task;
use spandsp::Terminal;

use super::message::Message;
use crate::modem::udptl::Datagrams;

/// So many datagrams after the first page, the second one is on the line.
const MID_PAGE: u32 = 30;
/// Samples that pass when nothing came for a tick, and when something came: the other end does not pace itself either.
const TICK: (Duration, u32) = (Duration::from_millis(20), 160);
const STEP: u32 = 40;
/// Ticks between two BYEs.
const AGAIN: u32 = 25;

/// How it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// It hangs up.
    ByHangingUp,
    /// It says nothing any more.
    Silently,
}

/// A fax machine that waits for one call.
pub(super) struct Machine {
    /// Where it listens.
    pub(super) port: u16,
    thread: JoinHandle<()>,
}

impl Machine {
    /// It answers the next call.
    pub(super) fn waits(leaves: Leaves) -> Self {
        let sip = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        sip.set_nonblocking(true).unwrap();
        let port = sip.local_addr().unwrap().port();
        let media = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        media.set_read_timeout(Some(TICK.0)).unwrap();
        let desk = Desk {
            sip,
            media,
            invite: None,
            remote: None,
            is_over: false,
        };
        Self {
            port,
            thread: std::thread::spawn(move || desk.serve(leaves)),
        }
    }

    /// Waits until the call is over by BYE, whoever said it.
    pub(super) fn ends_by_bye(self) {
        self.thread.join().unwrap();
    }
}

/// Its two sockets, and how far the call is.
struct Desk {
    sip: UdpSocket,
    media: UdpSocket,
    /// The latest INVITE, and where it came from.
    invite: Option<(Message, SocketAddr)>,
    /// Where T.38 goes, once it was offered.
    remote: Option<SocketAddr>,
    is_over: bool,
}

impl Desk {
    fn serve(mut self, leaves: Leaves) {
        let folder = tempfile::tempdir().unwrap();
        let call = FaxCall {
            task: Task::Receive {
                file: folder.path().join("received.tiff"),
            },
            local_id: "far".to_owned(),
            sub_address: None,
            ecm: true,
            fastest: Modem::V17,
        };
        let mut terminal = Terminal::new(&call, Pacing::Unpaced).unwrap();
        let mut datagrams = Datagrams::default();
        let mut after = 0;
        while !self.is_over && after < MID_PAGE {
            self.signal();
            let mut datagram = [0; 2048];
            let came = self.media.recv(&mut datagram).ok();
            let Some(remote) = self.remote else {
                continue;
            };
            let packet = came.and_then(|length| datagrams.read(&datagram[..length]));
            if let Some((packet, number)) = packet {
                terminal.receive(packet, number);
                after += u32::from(terminal.progress().pages > 0);
            }
            let mut said = Vec::new();
            let step = if came.is_some() { STEP } else { TICK.1 };
            terminal.advance(step, |packet| said.push(datagrams.write(packet.ifp)));
            for datagram in said {
                self.media.send_to(&datagram, remote).unwrap();
            }
        }
        assert_eq!(after, MID_PAGE, "the call was over before the second page");
        self.leave(leaves);
    }

    /// Waits for the end of the call; nothing is said over T.38 any more.
    fn leave(&mut self, leaves: Leaves) {
        let mut ticks = 0;
        while !self.is_over {
            if leaves == Leaves::ByHangingUp && ticks % AGAIN == 0 {
                self.say_goodbye();
            }
            ticks += u32::from(self.media.recv(&mut [0; 2048]).is_err());
            self.signal();
        }
    }

    /// Takes a message if there is one.
    fn signal(&mut self) {
        let mut octets = [0; 65_536];
        let Ok((length, from)) = self.sip.recv_from(&mut octets) else {
            return;
        };
        let message = Message::read(&octets[..length]).unwrap();
        let answer = match message.method() {
            "INVITE" => self.accept(&message),
            "BYE" => {
                self.is_over = true;
                message.response("200 OK", "", "")
            }
            "SIP/2.0" => {
                self.is_over |= message.header("cseq").ends_with("BYE");
                return;
            }
            _ => return,
        };
        self.sip.send_to(answer.as_bytes(), from).unwrap();
        if message.method() == "INVITE" {
            self.invite = Some((message, from));
        }
    }

    /// Takes sound or T.38, as it is offered.
    fn accept(&mut self, offer: &Message) -> String {
        let image = offer
            .body
            .lines()
            .find_map(|line| line.strip_prefix("m=image "));
        let port = image.and_then(|line| line.split(' ').next()?.parse::<u16>().ok());
        self.remote = port.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let stream = match self.remote {
            Some(_) => {
                "udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxMaxDatagram:400\r\na=T38FaxUdpEC:t38UDPRedundancy"
            }
            None => "RTP/AVP 0",
        };
        let kind = if self.remote.is_some() {
            "image"
        } else {
            "audio"
        };
        let own = self.media.local_addr().unwrap().port();
        let body = format!(
            "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm={kind} {own} {stream}\r\n"
        );
        let sip = self.sip.local_addr().unwrap();
        let further = format!("Contact: <sip:far@{sip}>\r\nContent-Type: application/sdp\r\n");
        offer.response("200 OK", &further, &body)
    }

    fn say_goodbye(&self) {
        let (invite, there) = self.invite.as_ref().unwrap();
        let contact = invite.header("contact");
        let contact = contact.trim_start_matches('<').split('>').next().unwrap();
        let own = self.sip.local_addr().unwrap();
        let (from, to) = (invite.to(), invite.header("from"));
        let id = invite.header("call-id");
        let bye = format!(
            "BYE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKbye;rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        self.sip.send_to(bye.as_bytes(), there).unwrap();
    }
}
