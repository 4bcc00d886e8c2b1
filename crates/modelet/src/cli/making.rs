//! The words of what makes artifacts: what is given, and how it is read, proved and limited.

use std::path::PathBuf;

use clap::{Args, value_parser};
use modelet_core::FunctionName;
use modelet_core::manifest::EngineChoice;

use super::proof::ProofOptions;
use super::{parse_engine, parse_setting};
use crate::making::site::Site;

/// What is given, and what is to be made of it.
#[derive(Debug, Clone, Args)]
pub struct Making {
    /// A model file, or a folder with a model: ONNX; what XGBoost, LightGBM, CatBoost or Keras saved; scikit-learn's pickles;
    /// TensorFlow's SavedModel; PyTorch's .pt2 and TorchScript
    pub path: PathBuf,
    /// Name of the function [default: from modelet.toml, else from the file's name]
    #[arg(long, short)]
    pub name: Option<FunctionName>,
    /// Engine to use: auto, onnxruntime, tabular, rten
    #[arg(long, value_parser = parse_engine)]
    pub engine: Option<EngineChoice>,
    /// A limit, such as memory_mib=512; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub settings: Vec<(String, u64)>,
    /// Do not prove that a converted model answers as the original
    #[arg(long, conflicts_with = "require_proof")]
    pub no_proof: bool,
    /// Refuse a converted model that cannot be proved
    #[arg(long)]
    pub require_proof: bool,
    #[command(flatten)]
    pub proof: ProofOptions,
    /// Where it is to run, which other commands say.
    #[arg(skip)]
    pub site: Site,
}

impl Making {
    /// What is at a path, and nothing said about it.
    pub fn of(path: PathBuf) -> Self {
        Self {
            path,
            name: None,
            engine: None,
            settings: vec![],
            no_proof: false,
            require_proof: false,
            proof: ProofOptions::default(),
            site: Site::Here,
        }
    }
}

/// What is given and made without a proof, which takes longer than one waits for each time.
#[derive(Debug, Clone, Args)]
pub struct Draft {
    /// A folder or a file, as for deploy
    #[arg(default_value = ".")]
    pub path: PathBuf,
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

impl Draft {
    /// The same, as what makes artifacts wants it.
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
