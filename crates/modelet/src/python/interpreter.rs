//! What a Python has: where it lies, where its packages are, and which versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_core::certificate::Library;
use modelet_worker::once::run_once;
use serde::Deserialize;

/// A Python says what it has within this time.
const LIMIT: Duration = Duration::from_secs(60);
/// Imports nothing but the standard library: what packages are there is read from their metadata.
const QUESTION: &str = r#"
import importlib.metadata, json, os, site, sys
def version(*names):
    for name in names:
        try: return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError: pass
own = site.getusersitepackages()
if os.path.isdir(own) and sys.prefix == sys.base_prefix: sys.path.append(own)
names = {name: [name] for name in ["lightgbm", "catboost", "scikit-learn", "numpy", "keras", "tf-keras", "torch"]}
names |= {name: [name] for name in ["tf2onnx", "onnxscript"]}
names["xgboost"] = ["xgboost", "xgboost-cpu"]
names["tensorflow"] = ["tensorflow", "tensorflow-cpu"]
found = [{"name": name, "version": version(*known)} for name, known in names.items() if version(*known)]
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "program": os.path.realpath(sys.executable), "prefix": os.path.realpath(sys.base_prefix),
    "paths": [os.path.realpath(path) for path in sys.path if os.path.isdir(path)], "libraries": found}))
"#;

/// A Python.
#[derive(Debug, Clone, Deserialize)]
pub struct Interpreter {
    /// Its version, such as `3.11`.
    pub version: String,
    /// The program itself, behind all links.
    pub program: PathBuf,
    /// Where its standard library lies below.
    pub prefix: PathBuf,
    /// Where it looks for packages.
    pub paths: Vec<PathBuf>,
    /// Frameworks and converters that it has.
    pub libraries: Vec<Library>,
}

impl Interpreter {
    /// Asks a Python. The error says why it is none.
    pub async fn ask(python: &Path) -> Result<Self, String> {
        let args = ["-I", "-c", QUESTION].map(Into::into);
        let finished = run_once(python, &args, &[], LIMIT).await;
        let finished = finished.map_err(|error| format!("{} cannot be run: {error}", python.display()))?;
        let last = finished.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|_| {
            let said = finished.stderr.lines().last().unwrap_or("nothing");
            format!("{} is no Python from 3.8 on: it {} and said: {said}", python.display(), finished.ending)
        })
    }
}
