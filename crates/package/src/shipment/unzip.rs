//! A shipment out of a zip that was written before: what was tested is what goes on, in another form.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use modelet_core::artifact::is_safe_path;
use modelet_core::{ArtifactCard, Code, FunctionError};
use zip::read::ZipFile;

use super::{BOOTSTRAP, Content, ONNXRUNTIME, PACKAGES, Part, PartKind, Shipment, ShippedFile};
use crate::archive::open_zip;
use crate::elf::{self, Machine};

/// Reads the shipment in a zip; its files are put into `folder`, and have to stay there.
///
/// # Errors
/// `bad-artifact` for what is no shipment in a zip, or cannot be read or put there.
pub fn read(path: &Path, folder: &Path) -> Result<Shipment, FunctionError> {
    unpack(path, folder).map_err(|error| {
        FunctionError::new(Code::BadArtifact, format!("could not read {}: {error}", path.display()))
            .hint("is it what modelet package wrote, and is there space?")
    })
}

fn unpack(path: &Path, folder: &Path) -> io::Result<Shipment> {
    let mut zip = open_zip(path)?.map_err(io::Error::other)?;
    let mut parts: Vec<Part> = [PartKind::Runtime, PartKind::Engine, PartKind::Packages, PartKind::Function]
        .map(|kind| Part { kind, files: Vec::new() })
        .into();
    let (mut card, mut machine) = (None, None);
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).map_err(io::Error::other)?;
        let name = entry.name().map_err(io::Error::other)?.into_owned();
        if entry.is_dir() {
            continue;
        }
        if !entry.is_file() || !is_safe_path(&name) {
            return Err(io::Error::other(format!("{name} in it is no plain file below it")));
        }
        let file = put(&mut entry, &name, &folder.join(&name))?;
        if name == ArtifactCard::FILE_NAME {
            card = Some(serde_json::from_reader(file.open()?)?);
        } else if name == BOOTSTRAP {
            machine = elf::machine(&mut file.open()?);
        }
        let kind = kind_of(&name);
        parts.iter_mut().filter(|part| part.kind == kind).for_each(|part| part.files.push(file.clone()));
    }
    let card =
        card.ok_or_else(|| io::Error::other(format!("there is no {} in it", ArtifactCard::FILE_NAME)))?;
    let Some(Machine::Of(processor)) = machine else {
        return Err(io::Error::other(format!("{BOOTSTRAP} in it is no program for x86_64 or arm64")));
    };
    parts.retain(|part| !part.files.is_empty());
    for part in &mut parts {
        part.files.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(Shipment { card, processor, parts })
}

fn put(entry: &mut ZipFile<'_, impl io::Read>, name: &str, place: &Path) -> io::Result<ShippedFile> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    let size_bytes = io::copy(entry, &mut File::create_new(place)?)?;
    Ok(ShippedFile {
        path: name.to_owned(),
        size_bytes,
        executable: entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0),
        content: Content::File(place.to_owned()),
    })
}

fn kind_of(name: &str) -> PartKind {
    match name {
        BOOTSTRAP => PartKind::Runtime,
        ONNXRUNTIME => PartKind::Engine,
        name if Path::new(name).starts_with(PACKAGES) => PartKind::Packages,
        _ => PartKind::Function,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipment::image::{self, Layout};
    use crate::shipment::tests::shipment;
    use crate::shipment::zip;

    #[test]
    fn what_was_zipped_is_the_same_image() {
        let work = tempfile::tempdir().unwrap();
        let given = shipment(work.path());
        let path = work.path().join("a.zip");
        zip::write(&given, &path).unwrap();
        let read = read(&path, &work.path().join("out")).unwrap();
        let digest = |shipment: &Shipment, name: &str| {
            let layout = Layout::create(work.path().join(name)).unwrap();
            image::write(shipment, None, &layout).unwrap().manifest.digest
        };
        assert_eq!(digest(&read, "one"), digest(&given, "two"));
        assert_eq!((read.size_bytes(), read.processor), (given.size_bytes(), given.processor));
    }

    #[test]
    fn what_is_no_shipment_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("a.zip");
        let mut given = shipment(work.path());
        given.parts.retain(|part| part.kind != PartKind::Function);
        zip::write(&given, &path).unwrap();
        let refused = read(&path, &work.path().join("out")).unwrap_err();
        assert!(refused.message.contains("there is no artifact.json in it"), "{}", refused.message);
        fs::write(&path, b"no zip").unwrap();
        assert_eq!(read(&path, &work.path().join("out")).unwrap_err().code, Code::BadArtifact);
    }
}
