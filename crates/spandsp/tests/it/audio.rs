//! Calls over audio.

use spandsp::AudioFax;
use spandsp::Completion;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::SAMPLES_PER_SECOND;

use crate::paper;
use crate::paper::Desk;

/// Samples of 20 ms.
const BLOCK: usize = 160;

/// What 8-bit companding leaves of a sample: four bits below the highest one (G.711, in the manner of its mu law).
fn companded(sample: i16) -> i16 {
    let biased = i32::from(sample).abs().min(32_635) + 0x84;
    let shift = 27_u32.saturating_sub(biased.leading_zeros());
    let kept = ((biased >> shift) << shift) + (1 << shift) / 2 - 0x84;
    (kept * i32::from(sample).signum()) as i16
}

/// A call of the two, until both are over or this many seconds have passed.
fn talk(sender: &mut AudioFax, receiver: &mut AudioFax, seconds: u32, cut_after: u32) -> u32 {
    let (mut there, mut back) = ([0; BLOCK], [0; BLOCK]);
    let mut samples = 0;
    while (sender.is_active() || receiver.is_active()) && samples < seconds * SAMPLES_PER_SECOND {
        sender.transmit(&mut there);
        receiver.transmit(&mut back);
        for sample in there.iter_mut().chain(&mut back) {
            *sample = companded(*sample);
        }
        if samples < cut_after * SAMPLES_PER_SECOND {
            receiver.receive(&there);
            sender.receive(&back);
        } else {
            receiver.receive_lost(BLOCK as u32);
            sender.receive_lost(BLOCK as u32);
        }
        samples += BLOCK as u32;
    }
    samples / SAMPLES_PER_SECOND
}

#[test]
fn a_fax_over_companded_audio_arrives_bit_by_bit() {
    let pages = paper::pages(1);
    for (fastest, ecm) in [(Modem::V17, true), (Modem::V29, false)] {
        let desk = Desk::with(&pages);
        let call = FaxCall {
            fastest,
            ecm,
            ..desk.sender()
        };
        let mut sender = AudioFax::new(&call).unwrap();
        let mut receiver = AudioFax::new(&desk.receiver()).unwrap();
        let seconds = talk(&mut sender, &mut receiver, 300, 300);
        assert_eq!(sender.completion(), Some(Completion::Ok), "{sender:?}");
        assert_eq!(receiver.completion(), Some(Completion::Ok), "{receiver:?}");
        assert!(desk.pages() == pages);
        assert_eq!(sender.progress().ecm, ecm);
        assert!(seconds > 8 * sender.progress().bytes / sender.progress().rate);
    }
}

#[test]
fn a_line_that_falls_silent_in_a_page_ends_the_fax_with_the_pages_before() {
    let pages = paper::pages(2);
    let desk = Desk::with(&pages);
    let mut sender = AudioFax::new(&desk.sender()).unwrap();
    let mut receiver = AudioFax::new(&desk.receiver()).unwrap();
    talk(&mut sender, &mut receiver, 60, 35);
    receiver.terminate();
    assert_eq!(receiver.progress().pages, 1);
    assert!(!receiver.progress().confirmed);
    assert!(desk.pages()[..1] == pages[..1]);
}
