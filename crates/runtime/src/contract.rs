//! How a host talks to us. A contract is one file here, and the environment alone says which is spoken.

pub mod http;
pub mod lambda;

use std::ffi::OsString;

/// Environment variable: that sockets are inherited (sd_listen_fds(3)).
const ENV_SOCKETS: &str = "LISTEN_FDS";
/// Environment variable: where Lambda's Runtime API is, a host and a port.
pub(crate) const ENV_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The contract of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contract {
    /// [`http`], on an inherited socket or a port.
    Http,
    /// [`lambda`].
    Lambda {
        /// Where its Runtime API is.
        api: String,
    },
}

impl Contract {
    /// The one that the environment asks for. A platform of ours comes first: it says the most.
    pub fn of(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        match (var(ENV_SOCKETS), var(ENV_RUNTIME_API)) {
            (None, Some(api)) => {
                let api = api
                    .into_string()
                    .map_err(|api| format!("{ENV_RUNTIME_API} is {api:?}, not a host and a port"))?;
                Ok(Self::Lambda { api })
            }
            _ => Ok(Self::Http),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)]) -> Result<Contract, String> {
        Contract::of(|name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_environment_says_which_contract_is_spoken() {
        let api = "127.0.0.1:9001";
        assert_eq!(of(&[(ENV_RUNTIME_API, api)]), Ok(Contract::Lambda { api: api.into() }));
        assert_eq!(of(&[(ENV_RUNTIME_API, api), (ENV_SOCKETS, "1")]), Ok(Contract::Http));
        assert_eq!(of(&[]), Ok(Contract::Http));
    }
}
