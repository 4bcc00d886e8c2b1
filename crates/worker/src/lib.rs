//! How instances are started, isolated and fed.
//!
//! - [`spawn`]: the thread that starts processes, and what it is told to start; [`start`]: how one is started
//! - [`sandbox`]: what an instance may do, and how it is held to it
//! - [`ladder`]: which rungs of isolation work here, and which one an instance gets
//! - [`confinement`]: the walls of a running instance, and what it uses within them
//! - [`cgroup`]: control groups; [`usage`]: what processes use, where there are none, and [`processor`]: who computes first
//! - [`idle`]: processors with nothing to do
//! - [`process`]: a running process group: its end, and how to bring it about
//! - [`socket`]: the Unix sockets that instances inherit as fd 3
//! - [`control`]: the way to a stem cell, which gets its artifact as open descriptors
//! - [`feed`]: HTTP/1.1 to an instance; a connection is a concurrency slot
//! - [`output`]: what an instance prints, line by line
//! - [`budget`]: how much memory this process and its children may use
//! - [`once`]: programs that are run for their answer; [`isolated`]: those that nobody trusts
//! - [`machine`]: what this machine can do, for `modelet doctor`
//!
//! Deliberately absent: scaling decisions, client protocols. The only room with `unsafe` and with process spawning; each
//! `unsafe` block says why it is sound.

pub mod budget;
mod cgroup;
pub mod confinement;
pub mod control;
pub mod feed;
pub mod idle;
pub mod isolated;
pub mod ladder;
pub mod machine;
pub mod once;
pub mod output;
pub mod process;
mod processor;
pub mod sandbox;
pub mod socket;
pub mod spawn;
mod start;
mod usage;

pub use confinement::Confinement;
pub use control::Control;
pub use feed::{Connection, Feed, FeedError};
pub use ladder::{Ladder, RungState};
pub use modelet_core::entry::Stream;
pub use output::{OutputLine, Readers};
pub use process::{Exit, Process};
pub use sandbox::{Bind, Sandbox};
pub use socket::{InstanceSocket, SocketFolder};
pub use spawn::{Launch, SpawnError, Spawned, Spawner};
pub use usage::Usage;
