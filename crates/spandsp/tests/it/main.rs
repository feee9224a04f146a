//! Calls between two ends in one process, under a clock that the tests set.

#[cfg(not(spandsp_found))]
mod absent;
#[cfg(spandsp_found)]
mod paper;
#[cfg(spandsp_found)]
mod t38;
#[cfg(spandsp_found)]
mod wire;
