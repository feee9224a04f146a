//! Mails that tell somebody of a change to their own access (rows I7, T7): written with the change.

use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::time::Timestamp;

/// What is told of a change.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// The account's id.
    pub account: &'a str,
    /// Who is told: the account's own address, also the old one where that changes.
    pub to: &'a str,
    /// What was done, in the word of [`crate::record::Act::what`].
    pub what: &'a str,
    /// Who did it, as the reader knows them: a login ID; empty for the reader.
    pub by: &'a str,
    /// The client's address; empty if there was none.
    pub peer: &'a str,
    /// Why, or what exactly; empty if there is nothing to say.
    pub detail: &'a str,
    /// Host name of the Message-ID.
    pub host: &'a str,
}

/// Writes the mail about a change.
///
/// # Errors
/// [`StorageError`].
pub fn tell(
    tx: &mut dyn Transaction,
    ids: &Ids,
    notice: &Notice<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let id = ids.next(now);
    let payload = serde_json::json!({
        "what": notice.what,
        "by": notice.by,
        "peer": notice.peer,
        "detail": notice.detail,
    });
    outbox::add(
        tx,
        &MailRow {
            id,
            kind: Kind::Access,
            dedup: format!("access:{}:{id}", notice.account),
            account: notice.account.to_owned(),
            subject_id: id,
            recipient: notice.to.to_owned(),
            payload: payload.to_string(),
            message_id: format!("<access.{id}@{}>", notice.host),
            gated: false,
            attempts: 0,
            created_at: now,
        },
    )
}
