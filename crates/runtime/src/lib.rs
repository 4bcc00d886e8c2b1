//! The process inside an instance: a host contract on one side, a handler on the other.
//!
//! - [`inherited`]: the sockets that the host hands over, or the port that it names
//! - [`batch`]: calls that wait are computed together
//! - [`config`]: what the host says in the environment
//! - [`cell`]: a runtime that was started ahead and waits for its artifact
//! - [`contract`]: how a host talks to us: `http`, or `lambda` where the environment says so
//! - [`handler`]: what answers an invocation: a model, Python code, or a program
//!
//! Deliberately absent: everything of the platform (scaling, storage, logs). This room is all that an artifact carries to
//! another host, so it stays lean.

pub mod batch;
pub mod cell;
pub mod config;
pub mod contract;
pub mod handler;
pub mod inherited;

mod count;
mod processor;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use modelet_core::instance::{ENV_CELL, ENV_ONNXRUNTIME};
use modelet_core::{Code, FunctionError};

use crate::cell::Assigned;
use crate::config::Config;
use crate::contract::lambda::Prepared;
use crate::contract::{Contract, ENV_RUNTIME_API};
use crate::handler::Loaded;
use crate::inherited::Inherited;

/// The whole life of an instance: [`main_with`] what its artifact names.
pub fn main() -> ExitCode {
    main_with(handler::load)
}

/// The whole life of an instance: read the environment, load, serve until told to stop. Exit code 0 after a stop, 1 when it
/// could not load, 2 when the environment makes no sense.
///
/// `load` makes what answers the calls. So another [`Handler`](handler::Handler) becomes an instance: a program whose `main`
/// is one call of this, which `modelet up --runtime PROGRAM` then starts in place of itself. A stem cell loads when its
/// artifact has come.
pub fn main_with(load: impl FnOnce(&Config) -> Loaded) -> ExitCode {
    run(load).unwrap_or_else(|error| {
        eprintln!("modelet-runtime: {error}");
        ExitCode::from(2)
    })
}

fn run(load: impl FnOnce(&Config) -> Loaded) -> Result<ExitCode, String> {
    let mut started = Instant::now();
    if let Contract::Lambda { api } = Contract::of(|name| std::env::var_os(name))? {
        eprintln!("contract lambda: {ENV_RUNTIME_API} is {api}");
        return contract::lambda::serve(&api, prepare(load));
    }
    let inherited = Inherited::take().map_err(|error| error.to_string())?;
    let assigned = match std::env::var_os(ENV_CELL) {
        Some(folder) => Some(become_somebody(&inherited, Path::new(&folder))?),
        None => None,
    };
    let config = match &assigned {
        Some(assigned) => {
            started = Instant::now();
            Config::of(assigned.artifact.clone(), assigned.version, onnxruntime())?
        }
        None => Config::from_environment(|name| std::env::var_os(name))?,
    };
    let loaded = load(&config);
    if let Err(failure) = &loaded {
        eprintln!("could not load: {failure}");
    }
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    contract::http::serve(inherited.listener, loaded, load_ms).map_err(|error| error.to_string())
}

/// What a host is told that hears of everything through its contract.
fn prepare(load: impl FnOnce(&Config) -> Loaded) -> Prepared {
    let config = Config::from_environment(|name| std::env::var_os(name));
    let config = config.map_err(|why| FunctionError::new(Code::BadArtifact, why))?;
    Ok((config.card.name.clone(), load(&config)?))
}

/// The first half of a stem cell's life.
fn become_somebody(inherited: &Inherited, folder: &Path) -> Result<Assigned, String> {
    let control = inherited.control.as_ref().ok_or_else(|| {
        format!("{ENV_CELL} is set, but no datagram socket was inherited as fd 4 (LISTEN_FDS=2)")
    })?;
    cell::prepare(onnxruntime().as_deref());
    cell::wait(control, folder).map_err(|error| format!("no artifact came: {error}"))
}

fn onnxruntime() -> Option<PathBuf> {
    std::env::var_os(ENV_ONNXRUNTIME).map(PathBuf::from)
}
