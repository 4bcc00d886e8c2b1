//! How a host talks to an instance. A contract is one file here.

pub mod http;
