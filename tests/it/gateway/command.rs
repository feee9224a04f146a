//! The command line.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value as Json;

use super::Gateway;
use super::wait_for;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained of.
    pub(crate) stderr: String,
}

impl Output {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs a command with `input` on its standard input.
pub(crate) fn run_with_input(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Gateway {
    /// Runs `faxgate` with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = self.faxgate();
        command.args(arguments);
        run_with_input(command, "")
    }

    /// The same; it must succeed.
    pub(crate) fn must(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        output
    }

    /// The same with `--json`; what it printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        self.must(&arguments).json()
    }

    /// All jobs, in the order in which they were made.
    pub(crate) fn jobs(&self) -> Vec<Json> {
        let mut jobs = self.json(&["job", "list"]).as_array().unwrap().clone();
        jobs.reverse();
        jobs
    }

    /// Waits for `count` jobs, all of them settled.
    pub(crate) fn settled(&self, count: usize) -> Vec<Json> {
        wait_for(&format!("{count} settled jobs"), || {
            let jobs = self.jobs();
            let settled = jobs.iter().all(|job| job["completed"].is_string());
            assert!(jobs.len() <= count, "more than {count} jobs: {jobs:?}");
            (settled && jobs.len() == count).then_some(jobs)
        })
    }

    /// An account as `account show` tells it.
    pub(crate) fn account(&self, id: &str) -> Json {
        self.json(&["account", "show", id])
    }

    /// The strikes that count now.
    pub(crate) fn strikes(&self, id: &str) -> i64 {
        self.account(id)["strikes"].as_i64().unwrap()
    }

    /// Whether the account is locked.
    pub(crate) fn is_locked(&self, id: &str) -> bool {
        self.account(id)["locked"].as_bool().unwrap()
    }

    /// Locks by hand.
    pub(crate) fn lock(&self, id: &str) {
        self.must(&["account", "lock", id]);
    }

    /// Unlocks by hand.
    pub(crate) fn unlock(&self, id: &str) {
        self.must(&["account", "unlock", id, "--reason", "asked by telephone"]);
    }
}
