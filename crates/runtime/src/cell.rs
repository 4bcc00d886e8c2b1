//! A stem cell: a runtime that was started ahead, has done all that does not depend on the model, and waits for one.
//!
//! The artifact comes as open descriptors, not as paths: a cell is started before anybody knows what it becomes, in a sandbox
//! in which no artifact can be reached. It lays the descriptors out as a folder of links, so that from there on everything
//! reads files as in any other instance, and weights beside a model are still mapped and shared.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::handler::{Preparation, PreparedPython};
use crate::log::{self, Level};
use modelet_core::artifact::is_safe_path;
use modelet_core::instance::{
    Assignment, ENV_IMPORTS, ENV_PACKAGES, ENV_PYTHON, ENV_THREADS, ENV_WRAP_LOADERS, MAX_HANDED_FILES,
};
use modelet_core::{EngineName, Version};
use modelet_model::LoadOptions;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Largest assignment, in bytes: the paths of as many files as can come with one.
const MAX_ASSIGNMENT_BYTES: usize = 512 << 10;

/// So many Pythons that end before there is code for them are replaced; then the cell ends, and its host knows.
const REPLACEMENTS: usize = 3;

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
    let options = LoadOptions { onnxruntime_library: Some(library.to_owned()), ..LoadOptions::default() };
    if let Err(error) = modelet_model::engine(EngineName::Onnxruntime).prepare(&options) {
        // The model that needs it will say so again, to somebody who can act on it.
        log::say(Level::Warning, &format!("ONNX Runtime could not be prepared: {error}"));
    }
}

/// The Python that the host wants to be ready for code that nobody knows yet, if it wants one.
pub fn preparation(var: impl Fn(&str) -> Option<OsString>) -> Result<Option<Preparation>, String> {
    let (Some(imports), Some(python)) = (var(ENV_IMPORTS), var(ENV_PYTHON)) else { return Ok(None) };
    let nonsense = |name: &str| format!("{name} makes no sense");
    let modules: Vec<String> =
        serde_json::from_str(&imports.to_string_lossy()).map_err(|_| nonsense(ENV_IMPORTS))?;
    let threads = var(ENV_THREADS).and_then(|threads| threads.to_str()?.parse().ok());
    let threads = threads.ok_or_else(|| nonsense(ENV_THREADS))?;
    let wrap_loaders = var(ENV_WRAP_LOADERS).is_some_and(|wanted| wanted == "1");
    let packages = var(ENV_PACKAGES).map(PathBuf::from);
    Ok(Some(Preparation { python: python.into(), packages, modules, wrap_loaders, threads }))
}

/// Waits until there is an assignment. A Python that ends meanwhile is replaced: whoever assigns need not know.
pub fn keep_python(control: &UnixDatagram, preparation: &Preparation) -> io::Result<PreparedPython> {
    for _ in 0..REPLACEMENTS {
        let python = preparation.start()?;
        // It says nothing before it is asked: whatever comes from there is its end.
        let mut sources = [PollFd::new(control, PollFlags::IN), PollFd::new(&python, PollFlags::IN)];
        while rustix::event::poll(&mut sources, None).is_err_and(|error| error == Errno::INTR) {}
        if sources[1].revents().is_empty() {
            return Ok(python);
        }
        log::say(Level::Warning, "the Python that was started ahead has ended");
    }
    Err(io::Error::other(format!("{REPLACEMENTS} in a row ended before there was code for them")))
}

/// What the files of an artifact are laid out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Links to our own descriptors: for who reads them in this process.
    Links,
    /// Copies, which take memory of the instance: for the process beside this one.
    Files,
}

/// Waits for an assignment and lays the artifact out in `folder`, which it makes.
pub fn wait(control: &UnixDatagram, folder: &Path, layout: Layout) -> io::Result<Assigned> {
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
        let place = folder.join(path);
        fs::create_dir_all(place.parent().unwrap_or(folder))?;
        lay_out(file, &place, layout)?;
    }
    if layout == Layout::Files {
        close_folders(folder)?;
    }
    Ok(Assigned { artifact: folder.to_owned(), version, _files: files })
}

/// Nothing is added to an artifact, as elsewhere.
fn close_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            close_folders(&entry.path())?;
        }
    }
    match fs::set_permissions(folder, Permissions::from_mode(0o555)) {
        // The folder of all is the host's.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

fn lay_out(file: &OwnedFd, place: &Path, layout: Layout) -> io::Result<()> {
    let by_number = format!("/proc/self/fd/{}", file.as_raw_fd());
    if layout == Layout::Links {
        return symlink(by_number, place);
    }
    fs::copy(&by_number, place)?;
    // As everywhere else: to be read, and programs to be run.
    let is_program = fs::metadata(&by_number)?.permissions().mode() & 0o111 != 0;
    fs::set_permissions(place, Permissions::from_mode(if is_program { 0o555 } else { 0o444 }))
}

/// One datagram and the descriptors that came with it. An empty one means that the host has gone.
fn receive(control: &UnixDatagram) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; MAX_ASSIGNMENT_BYTES];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HANDED_FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [io::IoSliceMut::new(&mut bytes)];
    let received = loop {
        match recvmsg(control, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
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
