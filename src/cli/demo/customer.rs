//! The customers' side: writes a mail and hands it to the gateway over SMTP, as their mail programs do.

use std::error::Error as _;
use std::net::SocketAddr;

use lettre::AsyncSmtpTransport;
use lettre::AsyncTransport;
use lettre::Message;
use lettre::Tokio1Executor;
use lettre::address::Envelope;
use lettre::message::Attachment;
use lettre::message::MultiPart;
use lettre::message::SinglePart;
use lettre::message::header::ContentType;
use lettre::transport::smtp::extension::ClientId;

use crate::cli::Exit;
use crate::cli::Failure;

/// A mail of a customer.
pub(super) struct Letter<'a> {
    /// What it is called in the output folder.
    pub(super) name: &'a str,
    /// Whose it is, in one word.
    pub(super) who: &'a str,
    /// Sender, in the envelope and in the header.
    pub(super) from: &'a str,
    /// Recipient.
    pub(super) to: &'a str,
    /// Subject.
    pub(super) subject: &'a str,
    /// Text.
    pub(super) text: String,
    /// Name and content of a PDF that goes with it.
    pub(super) pdf: Option<(&'a str, Vec<u8>)>,
}

/// What a server said to a mail.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The reply code.
    pub(super) code: u16,
    /// The rest, in one line.
    pub(super) text: String,
}

impl Reply {
    /// The batch that a mail became.
    pub(super) fn batch(&self) -> Option<i64> {
        self.text.rsplit(' ').next()?.parse().ok()
    }
}

impl Letter<'_> {
    /// The message, header and all.
    pub(super) fn write(&self) -> Result<Vec<u8>, Failure> {
        let text = SinglePart::plain(self.text.clone());
        let message = Message::builder()
            .from(self.from.parse().map_err(defect)?)
            .to(self.to.parse().map_err(defect)?)
            .subject(self.subject)
            .message_id(Some(format!("<{}.{}>", self.name, self.from)));
        let message = match &self.pdf {
            None => message.singlepart(text),
            Some((name, bytes)) => {
                let media_type = ContentType::parse("application/pdf").map_err(defect)?;
                let file = Attachment::new((*name).to_owned()).body(bytes.clone(), media_type);
                message.multipart(MultiPart::mixed().singlepart(text).singlepart(file))
            }
        };
        Ok(message.map_err(defect)?.formatted())
    }

    /// Hands `message` to the server at `gateway`.
    ///
    /// # Errors
    /// No answer. An answer that refuses the mail is none.
    pub(super) async fn send(&self, gateway: SocketAddr, message: &[u8]) -> Result<Reply, Failure> {
        let server =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(gateway.ip().to_string())
                .port(gateway.port())
                .hello_name(ClientId::Domain("pc.customer.example".to_owned()))
                .build();
        let from = self.from.parse().map_err(defect)?;
        let to = self.to.parse().map_err(defect)?;
        let envelope = Envelope::new(Some(from), vec![to]).map_err(defect)?;
        match server.send_raw(&envelope, message).await {
            Ok(response) => Ok(Reply {
                code: response.code().into(),
                text: response.message().collect::<Vec<_>>().join(" "),
            }),
            Err(error) => match error.status() {
                Some(code) => Ok(Reply {
                    code: code.into(),
                    text: error.source().map(ToString::to_string).unwrap_or_default(),
                }),
                None => Err(Failure::new(Exit::Unavailable, error)),
            },
        }
    }
}

fn defect(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Software,
        format!("a sample mail cannot be written: {error}"),
    )
}
