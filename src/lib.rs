//! A fax and e-mail gateway.
//!
//! In the order in which a job meets them:
//!
//! * [`config`] - what the operator wrote, checked
//! * [`submission`] - a received message becomes a submission; the password leaves it
//!
//! Words everybody uses: [`fax`], [`lock`], [`refusal`], [`secret`], [`smtp`], [`status`], [`time`].

pub mod config;
pub mod fax;
pub mod lock;
pub mod refusal;
pub mod secret;
pub mod smtp;
pub mod status;
pub mod submission;
pub mod time;
