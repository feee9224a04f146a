//! Entry point: parse the command line, run it, turn its error into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // The confined converter must not do anything else first.
    if arguments
        .next()
        .is_some_and(|first| first == faxgate::render::SUBCOMMAND)
    {
        return faxgate::render::worker_main();
    }
    faxgate::cli::run()
}
