//! Calls over SIP trunks, with sipp as the far end.

pub(crate) mod caller;

use std::time::Duration;

use caller::Caller;
use caller::Far;
use caller::one_page;
use caller::trunk;
use faxgate::config::NumberFormat;
use faxgate::fax::CallProgress;
use faxgate::fax::CallReport;
use faxgate::fax::Cause;
use faxgate::fax::FaxNumber;
use faxgate::fax::Media;
use faxgate::fax::Outcome;
use faxgate::transmit::Condition;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Resolution;

use crate::gateway::wait_for;

/// Whether this machine can carry a fax; without the engine no call is made.
fn carries() -> bool {
    spandsp::is_available()
}

/// What the far end answers.
fn answers(code: &str) -> Far {
    Far::plays("out-code.xml", &keys(code, "SIP;cause=0", "0"))
}

fn keys<'a>(code: &'a str, reason: &'a str, pause: &'a str) -> [(&'a str, &'a str); 3] {
    [("code", code), ("reason", reason), ("pause", pause)]
}

fn retry(outcome: Outcome) -> (Cause, CallReport) {
    match outcome {
        Outcome::Retry(cause, report) => (cause, report),
        other => panic!("not to be tried again: {other:?}"),
    }
}

fn failed(outcome: Outcome) -> (Cause, CallReport) {
    match outcome {
        Outcome::Failed(cause, report) => (cause, report),
        other => panic!("not failed: {other:?}"),
    }
}

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::NotCalled { why } => why,
        other => panic!("it was called: {other:?}"),
    }
}

#[test]
fn every_answer_that_is_no_has_its_cause() {
    if !carries() {
        return;
    }
    for (code, again, cause) in [
        ("486 Busy Here", true, Cause::Busy),
        ("480 Temporarily Unavailable", true, Cause::NoAnswer),
        ("404 Not Found", false, Cause::NumberUnassigned),
        ("488 Not Acceptable Here", false, Cause::Incompatible),
        ("603 Decline", false, Cause::CallRejected),
        ("302 Moved Temporarily", false, Cause::NumberChanged),
    ] {
        let far = answers(code);
        let caller = Caller::new(vec![trunk("one", far.port)], true, "x");
        let (outcome, notes) = caller.call(&one_page(7));
        let (found, report) = match again {
            true => retry(outcome),
            false => failed(outcome),
        };
        assert_eq!(found, cause, "{code}");
        assert_eq!(report.line, "one");
        assert_eq!(
            report.sip.map(|sip| sip.to_string()).as_deref(),
            code.get(..3)
        );
        assert_eq!((report.pages_sent, report.media), (0, None));
        let dialling = CallProgress::Dialling { line: "one".into() };
        assert_eq!(notes, [dialling], "{code}");
        assert!(caller.folder.path().join("calls/7-1").exists());
        caller.runtime.block_on(caller.transport.settled(7, 1));
        assert!(!caller.folder.path().join("calls/7-1").exists());
        assert_eq!(caller.resolve(7, 1), Resolution::NeverDialled);
        far.ends_content();
    }
}

#[test]
fn the_telephone_network_says_why_in_the_reason() {
    if !carries() {
        return;
    }
    let reason = "Q.850;cause=1;text=\"Unallocated number\"";
    let far = Far::plays("out-code.xml", &keys("480 Gone", reason, "0"));
    let caller = Caller::new(vec![trunk("one", far.port)], true, "x");
    let (cause, report) = failed(caller.call(&one_page(1)).0);
    assert_eq!(cause, Cause::NumberUnassigned);
    assert_eq!(report.detail, "it answered 480 (Q.850 cause 1)");
    far.ends_content();
}

