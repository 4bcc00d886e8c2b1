//! How AWS is spoken to: by whoever deploys there, and by a runtime that is hosted there.
//!
//! - [`place`]: the region and the endpoints; [`service`]: the services and how each is spoken to
//! - [`credentials`]: the key; [`sigv4`]: what it signs; [`environment`]: passed in
//! - [`call`]: a request; [`caller`]: sends it, again where that helps; [`failure`]: what the answer means when it is none
//! - [`transport`]: how requests travel; [`https`]: the lean way, straight to the host
//! - [`secret`]: what names a secret, and what of an answer is its value
//! - [`xml`]: answers of the older services
//! - [`error`]: how a call fails, and what to do next
//!
//! Deliberately absent: what is called for. Operations are with those who use them.

pub mod call;
pub mod caller;
pub mod credentials;
pub mod environment;
pub mod error;
pub mod failure;
pub mod https;
pub mod place;
pub mod secret;
pub mod service;
pub mod sigv4;
pub mod transport;
pub mod xml;

pub use caller::{Caller, Clock};
pub use place::Place;
