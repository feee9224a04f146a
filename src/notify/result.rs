//! The result mail: one for a single job, one cumulative for a batch, in six forms.
//!
//! Machine forms carry ten fields in a fixed order, which customers' programs read by position.

mod machine;
mod readable;

use super::Attachment;
use super::Header;
use super::JobFacts;
use super::Mail;
use super::ResultFacts;
use super::header::Charset;
use super::header::one_line;
use super::letter::Auto;
use super::letter::Letter;
use super::letter::Part;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::status::Status;

/// Most jobs that text and HTML show one by one. The rest stands in an attached table: mail servers
/// refuse messages over 10 MB, and nobody reads 20,000 rows in a mail.
const SHOWN: usize = 1000;

/// The mail that tells what became of `facts`.
pub fn result_mail(facts: &ResultFacts, header: &Header) -> Mail {
    let (language, charset) = voice(facts.format);
    let text = |charset| Part::text("text/plain", &readable::text(facts, language), charset);
    let body = match facts.format {
        ResultFormat::TextEn | ResultFormat::TextJa => text(charset),
        ResultFormat::HtmlEn | ResultFormat::HtmlJa => Part::Multi {
            subtype: "alternative",
            parts: vec![
                text(Charset::Utf8),
                Part::text("text/html", &readable::html(facts, language), charset),
            ],
        },
        ResultFormat::Xml => Part::text("text/xml", &machine::xml(facts), charset),
        ResultFormat::Csv => Part::text("text/csv; header=present", &machine::csv(facts), charset),
    };
    let letter = Letter {
        subject: subject(facts, language),
        charset,
        auto: Auto::Replied,
        body: body.and_files(files(facts)),
    };
    letter.write(header)
}

/// The language of a form, and the charset of its text.
pub(super) fn voice(format: ResultFormat) -> (Language, Charset) {
    match format {
        ResultFormat::TextJa => (Language::Ja, Charset::Jis),
        ResultFormat::HtmlJa | ResultFormat::Xml | ResultFormat::Csv => {
            (Language::Ja, Charset::Utf8)
        }
        ResultFormat::TextEn | ResultFormat::HtmlEn => (Language::En, Charset::Utf8),
    }
}

/// Subject and text of a result, for mails of another form.
pub(super) fn in_words(facts: &ResultFacts, language: Language) -> (String, String) {
    (subject(facts, language), readable::text(facts, language))
}

/// The pages, and the whole table where the body shows only a part of it.
fn files(facts: &ResultFacts) -> Vec<Attachment> {
    let whole = match facts.format {
        ResultFormat::Csv | ResultFormat::Xml => true,
        ResultFormat::HtmlEn
        | ResultFormat::HtmlJa
        | ResultFormat::TextEn
        | ResultFormat::TextJa => facts.jobs.len() <= SHOWN,
    };
    let table = (!whole).then(|| Attachment {
        name: "results.csv".to_owned(),
        media_type: "text/csv; charset=UTF-8",
        bytes: machine::spreadsheet(facts),
    });
    facts.pages.clone().into_iter().chain(table).collect()
}

/// The published subjects: customers' filters look for their first words and the brackets.
fn subject(facts: &ResultFacts, language: Language) -> String {
    let what = match (facts.jobs.as_slice(), language) {
        ([job], _) => job.destination.clone(),
        (jobs, Language::Ja) => format!("{}件中{}件成功", jobs.len(), sent(facts)),
        (jobs, Language::En) => format!("{} of {} sent", sent(facts), jobs.len()),
    };
    let begin = match (all_sent(facts), language) {
        (true, Language::Ja) => "FAX送信が成功しました",
        (false, Language::Ja) => "FAX送信が失敗しました",
        (true, Language::En) => "Fax sent successfully",
        (false, Language::En) => "Fax failed",
    };
    format!("{begin} -> ({what})")
}

/// How many jobs were sent.
fn sent(facts: &ResultFacts) -> usize {
    let sent = |job: &&JobFacts| job.status == Status::SENT;
    facts.jobs.iter().filter(sent).count()
}

/// Whether there is nothing to complain about.
fn all_sent(facts: &ResultFacts) -> bool {
    !facts.jobs.is_empty() && sent(facts) == facts.jobs.len()
}

/// The ten fields of a job under their published names, in their published order.
fn fields(job: &JobFacts, facts: &ResultFacts) -> [(&'static str, String); 10] {
    let local = |at: crate::time::Timestamp| at.local(&facts.zone);
    [
        ("TransactionID", one_line(&job.id)),
        ("CSID", one_line(job.remote_id.as_str())),
        ("PagesSent", job.pages_sent.to_string()),
        ("Status", job.status.0.to_string()),
        ("OriginalSubject", one_line(&facts.reference)),
        ("DestinationFax", one_line(&job.destination)),
        ("Duration", job.duration.as_secs().to_string()),
        ("SubmitTime", local(job.submitted)),
        (
            "CompletionTime",
            job.completed.map(local).unwrap_or_default(),
        ),
        ("Contact", one_line(&job.contact)),
    ]
}

#[cfg(test)]
mod tests;
