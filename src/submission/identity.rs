//! What makes two mails the same mail (promise P4).

use super::header;
use crate::fax::Document;

/// Fields that relays add or change on the way; two transactions of one mail differ in them.
const TRACE: [&str; 9] = [
    "received",
    "return-path",
    "delivered-to",
    "x-original-to",
    "x-received",
    "received-spf",
    "authentication-results",
    "dkim-signature",
    "x-google-dkim-signature",
];

/// The message `raw` without its trace fields, for the keyed hash that is a strike's identity. It may hold
/// a password: nothing of it may be stored or hashed without a key.
pub fn strike_material(raw: &[u8]) -> Vec<&[u8]> {
    let Ok((header, body)) = header::split(raw, usize::MAX) else {
        return vec![raw];
    };
    let mut slices: Vec<&[u8]> = header
        .wholes()
        .filter(|(name, _)| !is_trace(name))
        .map(|(_, whole)| whole)
        .collect();
    slices.push(body);
    slices
}

/// The hash of what is kept: the scrubbed subject and body, and the documents with their names.
pub(super) fn content_hash(subject: &str, body: &str, documents: &[Document]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        // The length keeps two neighbours from being read as other two.
        hasher.update(&bytes.len().to_be_bytes());
        hasher.update(bytes);
    };
    add(subject.as_bytes());
    add(body.as_bytes());
    for document in documents {
        add(document.name.as_deref().unwrap_or_default().as_bytes());
        add(document.kind.as_str().as_bytes());
        add(&document.bytes);
    }
    *hasher.finalize().as_bytes()
}

fn is_trace(name: &[u8]) -> bool {
    let arc = name
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"arc-"));
    arc || TRACE
        .iter()
        .any(|trace| name.eq_ignore_ascii_case(trace.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p4_a_second_relay_changes_nothing_and_the_body_everything() {
        let own = "Subject: a\r\nMessage-ID: <1@x>\r\n\r\npassword: x\r\n";
        let relayed = format!(
            "Return-Path: <a@b>\r\nReceived: from a\r\n\tby b; now\r\nARC-Seal: i=1\r\n\
             DKIM-Signature: v=1;\r\n b=x\r\n{own}"
        );
        let material = |raw: &str| strike_material(raw.as_bytes()).concat();
        assert_eq!(material(&relayed), material(own));
        assert_ne!(material(&own.replace(": x", ": y")), material(own));
        assert_ne!(material(&own.replace("<1@", "<2@")), material(own));
    }

    #[test]
    fn contents_that_differ_anywhere_have_another_hash() {
        let document = |name: &str, bytes: &str| Document {
            name: Some(name.into()),
            kind: crate::fax::DocumentKind::Text,
            media_type: "text/plain".into(),
            bytes: bytes.into(),
        };
        let hashes = [
            content_hash("a", "b", &[]),
            content_hash("ab", "", &[]),
            content_hash("a", "b", &[document("c", "d")]),
            content_hash("a", "b", &[document("cd", "")]),
            content_hash("a", "b", &[document("", ""), document("c", "d")]),
        ];
        for (n, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..n].contains(hash), "{n}");
        }
    }
}
