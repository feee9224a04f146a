//! One direction of the line: datagrams that repeat the three packets before (T.38 section 9.1), some of them lost.

use crate::transmit::line::udptl::Reader;
use crate::transmit::line::udptl::Writer;

/// How many earlier packets a datagram repeats; with fewer, faxes fail at a loss of 5 %.
const REDUNDANCY: u8 = 3;

/// A packet that arrives, with its sequence number.
pub(super) type Arrival = (Vec<u8>, u16);

/// One direction.
pub(super) struct Lane {
    writer: Writer,
    reader: Reader,
    /// Of a hundred datagrams so many are lost.
    loss: u8,
    dice: u64,
    /// Nothing gets through any more.
    pub(super) cut: bool,
}

impl Lane {
    /// A lane that loses so many of a hundred datagrams; the same `seed` loses the same ones.
    pub(super) fn new(loss: u8, seed: u64) -> Self {
        Self {
            // In memory no datagram is too long.
            writer: Writer::new(REDUNDANCY, u16::MAX),
            reader: Reader::default(),
            loss,
            dice: seed,
            cut: false,
        }
    }

    /// Sends a packet in so many equal datagrams; what arrives by that, in order, is added to `arrived`.
    pub(super) fn carry(&mut self, ifp: &[u8], copies: u32, arrived: &mut Vec<Arrival>) {
        let Some(datagram) = self.writer.datagram(ifp) else {
            return;
        };
        for _ in 0..copies {
            if self.cut || self.throw() < u64::from(self.loss) {
                continue;
            }
            self.reader.read(&datagram, |packet, number| {
                arrived.push((packet.to_vec(), number));
            });
        }
    }

    /// 0 to 99 (the generator of SplitMix64).
    fn throw(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequence numbers that arrive of so many packets.
    fn arrivals(lane: &mut Lane, packets: usize) -> Vec<u16> {
        let mut arrived = Vec::new();
        for packet in 0..packets {
            lane.carry(&packet.to_be_bytes(), 1, &mut arrived);
        }
        for (bytes, number) in &arrived {
            let packet = usize::from_be_bytes(bytes.as_slice().try_into().unwrap());
            assert_eq!(packet & 0xffff, usize::from(*number));
        }
        arrived.into_iter().map(|(_, number)| number).collect()
    }

    #[test]
    fn what_is_lost_comes_with_the_next_datagram_that_is_not() {
        let all: Vec<u16> = (0..100).collect();
        assert_eq!(arrivals(&mut Lane::new(0, 1), 100), all);
        let few = arrivals(&mut Lane::new(5, 1), 100);
        assert_eq!(few, all[..few.len()]);
        assert!(few.len() > 95);
        let half = arrivals(&mut Lane::new(50, 1), 10_000);
        assert!((9_000..9_700).contains(&half.len()), "{}", half.len());
        assert!(half.is_sorted());
    }

    #[test]
    fn numbers_go_on_behind_the_sixteenth_bit() {
        let numbers = arrivals(&mut Lane::new(0, 1), 70_000);
        assert_eq!(numbers.len(), 70_000);
        assert_eq!(numbers[65_535..65_537], [65_535, 0]);
    }

    #[test]
    fn the_same_seed_loses_the_same_datagrams() {
        let lost = |seed| arrivals(&mut Lane::new(60, seed), 500);
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }

    #[test]
    fn nothing_passes_a_cut() {
        let mut lane = Lane::new(0, 1);
        arrivals(&mut lane, 3);
        lane.cut = true;
        assert!(arrivals(&mut lane, 3).is_empty());
    }
}
