//! Calls that come in over SIP: who may call, what may be offered, and what is left of each call.

pub(crate) mod station;

use station::NUMBER;
use station::Phone;
use station::Station;

use crate::gateway::paper;
use crate::gateway::wait_for;

const SDP: &str = "application/sdp";
const SOUND: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8\r\n";
const IMAGE: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 6000 udptl t38\r\na=T38FaxVersion:0\r\n";

/// Whether this machine can carry a fax; without the engine no call is answered.
fn carries() -> bool {
    spandsp::is_available()
}

#[test]
fn a_number_of_nobody_is_not_found_and_leaves_nothing() {
    let station = Station::open(4, true);
    station.sipp("in-unknown.xml", "127.0.0.1");
    let mut phone = Phone::at("127.0.0.1", &station);
    for number in [
        "+81399999999",
        "fax",
        "anonymous",
        "%00",
        "+",
        "0",
        "%2B",
        "03-4567-0002",
    ] {
        let code = phone.call(number, SDP, SOUND.as_bytes()).code;
        assert_eq!(code, 404, "{number}");
    }
    assert!(station.journal().is_empty());
    station.tidy();
}

#[test]
fn a_stranger_is_refused_without_a_trace() {
    let station = Station::open(4, true);
    station.sipp("in-stranger.xml", "127.0.0.2");
    let mut phone = Phone::at("127.0.0.3", &station);
    assert_eq!(phone.call(NUMBER, SDP, SOUND.as_bytes()).code, 403);
    assert!(station.journal().is_empty());
    station.tidy();
}

#[test]
fn descriptions_in_which_is_nothing_for_us_are_refused() {
    let station = Station::open(4, true);
    let mut phone = Phone::at("127.0.0.1", &station);
    let with = |from: &str, to: &str| SOUND.replace(from, to);
    let lines = format!("{SOUND}{}", "a=x\r\n".repeat(1200));
    let streams = format!("{SOUND}{}", "m=audio 6000 RTP/AVP 0\r\n".repeat(16));
    let mut odd: Vec<(&str, &str, String)> = vec![
        ("garbage", SDP, "hello".to_owned()),
        ("blank", SDP, "\r\n".to_owned()),
        ("no stream", SDP, with("m=audio 6000 RTP/AVP 0 8\r\n", "")),
        ("version 1", SDP, with("v=0", "v=1")),
        ("video", SDP, with("audio", "video")),
        ("encrypted", SDP, with("RTP/AVP", "RTP/SAVP")),
        ("no form of ours", SDP, with("0 8", "18 101")),
        ("no form at all", SDP, with(" 0 8", "")),
        (
            "multicast",
            SDP,
            with("c=IN IP4 127.0.0.1", "c=IN IP4 224.2.3.4/127"),
        ),
        (
            "broadcast",
            SDP,
            with("c=IN IP4 127.0.0.1", "c=IN IP4 255.255.255.255"),
        ),
        (
            "a name",
            SDP,
            with("c=IN IP4 127.0.0.1", "c=IN IP4 media.example"),
        ),
        ("no address", SDP, with("c=IN IP4 127.0.0.1\r\n", "")),
        (
            "another family",
            SDP,
            with("c=IN IP4 127.0.0.1", "c=IN IP6 ::1"),
        ),
        ("port 0", SDP, with("6000", "0")),
        ("port of another service", SDP, with("6000", "53")),
        ("port out of range", SDP, with("6000", "70000")),
        ("negative port", SDP, with("6000", "-1")),
        (
            "torn line",
            SDP,
            with("m=audio 6000 RTP/AVP 0 8\r\n", "m=audio"),
        ),
        ("too many lines", SDP, lines),
        ("too many streams", SDP, streams),
        ("T.38 over TCP", SDP, IMAGE.replace("udptl", "TCP")),
        (
            "T.38 that leaves training to the line",
            SDP,
            format!("{IMAGE}a=T38FaxRateManagement:localTCF\r\n"),
        ),
        ("text", "text/plain", SOUND.to_owned()),
        ("no kind", "", SOUND.to_owned()),
        (
            "coded",
            "application/sdp\r\nContent-Encoding: gzip",
            SOUND.to_owned(),
        ),
    ];
    odd.push(("zeros", SDP, "\0".repeat(300)));
    for (what, kind, body) in odd {
        assert_eq!(
            phone.call(NUMBER, kind, body.as_bytes()).code,
            488,
            "{what}"
        );
    }
    assert!(station.journal().is_empty());
    assert_eq!(
        phone
            .call(
                NUMBER,
                "application/sdp\r\nRequire: timer",
                SOUND.as_bytes()
            )
            .code,
        420
    );
    station.tidy();
}

