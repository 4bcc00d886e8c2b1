//! The environments of networks: a framework that reads what its versions before it wrote, and the converter that goes with it.
//!
//! Keras, which is small, comes in the version that wrote the file. TensorFlow and PyTorch come in one version: both promise to
//! read the files of earlier ones, and each takes a gigabyte or more.

use super::{Pins, numbers};

const PYTHONS: &[&str] = &["3.11", "3.12", "3.13"];
/// What reads files of TensorFlow and of Keras.
const TENSORFLOW: &str = "2.21.0";
/// Keras 2, as it is kept up; its versions go with TensorFlow's.
const TF_KERAS: &str = "2.21.0";
const NEWEST_KERAS: &str = "3.15.1";
const TORCH: &str = "2.15.0";
/// What TensorFlow and its converter import.
const AROUND_TENSORFLOW: &[&str] = &[
    "tf2onnx==1.17.0",
    "onnx==1.23.2",
    "protobuf==7.36.2",
    "numpy==2.4.6",
    "ml-dtypes==0.6.0",
    "h5py==3.14.0",
    "absl-py==2.5.1",
    "astunparse==1.6.3",
    "dm-tree==0.1.10",
    "flatbuffers==25.12.19",
    "gast==0.7.0",
    "google-pasta==0.2.0",
    "grpcio==1.85.3",
    "namex==0.1.0",
    "opt-einsum==3.4.0",
    "optree==0.20.0",
    "packaging==26.4",
    "rich==15.0.0",
    "pygments==2.21.0",
    "markdown-it-py==4.3.0",
    "mdurl==0.1.2",
    "requests==2.34.2",
    "urllib3==2.8.0",
    "idna==3.20",
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "six==1.17.0",
    "termcolor==3.3.0",
    "typing-extensions==4.16.0",
    "wheel==0.48.0",
    "wrapt==2.5.2",
];
/// What converts for PyTorch.
const AROUND_TORCH: &[&str] = &[
    "onnx==1.23.2",
    "onnxscript==0.7.2",
    "onnx-ir==1.1.0",
    "numpy==2.4.6",
    "protobuf==7.36.2",
    "ml-dtypes==0.6.0",
];

/// What a network needs; `None` for what is none.
///
/// # Errors
/// A sentence, when the file is of a version that nothing here reads.
pub(super) fn pins(framework: &str, version: Option<&str>) -> Option<Result<Pins, String>> {
    let newest = match framework {
        "keras" => NEWEST_KERAS,
        "tf-keras" => TF_KERAS,
        "tensorflow" => TENSORFLOW,
        "torch" => TORCH,
        _ => return None,
    };
    let version = version.unwrap_or(newest);
    match (numbers(version), numbers(newest)) {
        (Some(own), Some(known)) if own <= known => {}
        (Some(_), _) => {
            let said = format!(
                "the file was written by {framework} {version}, environments are known up to {newest}"
            );
            return Some(Err(said));
        }
        (None, _) => return Some(Err(format!("{version:?} is no released version of {framework}"))),
    }
    let is_torch = framework == "torch";
    let keras = if framework == "keras" { version } else { NEWEST_KERAS };
    let first = match is_torch {
        true => vec![format!("torch=={TORCH}")],
        false => vec![
            format!("tensorflow-cpu=={TENSORFLOW}"),
            format!("keras=={keras}"),
            format!("tf-keras=={TF_KERAS}"),
        ],
    };
    let around = if is_torch { AROUND_TORCH } else { AROUND_TENSORFLOW };
    let packages = first.into_iter().chain(around.iter().map(|one| (*one).to_owned())).collect();
    Some(Ok(Pins { pythons: PYTHONS, packages, is_resolved: is_torch }))
}
