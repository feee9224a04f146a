//! `faxgate demo`.
use crate::cli::Failure;
/// Options of `demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the story instead of serving on.
    #[arg(long)]
    once: bool,
}
pub(crate) fn run(_options: &Options) -> Result<(), Failure> {
    Ok(())
}
