//! The integration tests: one binary, one file per story.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking, in their helpers too"
)]

mod dialog;
mod mail_door;
mod recording_door;
