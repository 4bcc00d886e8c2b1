//! What code asked of its machine, as the worker tells it where code is watched.

use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// The field of an entry that has it.
const FIELD: &str = "asks";

/// One thing that code asked for, whether or not it got it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ask {
    /// What kind of thing.
    pub kind: AskKind,
    /// The path, the host and its port, or the program.
    pub target: String,
    /// The user's line that led there and a package's that did it, as far as they are known: `app.py:3`, `packages/x/y.py:9`.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// A kind of thing that code asks its machine for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskKind {
    /// To write a file, or to make, rename or remove one, where not everybody can.
    Write,
    /// To speak to another machine.
    Network,
    /// Memory that processes share, or a lock of theirs.
    SharedMemory,
    /// A file that the host to be has not.
    Machine,
    /// To run a program.
    Program,
}

impl Ask {
    /// What an entry of the log tells; `None` of others.
    pub fn told(entry: &Entry) -> Option<Self> {
        let asks = entry.fields.get(FIELD).filter(|_| entry.is_own())?;
        serde_json::from_value(asks.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_worker_tells_what_was_asked_for() {
        let line = |logger: &str| {
            format!(
                "\u{1e}{{\"level\": \"INFO\", \"message\": \"m\", \"at_ms\": 1, \"logger\": {logger:?}, \"fields\": \
                 {{\"asks\": {{\"kind\": \"shared_memory\", \"target\": \"/x\", \"lines\": [\"app.py:3\"]}}}}}}"
            )
        };
        let told = |logger| Ask::told(&Entry::record(&line(logger)).unwrap());
        let ask = told("modelet").unwrap();
        assert_eq!((ask.kind, ask.target.as_str()), (AskKind::SharedMemory, "/x"));
        assert_eq!(ask.lines, ["app.py:3"]);
        assert_eq!(told("app"), None);
    }
}
