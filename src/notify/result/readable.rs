//! The forms that people read: text and HTML, in Japanese and English.

use super::super::JobFacts;
use super::super::ResultFacts;
use super::super::template::Escape;
use super::super::template::ROWS;
use super::super::template::fill;
use super::super::template::html as html_escape;
use super::super::template::plain;
use super::SHOWN;
use super::all_sent;
use super::sent;
use crate::config::Language;
use crate::status::Status;
use crate::time::Timestamp;

/// The templates of one form.
struct Form {
    single: &'static str,
    batch: &'static str,
    row: &'static str,
    escape: Escape,
}

/// The result as plain text.
pub(super) fn text(facts: &ResultFacts, language: Language) -> String {
    let form = match language {
        Language::Ja => Form {
            single: include_str!("../templates/result-single.ja.txt"),
            batch: include_str!("../templates/result-batch.ja.txt"),
            row: include_str!("../templates/result-row.ja.txt"),
            escape: plain,
        },
        Language::En => Form {
            single: include_str!("../templates/result-single.en.txt"),
            batch: include_str!("../templates/result-batch.en.txt"),
            row: include_str!("../templates/result-row.en.txt"),
            escape: plain,
        },
    };
    written(facts, language, &form)
}

/// The result as HTML: inline styles, colours that suit light and dark, nothing from outside.
pub(super) fn html(facts: &ResultFacts, language: Language) -> String {
    let row = include_str!("../templates/result-row.html");
    let form = match language {
        Language::Ja => Form {
            single: include_str!("../templates/result-single.ja.html"),
            batch: include_str!("../templates/result-batch.ja.html"),
            row,
            escape: html_escape,
        },
        Language::En => Form {
            single: include_str!("../templates/result-single.en.html"),
            batch: include_str!("../templates/result-batch.en.html"),
            row,
            escape: html_escape,
        },
    };
    written(facts, language, &form)
}

fn written(facts: &ResultFacts, language: Language, form: &Form) -> String {
    match facts.jobs.as_slice() {
        [job] => job_text(form.single, 1, job, facts, language, form.escape),
        _ => batch_text(facts, language, form),
    }
}

fn batch_text(facts: &ResultFacts, language: Language, form: &Form) -> String {
    let (total, sent) = (facts.jobs.len(), sent(facts));
    let numbered = (1..).zip(&facts.jobs);
    // Where not all can be shown, those that need attention come first.
    let failed = |(_, job): &(usize, &JobFacts)| job.status != Status::SENT;
    let mut shown: Vec<(usize, &JobFacts)> = numbered.collect();
    if total > SHOWN {
        shown.sort_by_key(|entry| !failed(entry));
        shown.truncate(SHOWN);
    }
    let rows: String = shown
        .into_iter()
        .map(|(n, job)| job_text(form.row, n, job, facts, language, form.escape))
        .collect();
    let values = [
        ("total", total.to_string()),
        ("sent", sent.to_string()),
        ("failed", (total - sent).to_string()),
        ("more", more(total, language)),
        ("reference", facts.reference.clone()),
        ("batch", facts.batch.clone()),
        ("colour", colour(all_sent(facts)).into()),
        ("zone", facts.zone.to_string()),
        (ROWS, rows),
    ];
    filled(form.batch, &values, form.escape)
}

fn job_text(
    template: &str,
    n: usize,
    job: &JobFacts,
    facts: &ResultFacts,
    language: Language,
    escape: Escape,
) -> String {
    let local = |at: Timestamp| at.local(&facts.zone);
    let sent = job.status == Status::SENT;
    let text = match language {
        Language::Ja => job.status.text_ja(),
        Language::En => job.status.text_en(),
    };
    let values = [
        ("n", n.to_string()),
        ("who", format!("{} {}", job.destination, job.contact)),
        ("outcome", outcome(job.status, language).into()),
        ("advice", advice(job.status, language).into()),
        ("status", format!("{}-{text}", job.status.0)),
        ("reason", job.reason.clone().unwrap_or_default()),
        ("destination", job.destination.clone()),
        ("contact", job.contact.clone()),
        ("reference", facts.reference.clone()),
        ("pages", job.pages_sent.to_string()),
        ("seconds", job.duration.as_secs().to_string()),
        ("remote_id", job.remote_id.to_string()),
        ("id", job.id.clone()),
        ("submitted", local(job.submitted)),
        ("completed", job.completed.map(local).unwrap_or_default()),
        ("colour", colour(sent).into()),
        ("zone", facts.zone.to_string()),
    ];
    filled(template, &values, escape)
}

fn filled(template: &str, values: &[(&str, String)], escape: Escape) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    fill(template, &values, escape)
}

fn outcome(status: Status, language: Language) -> &'static str {
    match (status, language) {
        (Status::SENT, Language::Ja) => "下記のFAXを送信しました。",
        (Status::SENT, Language::En) => "Your fax was sent.",
        (Status::CANCELLED, Language::Ja) => "下記のFAXの送信は取り消されました。",
        (Status::CANCELLED, Language::En) => "Your fax was cancelled.",
        (Status::OUTCOME_UNKNOWN, Language::Ja) => {
            "下記のFAXが相手先に届いたかどうかを確認できませんでした。"
        }
        (Status::OUTCOME_UNKNOWN, Language::En) => "It is not known whether your fax arrived.",
        (_, Language::Ja) => "下記のFAXを送信できませんでした。",
        (_, Language::En) => "Your fax could not be sent.",
    }
}

/// What the sender can do about it, where that is not plain from the status.
fn advice(status: Status, language: Language) -> &'static str {
    match (status, language) {
        (Status::STOPPED_BY_LOCK, Language::Ja) => {
            "アカウントのロックが終了してから、あらためて送信してください。"
        }
        (Status::STOPPED_BY_LOCK, Language::En) => {
            "Please send it again after the lock of your account has ended."
        }
        (Status::OUTCOME_UNKNOWN, Language::Ja) => {
            "二重送信を避けるため、自動では再送信しておりません。お手数ですが、相手先にご確認ください。"
        }
        (Status::OUTCOME_UNKNOWN, Language::En) => {
            "It was not sent again, so as not to arrive twice. Please ask the receiver."
        }
        (_, Language::Ja | Language::En) => "",
    }
}

fn more(total: usize, language: Language) -> String {
    match language {
        _ if total <= SHOWN => String::new(),
        Language::Ja => format!(
            "送信できなかったものを先に{SHOWN}件を表示しています。全件は添付のresults.csvをご覧ください。"
        ),
        Language::En => format!(
            "{SHOWN} jobs are shown, those that failed first. The attached results.csv has all of them."
        ),
    }
}

/// Colours of a bar only, never of text: both are clear on white and on black.
fn colour(good: bool) -> &'static str {
    if good { "#2e9e5b" } else { "#d64545" }
}
