//! Calls whose far end is a recorded fax machine, one that vanishes or hangs up, and one behind TLS.

mod recording;

use faxgate::fax::CallProgress;
use faxgate::fax::Media;
use faxgate::fax::Outcome;
use faxgate::transmit::line::Pacing;

use crate::sip_out::caller::Caller;
use crate::sip_out::caller::Far;
use crate::sip_out::caller::one_page;
use crate::sip_out::caller::trunk;

/// Whether this machine can carry a fax; without the engine no call is made.
fn carries() -> bool {
    spandsp::is_available()
}

#[test]
fn a_recorded_receiver_gets_the_page_over_t38() {
    if !carries() {
        return;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "sipp plays a capture through a raw socket: this story must run as root with CAP_NET_RAW."
    );
    let capture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/sipp/t38-receiver.pcap"
    );
    let far = Far::plays("out-recorded.xml", &[("capture", capture)]);
    // The recorded answers come when they came: the page has to go at the speed of its modem.
    let caller = Caller::with(vec![trunk("one", far.port)], true, "x", |setup| {
        setup.pacing = Pacing::Line;
    });
    let (outcome, notes) = caller.call(&one_page(1));
    let Outcome::Sent(report) = outcome else {
        panic!("not sent: {outcome:?} {notes:?}");
    };
    assert_eq!((report.pages_sent, report.media), (1, Some(Media::T38)));
    assert_eq!((report.rate, report.ecm), (14_400, true));
    assert_eq!(report.remote_id.as_str(), "+81 3 1234 5678");
    assert!(notes.contains(&CallProgress::LastPageSent), "{notes:?}");
    far.is_content();
}
