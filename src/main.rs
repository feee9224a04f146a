//! Entry point: parse the command line, run it, turn its error into an exit status.

fn main() {}
