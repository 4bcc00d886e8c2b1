//! The sockets that the host hands over, announced as systemd announces them (sd_listen_fds(3)); or the port that it names, as
//! container hosts do.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::{UnixDatagram, UnixListener};

/// Environment variable: the TCP port to listen on, where no socket is inherited.
const ENV_PORT: &str = "PORT";

/// What was inherited.
#[derive(Debug)]
pub struct Inherited {
    /// Where calls come in.
    pub listener: Listener,
    /// Where a stem cell's assignment comes in: fd 4.
    pub control: Option<UnixDatagram>,
}

/// Where calls come in.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket that a modelet platform bound: fd 3.
    Unix(UnixListener),
    /// A port of ours, on all interfaces: the host decides who reaches it.
    Tcp(TcpListener),
}

impl Inherited {
    /// Takes them. Possible once in the life of a process. An error says what is missing.
    pub fn take() -> io::Result<Self> {
        let mut found = listenfd::ListenFd::from_env();
        let listener = match (found.take_unix_listener(0)?, std::env::var_os(ENV_PORT)) {
            (Some(listener), _) => Listener::Unix(listener),
            (None, Some(port)) => Listener::Tcp(TcpListener::bind((Ipv4Addr::UNSPECIFIED, number(&port)?))?),
            (None, None) => {
                return Err(io::Error::other(format!(
                    "no socket was inherited (a listening Unix socket as fd 3, LISTEN_FDS=1) and {ENV_PORT} is not set"
                )));
            }
        };
        let control = if found.len() > 1 { found.take_unix_datagram(1)? } else { None };
        Ok(Self { listener, control })
    }
}

fn number(port: &OsString) -> io::Result<u16> {
    let number = port.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("{ENV_PORT} is {port:?}, not a port number (0 to 65535)")))
}
