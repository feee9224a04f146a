//! Where bytes from the client stand for a moment.

use zeroize::Zeroize;

/// Bytes as they come from the client, wiped before the memory is given back.
#[derive(Default)]
pub(super) struct Buffer {
    /// The room for them; what was read stands at its beginning.
    pub(super) bytes: Vec<u8>,
    /// How many bytes from the start were ever written.
    used: usize,
}

impl Buffer {
    /// Room for so many.
    pub(super) fn of(size: usize) -> Self {
        Self {
            bytes: vec![0; size],
            used: 0,
        }
    }

    /// Takes the size that the next read wants: small while idle, larger the more a message fills.
    pub(super) fn suit(&mut self, in_data: bool) {
        let size = match self.bytes.len() {
            _ if !in_data => IDLE_READ,
            size if size < FIRST_READ => FIRST_READ,
            size if self.used == size => FULL_READ,
            size => size,
        };
        if size != self.bytes.len() {
            *self = Self::of(size);
        }
    }

    /// Forgets what was read: a password may have been in it.
    pub(super) fn wipe(&mut self) {
        if let Some(used) = self.bytes.get_mut(..self.used) {
            used.zeroize();
        }
        self.used = 0;
    }

    /// So many were read.
    pub(super) fn filled(&mut self, read: usize) {
        self.used = self.used.max(read);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Bytes read at a time while a command is awaited.
pub(super) const IDLE_READ: usize = 1024;
/// Bytes read at a time at the beginning of a message.
const FIRST_READ: usize = 8 * 1024;
/// Bytes read at a time once a message has filled the first buffer.
const FULL_READ: usize = 64 * 1024;
