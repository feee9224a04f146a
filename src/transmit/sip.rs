//! Calls over SIP (RFC 3261).

pub mod sdp;
