//! What is kept of one invocation and of one instance: the lines of the log, and the ground of every bill.

use serde::{Deserialize, Serialize};

use crate::end::{EndReason, StartFailure};
use crate::error::Code;
use crate::name::{FunctionName, InstanceId, InvocationId, Version};

/// Where the time of a call went, in milliseconds. The first five follow each other and add up to `total_ms`;
/// `inference_ms` is a part of `handler_ms`. What an older record did not have is 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Phases {
    /// Reading the request's body from the client.
    pub receive_ms: f64,
    /// Waiting for a free slot, without the start of an instance.
    pub queue_ms: f64,
    /// Waiting until a new instance began to load: its process, or its stem cell. (Before the meter: with its load.)
    pub start_ms: f64,
    /// Waiting while a new instance loaded the model.
    pub load_ms: f64,
    /// In the instance, until its answer was there whole.
    pub handler_ms: f64,
    /// Of that, the model's computation as the runtime reports it.
    pub inference_ms: f64,
    /// True when it was the first call of its instance: engines do there what they put off while loading.
    pub first_inference: bool,
    /// From arrival until the answer was there whole.
    pub total_ms: f64,
}

impl Phases {
    /// The time that is billed for a call that an instance had, in whole milliseconds: the time in the instance, and the load
    /// of the instance where it was made for this call. A load is billed once, to the instance's first call, however many
    /// waited for it.
    ///
    /// Source of the rule: AWS Lambda bills duration rounded up to 1 ms, the INIT phase included (Lambda pricing, since
    /// August 2025 for every kind of function), and there each environment has one first call.
    pub fn billed_ms(&self) -> u64 {
        let load_ms = if self.first_inference { self.load_ms } else { 0.0 };
        // Never negative, and far below 2^64; a call that took no time that the clock could see is still one.
        ((load_ms + self.handler_ms).ceil() as u64).max(1)
    }
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

/// One invocation, as it is logged and billed.
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
    /// The method of its request; absent for an attempt of an asynchronous invocation, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path of its request, without the query, which may hold what nobody else is to read; long ones are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// HTTP status of the answer; 499 when the client had left.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of the failure, if it was one of ours.
    pub code: Option<Code>,
    /// Which attempt this was, the first is 1; absent for a call whose client waits for its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// True when this call waited for an instance to start.
    pub cold_start: bool,
    /// How that instance was started, in words, such as `a new process`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<String>,
    /// Where the time went.
    pub phases: Phases,
    /// [`Phases::billed_ms`]; 0 when the platform failed, or when no instance had the call.
    #[serde(default)]
    pub billed_ms: u64,
    /// Memory of the instance as it was set, MiB.
    #[serde(default)]
    pub memory_mib: u64,
    /// Processor time of the call as the runtime reports it, all threads of the engine, milliseconds.
    #[serde(default)]
    pub cpu_ms: f64,
    /// Body bytes in.
    pub request_bytes: u64,
    /// Body bytes out.
    pub response_bytes: u64,
}

impl InvocationRecord {
    /// True for the receipt of a cold start: the first call of an instance, if it waited for it. Calls that waited beside it
    /// are cold starts too, but of the same instance.
    pub fn is_receipt(&self) -> bool {
        self.cold_start && self.phases.first_inference
    }
}

/// What an instance did from its start until `at_ms`. The three times add up to its life so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InstanceRecord {
    /// Its id.
    pub id: InstanceId,
    /// The function.
    pub function: FunctionName,
    /// The version that it served.
    pub version: Version,
    /// Its memory as it was set, MiB.
    pub memory_mib: u64,
    /// When it was started, milliseconds since 1970 (UTC).
    pub started_at_ms: i64,
    /// The moment that the rest of this record is about, milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// Until it was ready, milliseconds.
    pub loading_ms: u64,
    /// With at least one call in it, milliseconds.
    pub serving_ms: u64,
    /// Ready and without a call, milliseconds.
    pub idle_ms: u64,
    /// Processor time that its process used, milliseconds.
    pub cpu_ms: u64,
    /// The most memory that it was seen to hold, KiB.
    pub peak_memory_kib: u64,
    /// Calls that it had.
    pub calls: u64,
    /// Why it ended, in words; absent while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// The same in one word; absent while it lives, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
    /// Why it was never ready, when that was not meant; its time is `loading_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<StartFailure>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_call_pays_for_the_load_and_every_call_for_a_started_millisecond() {
        let billed = |load_ms, handler_ms, first_inference| {
            Phases { load_ms, handler_ms, first_inference, ..Phases::default() }.billed_ms()
        };
        assert_eq!(billed(0.0, 0.0, false), 1);
        assert_eq!(billed(0.0, 1.0, false), 1);
        assert_eq!(billed(0.0, 1.001, false), 2);
        assert_eq!(billed(20.5, 0.5, true), 21);
        assert_eq!(billed(20.5, 0.6, true), 22);
        assert_eq!(billed(20.5, 0.6, false), 1);
    }

    #[test]
    fn records_of_before_the_meter_can_be_read() {
        let text = r#"{"id":"01J","function":"iris","version":1,"instance":"iris-1-i1","arrived_at_ms":5,"protocol":"fn",
            "status":200,"outcome":"ok","code":null,"cold_start":true,
            "phases":{"queue_ms":0.0,"start_ms":7.5,"handler_ms":1.0,"total_ms":9.0},"request_bytes":3,"response_bytes":4}"#;
        let record: InvocationRecord = serde_json::from_str(text).unwrap();
        assert_eq!((record.phases.start_ms, record.phases.load_ms, record.billed_ms), (7.5, 0.0, 0));
    }
}
