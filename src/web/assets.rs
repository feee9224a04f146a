//! `/assets/…`: the style sheet, the icon and the scripts, built in. An address carries a mark of what it leads to, so that
//! browsers keep that for a year and see a new version at once all the same.

use std::hash::DefaultHasher;
use std::hash::Hasher as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

/// A file that pages name.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const STYLE: Asset = Asset {
    name: "faxgate.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("assets/faxgate.css"),
};
const ICON: Asset = Asset {
    name: "faxgate.svg",
    kind: "image/svg+xml",
    text: include_str!("assets/faxgate.svg"),
};
/// Neither of the scripts is ours: `assets/htmx.LICENSE.txt` says whose, and which version.
const HTMX: Asset = Asset {
    name: "htmx.min.js",
    kind: SCRIPT,
    text: include_str!("assets/htmx.min.js"),
};
const HTMX_SSE: Asset = Asset {
    name: "htmx-sse.min.js",
    kind: SCRIPT,
    text: include_str!("assets/htmx-sse.min.js"),
};
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Under this address there will never be anything else.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Another version, or none, was asked for: a node that runs a newer one wrote the page.
const THIS_TIME: &str = "no-cache";

/// The addresses that the frame of every page names.
pub(super) struct Addresses {
    /// The style sheet.
    pub(super) style: String,
    /// The mark beside the name.
    pub(super) icon: String,
    /// The scripts, in the order in which they run.
    pub(super) scripts: [String; 2],
}

/// The addresses of what this program has built in.
pub(super) static ADDRESSES: LazyLock<Addresses> = LazyLock::new(|| Addresses {
    style: STYLE.address(),
    icon: ICON.address(),
    scripts: [HTMX.address(), HTMX_SSE.address()],
});

impl Asset {
    fn address(&self) -> String {
        format!("/assets/{}?{}", self.name, self.mark())
    }

    fn mark(&self) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.text.as_bytes());
        format!("{:016x}", hasher.finish())
    }
}

/// `GET /assets/<name>`
pub(super) async fn serve(Path(name): Path<String>, RawQuery(mark): RawQuery) -> Response {
    let mut assets = [STYLE, ICON, HTMX, HTMX_SSE].into_iter();
    let Some(asset) = assets.find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kept = match mark.is_some_and(|mark| mark == asset.mark()) {
        true => FOR_GOOD,
        false => THIS_TIME,
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, kept),
    ];
    (headers, asset.text).into_response()
}
