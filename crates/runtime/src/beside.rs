//! What lies beside the runtime on a host that is not a platform of ours. Everything is found by its place, so that the same files work
//! everywhere; where a variable says another place, that one is meant.
//!
//! | what | variable | place |
//! |---|---|---|
//! | the artifact | `MODELET_ARTIFACT` | the folder of this program, else the host's usual one |
//! | packages | `MODELET_PACKAGES` | `packages` in the artifact's folder |
//! | ONNX Runtime | `MODELET_ONNXRUNTIME` | `lib/libonnxruntime.so` there |
//! | Python | `MODELET_PYTHON` | that of AWS Lambda's managed runtimes, the one on the `PATH`, the system's |

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use modelet_core::instance::{ENV_ONNXRUNTIME, ENV_PACKAGES, ENV_PYTHON, shipped};
use modelet_core::{ArtifactCard, Code, FunctionError};

/// Where AWS Lambda's managed runtimes have their Python.
const LAMBDA_FOLDER: &str = "/var/lang/bin";
/// Where systems and images have theirs.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/local/bin", "/usr/bin"];

/// This program's file. Where there is no `/proc`, what it was started as says it, as a shell looks for programs.
pub fn program() -> Option<PathBuf> {
    let started_as = || named(&PathBuf::from(std::env::args_os().next()?), std::env::var_os("PATH"));
    std::env::current_exe().ok().or_else(started_as)
}

/// The program of a name or a path.
fn named(name: &Path, path: Option<OsString>) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return std::path::absolute(name).ok();
    }
    let path = path.unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The folder of this program, where that is an artifact's.
pub fn artifact() -> Option<PathBuf> {
    let folder = program()?.parent()?.to_owned();
    folder.join(ArtifactCard::FILE_NAME).is_file().then_some(folder)
}

/// The folder of an artifact's packages, if it has some.
pub fn packages(var: impl Fn(&str) -> Option<OsString>, artifact: &Path) -> Option<PathBuf> {
    let beside = || Some(artifact.join(shipped::PACKAGES)).filter(|folder| folder.is_dir());
    var(ENV_PACKAGES).map(PathBuf::from).or_else(beside)
}

/// The library of ONNX Runtime, if there is one.
pub fn onnxruntime(var: impl Fn(&str) -> Option<OsString>, artifact: &Path) -> Option<PathBuf> {
    let beside = || Some(artifact.join(shipped::ONNXRUNTIME)).filter(|library| library.is_file());
    var(ENV_ONNXRUNTIME).map(PathBuf::from).or_else(beside)
}

/// The interpreter of code that needs a Python.
///
/// # Errors
/// `python-missing`, with the places that were looked at.
pub fn python(var: impl Fn(&str) -> Option<OsString>, version: &str) -> Result<PathBuf, FunctionError> {
    if let Some(named) = var(ENV_PYTHON) {
        return Ok(named.into());
    }
    let path = var("PATH").unwrap_or_default();
    let folders = [LAMBDA_FOLDER.into()].into_iter().chain(std::env::split_paths(&path));
    let folders = folders.chain(SYSTEM_FOLDERS.map(PathBuf::from)).filter(|folder| folder.is_absolute());
    let name = format!("python{version}");
    let found = folders.map(|folder| folder.join(&name)).find(|program| program.is_file());
    found.ok_or_else(|| {
        let message = format!(
            "there is no {name}: it was looked for in {LAMBDA_FOLDER}, on the PATH, and in {}",
            SYSTEM_FOLDERS.join(" and ")
        );
        FunctionError::new(Code::PythonMissing, message).hint(format!(
            "use an image, or a runtime of the host, with Python {version}; or name one in {ENV_PYTHON}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_an_artifact_is_found_and_a_variable_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = |_: &str| None;
        assert_eq!((packages(nothing, folder.path()), onnxruntime(nothing, folder.path())), (None, None));
        let (own, library) = (folder.path().join("packages"), folder.path().join("lib/libonnxruntime.so"));
        std::fs::create_dir(&own).unwrap();
        std::fs::create_dir(library.parent().unwrap()).unwrap();
        std::fs::write(&library, "").unwrap();
        assert_eq!(packages(nothing, folder.path()), Some(own));
        assert_eq!(onnxruntime(nothing, folder.path()), Some(library));
        let elsewhere = |_: &str| Some("/elsewhere".into());
        assert_eq!(packages(elsewhere, folder.path()), Some("/elsewhere".into()));
        assert_eq!(onnxruntime(elsewhere, folder.path()), Some("/elsewhere".into()));
    }

    #[test]
    fn a_python_is_found_by_its_version_or_it_is_said_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("python3.99");
        let path = |name: &str| (name == "PATH").then(|| folder.path().into());
        let error = python(path, "3.99").unwrap_err();
        assert!(error.message.starts_with("there is no python3.99: it was looked for in /var/lang/bin"));
        std::fs::write(&program, "").unwrap();
        assert_eq!(python(path, "3.99").unwrap(), program);
        let named = |name: &str| (name == ENV_PYTHON).then(|| "/mine".into());
        assert_eq!(python(named, "3.99").unwrap(), Path::new("/mine"));
    }

    #[test]
    fn this_program_knows_its_file() {
        let own = program().unwrap();
        assert!(own.is_file());
        let (folder, name) = (own.parent().unwrap(), Path::new(own.file_name().unwrap()));
        assert_eq!(named(name, Some(folder.into())).as_ref(), Some(&own));
        assert_eq!(named(&own, None).as_ref(), Some(&own));
        assert_eq!(named(name, None), None);
        assert_eq!(artifact(), None, "no artifact lies beside a test");
    }
}
