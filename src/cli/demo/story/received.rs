//! Acts 5 and 6: a fax for a locked account waits, and goes out when the lock ends.

use super::SUZUKI;
use super::strikes;
use crate::account::lockout;
use crate::cli::Failure;
use crate::cli::demo::customer::Letter;
use crate::cli::demo::stage::Stage;
use crate::cli::demo::stage::count;
use crate::cli::demo::stage::expect;
use crate::cli::demo::stage::missing;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailState;
use crate::storage::received;
use crate::storage::received::ReceivedRow;

const INBOX: &str = "inbox@customer.example";
const REASON: &str = "copier repaired";

/// Act 5.
pub(super) async fn fax_is_held(stage: &Stage) -> Result<(), Failure> {
    let timeline = &stage.timeline;
    timeline.act(5, "A fax for the locked account is received and held")?;
    let letter = Letter {
        name: "order",
        who: "suzuki",
        from: SUZUKI,
        to: "03-4567-0001@fax.example",
        subject: "注文書",
        text: "田中商事 御中\r\n\r\n御見積書 0012 のとおり注文いたします。\r\n\r\n\
            ・複合機 設置作業   1\r\n・FAX回線 切替作業  2\r\n\r\n鈴木\r\n"
            .to_owned(),
        pdf: None,
    };
    let reply = stage.post(letter).await?;
    timeline.detail("that is tanaka's number: the call comes back in");
    stage.delivered(&reply, "5-order-to-tanaka").await?;
    stage.mail("result", SUZUKI).await?;
    let fax = received_fax(stage).await?;
    let what = format!("received {} for tanaka", count(fax.pages, "page"));
    timeline.event(fax.received_at, "gateway", &what);
    is_held(stage, fax).await?;
    let locked_until = strikes(stage, "tanaka").await?.locked_until;
    let until = locked_until.ok_or_else(|| missing("the end of the lock"))?;
    timeline.detail("held, not forwarded: account locked until");
    timeline.detail(&stage.local(until));
    Ok(())
}

/// The fax that was received for `tanaka`.
async fn received_fax(stage: &Stage) -> Result<ReceivedRow, Failure> {
    let look = || async {
        let faxes =
            |tx: &mut dyn crate::storage::Transaction| received::list(tx, Some("tanaka"), 1);
        Ok(stage.store().read(faxes).await?.pop())
    };
    stage.wait("the received fax", look).await
}

/// The reason stands in the history, the mail waits, and nothing has come out.
async fn is_held(stage: &Stage, fax: ReceivedRow) -> Result<(), Failure> {
    let read = stage.store().read(move |tx| {
        let events = events::list(tx, &fax.account, About::Received(fax.id))?;
        Ok((events, outbox::about(tx, Kind::Forward, fax.id)?))
    });
    let (events, mails) = read.await?;
    let held = events.iter().find(|event| event.kind == "held");
    let held = held.ok_or_else(|| missing("the reason why the fax is held"))?;
    let says = held.detail.contains("account locked");
    expect(says, "the reason is the lock")?;
    let waits = mails.len() == 1 && mails.iter().all(|mail| mail.state == MailState::Waiting);
    expect(waits, "the forward waits")?;
    let none = stage.mailbox.take("forward", INBOX).is_none();
    expect(none, "nothing is forwarded while locked")
}

/// Act 6.
pub(super) async fn unlock_releases(stage: &Stage) -> Result<(), Failure> {
    let timeline = &stage.timeline;
    timeline.act(6, "The operator unlocks the account: the fax goes out")?;
    let at = stage.now();
    let what = format!("faxgate account unlock tanaka --reason \"{REASON}\"");
    timeline.event(at, "operator", &what);
    let store = stage.store().clone();
    let unlock = move |tx: &mut dyn crate::storage::Transaction| {
        lockout::unlock(tx, store.ids(), "tanaka", REASON, at)
    };
    let released = stage.store().write(unlock).await?;
    expect(released == 1, "one held mail is released")?;
    timeline.detail("unlocked; 1 held mail goes out now");
    let forward = stage.mail("forward", INBOX).await?;
    expect(forward.at >= at, "it is forwarded after the unlock")?;
    let (_, pdf) = forward
        .attachments
        .first()
        .ok_or_else(|| missing("the fax in the mail"))?;
    expect(pdf.starts_with(b"%PDF-"), "the fax is forwarded as PDF")?;
    let name = stage.shelf.file("6-order-as-forwarded.pdf", pdf)?;
    timeline.detail(&format!("-> {name}"));
    let locked = strikes(stage, "tanaka").await?.is_locked(stage.now());
    expect(!locked, "the account is unlocked")?;
    let more = stage.mailbox.take_all();
    expect(more.is_empty(), "no other mail was sent")
}
