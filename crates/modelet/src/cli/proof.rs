//! The words of proofs: what `modelet deploy` and `modelet prove` take.

use std::path::PathBuf;

use clap::{Args, value_parser};
use modelet_core::manifest::EngineChoice;

use super::parse_engine;

/// An original may answer for so long, seconds.
const TIMEOUT_S: u64 = 120;
/// An original may hold so much, MiB.
const MEMORY_MIB: u64 = 4_096;

/// Types that an input may have.
const INPUT_TYPES: [&str; 6] = ["float32", "float64", "float16", "int64", "int32", "bool"];

/// How a conversion is proved, and what it takes to make it.
#[derive(Debug, Clone, Args)]
pub struct ProofOptions {
    /// Rows of your own for the proof, beside those that are made: .csv or .npy
    #[arg(long, value_name = "FILE")]
    pub sample: Option<PathBuf>,
    /// The Python that the model was trained with; nothing is downloaded then [default: the active virtual environment when
    /// its versions are those in the file, else one that uv makes]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Type and shape of an input, of which TorchScript says none; once for each, in their order, `any` for what may be of any size
    #[arg(long = "input", value_name = "TYPE[SIZES]", value_parser = parse_input)]
    pub inputs: Vec<InputShape>,
    /// How far the converted model's numbers may be from the original's: X + X × |number| [default: by framework]
    #[arg(long, value_name = "X", value_parser = parse_tolerance)]
    pub tolerance: Option<f64>,
    /// How long the original may take to load and to answer, seconds
    #[arg(long, default_value_t = TIMEOUT_S, value_name = "S", hide_short_help = true, value_parser = value_parser!(u64).range(1..=86_400))]
    pub proof_timeout_s: u64,
    /// Most memory of the original, MiB
    #[arg(long, default_value_t = MEMORY_MIB, value_name = "MIB", hide_short_help = true, value_parser = value_parser!(u64).range(64..=1 << 20))]
    pub proof_memory_mib: u64,
}

impl Default for ProofOptions {
    fn default() -> Self {
        Self {
            sample: None,
            python: None,
            inputs: vec![],
            tolerance: None,
            proof_timeout_s: TIMEOUT_S,
            proof_memory_mib: MEMORY_MIB,
        }
    }
}

/// The type of an input, as its framework calls it, and its sizes; `None` for a free one.
pub type InputShape = (String, Vec<Option<u64>>);

/// `modelet prove`
#[derive(Debug, Args)]
pub struct Prove {
    /// The model file, or a folder with one: the platform keeps no originals, so a function's name is not enough
    pub path: PathBuf,
    /// Engine to use: auto, onnxruntime, tabular, rten
    #[arg(long, value_parser = parse_engine)]
    pub engine: Option<EngineChoice>,
    #[command(flatten)]
    pub proof: ProofOptions,
}

fn parse_tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "write a number from 0 on, such as 1e-6".to_owned())
}

/// `float32[any,30]`
fn parse_input(text: &str) -> Result<InputShape, String> {
    let wrong = || format!("write a type ({}) and sizes, such as float32[any,30]", INPUT_TYPES.join(", "));
    let (name, sizes) = text.strip_suffix(']').and_then(|text| text.split_once('[')).ok_or_else(wrong)?;
    let size = |size: &str| match size.trim() {
        "any" => Some(None),
        size => size.parse::<u64>().ok().filter(|size| *size > 0).map(Some),
    };
    let sizes: Option<Vec<_>> = sizes.split(',').filter(|size| !size.trim().is_empty()).map(size).collect();
    let is_known = INPUT_TYPES.contains(&name.trim());
    sizes.filter(|_| is_known).map(|sizes| (name.trim().to_owned(), sizes)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_type_and_its_sizes() {
        assert_eq!(parse_input("float32[any, 3]"), Ok(("float32".to_owned(), vec![None, Some(3)])));
        assert_eq!(parse_input("int64[]"), Ok(("int64".to_owned(), vec![])));
        for bad in ["float32", "float32[0]", "float32[-1]", "text[any]", "float32[any", "[3]"] {
            assert!(parse_input(bad).unwrap_err().contains("float32[any,30]"), "{bad}");
        }
    }

    #[test]
    fn a_tolerance_is_a_number_from_zero_on() {
        assert_eq!(parse_tolerance("1e-6"), Ok(1e-6));
        for bad in ["-1", "nan", "inf", "small"] {
            assert!(parse_tolerance(bad).is_err(), "{bad}");
        }
    }
}
