//! Acts 2 and 3: guessing locks the account, and what the lock then stops.

use super::SHOP;
use super::TANAKA;
use super::strikes;
use crate::cli::Failure;
use crate::cli::demo::customer::Letter;
use crate::cli::demo::customer::Reply;
use crate::cli::demo::scratch::PASSWORD;
use crate::cli::demo::stage::Stage;
use crate::cli::demo::stage::expect;
use crate::cli::demo::stage::missing;
use crate::status::Status;
use crate::storage::jobs;

/// Act 2.
pub(super) async fn wrong_passwords_lock(stage: &Stage) -> Result<(), Failure> {
    stage
        .timeline
        .act(2, "Three wrong passwords lock the account")?;
    let mut answers = Vec::new();
    for (count, password) in [(1, "kaki7sample"), (2, "kaki9sample"), (3, "nashi8sample")] {
        let reply = guess(stage, &format!("wrong-password-{count}"), password).await?;
        stage
            .timeline
            .detail(&format!("wrong password {count} of 3"));
        let strikes = strikes(stage, "tanaka").await?;
        expect(strikes.count == count, "each wrong password counts")?;
        expect(
            strikes.is_locked(stage.now()) == (count == 3),
            "the third one locks",
        )?;
        answers.push(reply);
    }
    notice_comes(stage).await?;
    let late = guess(stage, "right-password-too-late", PASSWORD).await?;
    let timeline = &stage.timeline;
    timeline.detail("this one was right: nothing is checked while locked");
    let alike = answers.iter().all(|answer| answer.text == late.text);
    expect(alike, "all four answers are alike")?;
    timeline.detail("all four answers are alike: a thief learns nothing");
    let jobs = stage
        .store()
        .read(|tx| jobs::jobs(tx, Some("tanaka"), None, 10));
    expect(
        jobs.await?.len() == 1,
        "the refused mails became nothing at all",
    )
}

/// A mail with some password, which must be refused.
async fn guess(stage: &Stage, name: &str, password: &str) -> Result<Reply, Failure> {
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
    Ok(reply)
}

async fn notice_comes(stage: &Stage) -> Result<(), Failure> {
    let strikes = strikes(stage, "tanaka").await?;
    let until = strikes.locked_until;
    let until = until.ok_or_else(|| missing("the end of the lock"))?;
    let rule = stage.lock_rule("tanaka")?;
    let began = until.minus(rule.lasts);
    let what = format!(
        "locks the account tanaka for {} minutes",
        rule.lasts.as_secs() / 60
    );
    stage.timeline.event(began, "gateway", &what);
    stage
        .timeline
        .detail(&format!("until {}", stage.local(until)));
    stage
        .timeline
        .detail("(all refusals are answered at the same slow pace)");
    let notice = stage.mail("lock", TANAKA).await?;
    let says = notice.text.contains("127.0.0.1") && notice.text.contains("tanaka");
    expect(says, "the notice names the account and where from")
}

/// Act 3.
pub(super) async fn list_is_stopped(stage: &Stage) -> Result<(), Failure> {
    let timeline = &stage.timeline;
    timeline.act(3, "While locked: a contact list ends with status 6002")?;
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
    let what = format!("status {} ({})", status.0, status.text_en());
    let at = stopped.job.settled_at;
    timeline.event(at.unwrap_or_else(|| stage.now()), "gateway", &what);
    timeline.detail("none of the shops is called");
    let result = stage.mail("result", TANAKA).await?;
    let line = result.text.lines().find(|line| line.contains("6002"));
    let line = line.ok_or_else(|| missing("6002 in the result mail"))?;
    timeline.detail(&format!("| {}", line.trim()));
    Ok(())
}
