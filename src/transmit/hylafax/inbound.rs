//! The queue of received faxes: each whole file is handed over, and removed there once it is durable here.

use std::collections::BTreeSet;

use super::HylafaxTransport;
use super::pages;
use super::session::Received;
use super::session::Session;
use super::wire::Trouble;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::fax::StationId;
use crate::transmit::InboundFax;

/// A longer fax is left there.
const LONGEST: usize = 64 * 1024 * 1024;

/// Files that stay there and were logged so, and those that were handed over and could not be removed.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    told: BTreeSet<String>,
    taken: BTreeSet<String>,
}

impl HylafaxTransport {
    /// Takes over all that the queue holds now.
    pub(super) async fn fetch_received(&self, number: &FaxNumber) {
        if !self.inbound.serves(number) {
            self.complain("", "no account receives faxes to the number of HylaFAX");
            return;
        }
        let Ok(mut session) = self.open().await else {
            return;
        };
        if let Err(trouble) = self.fetch_all(&mut session, number).await {
            tracing::warn!(%trouble, "HylaFAX's received faxes could not be fetched");
        }
    }

    async fn fetch_all(&self, session: &mut Session, number: &FaxNumber) -> Result<(), Trouble> {
        // Without these rights it is tried all the same: the files may be everybody's.
        session.become_administrator(&self.door).await?;
        let queue = session.received().await?;
        self.forget_others(&queue);
        for received in queue.iter().filter(|received| !received.coming_in) {
            match self.fetch_one(session, received, number).await {
                Err(Trouble::Refused(reply)) => self.complain(&received.file, &reply.to_string()),
                other => other?,
            }
        }
        Ok(())
    }

    async fn fetch_one(
        &self,
        session: &mut Session,
        received: &Received,
        number: &FaxNumber,
    ) -> Result<(), Trouble> {
        if received.size > LONGEST {
            self.complain(&received.file, "it is too long");
            return Ok(());
        }
        let written_at = session.written_at(&received.file).await?;
        // Names begin again when a server is set up anew: with its time a file has a name for ever.
        let call = format!("hylafax:{}:{}:{written_at}", received.file, received.size);
        if self.is_taken(&call) {
            session.remove(&received.file).await?;
            return Ok(());
        }
        let tiff = session.fetch(&received.file, LONGEST).await?;
        if tiff.len() != received.size || session.written_at(&received.file).await? != written_at {
            // It is growing: next time.
            return Ok(());
        }
        let Some(pages) = pages::count(&tiff).filter(|pages| *pages > 0) else {
            self.complain(&received.file, "there is no page in it");
            return Ok(());
        };
        let fax = InboundFax {
            call: call.clone(),
            number: number.clone(),
            remote_id: remote_id(&received.sender),
            fax: FaxFile { tiff, pages },
            complete: received.error.is_empty(),
        };
        if !self.inbound.arrive(fax).await {
            return Ok(());
        }
        if let Ok(mut complaints) = self.complaints.lock() {
            complaints.taken.insert(call);
        }
        session.remove(&received.file).await?;
        Ok(())
    }

    fn is_taken(&self, call: &str) -> bool {
        let complaints = self.complaints.lock();
        complaints.is_ok_and(|complaints| complaints.taken.contains(call))
    }

    /// Says once what is wrong with a file that stays there.
    fn complain(&self, file: &str, why: &str) {
        let new = self.complaints.lock();
        if new.is_ok_and(|mut complaints| complaints.told.insert(file.to_owned())) {
            tracing::warn!(file, why, "a fax stays in HylaFAX's queue");
        }
    }

    /// Only what is still there needs to be remembered.
    fn forget_others(&self, queue: &[Received]) {
        let there: BTreeSet<_> = queue
            .iter()
            .map(|received| received.file.as_str())
            .collect();
        let file_of = |call: &str| call.split(':').nth(1).unwrap_or_default().to_owned();
        if let Ok(mut complaints) = self.complaints.lock() {
            complaints.told.retain(|file| there.contains(file.as_str()));
            complaints
                .taken
                .retain(|call| there.contains(file_of(call).as_str()));
        }
    }
}

/// HylaFAX writes `<unknown>` where nobody said who it was.
fn remote_id(sender: &str) -> StationId {
    match sender.starts_with('<') {
        true => StationId::default(),
        false => StationId::from_far_end(sender.as_bytes()),
    }
}
