//! What the documentation says exists, and what exists is documented.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_metric_is_listed_and_every_listed_metric_exists() {
    let mut in_code = BTreeSet::new();
    collect(Path::new("src"), &mut in_code);
    let page = std::fs::read_to_string("docs/monitoring.md").unwrap();
    let listed: BTreeSet<_> = names(&page).collect();
    assert!(in_code.len() > 10, "the sources were not found");
    assert_eq!(in_code, listed);
}

#[test]
fn every_page_that_the_readme_names_exists() {
    for page in ["README.md", "docs/flow.md", "docs/security.md"] {
        let text = std::fs::read_to_string(page).unwrap();
        let folder = Path::new(page).parent().unwrap();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            assert!(folder.join(link).exists(), "{page} names {link}");
        }
    }
}

#[test]
fn every_test_that_the_threats_name_exists() {
    let page = std::fs::read_to_string("docs/security.md").unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let named: Vec<Vec<&str>> = quoted.map(|name| name.split("::").collect()).collect();
    let mut found = 0;
    for name in &named {
        let (file, test) = match name.as_slice() {
            [file, test] => (format!("tests/it/{file}.rs"), test),
            [file, part, test] => (format!("tests/it/{file}/{part}.rs"), test),
            _ => continue,
        };
        // Modules of unit tests are named as modules.
        if ["/account", "/authenticate", "/config"]
            .iter()
            .any(|unit| file.contains(unit))
        {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            text.contains(&format!("fn {test}()")),
            "{file} has no {test}"
        );
        found += 1;
    }
    assert!(found > 25, "{found} names");
}

fn collect(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(names(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn names(text: &str) -> impl Iterator<Item = String> {
    let name = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect::<String>()
    };
    text.split("faxgate_")
        .skip(1)
        .map(move |rest| format!("faxgate_{}", name(rest)))
}
