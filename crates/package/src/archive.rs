//! Archives of a model or its folder, as SageMaker (`model.tar.gz`) and people make them. Recognised by content: other formats are
//! zips too, and compressed pickles are gzip.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use modelet_core::artifact::is_safe_path;
use modelet_core::{Code, FunctionError};
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipResult;

use crate::given::unreadable;

/// Most files in an archive.
const MAX_FILES: usize = 10_000;
/// Most bytes that its files have together.
const MAX_BYTES: u64 = 16 << 30;
/// Where a tar says that it is one, and what it says (POSIX.1-1988, pax).
const TAR_MARK: (usize, &[u8]) = (257, b"ustar");
const ZIP_MARK: &[u8] = b"PK\x03\x04";
const GZIP_MARK: &[u8] = b"\x1f\x8b";
/// Files that make a zip the model itself: of skops, Keras, PyTorch (below a folder of any name, before 2.8 also without one) and
/// numpy.
const OWN_FORMATS: [&str; 6] = [
    "schema.json",
    "model.weights.h5",
    "/data.pkl",
    "/archive_format",
    "serialized_exported_program.json",
    ".npy",
];
/// Files that make a zip a folder of a model's, whatever else is in it.
const OF_FOLDERS: [&str; 4] = [".onnx", "modelet.toml", "MLmodel", "saved_model.pb"];
/// What machines put beside the files of their users.
const LITTER: [&str; 3] = ["__MACOSX", ".DS_Store", "Thumbs.db"];

/// Unpacks an archive into a folder, which is made; gives the folder with the files. `None`: it is no archive.
///
/// # Errors
/// `model-refused` when it is damaged, too large, or holds what is no plain file below it.
pub fn unpack(path: &Path, into: &Path) -> Result<Option<PathBuf>, FunctionError> {
    let kind = Kind::of(path).map_err(|error| unreadable(path, &error))?;
    let unpacked = match kind {
        None => return Ok(None),
        Some(Kind::Zip) => unzip(path, into),
        Some(Kind::Tar) => untar(File::open(path), into),
        Some(Kind::TarGz) => untar(File::open(path).map(MultiGzDecoder::new), into),
    };
    unpacked.map_err(|error| {
        FunctionError::new(Code::ModelRefused, format!("{} cannot be unpacked: {error}", path.display()))
            .hint("unpack it yourself and deploy the folder")
    })?;
    Ok(Some(innermost(into)))
}

/// A file's name without the endings of archives and formats: `churn` of `churn.tar.gz`.
pub fn stem(path: &Path) -> Option<&OsStr> {
    let stem = path.file_stem()?;
    let is_tar = Path::new(stem).extension().is_some_and(|ending| ending == "tar");
    if is_tar { Path::new(stem).file_stem() } else { Some(stem) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Tar,
    TarGz,
}

impl Kind {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut file = File::open(path)?;
        file.by_ref().take(512).read_to_end(&mut head)?;
        if head.starts_with(ZIP_MARK) {
            return Ok(is_plain_zip(path)?.then_some(Self::Zip));
        }
        if head.starts_with(GZIP_MARK) {
            file.seek(SeekFrom::Start(0))?;
            let mut inner = Vec::new();
            // What does not unpack is for somebody else to say something about.
            let _ = MultiGzDecoder::new(file).take(512).read_to_end(&mut inner);
            return Ok(is_tar(&inner).then_some(Self::TarGz));
        }
        Ok(is_tar(&head).then_some(Self::Tar))
    }
}

fn is_tar(head: &[u8]) -> bool {
    let (at, mark) = TAR_MARK;
    head.get(at..).is_some_and(|rest| rest.starts_with(mark))
}

/// A zip that begins where its file does; the inner error is that it is none. (Searched for, the beginning of one with a long
/// directory may be taken for a place behind it.)
pub fn open_zip(path: &Path) -> io::Result<ZipResult<ZipArchive<BufReader<File>>>> {
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    Ok(ZipArchive::with_config(config, BufReader::new(File::open(path)?)))
}

/// True for a zip that is no format of its own.
fn is_plain_zip(path: &Path) -> io::Result<bool> {
    let Ok(archive) = open_zip(path)? else { return Ok(false) };
    let names: Vec<_> = archive.file_names().flatten().collect();
    let is_own = |name: &str| {
        OWN_FORMATS.iter().any(|own| name == *own || (own.starts_with(['/', '.']) && name.ends_with(own)))
    };
    let is_folder = |name: &str| OF_FOLDERS.iter().any(|ending| name.ends_with(ending));
    Ok(names.iter().any(|name| is_folder(name)) || !names.iter().any(|name| is_own(name)))
}

fn unzip(path: &Path, into: &Path) -> io::Result<()> {
    let mut archive = open_zip(path)?.map_err(io::Error::other)?;
    let mut room = Room::new(into);
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).map_err(io::Error::other)?;
        let name = file.name().map_err(io::Error::other)?.into_owned();
        if file.is_dir() {
            continue;
        }
        if !file.is_file() {
            return Err(no_file(&name));
        }
        room.add(&name, &mut file)?;
    }
    Ok(())
}

