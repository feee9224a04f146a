//! What parent and worker say to each other: frames of a length (32 bits, little-endian) and bytes.
//!
//! Parent: [`Budget`]. Worker: [`crate::confine::Confinement`]. Parent, if that satisfies it: [`Request`] and one
//! frame for the bytes of each document. Worker: [`Reply`] several times, and after
//! [`Reply::Done`] one frame with the TIFF file.

use std::io;
use std::io::Read;
use std::io::Write;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::render::BadDocument;

/// No frame is longer: a fax of many photographs has some tens of megabytes.
pub(in crate::render) const LONGEST: u32 = 512 * 1024 * 1024;

/// What a worker may use up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::render) struct Budget {
    /// Address space in bytes.
    pub(in crate::render) memory: u64,
    /// Processor time in seconds.
    pub(in crate::render) cpu_seconds: u64,
}

/// The documents and how they are to become pages.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::render) struct Request {
    /// The word of the resolution.
    pub(in crate::render) resolution: String,
    /// Font size of text in points.
    pub(in crate::render) points: u8,
    /// Most pages of the fax.
    pub(in crate::render) max_pages: u32,
    /// Most pixels of one image.
    pub(in crate::render) max_pixels: u64,
    /// The documents; their bytes follow in frames of their own.
    pub(in crate::render) documents: Vec<Described>,
}

/// A document without its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::render) struct Described {
    /// The word of its kind.
    pub(in crate::render) kind: String,
    /// Its declared media type.
    pub(in crate::render) media_type: String,
}

/// What the worker answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::render) enum Reply {
    /// It now converts this document.
    Began {
        /// Counted from 0.
        document: usize,
    },
    /// This document is at fault; nothing follows.
    Refused {
        /// Counted from 0.
        document: usize,
        /// What is wrong with it.
        reason: BadDocument,
    },
    /// All is converted; the file follows.
    Done {
        /// Pages in the file.
        pages: u32,
    },
}

/// Writes one frame.
pub(in crate::render) fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&head(bytes)?)?;
    to.write_all(bytes)?;
    to.flush()
}

/// Writes one frame of JSON.
pub(in crate::render) fn write_json(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    write(to, &serde_json::to_vec(value)?)
}

/// Reads one frame.
pub(in crate::render) fn read(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let length = length(head)?;
    // Not allocated at once: the length is believed only as far as bytes come.
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads one frame of JSON.
pub(in crate::render) fn read_json<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    Ok(serde_json::from_slice(&read(from)?)?)
}

/// The length that begins a frame.
pub(in crate::render) fn head(bytes: &[u8]) -> io::Result<[u8; 4]> {
    match u32::try_from(bytes.len()) {
        Ok(length) if length <= LONGEST => Ok(length.to_le_bytes()),
        Ok(_) | Err(_) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// The length that a frame begins with, if frames may be so long.
pub(in crate::render) fn length(head: [u8; 4]) -> io::Result<u64> {
    match u32::from_le_bytes(head) {
        length if length <= LONGEST => Ok(u64::from(length)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back() {
        let mut wire = Vec::new();
        write(&mut wire, b"pages").unwrap();
        write_json(&mut wire, &Reply::Done { pages: 2 }).unwrap();
        let mut from = wire.as_slice();
        assert_eq!(read(&mut from).unwrap(), b"pages");
        assert_eq!(
            read_json::<Reply>(&mut from).unwrap(),
            Reply::Done { pages: 2 }
        );
        assert!(read(&mut from).is_err());
    }

    #[test]
    fn a_frame_that_ends_early_or_claims_too_much_is_an_error() {
        assert!(read(&mut [5, 0, 0, 0, b'a'].as_slice()).is_err());
        assert!(read(&mut [255, 255, 255, 255, b'a'].as_slice()).is_err());
    }
}
