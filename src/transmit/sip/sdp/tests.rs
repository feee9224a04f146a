use proptest::prelude::*;

use super::*;

const AUDIO: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n";

const FAX: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:9600\r\n\
    a=T38FaxRateManagement:transferredTCF\r\na=T38FaxMaxDatagram:176\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";

fn read(text: &str) -> Result<Description, SdpError> {
    Description::read(Some("application/sdp"), text.as_bytes())
}

fn ours() -> Ours {
    Ours::new(7, "198.51.100.5:20000".parse().unwrap())
}

fn both() -> Choice {
    Choice::Audio(vec![Codec::Pcmu, Codec::Pcma])
}

/// Where sound would be sent.
fn audio_at(text: &str) -> Option<String> {
    let read = read(text).ok()?;
    let (line, _) = read.audio()?;
    line.remote().map(|remote| remote.to_string())
}

#[test]
fn an_offer_of_sound_and_one_of_a_fax_are_understood() {
    let audio = read(AUDIO).unwrap();
    let (line, stream) = audio.audio().unwrap();
    assert_eq!(line.remote(), Some("192.0.2.1:4000".parse().unwrap()));
    assert_eq!(stream.codecs, [Codec::Pcma, Codec::Pcmu]);
    assert_eq!(stream.ptime, Some(20));
    assert!(audio.image().is_none());

    let fax = read(FAX).unwrap();
    let (line, image) = fax.image().unwrap();
    assert_eq!(line.remote(), Some("192.0.2.1:4002".parse().unwrap()));
    assert_eq!((image.max_bit_rate, image.max_datagram), (Some(9600), 176));
    assert_eq!(image.redundancy(), 3);
}

#[test]
fn the_address_of_the_stream_goes_before_that_of_the_session() {
    let moved = format!("{AUDIO}c=IN IP4 192.0.2.9\r\n");
    assert_eq!(audio_at(&moved).unwrap(), "192.0.2.9:4000");
    let v6 = AUDIO.replace("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1");
    assert_eq!(audio_at(&v6).unwrap(), "[2001:db8::1]:4000");
    let mapped = AUDIO.replace("c=IN IP4 192.0.2.1", "c=IN IP6 ::ffff:192.0.2.1");
    assert_eq!(audio_at(&mapped).unwrap(), "192.0.2.1:4000");
}

#[test]
fn line_ends_case_blanks_and_unknown_lines_do_not_matter() {
    for odd in [
        AUDIO.replace("\r\n", "\n"),
        AUDIO.replace("\r\n", "\r"),
        AUDIO.replace(
            "m=audio 4000 RTP/AVP 8 0 101",
            "m=AUDIO  4000  rtp/avp  8  0 ",
        ),
        AUDIO.replace("4000", "4000/2"),
        AUDIO.replace(
            "s=-",
            "s=\u{fffd}\u{3000}\r\nx\r\n=\r\nb=AS:64\r\nk=clear:x",
        ),
        AUDIO.replace("c=IN IP4 192.0.2.1", "c=in ip4 192.0.2.1/127"),
        format!("\r\n\r\n{AUDIO}\r\n\r\n"),
        AUDIO.replace(
            "a=rtpmap:8 PCMA/8000\r\n",
            "a=rtpmap:8 pcma/8000/1\r\na=rtpmap\r\na=\r\n",
        ),
    ] {
        assert_eq!(audio_at(&odd).as_deref(), Some("192.0.2.1:4000"), "{odd:?}");
    }
    let fax = FAX.to_ascii_lowercase();
    let (_, image) = read(&fax)
        .unwrap()
        .image()
        .map(|(l, i)| (l.clone(), i.clone()))
        .unwrap();
    assert_eq!((image.max_bit_rate, image.max_datagram), (Some(9600), 176));
}

