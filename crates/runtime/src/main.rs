//! `modelet-runtime`: the lean binary, without a platform inside.

use std::process::ExitCode;

fn main() -> ExitCode {
    modelet_runtime::standalone::main().unwrap_or_else(modelet_runtime::main)
}
