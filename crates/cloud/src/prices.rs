//! What a function costs.
