//! Workers are killed under load, and every fax is tried again as the gateway would.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use faxgate::transmit::line::EndedBy;
use faxgate::transmit::line::Workers;
use faxpage::Page;
use rustix::process::Pid;
use rustix::process::Signal;

use crate::calls;
use crate::paper;
use crate::process;

/// Calls of one fax after which it is given up.
const MOST_CALLS: u32 = 10;

/// How often new workers are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// The latest moment of a worker's life at which it is killed, in milliseconds: about the length of a call.
const LIFE: u64 = 40_000;

/// What became of a fax.
#[derive(Default)]
struct Fate {
    sent: bool,
    unknown: bool,
    calls: u32,
    crashes: u32,
    /// Pages that did not arrive, of a fax that is said to be sent.
    lost: usize,
    /// Pages that arrived more than once.
    again: usize,
}

/// So many simultaneous faxes of so many pages, of whose workers every n-th is killed at some time.
pub(crate) fn measure(count: u32, pages: u32, every: u32) {
    let folder = tempfile::tempdir().unwrap();
    let workers = calls::workers(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let killer = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || kill(every, &over))
    };
    let faxes: Vec<_> = (0..count)
        .map(|fax| runtime.spawn(deliver(workers.clone(), fax, pages)))
        .collect();
    let fates = faxes.into_iter().map(|fax| runtime.block_on(fax).unwrap());
    let fates: Vec<Fate> = fates.collect();
    over.store(true, Ordering::Relaxed);
    let killed = killer.join().unwrap();
    let number = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
    println!(
        "faxes={count} sent={} unknown={} given_up={} calls={} killed={killed} crashes={} lost={} again={}",
        number(|fate| fate.sent),
        number(|fate| fate.unknown),
        number(|fate| !fate.sent && !fate.unknown),
        fates.iter().map(|fate| fate.calls).sum::<u32>(),
        fates.iter().map(|fate| fate.crashes).sum::<u32>(),
        fates.iter().map(|fate| fate.lost).sum::<usize>(),
        fates.iter().map(|fate| fate.again).sum::<usize>(),
    );
}

/// Calls until all pages are confirmed, or only the far end knows.
async fn deliver(workers: Workers, fax: u32, count: u32) -> Fate {
    let document = paper::pages(fax, count);
    let mut fate = Fate::default();
    let mut confirmed = 0;
    let mut arrived: Vec<Page> = Vec::new();
    while fate.calls < MOST_CALLS && !fate.sent && !fate.unknown {
        fate.calls += 1;
        let name = format!("{fax}-{}", fate.calls);
        let pair = calls::connect(&workers, &name, paper::file(&document), confirmed).await;
        let receiver = tokio::spawn(calls::end(pair.receiver));
        let sender = calls::end(pair.sender).await;
        let receiver = receiver.await.unwrap();
        arrived.extend(receiver.fax.iter().flat_map(paper::read));
        fate.crashes += [&sender, &receiver]
            .into_iter()
            .filter(|ended| ended.by == EndedBy::Crash)
            .count() as u32;
        confirmed += sender.pages;
        fate.sent = sender.confirmed;
        fate.unknown = sender.last_page_sent && !sender.confirmed;
    }
    let times = document
        .iter()
        .map(|page| arrived.iter().filter(|other| *other == page).count());
    let times: Vec<usize> = times.collect();
    if fate.sent {
        fate.lost = times.iter().filter(|times| **times == 0).count();
    }
    fate.again = times.iter().map(|times| times.saturating_sub(1)).sum();
    // What is no page of the document would be neither.
    assert_eq!(times.iter().sum::<usize>(), arrived.len());
    fate
}

/// Kills every n-th worker that appears, some time after; how many.
fn kill(every: u32, over: &AtomicBool) -> u32 {
    let mut known = BTreeSet::new();
    let mut doomed: Vec<(Instant, u32)> = Vec::new();
    let (mut seen, mut killed, mut dice) = (0, 0, 1_u64);
    while !over.load(Ordering::Relaxed) {
        let children = process::children();
        for child in children.difference(&known) {
            seen += 1;
            if seen % every == 0 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let wait = Duration::from_millis((dice >> 33) % LIFE);
                doomed.push((Instant::now() + wait, *child));
            }
        }
        known.extend(&children);
        doomed.retain(|(when, child)| {
            if *when > Instant::now() {
                return true;
            }
            // Its number may not have gone to another process: it is still a child.
            let id = i32::try_from(*child).ok().and_then(Pid::from_raw);
            if children.contains(child)
                && let Some(id) = id
            {
                killed += u32::from(rustix::process::kill_process(id, Signal::KILL).is_ok());
            }
            false
        });
        std::thread::sleep(LOOK);
    }
    killed
}