#[test]
fn odd_descriptions_that_can_be_carried_are_answered_stream_by_stream() {
    if !carries() {
        return;
    }
    let station = Station::open(4, true);
    let mut phone = Phone::at("127.0.0.1", &station);
    let with = |from: &str, to: &str| SOUND.replace(from, to);
    let held = with("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    let parts = format!(
        "--b\r\nContent-Type: application/isup\r\n\r\nx\r\n--b\r\nContent-Type: {SDP}\r\n\r\n{SOUND}\r\n--b--\r\n"
    );
    let latin = SOUND.replace("s=-", "s=?");
    let latin: Vec<u8> = latin
        .bytes()
        .map(|b| if b == b'?' { 0xe9 } else { b })
        .collect();
    let cases: Vec<(&str, &str, Vec<u8>, &[&str])> = vec![
        ("usual", SDP, SOUND.into(), &["audio + RTP/AVP 0"]),
        (
            "line feeds",
            SDP,
            SOUND.replace("\r\n", "\n").into(),
            &["audio + RTP/AVP 0"],
        ),
        (
            "kind in capitals",
            "Application/SDP; charset=x",
            SOUND.into(),
            &["audio + RTP/AVP 0"],
        ),
        (
            "A-law",
            SDP,
            with("0 8", "8 0").into(),
            &["audio + RTP/AVP 8"],
        ),
        (
            "more forms",
            SDP,
            with("0 8", "18 9 8 101").into(),
            &["audio + RTP/AVP 8"],
        ),
        (
            "its own address",
            SDP,
            format!(
                "{}c=IN IP4 127.0.0.1\r\n",
                with("c=IN IP4 127.0.0.1", "c=IN IP4 media.example")
            )
            .into(),
            &["audio + RTP/AVP 0"],
        ),
        (
            "video as well",
            SDP,
            format!("{SOUND}m=video 6002 RTP/AVP 31\r\n").into(),
            &["audio + RTP/AVP 0", "video 0 RTP/AVP 31"],
        ),
        (
            "a refused stream first",
            SDP,
            with("m=audio", "m=audio 0 RTP/AVP 0\r\nm=audio").into(),
            &["audio 0 RTP/AVP 0", "audio + RTP/AVP 0"],
        ),
        (
            "T.38 as well",
            SDP,
            format!("{SOUND}m=image 6002 udptl t38\r\n").into(),
            &["audio + RTP/AVP 0", "image 0 udptl t38"],
        ),
        ("T.38 alone", SDP, IMAGE.into(), &["image + udptl t38"]),
        (
            "T.38 in small letters",
            SDP,
            IMAGE.to_ascii_lowercase().into(),
            &["image + udptl t38"],
        ),
        (
            "T.38 with odd limits",
            SDP,
            format!("{IMAGE}a=T38FaxMaxDatagram:99999999999\r\na=T38MaxBitRate:x\r\n").into(),
            &["image + udptl t38"],
        ),
        ("hold", SDP, held.into(), &["audio + RTP/AVP 0"]),
        (
            "in parts",
            "multipart/mixed;boundary=b",
            parts.into(),
            &["audio + RTP/AVP 0"],
        ),
        ("another character set", SDP, latin, &["audio + RTP/AVP 0"]),
        (
            "nothing: the offer is ours",
            "",
            Vec::new(),
            &["audio + RTP/AVP 0 8"],
        ),
    ];
    let count = cases.len();
    for (what, kind, body, expected) in cases {
        let answer = phone.call(NUMBER, kind, &body);
        assert_eq!(answer.code, 200, "{what}");
        let streams = answer
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("m="));
        let streams: Vec<String> = streams.map(without_port).collect();
        assert_eq!(streams, expected, "{what}: {}", answer.body);
    }
    // Each was hung up on before a page came: it is journalled, and nothing is handed over.
    for line in station.journalled(count) {
        assert_eq!(
            (&line["outcome"], &line["pages"]),
            (&"nothing".into(), &0.into()),
            "{line}"
        );
        assert_eq!(
            (&line["transport"], &line["line"]),
            (&"sip".into(), &"provider".into())
        );
    }
    assert!(station.inbox.faxes.lock().unwrap().is_empty());
    station.tidy();
}

