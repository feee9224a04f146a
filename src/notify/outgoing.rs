//! Mails of ours on their way: what is due is claimed, written out, handed over, and tried again.

mod report;
mod reset;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;

use crate::account::directory::Directory;
use crate::account::lockout::InstallationKey;
use crate::config::Config;
use crate::config::ForwardFormat;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::fax::FaxFile;
use crate::fax::StationId;
use crate::lock;
use crate::lock::Reach;
use crate::notify;
use crate::notify::AccessFacts;
use crate::notify::Attachment;
use crate::notify::Courier;
use crate::notify::DeliveryError;
use crate::notify::ForwardFacts;
use crate::notify::Header;
use crate::notify::JobFacts;
use crate::notify::LockFacts;
use crate::notify::Mail;
use crate::notify::ResultFacts;
use crate::notify::SenderCodeFacts;
use crate::record::Log;
use crate::record::Subject;
use crate::render;
use crate::smtp::Address;
use crate::smtp::TrustTier;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::jobs;
use crate::storage::jobs::JobRow;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::storage::received;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::time::Zone;

/// Mails handed over at a time.
const AT_ONCE: usize = 16;
/// Longer than any hand-over may take; a crash ends leases at the next start anyway.
const LEASE: Duration = Duration::from_secs(600);

/// Sends what the outbox holds.
pub struct Outgoing {
    /// Durable state.
    pub store: Store,
    /// Configuration in force.
    pub config: Arc<Config>,
    /// Accounts in force.
    pub accounts: Arc<ArcSwap<Directory>>,
    /// Hands mails over.
    pub courier: Courier,
    /// What reset mails carry is derived from it.
    pub key: InstallationKey,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
}

/// Why a mail could not be written out.
enum Unwritten {
    /// What it tells of is gone; there is nothing to send any more.
    Gone(&'static str),
    /// Trouble of ours.
    Trouble(String),
}

impl From<StorageError> for Unwritten {
    fn from(error: StorageError) -> Self {
        Self::Trouble(error.to_string())
    }
}

#[derive(Deserialize)]
struct LockPayload {
    door: String,
    peer: String,
    tier: String,
    reach: String,
    until: i64,
}

#[derive(Deserialize)]
struct AccessPayload {
    what: String,
    by: String,
    peer: String,
    detail: String,
}

#[derive(Deserialize)]
struct SenderCodePayload {
    code: String,
    until: i64,
}

#[derive(Deserialize)]
struct ForwardPayload {
    held_until: Option<i64>,
}

impl Outgoing {
    /// Sends what is due now; returns how many mails were taken up.
    ///
    /// # Errors
    /// [`StorageError`] when the outbox cannot be read.
    pub async fn run_due(self: &Arc<Self>) -> Result<usize, StorageError> {
        let now = self.clock.now();
        let due = self
            .store
            .write(move |tx| outbox::claim(tx, now, now.plus(LEASE), AT_ONCE));
        let due = due.await?;
        let count = due.len();
        let mut sending = tokio::task::JoinSet::new();
        for row in due {
            let this = Arc::clone(self);
            sending.spawn(async move { this.send(row).await });
        }
        while sending.join_next().await.is_some() {}
        Ok(count)
    }

    async fn send(&self, row: MailRow) {
        let mut outcome = self.try_once(&row, true).await;
        if is_too_large(&outcome) && is_told_by_words(row.kind) {
            // What became of a fax is told all the same, if need be without its pages (promise P2).
            outcome = self.try_once(&row, false).await;
        }
        if let Err(error) = self.note(&row, outcome).await {
            // Its lease runs out and it is sent again: recognisable by its Message-ID.
            tracing::error!(%error, mail = row.id, "that a mail was sent could not be stored");
        }
    }

    /// One try; without `with_pages`, results and reports have none.
    async fn try_once(&self, row: &MailRow, with_pages: bool) -> Result<(), DeliveryError> {
        match self.write_out(row, with_pages).await {
            Ok(mail) => self.hand_over(row, &mail).await,
            Err(Unwritten::Gone(why)) => Err(DeliveryError::Permanent {
                code: None,
                text: why.to_owned(),
            }),
            Err(Unwritten::Trouble(error)) => Err(DeliveryError::Temporary {
                code: None,
                text: error,
            }),
        }
    }

