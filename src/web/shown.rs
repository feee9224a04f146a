//! Numbers, statuses and events as people read them.

use serde_json::Value as Json;

use crate::config::Language;
use crate::fax::Destination;
use crate::fax::Media;
use crate::status::Status;
use crate::storage::events::EventRow;
use crate::web::Site;
use crate::web::faxes::words as faxes;
use crate::web::page::Moment;
use crate::web::send;
use crate::web::words::Words;

/// A number in the form of its country and in E.164.
pub(super) struct Number {
    /// `03-1234-5678`
    pub(super) national: String,
    /// `+81312345678`; empty for what is no number, such as a list that was refused whole.
    pub(super) e164: String,
}

impl Number {
    /// The number whose canonical form this is, and whom it is for behind it.
    pub(super) fn behind(canonical: &str, sub_address: &str) -> Self {
        let mut number = Self::of(canonical);
        if !sub_address.is_empty() {
            for form in [&mut number.national, &mut number.e164] {
                *form = format!("{form} sub {sub_address}").trim_start().to_owned();
            }
        }
        number
    }

    /// The number whose canonical form this is.
    pub(super) fn of(canonical: &str) -> Self {
        match Destination::from_canonical(canonical) {
            Some(Destination::Number(number)) => Self {
                national: number.national(),
                e164: format!("+{}", number.digits()),
            },
            Some(Destination::Simulator(_)) | None => Self {
                national: canonical.to_owned(),
                e164: String::new(),
            },
        }
    }
}

/// A status in words, and how it looks.
pub(super) struct Told {
    /// The published number.
    pub(super) number: i32,
    /// What it means.
    pub(super) text: &'static str,
    /// `sent`, `failed` or `open`: a class of the style sheet.
    pub(super) class: &'static str,
}

impl Told {
    /// `status` in `language`.
    pub(super) fn of(status: Status, language: Language) -> Self {
        let text = match language {
            Language::En => status.text_en(),
            Language::Ja => status.text_ja(),
        };
        let class = match (status.is_final(), status.is_failure()) {
            (false, _) => "open",
            (true, false) => "sent",
            (true, true) => "failed",
        };
        Self {
            number: status.0,
            text,
            class,
        }
    }
}

/// One line of a timeline.
pub(super) struct Line {
    /// When.
    pub(super) at: Moment,
    /// What.
    pub(super) text: String,
    /// What else is known.
    pub(super) detail: String,
}

/// `events` as lines, in `language`.
pub(super) fn timeline(
    site: &Site,
    events: &[EventRow],
    t: &Words,
    language: Language,
) -> Vec<Line> {
    let line = |event: &EventRow| Line {
        at: site.moment(event.at),
        text: match is_of_web(event) {
            true => send::words_of(language).e_web.to_owned(),
            false => what(&event.kind, t).to_owned(),
        },
        detail: detail(event, t, language),
    };
    events.iter().map(line).collect()
}

/// Whether this is a fax that came in by this door.
fn is_of_web(event: &EventRow) -> bool {
    let json = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    event.kind == "received" && json.get("door").and_then(Json::as_str) == Some("web")
}

/// What happened, or how far a call is, in words.
pub(super) fn what<'a>(kind: &'a str, t: &Words) -> &'a str {
    match kind {
        "received" => t.e_received,
        "authenticated" => t.e_authenticated,
        "resent" => t.e_resent,
        "rendered" => t.e_rendered,
        "not-rendered" => t.e_not_rendered,
        "dialled" => t.e_dialled,
        "line" => t.e_line,
        "ringing" => t.e_ringing,
        "answered" => t.e_answered,
        "carried" => t.e_carried,
        "identified" => t.e_identified,
        "training" => t.e_training,
        "page" => t.e_page,
        "last-page-sent" => t.e_last_page_sent,
        "released" => t.e_released,
        "not-called" => t.e_not_called,
        "attempted" => t.e_attempted,
        "settled" => t.e_settled,
        "cancelled" => t.e_cancelled,
        "notified" => t.e_notified,
        "not-notified" => t.e_not_notified,
        "arrived" => t.e_arrived,
        "forwarded-again" => t.e_forwarded_again,
        "held" => t.e_held,
        // A new kind of event shows by its own word until it has one here.
        kind => kind,
    }
}

/// The few facts of an event that say something to a customer.
fn detail(event: &EventRow, t: &Words, language: Language) -> String {
    let json = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let number = |name: &str| json.get(name).and_then(Json::as_i64);
    let pages = |count: i64| format!("{}: {count}", t.pages);
    let told = number("status").and_then(|status| i32::try_from(status).ok());
    let told = told.map(|status| Told::of(Status(status), language).text.to_owned());
    let ecm = json.get("ecm").and_then(Json::as_bool);
    let ecm = ecm.filter(|ecm| *ecm).map(|_| "ECM".to_owned());
    let page = number("page").map(|page| match number("of").filter(|of| *of > 0) {
        Some(of) => format!("{page} / {of}"),
        None => page.to_string(),
    });
    let facts = match event.kind.as_str() {
        "received" => [text("sender"), None, None],
        "rendered" => [number("pages").map(pages), None, None],
        "arrived" => {
            let partial = json.get("partial").and_then(Json::as_bool) == Some(true);
            let partial = partial.then(|| faxes::of(language).partial.to_owned());
            [number("pages").map(pages), partial, None]
        }
        "dialled" => [number("attempt").map(|n| format!("{n}.")), None, None],
        "line" => [text("line"), None, None],
        "carried" => [text("media").and_then(|word| carried(&word)), None, None],
        "identified" => [text("remote_id"), None, None],
        "training" => [
            number("rate").map(|rate| format!("{rate} bit/s")),
            ecm,
            None,
        ],
        "page" => [page, None, None],
        "not-called" => [text("reason"), None, None],
        "attempted" => [told, number("pages_sent").map(pages), None],
        "settled" => [told, text("reason"), None],
        "notified" | "not-notified" => [text("to"), text("error"), None],
        "not-rendered" => [text("reason"), None, None],
        _ => [None, None, None],
    };
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    facts.join(" · ")
}

/// How a fax travels, as people call it.
pub(super) fn carried(word: &str) -> Option<String> {
    Media::from_word(word).map(|media| match media {
        Media::G711 => "G.711".to_owned(),
        Media::T38 => "T.38".to_owned(),
    })
}
