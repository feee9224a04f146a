//! tmp
pub mod credential;
pub mod lockout;
