//! What a host gets: an artifact, and beside it all that answers its calls. The runtime finds everything by its place.
//!
//! | path | what |
//! |---|---|
//! | `bootstrap` | the runtime, the program to start; AWS Lambda asks for this name |
//! | `artifact.json`, `files/` | the artifact |
//! | `packages/` | the packages of Python code |
//! | `lib/libonnxruntime.so` | ONNX Runtime, for a model that it computes |
//!
//! A shipment is a list; how it travels is written beside this:
//!
//! - [`zip`]: as a zip
//! - [`image`]: as a container image
//! - [`unzip`]: out of a zip that was written before
//! - [`standalone`]: as one program, which serves a model and needs nothing else

pub mod image;
pub mod standalone;
pub mod unzip;
pub mod zip;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use modelet_core::{ArtifactCard, Code, FunctionError, Processor};

pub use modelet_core::instance::shipped::{BOOTSTRAP, ONNXRUNTIME, PACKAGES};

use crate::layer;
use crate::source::Bundle;

/// What a host gets.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// The artifact's card.
    pub card: ArtifactCard,
    /// What its runtime and all beside it are made for.
    pub processor: Processor,
    /// Its parts: what changes seldom comes first.
    pub parts: Vec<Part>,
}

/// Files that change together.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its files, sorted by path.
    pub files: Vec<ShippedFile>,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// The program that answers.
    Runtime,
    /// A library that computes models.
    Engine,
    /// Packages of Python code.
    Packages,
    /// The artifact: the model or the code, and its card.
    Function,
}

impl PartKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Engine => "engine",
            Self::Packages => "packages",
            Self::Function => "function",
        }
    }
}

/// One file.
#[derive(Debug, Clone)]
pub struct ShippedFile {
    /// Its path, relative, with `/`.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// True for a program.
    pub executable: bool,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What is in a file of this machine.
    File(PathBuf),
}

/// A file that a shipment was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub size_bytes: u64,
}

/// What stands beside an artifact in a shipment.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The runtime's program.
    pub runtime: &'a Path,
    /// What that and the rest are made for.
    pub processor: Processor,
    /// The folder of its packages, where it has some.
    pub packages: Option<&'a Path>,
    /// The library of ONNX Runtime, where it needs one.
    pub onnxruntime: Option<&'a Path>,
}

impl Shipment {
    /// What a host gets of an artifact.
    ///
    /// # Errors
    /// `bad-artifact` for a file that is not there or cannot be read.
    pub fn of(card: ArtifactCard, bundle: &Bundle, beside: Beside<'_>) -> Result<Self, FunctionError> {
        let mut parts = vec![Part {
            kind: PartKind::Runtime,
            files: vec![one(beside.runtime, BOOTSTRAP, true).map_err(unread(beside.runtime))?],
        }];
        if let Some(library) = beside.onnxruntime {
            let file = one(library, ONNXRUNTIME, false).map_err(unread(library))?;
            parts.push(Part { kind: PartKind::Engine, files: vec![file] });
        }
        if let Some(folder) = beside.packages {
            let files = layer::listed(folder).map_err(unread(folder))?;
            let files = files.into_iter().map(|file| ShippedFile {
                path: format!("{PACKAGES}/{}", file.path),
                size_bytes: file.size_bytes,
                executable: file.executable,
                content: Content::File(file.place),
            });
            parts.push(Part { kind: PartKind::Packages, files: files.collect() });
        }
        parts.push(Part { kind: PartKind::Function, files: function(&card, bundle)? });
        Ok(Self { card, processor: beside.processor, parts })
    }

    /// All files, in the order of the parts.
    pub fn files(&self) -> impl Iterator<Item = &ShippedFile> {
        self.parts.iter().flat_map(|part| &part.files)
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.parts.iter().map(Part::size_bytes).sum()
    }
}

impl Part {
    /// Bytes of its files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

impl ShippedFile {
    /// Its mode: to be read by everybody, and a program to be run.
    pub const fn mode(&self) -> u32 {
        crate::artifact::mode(self.executable)
    }

