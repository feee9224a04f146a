//! Reading a body that anybody may have written.

use std::net::IpAddr;

use super::Audio;
use super::Codec;
use super::Correction;
use super::Description;
use super::Direction;
use super::Image;
use super::MediaKind;
use super::MediaLine;
use super::Place;
use super::SdpError;

/// Bodies of exchanges with everything in them have some 4 KiB.
const MOST_BYTES: usize = 32 * 1024;
const MOST_LINES: usize = 1000;
const MOST_STREAMS: usize = 16;
/// Words of an `m=` line go back as they came, so they are kept short.
const LONGEST_WORDS: usize = 512;
/// What the far end takes if it does not say: enough for each packet of V.17 with its repetitions.
const USUAL_DATAGRAM: u16 = 400;
/// A datagram smaller than this holds no packet of V.17; some exchanges say 72 or less and take more.
const SMALLEST_DATAGRAM: u16 = 72;
/// Longer ones do not fit into an Ethernet frame.
const LONGEST_DATAGRAM: u16 = 1400;

/// The parts of a description that streams inherit.
#[derive(Clone, Copy, Default)]
struct Session {
    place: Option<Place>,
    direction: Direction,
}

/// A stream while its lines are read.
struct Stream<'a> {
    media: &'a str,
    port: u16,
    transport: &'a str,
    formats: &'a str,
    place: Option<Place>,
    direction: Direction,
    attributes: Vec<(&'a str, &'a str)>,
}

