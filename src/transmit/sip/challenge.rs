//! Challenges (RFC 3261 section 22, RFC 8760) in words that the stack understands, and its answers in words that others do.
//!
//! The stack writes SHA-256 without its hyphen, takes no list of protections, and would answer some forms wrongly.

use rsipstack::sip::Header;
use rsipstack::sip::Headers;
use rsipstack::sip::SipMessage;
use rsipstack::sip::headers::Authorization;
use rsipstack::sip::headers::ProxyAuthenticate;
use rsipstack::sip::headers::ProxyAuthorization;
use rsipstack::sip::headers::WwwAuthenticate;
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;

/// Translates between the stack and everybody else.
pub(super) struct Interpreter;

impl MessageInspector for Interpreter {
    fn before_send(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        let SipMessage::Request(mut request) = message else {
            return message;
        };
        for header in request.headers.iter_mut() {
            if let Header::Authorization(answer) = header {
                *answer = Authorization::new(spelt(answer.value()));
            } else if let Header::ProxyAuthorization(answer) = header {
                *answer = ProxyAuthorization::new(spelt(answer.value()));
            }
        }
        SipMessage::Request(request)
    }

    fn after_received(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        let SipMessage::Response(mut response) = message else {
            return message;
        };
        if matches!(response.status_code.code(), 401 | 407) {
            response.headers = understood(response.headers);
        }
        SipMessage::Response(response)
    }
}

/// Only challenges that can be answered, and of each kind the first: its sender's favourite (RFC 8760 section 2.4).
fn understood(headers: Headers) -> Headers {
    let (mut server, mut proxy) = (false, false);
    let kept = headers.into_iter().filter_map(|header| {
        if let Header::WwwAuthenticate(challenge) = &header {
            let readable = readable(challenge.value()).filter(|_| !server)?;
            server = true;
            return Some(Header::WwwAuthenticate(WwwAuthenticate::new(readable)));
        }
        if let Header::ProxyAuthenticate(challenge) = &header {
            let readable = readable(challenge.value()).filter(|_| !proxy)?;
            proxy = true;
            return Some(Header::ProxyAuthenticate(ProxyAuthenticate::new(readable)));
        }
        Some(header)
    });
    kept.collect::<Vec<_>>().into()
}

/// A challenge as the stack reads it; `None` if it would not answer it rightly.
fn readable(challenge: &str) -> Option<String> {
    let (scheme, rest) = challenge.trim().split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    let mut parts = Vec::new();
    for part in parameters(rest) {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let plain = value.trim_matches('"');
        if name.eq_ignore_ascii_case("algorithm") {
            let word = match plain.to_ascii_uppercase().as_str() {
                "MD5" => "MD5",
                "SHA-256" => "SHA256",
                _ => return None,
            };
            parts.push(format!("algorithm={word}"));
        } else if name.eq_ignore_ascii_case("qop") {
            let mut protections = plain.split(',').map(str::trim);
            if !protections.any(|one| one.eq_ignore_ascii_case("auth")) {
                return None;
            }
            parts.push("qop=\"auth\"".to_owned());
        } else {
            parts.push(format!("{name}={value}"));
        }
    }
    Some(format!("Digest {}", parts.join(", ")))
}

/// What stands between commas that are not quoted.
fn parameters(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// An answer with the name that the algorithm has elsewhere.
fn spelt(answer: &str) -> String {
    answer.replace("algorithm=SHA256", "algorithm=SHA-256")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_challenge_is_put_so_that_the_stack_understands_it() {
        for (challenge, expected) in [
            (
                "Digest realm=\"a, b\", nonce=\"n=1\", algorithm=SHA-256, qop=\"auth,auth-int\"",
                Some("Digest realm=\"a, b\", nonce=\"n=1\", algorithm=SHA256, qop=\"auth\""),
            ),
            (
                "digest realm=\"a\",nonce=\"n\",algorithm=\"md5\"",
                Some("Digest realm=\"a\", nonce=\"n\", algorithm=MD5"),
            ),
            (
                "Digest realm=\"a\", nonce=\"n\"",
                Some("Digest realm=\"a\", nonce=\"n\""),
            ),
            ("Digest realm=\"a\", nonce=\"n\", algorithm=MD5-sess", None),
            (
                "Digest realm=\"a\", nonce=\"n\", algorithm=SHA-512-256",
                None,
            ),
            ("Digest realm=\"a\", nonce=\"n\", qop=\"auth-int\"", None),
            ("Basic realm=\"a\"", None),
            ("Digest", None),
        ] {
            assert_eq!(readable(challenge).as_deref(), expected, "{challenge}");
        }
    }

    #[test]
    fn the_first_challenge_that_can_be_answered_is_kept() {
        let challenge = |text: &str| Header::WwwAuthenticate(WwwAuthenticate::new(text));
        let headers: Headers = vec![
            challenge("Digest realm=\"a\", nonce=\"1\", algorithm=SHA-512-256"),
            challenge("Digest realm=\"a\", nonce=\"2\", algorithm=SHA-256"),
            challenge("Digest realm=\"a\", nonce=\"3\", algorithm=MD5"),
        ]
        .into();
        let kept = understood(headers);
        let values: Vec<_> = kept.iter().map(Header::value).collect();
        assert_eq!(
            values,
            ["Digest realm=\"a\", nonce=\"2\", algorithm=SHA256"]
        );
    }

    proptest! {
        #[test]
        fn no_challenge_breaks_the_reader(text: String, rest in "(Digest )?([a-z]{1,9}=\"?[ -~]{0,9}\"?,? ?){0,6}") {
            let _ = readable(&text);
            let _ = readable(&rest);
        }
    }
}
