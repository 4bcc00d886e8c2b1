//! What keep-alive policies would have done with a trace.
//!
//! - [`trace`]: the calls of a trace, whatever its format
//! - [`source`]: files and folders, and which format they have
//! - [`rows`]: a CSV file whose errors name file, line and column
//! - [`azure2021`], [`azure2019`], [`arrivals`], [`log`]: the formats, one each
//! - [`generate`], [`random`]: a trace that is made up, the same for the same seed
//! - [`policy`]: what is compared
//! - [`compare`]: the comparison, in numbers
//! - [`mod@print`]: and for people

mod arrivals;
mod azure2019;
mod azure2021;
pub mod compare;
pub mod generate;
mod log;
mod policy;
pub mod print;
mod random;
mod rows;
pub mod source;
pub mod trace;

pub use policy::Policy;
