//! `modelet-runtime`: the lean binary, without a platform inside.

use std::process::ExitCode;

use modelet_core::{Code, EngineName, FunctionError};
use modelet_runtime::config::Config;
use modelet_runtime::handler::{self, Loaded};

fn main() -> ExitCode {
    modelet_runtime::standalone::main(load).unwrap_or_else(|| modelet_runtime::main_with(load))
}

/// What the card of an artifact names. A program that is linked statically has no dynamic linker, and would die of a library.
fn load(config: &Config) -> Loaded {
    let engine = config.card.model().map(|model| model.engine);
    if cfg!(target_feature = "crt-static") && engine == Some(EngineName::Onnxruntime) {
        let message =
            "this runtime is one static program, which loads no libraries, and so has no ONNX Runtime";
        return Err(FunctionError::new(Code::EngineMissing, message).hint("use the one for glibc"));
    }
    handler::load(config)
}
