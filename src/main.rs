//! Entry point: parse the command line, run it, turn its error into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == faxgate::render::SUBCOMMAND)
    {
        return faxgate::render::worker_main();
    }
    ExitCode::SUCCESS
}
