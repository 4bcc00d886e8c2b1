//! Where the shared library of ONNX Runtime is looked for, and what makes it fit.
//!
//! Exactly one version is used. Int8 results differ between versions by up to 3e-2, so the version belongs to a deploy;
//! and wheels from 1.29.0 on start a telemetry uploader as soon as the environment is made.

mod elf;

use std::fmt;
use std::path::{Path, PathBuf};

use modelet_core::Processor;

/// The version of ONNX Runtime that is used.
pub const PINNED: &str = "1.28.0";
/// The library's file name, in the wheel and in our cache.
pub const FILE_NAME: &str = "libonnxruntime.so.1.28.0";
/// The folder of our cache that it is installed into, below the cache folder.
pub const CACHE_FOLDER: &str = "engines/onnxruntime-1.28.0";
/// The library's path inside the wheel.
pub const PATH_IN_WHEEL: &str = "onnxruntime/capi/libonnxruntime.so.1.28.0";
/// Files of the wheel that go beside the library, as its licence asks.
pub const NOTICES_IN_WHEEL: &[&str] = &["onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"];

/// A wheel on PyPI that carries the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    /// What the library is made for.
    pub processor: Processor,
    /// The file's name.
    pub file_name: &'static str,
    /// SHA-256 of the wheel, hexadecimal.
    pub sha256: &'static str,
    /// SHA-256 of the library in it.
    pub library_sha256: &'static str,
}

/// The wheels, one for each processor.
pub const WHEELS: &[Wheel] = &[
    Wheel {
        processor: Processor::X86_64,
        file_name: "onnxruntime-1.28.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        sha256: "a166b78ee04f3a37fa1ef82034b6a3ce96d9684e582d4d30b296de83e9998bb5",
        library_sha256: "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
    },
    Wheel {
        processor: Processor::Arm64,
        file_name: "onnxruntime-1.28.0-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
        sha256: "8d66f9ceb29909c70839e4e4fb3435c7b490050d8f162bd5f3aba4ca01ee517f",
        library_sha256: "23a37c2994bc273e1d59a4f49af6cba5bf1cfbc29f04907ec27df375aba50a7d",
    },
];

/// The places that are searched, in this order; those that do not apply are left empty.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The setting `MODELET_ONNXRUNTIME`: the library's path. Where it is given, nothing else is searched.
    pub setting: Option<PathBuf>,
    /// The folder of the artifact's files.
    pub artifact: Option<PathBuf>,
    /// The folder that holds the running executable.
    pub executable: Option<PathBuf>,
    /// modelet's cache folder, which holds `engines/`.
    pub cache: Option<PathBuf>,
    /// The folders of `PATH`: the first Python among them is searched.
    pub path: Vec<PathBuf>,
}

/// A kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The setting.
    Setting,
    /// The artifact.
    Artifact,
    /// Beside the executable.
    Executable,
    /// modelet's own cache.
    Cache,
    /// The Python on `PATH`.
    Python,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Setting => "the setting MODELET_ONNXRUNTIME",
            Self::Artifact => "the artifact",
            Self::Executable => "beside the executable",
            Self::Cache => "modelet's cache",
            Self::Python => "the Python on PATH",
        })
    }
}

/// A library that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it was found.
    pub place: Place,
    /// Its absolute path, links resolved.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
}

/// A place that held no library that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    /// Which place.
    pub place: Place,
    /// The file, or the folder that holds none.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.place, self.path.display(), self.reason)
    }
}

/// Finds the library.
///
/// # Errors
/// Every place that was searched, with the reason why it did not do.
pub fn locate(places: &Places) -> Result<Found, Vec<Searched>> {
    if let Some(setting) = &places.setting {
        // What was asked for by name is used or refused, never replaced.
        return inspect(Place::Setting, setting).map_err(|searched| vec![searched]);
    }
    let python = places.path.iter().find(|folder| folder.join("python3").exists());
    let candidates = [
        (Place::Artifact, places.artifact.clone()),
        (Place::Executable, places.executable.clone()),
        (Place::Cache, places.cache.as_ref().map(|cache| cache.join(CACHE_FOLDER))),
        (Place::Python, python.map(|folder| python_folder(folder))),
    ];
    let mut searched = Vec::new();
    for (place, folder) in candidates {
        let Some(folder) = folder else { continue };
        match libraries(&folder).first() {
            None => {
                searched.push(Searched { place, path: folder, reason: "holds no libonnxruntime.so".into() });
            }
            Some(library) => match inspect(place, library) {
                Ok(found) => return Ok(found),
                Err(reason) => searched.push(reason),
            },
        }
    }
    Err(searched)
}

