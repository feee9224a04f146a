//! A whole session of T.30 in one process, both ends, as fast as it goes.

use spandsp::Completion;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Pacing;
use spandsp::Task;
use spandsp::Terminal;

use crate::paper;
use crate::process;

/// Sessions, of which the median counts.
const SESSIONS: usize = 21;

/// Samples of a step.
const STEP: u32 = 160;

/// Processor time of sending and receiving so many pages.
pub(crate) fn measure(pages: u32) {
    let folder = tempfile::tempdir().unwrap();
    let sent = folder.path().join("sent.tiff");
    let received = folder.path().join("received.tiff");
    let document = paper::pages(1, pages);
    std::fs::write(&sent, paper::file(&document).tiff).unwrap();
    let sender = FaxCall {
        task: Task::Transmit {
            file: sent,
            first_page: 0,
        },
        local_id: "+81 3 0000 0001".to_owned(),
        sub_address: None,
        ecm: true,
        fastest: Modem::V17,
    };
    let receiver = FaxCall {
        task: Task::Receive {
            file: received.clone(),
        },
        ..sender.clone()
    };
    let mut times: Vec<f64> = (0..SESSIONS).map(|_| session(&sender, &receiver)).collect();
    times.sort_by(f64::total_cmp);
    let arrived = faxgate::fax::FaxFile {
        tiff: std::fs::read(received).unwrap(),
        pages,
    };
    assert!(paper::read(&arrived) == document, "the pages are others");
    println!(
        "cpu_ms={:.1} least_ms={:.1} most_ms={:.1} sessions={SESSIONS}",
        times[SESSIONS / 2],
        times[0],
        times[SESSIONS - 1]
    );
}

/// Milliseconds of processor time of one session.
fn session(sender: &FaxCall, receiver: &FaxCall) -> f64 {
    let before = process::own_cpu();
    let mut sender = Terminal::new(sender, Pacing::Unpaced).unwrap();
    let mut receiver = Terminal::new(receiver, Pacing::Unpaced).unwrap();
    let (mut sent, mut answered) = (0_u16, 0_u16);
    while sender.is_active() || receiver.is_active() {
        sender.advance(STEP, |packet| {
            receiver.receive(packet.ifp, sent);
            sent = sent.wrapping_add(1);
        });
        receiver.advance(STEP, |packet| {
            sender.receive(packet.ifp, answered);
            answered = answered.wrapping_add(1);
        });
    }
    assert_eq!(sender.completion(), Some(Completion::Ok));
    drop((sender, receiver));
    (process::own_cpu() - before).as_secs_f64() * 1000.0
}
