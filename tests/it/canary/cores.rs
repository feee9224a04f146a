//! Memory is written to no disk: no core of the gateway or of a converter, whatever the limits were.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Pid;
use rustix::process::Signal;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::wait_for;

/// Starts a program that may dump as much core as the machine lets it.
const UNLIMITED: [&str; 4] = [
    "sh",
    "-c",
    "ulimit -c unlimited 2>/dev/null; exec \"$@\"",
    "sh",
];

#[test]
fn c2_a_gateway_that_crashes_leaves_no_core() {
    let mut gateway = Gateway::with(&[Account::tanaka()]);
    gateway.kill();
    for signal in [Signal::ABORT, Signal::SEGV] {
        gateway.serve_under(&UNLIMITED);
        assert_eq!(core_limit(gateway.id()), ["0", "0"]);
        gateway.accepts(&Mail::right("0312345678@fax.example"));
        let status = gateway.end_by(signal);
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert!(!status.core_dumped(), "a core was dumped");
    }
    assert_eq!(cores(gateway.folder()), Vec::<String>::new());
    // On this machine a program that does not mind leaves one: the story can fail.
    let mut careless = Command::new(UNLIMITED[0]);
    careless
        .args(&UNLIMITED[1..])
        .args(["sh", "-c", "kill -ABRT $$"]);
    let status = careless.current_dir(gateway.folder()).status().unwrap();
    println!(
        "a careless program dumps core here: {}",
        status.core_dumped()
    );
}

#[test]
fn c2_a_converter_leaves_no_core() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    // A converter is there for moments only; mails go in until one was looked at.
    let limit = wait_for("a converter", || {
        gateway.accepts(&Mail::password(
            "0312345678@fax.example",
            crate::gateway::RIGHT,
        ));
        converters(gateway.id()).into_iter().find_map(|id| {
            let limit = std::panic::catch_unwind(|| core_limit(id)).ok()?;
            Some((limit, end(id)))
        })
    });
    assert_eq!(limit.0, ["0", "0"]);
    assert_eq!(cores(gateway.folder()), Vec::<String>::new());
}

fn end(id: u32) -> bool {
    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    rustix::process::kill_process(id, Signal::ABORT).is_ok()
}

/// The converters that a gateway runs.
pub(super) fn converters(gateway: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{gateway}/task"));
    let children = tasks.into_iter().flatten().filter_map(|task| {
        let file = task.ok()?.path().join("children");
        std::fs::read_to_string(file).ok()
    });
    let ids: Vec<String> = children.collect();
    let ids = ids.iter().flat_map(|text| text.split_whitespace());
    ids.filter_map(|id| id.parse().ok()).collect()
}

/// Soft and hard limit of a core's size.
fn core_limit(process: u32) -> [String; 2] {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let mut lines = limits.lines();
    let core = lines.find_map(|line| line.strip_prefix("Max core file size"));
    let mut words = core.unwrap().split_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}

fn cores(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("core")).collect()
}
