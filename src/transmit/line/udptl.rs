//! UDPTL: T.38 packets in datagrams, each with some of the packets before it (T.38 section 9.1).
//!
//! A datagram is a number of 16 bits, a packet (IFP), and either a list of earlier packets, the latest first, or parity over them
//! (FEC). We send the list; of parity we take the packet and leave the rest: who sends it has offered the list as well.

use std::collections::VecDeque;

use super::sequence::Place;
use super::sequence::Sequence;

/// Earlier packets in one datagram that are believed: more than anybody sends.
const MOST_EARLIER: usize = 64;
/// The bit of the second part that says parity.
const PARITY: u8 = 0x80;
/// The longest packet whose length takes two octets (X.691 section 11.9).
const LONGEST: usize = 0x3fff;

/// Makes datagrams.
#[derive(Debug)]
pub(in crate::transmit) struct Writer {
    number: u16,
    /// The packets before, the latest first.
    earlier: VecDeque<Vec<u8>>,
    redundancy: usize,
    longest: usize,
}

/// Takes datagrams apart.
#[derive(Debug, Default)]
pub(in crate::transmit) struct Reader {
    sequence: Sequence,
    lost: u64,
}

/// A datagram taken apart.
struct Datagram<'a> {
    number: u16,
    packet: &'a [u8],
    earlier: Vec<&'a [u8]>,
}

impl Writer {
    /// Datagrams with so many earlier packets, and at most so many octets long.
    pub(in crate::transmit) fn new(redundancy: u8, longest: u16) -> Self {
        Self {
            number: 0,
            earlier: VecDeque::new(),
            redundancy: usize::from(redundancy),
            longest: usize::from(longest),
        }
    }

    /// Goes on under what another session description says.
    pub(super) fn adapt(&mut self, redundancy: u8, longest: u16) {
        self.redundancy = usize::from(redundancy);
        self.longest = usize::from(longest);
    }

    /// The datagram of the next packet; the oldest of the earlier ones are left out if it would be too long. `None` for a packet
    /// that no datagram takes.
    pub(in crate::transmit) fn datagram(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = Vec::with_capacity(64);
        datagram.extend_from_slice(&self.number.to_be_bytes());
        put(&mut datagram, packet)?;
        datagram.push(0);
        let room = self.longest.saturating_sub(datagram.len() + 1);
        let mut used = 0;
        let fitting = self.earlier.iter().take(self.redundancy).take_while(|one| {
            used += one.len() + if one.len() < 0x80 { 1 } else { 2 };
            used <= room
        });
        let fitting = fitting.count();
        // At most 255, and a list of more than 127 would never fit.
        datagram.push(u8::try_from(fitting).ok().filter(|count| *count < 0x80)?);
        for one in self.earlier.iter().take(fitting) {
            put(&mut datagram, one)?;
        }
        self.number = self.number.wrapping_add(1);
        self.earlier.push_front(packet.to_vec());
        self.earlier.truncate(self.redundancy);
        Some(datagram)
    }
}

impl Reader {
    /// Hands over the packets of a datagram that have not come yet, the oldest first, with their numbers.
    ///
    /// `false` if it is no UDPTL.
    pub(in crate::transmit) fn read(
        &mut self,
        datagram: &[u8],
        mut take: impl FnMut(&[u8], u16),
    ) -> bool {
        let Some(datagram) = Datagram::parse(datagram) else {
            return false;
        };
        let wanted = match self.sequence.place(datagram.number) {
            // What came just before a new numbering was believed was not handed over.
            Place::First => datagram.earlier.len(),
            Place::After(missing) => usize::from(missing),
            Place::Passed | Place::Strange => return true,
        };
        let found = wanted.min(datagram.earlier.len());
        self.lost += (wanted - found) as u64;
        for (back, packet) in (1_u16..)
            .zip(&datagram.earlier)
            .take(found)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            take(packet, datagram.number.wrapping_sub(back));
        }
        take(datagram.packet, datagram.number);
        true
    }

    /// Packets that never came.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

impl<'a> Datagram<'a> {
    /// `None` if the octets are no datagram or something is left over.
    fn parse(octets: &'a [u8]) -> Option<Self> {
        let (number, mut rest) = octets.split_first_chunk::<2>()?;
        let packet = get(&mut rest)?;
        let mut earlier = Vec::new();
        if let Some((kind, list)) = rest.split_first() {
            rest = list;
            if kind & PARITY != 0 {
                rest = &[];
            } else {
                let count = get_length(&mut rest).filter(|count| *count <= MOST_EARLIER)?;
                for _ in 0..count {
                    earlier.push(get(&mut rest)?);
                }
            }
        }
        rest.is_empty().then(|| Self {
            number: u16::from_be_bytes(*number),
            packet,
            earlier,
        })
    }
}

/// An open type: its length and its octets (X.691 section 11.2).
fn put(to: &mut Vec<u8>, octets: &[u8]) -> Option<()> {
    let length = u16::try_from(octets.len()).ok()?;
    match length.to_be_bytes() {
        [0, low] if low < 0x80 => to.push(low),
        [high, low] if usize::from(length) <= LONGEST => to.extend_from_slice(&[high | 0x80, low]),
        _ => return None,
    }
    to.extend_from_slice(octets);
    Some(())
}

