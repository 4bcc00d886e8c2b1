//! Python on this machine: for code that is deployed, for originals that are asked, for networks that are converted.
//!
//! - [`interpreter`]: what a Python has; [`versions`]: which one some code gets
//! - [`uv`]: what finds and brings Pythons and packages; [`packages`]: those of some code, as a layer; [`traces`]: what it
//!   leaves of this machine in them
//! - [`examine`]: what files define, read by a Python

pub mod examine;
pub mod interpreter;
pub mod packages;
mod traces;
pub mod uv;
pub mod versions;
