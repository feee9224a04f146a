//! Every kind of mistake in the configuration is told with file, line, column, key and accepted form.
//!
//! A case is a folder `fixtures/config/bad-NN-name` with a `faxgate.toml` and `expected.txt`, the lines
//! that are reported. `UPDATE_GOLDEN=1` writes the expected lines anew.

use std::path::Path;
use std::path::PathBuf;

use faxgate::config;

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("fixtures/config").unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_case = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("bad-")
    };
    let mut cases: Vec<PathBuf> = paths.filter(is_case).collect();
    cases.sort();
    cases
}

fn reported(case: &Path) -> String {
    match config::load(&case.join("faxgate.toml")) {
        Ok(_) => panic!("{} loads", case.display()),
        Err(mistakes) => format!("{mistakes}\n"),
    }
}

#[test]
fn every_bad_configuration_is_reported_as_expected() {
    let mut wrong = Vec::new();
    for case in cases() {
        let expected = case.join("expected.txt");
        let reported = reported(&case);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &reported).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if reported != expected {
            wrong.push(format!(
                "{}\n--- expected\n{expected}--- reported\n{reported}",
                case.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases().len() >= 25);
}

#[test]
fn mistakes_in_both_files_are_reported_at_once() {
    let reported = reported(Path::new("fixtures/config/bad-01-six-at-once"));
    assert_eq!(reported.lines().count(), 6, "{reported}");
    for file in ["faxgate.toml:", "accounts.toml:"] {
        assert_eq!(reported.matches(file).count(), 3, "{reported}");
    }
}

#[test]
fn every_reported_line_names_a_place_that_exists() {
    for case in cases() {
        let Err(mistakes) = config::load(&case.join("faxgate.toml")) else {
            panic!("{} loads", case.display());
        };
        for mistake in mistakes.iter().filter(|mistake| mistake.line > 0) {
            let bytes = std::fs::read(&mistake.file).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let line = text.split('\n').nth(mistake.line - 1).unwrap();
            assert!(mistake.column <= line.chars().count() + 1, "{mistake}");
        }
    }
}
