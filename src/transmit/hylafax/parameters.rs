//! A call as parameters of a HylaFAX job (`JPARM`).

use std::time::Duration;

use super::pages;
use crate::fax;
use crate::fax::Modem;
use crate::fax::Resolution;
use crate::transmit::Call;

/// How long a job may wait for a modem beyond the time that its own call can take.
const FOR_A_MODEM: Duration = Duration::from_secs(15 * 60);
/// A slow modem or a bad line takes this many times as long as a good one.
const SLOW: u32 = 3;

/// The note on a job that leads back to our call; the same for ever.
pub(super) fn note(job: i64, attempt: u32) -> String {
    format!("faxgate {job}-{attempt}")
}

/// How long the job may wait there until its call begins (`LASTTIME`).
pub(super) fn longest_wait(call: &Call) -> Duration {
    call.ring_timeout + FOR_A_MODEM
}

/// How long all of it may take: after that the job is ended.
pub(super) fn longest(call: &Call) -> Duration {
    let bytes = u64::try_from(call.fax.tiff.len()).unwrap_or(u64::MAX);
    longest_wait(call) + fax::line_time(call.fax.pages, bytes) * SLOW
}

/// All parameters but the document, which is `tiff`.
pub(super) fn of(call: &Call, user: &str, tiff: &[u8]) -> Vec<(&'static str, String)> {
    let number = quoted(&format!("+{}", call.number.digits()));
    let lines = match pages::resolution(tiff, 0) {
        Resolution::Fine => 196,
        Resolution::Standard => 98,
    };
    let mut parameters = vec![
        ("FROMUSER", quoted(user)),
        ("LASTTIME", days_hours_minutes(longest_wait(call))),
        // One call: whether there is another one is decided here.
        ("MAXDIALS", "1".to_owned()),
        ("MAXTRIES", "1".to_owned()),
        ("DIALSTRING", number.clone()),
        ("EXTERNAL", number),
        ("NOTIFY", quoted("none")),
        ("VRES", lines.to_string()),
        ("PAGEWIDTH", "209".to_owned()),
        ("PAGELENGTH", "296".to_owned()),
        ("PAGECHOP", quoted("none")),
        ("USECONTCOVER", yes(false)),
        // An empty line of the job's own in the place of HylaFAX's: ours stands on the pages already.
        ("USETAGLINE", yes(true)),
        ("TAGLINE", quoted("")),
        ("USEECM", yes(call.ecm)),
        ("JOBINFO", quoted(&note(call.job, call.attempt))),
    ];
    if let Some(rate) = fastest(call.fastest) {
        parameters.push(("BEGBR", rate.to_owned()));
    }
    if !call.local_id.as_str().is_empty() {
        parameters.push(("TSI", quoted(call.local_id.as_str())));
    }
    if let Some(address) = &call.sub_address {
        parameters.push(("SUBADDR", quoted(address.as_str())));
    }
    parameters
}

/// HylaFAX counts rates from 2,400 bit/s in steps of T.30's table 2; its own limit is the modem's.
fn fastest(modem: Modem) -> Option<&'static str> {
    match modem {
        Modem::V17 => None,
        Modem::V29 => Some("3"),
        Modem::V27ter => Some("1"),
    }
}

/// `DDHHMM`, at least a minute.
fn days_hours_minutes(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60).max(1);
    let (days, hours) = ((minutes / 60 / 24).min(99), minutes / 60 % 24);
    format!("{days:02}{hours:02}{:02}", minutes % 60)
}

fn quoted(text: &str) -> String {
    let plain = |c: &char| !c.is_control() && !matches!(c, '"' | '\\');
    format!("\"{}\"", text.chars().filter(plain).collect::<String>())
}

fn yes(yes: bool) -> String {
    if yes { "YES" } else { "NO" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_hours_and_minutes() {
        for (seconds, text) in [
            (0, "000001"),
            (61, "000002"),
            (3600, "000100"),
            (90_000, "010100"),
        ] {
            assert_eq!(days_hours_minutes(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn nothing_ends_a_quoted_text_but_its_end() {
        assert_eq!(quoted("a\"\r\nJKILL 1\\"), "\"aJKILL 1\"");
    }
}