/// `audio 42000 RTP/AVP 0` without the port, which differs; port 0 stays.
fn without_port(line: &str) -> String {
    let mut words: Vec<_> = line.split(' ').collect();
    if words[1] != "0" {
        words[1] = "+";
    }
    words.join(" ")
}

#[test]
fn t38_that_is_refused_leaves_the_call_as_it_was() {
    if carries() {
        let station = Station::open(4, true);
        station.sipp("in-488.xml", "127.0.0.1");
        let lines = station.journalled(1);
        assert_eq!(lines[0]["media"], "g711", "{}", lines[0]);
        station.tidy();
    }
}

#[test]
fn t38_that_meets_an_offer_of_the_far_end_is_offered_again() {
    if carries() {
        let station = Station::open(4, true);
        station.sipp("in-glare.xml", "127.0.0.1");
        // The scenario waits for the second offer; whether it was taken before BYE is a matter of luck.
        station.journalled(1);
        station.tidy();
    }
}

#[test]
fn a_refresh_a_late_change_and_the_way_back_to_sound_are_answered() {
    if carries() {
        let station = Station::open(4, true);
        station.sipp("in-refresh.xml", "127.0.0.1");
        station.journalled(1);
        station.tidy();
    }
}

#[test]
fn the_far_end_may_leave_the_offer_to_us() {
    if carries() {
        let station = Station::open(4, true);
        station.sipp("in-delayed.xml", "127.0.0.1");
        station.journalled(1);
        station.tidy();
    }
}

#[test]
fn a_gateway_without_t38_stays_with_sound() {
    if carries() {
        let station = Station::open(4, false);
        station.sipp("in-no-t38.xml", "127.0.0.1");
        assert_eq!(station.journalled(1)[0]["media"], "g711");
        let mut phone = Phone::at("127.0.0.1", &station);
        assert_eq!(phone.call(NUMBER, SDP, IMAGE.as_bytes()).code, 488);
        station.tidy();
    }
}

#[test]
fn a_call_that_is_cancelled_frees_its_line_whoever_was_faster() {
    if !carries() {
        return;
    }
    let station = Station::open(1, true);
    let mut phone = Phone::at("127.0.0.1", &station);
    for _ in 0..10 {
        let mut dialled = phone.prepare(NUMBER);
        let invite = phone.invite(&dialled, SDP, SOUND.as_bytes());
        phone.send(&invite);
        phone.cancel(&dialled);
        match phone.answer(&mut dialled, &invite).code {
            200 => phone.hang_up(&dialled),
            487 => {}
            // The one line is not free yet.
            486 => {}
            code => panic!("{code}"),
        }
        station.received();
    }
    let code = phone.call(NUMBER, SDP, SOUND.as_bytes()).code;
    assert_eq!(code, 200);
    station.tidy();
}

#[test]
fn more_calls_than_lines_are_busy_and_hanging_up_frees_one() {
    if !carries() {
        return;
    }
    let station = Station::open(2, true);
    let mut phone = Phone::at("127.0.0.1", &station);
    let mut up = Vec::new();
    for code in [200, 200, 486, 486] {
        let mut dialled = phone.prepare(NUMBER);
        let invite = phone.invite(&dialled, SDP, SOUND.as_bytes());
        phone.send(&invite);
        assert_eq!(phone.answer(&mut dialled, &invite).code, code);
        if code == 200 {
            up.push(dialled);
        }
    }
    phone.hang_up(&up[0]);
    station.journalled(1);
    let code = wait_for("a free line", || {
        let code = phone.call(NUMBER, SDP, SOUND.as_bytes()).code;
        (code != 486).then_some(code)
    });
    assert_eq!(code, 200);
    phone.hang_up(&up[1]);
    station.tidy();
}

