//! The attributes of an HDF5 file's root, as h5py writes them: texts of one value. Source: "HDF5 File Format Specification",
//! version 3.0 (superblock 0, object headers and attribute messages of version 1, the global heap).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The beginning of the file.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Where the superblock says the sizes of addresses and lengths, and both of them in every file of today.
const SIZES: (usize, [u8; 2]) = (13, [8, 8]);
/// Where the superblock has the address of the root's header.
const ROOT_ADDRESS: usize = 64;
const MESSAGE_ATTRIBUTE: u16 = 0x0c;
const MESSAGE_CONTINUATION: u16 = 0x10;
/// Classes of types: texts of one length, and of any.
const CLASS_TEXT: u8 = 3;
const CLASS_OF_ANY_LENGTH: u8 = 9;
/// Most messages of a header, and most bytes of a block of them.
const MAX_MESSAGES: usize = 1_000;
const MAX_BLOCK_BYTES: u64 = 1 << 20;
/// Largest collection of texts that is read, in bytes.
const MAX_HEAP_BYTES: u64 = 16 << 20;

pub(super) fn is_hdf5(head: &[u8]) -> bool {
    head.starts_with(SIGNATURE)
}

/// The texts among the root's attributes of these names. `None`: the file is written in a form that is not read here, or damaged,
/// or has two of one name, of which other readers may take the other.
pub(super) fn root_attributes(path: &Path, wanted: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut file = Hdf5(File::open(path).ok()?);
    let head = file.at(0, ROOT_ADDRESS as u64 + 8)?;
    let is_read = is_hdf5(&head) && head[8] == 0 && head[SIZES.0..].starts_with(&SIZES.1);
    let root = number(&head, ROOT_ADDRESS, 8).filter(|_| is_read)?;
    let header = file.at(root, 16)?;
    let mut blocks = vec![(root + 16, number(&header, 8, 4).filter(|_| header[0] == 1)?)];
    let mut attributes = BTreeMap::new();
    let mut messages = 0;
    while let Some((address, size)) = blocks.pop() {
        let block = file.at(address, size)?;
        let mut rest = &block[..];
        while let Some((head, after)) = rest.split_at_checked(8) {
            messages += 1;
            let (content, after) = after.split_at_checked(number(head, 2, 2)? as usize)?;
            rest = after;
            match number(head, 0, 2)? as u16 {
                _ if messages > MAX_MESSAGES => return None,
                MESSAGE_CONTINUATION => blocks.push((number(content, 0, 8)?, number(content, 8, 8)?)),
                MESSAGE_ATTRIBUTE => {
                    if let Some((name, text)) = file.attribute(content, wanted)
                        && attributes.insert(name, text).is_some()
                    {
                        return None;
                    }
                }
                _ => {}
            }
        }
    }
    Some(attributes)
}

struct Hdf5(File);

impl Hdf5 {
    fn at(&mut self, address: u64, size: u64) -> Option<Vec<u8>> {
        self.read(address, size, MAX_BLOCK_BYTES)
    }

    fn read(&mut self, address: u64, size: u64, limit: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(size).ok().filter(|_| size <= limit)?];
        self.0.seek(SeekFrom::Start(address)).ok()?;
        self.0.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Name and text of an attribute; `None` where it is no text, or not wanted.
    fn attribute(&mut self, message: &[u8], wanted: &[&str]) -> Option<(String, String)> {
        let plain = |bytes: &[u8]| String::from_utf8(bytes.split(|byte| *byte == 0).next()?.to_vec()).ok();
        let sizes = [number(message, 2, 2)?, number(message, 4, 2)?, number(message, 6, 2)?];
        // Version 1 fills each part up to eight bytes; version 3 has a byte more before them.
        let (start, unit) = match message.first()? {
            1 => (8, 8),
            3 => (9, 1),
            _ => return None,
        };
        let [name, kind, space] = sizes.map(|size| size.next_multiple_of(unit) as usize);
        let said = plain(message.get(start..start + name)?).filter(|name| wanted.contains(&&**name))?;
        let kind = message.get(start + name..)?.get(..kind)?;
        let value = message.get(start + name + kind.len() + space..)?;
        let text = match kind.first()? & 0x0f {
            CLASS_TEXT => value.get(..number(kind, 4, 4)? as usize)?.to_vec(),
            CLASS_OF_ANY_LENGTH => {
                let (length, heap, place) =
                    (number(value, 0, 4)?, number(value, 4, 8)?, number(value, 12, 4)?);
                let mut text = self.of_heap(heap, place)?;
                text.truncate(length as usize);
                text
            }
            _ => return None,
        };
        Some((said, plain(&text)?))
    }

    /// An object of a collection of the global heap.
    fn of_heap(&mut self, address: u64, place: u64) -> Option<Vec<u8>> {
        let head = self.at(address, 16).filter(|head| head.starts_with(b"GCOL"))?;
        let collection = self.read(address, number(&head, 8, 8)?, MAX_HEAP_BYTES)?;
        let mut rest = collection.get(16..)?;
        while let Some((head, after)) = rest.split_at_checked(16) {
            let size = usize::try_from(number(head, 8, 8)?).ok()?;
            match number(head, 0, 2)? {
                // What is free.
                0 => return None,
                own if own == place => return after.get(..size).map(<[u8]>::to_vec),
                _ => rest = after.get(size.checked_next_multiple_of(8)?..)?,
            }
        }
        None
    }
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let own = bytes.get(at..at.checked_add(size)?)?;
    Some(own.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
