//! Fax workers: two processes of the built program, and the packets between them.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use faxgate::fax::CallProgress;
use faxgate::fax::Cause;
use faxgate::fax::FaxFile;
use faxgate::fax::Media;
use faxgate::fax::Modem;
use faxgate::fax::Outcome;
use faxgate::fax::StationId;
use faxgate::fax::SubAddress;
use faxgate::transmit::line::Assignment;
use faxgate::transmit::line::CallLimits;
use faxgate::transmit::line::Carrier;
use faxgate::transmit::line::Codec;
use faxgate::transmit::line::Ended;
use faxgate::transmit::line::EndedBy;
use faxgate::transmit::line::Pacing;
use faxgate::transmit::line::Report;
use faxgate::transmit::line::Task;
use faxgate::transmit::line::Worker;
use faxgate::transmit::line::Workers;
use faxgate::transmit::line::outcome;
use faxpage::Bitmap;
use faxpage::Page;
use faxpage::TiffLimits;
use rustix::process::Pid;
use rustix::process::Signal;

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 100,
    max_pixels: 64 * 1024 * 1024,
};

/// A page of few rows; `grain_rows` of them are grains, which make bytes on the line.
fn page(number: u32, grain_rows: u32) -> Page {
    let mut bitmap = Bitmap::new(1728, 200 + grain_rows);
    for x in 100..200 + number * 10 {
        bitmap.set(x, 50, true);
    }
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    for y in 100..100 + grain_rows {
        for x in 0..1728 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            bitmap.set(x, y, state.is_multiple_of(16));
        }
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 196,
    }
}

fn fax(pages: &[Page]) -> FaxFile {
    FaxFile {
        tiff: faxpage::write_tiff(pages),
        pages: u32::try_from(pages.len()).unwrap(),
    }
}

fn pages(fax: &FaxFile) -> Vec<Page> {
    faxpage::read_tiff(&fax.tiff, &LIMITS).unwrap()
}

/// A folder of calls, and two sockets.
struct Desk {
    calls: tempfile::TempDir,
    workers: Workers,
}

/// A worker and its address.
struct End {
    worker: Worker,
    address: SocketAddr,
    reports: Vec<Report>,
}

impl Desk {
    fn new() -> Self {
        let calls = tempfile::tempdir().unwrap();
        let workers = workers(&calls);
        Self { calls, workers }
    }

    async fn start(&self, assignment: Assignment) -> End {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let address = socket.local_addr().unwrap();
        End {
            worker: self.workers.start(assignment, socket).await.unwrap(),
            address,
            reports: Vec::new(),
        }
    }

    /// A sender of these pages and a receiver, which nothing carries yet.
    async fn both(&self, pages: &[Page], pacing: Pacing) -> (End, End) {
        let sender = Assignment {
            pacing,
            ..send(pages, 0)
        };
        let receiver = Assignment {
            pacing,
            ..receive()
        };
        (self.start(sender).await, self.start(receiver).await)
    }
}

fn workers(calls: &tempfile::TempDir) -> Workers {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_faxgate"));
    Workers::new(exe, calls.path().join("calls"), false)
}

fn send(pages: &[Page], first_page: u32) -> Assignment {
    Assignment {
        name: "7-1".into(),
        about: String::new(),
        task: Task::Send {
            fax: fax(pages),
            first_page,
        },
        local_id: StationId::parse("+81 3 0000 0001").unwrap(),
        sub_address: SubAddress::parse("12#"),
        ecm: true,
        fastest: Modem::V17,
        limits: CallLimits::default(),
        pacing: Pacing::Unpaced,
    }
}

fn receive() -> Assignment {
    Assignment {
        name: "in-1".into(),
        about: "+81 3 0000 0002".into(),
        task: Task::Receive,
        local_id: StationId::parse("+81 3 0000 0002").unwrap(),
        sub_address: None,
        ..send(&[], 0)
    }
}

fn t38(remote: SocketAddr) -> Carrier {
    Carrier::T38 {
        remote,
        max_datagram: 400,
        redundancy: 3,
    }
}

fn audio(remote: SocketAddr) -> Carrier {
    Carrier::Audio {
        remote,
        codec: Codec::Pcma { payload_type: 8 },
    }
}

impl End {
    /// Listens until this is reported. Fails if the call ends before.
    async fn until(&mut self, what: impl Fn(&Report) -> bool) {
        loop {
            let report = self.worker.next().await.unwrap();
            let found = what(&report);
            self.reports.push(report);
            if found {
                return;
            }
            let last = self.reports.last();
            assert!(
                !matches!(last, Some(Report::Ended(_))),
                "{:?}",
                self.reports
            );
        }
    }

    async fn page(&mut self, number: u32) {
        let reached = |report: &Report| matches!(report, Report::Progress(CallProgress::Page { confirmed, .. }) if *confirmed == number);
        self.until(reached).await;
    }

