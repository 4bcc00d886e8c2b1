//! What was installed, made the same bytes wherever and whenever that was, so that nobody's folders travel and two machines make one
//! artifact.
//!
//! - What `uv` notes of this machine beside a package is removed: where a file or a repository came from
//!   (<https://packaging.python.org/specifications/direct-url/>), and `uv`'s own note of its cache.
//! - So is what `RECORD` lists of that and of programs for a shell, which name this machine's Python and do not travel
//!   (<https://packaging.python.org/specifications/recording-installed-packages/>).
//! - Bytecode names its source as instances see it; see the script.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use modelet_core::handler::PACKAGES_FOLDER;
use modelet_package::layer::METADATA;
use modelet_worker::once::run_once;

/// Compiles packages; its arguments are their folder, and where instances see it.
const SCRIPT: &str = include_str!("compile.py");
/// What `uv` notes in a folder that says what was installed.
const NOTES: [&str; 2] = ["direct_url.json", "uv_cache.json"];
/// The list of files in such a folder.
const RECORD: &str = "RECORD";
/// Programs for a shell, in a list.
const PROGRAMS: &str = "bin/";

/// Compiles packages by the Python that is to run them. The error is what it said.
pub async fn compile(python: &Path, packages: &Path, limit: Duration) -> Result<(), String> {
    let args = ["-s", "-S", "-W", "ignore", "-c", SCRIPT].map(OsString::from).into_iter();
    let args: Vec<_> = args.chain([packages.into(), PACKAGES_FOLDER.into()]).collect();
    // Before Python 3.11 bytecode depends on how texts are hashed. Empty is as if they were not set.
    let env = [("PYTHONHASHSEED", "0"), ("PYTHONPATH", ""), ("PYTHONHOME", ""), ("PYTHONOPTIMIZE", "")];
    let env = env.map(|(name, value)| (name.into(), value.into()));
    let finished = run_once(python, &args, &env, limit).await;
    let finished = finished.map_err(|error| format!("{} cannot be run: {error}", python.display()))?;
    if finished.code == Some(0) {
        return Ok(());
    }
    let said = finished.stderr.lines().last().unwrap_or("nothing").to_owned();
    Err(format!("the packages could not be compiled: Python {} and said: {said}", finished.ending))
}

/// Removes what is of this machine alone from a folder of packages.
pub fn clean(packages: &Path) -> io::Result<()> {
    for entry in fs::read_dir(packages)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(METADATA) {
            of_one(&entry.path())?;
        }
    }
    Ok(())
}

fn of_one(metadata: &Path) -> io::Result<()> {
    for note in NOTES {
        match fs::remove_file(metadata.join(note)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let record = metadata.join(RECORD);
    let listed = match fs::read_to_string(&record) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    let folder = metadata.file_name().unwrap_or_default().to_string_lossy();
    let notes = NOTES.map(|note| format!("{folder}/{note},"));
    let travels =
        |line: &&str| !line.starts_with(PROGRAMS) && !notes.iter().any(|note| line.starts_with(&**note));
    let kept: String = listed.split_inclusive('\n').filter(travels).collect();
    // A new file: others may share the old one.
    fs::remove_file(&record)?;
    fs::write(&record, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_this_machine_is_removed_and_no_longer_listed() {
        let packages = tempfile::tempdir().unwrap();
        let at = |path: &str| packages.path().join(path);
        fs::create_dir(at("own-1.0.dist-info")).unwrap();
        fs::create_dir(at("other-1.0.dist-info")).unwrap();
        fs::write(at("other-1.0.dist-info/RECORD"), "other.py,,\n").unwrap();
        fs::write(at("own-1.0.dist-info/direct_url.json"), "{}").unwrap();
        fs::write(
            at("own-1.0.dist-info/RECORD"),
            "own-1.0.dist-info/RECORD,,\nown-1.0.dist-info/direct_url.json,sha256=a,2\nbin/own,sha256=b,9\nown.py,,\n",
        )
        .unwrap();
        fs::hard_link(at("own-1.0.dist-info/RECORD"), at("shared")).unwrap();
        clean(packages.path()).unwrap();
        assert!(!at("own-1.0.dist-info/direct_url.json").exists());
        let record = fs::read_to_string(at("own-1.0.dist-info/RECORD")).unwrap();
        assert_eq!(record, "own-1.0.dist-info/RECORD,,\nown.py,,\n");
        assert!(fs::read_to_string(at("shared")).unwrap().contains("direct_url"), "another environment's");
        assert_eq!(fs::read_to_string(at("other-1.0.dist-info/RECORD")).unwrap(), "other.py,,\n");
    }
}
