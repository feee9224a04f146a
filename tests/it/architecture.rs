//! The rules of the house, checked: who may name whom, where foreign crates live, how long files are.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

const WORDS: &str = "fax lock refusal secret smtp status time";

/// Module, and what of this crate it may name besides itself. Words are open to all.
const MAY_NAME: &[(&str, &str)] = &[
    ("fax", ""),
    ("lock", ""),
    ("refusal", ""),
    ("secret", ""),
    ("smtp", ""),
    ("status", ""),
    ("time", ""),
    // Ground.
    ("config", ""),
    ("confine", ""),
    ("storage", "config"),
    ("record", "storage"),
    // People.
    ("account", "config record storage"),
    // Steps: each also the step just before it.
    ("submission", "config"),
    ("authenticate", "account config record storage submission"),
    ("admit", "account authenticate config submission"),
    ("queue", "account admit config record storage"),
    ("render", "config confine"),
    ("transmit", "config confine"),
    ("notify", "account config record render storage"),
    ("receive", "account config record render storage transmit"),
    // Journeys.
    (
        "intake",
        "account admit authenticate config queue record storage submission",
    ),
    (
        "dispatch",
        "account config queue record render storage transmit",
    ),
    // Doors, which never name each other.
    ("ingress", "config"),
    ("monitor", "config"),
    // The web calls the journey of every door for what is composed in a browser: it hands on recipients and
    // documents, which are words of `submission`.
    (
        "web",
        // `queue`: sending again and cancelling are steps of their own, which commands use as well.
        "account admit authenticate config intake queue receive render storage submission",
    ),
];

/// The composition root and the command line name everything.
const ROOTS: &str = "cli lib main serve";

/// A foreign crate, and the modules it lives in. Its types do not leave the house.
const HOUSES: &[(&str, &str)] = &[
    ("argon2", "account"),
    ("askama", "web"),
    ("axum", "monitor web"),
    ("base64", "account config ingress transmit"),
    ("blake3", "queue storage submission"),
    ("chardetng", "submission"),
    ("cosmic_text", "render"),
    ("csv", "config notify"),
    ("encoding_rs", "config notify submission"),
    // `transmit` reads what the engine wrote as far as it is whole.
    ("faxpage", "render transmit"),
    ("hayro", "render"),
    ("hayro_interpret", "render"),
    ("hayro_syntax", "render"),
    ("hickory_resolver", "ingress"),
    ("hmac", "account"),
    ("hyper", "transmit web"),
    ("hyper_rustls", "transmit"),
    ("hyper_util", "transmit web"),
    ("image", "render"),
    ("jiff", "time"),
    ("landlock", "confine"),
    ("lettre", "notify"),
    ("libc", "confine"),
    ("mail_auth", "ingress"),
    ("mail_parser", "submission"),
    ("metrics_exporter_prometheus", "monitor"),
    ("phonenumber", "fax"),
    ("quick_xml", "notify"),
    ("rlimit", "confine"),
    ("rsipstack", "transmit"),
    ("rusqlite", "storage"),
    ("rustix", "confine render transmit"),
    ("rustls_native_certs", "transmit"),
    ("seccompiler", "confine"),
    ("sha2", "account"),
    ("smtp_proto", "ingress"),
    ("spandsp", "transmit"),
    ("subtle", "account"),
    ("tiff", "render"),
    // `config` checks that a certificate and a key belong together.
    ("tokio_rustls", "config ingress transmit"),
    ("toml", "config"),
];

const BANNED: &str = "common data helper info manager misc processor util utils helpers";
const MOST_LINES: usize = 500;

