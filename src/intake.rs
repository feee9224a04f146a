//! The way of a received message, and of what was composed in a browser, to stored jobs, on one screen.
//! Every door ends here.

mod composed;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::account::directory::Directory;
use crate::admit;
use crate::admit::Fate;
use crate::admit::rate::Rate;
use crate::authenticate::Authenticator;
use crate::authenticate::Denied;
use crate::authenticate::Evidence;
use crate::authenticate::Sender;
use crate::authenticate::Standing;
use crate::authenticate::judge;
use crate::authenticate::judge::Origin;
use crate::config::Config;
use crate::queue;
use crate::queue::Order;
use crate::queue::QueueRules;
use crate::queue::Reported;
use crate::record;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Envelope;
use crate::smtp::ForwardPath;
use crate::smtp::Notify;
use crate::smtp::Proof;
use crate::smtp::ReceivedMessage;
use crate::smtp::Returned;
use crate::smtp::TrustTier;
use crate::smtp::Verification;
use crate::smtp::network;
use crate::storage::StorageError;
use crate::submission;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Clock;
use crate::time::Timestamp;

pub use composed::Composed;

/// Refusals of one network that are recorded in a minute.
const MOST_NOTED: u32 = 120;

/// What every door hands its messages to.
pub struct Intake {
    /// Configuration in force.
    pub config: Arc<Config>,
    /// Accounts in force; replaced as a whole when the files change.
    pub accounts: Arc<ArcSwap<Directory>>,
    /// Proves senders.
    pub authenticator: Arc<Authenticator>,
    /// Woken when there are new jobs.
    pub work: Arc<tokio::sync::Notify>,
    /// Woken when there may be new mails: some refusals are told by mail.
    pub mail: Arc<tokio::sync::Notify>,
    /// How much each account has sent lately.
    pub rate: Rate<String>,
    /// How many refusals of each network were recorded lately.
    pub noted: Rate<IpAddr>,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
}

/// A refusal, and the earliest time at which it may be told.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Refusals for lack of proof all come at one time (promise P7).
    pub not_before: Option<Timestamp>,
}

/// What the operator is told of a refusal beside its reason.
struct Noted<'a> {
    door: &'static str,
    peer: IpAddr,
    sender: Option<Address>,
    verification: Option<&'a Verification>,
}

impl Intake {
    /// Accepts one message: verified, parse, authenticate, admit, store. The batch is durable when this
    /// returns. `verification` is what the door found out; `None` if nobody is verified.
    ///
    /// # Errors
    /// The first step that refuses decides; the door says it in its own words.
    pub async fn accept(
        &self,
        message: ReceivedMessage,
        verification: Option<Verification>,
    ) -> Result<i64, Refused> {
        // Counted from here: verification may have waited for DNS, for everybody alike.
        let floor = self.clock.now().plus(self.config.smtp.refusal_floor);
        let (sender, peer) = (message.envelope.reverse_path.clone(), message.peer);
        let accepted = self.journey(message, verification.as_ref()).await;
        match accepted {
            Ok(batch) => Ok(batch),
            Err(denied) => {
                // A wrong password may have locked the account: that is told by mail.
                self.mail.notify_one();
                let about = Noted {
                    door: "mail",
                    peer,
                    sender,
                    verification: verification.as_ref(),
                };
                self.note(&denied, about).await;
                Err(Refused {
                    not_before: is_timed(&denied.refusal).then_some(floor),
                    refusal: denied.refusal,
                })
            }
        }
    }

