//! Many calls at once in real time: two fax workers each, over UDP of this machine.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use faxgate::fax::FaxFile;
use faxgate::fax::StationId;
use faxgate::transmit::line::Assignment;
use faxgate::transmit::line::CallLimits;
use faxgate::transmit::line::Carrier;
use faxgate::transmit::line::Ended;
use faxgate::transmit::line::Pacing;
use faxgate::transmit::line::Report;
use faxgate::transmit::line::Task;
use faxgate::transmit::line::Worker;
use faxgate::transmit::line::Workers;

use crate::paper;
use crate::process;
use crate::process::Use;

/// How often the workers are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The workers of the built gateway, their folders below `folder`.
pub(crate) fn workers(folder: &Path) -> Workers {
    let program = std::env::var_os("FAXGATE_BENCH_BINARY").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_faxgate")),
        PathBuf::from,
    );
    Workers::new(program, folder.join("calls"), false)
}

/// A worker that is to send or to receive.
pub(crate) fn assignment(name: String, task: Task) -> Assignment {
    Assignment {
        name,
        about: "0312345678".to_owned(),
        task,
        local_id: StationId::parse("+81 3 0000 0001").unwrap(),
        sub_address: None,
        ecm: true,
        fastest: faxgate::fax::Modem::V17,
        limits: CallLimits::default(),
        pacing: Pacing::Line,
    }
}

/// A call: who sends, who receives.
pub(crate) struct Pair {
    pub(crate) sender: Worker,
    pub(crate) receiver: Worker,
}

/// Starts both ends of a call and connects them.
pub(crate) async fn connect(workers: &Workers, name: &str, fax: FaxFile, first_page: u32) -> Pair {
    let (ours, theirs) = (socket(), socket());
    let to = |socket: &UdpSocket| Carrier::T38 {
        remote: socket.local_addr().unwrap(),
        max_datagram: 400,
        redundancy: 3,
    };
    let (to_receiver, to_sender) = (to(&theirs), to(&ours));
    let receiver = assignment(format!("in-{name}"), Task::Receive);
    let mut receiver = workers.start(receiver, theirs).await.unwrap();
    let sender = assignment(name.to_owned(), Task::Send { fax, first_page });
    let mut sender = workers.start(sender, ours).await.unwrap();
    receiver.carry(to_sender).await.unwrap();
    sender.carry(to_receiver).await.unwrap();
    Pair { sender, receiver }
}

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// How a worker's call ends.
pub(crate) async fn end(mut worker: Worker) -> Ended {
    while let Some(report) = worker.next().await {
        if let Report::Ended(ended) = report {
            return ended;
        }
    }
    panic!("a worker ended without a word");
}

/// How so many simultaneous calls of so many pages go, and what they cost.
pub(crate) fn measure(count: u32, pages: u32) {
    let folder = tempfile::tempdir().unwrap();
    let workers = workers(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let good = Arc::new(AtomicUsize::new(0));
    let before = process::ended_cpu();
    let began = Instant::now();
    let mut roles = BTreeMap::new();
    let mut calls = Vec::new();
    for call in 0..count {
        let sent = paper::pages(call, pages);
        let fax = paper::file(&sent);
        let known = process::children();
        let pair = runtime.block_on(connect(&workers, &format!("{call}-1"), fax, 0));
        // The receiver is started first.
        let new = process::children();
        let new = new.difference(&known);
        roles.extend(new.zip([false, true]).map(|(id, sends)| (*id, sends)));
        let good = Arc::clone(&good);
        calls.push(runtime.spawn(async move {
            let begun = Instant::now();
            let receiver = tokio::spawn(end(pair.receiver));
            let sender = end(pair.sender).await;
            let receiver = receiver.await.unwrap();
            if is_good(&sender, &receiver, &sent) {
                good.fetch_add(1, Ordering::Relaxed);
            } else {
                eprintln!("call {call}: {} {}", told(&sender), told(&receiver));
            }
            begun.elapsed().as_secs_f64()
        }));
    }
    let started = began.elapsed();
    let (seen, together) = watch(&calls);
    let lengths = calls
        .into_iter()
        .map(|call| runtime.block_on(call).unwrap());
    let seconds = lengths.sum::<f64>() / f64::from(count);
    let good = good.load(Ordering::Relaxed);
    let cpu = process::ended_cpu() - before;
    println!(
        "good={good} of={count} together={together} start_s={:.1} call_s={seconds:.1}",
        started.as_secs_f64()
    );
    let workers = f64::from(count) * 2.0;
    println!(
        "cpu_worker_s={:.4} cpu_percent={:.4}",
        cpu / workers,
        cpu / workers / seconds * 100.0
    );
    tell_use("sender", &seen, |id| roles.get(&id) == Some(&true), seconds);
    tell_use(
        "receiver",
        &seen,
        |id| roles.get(&id) == Some(&false),
        seconds,
    );
}

/// Looks at the workers until all calls are over: what each used, and how many there were at once.
fn watch(calls: &[tokio::task::JoinHandle<f64>]) -> (BTreeMap<u32, Use>, usize) {
    let mut seen = BTreeMap::new();
    let mut together = 0;
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        let children = process::children();
        together = together.max(children.len());
        process::look(children.into_iter(), &mut seen);
        std::thread::sleep(LOOK);
    }
    (seen, together)
}

/// What the workers of one kind were last seen to use.
fn tell_use(kind: &str, seen: &BTreeMap<u32, Use>, is: impl Fn(u32) -> bool, seconds: f64) {
    let uses: Vec<Use> = seen
        .iter()
        .filter(|(id, _)| is(**id))
        .map(|(_, each)| *each)
        .collect();
    let most = |field: fn(&Use) -> u64| uses.iter().map(field).max().unwrap_or(0);
    let middle = |field: fn(&Use) -> u64| {
        let mut values: Vec<u64> = uses.iter().map(field).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    let cpu = uses.iter().map(|each| each.cpu).sum::<f64>() / uses.len().max(1) as f64;
    println!(
        "{kind}s={} {kind}_cpu_percent={:.4} {kind}_peak_kib={} {kind}_peak_middle_kib={} \
         {kind}_own_kib={} {kind}_share_kib={}",
        uses.len(),
        cpu / seconds * 100.0,
        most(|each| each.peak),
        middle(|each| each.peak),
        most(|each| each.own),
        middle(|each| each.share),
    );
}

fn is_good(sender: &Ended, receiver: &Ended, sent: &[faxpage::Page]) -> bool {
    let arrived = receiver.fax.as_ref().map(paper::read);
    sender.confirmed && receiver.confirmed && arrived.is_some_and(|pages| pages == sent)
}

/// An end without its pages.
pub(crate) fn told(ended: &Ended) -> String {
    format!(
        "pages {} confirmed {} by {:?} completion {:?} lost {}",
        ended.pages, ended.confirmed, ended.by, ended.completion, ended.packets_lost
    )
}
