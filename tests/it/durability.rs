//! Promises P1 and P6 as the kernel sees them: what a reply says is on stable storage before the reply
//! is written (the order of system calls, as strace tells it).

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use jiff::ToSpan;
use rustix::process::Pid;
use rustix::process::Signal;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

/// A system call: its text, and where in the trace it began and ended.
#[derive(Debug)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

impl Call {
    fn is(&self, name: &str) -> bool {
        self.text.starts_with(name)
    }

    /// A sync of a file whose path ends so.
    fn syncs(&self, path_end: &str) -> bool {
        (self.is("fsync(") || self.is("fdatasync(")) && self.text.contains(&format!("{path_end}>"))
    }
}

/// The calls of a trace. A call that others interrupt stands in two lines.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((process, text)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let text = text.trim_start();
        if let Some(begin) = text.strip_suffix(" <unfinished ...>") {
            open.insert(process, (at, begin.to_owned()));
        } else if text.starts_with("<... ") {
            let rest = text.split_once("resumed>").map_or("", |(_, rest)| rest);
            if let Some((began, begin)) = open.remove(process) {
                calls.push(Call {
                    text: begin + rest,
                    began,
                    ended: at,
                });
            }
        } else {
            calls.push(Call {
                text: text.to_owned(),
                began: at,
                ended: at,
            });
        }
    }
    calls
}

/// The first call after the line `after` that is asked for.
fn next<'c>(calls: &'c [Call], after: usize, what: &str, is: impl Fn(&Call) -> bool) -> &'c Call {
    let mut later = calls.iter().filter(|call| call.began > after && is(call));
    later
        .next()
        .unwrap_or_else(|| panic!("no {what} after line {after}"))
}

fn reply<'c>(calls: &'c [Call], text: &str) -> &'c Call {
    let said = |call: &Call| call.is("sendto(") || call.is("write(") || call.is("writev(");
    let mut replies = calls
        .iter()
        .filter(|call| said(call) && call.text.contains(text));
    let found = replies
        .next()
        .unwrap_or_else(|| panic!("{text:?} was never written"));
    assert!(replies.next().is_none(), "{text:?} was written twice");
    found
}

/// strace and where it writes; what it traces is killed when this is dropped, however the story ends.
struct Traced(Child, PathBuf);

impl Drop for Traced {
    fn drop(&mut self) {
        let trace = std::fs::read_to_string(&self.1).unwrap_or_default();
        // strace names the process in each line; killed itself, it would let that one live.
        let first = trace.split_whitespace().next();
        match first.and_then(|id| Pid::from_raw(id.parse().ok()?)) {
            Some(process) => drop(rustix::process::kill_process(process, Signal::KILL)),
            None => drop(self.0.kill()),
        }
        let _ = self.0.wait();
    }
}

/// Serves under strace, lets `act` happen, and gives the trace.
fn traced(gateway: &Gateway, act: impl FnOnce()) -> String {
    let trace = gateway.path("trace");
    let served = gateway.faxgate();
    let log = std::fs::File::options()
        .append(true)
        .open(gateway.path("log"));
    let before = gateway.log_lines().len();
    let strace = Command::new("strace")
        .args(["-f", "-y", "-s", "200", "-o"])
        .arg(&trace)
        .arg("-e")
        .arg("trace=fsync,fdatasync,pwrite64,write,writev,sendto")
        .arg(served.get_program())
        .args(served.get_args())
        .arg("serve")
        .env_remove("RUST_LOG")
        .current_dir(gateway.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.unwrap())
        .spawn()
        .expect("strace is needed: ./test --deps installs it");
    let traced = Traced(strace, trace.clone());
    wait_for("the traced gateway to take mail", || {
        let new = gateway.log_lines().split_off(before);
        new.iter()
            .any(|line| line["message"] == "mail is taken")
            .then_some(())
    });
    act();
    drop(traced);
    std::fs::read_to_string(&trace).unwrap()
}

#[test]
fn p1_p6_replies_are_written_after_what_they_say_is_synced() {
    let mut gateway = Gateway::with(&[Account::suzuki(), Account::tanaka()]);
    gateway.kill();
    // Sent later, so that no call of theirs is mixed in.
    let day = jiff::Zoned::now().checked_add(20.days()).unwrap();
    let later = format!("offer /d {} 00:00", day.strftime("%Y-%m-%d"));
    let small = Mail::plain("0312345678@fax.example").subject(&later);
    let large = "All of it is needed.\r\n".repeat(5_000);
    let large = Mail::new("suzuki@customer.example", "0312345678@fax.example", &large);
    let large = large.subject(&later);
    let (mut small_reply, mut large_reply) = (String::new(), String::new());
    let trace = traced(&gateway, || {
        small_reply = Smtp::hello(gateway.smtp).mail(&small);
        large_reply = Smtp::hello(gateway.smtp).mail(&large);
        gateway.refuses(&Mail::wrong("0312345678@fax.example"));
    });
    let calls = calls(&trace);
    the_row_is_synced_before(&calls, &small_reply);
    the_file_is_synced_before(&calls, &large_reply);
    let refused = reply(&calls, "550 5.7.8 ");
    log_is_synced_between(&calls, reply(&calls, &large_reply).ended, refused.began);
}

/// SQLite's log is written and then synced, both between these lines of the trace.
fn log_is_synced_between(calls: &[Call], after: usize, before: usize) {
    let written = |call: &Call| call.is("pwrite64(") && call.text.contains("faxgate.sqlite3-wal>");
    let written = next(calls, after, "write of the log", written);
    let synced = next(calls, written.ended, "sync of the log", |call| {
        call.syncs("faxgate.sqlite3-wal")
    });
    assert!(synced.text.ends_with("= 0"), "{synced:?}");
    assert!(synced.ended < before, "{synced:?} is not before {before}");
}

fn the_row_is_synced_before(calls: &[Call], said: &str) {
    assert!(said.starts_with("250 2.0.0 Ok: queued as "), "{said}");
    let go_ahead = calls.iter().find(|call| call.text.contains("\"354 "));
    let replied = reply(calls, said);
    log_is_synced_between(calls, go_ahead.unwrap().ended, replied.began);
}

fn the_file_is_synced_before(calls: &[Call], said: &str) {
    assert!(said.starts_with("250 2.0.0 Ok: queued as "), "{said}");
    let batch = said.rsplit(' ').next().unwrap();
    let name = format!("{batch}-documents");
    let file = next(calls, 0, "sync of the file", |call| {
        call.syncs(&format!("/{name}"))
    });
    let (path, _) = file.text.split_once(&format!("/{name}>")).unwrap();
    let folder = path.rsplit('<').next().unwrap();
    let folder = next(calls, file.ended, "sync of the folder", |call| {
        call.syncs(folder)
    });
    for call in [file, folder] {
        assert!(call.text.ends_with("= 0"), "{call:?}");
    }
    log_is_synced_between(calls, folder.ended, reply(calls, said).began);
}
