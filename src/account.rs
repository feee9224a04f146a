//! Accounts at work: who owns an address or a number, whose password is right, who is locked.

pub mod certificate;
pub mod contact_lists;
pub mod credential;
pub mod directory;
pub mod in_force;
pub mod lockout;
pub mod notice;
pub mod overlay;
pub mod policy;
pub mod scram;
pub mod senders;
pub mod session;
