//! A stem cell: a runtime that was started ahead, has done all that does not depend on the model, and waits for one.
//!
//! The artifact comes as open descriptors, not as paths: a cell is started before anybody knows what it becomes, in a sandbox
//! in which no artifact can be reached. It lays the descriptors out as a folder of links, so that from there on everything
//! reads files as in any other instance, and weights beside a model are still mapped and shared.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use modelet_core::artifact::is_safe_path;
use modelet_core::instance::{Assignment, MAX_HANDED_FILES};
use modelet_core::{EngineName, Version};
use modelet_model::LoadOptions;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Largest assignment, in bytes: the paths of as many files as can come with one.
const MAX_ASSIGNMENT_BYTES: usize = 512 << 10;

/// What a cell has become.
#[derive(Debug)]
pub struct Assigned {
    /// The folder of the artifact.
    pub artifact: PathBuf,
    /// The version that it is.
    pub version: Version,
    /// The links in the folder lead to these.
    _files: Vec<OwnedFd>,
}

/// Makes ready what every model needs: the library of ONNX Runtime, its environment, a first session. A machine without the
/// library has other engines.
pub fn prepare(onnxruntime: Option<&Path>) {
    let Some(library) = onnxruntime else { return };
    let options = LoadOptions { threads: 1, onnxruntime_library: Some(library.to_owned()) };
    if let Err(error) = modelet_model::engine(EngineName::Onnxruntime).prepare(&options) {
        // The model that needs it will say so again, to somebody who can act on it.
        eprintln!("ONNX Runtime could not be prepared: {error}");
    }
}

/// Waits for an assignment and lays the artifact out in `folder`, which it makes.
pub fn wait(control: &UnixDatagram, folder: &Path) -> io::Result<Assigned> {
    let (assignment, files) = receive(control)?;
    let Assignment { version, files: paths } =
        serde_json::from_slice(&assignment).map_err(|error| nonsense(format!("the assignment: {error}")))?;
    if paths.len() != files.len() {
        return Err(nonsense(format!("{} paths came with {} descriptors", paths.len(), files.len())));
    }
    for (path, file) in paths.iter().zip(&files) {
        if !is_safe_path(path) {
            return Err(nonsense(format!("{path:?} is not a relative path")));
        }
        let link = folder.join(path);
        fs::create_dir_all(link.parent().unwrap_or(folder))?;
        symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), link)?;
    }
    Ok(Assigned { artifact: folder.to_owned(), version, _files: files })
}

/// One datagram and the descriptors that came with it. An empty one means that the host has gone.
fn receive(control: &UnixDatagram) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; MAX_ASSIGNMENT_BYTES];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HANDED_FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [io::IoSliceMut::new(&mut bytes)];
    let received = loop {
        match recvmsg(control, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut files = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            files.extend(descriptors);
        }
    }
    bytes.truncate(received.bytes);
    Ok((bytes, files))
}

fn nonsense(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