fn get<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = get_length(from)?;
    let (octets, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(octets)
}

/// A length of one or two octets; one in fragments is no fax packet.
fn get_length(from: &mut &[u8]) -> Option<usize> {
    let (first, rest) = from.split_first()?;
    *from = rest;
    if first & 0x80 == 0 {
        return Some(usize::from(*first));
    }
    if first & 0x40 != 0 {
        return None;
    }
    let (second, rest) = from.split_first()?;
    *from = rest;
    Some(usize::from(first & 0x3f) << 8 | usize::from(*second))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What arrives of `count` packets, each with its number in it, of which `lost` says which datagrams are lost.
    fn arrived(count: u16, redundancy: u8, lost: impl Fn(u16) -> bool) -> (Vec<u16>, u64) {
        let (mut writer, mut reader) = (Writer::new(redundancy, 400), Reader::default());
        writer.number = 65_500;
        let mut arrived = Vec::new();
        for n in 0..count {
            let datagram = writer.datagram(&n.to_be_bytes()).unwrap();
            if !lost(n) {
                assert!(reader.read(&datagram, |packet, number| {
                    let n = u16::from_be_bytes(packet.try_into().unwrap());
                    assert_eq!(number, n.wrapping_add(65_500));
                    arrived.push(n);
                }));
            }
        }
        (arrived, reader.lost())
    }

    #[test]
    fn three_lost_in_a_row_come_with_the_next_one_across_the_wrap() {
        let all: Vec<u16> = (0..100).collect();
        assert_eq!(arrived(100, 3, |n| n % 4 != 3 && n > 0), (all, 0));
    }

    #[test]
    fn more_than_the_redundancy_is_lost_and_counted() {
        let (arrived, lost) = arrived(20, 1, |n| (5..8).contains(&n));
        assert_eq!((arrived.len(), lost), (18, 2));
        assert!(arrived.contains(&7) && !arrived.contains(&6));
    }

    #[test]
    fn what_comes_twice_or_late_is_handed_over_once() {
        let (mut writer, mut reader) = (Writer::new(3, 400), Reader::default());
        let datagrams: Vec<_> = (0..4_u8).map(|n| writer.datagram(&[n]).unwrap()).collect();
        let mut seen = Vec::new();
        for at in [0, 0, 2, 1, 2, 3, 3, 3] {
            assert!(reader.read(&datagrams[at], |packet, _| seen.push(packet[0])));
        }
        assert_eq!(seen, [0, 1, 2, 3]);
    }

    #[test]
    fn no_datagram_is_longer_than_the_far_end_takes() {
        let mut writer = Writer::new(3, 72);
        for length in [40, 40, 25, 10, 60, 66, 5] {
            assert!(writer.datagram(&vec![7; length]).unwrap().len() <= 72);
        }
        // A packet alone is sent whatever its length: without it the call is lost for certain.
        assert_eq!(writer.datagram(&[7; 200]).unwrap().len(), 2 + 2 + 200 + 2);
        assert!(writer.datagram(&vec![7; LONGEST + 1]).is_none());
    }

    #[test]
    fn of_parity_the_packet_is_taken() {
        let mut seen = Vec::new();
        let datagram = [0, 9, 2, 6, 1, 0x80, 1, 3, 1, 2, 0xaa, 0xbb];
        assert!(Reader::default().read(&datagram, |packet, number| {
            seen.push((packet.to_vec(), number))
        }));
        assert_eq!(seen, [(vec![6, 1], 9)]);
    }

    #[test]
    fn what_is_no_udptl_is_refused() {
        let rtp = [&[0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4][..], &[0xff; 160]].concat();
        for junk in [
            &[][..],
            &[0],
            &[0, 1],
            &[0, 1, 5, 1],
            &[0, 1, 0xc0, 1],
            &[0, 1, 1, 7, 0, 1],
            &[0, 1, 1, 7, 0, 0, 9],
            &rtp,
        ] {
            assert!(
                !Reader::default().read(junk, |_, _| panic!("{junk:?}")),
                "{junk:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn mutated_datagrams_never_panic_and_true_ones_are_heard_again(
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..200)
        ) {
            let (mut writer, mut reader) = (Writer::new(3, 400), Reader::default());
            for (at, byte, kind) in damages {
                let mut datagram = writer.datagram(&[byte; 20]).unwrap();
                let at = at.index(datagram.len());
                match kind {
                    0 => datagram[at] = byte,
                    1 => datagram.truncate(at),
                    2 => datagram.insert(at, byte),
                    _ => {}
                }
                reader.read(&datagram, |_, _| {});
            }
            let mut heard = 0;
            // A damaged number may be up to a thousand ahead of the true ones, and then some are taken for late ones.
            for _ in 0..200 {
                let datagram = writer.datagram(b"true").unwrap();
                reader.read(&datagram, |packet, _| heard += u32::from(packet == b"true"));
            }
            prop_assert!(heard >= 90, "{heard}");
        }

        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            Reader::default().read(&octets, |_, _| {});
        }
    }
}
