//! The mail door's view of the gateway: recipients are judged, messages go the way of `intake`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::account::certificate;
use crate::admit::rate::Rate;
use crate::authenticate::judge;
use crate::authenticate::login::Stopped;
use crate::ingress::Door;
use crate::ingress::LoginVerdict;
use crate::ingress::RecipientRefusal;
use crate::ingress::SenderRefusal;
use crate::ingress::Verdict;
use crate::ingress::Verifier;
use crate::intake::Intake;
use crate::monitor::Health;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Identity;
use crate::smtp::Login;
use crate::smtp::ReceivedMessage;
use crate::smtp::ScramChallenge;
use crate::smtp::Verification;
use crate::submission;
use crate::submission::RecipientError;
use crate::web;

/// What stands behind the mail door.
pub(super) struct MailDoor {
    /// The way in.
    pub(super) intake: Arc<Intake>,
    /// Verifies senders; `None`: nobody does.
    pub(super) verifier: Option<Verifier>,
    /// How often each network has begun a mail.
    pub(super) rate: Rate<IpAddr>,
}

impl MailDoor {
    async fn verified(&self, message: &mut ReceivedMessage) -> Option<Verification> {
        let verifier = self.verifier.as_ref()?;
        if message.authenticated.is_some() {
            return None;
        }
        let author = submission::author(&message.raw, &self.intake.config.smtp);
        let is_spoken_for = judge::is_spoken_for(
            message.peer,
            message.envelope.reverse_path.as_ref(),
            author.as_ref(),
            &self.intake.config.relays,
            &self.intake.accounts.load(),
        );
        if is_spoken_for {
            return None;
        }
        Some(verifier.verify(message, author.as_ref()).await)
    }
}

impl Door for MailDoor {
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal> {
        let judged = submission::recipient(address, &self.intake.config.gateway);
        judged.map(|_| ()).map_err(|error| match error {
            RecipientError::ForeignDomain => RecipientRefusal::ForeignDomain,
            RecipientError::ListName => RecipientRefusal::ListName,
            RecipientError::SubAddress => RecipientRefusal::SubAddress,
            RecipientError::Number(error) => RecipientRefusal::Number(error),
        })
    }

    fn is_relay(&self, peer: IpAddr) -> bool {
        let relays = &self.intake.config.relays;
        relays.iter().any(|relay| relay.covers(peer))
    }

    fn knows_scram(&self) -> bool {
        self.intake.accounts.load().knows_scram()
    }

    fn challenge(&self, login_id: &str) -> Option<ScramChallenge> {
        let directory = self.intake.accounts.load();
        self.intake.authenticator.challenge(login_id, &directory)
    }

    async fn login(&self, login: Login) -> LoginVerdict {
        let floor = login
            .received_at
            .plus(self.intake.config.smtp.refusal_floor);
        let directory = self.intake.accounts.load_full();
        let now = self.intake.clock.now();
        let judged = self
            .intake
            .authenticator
            .login(&login, &directory, now)
            .await;
        match judged {
            Ok(logged_in) => LoginVerdict::Accepted {
                identity: self.intake.authenticator.identity_of(&logged_in, now),
                signature: logged_in.signature,
            },
            Err(refusal) => {
                // A strike that locks has written a notice.
                self.intake.mail.notify_one();
                LoginVerdict::Refused {
                    not_before: (refusal == Refusal::NotAuthenticated).then_some(floor),
                    refusal,
                }
            }
        }
    }

    fn holder(&self, certificate: &[u8]) -> Option<Identity> {
        let directory = self.intake.accounts.load();
        let account = directory.by_certificate(&certificate::fingerprint(certificate))?;
        let now = self.intake.clock.now();
        self.intake.authenticator.identity_of_holder(account, now)
    }

    fn may_begin(&self, network: IpAddr) -> bool {
        let most = self.intake.config.smtp.max_messages_per_minute;
        self.rate.take(network, most, self.intake.clock.now())
    }

    fn sender(
        &self,
        identity: &Identity,
        reverse_path: Option<&Address>,
    ) -> Result<(), SenderRefusal> {
        let directory = self.intake.accounts.load();
        let (authenticator, now) = (&self.intake.authenticator, self.intake.clock.now());
        let judged = authenticator.may_send_as(identity, reverse_path, &directory, now);
        judged.map_err(|stopped| match stopped {
            Stopped::Changed => SenderRefusal::Changed,
            Stopped::Locked => SenderRefusal::Locked,
            Stopped::ForeignSender => SenderRefusal::NotYours,
            Stopped::Storage => SenderRefusal::Storage,
        })
    }

    async fn message(&self, mut message: ReceivedMessage) -> Verdict {
        let verification = self.verified(&mut message).await;
        match self.intake.accept(message, verification).await {
            Ok(batch) => Verdict::Accepted {
                batch: batch.to_string(),
            },
            Err(refused) => Verdict::Refused {
                refusal: refused.refusal,
                not_before: refused.not_before,
            },
        }
    }
}

/// The account web asks what the operators' door says; the two do not name each other.
impl web::Condition for Health {
    fn troubles(&self) -> BTreeMap<&'static str, String> {
        Self::troubles(self)
    }

    fn warnings(&self) -> BTreeMap<&'static str, String> {
        Self::warnings(self)
    }
}
