//! A fax and e-mail gateway.
//!
//! In the order in which a job meets them:
//!
//! * [`config`] - what the operator wrote, checked
//! * [`notify`] - mail about results, and the way it leaves
//!
//! Words everybody uses: [`fax`], [`lock`], [`refusal`], [`secret`], [`smtp`], [`status`], [`time`].

pub mod account;
pub mod config;
pub mod dispatch;
pub mod fax;
pub mod ingress;
pub mod intake;
pub mod lock;
pub mod notify;
pub mod refusal;
pub mod render;
pub mod secret;
pub mod serve;
pub mod smtp;
pub mod status;
pub mod storage;
pub mod submission;
pub mod time;
pub mod transmit;
