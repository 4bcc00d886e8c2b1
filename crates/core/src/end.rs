//! Why an instance ended, in one word: what metrics count, and what a program can ask for; and what is told of a start that
//! failed.

use serde::{Deserialize, Serialize};

use crate::error::Code;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident, $name:literal;)*) => {
        /// Why an instance ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum EndReason { $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)* }

        impl EndReason {
            /// The reason as text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

reasons! {
    /// It had no work for as long as idle instances are kept.
    Idle, "idle";
    /// It was worn by its calls, its memory or its threads, and replaced.
    Recycled, "recycled";
    /// It was idle, and its memory was needed.
    Evicted, "evicted";
    /// It ended its calls and went, so that another function could have one.
    GivenUp, "given-up";
    /// Its version was taken out of service, by a delete or by the end of the platform.
    Drained, "drained";
    /// It could not be started, or could not load.
    StartFailed, "start-failed";
    /// It was not ready in time.
    LoadTimeout, "load-timeout";
    /// A call in it was not answered in time.
    RequestTimeout, "request-timeout";
    /// It neither computed nor answered.
    Stuck, "stuck";
    /// It grew beyond its memory.
    OutOfMemory, "out-of-memory";
    /// Its process ended by itself, or was killed by somebody else.
    Crashed, "crashed";
    /// The platform ended without stopping it.
    CutOff, "cut-off";
}

/// How far an instance had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartPhase {
    /// It had no process that could load.
    Start,
    /// It loaded its model.
    Load,
}

/// Why an instance never took a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StartFailure {
    /// Where it ended.
    pub phase: StartPhase,
    /// The code that calls got which waited for it.
    pub code: Code,
    /// What happened.
    pub message: String,
}
