//! How instances are started, isolated and fed.
//!
//! - [`spawn`]: the thread that starts processes, and what it is told to start
//! - [`process`]: a running process group: its end, and how to bring it about
//! - [`socket`]: the Unix sockets that instances inherit as fd 3
//! - [`control`]: the way to a stem cell, which gets its artifact as open descriptors
//! - [`feed`]: HTTP/1.1 to an instance; a connection is a concurrency slot
//! - [`output`]: what an instance prints, line by line
//! - [`memory`]: how much memory a process holds
//! - [`processor`]: how much processor time a process has used
//! - [`budget`]: how much memory this process and its children may use
//! - [`once`]: programs that are run for their answer
//! - [`machine`]: what this machine can do, for `modelet doctor`
//!
//! Deliberately absent: scaling decisions, client protocols. The only room with `unsafe` and with process spawning; each
//! `unsafe` block says why it is sound.

pub mod budget;
pub mod control;
pub mod feed;
pub mod machine;
pub mod memory;
pub mod once;
pub mod output;
pub mod process;
pub mod processor;
pub mod socket;
pub mod spawn;

pub use control::Control;
pub use feed::{Connection, Feed, FeedError};
pub use output::{OutputLine, Stream};
pub use process::{Exit, Process};
pub use socket::{InstanceSocket, SocketFolder};
pub use spawn::{Launch, Spawned, Spawner};
