//! What a T.38 receiver says in a call of one page, as a capture that sipp plays again.

use std::path::Path;

use faxgate::transmit::Call;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Pacing;
use spandsp::SAMPLES_PER_SECOND;
use spandsp::Task;
use spandsp::Terminal;

use crate::modem::udptl::Datagrams;
use crate::sip_out::caller::one_page;

/// Samples between two looks of either end at its packets, as of a gateway: 40 ms.
const STEP: u32 = SAMPLES_PER_SECOND / 25;
/// Longer than the call: two minutes.
const LONGEST: u32 = 3000;
/// What the receiver says goes on for so many steps after its end.
const AFTERWARDS: u32 = 25;
/// `LINKTYPE_ETHERNET` (draft-ietf-opsawg-pcap section 4).
const ETHERNET: u32 = 1;

/// Datagrams of one end and when they were sent, in samples.
type Sent = Vec<(u32, Vec<u8>)>;

/// Writes `fixtures/sipp/t38-receiver.pcap` anew: `cargo test --test it record_a_receiver -- --ignored`.
///
/// The ends talk at the speed of the line, in time that only they know.
#[test]
#[ignore = "it writes a fixture"]
fn record_a_receiver() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sipp/t38-receiver.pcap");
    std::fs::write(file, capture(&receiver(&one_page(1)))).unwrap();
}

/// What a receiver of this call says.
fn receiver(call: &Call) -> Sent {
    let folder = tempfile::tempdir().unwrap();
    let sent = folder.path().join("sent.tiff");
    std::fs::write(&sent, &call.fax.tiff).unwrap();
    let end = |task, id: &str| {
        let call = FaxCall {
            task,
            local_id: id.to_owned(),
            sub_address: None,
            ecm: call.ecm,
            fastest: Modem::V17,
        };
        Terminal::new(&call, Pacing::Line).unwrap()
    };
    let task = Task::Transmit {
        file: sent,
        first_page: 0,
    };
    let mut sender = end(task, call.local_id.as_str());
    let file = folder.path().join("received.tiff");
    let mut receiver = end(Task::Receive { file }, "+81 3 1234 5678");
    let (mut datagrams, mut said) = (Datagrams::default(), Sent::new());
    let (mut there, mut back) = (0, 0);
    let mut left = None;
    for step in 0..LONGEST {
        let mut packets = Vec::new();
        sender.advance(STEP, |packet| packets.push(packet.ifp.to_vec()));
        for packet in packets {
            receiver.receive(&packet, there);
            there = there.wrapping_add(1);
        }
        let mut packets = Vec::new();
        receiver.advance(STEP, |packet| {
            packets.push((packet.ifp.to_vec(), packet.copies));
        });
        for (packet, copies) in packets {
            let datagram = datagrams.write(&packet);
            said.extend((0..copies).map(|_| (step * STEP, datagram.clone())));
            sender.receive(&packet, back);
            back = back.wrapping_add(1);
        }
        if receiver.completion().is_some() && sender.completion().is_some() {
            let left = left.get_or_insert(AFTERWARDS);
            *left -= 1;
            if *left == 0 {
                break;
            }
        }
    }
    assert!(sender.progress().confirmed, "{:?}", sender.completion());
    said
}

/// A capture of Ethernet frames (draft-ietf-opsawg-pcap). Addresses and ports mean nothing: sipp has its own.
fn capture(sent: &Sent) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2_u16, 4].map(u16::to_le_bytes).concat());
    file.extend([0, 0, 65_535, ETHERNET].map(u32::to_le_bytes).concat());
    for (at, datagram) in sent {
        let micros = u64::from(at % SAMPLES_PER_SECOND) * 1_000_000 / u64::from(SAMPLES_PER_SECOND);
        let frame = frame(datagram);
        let length = u32::try_from(frame.len()).unwrap();
        let micros = u32::try_from(micros).unwrap();
        let head = [at / SAMPLES_PER_SECOND, micros, length, length];
        file.extend(head.map(u32::to_le_bytes).concat());
        file.extend(frame);
    }
    file
}

/// An Ethernet frame with a UDP datagram over IPv4 (RFC 791, RFC 768) from 127.0.0.1:4000 to 127.0.0.1:4002.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    let mut ip = vec![0x45, 0];
    ip.extend((28 + length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    let words = ip
        .chunks(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(ip);
    for field in [4000, 4002, 8 + length, 0] {
        frame.extend(u16::to_be_bytes(field));
    }
    frame.extend_from_slice(payload);
    frame
}
