//! Starts that failed: when, how far each came, and why.

use std::collections::BTreeSet;

use modelet_core::{InstanceRecord, StartFailure, StartPhase};

use crate::output;

/// Prints them, and what to do about each kind.
pub fn print(starts: &[InstanceRecord]) {
    let failures: Vec<_> = starts.iter().filter_map(|start| Some((start, start.failure.as_ref()?))).collect();
    for (start, failure) in &failures {
        output::line(output::plain(&line(start, failure)));
        output::line(output::plain(&format!("  {}", failure.message)));
    }
    let codes: BTreeSet<_> = failures.iter().map(|(_, failure)| failure.code.as_str()).collect();
    for code in codes {
        output::line(format!("  what to do: modelet explain {code}"));
    }
    if !failures.is_empty() {
        output::line("");
    }
}

fn line(start: &InstanceRecord, failure: &StartFailure) -> String {
    let phase = match failure.phase {
        StartPhase::Start => "before it began to load",
        StartPhase::Load => "while it loaded",
    };
    let (moment, id) = (output::moment(start.started_at_ms), &start.id);
    format!("{moment}  {id}  failed after {} ms, {phase}: {}", start.loading_ms, failure.code)
}
