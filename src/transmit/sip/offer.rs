//! What we say to a description of the far end in the middle of a call, and what carries the media then.

use super::sdp;
use super::sdp::Choice;
use super::sdp::Description;
use super::sdp::Ours;
use crate::transmit::line::Carrier;
use crate::transmit::line::Codec;

/// The forms of sound that we speak. µ-law first: most telephone networks that have faxes of ours speak it.
pub(super) const SOUND: [sdp::Codec; 2] = [sdp::Codec::Pcmu, sdp::Codec::Pcma];

/// What we say to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// 200 with this body, and the media goes on like that; `None` as before.
    Take(String, Option<Carrier>),
    /// 488: there is nothing in it that we can do.
    Refuse,
}

/// What we say to `offer` when T.38 is taken or not.
pub(super) fn react(ours: &mut Ours, offer: &Description, t38: bool) -> Reaction {
    if t38 && let Some(body) = ours.answer(offer, &Choice::T38) {
        return Reaction::Take(body, fax(offer));
    }
    match ours.answer(offer, &Choice::Audio(SOUND.to_vec())) {
        Some(body) => Reaction::Take(body, sound(offer)),
        None => Reaction::Refuse,
    }
}

/// Where and how the far end takes a fax over T.38; `None` if it does not, or not now.
pub(super) fn fax(description: &Description) -> Option<Carrier> {
    let (line, image) = description.image()?;
    Some(Carrier::T38 {
        remote: line.remote()?,
        max_datagram: image.max_datagram,
        redundancy: image.redundancy(),
    })
}

/// Where and how the far end takes sound; `None` if it does not, or not now.
pub(super) fn sound(description: &Description) -> Option<Carrier> {
    let (line, audio) = description.audio()?;
    let codec = audio.codecs.iter().find(|codec| SOUND.contains(codec))?;
    let payload_type = codec.payload_type();
    Some(Carrier::Audio {
        remote: line.remote()?,
        codec: match codec {
            sdp::Codec::Pcmu => Codec::Pcmu { payload_type },
            sdp::Codec::Pcma => Codec::Pcma { payload_type },
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SDP: Option<&str> = Some("application/sdp");

    fn described(streams: &str) -> Description {
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{streams}"
        );
        Description::read(SDP, text.as_bytes()).unwrap()
    }

    fn ours() -> Ours {
        let mut ours = Ours::new(7, "192.0.2.9:20000".parse().unwrap());
        let _ = ours.offer(&Choice::Audio(SOUND.to_vec()));
        ours
    }

    const IMAGE: &str = "m=image 6000 udptl t38\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";
    const AUDIO: &str = "m=audio 6000 RTP/AVP 8 0\r\n";

    #[test]
    fn t38_is_taken_unless_it_is_switched_off() {
        let Reaction::Take(
            body,
            Some(Carrier::T38 {
                remote, redundancy, ..
            }),
        ) = react(&mut ours(), &described(IMAGE), true)
        else {
            panic!("not taken");
        };
        assert!(body.contains("m=image 20000 udptl t38"), "{body}");
        assert_eq!(remote, "192.0.2.1:6000".parse().unwrap());
        assert_eq!(redundancy, 3);
        assert_eq!(
            react(&mut ours(), &described(IMAGE), false),
            Reaction::Refuse
        );
        let both = format!("{IMAGE}{AUDIO}");
        let without = react(&mut ours(), &described(&both), false);
        assert!(matches!(
            without,
            Reaction::Take(_, Some(Carrier::Audio { .. }))
        ));
    }

    #[test]
    fn the_same_offer_again_gets_the_same_answer() {
        let mut ours = ours();
        let first = react(&mut ours, &described(IMAGE), true);
        assert_eq!(react(&mut ours, &described(IMAGE), true), first);
        let back = react(&mut ours, &described(AUDIO), true);
        let codec = Codec::Pcma { payload_type: 8 };
        let remote = "192.0.2.1:6000".parse().unwrap();
        let Reaction::Take(body, carrier) = back else {
            panic!("sound was refused");
        };
        assert_eq!(carrier, Some(Carrier::Audio { remote, codec }));
        assert!(body.contains("m=audio 20000 RTP/AVP 8\r\n"), "{body}");
    }

    #[test]
    fn a_far_end_on_hold_is_answered_and_the_media_stays_where_it_was() {
        let held = described("c=IN IP4 0.0.0.0\r\nm=audio 6000 RTP/AVP 0\r\na=inactive\r\n");
        // The stream's own address counts where it stands after the stream.
        let held = match held.audio() {
            Some((line, _)) if line.is_on_hold() => held,
            _ => described("m=audio 6000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n"),
        };
        assert!(matches!(
            react(&mut ours(), &held, true),
            Reaction::Take(_, None)
        ));
    }

    #[test]
    fn what_we_cannot_do_is_refused() {
        for streams in [
            "m=video 6000 RTP/AVP 96\r\n",
            "m=audio 6000 RTP/AVP 18\r\n",
            "m=audio 0 RTP/AVP 0\r\n",
        ] {
            assert_eq!(
                react(&mut ours(), &described(streams), true),
                Reaction::Refuse,
                "{streams}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_described_gets_an_answer(streams in "(m=(audio|image|video) [0-9]{1,5} (RTP/AVP|udptl) [0-9a-z ]{0,9}\r\n(a=[ -~]{0,40}\r\n)?){1,4}") {
            let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{streams}");
            if let Ok(description) = Description::read(SDP, text.as_bytes()) {
                let _ = react(&mut ours(), &description, true);
            }
        }
    }
}