    async fn journey(
        &self,
        message: ReceivedMessage,
        verification: Option<&Verification>,
    ) -> Result<i64, Denied> {
        let now = self.clock.now();
        let directory = self.accounts.load_full();
        self.verified(&message.envelope, verification, &directory)?;
        let recipients = self.recipients(&message.envelope).map_err(early)?;
        let (message, submission) = self.parse(message, now).await.map_err(early)?;
        let evidence = Evidence {
            submission: &submission,
            recipients: &recipients,
            mail: &message.raw,
            origin: Origin {
                peer: message.peer,
                logged_in: message.authenticated.as_ref(),
                verification,
            },
            now,
        };
        let sender = self.authenticator.sender(&evidence, &directory).await?;
        let order = || {
            let mut order = self.order(submission, &sender, &directory, &message.envelope, now)?;
            order.verification = verification.map_or_else(String::new, |found| found.text.clone());
            Ok(order)
        };
        let delivered = self.deliver(&sender, &recipients, order, now).await;
        delivered.map_err(|refusal| late(refusal, &sender))
    }

    /// The second half of the way, the same for every door: what a proved `sender` asks for is admitted and
    /// stored. The batch is durable when this returns.
    async fn deliver(
        &self,
        sender: &Sender,
        recipients: &[Recipient],
        order: impl FnOnce() -> Result<Order, Refusal>,
        now: Timestamp,
    ) -> Result<i64, Refusal> {
        self.in_time(sender, now)?;
        let admitted = admit::admit(sender, recipients, &self.config.destinations)?;
        let order = order()?;
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

    /// What is forged or undecided is so for everybody: nothing of the mail is looked at, no password
    /// and no list.
    fn verified(
        &self,
        envelope: &Envelope,
        verification: Option<&Verification>,
        directory: &Directory,
    ) -> Result<(), Denied> {
        let judged = judge::judge_verification(self.config.verify.as_ref(), verification);
        judged.map_err(|(refusal, reason)| {
            let sender = envelope.reverse_path.as_ref();
            let account = sender.and_then(|sender| directory.by_sender(sender));
            let tier = verification.map_or(TrustTier::Unverified, |found| found.tier);
            Denied {
                refusal,
                account: account.map(|account| (account.id.clone(), tier)),
                reason,
            }
        })
    }

    /// Tells the operator of a refusal, unless its client is told of all the time: the rest is seen in the
    /// metrics, and nobody fills the disk or keeps it busy with what is refused. That this fails changes nothing for the sender.
    async fn note(&self, denied: &Denied, about: Noted<'_>) {
        if !self
            .noted
            .take(network(about.peer), MOST_NOTED, self.clock.now())
        {
            return;
        }
        let store = self.authenticator.store.clone();
        let (denied, now) = (denied.clone(), self.clock.now());
        let whole = about.verification.map(|found| found.tier);
        let results = about
            .verification
            .map_or_else(String::new, |found| found.text.clone());
        let (door, peer, sender) = (about.door, about.peer, about.sender);
        let writer = store.clone();
        let written = writer.write(move |tx| {
            let account = denied.account.as_ref();
            record::Log::new(tx, store.ids(), now).refused(&record::Refused {
                account: account.map(|(id, _)| id.as_str()),
                door,
                peer,
                sender: sender.as_ref(),
                tier: account.map(|(_, tier)| *tier).or(whole),
                results: &results,
                reason: denied.reason,
            })
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// Whether the account may send one more message now. Only what was proved counts: nobody uses up
    /// what belongs to a customer.
    fn in_time(&self, sender: &Sender, now: Timestamp) -> Result<(), Refusal> {
        let account = sender.account();
        let most = account.max_messages_per_minute.unwrap_or_default();
        let in_time = match sender.standing() {
            Standing::Proved(_) | Standing::ListsLocked(_) => {
                self.rate.take(account.id.clone(), most, now)
            }
            Standing::LockedUnproved => true,
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
        let known = |to: &ForwardPath| submission::recipient(&to.address, &self.config.gateway);
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
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<Order, Refusal> {
        let render = &self.config.render;
        let options = &submission.options;
        let reply_to = reply_to(&submission, sender, directory);
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
            reply_to: reply_to.as_str().to_owned(),
            recipients: recipients(&submission, sender, envelope),
            reported: reported(&submission, sender, reply_to, envelope),
            door: "mail",
            tier: sender.tier(),
            verification: String::new(),
            documents: submission.documents(render.body_with_attachments)?,
            pages: None,
        })
    }
}

/// Refusals that depend on the account all come at one time after receipt (promise P7).
fn is_timed(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::NotAuthenticated | Refusal::Forged | Refusal::Undecided
    )
}

/// A refusal before it is known who sent the mail.
fn early(refusal: Refusal) -> Denied {
    Denied {
        reason: reason(&refusal),
        account: None,
        refusal,
    }
}

/// A refusal of a sender that is known.
fn late(refusal: Refusal, sender: &Sender) -> Denied {
    Denied {
        account: Some((sender.account().id.clone(), sender.tier())),
        ..early(refusal)
    }
}

fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::AutomaticMail => "no person wrote the mail",
        Refusal::Busy => "too many passwords wait to be checked",
        Refusal::Forged => "the sender is forged",
        Refusal::Malformed(_) => "the message cannot be read, or there is nothing to send",
        Refusal::NoSuchList => "there is no such list",
        Refusal::Number(_) => "the number cannot be understood",
        Refusal::NotAuthenticated => "the sender is not proved",
        Refusal::Storage => "storage did not answer",
        Refusal::TooMany => "the account has sent too much in a minute",
        Refusal::Undecided => "DNS gave no answer",
        Refusal::UnknownOption(_) => "the subject has an option nobody knows",
    }
}

/// Reports that a mail gets whose sender proved no more than an address; all others get as many as they
/// ask for. One mail that anybody could have written must not become hundreds.
const MOST_REPORTS: usize = 10;

/// The recipients as they may be kept: a program may have put the mail's password into ORCPT too.
fn recipients(submission: &Submission, sender: &Sender, envelope: &Envelope) -> Vec<ForwardPath> {
    let mut left = match is_by_address_alone(sender) {
        true => MOST_REPORTS,
        false => usize::MAX,
    };
    let mut is_told = |notify: &Notify| {
        let told = *notify == Notify::NEVER || left > 0;
        left = left.saturating_sub(usize::from(*notify != Notify::NEVER));
        told
    };
    let mut kept = |to: &ForwardPath| ForwardPath {
        original: to
            .original
            .clone()
            .filter(|original| submission.is_clean(&original.to_string())),
        notify: to.notify.filter(&mut is_told),
        ..to.clone()
    };
    envelope.recipients.iter().map(&mut kept).collect()
}

/// Whether an address is all that speaks for the sender, and nobody vouched for it.
fn is_by_address_alone(sender: &Sender) -> bool {
    let proof = match sender.standing() {
        Standing::LockedUnproved => Proof::None,
        Standing::ListsLocked(proof) | Standing::Proved(proof) => proof,
    };
    match proof {
        Proof::Password | Proof::SmtpAuth | Proof::WebSession => false,
        Proof::SenderAddress | Proof::None => sender.tier() != TrustTier::Proven,
    }
}

/// Reports go to the reverse-path if that is the address that was proved, else where results go: a
/// stranger's reverse-path beside a customer's From gets nothing (promise P8).
fn reported(
    submission: &Submission,
    sender: &Sender,
    reply_to: &Address,
    envelope: &Envelope,
) -> Reported {
    let reverse_path = &submission.reverse_path;
    let proved = reverse_path.key() == sender.address().key();
    let to = if proved { reverse_path } else { reply_to };
    let author = submission.from.as_ref().unwrap_or(reverse_path);
    Reported {
        to: to.as_str().to_owned(),
        envelope_id: envelope
            .envelope_id
            .clone()
            .filter(|id| submission.is_clean(id)),
        return_pages: envelope.returned == Some(Returned::Full),
        author: author.as_str().to_owned(),
        sent_at: submission.date,
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