    async fn hand_over(&self, row: &MailRow, mail: &Mail) -> Result<(), DeliveryError> {
        let Some(recipient) = Address::parse(&row.recipient) else {
            return Err(DeliveryError::Permanent {
                code: None,
                text: "the recipient is no address".to_owned(),
            });
        };
        self.courier.deliver(&recipient, &mail.message).await
    }

    async fn note(
        &self,
        row: &MailRow,
        outcome: Result<(), DeliveryError>,
    ) -> Result<(), StorageError> {
        let (store, row, now) = (self.store.clone(), row.clone(), self.clock.now());
        let give_up = now >= row.created_at.plus(self.config.mail.give_up);
        let kind = row.kind.as_str();
        let body = move |tx: &mut dyn crate::storage::Transaction| {
            let about = about(&row);
            let (code, error, again) = match &outcome {
                Ok(()) => {
                    outbox::sent(tx, row.id, now)?;
                    return Log::new(tx, store.ids(), now).notified(about, kind, &row.recipient);
                }
                Err(DeliveryError::Temporary { code, text }) if !give_up => {
                    let again = now.plus(notify::retry_after(row.attempts));
                    (*code, text, Some(again))
                }
                Err(
                    DeliveryError::Temporary { code, text }
                    | DeliveryError::Permanent { code, text },
                ) => (*code, text, None),
            };
            // The server's text may name the recipient: it is kept for the operator, not logged.
            tracing::warn!(mail = row.id, kind, code, "a mail was not taken");
            let code = code.map(|code| code.to_string()).unwrap_or_default();
            outbox::failed(tx, row.id, format!("{code} {error}").trim(), again, now)?;
            match again {
                Some(_) => Ok(()),
                None => {
                    let mut log = Log::new(tx, store.ids(), now);
                    log.not_notified(about, kind, &row.recipient, &code)
                }
            }
        };
        let result = self.store.write(body).await;
        metrics::counter!("faxgate_notifications_total", "kind" => kind).increment(1);
        result
    }

    async fn write_out(&self, row: &MailRow, with_pages: bool) -> Result<Mail, Unwritten> {
        match row.kind {
            Kind::Access => self.access_notice(row),
            Kind::Forward => self.forward(row).await,
            Kind::Lock => self.lock_notice(row),
            Kind::Report => self.report(row, with_pages).await,
            Kind::Reset => self.reset_mail(row).await,
            Kind::Result => self.result(row, with_pages).await,
            Kind::SenderCode => self.sender_code(row),
        }
    }

    fn header(&self, row: &MailRow, in_reply_to: Option<String>) -> Header {
        Header {
            from: self.config.mail.from.clone(),
            to: Address::parse(&row.recipient).into_iter().collect(),
            message_id: row.message_id.clone(),
            date: row.created_at,
            zone: self.config.gateway.time_zone.clone(),
            in_reply_to,
        }
    }

    /// The zone in which the account's owner reads times.
    fn zone_of(&self, account: &str) -> Zone {
        let directory = self.accounts.load();
        let own = directory.by_id(account).and_then(|a| a.time_zone.clone());
        own.unwrap_or_else(|| self.config.gateway.time_zone.clone())
    }

    /// The language in which the account's owner is told things.
    fn language_of(&self, account: &str) -> Language {
        let directory = self.accounts.load();
        let own = directory.by_id(account).and_then(|a| a.language);
        own.unwrap_or(self.config.gateway.language)
    }

    fn access_notice(&self, row: &MailRow) -> Result<Mail, Unwritten> {
        let payload: AccessPayload = payload(row)?;
        let directory = self.accounts.load();
        let account = directory.by_id(&row.account);
        let facts = AccessFacts {
            account: row.account.clone(),
            login_id: account.map_or_else(|| row.account.clone(), |a| a.login_id.clone()),
            what: payload.what,
            by: payload.by,
            peer: payload.peer,
            detail: payload.detail,
            at: row.created_at,
            zone: self.zone_of(&row.account),
            language: self.language_of(&row.account),
        };
        Ok(notify::access_notice(&facts, &self.header(row, None)))
    }

