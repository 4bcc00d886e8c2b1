//! The file that says which packages code needs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError, digest};

use crate::code::folder::files;
use crate::given::unreadable;

/// Largest such file, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// What names another such file, in a line of one.
const OTHERS: [&str; 4] = ["-r", "--requirement", "-c", "--constraint"];
/// Files that name files that name files: so deep, and no deeper.
const MAX_DEPTH: usize = 8;
/// What conda wrote.
const OF_CONDA: [&str; 4] = ["environment.yml", "environment.yaml", "conda.yml", "conda.yaml"];

/// Which packages code needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// The file.
    pub file: PathBuf,
    /// What it is.
    pub form: Form,
    /// Its content, and that of what belongs to it: files that it names, wheels beside it, its lock.
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
            text: whole(&requirements, 0)? + &wheels(folder)?,
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
            return Ok(Some(Requirements {
                text: text + &wheels(folder)?,
                file: pyproject,
                form: Form::Pyproject,
            }));
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

/// A requirements file with those that it names. One that is not there is left to `uv`, which has words for it.
fn whole(path: &Path, depth: usize) -> Result<String, FunctionError> {
    let mut text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = |line: &str| {
        let (option, name) = line.trim().split_once([' ', '='])?;
        OTHERS.contains(&option).then(|| folder.join(name.trim()))
    };
    let others: Vec<PathBuf> = text.lines().filter_map(named).filter(|other| other.is_file()).collect();
    if depth < MAX_DEPTH {
        for other in others {
            text += &whole(&other, depth + 1)?;
        }
    }
    Ok(text)
}

/// What the wheels in a folder are, however they are named in what asks for packages.
fn wheels(folder: &Path) -> Result<String, FunctionError> {
    let mut found = String::new();
    for name in files(folder)?.iter().filter(|name| name.ends_with(".whl")) {
        let path = folder.join(name);
        let summed = File::open(&path).and_then(digest::sha256);
        let (_, sha256) = summed.map_err(|error| unreadable(&path, &error))?;
        found += &format!("\n{name} {sha256}");
    }
    Ok(found)
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

    #[test]
    fn what_a_file_names_belongs_to_it_and_so_do_wheels_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let text = || find(path).unwrap().unwrap().text;
        fs::create_dir_all(path.join("more")).unwrap();
        fs::write(path.join("requirements.txt"), "--requirement=more/base.txt\n-r gone.txt\nx\n").unwrap();
        fs::write(path.join("more/base.txt"), "-c limits.txt\nnumpy\n").unwrap();
        fs::write(path.join("more/limits.txt"), "numpy<2\n").unwrap();
        assert!(text().contains("numpy<2"));
        fs::write(path.join("more/x-1-py3-none-any.whl"), "one").unwrap();
        let before = text();
        fs::write(path.join("more/x-1-py3-none-any.whl"), "two").unwrap();
        assert_ne!(text(), before);
        fs::write(path.join("more/base.txt"), "-r base.txt\n").unwrap();
        assert!(text().len() < 1_000, "one that names itself has an end");
    }
}
