//! Calls over T.38.

use spandsp::Completion;
use spandsp::Event;
use spandsp::Pacing;

use crate::paper;
use crate::paper::Desk;
use crate::wire::Line;
use crate::wire::Wire;

#[test]
fn two_pages_arrive_bit_by_bit() {
    let pages = paper::pages(2);
    let desk = Desk::with(&pages);
    let mut wire = Wire::new(
        &desk.sender(),
        &desk.receiver(),
        Pacing::Unpaced,
        Line::default(),
    );
    let ends = wire.run();
    println!(
        "{:?}\n{:#?}\n{:#?}\n{:?}",
        wire.samples, wire.sender.events, wire.receiver.events, wire.receiver.terminal
    );
    assert_eq!(ends, (Completion::Ok, Completion::Ok));
    assert!(desk.pages() == pages);
    assert_eq!(
        wire.sender.events.last(),
        Some(&Event::Ended(Completion::Ok))
    );
}
