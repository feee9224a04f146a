//! What the audience reads: acts, events with their time, indented details.

use std::sync::Mutex;
use std::sync::PoisonError;

use crate::cli::Failure;
use crate::cli::output;
use crate::time::Timestamp;

/// Where details begin.
const INDENT: usize = 24;
/// Longest line of a reply: the page stays 80 columns wide.
const WIDTH: usize = 80 - INDENT;

/// Tells the story; times count from its beginning.
///
/// Events are learnt of in another order than they happen in: they are kept until [`Timeline::flush`]
/// and printed in the order of their times.
pub(super) struct Timeline {
    began: Timestamp,
    events: Mutex<Vec<(Timestamp, String)>>,
}

impl Timeline {
    pub(super) fn new(began: Timestamp) -> Self {
        Self {
            began,
            events: Mutex::default(),
        }
    }

    /// A heading.
    pub(super) fn act(&self, number: u32, title: &str) -> Result<(), Failure> {
        self.flush()?;
        output::line(&format!("\n{number}. {title}\n"))
    }

    /// Something that `who` did at `at`.
    pub(super) fn event(&self, at: Timestamp, who: &str, what: &str) {
        let seconds = at.since(self.began).as_secs_f64();
        let mut lines = wrapped(what).into_iter();
        let first = lines.next().unwrap_or_default();
        let mut text = format!("  {seconds:6.2} s   {who:<9} {first}\n");
        for line in lines {
            text.push_str(&format!("{:INDENT$}{line}\n", ""));
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push((at, text));
    }

    /// More about the event before.
    pub(super) fn detail(&self, text: &str) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, event)) = events.last_mut() {
            event.push_str(&format!("{:INDENT$}{text}\n", ""));
        }
    }

    /// Prints what has been kept.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Stable: what happens in one millisecond stays in the order of telling.
        events.sort_by_key(|(at, _)| *at);
        let text: String = events.drain(..).map(|(_, text)| text).collect();
        output::bytes(text.as_bytes())
    }
}

/// Lines of whole words.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_replies_are_wrapped_between_words() {
        let text = "answers 550 5.7.8 Not accepted: check the sender address, the password line";
        let lines = wrapped(text);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(lines.join(" "), text);
    }

    #[test]
    fn events_are_kept_in_the_order_of_their_times() {
        let timeline = Timeline::new(Timestamp::from_ms(0));
        timeline.event(Timestamp::from_ms(2_000), "b", "second");
        timeline.detail("of the second");
        timeline.event(Timestamp::from_ms(1_000), "a", "first");
        let mut events = timeline.events.lock().unwrap();
        events.sort_by_key(|(at, _)| *at);
        let text: String = events.drain(..).map(|(_, text)| text).collect();
        let at = |what: &str| text.find(what).unwrap();
        assert!(at("first") < at("second") && at("second") < at("of the second"));
    }
}
