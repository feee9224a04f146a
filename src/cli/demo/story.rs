//! The story: what a newcomer should see once, in six acts. Each act checks what it shows.

use super::customer::Letter;
use super::estimate;
use super::scratch::PASSWORD;
use super::stage::Stage;
use super::stage::count;
use super::stage::expect;
use super::stage::missing;
use super::stage::now;
use crate::account::lockout;
use crate::cli::Failure;
use crate::fax::Destination;
use crate::lock::Strikes;
use crate::status::Status;
use crate::storage::accounts;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailState;
use crate::storage::received;
use crate::storage::received::ReceivedRow;

const TANAKA: &str = "tanaka@customer.example";
const INBOX: &str = "inbox@customer.example";
const SUZUKI: &str = "suzuki@supplier.example";
const SHOP: &str = "03-1111-2222@fax.example";
const REASON: &str = "called back, old password in the copier";

/// Plays all acts.
pub(super) async fn play(stage: &Stage) -> Result<(), Failure> {
    document_becomes_fax(stage).await?;
    wrong_passwords_lock(stage).await?;
    list_is_stopped(stage).await?;
    address_only_sends(stage).await?;
    received_fax_is_held(stage).await?;
    unlock_releases(stage).await?;
    no_password_is_left(stage)
}

async fn document_becomes_fax(stage: &Stage) -> Result<(), Failure> {
    stage.timeline.act(1, "A mailed PDF becomes a fax")?;
    let pdf = estimate::pdf();
    stage.shelf.file("1-mitsumori.pdf", &pdf)?;
    let letter = Letter {
        name: "estimate",
        who: "tanaka",
        from: TANAKA,
        to: SHOP,
        subject: "御見積書 0012",
        text: format!("パスワード: {PASSWORD}\r\n\r\n新宿商店様へお送りください。\r\n"),
        pdf: Some(("mitsumori.pdf", pdf)),
    };
    let reply = stage.post(letter).await?;
    stage
        .timeline
        .detail("the password was right: it is forgotten now and never stored")?;
    let sent = stage.delivered(&reply, "1-estimate-to-shinjuku").await?;
    expect(sent.proof == "password", "the sender is proved by password")?;
    expect(sent.job.pages_sent == 2, "two pages are sent")?;
    expect(
        journal_has(stage, sent.job.id)?,
        "the call stands in calls.jsonl",
    )?;
    let result = stage.mail("result", TANAKA).await?;
    let told = result.subject.contains("FAX送信が成功しました")
        && result.subject.contains("0081311112222");
    expect(told, "the result mail tells of the success")
}

async fn wrong_passwords_lock(stage: &Stage) -> Result<(), Failure> {
    let timeline = &stage.timeline;
    timeline.act(2, "Three wrong passwords lock the account")?;
    let mut answers = Vec::new();
    for (name, password) in [
        ("wrong-password-1", "kaki7sample"),
        ("wrong-password-2", "kaki9sample"),
        ("wrong-password-3", "nashi8sample"),
        ("right-password-too-late", PASSWORD),
    ] {
        let letter = Letter {
            name,
            who: "tanaka",
            from: TANAKA,
            to: SHOP,
            subject: "ご連絡",
            text: format!("パスワード: {password}\r\n\r\n本日は休業いたします。\r\n"),
            pdf: None,
        };
        let reply = stage.post(letter).await?;
        expect(reply.code == 550, "the mail is refused (550)")?;
        answers.push(reply.text);
        let strikes = strikes(stage, "tanaka").await?;
        let locked = strikes.locked_until.filter(|_| strikes.is_locked(now()));
        let expected = u32::try_from(answers.len()).unwrap_or(u32::MAX).min(3);
        expect(strikes.count == expected, "each wrong password counts")?;
        expect(
            locked.is_some() == (answers.len() >= 3),
            "the third one locks",
        )?;
        match (locked, answers.len()) {
            (None, _) => timeline.detail(&format!("wrong password {expected} of 3"))?,
            (Some(until), 3) => {
                timeline.event(now(), "gateway", "locks the account tanaka for one hour")?;
                timeline.detail(&format!("until {}", stage.local(until)))?;
                let notice = stage.mail("lock", TANAKA).await?;
                expect(
                    notice.text.contains("127.0.0.1"),
                    "the notice says where from",
                )?;
            }
            (Some(_), _) => {
                timeline.detail("even the right password: nothing is checked while locked")?
            }
        }
    }
    let alike = answers.iter().all(|text| Some(text) == answers.first());
    expect(alike, "all four answers are alike")?;
    timeline.detail("all four answers are alike: a thief learns nothing from them")
}