fn untar(archive: io::Result<impl Read>, into: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(archive?);
    let mut room = Room::new(into);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| io::Error::other("a name in it is not UTF-8"))?;
        match entry.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                room.add(&name, &mut entry)?;
            }
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader => {}
            _ => return Err(no_file(&name)),
        }
    }
    Ok(())
}

fn no_file(name: &str) -> io::Error {
    io::Error::other(format!("{name:?} in it is no plain file"))
}

/// Where the files go, and how much more may come.
struct Room<'a> {
    into: &'a Path,
    files: usize,
    bytes: u64,
}

impl<'a> Room<'a> {
    fn new(into: &'a Path) -> Self {
        Self { into, files: MAX_FILES, bytes: MAX_BYTES }
    }

    fn add(&mut self, name: &str, content: &mut impl Read) -> io::Result<()> {
        let name = name.trim_start_matches("./");
        if name.split('/').any(|part| LITTER.contains(&part) || part.starts_with("._")) {
            return Ok(());
        }
        if !is_safe_path(name) {
            return Err(io::Error::other(format!("the path {name:?} in it leads elsewhere")));
        }
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| io::Error::other(format!("it has more than {MAX_FILES} files")))?;
        let target = self.into.join(name);
        fs::create_dir_all(target.parent().unwrap_or(self.into))?;
        // A name that comes twice would be another file for each reader.
        let mut file = File::create_new(&target)
            .map_err(|error| io::Error::new(error.kind(), format!("{name:?}: {error}")))?;
        // One byte more tells what is too much from what just fits.
        self.bytes = (self.bytes + 1)
            .checked_sub(io::copy(&mut content.take(self.bytes + 1), &mut file)? + 1)
            .ok_or_else(|| io::Error::other(format!("its files have more than {MAX_BYTES} bytes")))?;
        Ok(())
    }
}

/// The folder with the files, below folders that hold nothing else: archives are made of either.
fn innermost(folder: &Path) -> PathBuf {
    let below = |folder: &PathBuf| only_folder(folder);
    // As long as a path may be, at most.
    std::iter::successors(Some(folder.to_owned()), below).last().unwrap_or_else(|| folder.to_owned())
}

/// The folder that is all there is in another.
fn only_folder(folder: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?;
    let only = entries.next()?.ok()?.path();
    (entries.next().is_none() && only.is_dir()).then_some(only)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            // Written by hand: the crate itself refuses names that lead elsewhere.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes of an archive: the files below the folder that is given.
    fn unpacked(bytes: &[u8]) -> Result<Option<Vec<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given");
        fs::write(&path, bytes).unwrap();
        let found = unpack(&path, &folder.path().join("unpacked")).map_err(|error| error.message)?;
        let Some(found) = found else { return Ok(None) };
        let entries = fs::read_dir(found).map_err(|error| error.to_string())?;
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        Ok(Some(names))
    }

    #[test]
    fn archives_of_each_kind_are_unpacked_and_litter_is_left() {
        let files: &[(&str, &[u8])] =
            &[("./m/model.onnx", b"x"), ("./m/._model.onnx", b""), ("m/modelet.toml", b"")];
        let names = Ok(Some(vec!["model.onnx".to_owned(), "modelet.toml".to_owned()]));
        assert_eq!(unpacked(&tar(files)), names);
        assert_eq!(unpacked(&gzip(&tar(files))), names);
        assert_eq!(
            unpacked(&zip(&[("m/model.onnx", b"x"), ("m/modelet.toml", b""), ("__MACOSX/m", b"")])),
            names
        );
    }

    #[test]
    fn formats_that_are_zips_or_gzip_are_no_archives() {
        assert_eq!(unpacked(&zip(&[("schema.json", b"{}"), ("1.npy", b"")])), Ok(None));
        assert_eq!(unpacked(&zip(&[("archive/data.pkl", b"")])), Ok(None));
        assert_eq!(unpacked(&zip(&[("config.json", b""), ("model.weights.h5", b"")])), Ok(None));
        assert_eq!(unpacked(&gzip(b"\x80\x04pickle")), Ok(None));
        assert_eq!(unpacked(b"\x80\x04pickle"), Ok(None));
        assert_eq!(unpacked(b""), Ok(None));
    }

    #[test]
    fn nothing_is_written_elsewhere_and_damage_is_an_error() {
        for name in ["../model.onnx", "/tmp/model.onnx", "m/../../model.onnx"] {
            assert!(unpacked(&tar(&[(name, b"x")])).unwrap_err().contains("leads elsewhere"), "{name}");
            assert!(unpacked(&zip(&[(name, b"x")])).unwrap_err().contains("leads elsewhere"), "{name}");
        }
        assert!(unpacked(&tar(&[("a", b"1"), ("a", b"2")])).unwrap_err().contains("\"a\""));
        let whole = gzip(&tar(&[("model.onnx", &[7; 9_000])]));
        assert!(unpacked(&whole[..whole.len() / 2]).is_err());
    }

    #[test]
    fn names_lose_the_endings_of_archives() {
        for (name, stem) in
            [("churn.tar.gz", "churn"), ("churn.tgz", "churn"), ("churn.v2.zip", "churn.v2"), ("c", "c")]
        {
            assert_eq!(super::stem(Path::new(name)), Some(OsStr::new(stem)));
        }
    }
}
