//! Entry point: parse the command line, run it, turn its error into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // The confined children must not do anything else first.
    if let Some(first) = arguments.next() {
        if first == faxgate::render::SUBCOMMAND {
            return faxgate::render::worker_main();
        }
        if first == faxgate::transmit::line::SUBCOMMAND {
            return faxgate::transmit::line::worker_main();
        }
    }
    faxgate::cli::run()
}
