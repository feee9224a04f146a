//! Act 7: a number that is busy at first, and whose line is then cut.

use super::TANAKA;
use super::is_success;
use crate::cli::Failure;
use crate::cli::demo::customer::Letter;
use crate::cli::demo::customer::Reply;
use crate::cli::demo::estimate;
use crate::cli::demo::scratch::PASSWORD;
use crate::cli::demo::stage::Stage;
use crate::cli::demo::stage::expect;
use crate::cli::demo::stage::missing;
use crate::fax::Cause;
use crate::status::Status;
use crate::storage::jobs;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::State;

/// `[transport.loopback] numbers` says how calls to this one go.
const BRANCH: &str = "03-3333-4444@fax.example";

/// Act 7.
pub(super) async fn a_fax_goes_on_where_it_was(stage: &Stage) -> Result<(), Failure> {
    let timeline = &stage.timeline;
    timeline.act(
        7,
        "A busy number, then a line that is cut: only the rest is sent",
    )?;
    let letter = Letter {
        name: "estimate-again",
        who: "tanaka",
        from: TANAKA,
        to: BRANCH,
        subject: "御見積書 0012 (控)",
        text: format!("パスワード: {PASSWORD}\r\n"),
        pdf: Some(("mitsumori.pdf", estimate::pdf())),
    };
    let reply = stage.post(letter).await?;
    expect(reply.code == 250, "the mail is accepted (250)")?;
    for attempt in [1, 2] {
        let job = sleeping(stage, &reply, attempt).await?;
        stage.clock.skip_to(job.next_at);
    }
    let sent = stage.delivered(&reply, "7-estimate-to-branch").await?;
    let calls: Vec<_> = sent
        .attempts
        .iter()
        .map(|call| (call.status, call.first_page, call.pages_sent))
        .collect();
    let [busy, cut, rest] = calls.as_slice() else {
        return Err(missing("three calls"));
    };
    expect(
        busy.0 == Some(Status::of_cause(Cause::Busy)),
        "the number is busy at first",
    )?;
    expect(cut.2 == 1, "the line is cut behind the first page")?;
    let only_the_rest = (rest.0, rest.1, rest.2) == (Some(Status::SENT), 1, 2);
    expect(only_the_rest, "the third call sends the second page alone")?;
    timeline.detail("(it waited minutes before each call: they are skipped)");
    let result = stage.mail("result", TANAKA).await?;
    expect(
        is_success(&result.subject),
        "the result mail tells of the success",
    )
}

/// The only job of a mail, once it waits for its next call.
async fn sleeping(stage: &Stage, reply: &Reply, attempts: i64) -> Result<JobRow, Failure> {
    let batch = reply.batch();
    let batch = batch.ok_or_else(|| missing("the number of the accepted mail"))?;
    stage
        .wait("a call that is to be made again", || async {
            let jobs = stage.store().read(move |tx| jobs::jobs_of_batch(tx, batch));
            let job = jobs.await?.pop();
            Ok(job.filter(|job| job.state == State::Sleeping && job.attempts == attempts))
        })
        .await
}