/// The version of a library file.
///
/// # Errors
/// A sentence that says why it is not the library that we use; it starts with a verb.
pub fn version(path: &Path) -> Result<String, String> {
    let version = elf::onnxruntime_version(path)?;
    if version == PINNED {
        return Ok(version);
    }
    Err(format!(
        "is ONNX Runtime {version}; modelet uses {PINNED} and no other, because results differ between versions and \
         wheels from 1.29.0 on send telemetry"
    ))
}

/// Checks the bytes of a file against a SHA-256, hexadecimal; done when a library is installed, since it takes as long as
/// reading the file.
///
/// # Errors
/// A sentence that says what differs; it starts with a verb.
pub fn verify(path: &Path, sha256: &str) -> Result<(), String> {
    let content = std::fs::File::open(path).and_then(modelet_core::digest::sha256);
    let (_, found) = content.map_err(|error| format!("cannot be read: {error}"))?;
    if found == sha256 { Ok(()) } else { Err(format!("has the SHA-256 {found}, expected {sha256}")) }
}

fn inspect(place: Place, path: &Path) -> Result<Found, Searched> {
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match version(&resolved) {
        Ok(version) => Ok(Found { place, path: resolved, version }),
        Err(reason) => Err(Searched { place, path: path.to_owned(), reason }),
    }
}

/// The libraries in a folder, the pinned one first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> =
        names.filter(|name| name.to_string_lossy().starts_with("libonnxruntime.so")).collect();
    names.sort_by_key(|name| (name != FILE_NAME, name.clone()));
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Where pip puts the library for the Python whose programs are in a folder.
fn python_folder(programs: &Path) -> PathBuf {
    let root = programs.parent().unwrap_or(programs);
    let in_version = |entry: std::fs::DirEntry| entry.path().join("site-packages/onnxruntime/capi");
    let versions = std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten();
    versions.map(in_version).find(|folder| folder.exists()).unwrap_or_else(|| root.join("lib"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_for_every_place() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join(FILE_NAME);
        std::fs::write(&text, "not a library").unwrap();
        let places = Places {
            artifact: Some(folder.path().join("nothing")),
            executable: Some(folder.path().to_owned()),
            ..Places::default()
        };
        let searched = locate(&places).unwrap_err();
        let lines: Vec<_> = searched.iter().map(Searched::to_string).collect();
        assert!(lines[0].ends_with("nothing holds no libonnxruntime.so"), "{lines:?}");
        assert!(lines[1].ends_with("is not a shared library"), "{lines:?}");
    }

    #[test]
    fn the_setting_is_used_or_refused_never_replaced() {
        let places = Places {
            setting: Some("/nowhere/libonnxruntime.so".into()),
            cache: Some("/".into()),
            ..Places::default()
        };
        let searched = locate(&places).unwrap_err();
        assert_eq!(searched.len(), 1);
        assert!(searched[0].reason.starts_with("cannot be read"), "{}", searched[0].reason);
    }

    #[test]
    fn a_python_environment_is_searched() {
        let root = tempfile::tempdir().unwrap();
        let capi = root.path().join("lib/python3.12/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::fs::write(root.path().join("bin/python3"), "").unwrap();
        std::fs::write(capi.join("libonnxruntime.so.1.32.0"), "").unwrap();
        let places = Places { path: vec![root.path().join("bin")], ..Places::default() };
        let searched = locate(&places).unwrap_err();
        assert_eq!(
            (searched[0].place, &searched[0].path),
            (Place::Python, &capi.join("libonnxruntime.so.1.32.0"))
        );
    }
}
