//! `modelet`: machine learning models as serverless functions.

use std::process::ExitCode;

use clap::Parser;
use rustix::fs::Mode;

mod check;
mod cli;
mod client;
mod commands;
mod dev;
mod engines;
mod image;
mod launch;
mod making;
mod output;
mod proof;
mod python;
mod report;
mod runtimes;
mod simulate;
mod spans;
mod target;
mod trial;

fn main() -> ExitCode {
    if let Some(code) = modelet_worker::sandbox::run_if_init() {
        return code;
    }
    // An instance is this same binary, started again: before anything else, so that it starts in no time.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == launch::RUNTIME_ARGUMENT) {
        return modelet_runtime::main();
    }
    // What is written for instances is read by them, who are somebody else; what is nobody's business lies in a folder that is closed.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let cli = cli::Cli::parse();
    let as_json = cli.common.json;
    match commands::run(cli) {
        Ok(code) => code,
        Err(report) => {
            report.print(as_json);
            report.exit_code()
        }
    }
}
