//! A modem with a computer that is the test, and a terminal at the other end of its line.

use spandsp::ClassOneModem;
use spandsp::LineEvent;
use spandsp::Pacing;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Terminal;
use spandsp::Wish;

use crate::paper::Desk;

const STEP: u32 = SAMPLES_PER_SECOND / 50;

/// What ends a frame on the serial side: DLE ETX.
const FRAME_END: &[u8] = b"\x10\x03";

fn modem() -> ClassOneModem {
    let mut modem = ClassOneModem::new().unwrap();
    modem.write(b"ATE0\r");
    modem.write(b"AT+FCLASS=1\r");
    modem.read();
    modem
}

fn ask(modem: &mut ClassOneModem, command: &[u8]) -> String {
    assert_eq!(modem.write(command), command.len());
    String::from_utf8(modem.read()).unwrap()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_modem_says_what_it_can() {
    let mut modem = modem();
    assert_eq!(ask(&mut modem, b"AT\r"), "\r\nOK\r\n");
    let speeds = ask(&mut modem, b"AT+FTM=?\r");
    assert!(
        speeds.contains("145") && speeds.ends_with("OK\r\n"),
        "{speeds}"
    );
    assert!(ask(&mut modem, b"AT+FCLASS=7\r").contains("ERROR"));
}

#[test]
fn what_the_computer_wants_of_the_line_is_told() {
    let mut modem = modem();
    modem.write(b"ATDT0312345678\r");
    assert_eq!(modem.take_wishes(), [Wish::Dial("0312345678".to_owned())]);
    modem.tell(LineEvent::Busy);
    assert_eq!(modem.read(), b"\r\nBUSY\r\n");
    modem.tell(LineEvent::Ringing);
    assert_eq!(modem.read(), b"\r\nRING\r\n");
    modem.write(b"ATA\r");
    assert_eq!(modem.take_wishes(), [Wish::Answer]);
    modem.tell(LineEvent::PickedUp);
    // The first byte ends the answer tone.
    modem.write(b"\r");
    modem.write(b"ATH\r");
    assert_eq!(modem.take_wishes(), [Wish::HangUp]);
}

#[test]
fn a_computer_hears_what_the_far_end_can() {
    let desk = Desk::with(&[]);
    let mut terminal = Terminal::new(&desk.receiver(), Pacing::Line).unwrap();
    let mut modem = modem();
    modem.write(b"ATD1\r");
    modem.tell(LineEvent::Connected);
    let (mut from_modem, mut from_terminal) = (0, 0);
    let mut heard = Vec::new();
    // The answer tone lasts 3 s, the identifier and what it can do about 2 s.
    for _ in 0..6 * SAMPLES_PER_SECOND / STEP {
        modem.advance(STEP, |packet| {
            terminal.receive(packet.ifp, from_modem);
            from_modem += 1;
        });
        terminal.advance(STEP, |packet| {
            modem.receive(packet.ifp, from_terminal);
            from_terminal += 1;
        });
        heard.extend(modem.read());
        if heard.ends_with(b"\r\nOK\r\n") {
            modem.write(b"AT+FRH=3\r");
        }
    }
    assert!(holds(&heard, b"\r\nCONNECT\r\n"), "{heard:?}");
    // CSI, its digits from the last to the first, and DIS.
    assert!(holds(&heard, b"\xff\x03\x402000 0000 3 18+"), "{heard:?}");
    assert!(holds(&heard, b"\xff\x13\x80"), "{heard:?}");
    assert!(holds(&heard, FRAME_END));
}

#[test]
fn a_computer_that_is_too_fast_waits() {
    let mut modem = modem();
    modem.write(b"ATD1\r");
    modem.tell(LineEvent::Connected);
    modem.write(b"\r");
    modem.write(b"AT+FTM=145\r");
    assert!(modem.read().ends_with(b"\r\nCONNECT\r\n"));
    let page = vec![0x55; 20_000];
    let mut sent = modem.write(&page);
    assert!((1024..4096).contains(&sent), "{sent}");
    assert_eq!(modem.write(&page), 0);
    // 14,400 bit/s are 1,800 bytes a second, after the training.
    let (mut seconds, mut bytes) = (0, 0);
    while sent < page.len() {
        modem.advance(SAMPLES_PER_SECOND, |packet| bytes += packet.ifp.len());
        sent += modem.write(&page[sent..]);
        seconds += 1;
        assert!(seconds < 20);
    }
    assert!(seconds > 8);
    assert!(bytes > 16_000, "{bytes}");
}
