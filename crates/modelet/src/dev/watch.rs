//! What the files of a function are like at a moment, and what has changed since another one.
//!
//! They are looked at again and again, and not watched by inotify: that needs no further crate, and sees what changes on network
//! disks and through mounts of containers, whose events get lost. A look at a hundred files takes about a millisecond.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use modelet_package::code::folder;
use modelet_package::given::MANIFEST_FILE;

use super::burst::Burst;

/// The pause between two looks …
const PAUSE: Duration = Duration::from_millis(50);
/// … and at least so many times what a look took: of a large folder as well most of the time is nobody's.
const REST: u32 = 10;
/// What counts in a folder beside the files that go along.
const BESIDE: [&str; 2] = [MANIFEST_FILE, ".python-version"];
/// What counts beside a single file.
const BESIDE_A_FILE: [&str; 5] =
    ["requirements.txt", "pyproject.toml", "uv.lock", "environment.yml", ".python-version"];

/// What shows that a file was written: another inode, size or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size_bytes: u64,
    inode: u64,
}

/// The files at a moment, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look(BTreeMap<String, Stamp>);

impl Look {
    /// Names of files that are not as they were.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(before.0.keys()).collect();
        names.into_iter().filter(|name| self.0.get(*name) != before.0.get(*name)).cloned().collect()
    }

    /// Takes files over from another look that are new to this one.
    pub fn also(&mut self, other: &Self, names: &[String]) {
        for name in names {
            if let (Some(stamp), false) = (other.0.get(name), self.0.contains_key(name)) {
                self.0.insert(name.clone(), *stamp);
            }
        }
    }
}

/// Files that changed.
#[derive(Debug)]
pub struct Changed {
    /// Their names.
    pub names: Vec<String>,
    /// How the files were when it was over.
    pub look: Look,
    /// When the first of them was seen.
    pub since: Instant,
}

/// The files of what is deployed.
#[derive(Debug, Clone)]
pub struct Watch {
    path: PathBuf,
    /// Files elsewhere, which code names by absolute paths.
    pub outside: Vec<PathBuf>,
}

impl Watch {
    /// The files of a folder, or a file with those beside it that say which packages it needs.
    pub fn of(path: PathBuf) -> Self {
        Self { path, outside: Vec::new() }
    }

    /// Looks at all of them.
    pub async fn look(&self) -> Look {
        let watch = self.clone();
        // A panic aside it always ends.
        tokio::task::spawn_blocking(move || watch.look_now()).await.unwrap_or_default()
    }

    fn look_now(&self) -> Look {
        let mut places: Vec<(String, PathBuf)> = Vec::new();
        let beside = |folder: &Path, names: &[&str], places: &mut Vec<(String, PathBuf)>| {
            places.extend(names.iter().map(|name| ((*name).to_owned(), folder.join(name))));
        };
        if self.path.is_dir() {
            // What the packager refuses is told by the deploy that follows; it changes again when it is mended.
            let files = folder::files(&self.path).unwrap_or_default();
            places.extend(files.into_iter().map(|name| (name.clone(), self.path.join(name))));
            beside(&self.path, &BESIDE, &mut places);
        } else {
            let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            places.push((name, self.path.clone()));
            beside(self.path.parent().unwrap_or(Path::new("/")), &BESIDE_A_FILE, &mut places);
        }
        places.extend(self.outside.iter().map(|path| (path.display().to_string(), path.clone())));
        Look(places.into_iter().filter_map(|(name, place)| Some((name, stamp(&place)?))).collect())
    }

    /// Waits until files are not as they were, and nothing has changed for a moment.
    pub async fn changed(&self, before: &Look) -> Changed {
        let begin = Instant::now();
        let (mut burst, mut last) = (Burst::default(), before.clone());
        loop {
            let started = Instant::now();
            let look = self.look().await;
            let over = burst.looked(look != last, begin.elapsed());
            last = look;
            if let Some(first) = over {
                let names = last.changed_since(before);
                // Written, and written back.
                if !names.is_empty() {
                    return Changed { names, look: last, since: begin + first };
                }
            }
            tokio::time::sleep(PAUSE.max(started.elapsed() * REST)).await;
        }
    }
}

fn stamp(place: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(place).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), size_bytes: metadata.len(), inode: metadata.ino() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_along_is_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("app.py", "1");
        let watch = Watch::of(folder.path().to_owned());
        let before = watch.look_now();
        for name in [".git/index", "__pycache__/app.cpython-311.pyc", ".venv/bin/python", ".app.py.swp"] {
            write(name, "x");
        }
        assert_eq!(watch.look_now(), before);
        write("modelet.toml", "");
        write("lib/part.py", "");
        write("saved", "other");
        fs::rename(folder.path().join("saved"), folder.path().join("app.py")).unwrap();
        assert_eq!(watch.look_now().changed_since(&before), ["app.py", "lib/part.py", "modelet.toml"]);
    }

    #[test]
    fn a_single_file_comes_with_what_says_its_packages() {
        let folder = tempfile::tempdir().unwrap();
        let (app, other) = (folder.path().join("app.py"), folder.path().join("other.py"));
        fs::write(&app, "1").unwrap();
        let watch = Watch::of(app);
        let before = watch.look_now();
        fs::write(other, "1").unwrap();
        assert_eq!(watch.look_now(), before);
        fs::write(folder.path().join("requirements.txt"), "idna").unwrap();
        assert_eq!(watch.look_now().changed_since(&before), ["requirements.txt"]);
    }
}