#[test]
fn a_flood_of_calls_costs_nothing_that_lasts() {
    let station = Station::open(2, true);
    let mut stranger = Phone::at("127.0.0.4", &station);
    let mut friend = Phone::at("127.0.0.1", &station);
    for n in 0..2000 {
        let _ = stranger.dial(NUMBER, SDP, SOUND.as_bytes());
        if n % 4 == 0 {
            let _ = friend.dial("+81399999999", SDP, SOUND.as_bytes());
        }
        stranger.send(b"\0\xff\r\n\r\nINVITE");
    }
    let mut phone = Phone::at("127.0.0.1", &station);
    assert_eq!(phone.call("+81399999999", SDP, SOUND.as_bytes()).code, 404);
    if carries() {
        assert_eq!(phone.call(NUMBER, SDP, SOUND.as_bytes()).code, 200);
    }
    station.tidy();
}

#[test]
fn no_call_is_taken_when_the_gateway_stops_and_those_that_go_on_end() {
    if !carries() {
        return;
    }
    let station = Station::open(2, true);
    let mut phone = Phone::at("127.0.0.1", &station);
    let mut up = phone.prepare(NUMBER);
    let invite = phone.invite(&up, SDP, SOUND.as_bytes());
    phone.send(&invite);
    assert_eq!(phone.answer(&mut up, &invite).code, 200);
    station.stop.send_replace(true);
    assert_eq!(phone.call(NUMBER, SDP, SOUND.as_bytes()).code, 503);
    station.received();
    assert_eq!(station.journalled(1)[0]["outcome"], "nothing");
    station.tidy();
}

/// What a worker leaves of a call that came in.
fn left(station: &std::path::Path, name: &str, notes: &[&str], pages: u32) {
    let folder = station.join("calls").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let about = r#""{\"number\":\"0081345670001\",\"trunk\":\"provider\"}""#;
    let began = format!(r#"{{"began":{{"about":{about},"first_page":null}}}}"#);
    let notes = std::iter::once(began.as_str()).chain(notes.iter().copied());
    let lines = notes
        .zip(1..)
        .map(|(note, at)| format!("{{\"at\":{at},\"note\":{note}}}\n"));
    std::fs::write(folder.join("progress.jsonl"), lines.collect::<String>()).unwrap();
    if pages > 0 {
        std::fs::write(folder.join("received.tiff"), paper::tiff(pages)).unwrap();
    }
}

#[test]
fn what_a_crash_left_of_calls_is_taken_over_once_whole_or_partial() {
    let folder = tempfile::tempdir().unwrap();
    left(folder.path(), "in-1-whole", &["\"confirmed\""], 2);
    left(folder.path(), "in-2-cut", &[], 1);
    left(folder.path(), "in-3-empty", &[], 0);
    // Calls that we made are none of these.
    left(folder.path(), "7-1", &[], 0);
    let station = Station::open_in(folder, 4, true);
    station.journalled(3);
    wait_for("the folders to go", || {
        let left = std::fs::read_dir(station.folder.path().join("calls")).unwrap();
        (left.count() == 1).then_some(())
    });
    let mut faxes = station.inbox.faxes.lock().unwrap().clone();
    faxes.sort_by(|a, b| a.call.cmp(&b.call));
    let seen: Vec<_> = faxes
        .iter()
        .map(|fax| (fax.call.as_str(), fax.fax.pages, fax.complete))
        .collect();
    assert_eq!(seen, [("in-1-whole", 2, true), ("in-2-cut", 1, false)]);
    let mut outcomes: Vec<_> = station
        .journal()
        .iter()
        .map(|line| line["outcome"].to_string())
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, ["\"nothing\"", "\"partial\"", "\"received\""]);
    let station = Station::open_in(station.crash(), 4, true);
    assert_eq!(station.journal().len(), 3);
}

#[test]
fn a_fax_that_cannot_be_stored_at_once_is_handed_over_again_and_its_folder_stays_till_then() {
    let folder = tempfile::tempdir().unwrap();
    left(folder.path(), "in-1-whole", &["\"confirmed\""], 1);
    let inbox = std::sync::Arc::new(station::Inbox::default());
    *inbox.fails.lock().unwrap() = 1;
    let station = Station::open_for(folder, inbox, 4, true);
    station.journalled(1);
    assert_eq!(station.inbox.faxes.lock().unwrap().len(), 1);
    assert_eq!(*station.inbox.fails.lock().unwrap(), 0);
    station.tidy();
}
