//! The parts of a cold start, in their order, and the largest of them.

use modelet_core::{InvocationRecord, Phases};
use serde::Serialize;

/// A part of a cold start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The request's body came in.
    Receive,
    /// The call waited before an instance was started for it, or after it was ready.
    Queue,
    /// The instance came to be.
    Start,
    /// It loaded the model.
    Load,
    /// It computed its first answer.
    FirstInference,
    /// It read the request and wrote the answer.
    Rest,
}

/// The largest part of some cold starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Largest {
    /// Which.
    pub part: Part,
    /// What it makes of the time of all of them together, from 0 to 1.
    pub share: f64,
    /// Its median, milliseconds.
    pub median_ms: f64,
}

impl Part {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Queue => "queue",
            Self::Start => "start",
            Self::Load => "load",
            Self::FirstInference => "first inference",
            Self::Rest => "decode, encode",
        }
    }
}

/// The parts of a cold start, in milliseconds.
pub fn of(phases: &Phases) -> [(Part, f64); 6] {
    [
        (Part::Receive, phases.receive_ms),
        (Part::Queue, phases.queue_ms),
        (Part::Start, phases.start_ms),
        (Part::Load, phases.load_ms),
        (Part::FirstInference, phases.inference_ms),
        (Part::Rest, (phases.handler_ms - phases.inference_ms).max(0.0)),
    ]
}

/// The part that most of the time went into; `None` without cold starts.
pub fn largest(cold_starts: &[InvocationRecord]) -> Option<Largest> {
    let all: Vec<_> = cold_starts.iter().map(|call| of(&call.phases)).collect();
    let total_ms: f64 = all.iter().flatten().map(|(_, ms)| ms).sum();
    let columns = all.first()?.iter().enumerate().map(|(at, (part, _))| {
        let mut times: Vec<f64> = all.iter().map(|parts| parts[at].1).collect();
        times.sort_by(f64::total_cmp);
        (*part, times.iter().sum::<f64>(), times[times.len() / 2])
    });
    let (part, sum_ms, median_ms) = columns.max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Largest { part, share: sum_ms / total_ms.max(f64::MIN_POSITIVE), median_ms })
}

#[cfg(test)]
pub mod tests {
    use modelet_core::{InvocationId, Outcome, Version};

    use super::*;

    /// A cold start with these times.
    pub fn cold_start(start_ms: f64, load_ms: f64, inference_ms: f64, handler_ms: f64) -> InvocationRecord {
        let total_ms = start_ms + load_ms + handler_ms;
        let phases = Phases { start_ms, load_ms, inference_ms, handler_ms, total_ms, ..Phases::default() };
        InvocationRecord {
            id: InvocationId("01J".into()),
            function: "iris".parse().unwrap(),
            version: Version(1),
            instance: None,
            arrived_at_ms: 0,
            protocol: "fn".into(),
            method: None,
            path: None,
            status: 200,
            outcome: Outcome::Ok,
            code: None,
            attempt: None,
            cold_start: true,
            started_from: None,
            phases,
            billed_ms: 1,
            memory_mib: 64,
            cpu_ms: 0.0,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    #[test]
    fn the_largest_part_is_that_of_all_together() {
        assert_eq!(largest(&[]), None);
        let calls = [
            cold_start(5.0, 20.0, 1.0, 2.0),
            cold_start(7.0, 60.0, 1.0, 2.0),
            cold_start(90.0, 30.0, 0.0, 3.0),
        ];
        let found = largest(&calls).unwrap();
        assert_eq!((found.part, found.median_ms), (Part::Load, 30.0));
        assert!((found.share - 110.0 / 219.0).abs() < 1e-9, "{found:?}");
        assert_eq!(largest(&[cold_start(1.0, 2.0, 8.0, 9.0)]).unwrap().part, Part::FirstInference);
        assert_eq!(largest(&[cold_start(1.0, 2.0, 1.0, 9.0)]).unwrap().part, Part::Rest);
    }
}
