//! What `uv` notes of this machine and this moment beside a package that it installed from a file or a repository: removed, so that the
//! same packages are the same bytes wherever they were installed, and nobody's folders travel with them.
//!
//! The notes are those of <https://packaging.python.org/specifications/direct-url/> and `uv`'s own of what it keeps in its cache; what
//! was installed is listed in `RECORD`, of <https://packaging.python.org/specifications/recording-installed-packages/>.

use std::fs;
use std::io;
use std::path::Path;

/// The ending of folders that say what was installed.
const METADATA: &str = ".dist-info";
/// The notes in them.
const NOTES: [&str; 2] = ["direct_url.json", "uv_cache.json"];
/// The list of files in them.
const RECORD: &str = "RECORD";

/// Removes them from a folder of packages.
pub fn remove(packages: &Path) -> io::Result<()> {
    for entry in fs::read_dir(packages)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(METADATA) {
            of_one(&entry.path())?;
        }
    }
    Ok(())
}

fn of_one(metadata: &Path) -> io::Result<()> {
    let mut found = false;
    for note in NOTES {
        match fs::remove_file(metadata.join(note)) {
            Ok(()) => found = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if !found {
        return Ok(());
    }
    let folder = metadata.file_name().unwrap_or_default().to_string_lossy();
    let is_note = |line: &str| NOTES.iter().any(|note| line.starts_with(&format!("{folder}/{note},")));
    let record = metadata.join(RECORD);
    let kept: String =
        fs::read_to_string(&record)?.split_inclusive('\n').filter(|line| !is_note(line)).collect();
    // A new file: others may share the old one.
    fs::remove_file(&record)?;
    fs::write(&record, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_removed_and_no_longer_listed() {
        let packages = tempfile::tempdir().unwrap();
        let at = |path: &str| packages.path().join(path);
        fs::create_dir(at("own-1.0.dist-info")).unwrap();
        fs::create_dir(at("other-1.0.dist-info")).unwrap();
        fs::write(at("other-1.0.dist-info/RECORD"), "other.py,,\n").unwrap();
        fs::write(at("own-1.0.dist-info/direct_url.json"), "{}").unwrap();
        fs::write(
            at("own-1.0.dist-info/RECORD"),
            "own-1.0.dist-info/RECORD,,\nown-1.0.dist-info/direct_url.json,sha256=a,2\nown.py,,\n",
        )
        .unwrap();
        fs::hard_link(at("own-1.0.dist-info/RECORD"), at("shared")).unwrap();
        remove(packages.path()).unwrap();
        assert!(!at("own-1.0.dist-info/direct_url.json").exists());
        let record = fs::read_to_string(at("own-1.0.dist-info/RECORD")).unwrap();
        assert_eq!(record, "own-1.0.dist-info/RECORD,,\nown.py,,\n");
        assert!(fs::read_to_string(at("shared")).unwrap().contains("direct_url"), "another environment's");
        assert_eq!(fs::read_to_string(at("other-1.0.dist-info/RECORD")).unwrap(), "other.py,,\n");
    }
}