async fn list_is_stopped(stage: &Stage) -> Result<(), Failure> {
    stage
        .timeline
        .act(3, "While locked: a contact list ends with status 6002")?;
    let letter = Letter {
        name: "to-the-list",
        who: "tanaka",
        from: TANAKA,
        to: "shops@list.fax.example",
        subject: "全店へのお知らせ",
        text: format!("パスワード: {PASSWORD}\r\n\r\n明日は棚卸しです。\r\n"),
        pdf: None,
    };
    let reply = stage.post(letter).await?;
    let jobs = stage.settled(&reply).await?;
    let [stopped] = jobs.as_slice() else {
        return Err(missing("one job for the list"));
    };
    let status = stopped.job.status;
    expect(status == Status::STOPPED_BY_LOCK, "the list ends with 6002")?;
    expect(stopped.attempts.is_empty(), "nobody is called")?;
    let at = stopped.job.settled_at.unwrap_or_else(now);
    let what = format!(
        "status {} ({}), nobody is called",
        status.0,
        status.text_en()
    );
    stage.timeline.event(at, "gateway", &what)?;
    let result = stage.mail("result", TANAKA).await?;
    expect(result.text.contains("6002"), "the result mail says 6002")?;
    let line = result.text.lines().find(|line| line.contains("6002"));
    stage
        .timeline
        .detail(&format!("| {}", line.unwrap_or_default().trim()))
}

async fn address_only_sends(stage: &Stage) -> Result<(), Failure> {
    stage.timeline.act(
        4,
        "An account that proves itself by its address alone still sends",
    )?;
    greet(
        stage,
        "greeting",
        "4-greeting-to-shinjuku",
        "夏季休業のお知らせ",
    )
    .await?;
    let accounts = &stage.loaded.accounts.accounts.accounts;
    let suzuki = accounts.iter().find(|account| account.id == "suzuki");
    let suzuki = suzuki.ok_or_else(|| missing("the account suzuki"))?;
    let rule = stage.loaded.config.lock.over(&suzuki.profile.lock);
    let (store, at) = (stage.store().clone(), now());
    let locked = stage
        .store()
        .write(move |tx| lockout::lock(tx, store.ids(), "suzuki", &rule, at));
    let until = locked.await?;
    stage
        .timeline
        .event(now(), "operator", "faxgate account lock suzuki")?;
    stage
        .timeline
        .detail(&format!("locked until {}", stage.local(until)))?;
    greet(
        stage,
        "while-locked",
        "4-while-locked-to-shinjuku",
        "お盆休みのお知らせ",
    )
    .await?;
    let strikes = strikes(stage, "suzuki").await?;
    expect(strikes.is_locked(now()), "the account is still locked")?;
    stage
        .timeline
        .detail("locked, and sent all the same: no password is at stake here")
}

/// A plain text to one number, without a password.
async fn greet(stage: &Stage, name: &str, pages: &str, subject: &str) -> Result<(), Failure> {
    let letter = Letter {
        name,
        who: "suzuki",
        from: SUZUKI,
        to: SHOP,
        subject,
        text: format!(
            "新宿店 御中\r\n\r\n{subject}\r\n\r\n拝啓 時下ますますご清栄のこととお慶び申し上げます。\r\n\
             誠に勝手ながら、八月十三日から十六日まで休業いたします。\r\nご不便をおかけしますが、\
             何卒よろしくお願い申し上げます。\r\n\r\n敬具\r\n鈴木\r\n"
        ),
        pdf: None,
    };
    let reply = stage.post(letter).await?;
    let sent = stage.delivered(&reply, pages).await?;
    expect(
        sent.proof == "sender-address",
        "the sender is proved by address",
    )?;
    let result = stage.mail("result", SUZUKI).await?;
    expect(
        result.subject.contains("FAX送信が成功しました"),
        "the result mail tells of the success",
    )
}

