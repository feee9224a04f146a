//! Audio in RTP packets (RFC 3550), 20 ms each (RFC 3551 section 4.5).
//!
//! What comes is put in order and played by its timestamps. A fax engine counts time by the samples that it hears, so when none
//! come in time it is told that they are lost, and those that come after that are dropped: two modems bear a hole, but no slip.

use std::collections::VecDeque;

use super::Codec;
use super::g711;

/// Samples in a packet of ours: 20 ms.
pub(super) const BLOCK: usize = 160;
/// Octets before the samples.
const HEADER: usize = 12;
/// Packets that are held back for one that is missing.
const HELD: usize = 4;
/// Samples that may be late before they are given up: 200 ms.
const LATE: u64 = 1600;
/// Samples that a timestamp may be away from the one that is awaited: 2 s; more is another clock.
const NEAR: u32 = 16_000;
/// Packets in a row that make another clock or source believed (RFC 3550 appendix A.1).
const RUN: u8 = 3;
/// So many late packets in a row are no disorder.
const RUN_LATE: u8 = 10;
/// Samples in the longest packet that is taken: 120 ms.
const LONGEST: usize = 960;

/// Makes packets.
#[derive(Debug)]
pub(super) struct Writer {
    codec: Codec,
    source: u32,
    number: u16,
    timestamp: u32,
    started: bool,
}

/// Puts packets in order.
#[derive(Debug)]
pub(super) struct Reader {
    codec: Codec,
    /// Who is heard, and the timestamp that is awaited.
    playing: Option<(u32, u32)>,
    /// Another source or clock: its next timestamp, and packets in its row.
    other: Option<(u32, u32, u8)>,
    /// By timestamp, the awaited one first.
    held: VecDeque<(u32, Vec<u8>)>,
    /// Samples played, lost ones included.
    played: u64,
    lost: u64,
}

/// What is to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound<'a> {
    /// These samples.
    Samples(&'a [i16]),
    /// So many samples that did not come.
    Lost(u32),
}

/// A packet taken apart.
struct Packet<'a> {
    payload_type: u8,
    timestamp: u32,
    source: u32,
    payload: &'a [u8],
}

impl Codec {
    fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu { payload_type } | Self::Pcma { payload_type } => payload_type,
        }
    }

    fn octet(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu { .. } => g711::mu_law(sample),
            Self::Pcma { .. } => g711::a_law(sample),
        }
    }

    fn sample(self, octet: u8) -> i16 {
        match self {
            Self::Pcmu { .. } => g711::from_mu_law(octet),
            Self::Pcma { .. } => g711::from_a_law(octet),
        }
    }
}

impl Writer {
    /// Packets of a source; its number, and where numbers and timestamps begin, are to be random (RFC 3550 section 5.1).
    pub(super) fn new(codec: Codec, source: u32, number: u16, timestamp: u32) -> Self {
        Self {
            codec,
            source,
            number,
            timestamp,
            started: false,
        }
    }