    async fn ended(&mut self) -> Ended {
        self.until(|report| matches!(report, Report::Ended(_)))
            .await;
        assert!(self.worker.next().await.is_none());
        match self.reports.last() {
            Some(Report::Ended(ended)) => ended.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn kill(&self) {
        let id = i32::try_from(self.worker.process().unwrap()).unwrap();
        let process = Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, Signal::KILL).unwrap();
    }

    fn has(&self, progress: CallProgress) -> bool {
        self.reports.contains(&Report::Progress(progress))
    }
}

async fn carry(sender: &mut End, receiver: &mut End, by: fn(SocketAddr) -> Carrier) {
    receiver.worker.carry(by(sender.address)).await.unwrap();
    sender.worker.carry(by(receiver.address)).await.unwrap();
}

/// Both end well, and these pages arrived.
async fn arrives(sender: &mut End, receiver: &mut End, sent: &[Page], media: Media) {
    let (sent_end, received_end) = tokio::join!(sender.ended(), receiver.ended());
    for ended in [&sent_end, &received_end] {
        assert_eq!(ended.by, EndedBy::Fax, "{ended:?}");
        assert!(ended.confirmed, "{ended:?}");
        assert_eq!((ended.completion, ended.media), (Some(0), Some(media)));
        assert!(ended.rate > 0 && ended.ecm);
    }
    assert_eq!(sent_end.remote_id.as_str(), "+81 3 0000 0002");
    assert_eq!(received_end.remote_id.as_str(), "+81 3 0000 0001");
    assert_eq!(received_end.sub_address, SubAddress::parse("12#"));
    assert!(pages(received_end.fax.as_ref().unwrap()) == sent);
    let total = u32::try_from(sent.len()).unwrap();
    match outcome(&sent_end, 0, total) {
        Outcome::Sent(report) => assert_eq!(report.pages_sent, total),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn pages_go_from_process_to_process_bit_by_bit() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent: Vec<Page> = (0..5).map(|n| page(n, 150)).collect();
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Unpaced).await;
    carry(&mut sender, &mut receiver, t38).await;
    arrives(&mut sender, &mut receiver, &sent, Media::T38).await;
    assert!(sender.has(CallProgress::Carried { media: Media::T38 }));
    assert!(sender.has(CallProgress::Page {
        confirmed: 2,
        of: 5
    }));
    assert!(sender.has(CallProgress::LastPageSent) && sender.has(CallProgress::Released));
    assert!(receiver.has(CallProgress::Page {
        confirmed: 5,
        of: 0
    }));
    assert!(
        !sender.reports.contains(&Report::FaxHeard),
        "it has T.38 already"
    );
    // What is kept is what was told, until it is forgotten.
    let left = desk.workers.left_in().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].name.as_str(), left[0].about.as_str()),
        ("in-1", "+81 3 0000 0002")
    );
    assert_eq!(
        Some(&Report::Ended(left[0].ended.clone())),
        receiver.reports.last()
    );
    desk.workers.forget("in-1").await;
    assert!(desk.workers.left_in().await.unwrap().is_empty());
    assert!(
        desk.workers
            .look_up("7-1")
            .await
            .unwrap()
            .unwrap()
            .ended
            .confirmed
    );
    assert_eq!(desk.workers.look_up("8-1").await.unwrap(), None);
}

#[tokio::test]
async fn a_page_goes_at_the_speed_of_its_modem() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent = [page(1, 20)];
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Line).await;
    carry(&mut sender, &mut receiver, t38).await;
    arrives(&mut sender, &mut receiver, &sent, Media::T38).await;
}

#[tokio::test]
async fn a_fax_goes_over_audio() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent = [page(1, 50), page(2, 0)];
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Unpaced).await;
    carry(&mut sender, &mut receiver, audio).await;
    arrives(&mut sender, &mut receiver, &sent, Media::G711).await;
    for end in [&sender, &receiver] {
        let heard = end.reports.iter().filter(|r| **r == Report::FaxHeard);
        assert_eq!(heard.count(), 1);
    }
}

#[tokio::test]
async fn a_call_in_audio_goes_on_over_packets_once_a_fax_is_heard() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent = [page(1, 50)];
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Unpaced).await;
    carry(&mut sender, &mut receiver, audio).await;
    receiver.until(|report| *report == Report::FaxHeard).await;
    carry(&mut sender, &mut receiver, t38).await;
    // Offered again, as a refresh of the session does, it changes nothing.
    carry(&mut sender, &mut receiver, t38).await;
    arrives(&mut sender, &mut receiver, &sent, Media::T38).await;
    assert!(sender.has(CallProgress::Carried { media: Media::G711 }));
}