#[test]
fn what_one_trunk_cannot_carry_goes_over_the_next() {
    if !carries() {
        return;
    }
    let first = answers("503 Service Unavailable");
    let second = answers("486 Busy Here");
    let trunks = vec![trunk("one", first.port), trunk("two", second.port)];
    let caller = Caller::new(trunks, true, "x");
    let (outcome, notes) = caller.call(&one_page(1));
    let (cause, report) = retry(outcome);
    assert_eq!((cause, report.line.as_str()), (Cause::Busy, "two"));
    let lines = ["one", "two"].map(|line| CallProgress::Dialling { line: line.into() });
    assert_eq!(notes, lines);
    first.ends_content();
    second.ends_content();
}

#[test]
fn when_no_trunk_can_carry_it_the_call_was_not_made() {
    if !carries() {
        return;
    }
    let far = Far::plays(
        "out-code.xml",
        &keys("503 Service Unavailable", "SIP;cause=503", "90"),
    );
    let caller = Caller::new(vec![trunk("one", far.port)], true, "x");
    assert_eq!(why(caller.call(&one_page(1)).0), "one: it answered 503");
    far.ends_content();
    // It asked for a pause, and gets it.
    assert_eq!(caller.trouble("one").as_deref(), Some("it answered 503"));
    assert_eq!(why(caller.call(&one_page(2)).0), "one: it answered 503");
    let down = Condition::Down("one: it answered 503".into());
    assert_eq!(caller.transport.condition(), down);
}

#[test]
fn whoever_does_not_answer_is_cancelled() {
    if !carries() {
        return;
    }
    for scenario in ["out-ring.xml", "out-crossing.xml"] {
        let far = Far::plays(scenario, &[]);
        let caller = Caller::new(vec![trunk("one", far.port)], true, "x");
        let mut call = one_page(1);
        call.ring_timeout = Duration::from_millis(500);
        let (outcome, notes) = caller.call(&call);
        let (cause, report) = retry(outcome);
        assert_eq!(
            (cause, report.sip),
            (Cause::NoAnswer, Some(487)),
            "{scenario}"
        );
        assert!(notes.contains(&CallProgress::Ringing), "{notes:?}");
        assert!(!notes.contains(&CallProgress::Answered), "{notes:?}");
        far.ends_content();
    }
}

#[test]
fn a_trunk_that_wants_a_password_gets_it() {
    if !carries() {
        return;
    }
    for scenario in ["out-digest.xml", "out-proxy-digest.xml"] {
        let far = Far::plays(scenario, &[]);
        let mut own = trunk("one", far.port);
        own.password_file = password_file();
        let caller = Caller::new(vec![own], true, "open sesame");
        assert_eq!(
            retry(caller.call(&one_page(1)).0).0,
            Cause::Busy,
            "{scenario}"
        );
        far.ends_content();
    }
}

#[test]
fn a_wrong_password_takes_the_trunk_out_of_service() {
    if !carries() {
        return;
    }
    let far = Far::plays("out-digest.xml", &[]);
    let mut own = trunk("one", far.port);
    own.password_file = password_file();
    let caller = Caller::new(vec![own], true, "open barley");
    let expected = "one: it does not take our user or password";
    assert_eq!(why(caller.call(&one_page(1)).0), expected);
    far.ends_content();
    // Nobody asks again so soon: that could lock us out there.
    assert_eq!(why(caller.call(&one_page(2)).0), expected);
    assert_eq!(
        caller.transport.condition(),
        Condition::Down(expected.into())
    );
}

#[test]
fn a_trunk_is_registered_at_and_a_wrong_password_is_told() {
    for (password, trouble) in [
        ("open sesame", None),
        ("open barley", Some("its registrar answered 403")),
    ] {
        let far = Far::plays("out-register.xml", &[]);
        let mut own = trunk("one", far.port);
        own.password_file = password_file();
        own.register = true;
        let caller = Caller::new(vec![own], true, password);
        far.ends_content();
        match trouble {
            Some(_) => wait_for("the registration to fail", || {
                (caller.trouble("one").as_deref() == trouble).then_some(())
            }),
            None => assert_eq!(caller.trouble("one"), None),
        }
    }
}

#[test]
fn late_and_refreshing_descriptions_are_answered_in_every_phase() {
    plays_through("out-late.xml", true);
}

