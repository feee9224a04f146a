//! Accounts at work: who owns an address or a number, whose password is right, who is locked.

pub mod age;
pub mod certificate;
pub mod contact_lists;
pub mod credential;
pub mod directory;
pub mod fold;
pub mod in_force;
pub mod lockout;
pub mod notice;
pub mod overlay;
pub mod people;
pub mod person;
pub mod policy;
pub mod replacement;
pub mod reset;
pub mod rights;
pub mod scram;
pub mod senders;
pub mod session;