#[tokio::test]
async fn a_late_offer_of_audio_does_not_disturb_a_fax_that_has_begun() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent = [page(1, 0), page(2, 20)];
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Line).await;
    carry(&mut sender, &mut receiver, t38).await;
    sender.page(1).await;
    sender.worker.carry(audio(receiver.address)).await.unwrap();
    arrives(&mut sender, &mut receiver, &sent, Media::T38).await;
}

#[tokio::test]
async fn when_a_receiver_is_killed_in_a_page_the_rest_is_sent_in_the_next_call() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    // The second page takes minutes.
    let sent = [page(1, 0), page(2, 800), page(3, 0)];
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Line).await;
    carry(&mut sender, &mut receiver, t38).await;
    receiver.page(1).await;
    sender.page(1).await;
    receiver.kill();
    let lost = receiver.ended().await;
    assert!(lost.is_crash() && !lost.confirmed);
    assert!(pages(lost.fax.as_ref().unwrap()) == sent[..1]);
    // The other side of the call hears of it as a hang-up.
    sender.worker.hang_up().await;
    let cut = sender.ended().await;
    assert_eq!(
        (cut.by, cut.pages, cut.confirmed),
        (EndedBy::HangUp, 1, false)
    );
    let Outcome::Retry(Cause::Disconnected, report) = outcome(&cut, 0, 3) else {
        panic!("{cut:?}");
    };
    let again = Assignment {
        name: "7-2".into(),
        ..send(&sent, report.pages_sent)
    };
    let rest = Assignment {
        name: "in-2".into(),
        ..receive()
    };
    let (mut sender, mut receiver) = (desk.start(again).await, desk.start(rest).await);
    carry(&mut sender, &mut receiver, t38).await;
    let (cut, rest) = tokio::join!(sender.ended(), receiver.ended());
    assert!(pages(rest.fax.as_ref().unwrap()) == sent[1..]);
    assert!(sender.has(CallProgress::Page {
        confirmed: 2,
        of: 3
    }));
    match outcome(&cut, 1, 3) {
        Outcome::Sent(report) => assert_eq!(report.pages_sent, 3),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn when_a_sender_is_killed_in_a_page_the_receiver_keeps_the_pages_before() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent = [page(1, 0), page(2, 800)];
    let sender = Assignment {
        pacing: Pacing::Line,
        ..send(&sent, 0)
    };
    let receiver = Assignment {
        pacing: Pacing::Line,
        limits: CallLimits {
            silence: Duration::from_secs(6),
            ..CallLimits::default()
        },
        ..receive()
    };
    let (mut sender, mut receiver) = (desk.start(sender).await, desk.start(receiver).await);
    carry(&mut sender, &mut receiver, t38).await;
    sender.page(1).await;
    sender.kill();
    let crash = sender.ended().await;
    assert!(crash.is_crash());
    let Outcome::Retry(Cause::LocalFault, report) = outcome(&crash, 0, 2) else {
        panic!("{crash:?}");
    };
    assert_eq!(report.pages_sent, 1);
    // Who starts after a crash of all finds the same.
    let found = workers(&desk.calls).look_up("7-1").await.unwrap();
    assert_eq!(found.unwrap().ended, crash);
    // Nobody hangs up: the receiver notices that nothing comes.
    let partial = receiver.ended().await;
    assert_eq!((partial.by, partial.confirmed), (EndedBy::Silence, false));
    assert!(pages(partial.fax.as_ref().unwrap()) == sent[..1]);
}

#[tokio::test]
async fn a_far_end_that_never_speaks_is_given_up() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let silent = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let limits = CallLimits {
        silence: Duration::from_secs(1),
        ..CallLimits::default()
    };
    let assignment = Assignment {
        limits,
        ..send(&[page(1, 0)], 0)
    };
    let mut sender = desk.start(assignment).await;
    let address = silent.local_addr().unwrap();
    sender.worker.carry(t38(address)).await.unwrap();
    let ended = sender.ended().await;
    assert_eq!(ended.by, EndedBy::Silence);
    let outcome = outcome(&ended, 0, 1);
    assert!(
        matches!(outcome, Outcome::Retry(Cause::NoFaxTone, _)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_call_has_a_longest_time() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let limits = CallLimits {
        longest: Duration::from_secs(1),
        ..CallLimits::default()
    };
    let mut worker = desk
        .start(Assignment {
            limits,
            ..receive()
        })
        .await;
    let ended = worker.ended().await;
    assert_eq!((ended.by, ended.fax), (EndedBy::Length, None));
}

/// Passes datagrams on between two ends, some of them damaged, as long as both are there.
async fn damage(
    a: tokio::net::UdpSocket,
    b: tokio::net::UdpSocket,
    ends: (SocketAddr, SocketAddr),
) {
    let (mut state, mut left, mut right) = (12_345_u32, [0; 2048], [0; 2048]);
    loop {
        let (datagram, to, by) = tokio::select! {
            Ok((length, _)) = a.recv_from(&mut left) => (&mut left[..length], ends.1, &b),
            Ok((length, _)) = b.recv_from(&mut right) => (&mut right[..length], ends.0, &a),
        };
        let mut throw = |sides: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % sides
        };
        let mut cut = datagram.len();
        if throw(20) == 0 {
            match throw(3) {
                0 => cut = throw(datagram.len()),
                _ => datagram[throw(cut)] = throw(256) as u8,
            }
        }
        by.send_to(&datagram[..cut], to).await.unwrap();
    }
}

