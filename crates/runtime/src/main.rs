//! `modelet-runtime`: the lean binary, without a platform inside.

use std::process::ExitCode;

fn main() -> ExitCode {
    modelet_runtime::main()
}
