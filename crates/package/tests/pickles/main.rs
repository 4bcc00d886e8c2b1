//! Inspection of Python model files: real ones, hostile ones and damaged ones. `make.py` wrote the real ones.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as it says")]

mod assemble;
mod content;
mod damaged;
mod hostile;
mod joblib;
mod real;
mod skops;

use std::path::{Path, PathBuf};

use modelet_core::FunctionError;
use modelet_package::pickle::{Inspection, inspect};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pickles/files").join(name)
}

/// Inspects these bytes as a file.
fn inspect_bytes(bytes: &[u8]) -> Result<Option<Inspection>, FunctionError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pkl");
    std::fs::write(&path, bytes).unwrap();
    inspect(&path)
}

/// What is said of bytes that must not be trusted: the unknown things, or the error.
fn distrusted(bytes: &[u8]) -> String {
    match inspect_bytes(bytes) {
        Err(error) => error.message,
        Ok(Some(inspection)) => {
            let unknown = inspection.unknown().join("; ");
            assert!(!unknown.is_empty(), "trusted: {inspection:?}");
            unknown
        }
        Ok(None) => panic!("not taken for a pickle: {bytes:?}"),
    }
}
