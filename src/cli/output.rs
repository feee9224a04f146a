//! What commands print.

use std::io::Write;

use serde_json::Value as Json;

use crate::cli::Failure;
use crate::storage::events::EventRow;
use crate::storage::outbox::MailState;
use crate::storage::outbox::Standing;
use crate::time::Timestamp;

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Prints one line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Says why a command failed, on standard error.
pub(crate) fn complain(text: &str) {
    // Nothing is left to be done if standard error is closed.
    let _ = writeln!(std::io::stderr(), "faxgate: {text}");
}

/// Prints an object, or in JSON as asked.
pub(crate) fn object(value: &Json, json: bool) -> Result<(), Failure> {
    if json {
        return line(&value.to_string());
    }
    let Some(fields) = value.as_object() else {
        return line(&cell(value));
    };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in fields {
        match value
            .as_array()
            .filter(|rows| rows.iter().any(Json::is_object))
        {
            Some(rows) => {
                line(&format!("{name}:"))?;
                for row in rows {
                    line(&format!("  {}", in_a_row(row)))?;
                }
            }
            None => line(&format!("{name:width$}  {}", cell(value)))?,
        }
    }
    Ok(())
}

/// Prints rows as a table with these columns, or in JSON as an array with everything.
pub(crate) fn table(rows: &[Json], columns: &[&str], json: bool) -> Result<(), Failure> {
    if json {
        return line(&Json::Array(rows.to_vec()).to_string());
    }
    let text: Vec<Vec<String>> = rows
        .iter()
        .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
        .collect();
    let width = |at: usize| {
        let cells = text
            .iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count());
        let head = columns.get(at).map_or(0, |column| column.len());
        cells.chain([head]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let show = |cells: Vec<String>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    line(&show(
        columns.iter().map(|column| column.to_uppercase()).collect(),
    ))?;
    for row in text.clone() {
        line(&show(row))?;
    }
    Ok(())
}

fn in_a_row(row: &Json) -> String {
    match row.as_object() {
        None => cell(row),
        Some(fields) => {
            let shown = fields.iter().filter(|(_, value)| !value.is_null());
            shown
                .map(|(name, value)| format!("{name}={}", cell(value)))
                .collect::<Vec<_>>()
                .join("  ")
        }
    }
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Json::Object(_) => value.to_string(),
    }
}

/// An event as commands show it.
pub(crate) fn event(event: &EventRow) -> Json {
    let detail = serde_json::from_str::<Json>(&event.detail).unwrap_or(Json::Null);
    let mut shown = serde_json::json!({ "at": event.at.rfc3339(), "event": event.kind });
    for (name, value) in detail.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown
}

/// How a mail of ours stands.
pub(crate) fn mail(mail: &Standing) -> Json {
    let state = match mail.state {
        MailState::Waiting => "waiting",
        MailState::Sent => "sent",
        MailState::GivenUp => "given up",
    };
    serde_json::json!({
        "to": mail.recipient,
        "state": state,
        "ended": mail.ended.map(Timestamp::rfc3339),
        "error": mail.error,
    })
}
