//! A shipment as a zip: sorted, with the modes of Unix, and without anything of the machine or the moment. Same shipment, same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use modelet_core::{Code, FunctionError, digest};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{Shipment, ShippedFile, Written};

/// How hard it is compressed, 1 to 9. Of the runtime (13.9 MB) zlib makes 6.6 MB at 1, 6.1 MB at 6 and at 9, in 0.2, 0.7 and 1.8 s.
const LEVEL: i64 = 6;
/// A file from this size on has a length of 64 bits, bytes.
const LARGE: u64 = 1 << 32;

/// Writes the zip.
///
/// # Errors
/// `bad-artifact` when a file cannot be read, or the zip not be written.
pub fn write(shipment: &Shipment, target: &Path) -> Result<Written, FunctionError> {
    pack(shipment, target).map_err(|error| {
        FunctionError::new(Code::BadArtifact, format!("could not write {}: {error}", target.display()))
            .hint("check the space and permissions of that folder")
    })
}

fn pack(shipment: &Shipment, target: &Path) -> io::Result<Written> {
    let mut zip = ZipWriter::new(BufWriter::new(File::create(target)?));
    let mut files: Vec<&ShippedFile> = shipment.files().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files {
        add(&mut zip, file)?;
    }
    zip.finish().map_err(io::Error::other)?.flush()?;
    let (size_bytes, sha256) = digest::sha256(File::open(target)?)?;
    Ok(Written { sha256, size_bytes })
}

fn add(zip: &mut ZipWriter<impl Write + Seek>, file: &ShippedFile) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        // 1980, the first that a zip can say.
        .last_modified_time(DateTime::default())
        .unix_permissions(file.mode())
        .large_file(file.size_bytes >= LARGE);
    zip.start_file(file.path.as_str(), options).map_err(io::Error::other)?;
    io::copy(&mut file.open()?, zip).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::archive::open_zip;
    use crate::shipment::tests::{RUNTIME, shipment};

    #[test]
    fn the_same_shipment_is_the_same_zip_with_modes_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let zip = |name: &str| {
            let target = folder.path().join(name);
            (write(&shipment(folder.path()), &target).unwrap(), target)
        };
        let (first, target) = zip("first.zip");
        assert_eq!(first, zip("again.zip").0);
        assert_eq!(first.size_bytes, target.metadata().unwrap().len());
        let mut archive = open_zip(&target).unwrap().unwrap();
        let mut found = Vec::new();
        for number in 0..archive.len() {
            let mut file = archive.by_index(number).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            found.push((file.name().unwrap().into_owned(), file.unix_mode().unwrap() & 0o777, content));
        }
        assert_eq!(found[0].0, "artifact.json");
        assert_eq!(found[1], ("bootstrap".to_owned(), 0o755, RUNTIME.to_vec()));
        assert_eq!(found[2], ("files/model.onnx".to_owned(), 0o644, b"the model".to_vec()));
        assert_eq!(found.len(), 3);
    }
}
