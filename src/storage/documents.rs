//! The documents of one submission as one run of bytes: small ones live in the batch's row, large
//! ones in a file.

use serde::Deserialize;
use serde::Serialize;

use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::storage::StorageError;

/// Up to this many bytes documents live in the database row; beyond, a file is faster (measured).
pub const LARGEST_IN_ROW: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
struct Entry {
    name: Option<String>,
    kind: String,
    media_type: String,
    length: usize,
}

/// `documents` as bytes: the length of a JSON index, the index, then the contents in order.
///
/// # Errors
/// [`StorageError::Damaged`] if the index cannot be written, which no document causes.
pub fn pack(documents: &[Document]) -> Result<Vec<u8>, StorageError> {
    let entries = documents.iter().map(|document| Entry {
        name: document.name.clone(),
        kind: document.kind.as_str().to_owned(),
        media_type: document.media_type.clone(),
        length: document.bytes.len(),
    });
    let index = serde_json::to_vec(&entries.collect::<Vec<_>>()).map_err(damaged)?;
    let length = u32::try_from(index.len()).map_err(damaged)?;
    let contents: usize = documents.iter().map(|d| d.bytes.len()).sum();
    let mut packed = Vec::with_capacity(4 + index.len() + contents);
    packed.extend_from_slice(&length.to_le_bytes());
    packed.extend_from_slice(&index);
    for document in documents {
        packed.extend_from_slice(&document.bytes);
    }
    Ok(packed)
}

/// The documents that [`pack`] packed.
///
/// # Errors
/// [`StorageError::Damaged`] if these are not such bytes.
pub fn unpack(packed: &[u8]) -> Result<Vec<Document>, StorageError> {
    let cut = || damaged("documents are cut off");
    let (length, rest) = packed.split_first_chunk::<4>().ok_or_else(cut)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(damaged)?;
    let (index, mut rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let entries: Vec<Entry> = serde_json::from_slice(index).map_err(damaged)?;
    let mut documents = Vec::with_capacity(entries.len());
    for entry in entries {
        let (bytes, after) = rest.split_at_checked(entry.length).ok_or_else(cut)?;
        rest = after;
        documents.push(Document {
            name: entry.name,
            kind: DocumentKind::from_word(&entry.kind),
            media_type: entry.media_type,
            bytes: bytes.to_vec(),
        });
    }
    Ok(documents)
}

fn damaged(error: impl ToString) -> StorageError {
    StorageError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back_as_they_were() {
        let documents = [
            Document {
                name: None,
                kind: DocumentKind::Text,
                media_type: "text/plain".into(),
                bytes: "御見積".into(),
            },
            Document {
                name: Some("a.pdf".into()),
                kind: DocumentKind::Pdf,
                media_type: "application/pdf".into(),
                bytes: vec![0, 1, 2],
            },
        ];
        let packed = pack(&documents).unwrap();
        assert_eq!(unpack(&packed).unwrap(), documents);
        assert!(unpack(&packed[..packed.len() - 1]).is_err());
        assert!(unpack(&[9, 9]).is_err());
    }
}
