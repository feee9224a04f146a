//! Calls over T.38.

use spandsp::Completion;
use spandsp::Direction;
use spandsp::Event;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Pacing;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Signal;
use spandsp::StartError;
use spandsp::Task;
use spandsp::Terminal;

use crate::paper;
use crate::paper::Desk;
use crate::wire::End;
use crate::wire::Line;
use crate::wire::Wire;

fn unpaced(desk: &Desk) -> Wire {
    Wire::new(
        &desk.sender(),
        &desk.receiver(),
        Pacing::Unpaced,
        Line::default(),
    )
}

fn signals(end: &End) -> Vec<Signal> {
    end.events
        .iter()
        .filter_map(|event| match event {
            Event::Signal(_, signal) => Some(*signal),
            Event::Negotiated { .. }
            | Event::Training { .. }
            | Event::Page(_)
            | Event::Ended(_) => None,
        })
        .collect()
}

fn rates(end: &End) -> Vec<u32> {
    end.events
        .iter()
        .filter_map(|event| match event {
            Event::Training { rate, .. } => Some(*rate),
            Event::Signal(..) | Event::Negotiated { .. } | Event::Page(_) | Event::Ended(_) => None,
        })
        .collect()
}

#[test]
fn two_pages_arrive_bit_by_bit() {
    let pages = paper::pages(2);
    let desk = Desk::with(&pages);
    let mut wire = unpaced(&desk);
    assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
    assert!(desk.pages() == pages);
    assert!(wire.samples < SAMPLES_PER_SECOND);
}

#[test]
fn both_ends_tell_the_phases_of_the_call() {
    let pages = paper::pages(2);
    let desk = Desk::with(&pages);
    let mut wire = unpaced(&desk);
    wire.run();
    let phases = [
        Signal::Csi,
        Signal::Dis,
        Signal::Tsi,
        Signal::Dcs,
        Signal::Cfr,
        Signal::PpsMps,
        Signal::Mcf,
        Signal::PpsEop,
        Signal::Mcf,
        Signal::Dcn,
    ];
    for end in [&wire.sender, &wire.receiver] {
        assert_eq!(signals(end), phases);
        assert_eq!(rates(end), [14_400]);
        assert_eq!(end.events.last(), Some(&Event::Ended(Completion::Ok)));
        let progress = end.terminal.progress();
        assert_eq!((progress.pages, progress.confirmed), (2, true));
        assert_eq!((progress.rate, progress.ecm), (14_400, true));
        assert_eq!((progress.columns, progress.rows), (1728, 2286));
    }
    assert_eq!(wire.sender.terminal.progress().pages_in_file, Some(2));
    assert_eq!(wire.receiver.terminal.progress().pages_in_file, None);
    let negotiated = |id: &str| Event::Negotiated {
        remote_id: Some(id.to_owned()),
        sub_address: None,
    };
    assert!(wire.sender.events.contains(&negotiated("+81 3 0000 0002")));
    assert!(
        wire.receiver
            .events
            .contains(&negotiated("+81 3 0000 0001"))
    );
    let sent = Event::Signal(Direction::Sent, Signal::Dcs);
    assert!(wire.sender.events.contains(&sent) && !wire.receiver.events.contains(&sent));
}

#[test]
fn a_paced_call_takes_the_time_of_its_modem() {
    let pages = paper::pages(2);
    for (fastest, rate) in [
        (Modem::V17, 14_400),
        (Modem::V29, 9600),
        (Modem::V27ter, 4800),
    ] {
        let desk = Desk::with(&pages);
        let sender = FaxCall {
            fastest,
            ..desk.sender()
        };
        let mut wire = Wire::new(&sender, &desk.receiver(), Pacing::Line, Line::default());
        assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
        assert!(desk.pages() == pages);
        assert_eq!(rates(&wire.receiver), [rate]);
        let on_the_line = 2 * 8 * wire.sender.terminal.progress().bytes / rate;
        assert!(wire.samples / SAMPLES_PER_SECOND > on_the_line);
    }
}

