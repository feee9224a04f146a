//! A message as the checks need it: its header, the hashes of its body, and the signatures that matter.

use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::crypto::HashAlgorithm;
use mail_auth::common::to_a_label;
use mail_auth::dkim::Canonicalization;
use zeroize::Zeroizing;

use super::judge::vouches;

/// Larger messages are hashed away from the event loop.
const SMALL: usize = 64 * 1024;
/// More header fields than a person's mail has: their signatures are not looked at.
const MOST_FIELDS: usize = 1000;
/// More fields than a signature needs to name.
const MOST_SIGNED: usize = 200;
/// Signatures that are looked at for one domain.
const MOST_SIGNATURES: usize = 3;

/// The hash of a body for one way to write it.
type BodyHash = (Canonicalization, HashAlgorithm, u64, Vec<u8>);

/// Hashes the body of `raw` in every way that a signature in it asks for.
pub(super) async fn body_hashes(raw: &mut Zeroizing<Vec<u8>>) -> Vec<BodyHash> {
    let hashes = |raw: &[u8]| {
        let parsed = AuthenticatedMessage::parse(raw);
        parsed.map(|message| message.body_hashes)
    };
    if raw.len() <= SMALL {
        return hashes(raw).unwrap_or_default();
    }
    let whole = std::mem::take(raw);
    let hashed = tokio::task::spawn_blocking(move || {
        let hashed = hashes(&whole);
        (whole, hashed)
    });
    match hashed.await {
        Ok((whole, hashed)) => {
            *raw = whole;
            hashed.unwrap_or_default()
        }
        Err(error) => {
            tracing::error!(%error, "hashing a message failed");
            Vec::new()
        }
    }
}

/// The header of `raw`, with the hashes of its body; `None` if it has none, or one that is too long.
pub(super) fn read(
    raw: &[u8],
    hashes: Vec<BodyHash>,
    max_header: usize,
) -> Option<AuthenticatedMessage<'_>> {
    let header = memchr::memmem::find(raw, b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
    let header = raw
        .get(..header)
        .filter(|header| header.len() <= max_header)?;
    let mut message = AuthenticatedMessage::parse(header)?;
    message.body_hashes = hashes;
    Some(message)
}

/// The signatures that can prove one of `domains`, each as a message of its own: they are verified side
/// by side, so that a slow key delays nobody else's. Others prove nothing here and are not asked for.
pub(super) fn signatures<'m>(
    message: &AuthenticatedMessage<'m>,
    domains: &[&str],
) -> Vec<AuthenticatedMessage<'m>> {
    if message.headers.len() > MOST_FIELDS || !has_one_from(message) {
        return Vec::new();
    }
    let mut wanted: Vec<usize> = Vec::new();
    for domain in domains {
        let near = message.dkim_headers.iter().enumerate();
        let near = near.map(|(at, field)| (at, &field.header));
        let near = near.filter(|(_, one)| is_sound(one.a, one.l, &one.h));
        let near = near.filter_map(|(at, one)| Some((distance(&to_a_label(&one.d), domain)?, at)));
        let mut near: Vec<(u8, usize)> = near.collect();
        near.sort_unstable();
        wanted.extend(near.iter().take(MOST_SIGNATURES).map(|(_, at)| at));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let alone = |at: usize| {
        let mut field = message.dkim_headers.get(at)?.clone();
        // Neither reports nor signatures of third parties are our business: both ask further names.
        (field.header.r, field.header.atps) = (false, None);
        Some(AuthenticatedMessage {
            dkim_headers: vec![field],
            errors: Vec::new(),
            ..message.clone()
        })
    };
    wanted.into_iter().filter_map(alone).collect()
}

/// Whether a signature that is right proves anything: not with a broken hash (RFC 8301 section 3.1), and
/// not of the beginning of a body only, to which anybody may add (RFC 6376 section 8.2).
pub(super) fn is_sound(algorithm: Algorithm, length: u64, signed: &[String]) -> bool {
    algorithm != Algorithm::RsaSha1 && length == 0 && covers_from(signed)
}

/// A signature must cover From (RFC 6376 section 5.4), and no more than a mail can have.
fn covers_from(signed: &[String]) -> bool {
    signed.len() <= MOST_SIGNED && signed.iter().any(|name| name.eq_ignore_ascii_case("from"))
}

/// Whether there is one From, spelled as signatures look for it: `From :` is a From to those who read
/// mails, and none to those who verify signatures, which then cover a From that is not there.
pub(super) fn has_one_from(message: &AuthenticatedMessage<'_>) -> bool {
    let names = message.headers.iter().map(|(name, _)| *name);
    let mut authors = names.filter(|name| name.trim_ascii().eq_ignore_ascii_case(b"from"));
    let exact = |name: &[u8]| name.eq_ignore_ascii_case(b"from");
    authors.next().is_some_and(exact) && authors.next().is_none()
}

