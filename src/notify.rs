//! Mail about results: facts in, message out; and the way such a message leaves.
//!
//! Everything here is a function of its arguments, so a mail can be written again and is the same
//! octet for octet. [`Courier`] alone talks to the network, and knows nothing of what it carries.

mod access;
mod courier;
mod header;
mod jis;
mod letter;
mod notice;
pub mod outgoing;
mod report;
mod reset;
mod result;
mod sender_code;
mod template;
mod transfer;

use std::time::Duration;

use crate::config::Language;
use crate::config::ResultFormat;
use crate::fax::StationId;
use crate::lock::Reach;
use crate::smtp::Address;
use crate::smtp::TrustTier;
use crate::status::Status;
use crate::time::Timestamp;
use crate::time::Zone;

pub use access::AccessFacts;
pub use access::access_notice;
pub use courier::Courier;
pub use courier::DeliveryError;
pub use notice::forward;
pub use notice::lock_notice;
pub use report::delivery_report;
pub use reset::Carries;
pub use reset::ResetFacts;
pub use reset::reset_mail;
pub use result::result_mail;
pub use sender_code::SenderCodeFacts;
pub use sender_code::sender_code;

/// A message ready to be sent; its reverse-path is null (RFC 3834 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who gets it, each in a transaction of its own.
    pub recipients: Vec<Address>,
    /// Header and body, lines ending in CRLF, seven bits except for addresses that need SMTPUTF8.
    pub message: Vec<u8>,
}

/// What every mail has in its header.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `From`.
    pub from: Address,
    /// `To`.
    pub to: Vec<Address>,
    /// `Message-ID`, with or without angle brackets; stable, so that a repeated mail is recognised.
    pub message_id: String,
    /// `Date`.
    pub date: Timestamp,
    /// The zone of `Date`.
    pub zone: Zone,
    /// Message-ID of the mail that this one answers; left out if it is not well-formed.
    pub in_reply_to: Option<String>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type, such as `application/pdf`.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What became of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFacts {
    /// The job.
    pub id: String,
    /// Canonical number; for a list that was refused, its name.
    pub destination: String,
    /// Name of the destination; empty if unknown.
    pub contact: String,
    /// Its final status.
    pub status: Status,
    /// More about it, such as the file that could not be turned into pages.
    pub reason: Option<String>,
    /// Pages that the far end confirmed.
    pub pages_sent: u32,
    /// Length of the call.
    pub duration: Duration,
    /// What the far end called itself.
    pub remote_id: StationId,
    /// When it was accepted.
    pub submitted: Timestamp,
    /// When it ended.
    pub completed: Option<Timestamp>,
}

/// What became of all jobs of one submission.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultFacts {
    /// The batch.
    pub batch: String,
    /// The subject without its options.
    pub reference: String,
    /// Its jobs; one makes a single result, more a cumulative one.
    pub jobs: Vec<JobFacts>,
    /// The form of the mail.
    pub format: ResultFormat,
    /// The zone of its times.
    pub zone: Zone,
    /// An image of the pages.
    pub pages: Option<Attachment>,
}

/// What a client is told of a recipient, because it asked (RFC 3461).
#[derive(Clone, Debug, PartialEq)]
pub struct ReportFacts {
    /// Our host name.
    pub host: String,
    /// ENVID, printable ASCII.
    pub envelope_id: Option<String>,
    /// When the mail arrived.
    pub arrived: Timestamp,
    /// ORCPT, such as `rfc822; sales@customer.example`.
    pub original_recipient: Option<String>,
    /// The recipient, or the members of a list.
    pub recipients: Vec<RecipientFacts>,
    /// When the last call can be, if it is not settled; `None`: it is.
    pub delayed_until: Option<Timestamp>,
    /// Message-ID of the mail; left out if it is not well-formed.
    pub message_id: Option<String>,
    /// Date of the mail.
    pub sent_at: Option<Timestamp>,
    /// The address in its From.
    pub author: Option<Address>,
    /// Its recipient.
    pub addressed: Option<Address>,
    /// The same in the words of a result mail; `pages` go back if they are there.
    pub result: ResultFacts,
}

/// What became of a recipient, or of a member of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientFacts {
    /// Its address as reports write it, such as `rfc822; 0312345678@fax.example`.
    pub address: String,
    /// Its status, or that of its first call.
    pub status: Status,
    /// When its last call ended; `None` if there was none.
    pub last_attempt: Option<Timestamp>,
}

/// A lock that has just begun.
#[derive(Clone, Debug, PartialEq)]
pub struct LockFacts {
    /// The account.
    pub account: String,
    /// What its owner types to log in.
    pub login_id: String,
    /// The door at which the last wrong password came: `mail`, `smtp-auth`, `web`, `rest`, `soap`, `command`.
    pub door: String,
    /// Address of the client, if known.
    pub from_peer: Option<String>,
    /// How far the sender of the last wrong password was believed, if that was a mail.
    pub tier: Option<TrustTier>,
    /// What is locked.
    pub reach: Reach,
    /// When the lock ends by itself, if it does.
    pub locked_until: Timestamp,
    /// Whether the reader has a company admin to ask; else the help desk is (row T8).
    pub has_admin: bool,
    /// The zone in which that is told.
    pub zone: Zone,
    /// The language.
    pub language: Language,
}

/// A received fax on its way to its account.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardFacts {
    /// The received fax.
    pub id: String,
    /// Our number at which it arrived, canonical.
    pub number: String,
    /// What the far end called itself.
    pub remote_id: StationId,
    /// Its pages.
    pub pages: u32,
    /// Whether its call ended before the last page was confirmed.
    pub partial: bool,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The end of the lock that held it back; `None` if nothing did.
    pub held_until: Option<Timestamp>,
    /// The zone of its times.
    pub zone: Zone,
    /// The language.
    pub language: Language,
}

/// How long to wait after the `attempts`-th attempt to hand a mail over has failed. Short at first: a
/// smarthost that is being restarted is back within seconds.
pub fn retry_after(attempts: u32) -> Duration {
    const SECONDS: [u64; 8] = [5, 10, 30, 60, 120, 300, 900, 1_800];
    let step = usize::try_from(attempts.saturating_sub(1)).ok();
    let seconds = step.and_then(|step| SECONDS.get(step)).copied();
    Duration::from_secs(seconds.unwrap_or(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_an_hour_and_stays_there() {
        let seconds: Vec<u64> = (1..=10).map(|n| retry_after(n).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 30, 60, 120, 300, 900, 1_800, 3_600, 3_600]);
        assert_eq!(retry_after(u32::MAX).as_secs(), 3600);
    }
}
