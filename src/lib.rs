//! A fax and e-mail gateway.
//!
//! In the order in which a job meets them:
//!
//! * [`cli`] - the command line; [`config`] - what the operator wrote, checked; [`serve`] - everything
//!   is built and wired here
//! * [`ingress`] - the ESMTP door; [`web`] - the account web
//! * [`intake`] - the way of a received message to stored jobs, on one screen
//! * [`submission`] - a message becomes a submission; the password leaves it
//! * [`authenticate`] - who sent it, and how that was proved
//! * [`admit`] - what it may become
//! * [`queue`] - durable jobs, when they are tried again, what is told of them
//! * [`dispatch`] - the way of a claimed job to its settled status, on one screen
//! * [`render`] - documents become fax pages
//! * [`transmit`] - one call
//! * [`notify`] - mail about results, locks and received faxes
//! * [`receive`] - a fax arrives
//!
//! People: [`account`]. Ground: [`storage`], [`record`], [`confine`] (shutting child processes in). Operators: [`monitor`].
//!
//! Words everybody uses: [`fax`], [`lock`], [`refusal`], [`secret`], [`smtp`], [`status`], [`time`].

pub mod account;
pub mod admit;
pub mod authenticate;
pub mod cli;
pub mod config;
pub mod confine;
pub mod dispatch;
pub mod fax;
pub mod ingress;
pub mod intake;
pub mod lock;
pub mod monitor;
pub mod notify;
pub mod queue;
pub mod receive;
pub mod record;
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
pub mod web;