#[tokio::test]
async fn damaged_packets_end_in_an_outcome() {
    if !spandsp::is_available() {
        return;
    }
    for by in [t38 as fn(SocketAddr) -> Carrier, audio] {
        let desk = Desk::new();
        let limits = CallLimits {
            silence: Duration::from_secs(3),
            longest: Duration::from_secs(15),
        };
        let sent: Vec<Page> = (0..20).map(|n| page(n, 50)).collect();
        let sender = Assignment {
            limits,
            ..send(&sent, 0)
        };
        let receiver = Assignment {
            limits,
            ..receive()
        };
        let (mut sender, mut receiver) = (desk.start(sender).await, desk.start(receiver).await);
        let a = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let b = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let (near_sender, near_receiver) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        receiver.worker.carry(by(near_receiver)).await.unwrap();
        sender.worker.carry(by(near_sender)).await.unwrap();
        let damage = tokio::spawn(damage(a, b, (sender.address, receiver.address)));
        let (one, other) = tokio::join!(sender.ended(), receiver.ended());
        damage.abort();
        assert!(one.pages <= 20 && other.pages <= 20);
        // Whatever was made of it, a page that is told is a page that is there.
        let count = other.fax.as_ref().map_or(0, |fax| pages(fax).len());
        assert_eq!(other.pages as usize, count);
    }
}

#[tokio::test]
async fn strangers_are_not_heard_once_the_far_end_has_spoken() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    let sent = [page(1, 0), page(2, 40)];
    let (mut sender, mut receiver) = desk.both(&sent, Pacing::Line).await;
    carry(&mut sender, &mut receiver, t38).await;
    sender.page(1).await;
    let stranger = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    // A packet that ends a signal, under every number.
    for number in 0..=u16::MAX {
        let [high, low] = number.to_be_bytes();
        let datagram = [high, low, 4, 0xc0, 1, 0x40, 0, 0, 0];
        stranger.send_to(&datagram, receiver.address).unwrap();
    }
    arrives(&mut sender, &mut receiver, &sent, Media::T38).await;
}

#[tokio::test]
async fn a_name_is_used_once_and_a_worker_is_confined() {
    if !spandsp::is_available() {
        return;
    }
    let desk = Desk::new();
    // `Desk` does not allow a worker that can reach what it should not: this starts only where the confinement holds.
    let worker = desk.start(receive()).await;
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let error = desk.workers.start(receive(), socket).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    drop(worker);
}

/// What a process has cost: seconds on a processor, and KiB of memory that no other process shares.
fn cost(end: &End) -> (f64, u64) {
    let process = format!("/proc/{}", end.worker.process().unwrap());
    let schedule = std::fs::read_to_string(format!("{process}/schedstat")).unwrap();
    let nanoseconds: u64 = schedule.split(' ').next().unwrap().parse().unwrap();
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let memory = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
    (nanoseconds as f64 / 1e9, memory)
}

#[tokio::test]
#[ignore = "a measurement: a page that takes minutes"]
async fn a_worker_costs_a_thousandth_of_a_core() {
    let desk = Desk::new();
    for (by, most) in [(t38 as fn(SocketAddr) -> Carrier, 0.001), (audio, 0.005)] {
        let sent = [page(1, 0), page(2, 400), page(3, 0)];
        let (mut sender, mut receiver) = desk.both(&sent, Pacing::Line).await;
        carry(&mut sender, &mut receiver, by).await;
        sender.page(1).await;
        let (before, start) = ([cost(&sender), cost(&receiver)], std::time::Instant::now());
        sender.page(2).await;
        let seconds = start.elapsed().as_secs_f64();
        for ((was, _), end) in before.iter().zip([&sender, &receiver]) {
            let (now, memory) = cost(end);
            let share = (now - was) / seconds;
            println!(
                "{:.3} % of a core over {seconds:.0} s, {memory} KiB",
                share * 100.0
            );
            // Unoptimised code is several times as large, and cold at each wake.
            let slack = if cfg!(debug_assertions) { 10.0 } else { 1.0 };
            assert!(share <= most * slack && memory <= 6 * 1024);
        }
        drop((sender, receiver));
        desk.workers.forget("7-1").await;
        desk.workers.forget("in-1").await;
    }
}
