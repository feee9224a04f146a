//! Datagrams of UDPTL (T.38 section 9.1) as another implementation makes them: without redundancy, which nothing is lost for.

/// One call's datagrams.
#[derive(Default)]
pub(crate) struct Datagrams {
    sequence: u16,
}

impl Datagrams {
    /// The datagram of a packet.
    pub(crate) fn write(&mut self, ifp: &[u8]) -> Vec<u8> {
        let mut datagram = self.sequence.to_be_bytes().to_vec();
        self.sequence = self.sequence.wrapping_add(1);
        match ifp.len() {
            length @ ..0x80 => datagram.push(length as u8),
            length => datagram.extend((0x8000 | length as u16).to_be_bytes()),
        }
        datagram.extend_from_slice(ifp);
        // Earlier packets follow: none.
        datagram.extend([0, 0]);
        datagram
    }

    /// The packet of a datagram and its number; the earlier ones that it repeats are left out.
    pub(crate) fn read<'a>(&self, datagram: &'a [u8]) -> Option<(&'a [u8], u16)> {
        let (sequence, rest) = datagram.split_first_chunk()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..0x80 => (usize::from(first), rest),
            _ => {
                let (&second, rest) = rest.split_first()?;
                (usize::from(first & 0x3f) << 8 | usize::from(second), rest)
            }
        };
        Some((rest.get(..length)?, u16::from_be_bytes(*sequence)))
    }
}
