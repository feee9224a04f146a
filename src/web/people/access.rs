//! Unlock, lock and reset (rows T2, T7): each with who did it in the audit trail and a mail to the user.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::extract::State as Shared;
use axum::response::Response;

use crate::account::people;
use crate::account::people::LONGEST_REASON;
use crate::account::people::Subject;
use crate::account::person;
use crate::account::reset;
use crate::account::reset::NotStarted;
use crate::account::reset::Started;
use crate::account::rights::Deed;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::people::Case;
use crate::web::people::actor;
use crate::web::people::one;
use crate::web::people::one::Typed;
use crate::web::people::words;
use crate::web::people::words::Remark;
use crate::web::visitor::Visitor;

/// `POST /people/<id>/unlock`
pub(super) async fn unlock(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    post: Post,
) -> Response {
    let (visitor, case, reason) = match asked(&site, &id, Deed::Unlock, post).await {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let (by, subject) = (actor(&site, &visitor, client), Subject::of(&case.subject));
    let unlocked = people::unlock(site.store(), by, subject, reason, site.now()).await;
    site.mail.notify_one();
    match visitor.found(&site, case.tab(&visitor), unlocked.map(Some)) {
        Ok(true) => case.back("unlocked"),
        Ok(false) => case.back("not-locked"),
        Err(trouble) => *trouble,
    }
}

/// `POST /people/<id>/lock`
pub(super) async fn lock(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    post: Post,
) -> Response {
    let (visitor, case, reason) = match asked(&site, &id, Deed::Lock, post).await {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let by = actor(&site, &visitor, client);
    let rule = site.authenticator.lock.over(&case.subject.profile.lock);
    let subject = (Subject::of(&case.subject), rule);
    let locked = people::lock(site.store(), by, subject, reason, site.now()).await;
    site.mail.notify_one();
    match visitor.found(&site, case.tab(&visitor), locked.map(Some)) {
        Ok(_) => case.back("locked"),
        Err(trouble) => *trouble,
    }
}

/// `POST /people/<id>/reset`: needs no reason, the user's own asking is one.
pub(super) async fn start_reset(
    Shared(site): Shared<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Post { visitor, .. }: Post,
) -> Response {
    let case = Case::of(&site, &visitor, &id, Deed::StartReset);
    let case = case.and_then(|case| {
        visitor.is_fresh(&site, &case.path, true)?;
        Ok(case)
    });
    let case = match case {
        Ok(case) => case,
        Err(response) => return *response,
    };
    let Some(nonce) = reset::nonce() else {
        return visitor.trouble(&site, case.tab(&visitor), Trouble::Unavailable);
    };
    let (by, subject) = (actor(&site, &visitor, client), Arc::clone(&case.subject));
    let secret = (site.authenticator.key.clone(), nonce);
    let started = people::start_reset(site.store(), secret, by, subject, site.now()).await;
    site.mail.notify_one();
    match visitor.found(&site, case.tab(&visitor), started.map(Some)) {
        Ok(started) => case.back(told(&started)),
        Err(trouble) => *trouble,
    }
}

/// What the page says of a reset, as a word of its address.
fn told(started: &Started) -> &'static str {
    match started {
        Started::Mailed(_) => "reset",
        Started::Not(NotStarted::Locked(_)) => "reset-locked",
        Started::Not(NotStarted::NoAddress | NotStarted::NoMatch) => "reset-no-email",
        Started::Not(NotStarted::NoPassword) => "reset-no-password",
        Started::Not(NotStarted::OnPaper) => "reset-on-paper",
        Started::Not(NotStarted::TooMany) => "reset-too-many",
    }
}

/// Whose access a form is about, and why; or the answer to one that asks for nothing, or for too much.
async fn asked(
    site: &Arc<Site>,
    id: &str,
    deed: Deed,
    Post { visitor, fields }: Post,
) -> Result<(Visitor, Case, String), Box<Response>> {
    let case = Case::of(site, &visitor, id, deed)?;
    visitor.is_fresh(site, &case.path, true)?;
    let reason = fields.text("reason");
    let Err(wrong) = person::reason(&reason, LONGEST_REASON) else {
        return Ok((visitor, case, reason));
    };
    let w = words::of(visitor.frame(site, case.tab(&visitor)).language);
    let typed = Typed {
        reason: Some((reason, Remark::wrong(wrong, w))),
        ..Typed::default()
    };
    Err(Box::new(
        one::respond(site, &visitor, case, "", typed).await,
    ))
}
