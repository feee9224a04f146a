//! The mail door's view of the gateway: recipients are judged, messages go the way of `intake`.

use crate::authenticate::login::Stopped;
use crate::ingress::Door;
use crate::ingress::LoginVerdict;
use crate::ingress::RecipientRefusal;
use crate::ingress::SenderRefusal;
use crate::ingress::Verdict;
use crate::intake::Intake;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Login;
use crate::smtp::ReceivedMessage;
use crate::smtp::ScramChallenge;
use crate::submission;
use crate::submission::RecipientError;

/// What stands behind the mail door.
pub(super) struct MailDoor(pub(super) Intake);

impl Door for MailDoor {
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal> {
        let judged = submission::recipient(address, &self.0.config.gateway);
        judged.map(|_| ()).map_err(|error| match error {
            RecipientError::ForeignDomain => RecipientRefusal::ForeignDomain,
            RecipientError::ListName => RecipientRefusal::ListName,
            RecipientError::Number(error) => RecipientRefusal::Number(error),
        })
    }

    fn knows_scram(&self) -> bool {
        self.0.accounts.load().knows_scram()
    }

    fn challenge(&self, login_id: &str) -> Option<ScramChallenge> {
        let directory = self.0.accounts.load();
        self.0.authenticator.challenge(login_id, &directory)
    }

    async fn login(&self, login: Login) -> LoginVerdict {
        let floor = login.received_at.plus(self.0.config.smtp.refusal_floor);
        let directory = self.0.accounts.load_full();
        let now = self.0.clock.now();
        let judged = self.0.authenticator.login(&login, &directory, now).await;
        match judged {
            Ok(logged_in) => LoginVerdict::Accepted {
                account: logged_in.account.id.clone(),
                signature: logged_in.signature,
            },
            Err(refusal) => {
                // A strike that locks has written a notice.
                self.0.mail.notify_one();
                LoginVerdict::Refused {
                    not_before: (refusal == Refusal::NotAuthenticated).then_some(floor),
                    refusal,
                }
            }
        }
    }

    fn sender(&self, account: &str, reverse_path: Option<&Address>) -> Result<(), SenderRefusal> {
        let directory = self.0.accounts.load();
        let (authenticator, now) = (&self.0.authenticator, self.0.clock.now());
        let judged = authenticator.may_send_as(account, reverse_path, &directory, now);
        judged.map_err(|stopped| match stopped {
            Stopped::Locked => SenderRefusal::Locked,
            Stopped::ForeignSender => SenderRefusal::NotYours,
            Stopped::Storage => SenderRefusal::Storage,
        })
    }

    async fn message(&self, message: ReceivedMessage) -> Verdict {
        match self.0.accept(message).await {
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
