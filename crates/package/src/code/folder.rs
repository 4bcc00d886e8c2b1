//! Which files of a folder go along with its code: all, but for what is a tool's, or made anew.

use std::fs;
use std::path::Path;

use modelet_core::artifact::is_safe_path;
use modelet_core::{Code, FunctionError};

use crate::given::{MANIFEST_FILE, unreadable};

/// Most files of a folder.
pub const MAX_FILES: usize = 20_000;
/// Deepest folder in a folder.
const MAX_DEPTH: usize = 32;
/// Files above this size do not hold code.
const MAX_CODE_BYTES: u64 = 4 << 20;
/// Folders that hold nothing of the function's own.
const LEFT_OUT: [&str; 5] = ["__pycache__", "node_modules", "venv", "env", "catboost_info"];
/// What code that answers is made with; whatever has none of it need not be looked at.
const SIGNS: [&str; 11] = [
    "def lambda_handler",
    "def handler",
    "(event",
    "def predict",
    "def run",
    "functions_framework",
    "FastAPI(",
    "Flask(",
    "application(",
    "mount_gradio_app(",
    "import gradio",
];

/// The files below a folder, relative to it and sorted. Left out: what begins with a dot, virtual environments, bytecode.
///
/// # Errors
/// `handler-refused`: too many, a link that leads elsewhere, a name that no artifact can hold.
pub fn files(folder: &Path) -> Result<Vec<String>, FunctionError> {
    let root = fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?;
    let mut found = Vec::new();
    look(&root, &root, "", 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn look(
    root: &Path,
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> Result<(), FunctionError> {
    let refused = |message: String| FunctionError::new(Code::HandlerRefused, message);
    if depth > MAX_DEPTH {
        return Err(refused(format!("{} has folders deeper than {MAX_DEPTH}", root.display())));
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let relative = format!("{prefix}{name}");
        if name.starts_with('.') || name.ends_with(".pyc") || depth == 0 && name == MANIFEST_FILE {
            continue;
        }
        let real = fs::canonicalize(&path).map_err(|error| unreadable(&path, &error))?;
        if !real.starts_with(root) {
            return Err(refused(format!("{} is a link that leads out of the folder", path.display()))
                .hint("put what it leads to into the folder"));
        }
        if real.is_dir() {
            let is_environment = LEFT_OUT.contains(&name.as_str()) || real.join("pyvenv.cfg").exists();
            if !is_environment {
                look(root, &real, &format!("{relative}/"), depth + 1, found)?;
            }
        } else if real.is_file() {
            if !is_safe_path(&relative) {
                return Err(refused(format!("{} has a name that cannot travel", path.display())));
            }
            found.push(relative);
        }
        if found.len() > MAX_FILES {
            return Err(refused(format!("{} has more than {MAX_FILES} files", root.display()))
                .hint("deploy a folder that holds the function alone"));
        }
    }
    Ok(())
}

/// Whether a file may define what answers: a look at its text, so that no Python is started for a script that trains.
pub(crate) fn may_answer(path: &Path) -> bool {
    let is_small = fs::metadata(path).is_ok_and(|file| file.len() <= MAX_CODE_BYTES);
    is_small && fs::read_to_string(path).is_ok_and(|text| SIGNS.iter().any(|sign| text.contains(sign)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn tools_folders_and_secrets_stay_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for file in [
            "app.py",
            "lib/part.py",
            ".env",
            ".git/config",
            "__pycache__/app.pyc",
            "py/pyvenv.cfg",
            "py/lib.py",
        ] {
            let place = path.join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, "").unwrap();
        }
        symlink("app.py", path.join("alias.py")).unwrap();
        assert_eq!(files(path).unwrap(), ["alias.py", "app.py", "lib/part.py"]);
        symlink("/etc/hostname", path.join("host")).unwrap();
        assert!(files(path).unwrap_err().message.contains("leads out of the folder"));
    }
}
