//! The mail door's view of the gateway: recipients are judged, messages go the way of `intake`.

use crate::ingress::Door;
use crate::ingress::RecipientRefusal;
use crate::ingress::Verdict;
use crate::intake::Intake;
use crate::smtp::Address;
use crate::smtp::ReceivedMessage;
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
