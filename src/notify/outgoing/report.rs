//! A report that a client asked for is written out (RFC 3461).

use serde::Deserialize;

use super::Outgoing;
use super::Unwritten;
use super::attachment;
use super::job_facts;
use super::payload;
use crate::config::ForwardFormat;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::fax::Destination;
use crate::notify;
use crate::notify::Attachment;
use crate::notify::JobFacts;
use crate::notify::Mail;
use crate::notify::RecipientFacts;
use crate::notify::ReportFacts;
use crate::notify::ResultFacts;
use crate::smtp::Address;
use crate::smtp::Notify;
use crate::smtp::TypedAddress;
use crate::status::Status;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::JobRow;
use crate::storage::outbox::MailRow;
use crate::storage::recipients;
use crate::storage::recipients::RecipientRow;
use crate::time::Timestamp;

#[derive(Deserialize)]
struct ReportPayload {
    recipient: i64,
    delay: Option<Delay>,
}

/// How it stood when the report was written: the job may have gone on since.
#[derive(Deserialize)]
struct Delay {
    job: i64,
    status: i32,
    last: i64,
    until: i64,
}

impl Outgoing {
    /// The report that `row` stands for.
    pub(super) async fn report(&self, row: &MailRow, with_pages: bool) -> Result<Mail, Unwritten> {
        let payload: ReportPayload = payload(row)?;
        let (id, of) = (row.subject_id, payload.recipient);
        let read = self.store.read(move |tx| {
            let found = (jobs::batch(tx, id)?, recipients::one(tx, of)?);
            Ok((found, jobs::jobs_of_recipient(tx, of)?))
        });
        let ((Some(batch), Some(recipient)), mut jobs) = read.await? else {
            return Err(Unwritten::Gone("the batch is no longer kept"));
        };
        match &payload.delay {
            Some(delay) => jobs.retain(|job| job.id == delay.job),
            None => jobs.retain(|job| is_told(job, recipient.notify)),
        }
        let pages = match with_pages {
            true => self.returned(&batch, &recipient, &jobs, &payload).await?,
            false => None,
        };
        let facts = self.report_facts(row, &batch, &recipient, &jobs, &payload);
        let facts = ReportFacts {
            result: ResultFacts {
                pages,
                ..facts.result
            },
            ..facts
        };
        let in_reply_to = Some(batch.message_id).filter(|id| !id.is_empty());
        Ok(notify::delivery_report(
            &facts,
            &self.header(row, in_reply_to),
        ))
    }

    /// The pages, where the client wants a mail back that failed (RFC 3461 section 4.3) and they are kept.
    async fn returned(
        &self,
        batch: &BatchRow,
        recipient: &RecipientRow,
        jobs: &[JobRow],
        payload: &ReportPayload,
    ) -> Result<Option<Attachment>, Unwritten> {
        let failed = payload.delay.is_none() && jobs.iter().any(|job| job.status.is_failure());
        let wanted = failed && recipient.return_pages && !batch.expired;
        match batch.pages.filter(|_| wanted) {
            Some(count) => {
                let file = self.pages(jobs::pages_file(batch.id), count).await?;
                attachment(&file, &format!("fax-{}", batch.id), ForwardFormat::Pdf).map(Some)
            }
            None => Ok(None),
        }
    }

    fn report_facts(
        &self,
        row: &MailRow,
        batch: &BatchRow,
        recipient: &RecipientRow,
        jobs: &[JobRow],
        payload: &ReportPayload,
    ) -> ReportFacts {
        let format = self.format_of(&row.account);
        let delay = payload.delay.as_ref();
        let fact = |job: &JobRow| {
            let facts = job_facts(job, format);
            match delay {
                Some(delay) => JobFacts {
                    status: Status(delay.status),
                    ..facts
                },
                None => facts,
            }
        };
        let of_recipient = |job: &JobRow| RecipientFacts {
            address: self.address_of(job, recipient),
            status: delay.map_or(job.status, |delay| Status(delay.status)),
            last_attempt: match delay {
                Some(delay) => Some(Timestamp::from_ms(delay.last)),
                None => job.settled_at.filter(|_| job.attempts > 0),
            },
        };
        let arrived = jobs.iter().map(|job| job.created_at).min();
        ReportFacts {
            host: self.config.gateway.name.clone(),
            envelope_id: recipient.envelope_id.clone(),
            arrived: arrived.unwrap_or(batch.created_at),
            original_recipient: recipient.original.clone(),
            recipients: jobs.iter().map(of_recipient).collect(),
            delayed_until: delay.map(|delay| Timestamp::from_ms(delay.until)),
            message_id: Some(batch.message_id.clone()),
            sent_at: recipient.sent_at,
            author: Address::parse(&recipient.author),
            addressed: Address::parse(&recipient.address),
            result: ResultFacts {
                batch: batch.id.to_string(),
                reference: batch.reference.clone(),
                jobs: jobs.iter().map(fact).collect(),
                format,
                zone: self.zone_of(&row.account),
                pages: None,
            },
        }
    }

    /// The language of an account is that of its result mails.
    fn format_of(&self, account: &str) -> ResultFormat {
        let directory = self.accounts.load();
        let format = directory.by_id(account).map(|a| a.result_mail.format);
        format.unwrap_or(match self.config.gateway.language {
            Language::En => ResultFormat::TextEn,
            Language::Ja => ResultFormat::HtmlJa,
        })
    }

    /// The recipient as it was written; a member of a list by its number.
    fn address_of(&self, job: &JobRow, recipient: &RecipientRow) -> String {
        let gateway = &self.config.gateway;
        let domain = recipient.address.rsplit_once('@').map(|(_, domain)| domain);
        let of_list = domain.is_some_and(|domain| {
            let same = |list: &String| list.eq_ignore_ascii_case(domain);
            gateway.list_domains.iter().any(same)
        });
        let number = Destination::from_canonical(&job.destination).filter(|_| of_list);
        let address = match (number, gateway.domains.first()) {
            (Some(number), Some(domain)) => format!("{}@{domain}", number.canonical()),
            _ => recipient.address.clone(),
        };
        TypedAddress::of(&address).to_string()
    }
}

/// Whether the report on a settled recipient tells of `job`.
fn is_told(job: &JobRow, notify: Notify) -> bool {
    let event = match job.status.is_failure() {
        true => Notify::FAILURE,
        false => Notify::SUCCESS,
    };
    job.settled_at.is_some() && notify.wants(event)
}
