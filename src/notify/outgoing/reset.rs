//! The mail of a reset, on its way: what it carries is derived now, and is nowhere before or after.

use serde::Deserialize;

use super::Outgoing;
use super::Unwritten;
use super::payload;
use crate::account::reset;
use crate::config::Account;
use crate::config::BaseUrl;
use crate::notify;
use crate::notify::Carries;
use crate::notify::Mail;
use crate::notify::ResetFacts;
use crate::secret::Secret;
use crate::storage::outbox::MailRow;
use crate::storage::resets::ResetRow;

#[derive(Deserialize)]
struct Payload {
    peer: String,
}

impl Outgoing {
    pub(super) async fn reset_mail(&self, row: &MailRow) -> Result<Mail, Unwritten> {
        let payload: Payload = payload(row)?;
        let directory = self.accounts.load_full();
        let account = directory.by_id(&row.account);
        let account = account.ok_or(Unwritten::Gone("the account is gone"))?;
        let web = self.config.web.as_ref();
        let base = &web
            .ok_or(Unwritten::Gone("there is no account web"))?
            .base_url;
        let (key, this, id) = (self.key.clone(), account.clone(), row.subject_id);
        let now = self.clock.now();
        let read = self
            .store
            .read(move |tx| reset::to_mail(tx, &key, &this, id, now));
        let found = read.await?;
        // Smart hosts may be away for hours: a link that has ended would only confuse.
        let (stored, secret) = found.ok_or(Unwritten::Gone("the reset is over"))?;
        let facts = self.facts(
            account,
            &stored,
            carries(base, &stored, secret),
            payload.peer,
        );
        Ok(notify::reset_mail(&facts, &self.header(row, None)))
    }

    fn facts(
        &self,
        account: &Account,
        stored: &ResetRow,
        carries: Carries,
        peer: String,
    ) -> ResetFacts {
        let rule = &account.profile.reset;
        let told = !(stored.temporary || rule.asks_login_id);
        let told = |text: &str| if told { text.to_owned() } else { String::new() };
        let gateway = &self.config.gateway;
        ResetFacts {
            account: told(&account.id),
            login_id: told(&account.login_id),
            carries,
            by_other: stored.asked_by != account.id,
            // The address of an administrator says nothing to the reader.
            peer: if stored.asked_by == account.id {
                peer
            } else {
                String::new()
            },
            until: stored.ends_at,
            zone: gateway.time_zone.clone(),
            language: rule.language.unwrap_or(gateway.language),
            subject: rule.subject.clone(),
        }
    }
}

/// The URL is made from the configuration alone: a request can name any host it likes.
fn carries(base: &BaseUrl, stored: &ResetRow, secret: Secret) -> Carries {
    match stored.temporary {
        true => Carries::Temporary(secret, format!("{base}/login")),
        false => Carries::Link(Secret::new(format!("{base}/reset/{}", secret.expose()))),
    }
}
