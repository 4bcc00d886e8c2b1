//! `modelet completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output;
use crate::report::Report;

#[expect(clippy::unnecessary_wraps, reason = "every command can fail; this one happens not to")]
pub fn run(shell: Shell) -> Result<(), Report> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "modelet", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
