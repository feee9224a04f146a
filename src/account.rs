//! Accounts at work: who owns an address or a number, and what a new password must be.

pub mod directory;
pub mod policy;
