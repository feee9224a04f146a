//! What is counted about calls.

use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Media;
use crate::storage::jobs::Claim;
use crate::storage::jobs::Settlement;

/// Gives every metric its help text.
pub fn describe_metrics() {
    use metrics::Unit;
    metrics::describe_counter!(
        "faxgate_fax_attempts_total",
        Unit::Count,
        "Calls that ended, by status."
    );
    metrics::describe_counter!(
        "faxgate_fax_calls_total",
        Unit::Count,
        "Calls that ended, by outcome (sent, or the cause) and by how the fax travelled."
    );
    metrics::describe_gauge!(
        "faxgate_fax_calls_in_progress",
        Unit::Count,
        "Calls that go on, by line."
    );
    metrics::describe_counter!(
        "faxgate_fax_not_called_total",
        Unit::Count,
        "Calls that were not made because no line was in service."
    );
    metrics::describe_counter!(
        "faxgate_fax_pages_total",
        Unit::Count,
        "Pages that far ends confirmed."
    );
    metrics::describe_histogram!(
        "faxgate_fax_rate_bits",
        Unit::Count,
        "Bits a second of calls that came to pages."
    );
}

/// A call that goes on is counted at its line; dropping it ends that.
#[derive(Default)]
pub(super) struct Going(Option<String>);

impl Going {
    /// It goes over `line`.
    pub(super) fn over(&mut self, line: &str) {
        self.leave();
        gauge(line).increment(1.0);
        self.0 = Some(line.to_owned());
    }

    fn leave(&mut self) {
        if let Some(line) = self.0.take() {
            gauge(&line).decrement(1.0);
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.leave();
    }
}

fn gauge(line: &str) -> metrics::Gauge {
    metrics::gauge!("faxgate_fax_calls_in_progress", "line" => line.to_owned())
}

/// Counts a call that ended.
pub(super) fn ended(claim: &Claim, settlement: &Settlement) {
    let status = settlement.status.0.to_string();
    metrics::counter!("faxgate_fax_attempts_total", "status" => status).increment(1);
    let none = CallReport::default();
    let report = settlement.report.as_ref().unwrap_or(&none);
    let outcome = settlement.cause.map_or("sent", Cause::as_str);
    let media = report.media.map_or("unknown", Media::as_str);
    metrics::counter!("faxgate_fax_calls_total", "outcome" => outcome, "media" => media)
        .increment(1);
    let pages = report.pages_sent.saturating_sub(claim.course.confirmed);
    if pages > 0 {
        metrics::counter!("faxgate_fax_pages_total").increment(u64::from(pages));
        if report.rate > 0 {
            metrics::histogram!("faxgate_fax_rate_bits").record(f64::from(report.rate));
        }
    }
}

/// Counts a call that was not made.
pub(super) fn not_called() {
    metrics::counter!("faxgate_fax_not_called_total").increment(1);
}
