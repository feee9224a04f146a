//! The routes of the account web, read from its source: a story about all of them cannot forget one.

use std::path::Path;

/// A route and how it may be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// `/sent/{id}`
    pub(crate) path: String,
    /// Whether GET is answered.
    pub(crate) get: bool,
    /// Whether POST is answered.
    pub(crate) post: bool,
}

/// All routes, in the order of their paths.
pub(crate) fn all() -> Vec<Route> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join("web.rs")];
    let mut folders = vec![root.join("web")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    let mut routes: Vec<Route> = files
        .iter()
        .flat_map(|file| of(&std::fs::read_to_string(file).unwrap()))
        .collect();
    routes.sort();
    routes.dedup_by(|later, first| {
        let same = later.path == first.path;
        if same {
            first.get |= later.get;
            first.post |= later.post;
        }
        same
    });
    routes
}

/// What stands in every `.route("path", handlers)` of a source.
fn of(source: &str) -> Vec<Route> {
    let calls = source.split(".route(").skip(1);
    let route = |call: &str| {
        let whole = arguments(call);
        let (path, handlers) = whole.split_once(',')?;
        let path = path.trim().trim_matches('"');
        let (get, post) = (handlers.contains("get("), handlers.contains("post("));
        path.starts_with('/').then(|| {
            assert!(
                get || post,
                "how is {path} asked? name the handlers in place"
            );
            Route {
                path: path.to_owned(),
                get,
                post,
            }
        })
    };
    calls.filter_map(route).collect()
}

/// The text up to the parenthesis that closes the call.
fn arguments(call: &str) -> &str {
    let mut depth = 1;
    let end = call.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    end.map_or(call, |end| &call[..end])
}
