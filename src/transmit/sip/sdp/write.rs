//! Our side of a call's descriptions.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::Codec;
use super::Correction;
use super::Description;
use super::Direction;
use super::Image;
use super::MediaLine;
use super::Place;

/// What we want to carry, or take of what is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Sound in one of these forms, the favourite first.
    Audio(Vec<Codec>),
    /// A fax over UDPTL.
    T38,
}

/// Our descriptions in one call: the streams keep their places, and the version grows where the text changes
/// (RFC 3264 sections 5 and 8).
#[derive(Clone, Debug)]
pub struct Ours {
    session: u64,
    version: u64,
    at: SocketAddr,
    slots: Vec<Slot>,
    last: Option<String>,
}

/// What stood at one place of the descriptions so far.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// The stream that carries the call; there is one.
    Ours,
    /// Media, transport and formats of a stream that was refused.
    Refused([String; 3]),
}

/// What is said about T.38, apart from speed and correction of errors.
const MAX_BIT_RATE: u32 = 14_400;
const MAX_BUFFER: u32 = 1800;
const MAX_DATAGRAM: u32 = 400;

impl Ours {
    /// Before anything was said. `session` is a number that no other call of ours has; `at` is where media reaches us.
    pub fn new(session: u64, at: SocketAddr) -> Self {
        Self {
            session,
            version: 1,
            at,
            slots: Vec::new(),
            last: None,
        }
    }

    /// Offers `choice`. Streams of earlier descriptions keep their places: the one that carries the call changes its
    /// media (RFC 3264 section 8.3.3), the others are refused.
    pub fn offer(&mut self, choice: &Choice) -> String {
        if !self.slots.contains(&Slot::Ours) {
            self.slots.push(Slot::Ours);
        }
        let mut streams = String::new();
        for slot in &self.slots {
            match slot {
                Slot::Ours => streams.push_str(&self.stream(choice, Direction::SendRecv, None)),
                Slot::Refused(words) => streams.push_str(&refusal(words)),
            }
        }
        self.finish(streams)
    }

    /// Answers `offer` by taking the first stream that fits `choice` and refusing the others; `None` if none fits.
    pub fn answer(&mut self, offer: &Description, choice: &Choice) -> Option<String> {
        let (taken, direction, image, choice) = choice.take_from(offer)?;
        let mut streams = String::new();
        let mut slots = Vec::new();
        for line in &offer.lines {
            if std::ptr::eq(line, taken) {
                streams.push_str(&self.stream(&choice, direction, image));
                slots.push(Slot::Ours);
            } else {
                streams.push_str(&refusal(&line.written));
                slots.push(Slot::Refused(line.written.clone()));
            }
        }
        self.slots = slots;
        Some(self.finish(streams))
    }

    fn stream(&self, choice: &Choice, direction: Direction, offered: Option<&Image>) -> String {
        let port = self.at.port();
        match choice {
            Choice::Audio(codecs) => audio(port, codecs, direction),
            Choice::T38 => image(port, offered),
        }
    }

    /// What was said last, once more; empty if nothing was.
    pub fn again(&self) -> String {
        self.last
            .as_ref()
            .map_or_else(String::new, |streams| self.text(streams))
    }

    /// The whole text; its version is one more if it is not what was said before.
    fn finish(&mut self, streams: String) -> String {
        if self.last.as_ref().is_some_and(|last| *last != streams) {
            self.version += 1;
        }
        let text = self.text(&streams);
        self.last = Some(streams);
        text
    }

    fn text(&self, streams: &str) -> String {
        let (session, version, host) = (self.session, self.version, self.at.ip());
        let family = if host.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=faxgate {session} {version} IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n{streams}"
        )
    }
}

impl Choice {
    /// The stream of `offer` that fits, with what we say of it.
    fn take_from<'a>(
        &self,
        offer: &'a Description,
    ) -> Option<(&'a MediaLine, Direction, Option<&'a Image>, Self)> {
        match self {
            Self::Audio(wanted) => {
                let (line, audio) = offer.audio().filter(|(line, _)| line.is_usable())?;
                // One form only: what comes is then never a surprise.
                let codec = audio.codecs.iter().find(|codec| wanted.contains(codec))?;
                let direction = match line.place {
                    // Whoever is on hold without saying so still is (RFC 3264 section 8.4).
                    Place::OnHold if line.direction == Direction::SendRecv => {
                        Direction::SendOnly.answer()
                    }
                    Place::At(_) | Place::OnHold | Place::Unusable => line.direction.answer(),
                };
                Some((line, direction, None, Self::Audio(vec![*codec])))
            }
            Self::T38 => {
                let (line, image) = offer.image().filter(|(line, _)| line.is_usable())?;
                Some((line, Direction::SendRecv, Some(image), Self::T38))
            }
        }
    }
}

fn audio(port: u16, codecs: &[Codec], direction: Direction) -> String {
    let mut text = format!("m=audio {port} RTP/AVP");
    for codec in codecs {
        let _ = write!(text, " {}", codec.payload_type());
    }
    text.push_str("\r\n");
    for codec in codecs {
        let (number, name) = (codec.payload_type(), codec.as_str());
        let _ = write!(text, "a=rtpmap:{number} {name}/8000\r\n");
    }
    // Silence that is left out (RFC 3389) is a hole in a fax.
    let direction = direction.as_str();
    let _ = write!(
        text,
        "a=ptime:20\r\na=silenceSupp:off - - - -\r\na={direction}\r\n"
    );
    text
}

fn image(port: u16, offered: Option<&Image>) -> String {
    let rate = offered.and_then(|image| image.max_bit_rate);
    let rate = rate
        .filter(|rate| *rate >= 2400)
        .map_or(MAX_BIT_RATE, |rate| rate.min(MAX_BIT_RATE));
    let correction = match offered.map(|image| image.correction) {
        Some(Correction::Nothing) => "t38UDPNoEC",
        Some(Correction::Fec | Correction::Redundancy) | None => "t38UDPRedundancy",
    };
    format!(
        "m=image {port} udptl t38\r\n\
         a=T38FaxVersion:0\r\n\
         a=T38MaxBitRate:{rate}\r\n\
         a=T38FaxRateManagement:transferredTCF\r\n\
         a=T38FaxMaxBuffer:{MAX_BUFFER}\r\n\
         a=T38FaxMaxDatagram:{MAX_DATAGRAM}\r\n\
         a=T38FaxUdpEC:{correction}\r\n"
    )
}

/// The stream with port 0, in the words in which it was offered.
fn refusal([media, transport, formats]: &[String; 3]) -> String {
    match formats.is_empty() {
        true => format!("m={media} 0 {transport}\r\n"),
        false => format!("m={media} 0 {transport} {formats}\r\n"),
    }
}
