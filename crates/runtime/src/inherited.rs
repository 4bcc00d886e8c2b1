//! The sockets that a platform of ours hands over, announced as systemd announces them (sd_listen_fds(3)); or the port of another
//! host.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::{UnixDatagram, UnixListener};

/// What was inherited.
#[derive(Debug)]
pub struct Inherited {
    /// Where calls come in: fd 3.
    pub listener: Listener,
    /// Where a stem cell's assignment comes in: fd 4.
    pub control: Option<UnixDatagram>,
}

/// Where calls come in.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket that a modelet platform bound: fd 3.
    Unix(UnixListener),
    /// A port of ours.
    Tcp(TcpListener),
}

impl Inherited {
    /// Takes them. Possible once in the life of a process. An error says what is missing.
    pub fn take() -> io::Result<Self> {
        let mut found = listenfd::ListenFd::from_env();
        let listener = found.take_unix_listener(0)?.map(Listener::Unix);
        let listener = listener
            .ok_or_else(|| io::Error::other("LISTEN_FDS is set, but fd 3 is no listening Unix socket"))?;
        let control = if found.len() > 1 { found.take_unix_datagram(1)? } else { None };
        Ok(Self { listener, control })
    }
}

impl Listener {
    /// Listens on a port.
    pub fn on(address: Ipv4Addr, port: u16) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind((address, port))?))
    }
}