#[test]
fn a_training_that_fails_is_tried_at_the_next_lower_speed() {
    let pages = paper::pages(1);
    let desk = Desk::with(&pages);
    let line = Line {
        noisy: true,
        ..Line::default()
    };
    let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Line, line);
    wire.run_until(|wire| signals(&wire.receiver).contains(&Signal::Ftt));
    wire.line.noisy = false;
    assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
    assert!(desk.pages() == pages);
    assert_eq!(rates(&wire.sender), [14_400, 12_000]);
    assert_eq!(wire.receiver.terminal.progress().rate, 12_000);
}

#[test]
fn without_error_correction_pages_arrive_bit_by_bit_too() {
    let pages = paper::pages(2);
    let desk = Desk::with(&pages);
    let sender = FaxCall {
        ecm: false,
        ..desk.sender()
    };
    let mut wire = Wire::new(&sender, &desk.receiver(), Pacing::Unpaced, Line::default());
    assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
    assert!(desk.pages() == pages);
    assert!(!wire.receiver.terminal.progress().ecm);
    assert!(signals(&wire.receiver).contains(&Signal::Eop));
}

#[test]
fn a_page_of_several_blocks_is_one_page() {
    let pages = [paper::page(1, 1000), paper::page(2, 10)];
    let desk = Desk::with(&pages);
    let mut wire = unpaced(&desk);
    assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
    assert!(desk.pages() == pages);
    assert!(signals(&wire.receiver).contains(&Signal::PpsNull));
    let told = |end: &End| {
        end.events
            .iter()
            .filter(|event| matches!(event, Event::Page(_)))
            .count()
    };
    assert_eq!((told(&wire.sender), told(&wire.receiver)), (2, 2));
}

#[test]
fn a_sub_address_reaches_the_far_end() {
    let desk = Desk::with(&paper::pages(1));
    let sender = FaxCall {
        sub_address: Some("4711".to_owned()),
        ..desk.sender()
    };
    let mut wire = Wire::new(&sender, &desk.receiver(), Pacing::Unpaced, Line::default());
    wire.run();
    assert!(wire.receiver.events.contains(&Event::Negotiated {
        remote_id: Some("+81 3 0000 0001".to_owned()),
        sub_address: Some("4711".to_owned()),
    }));
}

#[test]
fn packets_that_come_three_times_outlive_loss() {
    let pages = paper::pages(2);
    for lost in [50, 200] {
        let desk = Desk::with(&pages);
        let line = Line {
            copies: 4,
            lost,
            ..Line::default()
        };
        let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Line, line);
        assert_eq!(wire.run(), (Completion::Ok, Completion::Ok), "{lost}");
        assert!(desk.pages() == pages);
    }
}

#[test]
fn frames_that_are_lost_are_sent_again() {
    let pages = paper::pages(2);
    let desk = Desk::with(&pages);
    let line = Line {
        lost: 5,
        ..Line::default()
    };
    let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Line, line);
    wire.run();
    assert!(signals(&wire.sender).contains(&Signal::Ppr));
    assert!(desk.pages() == pages);
}

/// A call of three pages that is cut in the second.
fn cut_in_the_second_page(desk: &Desk, ecm: bool) -> Wire {
    let receiver = FaxCall {
        ecm,
        ..desk.receiver()
    };
    let mut wire = Wire::new(&desk.sender(), &receiver, Pacing::Line, Line::default());
    wire.run_until(|wire| wire.sender.terminal.progress().pages == 1);
    wire.pass(5);
    wire.line.cut = true;
    wire.pass(10);
    wire
}

#[test]
fn a_cut_leaves_the_pages_that_were_whole() {
    let pages = paper::pages(3);
    for ecm in [true, false] {
        let desk = Desk::with(&pages);
        let mut wire = cut_in_the_second_page(&desk, ecm);
        wire.sender.terminal.terminate();
        wire.receiver.terminal.terminate();
        for end in [&mut wire.sender, &mut wire.receiver] {
            end.events.extend(end.terminal.take_events());
            let progress = end.terminal.progress();
            assert_eq!((progress.pages, progress.confirmed), (1, false), "{ecm}");
            assert_eq!(
                end.events.last(),
                Some(&Event::Ended(Completion::CallDropped))
            );
        }
        assert!(desk.pages() == pages[..1]);
    }
}

