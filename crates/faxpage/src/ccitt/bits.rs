//! Code words joined into bytes, the first bit in the highest place.

use super::tables::Code;

/// A growing string of bits.
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The bits that do not fill four bytes yet, right-aligned.
    pending: u64,
    /// How many there are: fewer than 32.
    count: u32,
}

impl BitWriter {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(64 * 1024),
            pending: 0,
            count: 0,
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, code: Code) {
        self.pending = self.pending << code.length | u64::from(code.bits);
        self.count += u32::from(code.length);
        if self.count >= 32 {
            self.count -= 32;
            let full = (self.pending >> self.count) as u32;
            self.bytes.extend_from_slice(&full.to_be_bytes());
        }
    }

    /// The bytes, the last one filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let left = (self.pending << (32 - self.count)) as u32;
        let used = self.count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&left.to_be_bytes()[..used]);
        self.bytes
    }
}
