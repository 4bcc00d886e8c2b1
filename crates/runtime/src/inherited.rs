//! The sockets that the host hands over, announced as systemd announces them (sd_listen_fds(3)).

use std::io;
use std::os::unix::net::{UnixDatagram, UnixListener};

/// What was inherited.
#[derive(Debug)]
pub struct Inherited {
    /// Where calls come in: fd 3.
    pub listener: UnixListener,
    /// Where a stem cell's assignment comes in: fd 4.
    pub control: Option<UnixDatagram>,
}

impl Inherited {
    /// Takes them. Possible once in the life of a process.
    pub fn take() -> io::Result<Self> {
        let mut found = listenfd::ListenFd::from_env();
        let listener = found.take_unix_listener(0)?.ok_or_else(|| {
            io::Error::other(
                "no socket was inherited: the host hands a listening Unix socket over as fd 3 (LISTEN_FDS=1)",
            )
        })?;
        let control = if found.len() > 1 { found.take_unix_datagram(1)? } else { None };
        Ok(Self { listener, control })
    }
}
