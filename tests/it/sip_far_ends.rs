//! Calls whose far end is a recorded fax machine, one that vanishes or hangs up, and one behind TLS.

mod machine;
mod message;
mod recording;
mod tls;

use std::time::Duration;

use faxgate::fax::CallProgress;
use faxgate::fax::CallReport;
use faxgate::fax::Cause;
use faxgate::fax::FaxFile;
use faxgate::fax::Media;
use faxgate::fax::Outcome;
use faxgate::transmit::Call;
use faxgate::transmit::line::CallLimits;
use faxgate::transmit::line::Pacing;
use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;
use machine::Leaves;
use machine::Machine;
use tls::Busy;

use crate::gateway::free_port;
use crate::sip_out::caller::Caller;
use crate::sip_out::caller::Far;
use crate::sip_out::caller::one_page;
use crate::sip_out::caller::trunk;

/// Whether this machine can carry a fax; without the engine no call is made.
fn carries() -> bool {
    spandsp::is_available()
}

fn retry(outcome: Outcome) -> (Cause, CallReport) {
    match outcome {
        Outcome::Retry(cause, report) => (cause, report),
        other => panic!("not to be tried again: {other:?}"),
    }
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
    far.ends_content();
}

#[test]
fn whoever_answers_and_says_nothing_is_left() {
    if !carries() {
        return;
    }
    let (short, long) = (Duration::from_secs(3), Duration::from_secs(60));
    for (scenario, t38, limits, cause, detail) in [
        (
            "out-silent.xml",
            false,
            CallLimits {
                silence: short,
                longest: long,
            },
            Cause::NoFaxTone,
            "The far end fell silent",
        ),
        (
            // A caller goes on calling over T.38, and hears nothing.
            "out-silent-t38.xml",
            true,
            CallLimits {
                silence: long,
                longest: short,
            },
            Cause::Disconnected,
            "The call lasted too long",
        ),
    ] {
        let far = Far::plays(scenario, &[]);
        let trunks = vec![trunk("one", far.port)];
        let caller = Caller::with(trunks, t38, "x", |setup| setup.limits = limits);
        let (found, report) = retry(caller.call(&one_page(1)).0);
        assert_eq!((found, report.detail.as_str()), (cause, detail));
        assert_eq!((report.pages_sent, report.sip), (0, Some(200)));
        // Its last word is BYE.
        far.ends_content();
    }
}

/// Three pages; those after the first are long on the line.
fn three_pages() -> Call {
    let mut page = Page {
        bitmap: Bitmap::new(FAX_WIDTH, 600),
        x_dpi: 204,
        y_dpi: 196,
    };
    let mut pages = vec![page.clone()];
    let mut state = 1_u32;
    for y in 0..600 {
        for x in 0..FAX_WIDTH {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            page.bitmap.set(x, y, state >> 28 == 0);
        }
    }
    pages.extend([page.clone(), page]);
    Call {
        fax: FaxFile {
            tiff: faxpage::write_tiff(&pages),
            pages: 3,
        },
        ..one_page(1)
    }
}

#[test]
fn a_call_that_breaks_off_in_the_second_page_goes_on_there_next_time() {
    if !carries() {
        return;
    }
    for (leaves, cause) in [
        (Leaves::ByHangingUp, Cause::Disconnected),
        (Leaves::Silently, Cause::NoResponseAfterPage),
    ] {
        let far = Machine::waits(leaves);
        let caller = Caller::new(vec![trunk("one", far.port)], true, "x");
        let (outcome, notes) = caller.call(&three_pages());
        let (found, report) = retry(outcome);
        assert_eq!(found, cause, "{leaves:?} {report:?} {notes:?}");
        assert_eq!((report.pages_sent, report.media), (1, Some(Media::T38)));
        assert!(!notes.contains(&CallProgress::LastPageSent), "{notes:?}");
        far.ends_by_bye();
    }
}

#[test]
fn a_trunk_is_called_over_tls_by_address_and_by_name() {
    if !carries() {
        return;
    }
    for host in ["127.0.0.1", "localhost"] {
        let far = Busy::certified_for(&[host]);
        let caller = Caller::new(vec![far.trunk(host, far.ca_file())], true, "x");
        let (cause, report) = retry(caller.call(&one_page(1)).0);
        assert_eq!((cause, report.sip), (Cause::Busy, Some(486)), "{host}");
        let asked = far.was_asked().unwrap();
        assert!(asked.starts_with("INVITE sip:"), "{asked}");
    }
}

#[test]
fn a_trunk_whose_certificate_is_not_its_own_or_of_nobody_known_hears_nothing() {
    if !carries() {
        return;
    }
    let stranger = Busy::certified_for(&["127.0.0.1"]);
    let named = Busy::certified_for(&["sip.example"]);
    let trunks = [
        stranger.trunk("127.0.0.1", named.ca_file()),
        named.trunk("127.0.0.1", named.ca_file()),
    ];
    for (trunk, far) in trunks.into_iter().zip([stranger, named]) {
        let caller = Caller::new(vec![trunk], true, "x");
        let why = match caller.call(&one_page(1)).0 {
            Outcome::NotCalled { why } => why,
            other => panic!("it was called: {other:?}"),
        };
        assert!(
            why.starts_with("one: its certificate is not accepted"),
            "{why}"
        );
        assert_eq!(
            caller
                .trouble("one")
                .map(|trouble| format!("one: {trouble}")),
            Some(why)
        );
        assert_eq!(far.was_asked(), None);
    }
}

#[test]
fn a_trunk_that_takes_no_connection_is_left_at_once() {
    if !carries() {
        return;
    }
    let (away, far) = (free_port(), Machine::waits(Leaves::ByHangingUp));
    let mut first = trunk("away", away);
    first.proxy.wire = faxgate::config::Wire::Tcp;
    let caller = Caller::new(vec![first, trunk("two", far.port)], true, "x");
    let (_, report) = retry(caller.call(&three_pages()).0);
    assert_eq!(report.line, "two");
    let trouble = caller.trouble("away").unwrap();
    assert!(trouble.starts_with("it takes no connection"), "{trouble}");
    far.ends_by_bye();
}
