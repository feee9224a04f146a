//! A fax and e-mail gateway.
//!
//! In the order in which a job meets them:
//!
//! * [`config`] - what the operator wrote, checked
//! * [`account`] - accounts at work: who owns what, and what a new password must be
//!
//! Words everybody uses: [`fax`], [`lock`], [`refusal`], [`secret`], [`smtp`], [`status`], [`time`].

pub mod account;
pub mod config;
pub mod fax;
pub mod lock;
pub mod refusal;
pub mod secret;
pub mod smtp;
pub mod status;
pub mod time;
