//! The way of a received message to stored jobs, on one screen. Every door ends here.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::account::directory::Directory;
use crate::admit;
use crate::admit::Fate;
use crate::admit::rate::Rate;
use crate::authenticate::Authenticator;
use crate::authenticate::Evidence;
use crate::authenticate::Sender;
use crate::authenticate::Standing;
use crate::config::Config;
use crate::queue;
use crate::queue::Order;
use crate::queue::QueueRules;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Envelope;
use crate::smtp::ReceivedMessage;
use crate::storage::StorageError;
use crate::submission;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Clock;
use crate::time::Timestamp;

/// What every door hands its messages to.
pub struct Intake {
    /// Configuration in force.
    pub config: Arc<Config>,
    /// Accounts in force; replaced as a whole when the files change.
    pub accounts: Arc<ArcSwap<Directory>>,
    /// Proves senders.
    pub authenticator: Authenticator,
    /// Woken when there are new jobs.
    pub work: Arc<tokio::sync::Notify>,
    /// Woken when there may be new mails: some refusals are told by mail.
    pub mail: Arc<tokio::sync::Notify>,
    /// How much each account has sent lately.
    pub rate: Rate<String>,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
}

/// A refusal, and the earliest time at which it may be told.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Refusals for lack of proof all come at one time after receipt (promise P7).
    pub not_before: Option<Timestamp>,
}

impl Intake {
    /// Accepts one message: parse, authenticate, admit, store. The batch is durable when this returns.
    ///
    /// # Errors
    /// The first step that refuses decides; the door says it in its own words.
    pub async fn accept(&self, message: ReceivedMessage) -> Result<i64, Refused> {
        let floor = message.received_at.plus(self.config.smtp.refusal_floor);
        self.journey(message).await.map_err(|refusal| {
            // A wrong password may have locked the account: that is told by mail.
            self.mail.notify_one();
            Refused {
                not_before: (refusal == Refusal::NotAuthenticated).then_some(floor),
                refusal,
            }
        })
    }

    async fn journey(&self, message: ReceivedMessage) -> Result<i64, Refusal> {
        let now = self.clock.now();
        let directory = self.accounts.load_full();
        let recipients = self.recipients(&message.envelope)?;
        let (message, submission) = self.parse(message, now).await?;
        let evidence = Evidence {
            submission: &submission,
            recipients: &recipients,
            mail: submission::strike_material(&message.raw),
            logged_in: message.authenticated.as_deref(),
            peer: message.peer.to_string(),
            now,
        };
        let sender = self.authenticator.sender(&evidence, &directory).await?;
        self.in_time(&sender, now)?;
        let admitted = admit::admit(&sender, &recipients, &self.config.destinations)?;
        let order = self.order(submission, &sender, &directory, now)?;
        let rules = QueueRules {
            host: self.config.gateway.name.clone(),
            per_account: self.config.queue.per_account,
        };
        // Each wakes a loop that asks the database: only when there is something for it to find.
        let due = order.not_before <= now;
        let told = admitted.jobs().iter().any(|job| job.fate != Fate::Send);
        let stored = queue::enqueue(&self.authenticator.store, admitted, order, &rules, now).await;
        if due {
            self.work.notify_one();
        }
        if told {
            self.mail.notify_one();
        }
        stored.map_err(|error| {
            tracing::error!(%error, "a submission could not be stored");
            match error {
                StorageError::InProgress => Refusal::Busy,
                StorageError::Damaged(_)
                | StorageError::Database(_)
                | StorageError::File { .. }
                | StorageError::Stopped => Refusal::Storage,
            }
        })
    }

    /// Whether the account may send one more message now. Only what was proved counts: nobody uses up
    /// what belongs to a customer.
    fn in_time(&self, sender: &Sender, now: Timestamp) -> Result<(), Refusal> {
        let account = sender.account();
        let most = account.max_messages_per_minute.unwrap_or_default();
        let in_time = match sender.standing() {
            Standing::Proved(_) => self.rate.take(account.id.clone(), most, now),
            Standing::LockedByAddress | Standing::LockedUnproved => true,
        };
        in_time.then_some(()).ok_or(Refusal::TooMany)
    }

    /// Parsing is pure work on what may be 20 MB: large messages leave the event loop.
    async fn parse(
        &self,
        message: ReceivedMessage,
        now: Timestamp,
    ) -> Result<(ReceivedMessage, Submission), Refusal> {
        const SMALL: usize = 64 * 1024;
        let config = Arc::clone(&self.config);
        let parse = move |message: ReceivedMessage| {
            let rules = submission::Rules {
                password: &config.password,
                limits: &config.smtp,
                zone: &config.gateway.time_zone,
                now,
            };
            let submission = submission::parse(&message, &rules)?;
            Ok((message, submission))
        };
        if message.raw.len() <= SMALL {
            return parse(message);
        }
        let parsed = tokio::task::spawn_blocking(move || parse(message)).await;
        parsed.map_err(|error| {
            tracing::error!(%error, "parsing a message failed");
            Refusal::Storage
        })?
    }

    fn recipients(&self, envelope: &Envelope) -> Result<Vec<Recipient>, Refusal> {
        let known = |address| submission::recipient(address, &self.config.gateway);
        let found = envelope
            .recipients
            .iter()
            .map(known)
            .collect::<Result<_, _>>();
        // Judged at RCPT already; a door that did not is refused as a whole.
        found.map_err(|_| Refusal::NoSuchList)
    }

    fn order(
        &self,
        submission: Submission,
        sender: &Sender,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Order, Refusal> {
        let render = &self.config.render;
        let options = &submission.options;
        Ok(Order {
            options: crate::fax::PageOptions {
                resolution: options.resolution.unwrap_or(render.resolution),
                header: options.header.clone(),
                no_header: options.no_header,
                font_size: options.font_size,
            },
            not_before: options.send_at.unwrap_or(now),
            reference: submission.reference.clone(),
            message_id: submission.message_id.clone().unwrap_or_default(),
            content_hash: submission.content_hash,
            reply_to: reply_to(&submission, sender, directory).as_str().to_owned(),
            door: "mail",
            documents: submission.documents(render.body_with_attachments)?,
        })
    }
}

/// Results go to Reply-To only if it is one of the account's own addresses, else to the sender: we
/// never mail somebody who did not provably write to us (promise P8).
fn reply_to<'a>(
    submission: &'a Submission,
    sender: &'a Sender,
    directory: &Directory,
) -> &'a Address {
    let asked = submission.reply_to.as_ref();
    let own = asked.filter(|address| directory.owns(sender.account(), address));
    own.unwrap_or(sender.address())
}
