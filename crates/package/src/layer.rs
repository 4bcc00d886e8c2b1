//! Packages as a tar of their own: the same from the same files, whatever the folder and the clock.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use modelet_core::artifact::is_safe_path;

use crate::artifact::{Hashing, append, mode};
use crate::shipment::is_program;

/// What `uv` and pip put beside packages, and no code needs: programs for a shell, and a lock of the folder.
const LEFT_OUT: [&str; 2] = ["bin", ".lock"];

/// The ending of folders that say what was installed.
pub const METADATA: &str = ".dist-info";

/// SHA-256 of the tar, hexadecimal, and the bytes of the files in it.
pub fn digest(folder: &Path) -> io::Result<(String, u64)> {
    let (sha256, size_bytes) = write(folder, io::sink())?;
    Ok((sha256, size_bytes))
}

/// Writes the tar to a file.
pub fn pack(folder: &Path, target: &Path) -> io::Result<(String, u64)> {
    write(folder, BufWriter::new(File::create(target)?))
}

/// When a file of a folder of packages was written last.
pub fn written_at(folder: &Path) -> io::Result<SystemTime> {
    let mut written = listed(folder)?.into_iter().map(|file| fs::metadata(file.place)?.modified());
    written.try_fold(SystemTime::UNIX_EPOCH, |last, at| Ok(last.max(at?)))
}

/// The largest parts of a folder of packages, by name, in bytes; the largest first.
pub fn largest(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.contains(&name.as_str()) || name.ends_with(METADATA) {
            continue;
        }
        let size = files(&entry.path(), 0)?.iter().map(|(_, size)| size).sum();
        // The libraries of a wheel lie beside it: `numpy.libs`.
        let name = name.strip_suffix(".libs").unwrap_or(&name).to_owned();
        match parts.iter_mut().find(|(known, _): &&mut (String, u64)| *known == name) {
            Some((_, sum)) => *sum += size,
            None => parts.push((name, size)),
        }
    }
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(parts)
}

/// A file of packages.
pub(crate) struct LayerFile {
    /// Its path in the folder, with `/`.
    pub(crate) path: String,
    /// Where it lies.
    pub(crate) place: PathBuf,
    pub(crate) size_bytes: u64,
    pub(crate) executable: bool,
}

/// The files of a folder of packages, sorted by path.
pub(crate) fn listed(folder: &Path) -> io::Result<Vec<LayerFile>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            all.extend(files(&entry.path(), 0)?);
        }
    }
    all.sort();
    let listed = |(place, size_bytes): (PathBuf, u64)| {
        let path = place.strip_prefix(folder).map_err(io::Error::other)?.to_string_lossy().into_owned();
        if !is_safe_path(&path) {
            return Err(io::Error::other(format!("{path:?} is a path that cannot travel")));
        }
        let executable = is_program(&fs::metadata(&place)?);
        Ok(LayerFile { path, place, size_bytes, executable })
    };
    all.into_iter().map(listed).collect()
}

fn write(folder: &Path, target: impl Write) -> io::Result<(String, u64)> {
    let mut tar = tar::Builder::new(Hashing::new(target));
    let mut total = 0;
    for file in listed(folder)? {
        append(&mut tar, &file.path, file.size_bytes, mode(file.executable), File::open(&file.place)?)?;
        total += file.size_bytes;
    }
    let mut hashing = tar.into_inner()?;
    hashing.flush()?;
    Ok((hashing.finish().0, total))
}

/// Deepest folder in a package.
const MAX_DEPTH: usize = 64;

/// The files below a path, with their sizes.
fn files(path: &Path, depth: usize) -> io::Result<Vec<(PathBuf, u64)>> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_file() {
        return Ok(vec![(path.to_owned(), metadata.len())]);
    }
    if !metadata.is_dir() || depth == MAX_DEPTH {
        return Err(io::Error::other(format!("{} is a link, or too deep a folder", path.display())));
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        found.extend(files(&entry?.path(), depth + 1)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_tar_wherever_they_lie() {
        let make = |names: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            for name in names {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name.as_bytes()).unwrap();
            }
            folder
        };
        let (one, other) = (make(&["a/b.py", "c.py", "bin/x"]), make(&["c.py", "a/b.py"]));
        assert_eq!(digest(one.path()).unwrap(), digest(other.path()).unwrap());
        assert_eq!(digest(one.path()).unwrap().1, 10);
        let tar = one.path().join("../layer-of-test.tar");
        assert_eq!(pack(one.path(), &tar).unwrap(), digest(one.path()).unwrap());
        let bytes = fs::read(&tar).unwrap();
        fs::remove_file(&tar).unwrap();
        let read = modelet_core::digest::sha256(bytes.as_slice()).unwrap();
        assert_eq!(read.1, digest(one.path()).unwrap().0);
        assert_eq!(largest(one.path()).unwrap()[0], ("a".to_owned(), 6));
    }
}
