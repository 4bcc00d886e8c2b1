//! What is kept of one invocation: one record, one line of the log.

use serde::{Deserialize, Serialize};

use crate::error::Code;
use crate::name::{FunctionName, InstanceId, InvocationId, Version};

/// Where the time of a call went, in milliseconds. The phases follow each other; `total_ms` is all of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Phases {
    /// Waiting for a free slot, without the start of an instance.
    pub queue_ms: f64,
    /// Waiting while an instance started and loaded; 0 on a warm call.
    pub start_ms: f64,
    /// In the instance, until its answer began.
    pub handler_ms: f64,
    /// From arrival to the end of the answer.
    pub total_ms: f64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered by the function, 2xx or 3xx.
    Ok,
    /// The function, or its input, was wrong.
    FunctionError,
    /// The platform could not serve it.
    PlatformError,
    /// The client left before the answer.
    Cancelled,
}

/// One invocation, as it is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InvocationRecord {
    /// The gateway's id; also in the answer's `x-modelet-invocation` header.
    pub id: InvocationId,
    /// The function.
    pub function: FunctionName,
    /// The version that served it.
    pub version: Version,
    /// The instance that served it; absent when none did.
    pub instance: Option<InstanceId>,
    /// Arrival, milliseconds since 1970 (UTC).
    pub arrived_at_ms: i64,
    /// The client's protocol, such as `fn` or `kserve_v2`.
    pub protocol: String,
    /// HTTP status of the answer; 499 when the client had left.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of the failure, if it was one of ours.
    pub code: Option<Code>,
    /// True when this call waited for an instance to start.
    pub cold_start: bool,
    /// Where the time went.
    pub phases: Phases,
    /// Body bytes in.
    pub request_bytes: u64,
    /// Body bytes out.
    pub response_bytes: u64,
}
