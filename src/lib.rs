//! A fax and e-mail gateway.
//!
//! In the order in which a job meets them:
//!
//! * [`config`] - what the operator wrote, checked
//! * [`ingress`] - the ESMTP door
//!
//! Words everybody uses: [`fax`], [`lock`], [`refusal`], [`secret`], [`smtp`], [`status`], [`time`].

pub mod account;
pub mod config;
pub mod fax;
pub mod ingress;
pub mod lock;
pub mod record;
pub mod refusal;
pub mod render;
pub mod secret;
pub mod smtp;
pub mod status;
pub mod submission;
pub mod time;