    fn sender_code(&self, row: &MailRow) -> Result<Mail, Unwritten> {
        let payload: SenderCodePayload = payload(row)?;
        let directory = self.accounts.load();
        let account = directory.by_id(&row.account);
        let account = account.ok_or(Unwritten::Gone("there is no such account"))?;
        let facts = SenderCodeFacts {
            login_id: account.login_id.clone(),
            code: payload.code,
            until: Timestamp::from_ms(payload.until),
            zone: self.zone_of(&row.account),
            language: self.language_of(&row.account),
        };
        Ok(notify::sender_code(&facts, &self.header(row, None)))
    }

    fn lock_notice(&self, row: &MailRow) -> Result<Mail, Unwritten> {
        let payload: LockPayload = payload(row)?;
        let directory = self.accounts.load();
        let account = directory.by_id(&row.account);
        let facts = LockFacts {
            account: row.account.clone(),
            login_id: account.map_or_else(|| row.account.clone(), |a| a.login_id.clone()),
            door: payload.door,
            from_peer: Some(payload.peer),
            tier: TrustTier::of_word(&payload.tier),
            reach: Reach::of_word(&payload.reach).unwrap_or_default(),
            locked_until: Timestamp::from_ms(payload.until),
            has_admin: account.is_some_and(|account| account.has_admin()),
            zone: self.zone_of(&row.account),
            language: self.language_of(&row.account),
        };
        Ok(notify::lock_notice(&facts, &self.header(row, None)))
    }

    async fn forward(&self, row: &MailRow) -> Result<Mail, Unwritten> {
        let payload: ForwardPayload = payload(row)?;
        let id = row.subject_id;
        let fax = self.store.read(move |tx| received::one(tx, id)).await?;
        let fax = fax
            .filter(|fax| !fax.expired)
            .ok_or(Unwritten::Gone("the fax is no longer kept"))?;
        let format = self
            .accounts
            .load()
            .by_id(&row.account)
            .map(|account| account.forward_format);
        let file = self.pages(received::pages_file(id), fax.pages).await?;
        let attachment = attachment(&file, &format!("fax-{id}"), format.unwrap_or_default())?;
        let facts = ForwardFacts {
            id: id.to_string(),
            number: fax.number,
            remote_id: StationId::from_far_end(fax.remote_id.as_bytes()),
            pages: fax.pages,
            partial: fax.partial,
            received_at: fax.received_at,
            held_until: payload.held_until.map(|until| self.held(until)),
            zone: self.zone_of(&row.account),
            language: self.language_of(&row.account),
        };
        Ok(notify::forward(&facts, attachment, &self.header(row, None)))
    }

    async fn result(&self, row: &MailRow, with_pages: bool) -> Result<Mail, Unwritten> {
        let id = row.subject_id;
        let read = self.store.read(move |tx| {
            let batch = jobs::batch(tx, id)?;
            Ok((batch, jobs::jobs_of_batch(tx, id)?))
        });
        let (batch, jobs) = read.await?;
        let batch = batch.ok_or(Unwritten::Gone("the batch is no longer kept"))?;
        // What the client asked to be reported, or not to be, is not told here.
        let jobs = jobs.iter().filter(|job| job.recipient.is_none());
        let settings = self
            .accounts
            .load()
            .by_id(&row.account)
            .map(|a| a.result_mail.clone());
        let attach = settings
            .as_ref()
            .is_some_and(|settings| settings.attach_pages);
        let attach = attach && with_pages && !batch.expired;
        let pages = match batch.pages.filter(|_| attach) {
            Some(count) => {
                let file = self.pages(jobs::pages_file(id), count).await?;
                Some(attachment(&file, &format!("fax-{id}"), ForwardFormat::Pdf)?)
            }
            None => None,
        };
        let format = settings.map(|settings| settings.format).unwrap_or_default();
        let facts = ResultFacts {
            batch: id.to_string(),
            reference: batch.reference,
            jobs: jobs.map(|job| job_facts(job, format)).collect(),
            format,
            zone: self.zone_of(&row.account),
            pages,
        };
        let in_reply_to = Some(batch.message_id).filter(|id| !id.is_empty());
        Ok(notify::result_mail(&facts, &self.header(row, in_reply_to)))
    }

