//! Looks for the system's SpanDSP and says by the cfg `spandsp_found` whether it is there.
//!
//! A machine without it still builds: the crate then only answers "not available".

use std::path::Path;

/// Where the file that pkg-config looks for appears when the library is installed.
///
/// Watched while it is missing, so that the build after the installation finds it.
const WATCHED: [&str; 5] = [
    "/var/lib/dpkg/status",
    "/usr/lib/pkgconfig",
    "/usr/lib64/pkgconfig",
    "/usr/local/lib/pkgconfig",
    "/usr/share/pkgconfig",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(spandsp_found)");
    // SpanDSP 3 from source, in the place of the system's library.
    if std::env::var_os("CARGO_FEATURE_VENDORED").is_some() {
        println!("cargo::rustc-cfg=spandsp_found");
        return;
    }
    // Version 3 gives its phase handlers other arguments: declarations of one would corrupt the other.
    let found = pkg_config::Config::new()
        .range_version("0.0.6".."0.1.0")
        .probe("spandsp")
        // Debian's package of the library brings it; only its messages are turned off.
        .and_then(|_| pkg_config::Config::new().probe("libtiff-4"));
    if found.is_err() {
        for path in WATCHED.iter().filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
        return;
    }
    println!("cargo::rustc-cfg=spandsp_found");
    if let Ok(folder) = pkg_config::get_variable("spandsp", "pcfiledir") {
        println!("cargo::rerun-if-changed={folder}/spandsp.pc");
    }
}