#[test]
fn nothing_is_sent_to_what_is_no_address_of_one_machine() {
    for place in [
        "IP4 224.0.0.1",
        "IP4 239.255.255.250/1",
        "IP4 255.255.255.255",
        "IP4 240.0.0.1",
        "IP4 0.0.0.1",
        "IP4 0.0.0.0",
        "IP6 ::",
        "IP6 ff02::1",
        "IP6 fe80::1",
        "IP6 ::ffff:224.0.0.1",
        "IP4 media.example",
        "IP4 localhost",
        "IP4 127.1",
        "IP4 0x7f000001",
        "IP4",
        "",
        "IP6 192.0.2.1",
        "IP4 2001:db8::1",
    ] {
        let offer = AUDIO.replace("c=IN IP4 192.0.2.1", &format!("c=IN {place}"));
        assert_eq!(audio_at(&offer), None, "{place}");
    }
    let without = AUDIO.replace("c=IN IP4 192.0.2.1\r\n", "");
    assert_eq!(audio_at(&without), None);
    for port in ["0", "22", "53", "1023"] {
        assert_eq!(audio_at(&AUDIO.replace("4000", port)), None, "{port}");
    }
    // The exchange in the cellar, and one on the same machine.
    for private in [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "127.0.0.1",
        "100.64.0.1",
    ] {
        assert!(
            audio_at(&AUDIO.replace("192.0.2.1", private)).is_some(),
            "{private}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    let long = format!("{AUDIO}{}", "a=x\r\n".repeat(8000));
    let lines = format!("{AUDIO}{}", "\n".repeat(1001));
    let streams = format!("{AUDIO}{}", "m=audio 4000 RTP/AVP 0\r\n".repeat(16));
    let words = AUDIO.replace("101", &"1 ".repeat(300));
    for (text, error) in [
        ("", SdpError::NoSdp),
        ("hello", SdpError::NoSdp),
        ("v=1\r\nm=audio 4000 RTP/AVP 0\r\n", SdpError::NoSdp),
        ("v=0\r\ns=-\r\n", SdpError::NoStream),
        ("v=0\r\nm=\r\n", SdpError::BadStream),
        ("v=0\r\nm=audio\r\n", SdpError::BadStream),
        ("v=0\r\nm=audio 70000 RTP/AVP 0\r\n", SdpError::BadStream),
        ("v=0\r\nm=audio -1 RTP/AVP 0\r\n", SdpError::BadStream),
        (
            "v=0\r\nm=audio 4000\u{7} RTP/AVP 0\r\n",
            SdpError::BadStream,
        ),
        (long.as_str(), SdpError::TooLong),
        (lines.as_str(), SdpError::TooLong),
        (streams.as_str(), SdpError::TooLong),
        (words.as_str(), SdpError::BadStream),
    ] {
        assert_eq!(read(text), Err(error), "{:?}", text.get(..40));
    }
}

#[test]
fn streams_that_we_do_not_speak_are_not_taken_for_ours() {
    for line in [
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 4000 RTP/AVP 18 101",
        "m=audio 4000 RTP/AVP",
        "m=video 4000 RTP/AVP 0",
        "m=image 4000 TCP t38",
        "m=image 4000 udptl t39",
        "m=image 4000 RTP/AVP 98",
        "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G729/8000",
        "m=image 4000 udptl t38\r\na=T38FaxRateManagement:localTCF",
    ] {
        let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{line}\r\n");
        let read = read(&text).unwrap();
        assert!(read.audio().is_none() && read.image().is_none(), "{line}");
        assert_eq!(ours().answer(&read, &both()), None);
        assert_eq!(ours().answer(&read, &Choice::T38), None);
    }
}

#[test]
fn odd_limits_of_a_fax_become_possible_ones() {
    for (said, datagram) in [
        ("0", 400),
        ("1", 72),
        ("72", 72),
        ("99999999", 1400),
        ("-1", 400),
        ("x", 400),
    ] {
        let read = read(&FAX.replace("176", said)).unwrap();
        assert_eq!(read.image().unwrap().1.max_datagram, datagram, "{said}");
    }
    for (said, redundancy) in [("t38UDPFEC", 3), ("T38UDPNOEC", 0), ("", 3)] {
        let read = read(&FAX.replace("t38UDPRedundancy", said)).unwrap();
        assert_eq!(read.image().unwrap().1.redundancy(), redundancy, "{said}");
    }
}

#[test]
fn hold_is_noticed_at_the_session_the_stream_and_the_address() {
    let held = |text: &str| read(text).unwrap().lines.first().unwrap().is_on_hold();
    assert!(!held(AUDIO));
    assert!(held(&AUDIO.replace("sendrecv", "sendonly")));
    assert!(held(&AUDIO.replace("sendrecv", "inactive")));
    assert!(held(
        &AUDIO
            .replace("a=sendrecv\r\n", "")
            .replace("t=0 0", "t=0 0\r\na=inactive")
    ));
    assert!(!held(&AUDIO.replace("t=0 0", "t=0 0\r\na=inactive")));
    assert!(held(
        &AUDIO.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")
    ));
}

#[test]
fn an_answer_to_a_hold_says_the_opposite() {
    for (theirs, ours_says) in [
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
        ("sendrecv", "sendrecv"),
    ] {
        let offer = read(&AUDIO.replace("sendrecv", theirs)).unwrap();
        let answer = ours().answer(&offer, &both()).unwrap();
        assert!(answer.contains(&format!("a={ours_says}\r\n")), "{answer}");
    }
    let old = read(&AUDIO.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")).unwrap();
    assert!(ours().answer(&old, &both()).unwrap().contains("a=recvonly"));
}

#[test]
fn each_stream_of_an_offer_is_answered_in_its_place() {
    let offer = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 5000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\n\
        m=audio 4000 RTP/AVP 18 8\r\nm=image 4002 udptl t38\r\nm=text 6000 RTP/AVP\r\n";
    let offer = read(offer).unwrap();
    let lines = |answer: &str| -> Vec<String> {
        let lines = answer.lines().filter(|line| line.starts_with("m="));
        lines.map(str::to_owned).collect()
    };
    let mut ours = ours();
    let audio = ours.answer(&offer, &both()).unwrap();
    assert_eq!(
        lines(&audio),
        [
            "m=video 0 RTP/AVP 31",
            "m=audio 0 RTP/AVP 0",
            "m=audio 20000 RTP/AVP 8",
            "m=image 0 udptl t38",
            "m=text 0 RTP/AVP"
        ]
    );
    // A later offer of ours keeps all places.
    assert_eq!(
        lines(&ours.offer(&Choice::T38)),
        [
            "m=video 0 RTP/AVP 31",
            "m=audio 0 RTP/AVP 0",
            "m=image 20000 udptl t38",
            "m=image 0 udptl t38",
            "m=text 0 RTP/AVP"
        ]
    );
}

#[test]
fn the_version_grows_only_when_the_text_changes() {
    let version = |text: &str| -> u64 {
        let origin = text.lines().find(|line| line.starts_with("o=")).unwrap();
        origin.split(' ').nth(2).unwrap().parse().unwrap()
    };
    let mut ours = ours();
    let first = ours.offer(&both());
    assert!(
        first.starts_with("v=0\r\no=faxgate 7 1 IN IP4 198.51.100.5\r\n"),
        "{first}"
    );
    assert_eq!(ours.offer(&both()), first);
    let fax = read(FAX).unwrap();
    let answer = ours.answer(&fax, &Choice::T38).unwrap();
    assert_eq!(version(&answer), 2);
    assert_eq!(ours.answer(&fax, &Choice::T38).unwrap(), answer);
    assert_eq!(
        version(&ours.answer(&read(AUDIO).unwrap(), &both()).unwrap()),
        3
    );
}

#[test]
fn a_fax_is_offered_and_answered_in_the_words_of_annex_d() {
    let offer = ours().offer(&Choice::T38);
    for line in [
        "m=image 20000 udptl t38",
        "a=T38FaxVersion:0",
        "a=T38MaxBitRate:14400",
        "a=T38FaxRateManagement:transferredTCF",
        "a=T38FaxMaxBuffer:1800",
        "a=T38FaxMaxDatagram:400",
        "a=T38FaxUdpEC:t38UDPRedundancy",
    ] {
        assert!(offer.contains(&format!("{line}\r\n")), "{line}");
    }
    let answer = ours().answer(&read(FAX).unwrap(), &Choice::T38).unwrap();
    assert!(answer.contains("a=T38MaxBitRate:9600\r\n"), "{answer}");
    let none = FAX.replace("t38UDPRedundancy", "t38UDPNoEC");
    let answer = ours().answer(&read(&none).unwrap(), &Choice::T38).unwrap();
    assert!(answer.contains("a=T38FaxUdpEC:t38UDPNoEC\r\n"), "{answer}");
}

#[test]
fn the_sdp_in_a_multipart_body_is_found() {
    let body = format!(
        "--b\r\nContent-Type: application/isup\r\n\r\n\u{1}v=0\u{2}\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{AUDIO}\r\n--b--\r\n"
    );
    let read = Description::read(Some("Multipart/Mixed;boundary=b"), body.as_bytes()).unwrap();
    assert!(read.audio().is_some());
    assert_eq!(read.lines.len(), 1);
}

proptest! {
    #[test]
    fn what_we_write_is_what_we_read(port in 1024u16.., pcma in any::<bool>(), v6 in any::<bool>()) {
        let host: IpAddr = if v6 { "2001:db8::2".parse().unwrap() } else { "192.0.2.2".parse().unwrap() };
        let at = SocketAddr::new(host, port);
        let codec = if pcma { Codec::Pcma } else { Codec::Pcmu };
        let audio = read(&Ours::new(1, at).offer(&Choice::Audio(vec![codec]))).unwrap();
        prop_assert_eq!(audio.audio().unwrap().0.remote(), Some(at));
        prop_assert_eq!(&audio.audio().unwrap().1.codecs, &vec![codec]);
        let fax = read(&Ours::new(1, at).offer(&Choice::T38)).unwrap();
        prop_assert_eq!(fax.image().unwrap().0.remote(), Some(at));
        prop_assert_eq!(fax.image().unwrap().1.max_datagram, 400);
    }

    #[test]
    fn no_bytes_bring_it_down(body in proptest::collection::vec(any::<u8>(), 0..2000), multi in any::<bool>()) {
        let kind = if multi { "multipart/mixed" } else { "application/sdp" };
        let _ = Description::read(Some(kind), &body);
    }

    #[test]
    fn damaged_descriptions_never_break_an_answer(
        fax in any::<bool>(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..4), 1..12),
    ) {
        let mut body = if fax { FAX } else { AUDIO }.as_bytes().to_vec();
        for (at, byte, how) in damage {
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => { body.remove(at); }
                _ => { let line = b"\r\nm=audio 4000 RTP/AVP 0\r\n"; body.splice(at..at, *line); }
            }
        }
        if let Ok(offer) = Description::read(None, &body) {
            for choice in [both(), Choice::T38] {
                if let Some(answer) = ours().answer(&offer, &choice) {
                    // As many streams as were offered, in our own clean words, and readable.
                    prop_assert_eq!(read(&answer).unwrap().lines.len(), offer.lines.len());
                    let clean = answer.lines().all(|line| line.get(1..2) == Some("="));
                    prop_assert!(clean, "{answer:?}");
                }
            }
        }
    }
}