    /// Its content, to be read once.
    pub fn open(&self) -> io::Result<Box<dyn io::Read + '_>> {
        Ok(match &self.content {
            Content::Bytes(bytes) => Box::new(bytes.as_slice()),
            Content::File(place) => {
                let file = fs::File::open(place)?;
                if file.metadata()?.len() != self.size_bytes {
                    return Err(io::Error::other(format!("{} changed while it was read", place.display())));
                }
                Box::new(file)
            }
        })
    }
}

fn function(card: &ArtifactCard, bundle: &Bundle) -> Result<Vec<ShippedFile>, FunctionError> {
    let text = serde_json::to_vec_pretty(card)
        .map_err(|error| FunctionError::new(Code::Internal, format!("no card was written: {error}")))?;
    let mut files = vec![ShippedFile {
        path: ArtifactCard::FILE_NAME.to_owned(),
        size_bytes: text.len() as u64,
        executable: false,
        content: Content::Bytes(text),
    }];
    files.extend(bundle.files.iter().map(|file| ShippedFile {
        path: format!("files/{}", file.path),
        size_bytes: file.size_bytes,
        executable: file.executable,
        content: Content::File(file.place.clone()),
    }));
    Ok(files)
}

fn one(place: &Path, path: &str, executable: bool) -> io::Result<ShippedFile> {
    Ok(ShippedFile {
        path: path.to_owned(),
        size_bytes: fs::metadata(place)?.len(),
        executable,
        content: Content::File(place.to_owned()),
    })
}

fn unread(path: &Path) -> impl FnOnce(io::Error) -> FunctionError {
    move |error| FunctionError::new(Code::BadArtifact, format!("could not read {}: {error}", path.display()))
}

/// True for a file that its owner may run.
pub(crate) fn is_program(metadata: &fs::Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(test)]
pub(crate) mod tests {
    use modelet_core::{EngineName, Handler, Manifest, ModelCard, Settings, Signature, Steps};

    use super::*;
    use crate::artifact::card_of;
    use crate::source::SourceFile;

    /// What says that it is a program for arm64, and no more of it.
    pub(crate) const RUNTIME: &[u8; 20] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0";

    /// A small one, with a model in a folder.
    pub(crate) fn shipment(folder: &Path) -> Shipment {
        let (runtime, place) = (folder.join("runtime"), folder.join("model.onnx"));
        fs::write(&runtime, RUNTIME).unwrap();
        fs::write(&place, "the model").unwrap();
        let file = SourceFile {
            path: "model.onnx".to_owned(),
            place,
            size_bytes: 9,
            sha256: "0".repeat(64),
            executable: false,
        };
        let bundle = Bundle { manifest: Manifest::default(), name: None, files: vec![file] };
        let model = ModelCard {
            file: "model.onnx".to_owned(),
            format: "onnx".to_owned(),
            origin: None,
            steps: Steps::default(),
            certificate: None,
            engine: EngineName::Tabular,
            engine_version: "0.1.0".to_owned(),
            signature: Signature::default(),
        };
        let name = "iris".parse().unwrap();
        let card =
            card_of(&bundle, "0".repeat(64), name, Settings::default(), Handler::Model(Box::new(model)));
        let beside =
            Beside { runtime: &runtime, processor: Processor::Arm64, packages: None, onnxruntime: None };
        Shipment::of(card, &bundle, beside).unwrap()
    }

    #[test]
    fn a_host_gets_the_runtime_first_and_the_function_last() {
        let folder = tempfile::tempdir().unwrap();
        let shipment = shipment(folder.path());
        let kinds: Vec<_> = shipment.parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [PartKind::Runtime, PartKind::Function]);
        let paths: Vec<_> = shipment.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["bootstrap", "artifact.json", "files/model.onnx"]);
        assert_eq!(shipment.parts[0].size_bytes(), RUNTIME.len() as u64);
    }
}
