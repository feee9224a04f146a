//! What makes two mails the same mail (promise P4).

use super::header;
use crate::fax::Document;
use crate::secret::Secret;

/// The fields that a person or a program writes; relays add others, and so does whoever sends a captured
/// mail again.
const OWN: [&str; 6] = ["from", "to", "cc", "subject", "date", "message-id"];

/// What makes a mail with a wrong password the one that was counted before.
///
/// Its own fields, its body, and the password that was read in it. White space says nothing, since signatures hold without it, and
/// of several fields the last one counts, as it does for signatures. How the body reads is in the
/// password: one body that reads in many ways is many guesses, and one that reads the same is one.
/// In memory only: nothing of it may be stored but under a key.
pub fn strike_material(raw: &[u8], password: &Secret) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let body = match header::split(raw, usize::MAX) {
        Ok((header, body)) => {
            for name in OWN {
                let value = header.last(name);
                hasher.update(&[u8::from(value.is_some())]);
                add_black(&mut hasher, value.unwrap_or_default());
            }
            body
        }
        Err(_) => raw,
    };
    add_black(&mut hasher, body);
    hasher.update(password.expose().as_bytes());
    *hasher.finalize().as_bytes()
}

/// Adds what of `bytes` is no white space, and an end that is none of it.
fn add_black(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    for word in bytes.split(u8::is_ascii_whitespace) {
        hasher.update(word);
    }
    hasher.update(b"\n");
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

/// What makes what was composed in a browser the same again: the draft that it was seen as.
pub fn draft_hash(draft: i64, reference: &str, documents: &[Document]) -> [u8; 32] {
    content_hash(&format!("draft {draft} {reference}"), "", documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material(raw: &str) -> [u8; 32] {
        strike_material(raw.as_bytes(), &Secret::new("x".to_owned()))
    }

    const MAIL: &str = "Subject: a\r\nMessage-ID: <1@x>\r\n\r\npassword: x\r\n\r\ntext\r\n";

    #[test]
    fn p4_what_relays_and_captors_add_changes_nothing() {
        let added = [
            "Return-Path: <a@b>\r\nReceived: from a\r\n\tby b; now\r\nARC-Seal: i=1\r\n",
            "DKIM-Signature: v=1;\r\n b=x\r\n",
            "X-N: 1\r\n",
            "Content-Type: text/plain; x=1\r\n",
            "Subject: on top\r\n",
        ];
        for field in added {
            assert_eq!(
                material(&format!("{field}{MAIL}")),
                material(MAIL),
                "{field}"
            );
        }
        for (one, other) in [
            ("text\r\n", "text\r\n\r\n\r\n"),
            ("text\r\n", "text \t\r\n"),
            ("Subject: a", "subject:  \r\n\ta "),
        ] {
            assert_eq!(
                material(&MAIL.replace(one, other)),
                material(MAIL),
                "{other:?}"
            );
        }
    }

    #[test]
    fn p4_another_mail_is_another() {
        for (one, other) in [
            (": x", ": y"),
            ("text", "test"),
            ("<1@", "<2@"),
            ("Subject: a", "Subject: b"),
            ("Subject: a", "To: a"),
            ("Subject: a", "Date: today\r\nSubject: a"),
        ] {
            assert_ne!(
                material(&MAIL.replace(one, other)),
                material(MAIL),
                "{other}"
            );
        }
        let bare = |body: &str| material(&format!("To: a\r\n\r\n{body}"));
        assert_ne!(bare("one"), bare("two"), "without Message-ID and Date");
        assert_eq!(bare("one"), bare("one"));
    }

    #[test]
    fn one_body_that_reads_in_two_ways_is_two_guesses() {
        let of =
            |password: &str| strike_material(MAIL.as_bytes(), &Secret::new(password.to_owned()));
        assert_ne!(of("one"), of("two"));
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
