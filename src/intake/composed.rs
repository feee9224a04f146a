//! The way of what a person composed in a browser: proved by its session, then as every other door.

use std::net::IpAddr;

use crate::account::directory::Directory;
use crate::authenticate::Denied;
use crate::authenticate::Sender;
use crate::authenticate::session::Visit;
use crate::fax::Document;
use crate::fax::FaxFile;
use crate::fax::PageOptions;
use crate::intake::Intake;
use crate::intake::Noted;
use crate::intake::late;
use crate::queue::Order;
use crate::queue::Reported;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::submission;
use crate::submission::Recipient;
use crate::time::Timestamp;

/// What a person has seen as a preview and sends.
#[derive(Clone, Debug)]
pub struct Composed {
    /// Its identity: the same one again is the same submission (promise P4, as an Idempotency-Key).
    pub draft: i64,
    /// Where it goes.
    pub recipients: Vec<Recipient>,
    /// What is faxed, in order.
    pub documents: Vec<Document>,
    /// The pages that were seen: these and no others are sent.
    pub pages: FaxFile,
    /// How they were made.
    pub options: PageOptions,
    /// What the history calls it.
    pub reference: String,
    /// Where results go, if that is one of the account's addresses.
    pub result_to: Option<Address>,
    /// The browser's address.
    pub peer: IpAddr,
}

impl Intake {
    /// Accepts what was composed in the browser of `visit`: authenticate, admit, store. The batch is durable
    /// when this returns, and the same draft again is the same batch.
    ///
    /// # Errors
    /// The first step that refuses decides; the door says it in its own words.
    pub async fn accept_composed(
        &self,
        visit: &Visit<'_>,
        composed: Composed,
    ) -> Result<i64, Refusal> {
        let peer = composed.peer;
        let accepted = self.composed(visit, composed).await;
        if let Err(denied) = &accepted {
            let about = Noted {
                door: DOOR,
                peer,
                sender: None,
                verification: None,
            };
            self.note(denied, about).await;
        }
        accepted.map_err(|denied| denied.refusal)
    }

    async fn composed(&self, visit: &Visit<'_>, composed: Composed) -> Result<i64, Denied> {
        let now = self.clock.now();
        let directory = self.accounts.load_full();
        let recipients = composed.recipients.clone();
        let sender = self
            .authenticator
            .session(visit, &recipients, &directory, now)
            .await?;
        let order = || Ok(order(composed, &sender, &directory, now));
        let delivered = self.deliver(&sender, &recipients, order, now).await;
        delivered.map_err(|refusal| late(refusal, &sender))
    }
}

const DOOR: &str = "web";

fn order(composed: Composed, sender: &Sender, directory: &Directory, now: Timestamp) -> Order {
    let (account, own) = (sender.account(), sender.address());
    let asked = composed.result_to.as_ref();
    // We never mail somebody who did not provably write to us (promise P8).
    let reply_to = asked.filter(|address| directory.owns(account, address));
    let reply_to = reply_to.unwrap_or(own).as_str().to_owned();
    Order {
        content_hash: submission::draft_hash(
            composed.draft,
            &composed.reference,
            &composed.documents,
        ),
        options: composed.options,
        not_before: now,
        reference: composed.reference,
        message_id: String::new(),
        // Nothing was asked about single recipients: results go where the account says.
        recipients: Vec::new(),
        reported: Reported {
            to: reply_to.clone(),
            envelope_id: None,
            return_pages: false,
            author: own.as_str().to_owned(),
            sent_at: None,
        },
        reply_to,
        door: DOOR,
        tier: sender.tier(),
        verification: String::new(),
        documents: composed.documents,
        pages: Some(composed.pages),
    }
}