#[test]
fn a_cut_at_any_moment_never_makes_more_of_a_fax_than_there_is() {
    let pages = [paper::page(0, 20), paper::page(1, 20)];
    let mut seen = std::collections::BTreeSet::new();
    for quarter in 0..140 {
        let desk = Desk::with(&pages);
        let ecm = quarter % 2 == 0;
        let sender = FaxCall {
            ecm,
            ..desk.sender()
        };
        let mut wire = Wire::new(&sender, &desk.receiver(), Pacing::Line, Line::default());
        wire.pass_samples(quarter * SAMPLES_PER_SECOND / 4);
        wire.line.cut = true;
        wire.pass(3);
        wire.sender.terminal.terminate();
        wire.receiver.terminal.terminate();
        let sent = wire.sender.terminal.progress().clone();
        let received = wire.receiver.terminal.progress().clone();
        let arrived = match desk.received().exists() {
            true => desk.pages(),
            false => Vec::new(),
        };
        assert!(sent.pages <= received.pages && sent.confirmed <= received.confirmed);
        assert!(arrived == pages[..received.pages as usize]);
        for end in [&wire.sender.terminal, &wire.receiver.terminal] {
            if end.completion() == Some(Completion::Ok) {
                assert!(end.progress().confirmed, "{quarter}");
            }
        }
        seen.insert((sent.pages, received.pages, received.confirmed));
    }
    let moments = [
        (0, 0, false),
        (0, 1, false),
        (1, 1, false),
        (1, 2, true),
        (2, 2, true),
    ];
    assert_eq!(Vec::from_iter(seen), moments);
}

#[test]
fn the_next_call_sends_only_what_was_not_confirmed() {
    let pages = paper::pages(3);
    let desk = Desk::with(&pages);
    let confirmed = cut_in_the_second_page(&desk, true)
        .sender
        .terminal
        .progress()
        .pages;
    let task = match desk.sender().task {
        Task::Transmit { file, .. } => Task::Transmit {
            file,
            first_page: confirmed,
        },
        Task::Receive { .. } => unreachable!(),
    };
    let sender = FaxCall {
        task,
        ..desk.sender()
    };
    let mut wire = Wire::new(&sender, &desk.receiver(), Pacing::Unpaced, Line::default());
    assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
    assert!(desk.pages() == pages[1..]);
    assert_eq!(wire.sender.terminal.progress().pages, 2);
}

#[test]
fn a_receiver_that_confirmed_the_last_page_has_the_fax_whatever_follows() {
    let pages = paper::pages(1);
    let desk = Desk::with(&pages);
    let mut wire = Wire::new(
        &desk.sender(),
        &desk.receiver(),
        Pacing::Line,
        Line::default(),
    );
    wire.run_until(|wire| wire.receiver.terminal.progress().confirmed);
    wire.line.cut = true;
    wire.run_until(|wire| !wire.sender.terminal.is_active());
    assert_eq!(
        wire.sender.terminal.completion(),
        Some(Completion::TxPhaseDDead)
    );
    // The library would wait for the end of a signal for ever: the watchdog is the caller's.
    assert!(wire.receiver.terminal.is_active());
    wire.receiver.terminal.terminate();
    assert!(!wire.sender.terminal.progress().confirmed);
    assert!(wire.receiver.terminal.progress().confirmed);
    assert!(desk.pages() == pages);
}

#[test]
fn a_line_that_is_dead_from_the_start_ends_without_a_fax() {
    let desk = Desk::with(&paper::pages(1));
    let mut wire = Wire::new(
        &desk.sender(),
        &desk.receiver(),
        Pacing::Line,
        Line {
            cut: true,
            ..Line::default()
        },
    );
    let (sender, receiver) = wire.run();
    // SpanDSP 3 says that the time is over, and not after how many repeats.
    let unheard = match cfg!(feature = "vendored") {
        true => Completion::T1Expired,
        false => Completion::RetryDcn,
    };
    assert_eq!((sender, receiver), (Completion::T0Expired, unheard));
    assert!(!desk.received().exists());
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let desk = Desk::with(&paper::pages(1));
    let cases = [("nowhere.tiff", 0), ("sent.tiff", 7)];
    for (name, first_page) in cases {
        let file = desk.received().with_file_name(name);
        let sender = FaxCall {
            task: Task::Transmit { file, first_page },
            ..desk.sender()
        };
        let mut wire = Wire::new(&sender, &desk.receiver(), Pacing::Unpaced, Line::default());
        assert_eq!(wire.run().0, Completion::FileError, "{name}");
    }
}

