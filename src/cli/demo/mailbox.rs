//! The next mail server: takes every mail of the gateway and keeps it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use mail_parser::MessageParser;
use mail_parser::MimeHeaders;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::shelf::Shelf;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::config;
use crate::ingress;
use crate::ingress::Door;
use crate::ingress::RecipientRefusal;
use crate::ingress::Verdict;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::ReceivedMessage;
use crate::time::Clock;
use crate::time::Timestamp;

/// A mail that the gateway sent.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// `result`, `lock` or `forward`: how its Message-ID begins.
    pub(super) kind: String,
    /// Who gets it.
    pub(super) recipient: String,
    /// Its subject.
    pub(super) subject: String,
    /// Its text.
    pub(super) text: String,
    /// Names and contents of its attachments.
    pub(super) attachments: Vec<(String, Vec<u8>)>,
    /// Its name in the output folder.
    pub(super) file: String,
    /// When it came.
    pub(super) at: Timestamp,
}

/// The mails that nobody has looked at yet.
pub(super) struct Mailbox {
    shelf: Arc<Shelf>,
    unread: Mutex<Vec<Kept>>,
}

impl Mailbox {
    pub(super) fn new(shelf: Arc<Shelf>) -> Arc<Self> {
        Arc::new(Self {
            shelf,
            unread: Mutex::default(),
        })
    }

    /// Takes the first unread mail of this kind to this recipient.
    pub(super) fn take(&self, kind: &str, recipient: &str) -> Option<Kept> {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |mail: &Kept| mail.kind == kind && mail.recipient == recipient;
        let at = unread.iter().position(wanted)?;
        Some(unread.remove(at))
    }

    /// Takes all unread mails.
    pub(super) fn take_all(&self) -> Vec<Kept> {
        std::mem::take(&mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, message: &ReceivedMessage) -> Option<String> {
        let parsed = MessageParser::default().parse(message.raw.as_slice())?;
        let recipient = &message.envelope.recipients.first()?.address;
        let id = parsed.message_id().unwrap_or_default();
        let kind = id.split('.').next().unwrap_or_default().to_owned();
        let name = format!(
            "gateway-{}-to-{}",
            file_name(&kind),
            file_name(recipient.local())
        );
        let file = self.shelf.mail(&name, &message.raw).ok()?;
        let attachment = |part: &mail_parser::MessagePart<'_>| {
            let name = part.attachment_name().unwrap_or_default().to_owned();
            (name, part.contents().to_vec())
        };
        let kept = Kept {
            kind,
            recipient: recipient.to_string(),
            subject: parsed.subject().unwrap_or_default().to_owned(),
            text: parsed.body_text(0).unwrap_or_default().into_owned(),
            attachments: parsed.attachments().map(attachment).collect(),
            file: file.clone(),
            at: message.received_at,
        };
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.push(kept);
        Some(file)
    }
}

/// The door of [`Mailbox`].
struct TakesAll(Arc<Mailbox>);

impl Door for TakesAll {
    fn recipient(&self, _: &Address) -> Result<(), RecipientRefusal> {
        Ok(())
    }

    async fn message(&self, message: ReceivedMessage) -> Verdict {
        match self.0.keep(&message) {
            Some(file) => Verdict::Accepted { batch: file },
            None => Verdict::Refused {
                refusal: Refusal::Storage,
                not_before: None,
            },
        }
    }
}

/// Serves `mailbox` on a free port; returns where, and what to stop.
pub(super) fn serve(
    mailbox: &Arc<Mailbox>,
    clock: Arc<dyn Clock>,
    shutdown: watch::Receiver<bool>,
) -> Result<(SocketAddr, JoinHandle<()>), Failure> {
    let listeners = ingress::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))])?;
    let address = listeners.first().map(tokio::net::TcpListener::local_addr);
    let address =
        address.ok_or_else(|| Failure::new(Exit::Software, "no address to listen on"))??;
    let service = ingress::Service {
        name: "mail.customer.example".to_owned(),
        limits: config::Smtp::default(),
        tls: None,
        door: TakesAll(Arc::clone(mailbox)),
        clock,
        shutdown,
    };
    let serving = tokio::spawn(ingress::serve(listeners, Arc::new(service)));
    Ok((address, serving))
}

/// What can stand in a file name everywhere.
fn file_name(text: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.chars().filter(allowed).take(40).collect()
}
