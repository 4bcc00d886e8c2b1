//! How a host talks to us. A contract is one file here, and the environment alone says which is spoken.
//!
//! - [`http`]: requests, on a socket that we inherited from a platform of ours, or on the port of another [`host`]
//! - [`lambda`]: AWS Lambda's Runtime API

pub mod host;
pub mod http;
pub mod lambda;

use std::ffi::OsString;
use std::path::PathBuf;

use host::Host;
use lambda::InvokeMode;

/// Environment variable: that sockets are inherited (sd_listen_fds(3)).
pub(crate) const ENV_SOCKETS: &str = "LISTEN_FDS";
/// Environment variable: where Lambda's Runtime API is, a host and a port.
const ENV_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Environment variable: where Lambda has unpacked what was deployed there.
const ENV_TASK_ROOT: &str = "LAMBDA_TASK_ROOT";

/// Environment variable: how Lambda's function URL calls, `buffered` (if nothing is said) or `response_stream`. Lambda tells that to
/// nobody but who has made the URL.
const ENV_INVOKE_MODE: &str = "MODELET_INVOKE_MODE";

/// The contract of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contract {
    /// [`http`], with a platform of ours.
    Platform,
    /// [`http`], on a port.
    Port(Host),
    /// [`lambda`].
    Lambda {
        /// Where its Runtime API is.
        api: String,
        /// Where the artifact lies, unless something else is said.
        task_root: Option<PathBuf>,
        /// How function URLs call it.
        mode: InvokeMode,
    },
}

impl Contract {
    /// The one that the environment and the arguments ask for. A platform of ours comes first: it says the most. An error says
    /// what is missing.
    pub fn of(var: impl Fn(&str) -> Option<OsString>, arguments: &[OsString]) -> Result<Self, String> {
        if var(ENV_SOCKETS).is_some() {
            return Ok(Self::Platform);
        }
        if let Some(api) = var(ENV_RUNTIME_API) {
            let api = api
                .into_string()
                .map_err(|api| format!("{ENV_RUNTIME_API} is {api:?}, not a host and a port"))?;
            let mode = var(ENV_INVOKE_MODE).map(|mode| mode.to_string_lossy().parse()).transpose();
            let mode = mode.map_err(|why| format!("{ENV_INVOKE_MODE}: {why}"))?.unwrap_or_default();
            return Ok(Self::Lambda { api, task_root: var(ENV_TASK_ROOT).map(PathBuf::from), mode });
        }
        Host::of(var, arguments)?.map(Self::Port).ok_or_else(|| {
            format!("no socket was inherited (a listening Unix socket as fd 3, {ENV_SOCKETS}=1) and PORT is not set")
        })
    }

    /// Where the artifact lies, unless something else is said.
    pub fn artifact(&self) -> Option<PathBuf> {
        match self {
            Self::Platform => None,
            Self::Port(host) => host.artifact(),
            Self::Lambda { task_root, .. } => task_root.clone(),
        }
    }

    /// What was chosen, and why, for the log of a host that is not ours.
    pub fn announced(&self) -> Option<String> {
        match self {
            Self::Platform => None,
            Self::Port(host) => Some(format!("contract http: {}", host.announced())),
            Self::Lambda { api, .. } => Some(format!("contract lambda: {ENV_RUNTIME_API} is {api}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)]) -> Result<Contract, String> {
        Contract::of(|name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()), &[])
    }

    #[test]
    fn the_environment_says_which_contract_is_spoken() {
        let api = "127.0.0.1:9001";
        let lambda = of(&[(ENV_RUNTIME_API, api), (ENV_TASK_ROOT, "/var/task"), ("PORT", "8080")]).unwrap();
        assert_eq!(lambda.artifact(), Some("/var/task".into()));
        assert_eq!(
            lambda.announced().as_deref(),
            Some("contract lambda: AWS_LAMBDA_RUNTIME_API is 127.0.0.1:9001")
        );
        assert_eq!(of(&[(ENV_RUNTIME_API, api), (ENV_SOCKETS, "1")]), Ok(Contract::Platform));
        let port = of(&[("PORT", "8080")]).unwrap();
        assert_eq!(
            port.announced().as_deref(),
            Some("contract http: listening on http://0.0.0.0:8080; calls at / and below")
        );
        assert!(of(&[]).unwrap_err().starts_with("no socket was inherited"));
    }
}
