//! The way to a stem cell: one datagram with open descriptors.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use modelet_core::instance::{Assignment, MAX_HANDED_FILES};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Our end of the pair of sockets between us and a stem cell.
#[derive(Debug)]
pub struct Control(OwnedFd);

impl Control {
    /// A new pair: our end, and the one that the cell inherits.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        Ok((Self(ours), theirs))
    }

    /// Tells the cell what it is, and hands it the files. Never waits: the socket is empty, since this happens once.
    pub fn assign(self, assignment: &Assignment, files: &[OwnedFd]) -> io::Result<()> {
        let message = serde_json::to_vec(assignment)?;
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HANDED_FILES))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::Error::other(format!("{} files are more than can be handed over", files.len())));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::net::sendmsg(&self.0, &[IoSlice::new(&message)], &mut ancillary, flags)?;
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // A datagram socket does not tell that its peer has gone: an empty message does. Behind an assignment nobody reads it.
        let _ = rustix::net::send(&self.0, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
