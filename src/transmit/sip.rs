//! Calls over SIP (RFC 3261): telephone lines of providers and exchanges, called trunks.
//!
//! Each call begins with sound and goes over to T.38 when one side asks for it; the fax itself is sent by a worker
//! process (`transmit::line`).

mod endpoint;
mod guard;
mod incoming;
mod media;
mod number;
mod pace;
mod register;
pub mod sdp;
mod switchboard;
mod trunk;
mod verdict;
