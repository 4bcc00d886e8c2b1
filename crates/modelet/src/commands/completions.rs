//! `modelet completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::report::Report;

#[expect(clippy::unnecessary_wraps, reason = "every command can fail; this one happens not to")]
pub fn run(shell: Shell) -> Result<(), Report> {
    clap_complete::generate(shell, &mut Cli::command(), "modelet", &mut std::io::stdout());
    Ok(())
}
