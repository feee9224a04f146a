//! Debian's efax, a T.30 of its own, sends a page through a class 1 modem to our receiver.

use std::path::Path;
use std::process::Command;

use faxpage::Page;

use crate::gateway::run_with_input;
use crate::modem::station;
use crate::modem::station::Station;

const CALLER: &str = "+81 3 9999 0001";

/// A page as PBM, which efax reads.
fn write_pbm(page: &Page, path: &Path) {
    let map = &page.bitmap;
    let mut file = format!("P4\n{} {}\n", map.width(), map.height()).into_bytes();
    file.extend_from_slice(map.bits());
    std::fs::write(path, file).unwrap();
}

#[test]
fn a_page_of_efax_arrives_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.pbm");
    write_pbm(&station::sparse_page(), &page);
    let station = Station::open();
    let mut efax = Command::new("timeout");
    efax.args(["100", "efax", "-d"]).arg(station.device());
    // Class 1; fine, 14,400 bit/s, any length, one dimension, no error correction; no header line.
    efax.args(["-o1", "-c", "1,5,0,2,0,0,0,0", "-h", ""]);
    efax.args(["-l", CALLER, "-t", "T0312345678"]).arg(&page);
    let output = run_with_input(efax, "");
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    station::assert_arrived(&station.ended(), CALLER);
    assert!(output.stderr.contains(station::OURS), "{}", output.stderr);
}
