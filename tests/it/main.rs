//! The integration tests: one binary, one file per story.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story ends at the first thing that goes wrong"
)]

mod config_mistakes;
