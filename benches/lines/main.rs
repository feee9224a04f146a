//! The calls of `benches/lines/run`: each figure is one line of `name=value` on the output.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measurement that fails may stop where it stands"
)]

mod calls;
mod kills;
mod paper;
mod process;
mod session;

/// `lines session PAGES | calls COUNT PAGES | kills COUNT PAGES EVERY`.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().expect("a number");
    match words.as_slice() {
        ["session", pages, ..] => session::measure(number(pages)),
        ["calls", count, pages, ..] => calls::measure(number(count), number(pages)),
        ["kills", count, pages, every, ..] => {
            kills::measure(number(count), number(pages), number(every));
        }
        // As cargo bench calls it.
        _ => session::measure(1),
    }
}
