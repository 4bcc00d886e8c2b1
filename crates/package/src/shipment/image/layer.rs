//! A part as a layer: a tar whose entries are sorted and have no owner and no time, compressed.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};

use super::layout::{Descriptor, Layout};
use super::{LAYER, PartKind};
use crate::artifact::Hashing;
use crate::shipment::Part;

/// How hard a layer is compressed, 0 to 9.
const LEVEL: u32 = 6;
/// A folder for what is written for a while, which hosts with a read-only disk lay something over.
const TMP: &str = "tmp/";

/// A layer that was written.
#[derive(Debug, Clone)]
pub struct WrittenLayer {
    /// What is in it.
    pub kind: PartKind,
    /// The digest of its tar.
    pub diff_id: String,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// The layer as it travels, compressed.
    pub blob: Descriptor,
}

/// Writes the layer of a part, whose files lie in the folder `root` of the image.
pub fn write(part: &Part, root: &Path, target: &Layout) -> io::Result<WrittenLayer> {
    // No name and no time are in the header of gzip, where nobody says them.
    let file = Hashing::new(io::BufWriter::new(target.draft()?));
    let mut tar = tar::Builder::new(Hashing::new(GzBuilder::new().write(file, Compression::new(LEVEL))));
    let mut folders: BTreeSet<String> = BTreeSet::new();
    if part.kind == PartKind::Runtime {
        folder(&mut tar, TMP, 0o1777)?;
    }
    let mut files: Vec<_> = part.files.iter().map(|file| (root.join(&file.path), file)).collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, file) in files {
        let above: Vec<_> = path.ancestors().skip(1).filter(|above| *above != Path::new("")).collect();
        for above in above.into_iter().rev() {
            let name = format!("{}/", above.display());
            if folders.insert(name.clone()) {
                folder(&mut tar, &name, 0o755)?;
            }
        }
        tar.append_data(
            &mut header(file.size_bytes, file.mode()),
            &path,
            file.open()?.take(file.size_bytes),
        )?;
    }
    let (gzip, (diff_id, _)) = tar.into_inner()?.into_parts();
    let (mut file, blob) = gzip.finish()?.into_parts();
    file.flush()?;
    Ok(WrittenLayer {
        kind: part.kind,
        diff_id: format!("sha256:{diff_id}"),
        size_bytes: part.size_bytes(),
        blob: target.keep(LAYER, blob)?,
    })
}

fn folder(tar: &mut tar::Builder<impl Write>, name: &str, mode: u32) -> io::Result<()> {
    let mut header = header(0, mode);
    header.set_entry_type(tar::EntryType::Directory);
    tar.append_data(&mut header, name, io::empty())
}

/// Of an entry that is nobody's and of no time.
fn header(size_bytes: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size_bytes);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