async fn received_fax_is_held(stage: &Stage) -> Result<(), Failure> {
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
    stage.delivered(&reply, "5-order-to-tanaka").await?;
    stage.mail("result", SUZUKI).await?;
    let fax = received_fax(stage).await?;
    let at = fax.received_at;
    let what = format!(
        "received {} for tanaka on {}",
        count(fax.pages, "page"),
        fax.number
    );
    timeline.event(at, "gateway", &what)?;
    let (held, waits) = stage
        .store()
        .read(move |tx| {
            let held = events::list(tx, &fax.account, About::Received(fax.id))?;
            let mails = outbox::about(tx, Kind::Forward, fax.id)?;
            let waits = mails
                .iter()
                .filter(|mail| mail.1 == MailState::Waiting)
                .count();
            Ok((held.into_iter().find(|event| event.kind == "held"), waits))
        })
        .await?;
    let held = held.ok_or_else(|| missing("the reason why the fax is held"))?;
    expect(
        held.detail.contains("account locked"),
        "the reason is the lock",
    )?;
    expect(waits == 1, "the forward waits")?;
    let unsent = stage.mailbox.take("forward", INBOX).is_none();
    expect(unsent, "nothing is forwarded while locked")?;
    let until = strikes(stage, "tanaka")
        .await?
        .locked_until
        .unwrap_or_default();
    timeline.detail(&format!(
        "held, not forwarded: account locked until {}",
        stage.local(until)
    ))
}

async fn unlock_releases(stage: &Stage) -> Result<(), Failure> {
    let timeline = &stage.timeline;
    timeline.act(6, "The operator unlocks the account; the fax goes out")?;
    let (store, at) = (stage.store().clone(), now());
    let what = format!("faxgate account unlock tanaka --reason \"{REASON}\"");
    timeline.event(at, "operator", &what)?;
    let unlocked = stage
        .store()
        .write(move |tx| lockout::unlock(tx, store.ids(), "tanaka", REASON, at));
    let released = unlocked.await?;
    expect(released == 1, "one held mail is released")?;
    timeline.detail(&format!("unlocked; {released} held mail goes out now"))?;
    let forward = stage.mail("forward", INBOX).await?;
    expect(forward.at >= at, "it is forwarded after the unlock")?;
    let pdf = forward.attachments.first();
    let (_, pdf) = pdf.ok_or_else(|| missing("the fax in the forwarding mail"))?;
    expect(pdf.starts_with(b"%PDF-"), "the fax is forwarded as PDF")?;
    let name = stage.shelf.file("6-order-as-forwarded.pdf", pdf)?;
    timeline.detail(&format!("-> {name}"))?;
    expect(
        !strikes(stage, "tanaka").await?.is_locked(now()),
        "the account is unlocked",
    )?;
    let more = stage.mailbox.take_all();
    expect(more.is_empty(), "no other mail was sent")
}

fn no_password_is_left(stage: &Stage) -> Result<(), Failure> {
    let (found, searched) = stage.search(PASSWORD)?;
    expect(
        found.is_empty(),
        "the password is in no file of the gateway",
    )?;
    stage.timeline.event(
        now(),
        "demo",
        &format!("searched {searched} files of the gateway for the password: in none"),
    )
}

/// The fax that was received for `tanaka`.
async fn received_fax(stage: &Stage) -> Result<ReceivedRow, Failure> {
    stage
        .wait("the received fax", || async {
            let faxes = stage
                .store()
                .read(|tx| received::list(tx, Some("tanaka"), 1));
            Ok(faxes.await?.pop())
        })
        .await
}

async fn strikes(stage: &Stage, account: &'static str) -> Result<Strikes, Failure> {
    let strikes = stage.store().read(|tx| accounts::strikes(tx, account));
    Ok(strikes.await?)
}

/// Whether the line has noted the call of this job as sent.
fn journal_has(stage: &Stage, job: i64) -> Result<bool, Failure> {
    let journal = std::fs::read_to_string(stage.shelf.folder().join("calls.jsonl"))?;
    let line = journal.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        (line.get("job")?.as_str()? == job.to_string()).then_some(line)
    });
    let to = |line: &serde_json::Value| {
        Destination::from_canonical(line.get("number")?.as_str()?).map(|number| number.canonical())
    };
    Ok(line.is_some_and(|line| {
        to(&line).as_deref() == Some("0081311112222") && line.get("status") == Some(&0.into())
    }))
}