/// How near `signer` is to `domain`; `None` if no rule of alignment can join them.
fn distance(signer: &str, domain: &str) -> Option<u8> {
    if signer == domain {
        Some(0)
    } else if vouches(signer, domain) {
        Some(1)
    } else if vouches(domain, signer) {
        Some(2)
    } else {
        is_sibling(signer, domain).then_some(3)
    }
}

/// Whether both lie below one name that somebody may own: `customer.example`, but neither `example` nor
/// `co.jp`.
fn is_sibling(one: &str, other: &str) -> bool {
    let labels = one.rsplit('.').zip(other.rsplit('.'));
    let shared: Vec<&str> = labels
        .take_while(|(a, b)| a == b)
        .map(|(label, _)| label)
        .collect();
    match shared.as_slice() {
        [] | [_] => false,
        [top, second] => top.len() > 2 || second.len() > 3,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(domains: &[&str], names: &str) -> String {
        let field = |domain: &&str| {
            format!(
                "DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=a; h={names}; c=relaxed/relaxed; \
                 bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=YWJj\r\n"
            )
        };
        let fields: String = domains.iter().map(field).collect();
        format!("{fields}From: a@customer.co.jp\r\n\r\nx\r\n")
    }

    async fn picked(mail: &str) -> Vec<String> {
        let mut raw = Zeroizing::new(mail.as_bytes().to_vec());
        let hashes = body_hashes(&mut raw).await;
        let message = read(&raw, hashes, 10_000).unwrap();
        let picked = signatures(&message, &["customer.co.jp"]);
        picked
            .iter()
            .map(|message| message.dkim_headers[0].header.d.clone())
            .collect()
    }

    #[tokio::test]
    async fn only_signatures_that_can_be_aligned_are_looked_at() {
        let mail = signed(
            &[
                "evil.co.jp",
                "list.example",
                "mail.customer.co.jp",
                "customer.co.jp",
            ],
            "from:to",
        );
        assert_eq!(
            picked(&mail).await,
            ["mail.customer.co.jp", "customer.co.jp"]
        );
    }

    #[tokio::test]
    async fn a_signature_that_does_not_cover_from_proves_nothing() {
        assert!(
            picked(&signed(&["customer.co.jp"], "to:subject"))
                .await
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_signature_with_a_broken_hash_or_of_half_a_body_proves_nothing() {
        let good = signed(&["customer.co.jp"], "from:to");
        assert_eq!(picked(&good).await.len(), 1);
        for (one, other) in [("rsa-sha256", "rsa-sha1"), ("s=a;", "s=a; l=1;")] {
            let bad = good.replace(one, other);
            assert_ne!(bad, good);
            assert!(picked(&bad).await.is_empty(), "{other}");
        }
    }

    #[tokio::test]
    async fn a_signer_may_be_written_in_its_own_letters() {
        let mail = signed(&["\u{4f8b}.co.jp"], "from:to");
        let mut raw = Zeroizing::new(mail.into_bytes());
        let hashes = body_hashes(&mut raw).await;
        let message = read(&raw, hashes, 10_000).unwrap();
        assert_eq!(signatures(&message, &["xn--fsq.co.jp"]).len(), 1);
    }

    #[tokio::test]
    async fn the_nearest_signatures_are_taken_before_others() {
        let far: Vec<String> = (0..9).map(|n| format!("{n}.customer.co.jp")).collect();
        let mut domains: Vec<&str> = far.iter().map(String::as_str).collect();
        domains.push("customer.co.jp");
        let picked = picked(&signed(&domains, "from")).await;
        assert_eq!(picked.len(), MOST_SIGNATURES);
        assert!(picked.contains(&"customer.co.jp".to_owned()));
    }

    #[tokio::test]
    async fn a_large_message_comes_back_whole_from_hashing() {
        let mail = signed(&["customer.co.jp"], "from") + &"x".repeat(2 * SMALL);
        let mut raw = Zeroizing::new(mail.as_bytes().to_vec());
        assert_eq!(body_hashes(&mut raw).await.len(), 1);
        assert_eq!(raw.as_slice(), mail.as_bytes());
    }

    #[test]
    fn siblings_share_a_name_that_somebody_owns() {
        for (one, other, sibling) in [
            ("mail.customer.example", "branch.customer.example", true),
            ("mail.customer.co.jp", "branch.customer.co.jp", true),
            ("evil.co.jp", "customer.co.jp", false),
            ("evil.example", "customer.example", false),
            ("mail.nippon.jp", "branch.nippon.jp", true),
        ] {
            assert_eq!(is_sibling(one, other), sibling, "{one} {other}");
        }
    }
}
