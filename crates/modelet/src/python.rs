//! Python on this machine: for code that is deployed, for originals that are asked, for networks that are converted.
//!
//! - [`interpreter`]: what a Python has; [`versions`]: which one some code gets
//! - [`uv`]: what finds and brings Pythons and packages; [`packages`]: those of some code, as a layer; [`reproducible`]: the
//!   same bytes wherever they were installed
//! - [`examine`]: what files define, read by a Python

pub mod examine;
pub mod interpreter;
pub mod packages;
mod reproducible;
pub mod uv;
pub mod versions;
