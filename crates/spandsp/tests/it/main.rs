//! Calls between two ends in one process, under a clock that the tests set.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails may stop where it stands"
)]

#[cfg(not(spandsp_found))]
mod absent;
#[cfg(spandsp_found)]
mod audio;
#[cfg(all(spandsp_found, feature = "modem"))]
mod modem;
#[cfg(spandsp_found)]
mod paper;
#[cfg(spandsp_found)]
mod t38;
#[cfg(spandsp_found)]
mod wire;
