//! A received message becomes a `Submission`.
mod address;
mod charset;
mod header;
mod html;
mod parameter;
mod password;
mod text;
mod transfer;
mod word;
pub use address::Recipient;
pub use address::RecipientError;
pub use address::recipient;
