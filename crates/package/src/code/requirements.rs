//! The file that says which packages code needs.

use std::fs;
use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError};

use crate::given::unreadable;

/// Largest such file, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// What conda wrote.
const OF_CONDA: [&str; 4] = ["environment.yml", "environment.yaml", "conda.yml", "conda.yaml"];

/// Which packages code needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// The file.
    pub file: PathBuf,
    /// What it is.
    pub form: Form,
    /// Its content, and that of what it was made of.
    pub text: String,
}

/// What says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `requirements.txt`.
    RequirementsTxt,
    /// `pyproject.toml`.
    Pyproject,
    /// `pyproject.toml` with `uv.lock` beside it.
    UvLock,
}

/// Looks for it beside the code. A lock goes before what it was made of.
///
/// # Errors
/// `handler-refused` where only conda's is there.
pub fn find(folder: &Path) -> Result<Option<Requirements>, FunctionError> {
    let (pyproject, lock) = (folder.join("pyproject.toml"), folder.join("uv.lock"));
    let requirements = folder.join("requirements.txt");
    if requirements.is_file() {
        return Ok(Some(Requirements {
            text: read(&requirements)?,
            file: requirements,
            form: Form::RequirementsTxt,
        }));
    }
    if pyproject.is_file() {
        let text = read(&pyproject)?;
        if lock.is_file() {
            return Ok(Some(Requirements {
                text: text + &read(&lock)?,
                file: pyproject,
                form: Form::UvLock,
            }));
        }
        // One that only sets up tools says nothing of packages.
        if text.lines().any(|line| line.trim_start().starts_with("[project]")) {
            return Ok(Some(Requirements { text, file: pyproject, form: Form::Pyproject }));
        }
    }
    match OF_CONDA.iter().find(|name| folder.join(name).is_file()) {
        None => Ok(None),
        Some(name) => Err(FunctionError::new(
            Code::HandlerRefused,
            format!("{name} lists conda's packages, and those of the Python Package Index are what goes along"),
        )
        .hint("list them in requirements.txt beside it, by their names on PyPI: pip list --format=freeze shows those of an environment")),
    }
}

fn read(path: &Path) -> Result<String, FunctionError> {
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if size > MAX_BYTES {
        let message = format!("{} has {size} bytes, the limit is {MAX_BYTES}", path.display());
        return Err(FunctionError::new(Code::HandlerRefused, message));
    }
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_goes_first_and_conda_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let form = || find(path).unwrap().map(|found| found.form);
        assert_eq!(form(), None);
        fs::write(path.join("environment.yml"), "dependencies: [numpy]").unwrap();
        assert!(find(path).unwrap_err().hint.unwrap().contains("requirements.txt"));
        fs::write(path.join("pyproject.toml"), "[tool.ruff]\n").unwrap();
        assert!(find(path).is_err());
        fs::write(path.join("pyproject.toml"), "[project]\nname = \"x\"\n").unwrap();
        assert_eq!(form(), Some(Form::Pyproject));
        fs::write(path.join("uv.lock"), "version = 1\n").unwrap();
        assert_eq!(form(), Some(Form::UvLock));
        fs::write(path.join("requirements.txt"), "numpy\n").unwrap();
        assert_eq!(form(), Some(Form::RequirementsTxt));
    }
}
