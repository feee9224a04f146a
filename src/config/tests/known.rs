//! The keys that are read, found out by asking for one that is not.

use std::collections::BTreeSet;

use super::parse;

/// The tables within `[transport]`.
const WITHIN_TRANSPORT: [(&str, &str); 7] = [
    ("transport.loopback", "[transport.loopback]\n"),
    ("transport.route", "[[transport.route]]\n"),
    ("transport.hylafax", "[transport.hylafax]\n"),
    ("transport.interfax", "[transport.interfax]\n"),
    ("transport.spool", "[transport.spool]\n"),
    ("transport.sip", "[transport.sip]\n"),
    ("transport.sip.trunk", "[[transport.sip.trunk]]\n"),
];

/// Every key that the reader asks for, as `section.key`: a mistyped key gets them as answer.
pub(in crate::config) fn known_keys() -> BTreeSet<String> {
    let sections = known_in("", "");
    let mut known = BTreeSet::new();
    for section in &sections {
        let header = match section.as_str() {
            "relay" => "[[relay]]\nnetworks = [\"::1\"]\n".to_owned(),
            section => format!("[{section}]\n"),
        };
        for key in known_in(section, &header) {
            known.insert(format!("{section}.{key}"));
        }
    }
    for (section, header) in WITHIN_TRANSPORT {
        known.remove(section);
        for key in known_in(section, header) {
            known.insert(format!("{section}.{key}"));
        }
    }
    known
}

fn known_in(section: &str, header: &str) -> Vec<String> {
    let error = parse(&format!("{header}zzzzzzzz = 1")).unwrap_err();
    let unknown = |line: &&str| line.contains(": unknown key");
    let line = error.lines().find(unknown).unwrap();
    let (_, keys) = line.split_once("accepted: ").unwrap();
    let keys: Vec<String> = keys.split(", ").map(String::from).collect();
    assert!(!keys.is_empty(), "{section}");
    keys
}