    /// Goes on under what another session description says.
    pub(super) fn adapt(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// The packet of the next samples.
    pub(super) fn packet(&mut self, samples: &[i16]) -> Vec<u8> {
        let marker = if self.started { 0 } else { 0x80 };
        self.started = true;
        let mut packet = Vec::with_capacity(HEADER + samples.len());
        packet.extend_from_slice(&[0x80, marker | (self.codec.payload_type() & 0x7f)]);
        packet.extend_from_slice(&self.number.to_be_bytes());
        packet.extend_from_slice(&self.timestamp.to_be_bytes());
        packet.extend_from_slice(&self.source.to_be_bytes());
        packet.extend(samples.iter().map(|sample| self.codec.octet(*sample)));
        self.number = self.number.wrapping_add(1);
        let length = u32::try_from(samples.len()).unwrap_or(0);
        self.timestamp = self.timestamp.wrapping_add(length);
        packet
    }
}

impl Reader {
    /// Hears a source that codes its samples so.
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            playing: None,
            other: None,
            held: VecDeque::new(),
            played: 0,
            lost: 0,
        }
    }

    /// Goes on under what another session description says.
    pub(super) fn adapt(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Takes a packet in. The answer is how many samples it has for us; `None` if it is no RTP of this codec.
    pub(super) fn take(&mut self, packet: &[u8]) -> Option<usize> {
        let packet = Packet::parse(packet)?;
        if packet.payload_type != self.codec.payload_type() & 0x7f {
            return None;
        }
        let length = packet.payload.len();
        if length == 0 || length > LONGEST {
            return None;
        }
        let away = self
            .playing
            .filter(|(source, _)| *source == packet.source)
            .map(|(_, next)| packet.timestamp.wrapping_sub(next));
        match away {
            Some(ahead) if ahead <= NEAR => self.hold(&packet),
            // Late: it was given up. All of them late: we are ahead of the far end, and would stay so.
            Some(ahead) if ahead.wrapping_neg() <= NEAR => self.hear_another(&packet, RUN_LATE),
            Some(_) | None => self.hear_another(&packet, RUN),
        }
        Some(length)
    }

    /// Another place in time is believed when it goes on for so long, and at once if nobody was heard before.
    fn hear_another(&mut self, packet: &Packet<'_>, long: u8) {
        let next = packet
            .timestamp
            .wrapping_add(u32::try_from(packet.payload.len()).unwrap_or(0));
        let run = match self.other {
            Some((source, awaited, run))
                if (source, awaited) == (packet.source, packet.timestamp) =>
            {
                run.saturating_add(1)
            }
            Some(_) | None => 1,
        };
        self.other = Some((packet.source, next, run));
        if self.playing.is_none() || run >= long {
            self.playing = Some((packet.source, packet.timestamp));
            self.other = None;
            self.held.clear();
            self.hold(packet);
        }
    }

    fn hold(&mut self, packet: &Packet<'_>) {
        let Some((_, next)) = self.playing else {
            return;
        };
        let ahead = |timestamp: u32| timestamp.wrapping_sub(next);
        let before = |(timestamp, _): &(u32, Vec<u8>)| ahead(*timestamp) < ahead(packet.timestamp);
        let at = self.held.partition_point(before);
        let repeated = self
            .held
            .get(at)
            .is_some_and(|(t, _)| *t == packet.timestamp);
        if !repeated {
            self.held
                .insert(at, (packet.timestamp, packet.payload.to_vec()));
        }
    }

    /// Plays what is in order. `due` is how many samples should have been played since the beginning: those that are too late
    /// are lost.
    pub(super) fn play(&mut self, due: u64, mut hear: impl FnMut(Sound<'_>)) {
        loop {
            let too_late = due.saturating_sub(self.played) > LATE;
            let (lost, length) = match (self.playing, self.held.front()) {
                (Some((_, next)), Some((timestamp, payload))) => {
                    let missing = timestamp.wrapping_sub(next);
                    // What overlaps with samples that were played already.
                    if missing > NEAR {
                        self.held.pop_front();
                        continue;
                    }
                    if missing > 0 && self.held.len() < HELD && !too_late {
                        return;
                    }
                    let samples: Vec<i16> = payload
                        .iter()
                        .map(|octet| self.codec.sample(*octet))
                        .collect();
                    if missing > 0 {
                        hear(Sound::Lost(missing));
                    }
                    hear(Sound::Samples(&samples));
                    self.held.pop_front();
                    (missing, samples.len())
                }
                (Some(_) | None, _) if too_late => {
                    hear(Sound::Lost(BLOCK as u32));
                    (BLOCK as u32, 0)
                }
                (Some(_) | None, _) => return,
            };
            let passed = lost.wrapping_add(u32::try_from(length).unwrap_or(0));
            self.played += u64::from(passed);
            if let Some((_, next)) = &mut self.playing {
                *next = next.wrapping_add(passed);
                self.lost += u64::from(lost);
            }
        }
    }

    /// Packets of 20 ms that never came, or too late.
    pub(super) fn lost(&self) -> u64 {
        self.lost / BLOCK as u64
    }
}

impl<'a> Packet<'a> {
    /// RFC 3550 section 5.1; `None` if the octets are no RTP.
    fn parse(octets: &'a [u8]) -> Option<Self> {
        let (header, rest) = octets.split_first_chunk::<HEADER>()?;
        let [first, second, _, _, t0, t1, t2, t3, s0, s1, s2, s3] = *header;
        if first >> 6 != 2 {
            return None;
        }
        let contributors = 4 * usize::from(first & 0x0f);
        let mut payload = rest.get(contributors..)?;
        if first & 0x10 != 0 {
            let ([_, _, high, low], after) = payload.split_first_chunk::<4>()?;
            let words = usize::from(u16::from_be_bytes([*high, *low]));
            payload = after.get(4 * words..)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Some(Self {
            payload_type: second & 0x7f,
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            source: u32::from_be_bytes([s0, s1, s2, s3]),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PCMU: Codec = Codec::Pcmu { payload_type: 0 };

    /// Packets whose samples tell their number.
    fn packets(count: u8) -> Vec<Vec<u8>> {
        let mut writer = Writer::new(PCMU, 7, 65_530, u32::MAX - 400);
        let sample = |n: u8| g711::from_mu_law(0x80 + n);
        (0..count)
            .map(|n| writer.packet(&[sample(n); BLOCK]))
            .collect()
    }

    /// What is heard: the number of each packet, or -1 for 20 ms that are lost.
    fn heard(reader: &mut Reader, due: u64) -> Vec<i32> {
        let mut heard = Vec::new();
        reader.play(due, |sound| match sound {
            Sound::Samples(samples) => heard.push(i32::from(PCMU.octet(samples[0])) - 0x80),
            Sound::Lost(samples) => heard.extend(vec![-1; samples as usize / BLOCK]),
        });
        heard
    }

    fn in_order(order: &[usize], due: u64) -> Vec<i32> {
        let (packets, mut reader) = (packets(20), Reader::new(PCMU));
        let mut all = Vec::new();
        for at in order {
            assert_eq!(reader.take(&packets[*at]), Some(BLOCK));
            all.extend(heard(&mut reader, due));
        }
        all
    }

    #[test]
    fn packets_are_heard_once_and_in_order_across_the_wrap() {
        assert_eq!(
            in_order(&[0, 1, 3, 2, 2, 3, 4, 6, 7, 5], 0),
            [0, 1, 2, 3, 4, 5, 6, 7]
        );
    }

    #[test]
    fn a_lost_packet_is_a_hole_of_its_length_once_enough_came_after_it() {
        assert_eq!(in_order(&[0, 2, 3, 4], 0), [0]);
        assert_eq!(in_order(&[0, 2, 3, 4, 5], 0), [0, -1, 2, 3, 4, 5]);
        // It comes after all, and is dropped: there is no slip.
        assert_eq!(in_order(&[0, 2, 3, 4, 5, 1, 6], 0), [0, -1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn silence_is_heard_as_loss_so_that_the_clock_of_the_engine_goes_on() {
        let (packets, mut reader) = (packets(20), Reader::new(PCMU));
        assert_eq!(heard(&mut reader, LATE + 160), [-1]);
        assert_eq!(reader.lost(), 0, "nobody has spoken yet");
        reader.take(&packets[0]);
        assert_eq!(heard(&mut reader, LATE + 160), [0]);
        assert_eq!(heard(&mut reader, LATE + 480), [-1]);
        // Packet 1 was given up; 2 is in time.
        reader.take(&packets[1]);
        reader.take(&packets[2]);
        assert_eq!(heard(&mut reader, LATE + 480), [2]);
        assert_eq!(reader.lost(), 1);
    }

    #[test]
    fn another_source_is_heard_when_it_goes_on() {
        let (mut reader, mut other) = (Reader::new(PCMU), Writer::new(PCMU, 8, 0, 1 << 30));
        reader.take(&packets(1)[0]);
        assert_eq!(heard(&mut reader, 0), [0]);
        let silence = [0; BLOCK];
        for expected in [0, 0, 1, 1] {
            reader.take(&other.packet(&silence));
            assert_eq!(heard(&mut reader, 0).len(), expected);
        }
    }

    #[test]
    fn what_stands_around_the_samples_is_taken_off() {
        let plain = packets(1).remove(0);
        let mut dressed = plain[..12].to_vec();
        dressed[0] = 0x80 | 0x20 | 0x10 | 2;
        dressed.extend_from_slice(&[1; 8]);
        dressed.extend_from_slice(&[0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        dressed.extend_from_slice(&plain[12..]);
        dressed.extend_from_slice(&[0, 0, 3]);
        let mut reader = Reader::new(PCMU);
        assert_eq!(reader.take(&dressed), Some(BLOCK));
        assert_eq!(heard(&mut reader, 0), [0]);
    }

    #[test]
    fn other_payloads_are_not_heard() {
        let mut reader = Reader::new(Codec::Pcma { payload_type: 8 });
        assert_eq!(reader.take(&packets(1)[0]), None);
        assert_eq!(reader.take(b"\0\x06\x01\x02"), None);
        assert_eq!(reader.take(&packets(1)[0][..12]), None);
    }

    #[test]
    fn a_reader_that_got_ahead_of_the_far_end_comes_back_to_it() {
        let (mut writer, mut reader) = (Writer::new(PCMU, 7, 0, 0), Reader::new(PCMU));
        let mut due = 0;
        for round in 0..40 {
            let mut packet = writer.packet(&[0; BLOCK]);
            match round {
                // Two seconds ahead, and then nothing for longer than we wait.
                1 => packet[4..8].copy_from_slice(&NEAR.to_be_bytes()),
                2..15 => packet.truncate(1),
                _ => {}
            }
            reader.take(&packet);
            due += BLOCK as u64;
            reader.play(due, |_| {});
        }
        let mut whole = 0;
        for _ in 0..20 {
            reader.take(&writer.packet(&[0; BLOCK]));
            due += BLOCK as u64;
            reader.play(due, |sound| {
                whole += u32::from(matches!(sound, Sound::Samples(_)))
            });
        }
        assert!(whole >= 19, "{whole}");
    }

    proptest! {
        #[test]
        fn mutated_packets_never_panic_and_true_ones_are_heard_again(
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..100)
        ) {
            let (mut writer, mut reader) = (Writer::new(PCMU, 7, 0, 0), Reader::new(PCMU));
            let mut due = 0;
            for (at, byte, kind) in damages {
                let mut packet = writer.packet(&[0; BLOCK]);
                let at = at.index(packet.len());
                match kind {
                    0 => packet[at] = byte,
                    1 => packet.truncate(at),
                    _ => {}
                }
                reader.take(&packet);
                due += BLOCK as u64;
                reader.play(due, |_| {});
            }
            let mut whole = 0;
            for _ in 0..150 {
                reader.take(&writer.packet(&[0; BLOCK]));
                due += BLOCK as u64;
                reader.play(due, |sound| whole += u32::from(matches!(sound, Sound::Samples(_))));
            }
            prop_assert!(whole > 20, "{whole}");
            prop_assert!(reader.held.len() <= HELD);
        }
    }
}
