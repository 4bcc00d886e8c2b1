//! The words of a program that carries its artifact. It listens on loopback unless it is told otherwise: there are no keys, so who may
//! reach it is for whoever starts it to say. A host that names a port in `PORT`, as those of containers do, is told so by that.

use std::ffi::OsString;
use std::net::Ipv4Addr;

use modelet_core::ArtifactCard;

use crate::contract::host::{ENV_PORT, Host, Kind};
use crate::contract::{Contract, ENV_SOCKETS};

/// Where it listens when nothing is said.
const PORT: u16 = 8080;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// What there is to say.
    Help,
    /// What it is.
    Version,
    /// To serve.
    Serve(Asked),
}

/// Where to listen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    port: Option<u16>,
    address: Option<Ipv4Addr>,
    /// What a host starts its containers with.
    others: Vec<OsString>,
}

impl Arguments {
    /// Reads them. An error says which makes no sense.
    pub(super) fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut asked = Asked::default();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy().into_owned();
            let (name, joined) = text.split_once('=').map_or((text.as_str(), None), |(n, v)| (n, Some(v)));
            let mut value = || {
                let next = || arguments.next().map(|value| value.to_string_lossy().into_owned());
                joined
                    .map(str::to_owned)
                    .or_else(next)
                    .ok_or_else(|| format!("{name} wants a value; see --help"))
            };
            match name {
                "-h" | "--help" => return Ok(Self::Help),
                "-V" | "--version" => return Ok(Self::Version),
                "--port" => {
                    let port = value()?;
                    asked.port =
                        Some(port.parse().map_err(|_| format!("--port {port}: not a port (0 to 65535)"))?);
                }
                "--address" => {
                    let address = value()?;
                    let parsed =
                        address.parse().map_err(|_| format!("--address {address}: not an IPv4 address"))?;
                    asked.address = Some(parsed);
                }
                _ if name.starts_with('-') => return Err(format!("there is no {name}; see --help")),
                _ => asked.others.push(argument),
            }
        }
        Ok(Self::Serve(asked))
    }
}

impl Asked {
    /// The contract to serve under: what the environment says, but for what the arguments say.
    pub(super) fn contract(&self, var: impl Fn(&str) -> Option<OsString>) -> Result<Contract, String> {
        // A socket that somebody else meant for us is none of a platform of ours, which gives the artifact too.
        let hosts = |name: &str| var(name).filter(|_| name != ENV_SOCKETS);
        let mut host = match Contract::of(hosts, &self.others) {
            Ok(Contract::Port(host)) => host,
            Ok(other) => return Ok(other),
            Err(why) if var(ENV_PORT).is_some() => return Err(why),
            Err(_) => Host { kind: Kind::Plain, port: PORT, address: Ipv4Addr::LOCALHOST },
        };
        host.port = self.port.unwrap_or(host.port);
        host.address = self.address.unwrap_or(host.address);
        Ok(Contract::Port(host))
    }
}

/// The text of `--version`.
pub(super) fn version(name: &str, card: &ArtifactCard) -> String {
    format!("{name}: {}, made by modelet {}\n", card.name, env!("CARGO_PKG_VERSION"))
}

/// The text of `--help`.
pub(super) fn help(name: &str, card: &ArtifactCard) -> String {
    let function = &card.name;
    format!(
        "{name} serves the model {function} over HTTP, until SIGTERM or Ctrl-C.

Usage: {name} [--port N] [--address A]

  --port N      the port [default: PORT of the environment, else {PORT}]
  --address A   the IPv4 address; 0.0.0.0 lets other machines in [default: 127.0.0.1; 0.0.0.0 where PORT is set]
  --version     what it is
  --help        this

Calls go to / or /fn/{function} (JSON, CSV, npy) and to /v2/models/{function}/infer (KServe V2); / answers GET when it is ready.
It reads and writes no other file. Variables of AWS Lambda, SageMaker, Vertex AI, Cloud Run, Knative and Azure are understood.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Arguments, String> {
        Arguments::of(words.iter().map(OsString::from))
    }

    #[test]
    fn words_are_read_in_each_form_and_what_makes_no_sense_is_named() {
        let asked =
            Asked { port: Some(9), address: Some(Ipv4Addr::UNSPECIFIED), others: vec!["serve".into()] };
        let expected = Ok(Arguments::Serve(asked));
        assert_eq!(of(&["--port", "9", "serve", "--address=0.0.0.0"]), expected);
        assert_eq!(of(&["-h"]), Ok(Arguments::Help));
        assert_eq!(of(&["--version"]), Ok(Arguments::Version));
        for (words, says) in [
            (&["--port"][..], "--port wants a value"),
            (&["--port", "high"], "--port high: not a port"),
            (&["--address", "localhost"], "not an IPv4 address"),
            (&["--workers", "2"], "there is no --workers"),
        ] {
            assert!(of(words).unwrap_err().contains(says), "{words:?}");
        }
    }

    #[test]
    fn it_listens_on_loopback_unless_a_host_or_an_argument_says_otherwise() {
        let host = |words: &[&str], environment: &[(&str, &str)]| {
            let Ok(Arguments::Serve(asked)) = of(words) else { panic!("{words:?}") };
            let var = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
            asked.contract(var)
        };
        let (here, everywhere) = (Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED);
        for (words, environment, port, address) in [
            (&[][..], &[][..], 8080, here),
            (&["--port", "9"], &[], 9, here),
            (&["--address", "0.0.0.0"], &[], 8080, everywhere),
            (&[], &[(ENV_PORT, "80")], 80, everywhere),
            (&["--port", "9", "--address", "127.0.0.1"], &[(ENV_PORT, "80")], 9, here),
        ] {
            let expected = Contract::Port(Host { kind: Kind::Plain, port, address });
            assert_eq!(host(words, environment), Ok(expected), "{words:?} {environment:?}");
        }
        assert!(host(&[], &[(ENV_PORT, "http")]).unwrap_err().contains("not a port number"));
    }
}
