//! The words of what makes artifacts: what is given, and how it is read, proved and limited.

use std::path::PathBuf;

use clap::Args;
use modelet_core::FunctionName;
use modelet_core::manifest::EngineChoice;

use super::proof::ProofOptions;
use super::{parse_engine, parse_setting};

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
        }
    }
}
