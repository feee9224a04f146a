//! The story: what a newcomer should see once, in seven acts. Each act checks what it shows.

mod cut;
mod locked;
mod received;

use super::customer::Letter;
use super::estimate;
use super::scratch::PASSWORD;
use super::stage::Stage;
use super::stage::expect;
use crate::account::lockout;
use crate::cli::Failure;
use crate::lock::Strikes;
use crate::storage::accounts;

const TANAKA: &str = "tanaka@customer.example";
const SUZUKI: &str = "suzuki@supplier.example";
const SHOP: &str = "03-1111-2222@fax.example";

/// Plays all acts.
pub(super) async fn play(stage: &Stage) -> Result<(), Failure> {
    document_becomes_fax(stage).await?;
    locked::wrong_passwords_lock(stage).await?;
    locked::list_is_stopped(stage).await?;
    address_only_sends(stage).await?;
    received::fax_is_held(stage).await?;
    received::unlock_releases(stage).await?;
    cut::a_fax_goes_on_where_it_was(stage).await?;
    no_password_is_left(stage)
}

async fn document_becomes_fax(stage: &Stage) -> Result<(), Failure> {
    stage.timeline.act(1, "A mailed PDF becomes a fax")?;
    let pdf = estimate::pdf();
    let file = stage.shelf.file("1-estimate-as-mailed.pdf", &pdf)?;
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
    let timeline = &stage.timeline;
    timeline.detail("the password was right; that line is removed");
    timeline.detail("before anything is stored");
    timeline.detail(&format!("(the PDF alone: {file})"));
    let sent = stage.delivered(&reply, "1-estimate-to-shinjuku").await?;
    expect(sent.proof == "password", "the sender is proved by password")?;
    expect(sent.job.pages_sent == 2, "two pages are sent")?;
    let journal = journal_has(stage, sent.job.id)?;
    expect(journal, "the call stands in calls.jsonl")?;
    let result = stage.mail("result", TANAKA).await?;
    let number = result.subject.contains("0081311112222");
    expect(
        number && is_success(&result.subject),
        "the result mail says that the number has the fax",
    )
}

async fn address_only_sends(stage: &Stage) -> Result<(), Failure> {
    let title = "Sending that needs no password goes on, locked or not";
    stage.timeline.act(4, title)?;
    greet(stage, "greeting", "夏季休業のお知らせ").await?;
    let (store, at) = (stage.store().clone(), stage.now());
    let rule = stage.lock_rule("suzuki")?;
    let lock = move |tx: &mut dyn crate::storage::Transaction| {
        lockout::lock(tx, store.ids(), "suzuki", &rule, at)
    };
    let until = stage.store().write(lock).await?;
    let timeline = &stage.timeline;
    timeline.event(at, "operator", "faxgate account lock suzuki");
    timeline.detail(&format!("locked until {}", stage.local(until)));
    greet(stage, "while-locked", "お盆休みのお知らせ").await?;
    let locked = strikes(stage, "suzuki").await?.is_locked(stage.now());
    expect(locked, "the account is still locked")?;
    timeline.detail("a lock protects a password, and none was used");
    let (store, at) = (stage.store().clone(), stage.now());
    let reason = "example over";
    let unlock = move |tx: &mut dyn crate::storage::Transaction| {
        lockout::unlock(tx, store.ids(), "suzuki", reason, at)
    };
    stage.store().write(unlock).await?;
    let what = format!("faxgate account unlock suzuki --reason \"{reason}\"");
    timeline.event(at, "operator", &what);
    Ok(())
}

/// A plain text to one number, without a password.
async fn greet(stage: &Stage, name: &str, subject: &str) -> Result<(), Failure> {
    let letter = Letter {
        name,
        who: "suzuki",
        from: SUZUKI,
        to: SHOP,
        subject,
        text: format!(
            "新宿商店 御中\r\n\r\n{subject}\r\n\r\n拝啓 時下ますますご清栄のこととお慶び申し上げます。\r\n\
             誠に勝手ながら、八月十三日から十六日まで休業いたします。\r\nご不便をおかけしますが、\
             何卒よろしくお願い申し上げます。\r\n\r\n敬具\r\n鈴木\r\n"
        ),
        pdf: None,
    };
    let reply = stage.post(letter).await?;
    let pages = format!("4-{name}-to-shinjuku");
    let sent = stage.delivered(&reply, &pages).await?;
    let by_address = sent.proof == "sender-address";
    expect(by_address, "the sender is proved by address")?;
    let result = stage.mail("result", SUZUKI).await?;
    expect(
        is_success(&result.subject),
        "the result mail tells of the success",
    )
}

fn no_password_is_left(stage: &Stage) -> Result<(), Failure> {
    let (found, searched) = stage.search(PASSWORD)?;
    let none = found.is_empty() && searched > 5;
    expect(none, "the password is in no file of the gateway")?;
    let what =
        format!("searched {searched} files of the gateway for tanaka's password: it is in none");
    stage.timeline.event(stage.now(), "demo", &what);
    stage.timeline.flush()
}

fn is_success(subject: &str) -> bool {
    subject.contains("FAX送信が成功しました")
}

async fn strikes(stage: &Stage, account: &'static str) -> Result<Strikes, Failure> {
    let strikes = stage.store().read(|tx| accounts::strikes(tx, account));
    Ok(strikes.await?)
}

/// Whether the line has noted the call of this job to the shop as sent.
fn journal_has(stage: &Stage, job: i64) -> Result<bool, Failure> {
    let journal = std::fs::read_to_string(stage.shelf.folder().join("calls.jsonl"))?;
    let mut lines = journal
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let job = job.to_string();
    Ok(lines.any(|line| {
        line["job"] == job.as_str() && line["number"] == "0081311112222" && line["status"] == 0
    }))
}
