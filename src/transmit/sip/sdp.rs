//! SDP (RFC 8866) as far as a fax needs it: what a body says, and what we offer and answer (RFC 3264).
//!
//! Only addresses that one machine can have are taken: no multicast, broadcast or unspecified ones, and no names,
//! which would have us ask the DNS for strangers. Private and loopback addresses are taken: a telephone exchange in
//! the same building is the usual far end, and only a trunk's proxy gets so far as to have its SDP read.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use thiserror::Error;

pub use write::Choice;
pub use write::Ours;

/// What the far end says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its streams, in order.
    pub lines: Vec<MediaLine>,
}

/// One stream (an `m=` line and what follows it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaLine {
    /// What it carries.
    pub kind: MediaKind,
    /// Where the far end wants it; port 0 refuses the stream.
    pub port: u16,
    /// The address, from the stream or the session.
    pub place: Place,
    /// Who sends.
    pub direction: Direction,
    /// Media, transport and formats as written, so that it can be refused in the same words.
    pub written: [String; 3],
}

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Sound over RTP in a form that we speak.
    Audio(Audio),
    /// A fax over UDPTL.
    Image(Image),
    /// Anything else: video, text, encrypted sound, T.38 over TCP.
    Foreign,
}

/// Sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// The forms that we speak, the far end's favourite first; never empty.
    pub codecs: Vec<Codec>,
    /// Milliseconds in a packet, if it says.
    pub ptime: Option<u8>,
}

/// A form of sound, with its fixed RTP payload type (RFC 3551 table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 A-law (8).
    Pcma,
    /// G.711 µ-law (0).
    Pcmu,
}

/// A fax over UDPTL (T.38 annex D).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `T38MaxBitRate`: bits a second, if it says.
    pub max_bit_rate: Option<u32>,
    /// `T38FaxMaxDatagram`: bytes that the far end takes in a datagram.
    pub max_datagram: u16,
    /// `T38FaxUdpEC`: how it corrects errors.
    pub correction: Correction,
}

/// How losses on the way are made good (T.38 clause 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// `t38UDPFEC`: parity. Its receivers take repetitions as well, and those are what we send.
    Fec,
    /// `t38UDPNoEC`: not at all.
    Nothing,
    /// `t38UDPRedundancy`: each packet repeats those before it; also where nothing is said.
    Redundancy,
}

/// The address of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Here.
    At(IpAddr),
    /// `0.0.0.0` or `::`: the far end takes nothing for now (RFC 3264 section 8.4).
    OnHold,
    /// A name, multicast, no address at all: we send nothing there.
    Unusable,
}

/// Who sends, as the far end says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Nobody.
    Inactive,
    /// Only we.
    RecvOnly,
    /// Only the far end.
    SendOnly,
    /// Both.
    #[default]
    SendRecv,
}

/// Why a body says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SdpError {
    /// It does not begin with `v=0`.
    #[error("this is no SDP")]
    NoSdp,
    /// Not a single stream.
    #[error("it describes no stream")]
    NoStream,
    /// More than anybody needs.
    #[error("it is too long")]
    TooLong,
    /// A stream that cannot be understood, so that it cannot even be refused.
    #[error("a stream in it cannot be understood")]
    BadStream,
}

impl Description {
    /// Reads the body of a message with this `Content-Type`; of a multipart body the part that is SDP.
    ///
    /// # Errors
    /// [`SdpError`].
    pub fn read(content_type: Option<&str>, body: &[u8]) -> Result<Self, SdpError> {
        read::description(content_type, body)
    }

    /// The first stream of sound that is not refused.
    pub fn audio(&self) -> Option<(&MediaLine, &Audio)> {
        self.lines.iter().find_map(|line| match &line.kind {
            MediaKind::Audio(audio) if line.port != 0 => Some((line, audio)),
            MediaKind::Audio(_) | MediaKind::Image(_) | MediaKind::Foreign => None,
        })
    }

    /// The first fax stream that is not refused.
    pub fn image(&self) -> Option<(&MediaLine, &Image)> {
        self.lines.iter().find_map(|line| match &line.kind {
            MediaKind::Image(image) if line.port != 0 => Some((line, image)),
            MediaKind::Audio(_) | MediaKind::Image(_) | MediaKind::Foreign => None,
        })
    }
}

impl MediaLine {
    /// Where our packets go; `None` while it is on hold, and where it cannot be sent to at all.
    pub fn remote(&self) -> Option<SocketAddr> {
        match self.place {
            // Below 1024 no media is received (RFC 8866 section 5.14), but other services are.
            Place::At(address) if self.port >= 1024 => Some(SocketAddr::new(address, self.port)),
            Place::At(_) | Place::OnHold | Place::Unusable => None,
        }
    }

    /// Whether it can be taken: its packets can be sent, now or after the hold.
    pub fn is_usable(&self) -> bool {
        self.remote().is_some() || (self.place == Place::OnHold && self.port != 0)
    }

    /// Whether the far end takes nothing for now.
    pub fn is_on_hold(&self) -> bool {
        self.place == Place::OnHold
            || matches!(self.direction, Direction::Inactive | Direction::SendOnly)
    }
}

impl Codec {
    /// Its RTP payload type.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// Its name in `rtpmap`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

impl Image {
    /// How many earlier packets we repeat in each (3 lose nothing at 20 % loss; without any a fax dies at 5 %).
    pub fn redundancy(&self) -> u8 {
        match self.correction {
            Correction::Fec | Correction::Redundancy => 3,
            Correction::Nothing => 0,
        }
    }
}

impl Direction {
    /// What we say to it (RFC 3264 section 6.1).
    fn answer(self) -> Self {
        match self {
            Self::Inactive => Self::Inactive,
            Self::RecvOnly => Self::SendOnly,
            Self::SendOnly => Self::RecvOnly,
            Self::SendRecv => Self::SendRecv,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::RecvOnly => "recvonly",
            Self::SendOnly => "sendonly",
            Self::SendRecv => "sendrecv",
        }
    }
}

impl Place {
    /// What an address is good for.
    pub fn of(address: IpAddr) -> Self {
        // ::ffff:192.0.2.1 would pass as IPv6 and be sent as IPv4.
        let address = address.to_canonical();
        let usable = match address {
            _ if address.is_unspecified() => return Self::OnHold,
            IpAddr::V4(v4) => is_of_one_machine(v4),
            // Link-local addresses mean nothing without an interface, which SDP cannot name.
            IpAddr::V6(v6) => !v6.is_multicast() && !v6.is_unicast_link_local(),
        };
        match usable {
            true => Self::At(address),
            false => Self::Unusable,
        }
    }
}

/// Neither multicast, broadcast, reserved (240.0.0.0/4) nor of "this network" (0.0.0.0/8).
fn is_of_one_machine(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    (1..224).contains(&first)
}