#[test]
fn modules_name_only_what_they_may() {
    let wrong = sources()
        .iter()
        .flat_map(|source| source.names_too_much())
        .collect::<Vec<_>>();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn foreign_crates_stay_in_their_house() {
    let wrong = sources()
        .iter()
        .flat_map(Source::strangers)
        .collect::<Vec<_>>();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_well_named() {
    let mut wrong = Vec::new();
    for source in sources() {
        let name = source.path.file_stem().unwrap().to_str().unwrap();
        if has(BANNED, name) {
            wrong.push(format!("{}: `{name}` says nothing", source.path.display()));
        }
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!(
                "{}: {lines} lines, at most {MOST_LINES}",
                source.path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_rules_have_no_cycle() {
    let mut done: Vec<&str> = Vec::new();
    while done.len() < MAY_NAME.len() {
        let open = MAY_NAME.iter().filter(|(module, _)| !done.contains(module));
        let ready =
            open.filter(|(_, may)| may.split_whitespace().all(|named| done.contains(&named)));
        let ready: Vec<_> = ready.map(|(module, _)| *module).collect();
        assert!(
            !ready.is_empty(),
            "a cycle or an unknown module beyond {done:?}"
        );
        done.extend(ready);
    }
}

#[test]
fn the_rules_catch_what_they_should() {
    let source = |path: &str, text: &str| Source {
        path: PathBuf::from(path),
        text: text.to_owned(),
    };
    let up = source("src/storage/jobs.rs", "use crate::queue::Order;\n");
    assert_eq!(up.names_too_much().len(), 1);
    let grouped = source("src/queue.rs", "use crate::{fax, lock};\n");
    assert_eq!(grouped.names_too_much().len(), 1);
    let nobody = source("src/shed.rs", "fn a() {}\n");
    assert_eq!(nobody.names_too_much().len(), 1);
    let stray = source("src/queue.rs", "use lettre::Message;\n");
    assert_eq!(stray.strangers().len(), 1);
    let comment = source("src/queue.rs", "// lettre::Message is not used here\n");
    assert!(comment.strangers().is_empty());
}

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// `src/queue/report.rs` and `src/queue.rs` belong to `queue`.
    fn module(&self) -> String {
        let inside = self.path.strip_prefix("src").unwrap();
        let first = inside.components().next().unwrap().as_os_str();
        first.to_str().unwrap().trim_end_matches(".rs").to_owned()
    }

    /// Lines of shipped code: tests stand at the bottom, comments name what they like.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = self.path.ends_with("tests.rs") || self.path.ends_with("samples.rs");
        let shipped = self.text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let shipped = shipped
            .split("#[cfg(test)]\npub(crate) mod tests")
            .next()
            .unwrap();
        let shipped = if is_test_file { "" } else { shipped };
        let lines = shipped.lines().enumerate();
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn names_too_much(&self) -> Vec<String> {
        let module = self.module();
        if has(ROOTS, &module) {
            return Vec::new();
        }
        let rules: BTreeMap<_, _> = MAY_NAME.iter().copied().collect();
        let Some(may) = rules.get(module.as_str()) else {
            return vec![format!(
                "{}: module `{module}` has no rule",
                self.path.display()
            )];
        };
        let mut wrong = Vec::new();
        for (n, line) in self.code() {
            for named in after(line, "crate::") {
                let allowed = named == module || has(may, &named) || has(WORDS, &named);
                if !allowed {
                    let at = format!("{}:{}", self.path.display(), n + 1);
                    wrong.push(format!("{at}: `{module}` may not name `{named}`"));
                }
            }
        }
        wrong
    }

    fn strangers(&self) -> Vec<String> {
        let module = self.module();
        if has(ROOTS, &module) {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        for (n, line) in self.code() {
            for (name, houses) in HOUSES {
                let named = path_begins(line, name) && !has(houses, &module);
                if named {
                    let at = format!("{}:{}", self.path.display(), n + 1);
                    wrong.push(format!(
                        "{at}: `{name}` lives in {houses}, not in `{module}`"
                    ));
                }
            }
        }
        wrong
    }
}

/// Whether a path in `line` begins with the crate `name`, rather than passing through a module of ours
/// that has the same name.
fn path_begins(line: &str, name: &str) -> bool {
    let pattern = format!("{name}::");
    let begins = |at: usize| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | ':')))
    };
    line.match_indices(&pattern).any(|(at, _)| begins(at))
}

/// The identifiers that follow `prefix` in `line`; empty for a group.
fn after(line: &str, prefix: &str) -> Vec<String> {
    let inside = |c: &char| c.is_alphanumeric() || *c == '_';
    line.split(prefix)
        .skip(1)
        .map(|rest| rest.chars().take_while(inside).collect())
        .collect()
}

fn has(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|item| item == name)
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(Path::new("src"), &mut found);
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn collect(dir: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(Source { path, text });
        }
    }
}