    /// The end of a lock that held a mail back: now, if somebody had to end it.
    fn held(&self, until: i64) -> Timestamp {
        let until = Timestamp::from_ms(until);
        match lock::ends_by_time(until) {
            true => until,
            false => self.clock.now(),
        }
    }

    async fn pages(&self, file: String, pages: u32) -> Result<FaxFile, Unwritten> {
        let blobs = Arc::clone(self.store.blobs());
        let read = tokio::task::spawn_blocking(move || blobs.get(&file)).await;
        let tiff = read.map_err(|e| Unwritten::Trouble(e.to_string()))??;
        Ok(FaxFile { tiff, pages })
    }
}

/// Whether the next server takes no mail of this size (RFC 1870 section 6.1).
fn is_too_large(outcome: &Result<(), DeliveryError>) -> bool {
    matches!(
        outcome,
        Err(DeliveryError::Permanent {
            code: Some(552),
            ..
        })
    )
}

/// Whether a mail of this kind says what it has to say without pages.
fn is_told_by_words(kind: Kind) -> bool {
    match kind {
        Kind::Report | Kind::Result => true,
        Kind::Access | Kind::Forward | Kind::Lock | Kind::Reset | Kind::SenderCode => false,
    }
}

fn payload<'a, T: Deserialize<'a>>(row: &'a MailRow) -> Result<T, Unwritten> {
    serde_json::from_str(&row.payload).map_err(|e| Unwritten::Trouble(e.to_string()))
}

fn attachment(file: &FaxFile, name: &str, format: ForwardFormat) -> Result<Attachment, Unwritten> {
    Ok(match format {
        ForwardFormat::Pdf => Attachment {
            name: format!("{name}.pdf"),
            media_type: "application/pdf",
            bytes: render::to_pdf(file, name).map_err(|e| Unwritten::Trouble(e.to_string()))?,
        },
        ForwardFormat::Tiff => Attachment {
            name: format!("{name}.tiff"),
            media_type: "image/tiff",
            bytes: file.tiff.clone(),
        },
    })
}

/// The reasons that admission gives, in the reader's language; what a converter says of a file stays as
/// it is. That the account is locked is what the status says already.
fn reason(job: &JobRow, format: ResultFormat) -> Option<String> {
    let reason = job
        .reason
        .as_deref()
        .filter(|_| job.status != Status::STOPPED_BY_LOCK)?;
    let words = match format {
        ResultFormat::HtmlEn | ResultFormat::TextEn => reason,
        ResultFormat::Csv | ResultFormat::HtmlJa | ResultFormat::TextJa | ResultFormat::Xml => {
            match reason {
                "destination not allowed" => "この宛先への送信は許可されていません",
                "no such list" => "この名前のリストはありません",
                other => other,
            }
        }
    };
    Some(words.to_owned())
}

fn job_facts(job: &JobRow, format: ResultFormat) -> JobFacts {
    JobFacts {
        id: job.id.to_string(),
        destination: job.destination.clone(),
        contact: job.contact.clone(),
        status: job.status,
        reason: reason(job, format),
        pages_sent: job.pages_sent,
        duration: Duration::from_millis(u64::try_from(job.duration_ms).unwrap_or_default()),
        remote_id: StationId::from_far_end(job.remote_id.as_bytes()),
        submitted: job.created_at,
        completed: job.settled_at,
    }
}

fn about(row: &MailRow) -> Subject<'_> {
    match row.kind {
        Kind::Forward => Subject::received(&row.account, row.subject_id),
        Kind::Access | Kind::Lock | Kind::Reset | Kind::SenderCode => {
            Subject::account(&row.account)
        }
        Kind::Report | Kind::Result => Subject::batch(&row.account, row.subject_id),
    }
}