pub(super) fn description(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Description, SdpError> {
    if body.len() > MOST_BYTES {
        return Err(SdpError::TooLong);
    }
    // Names of sessions come in every character set; nothing that we read has more than ASCII.
    let text = String::from_utf8_lossy(body);
    let text = match content_type {
        Some(kind) if is_multipart(kind) => sdp_part(&text),
        Some(_) | None => text.as_ref(),
    };
    let lines: Vec<_> = text.split(['\r', '\n']).take(MOST_LINES + 1).collect();
    if lines.len() > MOST_LINES {
        return Err(SdpError::TooLong);
    }
    let mut lines = lines
        .iter()
        .map(|line| line.trim())
        .filter(|l| !l.is_empty());
    if lines.next() != Some("v=0") {
        return Err(SdpError::NoSdp);
    }
    let mut session = Session::default();
    let mut streams: Vec<Stream<'_>> = Vec::new();
    for line in lines {
        let Some((letter, value)) = line.split_once('=') else {
            continue;
        };
        let (letter, value) = (letter.trim(), value.trim());
        if letter == "m" {
            if streams.len() == MOST_STREAMS {
                return Err(SdpError::TooLong);
            }
            streams.push(Stream::begin(value, &session)?);
            continue;
        }
        match (letter, value, streams.last_mut()) {
            ("c", value, None) => session.place = Some(place(value)),
            ("c", value, Some(stream)) => stream.place = Some(place(value)),
            ("a", value, None) => session.direction = direction(value).unwrap_or(session.direction),
            ("a", value, Some(stream)) => stream.attribute(value),
            (_, _, _) => {}
        }
    }
    match streams.is_empty() {
        true => Err(SdpError::NoStream),
        false => Ok(Description {
            lines: streams.into_iter().map(Stream::end).collect(),
        }),
    }
}

fn is_multipart(content_type: &str) -> bool {
    let kind = content_type.trim_start().as_bytes();
    kind.get(..10)
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"))
}

/// From the first line `v=0` to the next boundary: exchanges put signalling of the telephone network beside the SDP
/// (RFC 3204).
fn sdp_part(text: &str) -> &str {
    let starts = text.match_indices("v=0");
    let mut parts = starts.filter_map(|(at, _)| text.split_at_checked(at));
    let begins = |before: &str| before.is_empty() || before.ends_with(['\r', '\n']);
    let found = parts.find(|(before, _)| begins(before));
    let part = found.map_or("", |(_, part)| part);
    let end = part.find("\n--").unwrap_or(part.len());
    part.get(..end).unwrap_or_default()
}

impl<'a> Stream<'a> {
    /// `audio 49170/2 RTP/AVP 0 8`
    fn begin(value: &'a str, session: &Session) -> Result<Self, SdpError> {
        let bad = SdpError::BadStream;
        if value.len() > LONGEST_WORDS || !value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
            return Err(bad);
        }
        let (media, rest) = value.split_once([' ', '\t']).ok_or(bad)?;
        let (port, rest) = rest.trim_start().split_once([' ', '\t']).ok_or(bad)?;
        let rest = rest.trim_start();
        let (transport, formats) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let port = port.split('/').next().unwrap_or_default();
        Ok(Self {
            media,
            port: port.parse().map_err(|_| bad)?,
            transport,
            formats: formats.trim(),
            place: session.place,
            direction: session.direction,
            attributes: Vec::new(),
        })
    }

    fn attribute(&mut self, value: &'a str) {
        match direction(value) {
            Some(direction) => self.direction = direction,
            None => {
                let (name, value) = value.split_once(':').unwrap_or((value, ""));
                self.attributes.push((name.trim(), value.trim()));
            }
        }
    }

    fn end(self) -> MediaLine {
        let words = [self.media, self.transport, self.formats];
        MediaLine {
            kind: self.kind(),
            port: self.port,
            place: self.place.unwrap_or(Place::Unusable),
            direction: self.direction,
            written: words.map(str::to_owned),
        }
    }

    fn kind(&self) -> MediaKind {
        let is = |word: &str, expected: &str| word.eq_ignore_ascii_case(expected);
        let audio = is(self.media, "audio") && is(self.transport, "RTP/AVP");
        let t38 = self.formats.split_whitespace().any(|word| is(word, "t38"));
        let image = is(self.media, "image") && is(self.transport, "udptl") && t38;
        match (audio.then(|| self.audio()).flatten(), image) {
            (Some(audio), _) => MediaKind::Audio(audio),
            (None, true) if !is(self.value("T38FaxRateManagement"), "localTCF") => {
                MediaKind::Image(self.image())
            }
            (None, true | false) => MediaKind::Foreign,
        }
    }

    /// The last value of an attribute: its name comes in any case (RFC 8866 says it has one, and nobody minds).
    fn value(&self, name: &str) -> &'a str {
        let mut named = self.attributes.iter().rev();
        let found = named.find(|(written, _)| written.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.value(name).parse().ok()
    }

    /// The formats that we speak. Other payload types than the fixed ones are not taken for them.
    fn audio(&self) -> Option<Audio> {
        let mut codecs = Vec::new();
        for format in self.formats.split_whitespace() {
            let codec = match format {
                "0" => Codec::Pcmu,
                "8" => Codec::Pcma,
                _ => continue,
            };
            if !codecs.contains(&codec) && !self.is_mapped_away(format, codec) {
                codecs.push(codec);
            }
        }
        (!codecs.is_empty()).then(|| Audio {
            codecs,
            ptime: self.number("ptime"),
        })
    }

    /// Whether an `rtpmap` gives this fixed payload type to something else.
    fn is_mapped_away(&self, format: &str, codec: Codec) -> bool {
        let maps = self
            .attributes
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("rtpmap"));
        let mut own = maps.filter_map(|(_, value)| value.split_once(char::is_whitespace));
        own.any(|(mapped, name)| {
            let name = name.trim().split('/').next().unwrap_or_default();
            mapped == format && !name.eq_ignore_ascii_case(codec.as_str())
        })
    }

    fn image(&self) -> Image {
        let correction = match self.value("T38FaxUdpEC").to_ascii_lowercase().as_str() {
            "t38udpfec" => Correction::Fec,
            "t38udpnoec" => Correction::Nothing,
            _ => Correction::Redundancy,
        };
        let datagram: Option<u32> = self.number("T38FaxMaxDatagram");
        let datagram = datagram.or_else(|| self.number("T38MaxDatagram"));
        let datagram = datagram.filter(|bytes| *bytes > 0);
        let datagram = datagram.map(|bytes| u16::try_from(bytes).unwrap_or(u16::MAX));
        Image {
            max_bit_rate: self.number("T38MaxBitRate"),
            max_datagram: datagram
                .unwrap_or(USUAL_DATAGRAM)
                .clamp(SMALLEST_DATAGRAM, LONGEST_DATAGRAM),
            correction,
        }
    }
}

fn direction(attribute: &str) -> Option<Direction> {
    match attribute.to_ascii_lowercase().as_str() {
        "inactive" => Some(Direction::Inactive),
        "recvonly" => Some(Direction::RecvOnly),
        "sendonly" => Some(Direction::SendOnly),
        "sendrecv" => Some(Direction::SendRecv),
        _ => None,
    }
}

/// `IN IP4 192.0.2.1/127/3`
fn place(value: &str) -> Place {
    let mut words = value.split_whitespace();
    let (net, family, address) = (words.next(), words.next(), words.next());
    let (Some(net), Some(family), Some(address)) = (net, family, address) else {
        return Place::Unusable;
    };
    let address = address.split('/').next().unwrap_or_default();
    let address = address.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) if net.eq_ignore_ascii_case("IN") => {
            let said = if address.is_ipv4() { "IP4" } else { "IP6" };
            match family.eq_ignore_ascii_case(said) {
                true => Place::of(address),
                false => Place::Unusable,
            }
        }
        Ok(_) | Err(_) => Place::Unusable,
    }
}
