//! The words of `modelet dev`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, value_parser};
use modelet_core::{FunctionName, Target};

use super::making::Making;
use super::proof::ProofOptions;
use super::{parse_listen, parse_setting};

/// `modelet dev`
#[derive(Debug, Args)]
pub struct Dev {
    /// A folder or a file, as for deploy
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Impose the limits of a cloud: aws-lambda, cloud-run, azure-functions, sagemaker
    #[arg(long = "as", value_name = "TARGET")]
    pub target: Option<Target>,
    /// Where to listen [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub listen: Option<SocketAddr>,
    /// Name of the function [default: from modelet.toml, else from the folder's or the file's name]
    #[arg(long, short)]
    pub name: Option<FunctionName>,
    /// Memory of an instance, MiB [default: modelet.toml's, else the target's]
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(64..=1 << 20))]
    pub memory_mib: Option<u64>,
    /// A limit, such as request_timeout_ms=5000; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub settings: Vec<(String, u64)>,
    /// The Python that it runs in, or that a model is converted in [default: as for deploy]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

impl Dev {
    /// What is deployed each time; without a proof, which takes longer than one writes.
    pub fn making(&self) -> Making {
        let memory = self.memory_mib.map(|mib| ("memory_mib".to_owned(), mib));
        Making {
            name: self.name.clone(),
            settings: self.settings.iter().cloned().chain(memory).collect(),
            no_proof: true,
            proof: ProofOptions { python: self.python.clone(), ..ProofOptions::default() },
            ..Making::of(self.path.clone())
        }
    }
}
