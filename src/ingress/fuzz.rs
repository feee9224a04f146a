//! Hostile input: any bytes, cut anywhere, give the same dialogue as the same bytes in one piece.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config;
use crate::ingress::Door;
use crate::ingress::LoginVerdict;
use crate::ingress::RecipientRefusal;
use crate::ingress::Service;
use crate::ingress::Verdict;
use crate::ingress::reply;
use crate::ingress::session::Event;
use crate::ingress::session::Session;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Envelope;
use crate::smtp::Identity;
use crate::smtp::LoginProof;
use crate::smtp::ReceivedMessage;
use crate::time::SystemClock;

/// Runs the dialogue over `input` in one piece and in pieces that `input` itself decides, and compares.
///
/// # Panics
/// If the two differ, or a reply is no reply line.
pub fn fuzz_session(input: &[u8]) {
    let service = service();
    let whole = drive(&service, std::iter::once(input));
    let mut rest = input;
    let pieces = std::iter::from_fn(|| {
        let size = rest.first().map(|byte| usize::from(byte % 7) + 1)?;
        let (piece, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        rest = after;
        Some(piece)
    });
    let pieced = drive(&service, pieces);
    for line in whole.replies.split_inclusive("\r\n") {
        let formed = line.len() >= 6 && line.bytes().take(3).all(|b| b.is_ascii_digit());
        assert!(formed && line.ends_with("\r\n"), "{line:?}");
    }
    // Whether a message came before its 354 depends on the pieces, as it must: only then they differ.
    if !whole.early && !pieced.early {
        assert_eq!(whole, pieced);
    }
}

/// A service that is never started: only its limits and its door are asked.
pub(super) fn service() -> Service<OpenDoor> {
    Service {
        name: "gw.example".to_owned(),
        limits: small_limits(),
        tls: None,
        door: OpenDoor,
        clock: Arc::new(SystemClock),
        shutdown: watch::channel(false).1,
    }
}

/// What a run left behind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Transcript {
    replies: String,
    messages: Vec<(Envelope, Vec<u8>)>,
    early: bool,
}

fn drive<'a>(service: &Service<OpenDoor>, pieces: impl Iterator<Item = &'a [u8]>) -> Transcript {
    let mut transcript = Transcript::default();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut session = Session::new(service, peer, Some(Box::default()));
    'pieces: for piece in pieces {
        let mut rest = piece;
        loop {
            match session.receive(&mut rest) {
                Event::More => break,
                // No certificate: a session that is secure from the start has no STARTTLS.
                Event::Close(_) | Event::StartTls => break 'pieces,
                Event::Login(claim) => {
                    let refusal = Refusal::NotAuthenticated;
                    let not_before = None;
                    let verdict = match claim.login_id.as_str() {
                        "a" => LoginVerdict::Accepted {
                            identity: Identity {
                                account: claim.login_id,
                                credentials: [0; 32],
                            },
                            signature: matches!(claim.proof, LoginProof::Scram { .. })
                                .then_some([7; 32]),
                        },
                        _ => LoginVerdict::Refused {
                            refusal,
                            not_before,
                        },
                    };
                    if session.judged(verdict).is_some() {
                        break 'pieces;
                    }
                }
                Event::Message(arrived) => {
                    session.answer(&reply::queued("1"));
                    transcript
                        .messages
                        .push((arrived.envelope, arrived.raw.to_vec()));
                }
            }
        }
    }
    transcript.replies = String::from_utf8_lossy(&session.take_replies()).into_owned();
    let mut early = Vec::new();
    reply::EARLY.write(&mut early);
    transcript.early = transcript.replies.as_bytes().ends_with(&early);
    transcript
}

/// Refuses every third recipient or so, by the length of its address.
pub(super) struct OpenDoor;

impl Door for OpenDoor {
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal> {
        if address.as_str().len().is_multiple_of(3) {
            Err(RecipientRefusal::ForeignDomain)
        } else {
            Ok(())
        }
    }

    async fn message(&self, _message: ReceivedMessage) -> Verdict {
        Verdict::Accepted {
            batch: "1".to_owned(),
        }
    }
}

/// Limits so small that inputs reach them.
fn small_limits() -> config::Smtp {
    config::Smtp {
        listen: Vec::new(),
        max_message: 200,
        max_recipients: 3,
        max_errors: 6,
        ..config::Smtp::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_cut_anywhere_give_the_same_dialogue(input in prop::collection::vec(any::<u8>(), 0..400)) {
            fuzz_session(&input);
        }

        #[test]
        fn commands_and_messages_cut_anywhere_give_the_same_dialogue(
            steps in prop::collection::vec(prop_oneof![
                Just("EHLO a\r\n"), Just("MAIL FROM:<a@b>\r\n"), Just("MAIL FROM:<> SIZE=300\r\n"),
                Just("RCPT TO:<0312345678@fax.example>\r\n"), Just("RCPT TO:<1@fax.example>\r\n"),
                Just("DATA\r\n"), Just("a\r\n.\r\n"), Just("..x\r\n\r\n.\r\n"), Just("\r\n.\n"),
                Just("a\r.\r\n"), Just(".\r\n"), Just("RSET\r\n"), Just("NOOP\n"), Just("BDAT 3\r\nabc"),
                Just("BDAT 0 LAST\r\n"), Just("BDAT 5 LAST\r\n.\r\n\r\n"), Just("BDAT 300\r\n"),
                Just("BDAT x\r\n"), Just("AUTH PLAIN AGEAYg==\r\n"), Just("AUTH PLAIN AGIAYg==\r\n"),
                Just("AUTH LOGIN\r\n"), Just("YQ==\r\n"), Just("*\r\n"), Just("AUTH SCRAM-SHA-256\r\n"),
                Just("biwsbj1hLHI9eA==\r\n"), Just("MAIL FROM:<a@b> BODY=BINARYMIME\r\n"),
                Just("QUIT\r\n"), Just("x"), Just("\0"), Just("NOOP\r\n"),
            ], 0..30),
        ) {
            let opening = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<0312345678@fax.example>\r\n";
            fuzz_session(format!("{opening}{}", steps.concat()).as_bytes());
        }
    }
}
