//! One command, one file. Each talks to the platform, prints data on standard output and talk on standard error.

use std::future::Future;
use std::process::ExitCode;

use modelet_core::Code;

use crate::cli::{Cli, Command};
use crate::report::Report;

mod check;
mod completions;
mod delete;
mod demo;
pub mod deploy;
mod describe;
mod dev;
mod doctor;
mod engines;
mod explain;
mod inspect;
pub mod invoke;
pub mod logs;
mod ls;
pub mod package;
mod probe;
mod prove;
mod result;
mod secret;
mod simulate;
mod target;
mod up;
mod usage;
mod why_slow;

/// Runs a command to its end.
pub fn run(cli: Cli) -> Result<ExitCode, Report> {
    let common = cli.common;
    let done = match cli.command {
        // The one whose plan says by its exit code whether something would change.
        Command::Deploy(deploy) => {
            return on_this_thread(async move { deploy::run(&common, &deploy).await });
        }
        Command::Up(up) => on_this_thread(up::run(common, up)),
        Command::Dev(dev) => on_this_thread(dev::run(common, dev)),
        Command::Check(check) => on_this_thread(async move { check::run(&common, &check).await }),
        Command::Demo(demo) => on_this_thread(demo::run(common, demo)),
        Command::Package(package) => on_this_thread(async move { package::run(&common, *package).await }),
        Command::Prove(prove) => on_this_thread(async move { prove::run(&common, &prove).await }),
        Command::Invoke(invoke) => on_this_thread(async move { invoke::run(&common, &invoke).await }),
        Command::Result(result) => on_this_thread(async move { result::run(&common, &result).await }),
        Command::Ls => on_this_thread(async move { ls::run(&common).await }),
        Command::Describe(named) => on_this_thread(async move { describe::run(&common, &named).await }),
        Command::Logs(logs) => on_this_thread(async move { logs::run(&common, &logs).await }),
        Command::Secret(secret) => on_this_thread(async move { secret::run(&common, &secret).await }),
        Command::Usage(usage) => on_this_thread(async move { usage::run(&common, &usage).await }),
        Command::WhySlow(why) => on_this_thread(async move { why_slow::run(&common, &why).await }),
        Command::Delete(delete) => on_this_thread(async move { delete::run(&common, &delete).await }),
        Command::Inspect(inspect) => inspect::run(&common, &inspect),
        Command::Simulate(simulate) => simulate::run(&common, &simulate),
        Command::Doctor => on_this_thread(async move { doctor::run(&common).await }),
        Command::Engines(engines) => on_this_thread(async move { engines::run(&common, &engines).await }),
        Command::Explain(explain) => explain::run(&common, &explain),
        Command::Completions { shell } => completions::run(shell),
        Command::Probe { model, steps, question } => probe::run(&model, &steps, &question),
        Command::Status(status) => on_this_thread(async move { target::status(&common, &status).await }),
        Command::Traffic(traffic) => on_this_thread(async move { target::traffic(&common, &traffic).await }),
        Command::Rollback(back) => on_this_thread(async move { target::rollback(&common, &back).await }),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// One thread is enough for the platform too: it computes nothing, and a call that stays on one thread is answered sooner
/// than one that is handed around. Instances and writers have their own.
fn on_this_thread<T>(command: impl Future<Output = Result<T, Report>>) -> Result<T, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| no_runtime(&error))?.block_on(command)
}

fn no_runtime(error: &std::io::Error) -> Report {
    Report::new(Code::Internal, format!("could not start: {error}"))
}