#[test]
fn when_t38_is_refused_the_call_goes_on_as_sound() {
    plays_through("out-no-t38.xml", true);
}

#[test]
fn an_offer_that_met_another_is_made_again() {
    plays_through("out-glare.xml", true);
}

#[test]
fn without_t38_none_is_taken() {
    plays_through("out-only-sound.xml", false);
}

/// A far end that answers and hangs up without having sent a single tone.
fn plays_through(scenario: &str, t38: bool) {
    if !carries() {
        return;
    }
    let far = Far::plays(scenario, &[]);
    let caller = Caller::new(vec![trunk("one", far.port)], t38, "x");
    let (outcome, notes) = caller.call(&one_page(1));
    let (cause, report) = retry(outcome);
    assert_eq!((cause, report.sip), (Cause::NoFaxTone, Some(200)));
    assert!(notes.contains(&CallProgress::Answered), "{notes:?}");
    far.ends_content();
}

#[test]
fn the_far_end_is_shown_the_number_of_the_account() {
    if !carries() {
        return;
    }
    let far = Far::plays("out-shown.xml", &[]);
    let mut own = trunk("one", far.port);
    own.number_format = NumberFormat::National;
    let caller = Caller::new(vec![own], true, "x");
    let mut call = one_page(1);
    call.calling_number = FaxNumber::from_canonical("0081398765432");
    assert_eq!(retry(caller.call(&call).0).0, Cause::Busy);
    far.ends_content();
}

#[test]
fn a_trunk_is_called_over_a_connection() {
    if !carries() {
        return;
    }
    let far = Far::plays_over(
        "t1",
        "out-code.xml",
        &keys("486 Busy Here", "SIP;cause=486", "0"),
    );
    let mut own = trunk("one", far.port);
    own.proxy.wire = faxgate::config::Wire::Tcp;
    let caller = Caller::new(vec![own], true, "x");
    assert_eq!(retry(caller.call(&one_page(1)).0).0, Cause::Busy);
    far.ends_content();
}

#[test]
fn a_gateway_that_stops_makes_no_call() {
    let caller = Caller::new(vec![trunk("one", 9)], true, "x");
    caller.stop.send(true).unwrap();
    assert_eq!(why(caller.call(&one_page(1)).0), "the gateway stops");
    assert_eq!(caller.resolve(1, 1), Resolution::NeverDialled);
}

#[test]
fn a_whole_fax_goes_over_t38_and_its_folder_with_it() {
    use crate::sip_in::station::NUMBER;
    use crate::sip_in::station::Station;

    if !carries() {
        return;
    }
    let station = Station::open(4, true);
    let mut own = trunk("one", station.at.port());
    // Strangers are refused there, and the trunk of the far end is this machine.
    own.user = None;
    let caller = Caller::new(vec![own], true, "x");
    let mut call = one_page(1);
    call.number = FaxNumber::parse(NUMBER, &faxgate::fax::CountryCode::JAPAN).unwrap();
    let (outcome, notes) = caller.call(&call);
    let Outcome::Sent(report) = outcome else {
        panic!("not sent: {outcome:?} {notes:?}");
    };
    assert_eq!((report.pages_sent, report.media), (1, Some(Media::T38)));
    assert_eq!((report.line.as_str(), report.sip), ("one", Some(200)));
    assert_eq!(report.remote_id.as_str(), "+81345670001");
    assert!(report.rate > 0 && report.ecm);
    assert!(notes.contains(&CallProgress::LastPageSent), "{notes:?}");
    station.received();
    let faxes = station.inbox.faxes.lock().unwrap();
    assert_eq!(faxes.len(), 1);
    let arrived = crate::gateway::paper::pages_of(&faxes[0].fax.tiff);
    let sent = crate::gateway::paper::pages_of(&call.fax.tiff);
    assert_eq!(arrived[0].bitmap, sent[0].bitmap);
}

fn password_file() -> Option<faxgate::config::PasswordFile> {
    Some(faxgate::config::PasswordFile::named("password"))
}
