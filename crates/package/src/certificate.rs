//! The proof that a converted model answers as its original.
//!
//! - [`rows`], [`column`]: the rows that both answer

mod column;
pub mod rows;
