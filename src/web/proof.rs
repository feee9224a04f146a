//! A password typed at this door: judged under the one lock, and counted whoever hangs up.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;

use crate::authenticate::login::LoggedIn;
use crate::authenticate::person::TurnedAway;
use crate::secret::Secret;
use crate::smtp::Login;
use crate::smtp::LoginProof;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::guard::Client;
use crate::web::login;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Why somebody who has logged in is not proved once more.
pub(super) enum Unproved {
    /// The password is wrong, which counted.
    Wrong,
    /// Nothing can be said to the form; this is said instead.
    Answered(Box<Response>),
}

/// Judges in a task of its own: whoever hangs up while the password is checked is counted all the same.
pub(super) async fn judged(
    site: &Arc<Site>,
    login: Login,
    now: Timestamp,
) -> Result<LoggedIn, TurnedAway> {
    let judge = Arc::clone(site);
    let judging = tokio::spawn(async move {
        let directory = judge.accounts.load_full();
        let judged = judge.authenticator.person(&login, &directory, now).await;
        if judged.is_err() {
            // A strike that locks has written a notice.
            judge.mail.notify_one();
        }
        judged
    });
    judging.await.unwrap_or(Err(TurnedAway::Storage))
}

/// Whether `visitor` knows the password of this site still: a wrong one counts like a wrong login, and is answered
/// at the same time.
pub(super) async fn again(
    site: &Arc<Site>,
    visitor: &Visitor,
    client: Client,
    password: Secret,
) -> Result<LoggedIn, Unproved> {
    let now = site.now();
    let trouble = |trouble| {
        let page = visitor.trouble(site, Tab::Settings, trouble);
        Unproved::Answered(Box::new(page))
    };
    let most = site.web.max_logins_per_minute;
    if !site.proofs.take(client.network, most, now) {
        return Err(trouble(Trouble::TooMany));
    }
    let session = login::random().ok_or_else(|| trouble(Trouble::Unavailable))?;
    let login = Login {
        login_id: visitor.account.login_id.clone(),
        proof: LoginProof::Password(password),
        session,
        peer: client.address,
        received_at: now,
    };
    let away = match judged(site, login, now).await {
        Ok(logged_in) => return Ok(logged_in),
        Err(away) => away,
    };
    site.clock
        .wait_until(now.plus(site.config.smtp.refusal_floor))
        .await;
    Err(match away {
        TurnedAway::Wrong => Unproved::Wrong,
        TurnedAway::Locked(until) => {
            let page = login::locked(site, visitor.frame(site, Tab::Settings), until);
            Unproved::Answered(Box::new(page))
        }
        TurnedAway::Busy => {
            let f = visitor.frame(site, Tab::Settings);
            let text = (f.t.busy_title, f.t.busy);
            let page = error::said(f, StatusCode::SERVICE_UNAVAILABLE, text);
            Unproved::Answered(Box::new(page))
        }
        TurnedAway::Storage => trouble(Trouble::Unavailable),
    })
}
