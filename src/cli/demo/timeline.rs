//! What the audience reads: acts, events with their time, indented details.

use crate::cli::Failure;
use crate::cli::output;
use crate::time::Timestamp;

/// Where details begin.
const INDENT: usize = 22;

/// Prints the story; times count from its beginning.
pub(super) struct Timeline {
    began: Timestamp,
}

impl Timeline {
    pub(super) fn new(began: Timestamp) -> Self {
        Self { began }
    }

    /// A heading.
    pub(super) fn act(&self, number: u32, title: &str) -> Result<(), Failure> {
        output::line(&format!("\n{number}. {title}\n"))
    }

    /// Something that `who` did at `at`.
    pub(super) fn event(&self, at: Timestamp, who: &str, what: &str) -> Result<(), Failure> {
        let seconds = at.since(self.began).as_secs_f64();
        output::line(&format!("  {seconds:6.2} s   {who:<9} {what}"))
    }

    /// More about the event before.
    pub(super) fn detail(&self, text: &str) -> Result<(), Failure> {
        output::line(&format!("{:INDENT$}  {text}", ""))
    }
}
