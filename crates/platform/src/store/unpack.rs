//! Unpacks what came over the wire: plain files with safe names, and nothing else that a tar can hold.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use modelet_core::artifact::is_safe_path;

/// Most files in a tar.
const MAX_FILES: usize = 100_000;
/// Longest name that a tar may state in an entry of its own, in bytes.
const MAX_NAME_BYTES: u64 = 4 << 10;
/// What the tar says of its files that is kept: whether they are programs.
const PROGRAM: u32 = 0o111;

/// Unpacks a tar into a folder, and gives the paths of its files. Refused: links, devices, `..`, too many files.
pub(super) fn unpack(upload: &Path, folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut archive = tar::Archive::new(BufReader::new(File::open(upload)?));
    let mut paths = BTreeSet::new();
    let mut long_name = None;
    // Raw: the crate would read an extension of any size into memory before it shows the entry.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind == tar::EntryType::GNULongName && entry.size() <= MAX_NAME_BYTES {
            let mut name = String::new();
            entry.read_to_string(&mut name)?;
            long_name = Some(name.trim_end_matches('\0').to_owned());
            continue;
        }
        let own = || String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = long_name.take().unwrap_or_else(own);
        if kind != tar::EntryType::Regular || !is_safe_path(&path) {
            return Err(io::Error::other(format!("{path:?} is not a plain file with a relative path")));
        }
        let target = folder.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let is_program = entry.header().mode()? & PROGRAM != 0;
        let mut file = File::options().write(true).create_new(true).open(&target)?;
        io::copy(&mut entry, &mut file)?;
        if is_program {
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
        paths.insert(path);
        if paths.len() > MAX_FILES {
            return Err(io::Error::other(format!("it has more than {MAX_FILES} files")));
        }
    }
    Ok(paths)
}

/// Puts every file and folder on the disk, folders after what is in them.
pub(super) fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}
