//! The process inside an instance: a host contract on one side, a handler on the other.
//!
//! - [`inherited`]: the sockets that the host hands over, or the port that it names
//! - [`beside`]: what lies beside this program, on hosts of others
//! - [`batch`]: calls that wait are computed together
//! - [`config`]: what the host says in the environment
//! - [`secrets`]: what it names by reference
//! - [`cell`]: a runtime that was started ahead and waits for its artifact
//! - [`contract`]: how a host talks to us, as the environment says: `http` or `lambda`
//! - [`handler`]: what answers an invocation: a model, Python code, or a program
//! - [`standalone`]: a program that carries its artifact within itself
//! - [`log`]: what is said, in the form that the host looks for
//!
//! Deliberately absent: everything of the platform (scaling, storage, logs). This room is all that an artifact carries to
//! another host, so it stays lean.

pub mod batch;
pub mod beside;
pub mod cell;
pub mod config;
pub mod contract;
pub mod handler;
pub mod inherited;
pub mod log;
pub mod secrets;
pub mod standalone;

mod count;
mod processor;

use std::cell::Cell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use modelet_core::instance::{ENV_CELL, ENV_ONNXRUNTIME};
use modelet_core::{Code, FunctionError};

use crate::cell::{Assigned, Layout};
use crate::config::Config;
use crate::contract::Contract;
use crate::contract::http::Site;
use crate::handler::{Loaded, PreparedPython};
use crate::inherited::{Inherited, Listener};
use crate::log::{Level, Metrics};

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
        log::say(Level::Error, &format!("modelet-runtime: {error}"));
        ExitCode::from(2)
    })
}

fn run(load: impl FnOnce(&Config) -> Loaded) -> Result<ExitCode, String> {
    let started = Instant::now();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let contract = Contract::of(|name| std::env::var_os(name), &arguments)?;
    let usual = || beside::artifact().or_else(|| contract.artifact());
    host(&contract, started, || Config::from_environment(|name| std::env::var_os(name), usual()), load)
}

/// The same, under a contract, with what `config` says where the host is not a platform of ours.
fn host(
    contract: &Contract,
    started: Instant,
    config: impl FnOnce() -> Result<Config, String>,
    load: impl FnOnce(&Config) -> Loaded,
) -> Result<ExitCode, String> {
    log::open(contract)?;
    if let Some(line) = contract.announced() {
        log::say(Level::Info, &line);
    }
    match contract {
        Contract::Platform => serve_platform(started, load),
        Contract::Port(host) => {
            // Before anything is loaded: who connects meanwhile waits, and is not refused.
            let listener = Listener::on(host.address, host.port);
            let listener = listener.map_err(|error| format!("port {}: {error}", host.port))?;
            let mut config = config()?;
            let site = Site::of(host.clone(), &config.card);
            let loaded = secrets::read(&mut config).and_then(|()| load(&config));
            serve(listener, loaded, started, Some(site))
        }
        Contract::Lambda { api, mode, .. } => {
            let config = config().map_err(|why| FunctionError::new(Code::BadArtifact, why));
            let prepared = config.and_then(|mut config| {
                secrets::read(&mut config)?;
                let (handler, name) = (load(&config)?, config.card.name.clone());
                let metrics = Metrics::of(|name| std::env::var_os(name), name.as_str(), started.elapsed());
                let metrics = metrics.map_err(|why| FunctionError::new(Code::StartFailed, why))?;
                Ok((name, handler, metrics))
            });
            contract::lambda::serve(api, *mode, prepared)
        }
    }
}

/// The life of an instance of ours, perhaps of one that was started ahead of its artifact.
fn serve_platform(mut started: Instant, load: impl FnOnce(&Config) -> Loaded) -> Result<ExitCode, String> {
    let inherited = Inherited::take().map_err(|error| error.to_string())?;
    let assigned = match std::env::var_os(ENV_CELL) {
        Some(folder) => Some(become_somebody(&inherited, Path::new(&folder))?),
        None => None,
    };
    let config = match &assigned {
        Some((assigned, python)) => {
            started = Instant::now();
            let config = Config::of(assigned.artifact.clone(), assigned.version, onnxruntime())?;
            config.prepared.replace(python.take());
            config
        }
        None => Config::from_environment(|name| std::env::var_os(name), None)?,
    };
    serve(inherited.listener, load(&config), started, None)
}

fn serve(
    listener: Listener,
    loaded: Loaded,
    started: Instant,
    site: Option<Site>,
) -> Result<ExitCode, String> {
    if let Err(failure) = &loaded {
        log::say(Level::Error, &format!("could not load: {failure}"));
    }
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    contract::http::serve(listener, loaded, load_ms, site).map_err(|error| error.to_string())
}

/// The first half of a stem cell's life.
fn become_somebody(
    inherited: &Inherited,
    folder: &Path,
) -> Result<(Assigned, Cell<Option<PreparedPython>>), String> {
    let control = inherited.control.as_ref().ok_or_else(|| {
        format!("{ENV_CELL} is set, but no datagram socket was inherited as fd 4 (LISTEN_FDS=2)")
    })?;
    let no_python = |error| format!("Python could not be prepared: {error}");
    let (python, layout) = match cell::preparation(|name| std::env::var_os(name))? {
        Some(wanted) => (Some(cell::keep_python(control, &wanted).map_err(no_python)?), Layout::Files),
        None => {
            cell::prepare(onnxruntime().as_deref());
            (None, Layout::Links)
        }
    };
    let assigned = cell::wait(control, folder, layout);
    Ok((assigned.map_err(|error| format!("no artifact came: {error}"))?, Cell::new(python)))
}

fn onnxruntime() -> Option<PathBuf> {
    std::env::var_os(ENV_ONNXRUNTIME).map(PathBuf::from)
}
