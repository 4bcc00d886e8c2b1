//! The process inside an instance: a host contract on one side, a handler on the other.
//!
//! - [`config`]: what the host says in the environment
//! - [`contract`]: how a host talks to us; today `http` on the inherited socket
//! - [`handler`]: what answers an invocation; today a model
//!
//! Deliberately absent: everything of the platform (scaling, storage, logs). This room is all that an artifact carries to
//! another host, so it stays lean.

pub mod config;
pub mod contract;
pub mod handler;

use std::process::ExitCode;
use std::time::Instant;

use crate::config::Config;
use crate::handler::{Handler, ModelHandler};

/// The whole life of an instance: read the environment, load, serve until told to stop. Exit code 0 after a stop, 1 when it
/// could not load, 2 when the environment makes no sense.
pub fn main() -> ExitCode {
    let started = Instant::now();
    let config = match Config::from_environment(|name| std::env::var_os(name)) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("modelet-runtime: {error}");
            return ExitCode::from(2);
        }
    };
    let loaded = ModelHandler::load(&config).map(|handler| Box::new(handler) as Box<dyn Handler>);
    if let Err(failure) = &loaded {
        eprintln!("could not load: {failure}");
    }
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    match contract::http::serve(loaded, load_ms) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("modelet-runtime: {error}");
            ExitCode::from(2)
        }
    }
}
