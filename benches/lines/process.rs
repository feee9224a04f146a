//! What the kernel counts of processes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// Ticks of a second in `/proc/<pid>/stat` (`getconf CLK_TCK`; Linux has no other).
const TICKS: f64 = 100.0;

/// What a child was seen to use at last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    /// Seconds of processor time.
    pub(crate) cpu: f64,
    /// The most memory it had at once, shared pages included, in KiB (`VmHWM`).
    pub(crate) peak: u64,
    /// Memory of its own in KiB (`RssAnon`).
    pub(crate) own: u64,
    /// Its share of memory in KiB: pages that `n` processes have count for a part in `n` (`Pss`).
    pub(crate) share: u64,
}

/// Processor time of this thread so far (`schedstat` counts nanoseconds).
pub(crate) fn own_cpu() -> Duration {
    let counts = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let run = counts.split_whitespace().next().unwrap();
    Duration::from_nanos(run.parse().unwrap())
}

/// Our children at present.
pub(crate) fn children() -> BTreeSet<u32> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let lists = threads
        .flatten()
        .flat_map(|thread| fs::read_to_string(thread.path().join("children")));
    lists
        .flat_map(|list| {
            let ids = list.split_whitespace().map(|id| id.parse().unwrap());
            ids.collect::<Vec<u32>>()
        })
        .collect()
}

/// Notes what each child uses now. What has ended keeps what it had.
pub(crate) fn look(children: impl Iterator<Item = u32>, seen: &mut BTreeMap<u32, Use>) {
    for child in children {
        let Some(now) = look_at(child) else { continue };
        let before = seen.entry(child).or_default();
        before.cpu = before.cpu.max(now.cpu);
        before.peak = before.peak.max(now.peak);
        before.own = before.own.max(now.own);
        before.share = before.share.max(now.share);
    }
}

fn look_at(child: u32) -> Option<Use> {
    let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
    // The second field is a name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
    let shares = fs::read_to_string(format!("/proc/{child}/smaps_rollup")).unwrap_or_default();
    Some(Use {
        cpu: (ticks(11)? + ticks(12)?) / TICKS,
        peak: kib(&status, "VmHWM:")?,
        own: kib(&status, "RssAnon:")?,
        share: kib(&shares, "Pss:").unwrap_or(0),
    })
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of all children that have ended, in seconds.
pub(crate) fn ended_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(13) + ticks(14)) / TICKS
}
