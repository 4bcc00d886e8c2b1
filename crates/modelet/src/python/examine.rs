//! Reads Python files with a Python: only its parser looks at them.

use std::path::PathBuf;
use std::time::Duration;

use modelet_core::{Code, FunctionError};
use modelet_package::code::Examiner;
use modelet_package::code::facts::{Facts, SCRIPT};
use modelet_worker::once::run_once;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::interpreter::Interpreter;
use super::versions;

/// Reading files may take this long.
const LIMIT: Duration = Duration::from_secs(60);

/// The Python that reads, found once in the life of this process.
static READER: OnceCell<Interpreter> = OnceCell::const_new();

/// Reads with whatever Python there is. It waits for a process: not for the thread that drives it.
pub struct Examination {
    /// Drives the process.
    pub handle: Handle,
}

impl Examiner for Examination {
    fn examine(&self, files: &[PathBuf]) -> Result<Vec<Facts>, FunctionError> {
        let failed = |why: String| {
            FunctionError::new(Code::HandlerRefused, format!("the code could not be read: {why}"))
        };
        self.handle.block_on(async {
            let python = READER.get_or_try_init(versions::any).await.map_err(|why| {
                FunctionError::new(Code::PythonMissing, why).hint("install Python, or uv, which brings it")
            })?;
            let mut args = ["-I", "-S", "-c", SCRIPT].map(Into::into).to_vec();
            args.extend(files.iter().map(Into::into));
            let finished = run_once(&python.program, &args, &[], LIMIT).await;
            let finished = finished.map_err(|error| failed(error.to_string()))?;
            serde_json::from_str(&finished.stdout).map_err(|_| {
                let said = finished.stderr.lines().last().unwrap_or("nothing");
                failed(format!("Python {} and said: {said}", finished.ending))
            })
        })
    }
}
