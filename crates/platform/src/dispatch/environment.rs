//! The environment of an instance: all of it, since nothing is inherited.

use std::ffi::OsString;
use std::io;

use modelet_core::caches::CACHES;
use modelet_core::instance::{
    ENV_ARTIFACT, ENV_CELL, ENV_IMPORTS, ENV_THREADS, ENV_VERSION, ENV_WRAP_LOADERS,
};

use crate::dispatch::Shared;
use crate::dispatch::launch::Role;

/// What every instance has.
const PLAIN: &[(&str, &str)] = &[
    ("LANG", "C.UTF-8"),
    // ONNX Runtime must not talk to anybody; see the engine.
    ("ORT_DISABLE_TELEMETRY", "1"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
];

/// Without one: Keras would take its settings from everybody's, where others could plant them, and fail where it may not look.
const NO_CACHES: &[(&str, &str)] = &[("KERAS_HOME", "/nonexistent")];

/// What is set for convenience, for instances and for code that is tried at deploy, which has to find the same.
pub fn plain(has_own_tmp: bool) -> Vec<(OsString, OsString)> {
    let caches = if has_own_tmp { CACHES } else { NO_CACHES };
    PLAIN.iter().chain(caches).map(|(name, value)| (name.into(), value.into())).collect()
}

/// The environment of a process. What the manifest says goes before what is set here for convenience, and never before what
/// makes the process an instance.
pub(super) async fn of(
    shared: &Shared,
    role: &Role,
    has_own_tmp: bool,
) -> io::Result<Vec<(OsString, OsString)>> {
    let mut env = plain(has_own_tmp);
    let sockets = match role {
        Role::Instance { artifact, version, variables, .. } => {
            env.extend(variables.iter().cloned());
            env.push((ENV_ARTIFACT.into(), artifact.into()));
            env.push((ENV_VERSION.into(), version.to_string().into()));
            "1"
        }
        Role::Python { folder, needs } => {
            env.extend(needs.env.iter().map(|(name, value)| (name.into(), value.into())));
            env.push((ENV_CELL.into(), folder.into()));
            env.push((ENV_IMPORTS.into(), serde_json::to_string(&needs.imports)?.into()));
            env.push((ENV_WRAP_LOADERS.into(), u8::from(needs.wrap_loaders).to_string().into()));
            env.push((ENV_THREADS.into(), needs.threads.to_string().into()));
            "2"
        }
        Role::Cell { folder } => {
            env.push((ENV_CELL.into(), folder.into()));
            "2"
        }
    };
    env.push(("LISTEN_FDS".into(), sockets.into()));
    // Looks for files: not on the thread that serves.
    let command = shared.command.clone();
    env.extend(tokio::task::spawn_blocking(move || command.environment()).await?);
    Ok(env)
}