#[test]
fn what_the_library_would_cut_off_does_not_start() {
    let desk = Desk::with(&paper::pages(1));
    let start = |call: FaxCall| Terminal::new(&call, Pacing::Line).err();
    let named = |id: &str| FaxCall {
        local_id: id.to_owned(),
        ..desk.sender()
    };
    assert_eq!(
        start(named("123456789012345678901")),
        Some(StartError::Identifier)
    );
    assert_eq!(start(named("tab\there")), Some(StartError::Identifier));
    assert_eq!(start(named("12345678901234567890")), None);
    let into = |file: String| FaxCall {
        task: Task::Receive { file: file.into() },
        ..desk.sender()
    };
    assert_eq!(start(into("a".repeat(256))), Some(StartError::Path));
    assert_eq!(start(into("a\0b".to_owned())), Some(StartError::Path));
    assert_eq!(start(into("a".repeat(255))), None);
}

#[test]
fn damaged_packets_end_a_call_or_not_but_never_more_than_that() {
    let pages = paper::pages(1);
    for dice in 0..60 {
        let desk = Desk::with(&pages);
        let line = Line {
            damaged: [5, 50, 300][dice as usize % 3],
            dice,
            ..Line::default()
        };
        let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Unpaced, line);
        wire.pass(120);
        wire.sender.terminal.terminate();
        wire.receiver.terminal.terminate();
    }
}

/// The dice of a damaged line on which the library once crashed: both bits of the page's width in the DCS are set.
#[test]
fn a_page_of_no_width_ends_the_call_instead_of_the_process() {
    let desk = Desk::with(&paper::pages(1));
    let line = Line {
        damaged: 300,
        dice: 2276,
        ..Line::default()
    };
    let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Unpaced, line);
    wire.run_until(|wire| wire.receiver.terminal.completion().is_some());
    wire.pass(1);
    assert_eq!(
        signals(&wire.receiver),
        [Signal::Csi, Signal::Dis, Signal::Tsi, Signal::Dcn]
    );
    assert_eq!(
        wire.receiver.terminal.completion(),
        Some(Completion::RxDcnWhy)
    );
}

/// The dice of a damaged line on which the library once crashed: a frame of the page has nothing in it.
#[test]
fn an_empty_piece_of_a_page_is_skipped() {
    let desk = Desk::with(&[paper::page(1, 30)]);
    let line = Line {
        damaged: 300,
        dice: 101_618,
        ..Line::default()
    };
    let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Unpaced, line);
    wire.pass(60);
    let skipped = Event::Signal(Direction::Received, Signal::Dcn);
    assert!(wire.receiver.events.contains(&skipped));
}

#[test]
fn whatever_is_lost_a_confirmed_fax_is_the_fax_that_was_sent() {
    let pages = [paper::page(0, 40)];
    let mut confirmed = 0;
    for dice in 0..24 {
        let desk = Desk::with(&pages);
        let line = Line {
            copies: 2,
            lost: 200,
            dice,
            ..Line::default()
        };
        let mut wire = Wire::new(&desk.sender(), &desk.receiver(), Pacing::Unpaced, line);
        wire.pass(120);
        if wire.sender.terminal.progress().confirmed {
            confirmed += 1;
            assert!(desk.pages() == pages, "{dice}");
        }
    }
    assert!((1..24).contains(&confirmed), "{confirmed}");
}

#[test]
fn calls_in_many_threads_do_not_disturb_each_other() {
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for _ in 0..4 {
                    let pages = [paper::page(number, 100)];
                    let desk = Desk::with(&pages);
                    let mut wire = unpaced(&desk);
                    assert_eq!(wire.run(), (Completion::Ok, Completion::Ok));
                    assert!(desk.pages() == pages);
                }
            });
        }
    });
}
