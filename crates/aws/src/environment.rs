//! The environment, passed in: tests have their own.

use std::fmt;
use std::sync::Arc;

/// Variables by their names.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Looks variables up.
#[derive(Clone)]
pub struct Environment(Arc<Variables>);

impl Environment {
    /// One that asks this.
    pub fn new(look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// The value of a variable; `None` where it is not set, or empty.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
